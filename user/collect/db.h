/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * db.h - collects statements: what the kernel side keeps in its maps and sends through its ring becomes a snapshot.
 *
 * Two halves. db.c and findings.c take structures, whoever read them, and are pure; db_read.c and map_each.c read the maps.
 */
#ifndef SONDE_COLLECT_DB_H
#define SONDE_COLLECT_DB_H

#include <stddef.h>

#include "sonde/key.h"
#include "sonde/scope.h"

struct sonde_db;
struct sonde_profile;
struct sonde_slow;
struct sonde_ignore;
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

/** sonde_db_calls - executions in all rows of the current reading that the command is about */
u64 sonde_db_calls(const struct sonde_db *db, enum sonde_view view);

/** sonde_db_settle - the run is over and @open statements are outstanding: what else is missing ended with its connection */
void sonde_db_settle(struct sonde_db *db, u64 open);

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

/** sonde_db_missing_of - the same for one row, which need not have been handed in */
int sonde_db_missing_of(struct sonde_db *db, const struct sonde_query_key *key, void *ctx,
			int (*peer)(struct sonde_db *db, void *ctx, u64 id),
			int (*proc)(struct sonde_db *db, void *ctx, const struct sonde_proc *proc));

/** sonde_db_label - the text of a statement or label; NULL: not known */
const char *sonde_db_label(const struct sonde_db *db, u64 id);

/** sonde_db_describe - fill in of @slow what row @key is: statement, process, server. Returns 0 or -ENOMEM */
int sonde_db_describe(struct sonde_db *db, const struct sonde_query_key *key, struct sonde_slow *slow);

/** sonde_db_finding - take a row of map `findings`, or what an open scope adds to one. Returns 0 or -ENOMEM */
int sonde_db_finding(struct sonde_db *db, const struct sonde_finding_key *key, const struct sonde_finding_stat *stat);

/** sonde_db_scope - take an entry of map `scopes`: what repeats in it, should it be open, as of @now_ns. Returns 0 or -ENOMEM */
int sonde_db_scope(struct sonde_db *db, const struct sonde_scope *scope, u64 now_ns);

/** sonde_db_caller - take a row of map `callers`. Returns 0 or -ENOMEM */
int sonde_db_caller(struct sonde_db *db, const struct sonde_caller_key *key, const struct sonde_caller_stat *stat);

/**
 * struct sonde_db_site - what a stack says to people; what it points to is copied before the next one is asked for
 * @frame: @nr strings, the application's own frame first ("list_orders shop.c:142"); none: no frame is the application's
 * @frames: where the frames that @stack numbers are added (sonde_profile_frame()); set by who asks
 * @stack: all @nr_stack functions, innermost first
 */
struct sonde_db_site {
	const char *const *frame;
	size_t nr;
	struct sonde_profile *frames;
	const u32 *stack;
	size_t nr_stack;
};

/** typedef of what resolves a stack: @ips (@nr addresses) of process @pid. @site: as empty as it was where nothing is known */
typedef void (*sonde_db_site_fn)(void *ctx, u32 pid, const u64 *ips, size_t nr, struct sonde_db_site *site);

/**
 * sonde_db_sites - resolve stacks with @fn; without it no stack is asked for and no finding has a call site
 * @drop: called with @ctx when @db is freed (NULL: nothing is)
 */
void sonde_db_sites(struct sonde_db *db, sonde_db_site_fn fn, void *ctx, void (*drop)(void *ctx));

/** sonde_db_sites_ctx - the @ctx of sonde_db_sites(), NULL before */
void *sonde_db_sites_ctx(struct sonde_db *db);

/** sonde_db_stack - take an entry of map `stacks` that process @pid has left, and resolve it; @nr 0: it is not there */
int sonde_db_stack(struct sonde_db *db, u32 id, u32 pid, const u64 *ips, size_t nr);

/** sonde_db_stacks_wanted - call @stack for each stack that a finding has and that was not taken yet. Returns 0 or its error */
int sonde_db_stacks_wanted(struct sonde_db *db, void *ctx,
			   int (*stack)(struct sonde_db *db, void *ctx, u32 id, u32 pid));

/**
 * sonde_db_judge - look for findings: @min_repeat executions in a unit of work make one
 * @ignore: findings that are left out (NULL: none); must live as long as @db
 */
void sonde_db_judge(struct sonde_db *db, u32 min_repeat, const struct sonde_ignore *ignore);

/** sonde_db_snapshot - what was taken since sonde_db_begin(), or NULL when out of memory. The caller frees it */
struct sonde_snapshot *sonde_db_snapshot(struct sonde_db *db);

/** sonde_db_bad_events - number of ring events that were not understood */
u64 sonde_db_bad_events(const struct sonde_db *db);

/** struct sonde_db_maps - file descriptors of the maps; the last four may be 0: there is no such */
struct sonde_db_maps {
	enum sonde_view view; /* of the command: rows of another are in no count of what was seen */
	int queries;
	int peers;
	int procs;
	int counters; /* an array of one: all of them, but what was seen */
	int seen; /* per CPU */
	int findings;
	int callers;
	int scopes;
	int stacks;
};

/** sonde_db_read_of - read what sonde_db_describe() of row @key needs. Returns 0 or -errno */
int sonde_db_read_of(struct sonde_db *db, const struct sonde_db_maps *maps, const struct sonde_query_key *key);

/** sonde_db_read - read all maps into @db. Returns 0 or -errno */
int sonde_db_read(struct sonde_db *db, const struct sonde_db_maps *maps);

/** sonde_db_read_stacks - read the stacks that are wanted from map @stacks, while their processes live. Returns 0 or -errno */
int sonde_db_read_stacks(struct sonde_db *db, int stacks);

#endif /* SONDE_COLLECT_DB_H */
