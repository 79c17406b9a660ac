/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cap.h - the capabilities of this thread (capabilities(7)), by the system calls: every thread has its own.
 */
#ifndef SONDE_BASE_CAP_H
#define SONDE_BASE_CAP_H

#include <stdbool.h>

#include "sonde/base.h"

enum sonde_cap {
#define SONDE_CAP(symbol, number, implied, need, what, without) SONDE_CAP_##symbol,
#include "base/cap.def"
#undef SONDE_CAP
	SONDE_CAP_MAX,
};

#define SONDE_CAP_BIT(cap) (1u << (cap)) /* in a set of enum sonde_cap */
#define SONDE_CAP_ALL (SONDE_CAP_BIT(SONDE_CAP_MAX) - 1)

enum sonde_cap_need { SONDE_CAP_ALWAYS, SONDE_CAP_PART };

/** struct sonde_cap_info - a row of cap.def, for people */
struct sonde_cap_info {
	const char *name; /* "CAP_BPF" */
	const char *what;
	const char *without;
	enum sonde_cap_need need;
};

/** sonde_cap_info - the row of @cap; static storage */
const struct sonde_cap_info *sonde_cap_info(enum sonde_cap cap);

/**
 * sonde_cap_have - whether @cap is in effect, or CAP_SYS_ADMIN where the kernel takes that for it
 *
 * In a user namespace capabilities count for that namespace alone: see sonde_cap_in_namespace().
 */
bool sonde_cap_have(enum sonde_cap cap);

/** sonde_cap_in_namespace - whether this process is in a user namespace, where capabilities do not reach the kernel */
bool sonde_cap_in_namespace(void);

/**
 * sonde_cap_keep - give up, for good, all capabilities of this thread but those in @set (SONDE_CAP_BIT() each)
 *
 * CAP_SYS_ADMIN stays only if it is the stand-in for one of @set. Returns 0 or -errno.
 */
int sonde_cap_keep(u32 set);

/** sonde_cap_missing - names of those of @set that are not there, ", " between, into @out (cut if it is too small) */
void sonde_cap_missing(u32 set, char *out, size_t size);

#endif /* SONDE_BASE_CAP_H */
