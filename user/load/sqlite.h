/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite.h - probes the SQLite libraries that the traced processes use.
 */
#ifndef SONDE_LOAD_SQLITE_H
#define SONDE_LOAD_SQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "load/bins.h"
#include "load/elf.h"
#include "load/site.h"
#include "sonde/base.h"

struct sonde_buf;
struct sonde_bpf; /* the skeleton, build/sonde.skel.h */
struct sonde_sqlite;

/**
 * struct sonde_sqlite_opts - what to probe
 * @binds: hash bound parameters: one more probe hit (0.7 us) for every parameter bound
 * @nr_pids: attach to each process that is met, so that others which use the same library pay nothing. 0: once for all, and
 *           the programs filter
 */
struct sonde_sqlite_opts {
	bool binds;
	size_t nr_pids;
};

/** struct sonde_sqlite_site - one probed function of a binary */
struct sonde_sqlite_site {
	const char *function;
	bool ret; /* its return is probed too */
	int err; /* -errno: could not be probed */
	u64 addr; /* of the function, as linked */
	struct sonde_site site;
};

#define SONDE_SQLITE_MAX_SITES 32

/**
 * struct sonde_sqlite_bin - a file that holds SQLite
 * @path: as the first process that was seen to map it sees it
 * @err: 0: probed; -errno, @reason says why not
 * @text_offset, @db_offset: members of struct Vdbe, -1: not known (statements are named by prepare; no file name)
 */
struct sonde_sqlite_bin {
	char *path;
	char build_id[SONDE_ELF_BUILD_ID_SIZE];
	int err;
	char reason[128];
	int text_offset;
	int db_offset;
	size_t nr_sites;
	struct sonde_sqlite_site site[SONDE_SQLITE_MAX_SITES];
};

/** sonde_sqlite_prepare - choose programs and attach types; after open, before load. @opts NULL: no SQLite at all */
int sonde_sqlite_prepare(struct sonde_bpf *skel, const struct sonde_sqlite_opts *opts);

/**
 * sonde_sqlite_attach - probe whatever SQLite library @bins will find; after load, before its first scan
 *
 * That a library cannot be probed is no error: sonde_sqlite_bin() tells. Returns 0 or -errno.
 */
int sonde_sqlite_attach(struct sonde_sqlite **sqlite, struct sonde_bpf *skel, const struct sonde_sqlite_opts *opts,
			struct sonde_bins *bins);

/** sonde_sqlite_abandoned - executions that were under way when their process ended (they are in no row) */
u64 sonde_sqlite_abandoned(const struct sonde_sqlite *sqlite);

/** sonde_sqlite_bin - binary number @i, NULL behind the last; valid until it is freed */
const struct sonde_sqlite_bin *sonde_sqlite_bin(const struct sonde_sqlite *sqlite, size_t i);

/** sonde_sqlite_describe - append what was found, which instructions are probed and what they cost, for people */
void sonde_sqlite_describe(const struct sonde_sqlite *sqlite, struct sonde_buf *out);

void sonde_sqlite_free(struct sonde_sqlite *sqlite);

#endif /* SONDE_LOAD_SQLITE_H */
