/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe.h - what this kernel and these privileges offer, found out by asking, not by version numbers.
 */
#ifndef SONDE_LOAD_PROBE_H
#define SONDE_LOAD_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "load/load.h"

enum sonde_feature {
#define SONDE_FEATURE(symbol, need, open, name, without, advice) SONDE_FEATURE_##symbol,
#include "load/feature.def"
#undef SONDE_FEATURE
	SONDE_FEATURE_MAX,
};

/* How much sonde depends on a feature. */
enum sonde_need {
	SONDE_NEED_ALWAYS, /* nothing runs without it */
	SONDE_NEED_ONE_OF_SOCKET, /* one of several ways to see socket data */
	SONDE_NEED_PART, /* a part is lost or costs more */
};

/** struct sonde_feature_info - one row of feature.def, for people */
struct sonde_feature_info {
	enum sonde_need need;
	bool open; /* can be told without privilege */
	const char *name;
	const char *without; /* what is lost */
	const char *advice; /* what to do about it */
};

/** sonde_feature_info - the row of @feature; static storage */
const struct sonde_feature_info *sonde_feature_info(enum sonde_feature feature);

/**
 * sonde_probe_have - whether the kernel offers @feature to this process
 *
 * Asked once, then remembered. Loads tiny programs where nothing less tells.
 */
bool sonde_probe_have(enum sonde_feature feature);

/**
 * sonde_probe_base - is there any point in trying? Privileges, BTF, ring buffer
 *
 * Returns 0, or -errno with @err filled (exit code 3 or 4).
 */
int sonde_probe_base(struct sonde_load_error *err);

/** sonde_probe_refused - the kernel refused BPF programs with @ret: says in @err what is missing (exit code 3); returns @ret */
int sonde_probe_refused(struct sonde_load_error *err, int ret);

/** sonde_probe_no_memory - whether there is too little memory to read what the kernel offers: then a "no" says nothing */
bool sonde_probe_no_memory(void);

#endif /* SONDE_LOAD_PROBE_H */
