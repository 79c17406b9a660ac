/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls.h - probes the TLS libraries that the traced processes use.
 */
#ifndef SONDE_LOAD_TLS_H
#define SONDE_LOAD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "load/bins.h"
#include "load/elf.h"
#include "load/site.h"
#include "sonde/base.h"
#include "sonde/go_park.h"

struct sonde_buf;
struct sonde_bpf; /* the skeleton, build/sonde.skel.h */
struct sonde_tls;

enum sonde_tls_library {
	SONDE_TLS_OPENSSL,
	SONDE_TLS_GNUTLS,
	SONDE_TLS_GO,
};

/**
 * struct sonde_tls_opts - how to probe
 * @nr_pids: attach to each process that is met, so that others which use the same library pay nothing. 0: once for all, and
 *           the programs filter
 */
struct sonde_tls_opts {
	size_t nr_pids;
};

#define SONDE_TLS_MAX_SITES 8
#define SONDE_TLS_MAX_RETURNS 32

/** struct sonde_tls_site - one probed function of a binary */
struct sonde_tls_site {
	const char *function;
	const char *inner; /* what is probed is a local function that this one calls: "read"; NULL: itself */
	int err; /* -errno: could not be probed */
	u32 call; /* cookie, see sonde/tls_probe.h; 0: end of an object */
	u64 addr; /* of the probed function, as linked */
	u64 offset; /* of the probed instruction in the file */
	struct sonde_site site;
	u32 nr_returns; /* Go: its return instructions, each probed */
	u64 ret[SONDE_TLS_MAX_RETURNS]; /* their places in the file */
};

/**
 * struct sonde_tls_bin - a file that holds a TLS library
 * @path: as the first process that was seen to map it sees it
 * @version: as the file says itself, "" if it does not
 * @err: 0: probed; -errno, @reason says why not
 * @parks: Go: functions that tell what goroutines wait for
 */
struct sonde_tls_bin {
	char *path;
	enum sonde_tls_library library;
	char build_id[SONDE_ELF_BUILD_ID_SIZE];
	char version[48];
	int err;
	char reason[128];
	size_t nr_sites;
	struct sonde_tls_site site[SONDE_TLS_MAX_SITES];
	struct sonde_go_parks parks;
};

/** sonde_tls_prepare - choose programs and attach types; after open, before load. @opts NULL: no TLS at all */
int sonde_tls_prepare(struct sonde_bpf *skel, const struct sonde_tls_opts *opts);

/**
 * sonde_tls_attach - probe whatever TLS library @bins will find; after load, before its first scan
 *
 * That a library cannot be probed is no error: sonde_tls_bin() tells. Returns 0, -EOPNOTSUPP if this kernel cannot (nothing
 * was prepared), or -errno.
 */
int sonde_tls_attach(struct sonde_tls **tls, struct sonde_bpf *skel, const struct sonde_tls_opts *opts,
		     struct sonde_bins *bins);

/** sonde_tls_abandoned - statements that were under way when their process ended (they are in no row) */
u64 sonde_tls_abandoned(const struct sonde_tls *tls);

/** sonde_tls_bin - binary number @i, NULL behind the last; valid until it is freed */
const struct sonde_tls_bin *sonde_tls_bin(const struct sonde_tls *tls, size_t i);

/** sonde_tls_describe - append what was found, which instructions are probed and what they cost, for people */
void sonde_tls_describe(const struct sonde_tls *tls, struct sonde_buf *out);

/** sonde_tls_describe_bin - the same of one binary */
void sonde_tls_describe_bin(const struct sonde_tls_bin *bin, struct sonde_buf *out);

void sonde_tls_free(struct sonde_tls *tls);

#endif /* SONDE_LOAD_TLS_H */
