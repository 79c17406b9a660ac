/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite.h - finds the SQLite libraries that the traced processes use, and probes them.
 */
#ifndef SONDE_LOAD_SQLITE_H
#define SONDE_LOAD_SQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "load/elf.h"
#include "load/site.h"
#include "sonde/base.h"

struct sonde_buf;
struct sonde_bpf; /* the skeleton, build/sonde.skel.h */
struct sonde_sqlite;

/**
 * struct sonde_sqlite_opts - what to probe
 * @binds: hash bound parameters: one more probe hit (0.7 us) for every parameter bound
 * @pids, @nr_pids: only these processes, now and later: others that use the same library pay nothing. 0: every process
 *                  that maps the library is probed, and the programs filter. Ignored with @ahead
 * @only_filtered: look for libraries in the processes of map `pids` only (which may grow)
 * @ahead: probe the system's own SQLite libraries and @program even if no process has mapped them yet
 * @program: binary that is going to be started (NULL: none)
 */
struct sonde_sqlite_opts {
	bool binds;
	bool only_filtered;
	bool ahead;
	const pid_t *pids;
	size_t nr_pids;
	const char *program;
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
 * sonde_sqlite_attach - probe what the traced processes use now; after load
 *
 * That a library cannot be probed is no error: sonde_sqlite_bin() tells. @opts is copied, its pointers must stay valid.
 * Returns 0 or -errno.
 */
int sonde_sqlite_attach(struct sonde_sqlite **sqlite, struct sonde_bpf *skel, const struct sonde_sqlite_opts *opts);

/**
 * sonde_sqlite_rescan - probe what processes have mapped since, forget the processes that are gone
 *
 * Looks closer only at new processes and at those whose memory has changed its size. Returns the number of binaries
 * newly probed, or -errno.
 */
int sonde_sqlite_rescan(struct sonde_sqlite *sqlite);

/** sonde_sqlite_abandoned - executions that were under way when their process ended (they are in no row) */
u64 sonde_sqlite_abandoned(const struct sonde_sqlite *sqlite);

/** sonde_sqlite_bin - binary number @i, NULL behind the last; valid until the next rescan */
const struct sonde_sqlite_bin *sonde_sqlite_bin(const struct sonde_sqlite *sqlite, size_t i);

/** sonde_sqlite_describe - append what was found, which instructions are probed and what they cost, for people */
void sonde_sqlite_describe(const struct sonde_sqlite *sqlite, struct sonde_buf *out);

void sonde_sqlite_free(struct sonde_sqlite *sqlite);

#endif /* SONDE_LOAD_SQLITE_H */
