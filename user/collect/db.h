/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * db.h - collects statements: what the kernel side keeps in its maps and sends through its ring becomes a snapshot.
 *
 * Two halves. db.c takes structures, whoever read them, and is pure; db_read.c reads the maps.
 */
#ifndef SONDE_COLLECT_DB_H
#define SONDE_COLLECT_DB_H

#include <stddef.h>

#include "sonde/key.h"

struct sonde_db;
struct sonde_snapshot;

struct sonde_db *sonde_db_new(void);
void sonde_db_free(struct sonde_db *db);

/**
 * sonde_db_event - take one event of the ring: @size bytes, which need not be well-formed
 *
 * Returns 0, -EINVAL for what is no event (counted, see sonde_db_bad_events()), or -ENOMEM.
 */
int sonde_db_event(struct sonde_db *db, const void *event, size_t size);

/** sonde_db_begin - forget the rows of the last reading: the next sonde_db_row() calls are a new one */
void sonde_db_begin(struct sonde_db *db);

/** sonde_db_row - take a row of map `queries`. Returns 0 or -ENOMEM */
int sonde_db_row(struct sonde_db *db, const struct sonde_query_key *key, const struct sonde_query_stat *stat);

/** sonde_db_peer - take an entry of map `peers`. Returns 0 or -ENOMEM */
int sonde_db_peer(struct sonde_db *db, u64 id, const struct sonde_peer *peer);

/** sonde_db_proc - take an entry of map `procs`. Returns 0 or -ENOMEM */
int sonde_db_proc(struct sonde_db *db, const struct sonde_proc *proc, const struct sonde_proc_info *info);

/** sonde_db_calls - executions in all rows of the current reading */
u64 sonde_db_calls(const struct sonde_db *db);

/** sonde_db_counters - take the counters, summed over CPUs */
void sonde_db_counters(struct sonde_db *db, const u64 counter[SONDE_CNT_MAX]);

/** sonde_db_counter_add - add to a counter what is counted elsewhere, after each reading */
void sonde_db_counter_add(struct sonde_db *db, u32 counter, u64 n);

/**
 * sonde_db_missing - what a row needs and nobody has handed in yet
 *
 * Calls @peer and @proc (each may be NULL) for what is missing. Returns 0, or the first error of a callback.
 */
int sonde_db_missing(struct sonde_db *db, void *ctx, int (*peer)(struct sonde_db *db, void *ctx, u64 id),
		     int (*proc)(struct sonde_db *db, void *ctx, const struct sonde_proc *proc));

/** sonde_db_snapshot - what was taken since sonde_db_begin(), or NULL when out of memory. The caller frees it */
struct sonde_snapshot *sonde_db_snapshot(struct sonde_db *db);

/** sonde_db_bad_events - number of ring events that were not understood */
u64 sonde_db_bad_events(const struct sonde_db *db);

/** struct sonde_db_maps - file descriptors of the maps */
struct sonde_db_maps {
	int queries;
	int peers;
	int procs;
	int counters;
};

/** sonde_db_read - read all maps into @db. Returns 0 or -errno */
int sonde_db_read(struct sonde_db *db, const struct sonde_db_maps *maps);

#endif /* SONDE_COLLECT_DB_H */
