// SPDX-License-Identifier: GPL-2.0-only
/*
 * db_read.c - collects statements: reads the maps.
 */
#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "collect/counters.h"
#include "collect/db.h"
#include "collect/map_each.h"

#define STACK_FRAMES 127u /* of a stack in map `stacks` */

static void forget_rows(void *db)
{
	sonde_db_begin(db);
}

static int take_query(void *db, const void *key, const void *stat)
{
	return sonde_db_row(db, key, stat);
}

static int take_finding(void *db, const void *key, const void *stat)
{
	return sonde_db_finding(db, key, stat);
}

static int take_caller(void *db, const void *key, const void *stat)
{
	return sonde_db_caller(db, key, stat);
}

static int take_scope(void *db, const void *key, const void *scope)
{
	(void)key;
	return sonde_db_scope(db, scope, sonde_clock_ns());
}

/*
 * A scope that ends meanwhile is missing until the next reading, since its row was read before; the other way round it would
 * count twice. Only the first map begins anew: a kernel without batches for one has none for all.
 */
static int read_findings(struct sonde_db *db, const struct sonde_db_maps *maps)
{
	int err = 0;

	if (maps->findings > 0)
		err = sonde_map_each(maps->findings, sizeof(struct sonde_finding_key),
				     sizeof(struct sonde_finding_stat), db, NULL, take_finding);
	if (!err && maps->scopes > 0)
		err = sonde_map_each(maps->scopes, sizeof(u64), sizeof(struct sonde_scope), db, NULL, take_scope);
	if (!err && maps->callers > 0)
		err = sonde_map_each(maps->callers, sizeof(struct sonde_caller_key), sizeof(struct sonde_caller_stat),
				     db, NULL, take_caller);
	if (!err && maps->stacks > 0)
		err = sonde_db_read_stacks(db, maps->stacks);
	return err;
}

static int read_stack(struct sonde_db *db, void *ctx, u32 id, u32 pid)
{
	u64 ips[STACK_FRAMES] = {};
	size_t nr = 0;

	if (!bpf_map_lookup_elem(*(const int *)ctx, &id, ips))
		for (size_t i = 0; i < STACK_FRAMES; i++)
			if (ips[i])
				ips[nr++] = ips[i];
	return sonde_db_stack(db, id, pid, ips, nr);
}

int sonde_db_read_stacks(struct sonde_db *db, int stacks)
{
	return sonde_db_stacks_wanted(db, &stacks, read_stack);
}

/*
 * Rows are read before the counters, and what was seen last of all: what happens to a statement at its end is read
 * first, so that "seen" is never less than what it should contain.
 */
static int read_counters(struct sonde_db *db, const struct sonde_db_maps *maps)
{
	u64 counter[SONDE_CNT_MAX];
	int err = sonde_counters_read(maps->counters, maps->seen, counter);

	if (err)
		return err;
	/* The rows, read before, hold these two: counting them again would only cost. */
	counter[SONDE_CNT_ATTRIBUTED] = sonde_db_calls(db, maps->view);
	counter[SONDE_CNT_TIMED] = counter[SONDE_CNT_ATTRIBUTED] + counter[SONDE_CNT_LOST_ROWS_FULL];
	sonde_db_counters(db, counter);
	return 0;
}

static int read_peer(struct sonde_db *db, void *ctx, u64 id)
{
	const struct sonde_db_maps *maps = ctx;
	struct sonde_peer peer;

	/* Not there: the map was full (counted by the kernel side), the row goes without. */
	return bpf_map_lookup_elem(maps->peers, &id, &peer) ? 0 : sonde_db_peer(db, id, &peer);
}

static int read_proc(struct sonde_db *db, void *ctx, const struct sonde_proc *proc)
{
	const struct sonde_db_maps *maps = ctx;
	struct sonde_proc_info info;

	return bpf_map_lookup_elem(maps->procs, proc, &info) ? 0 : sonde_db_proc(db, proc, &info);
}

int sonde_db_read_of(struct sonde_db *db, const struct sonde_db_maps *maps, const struct sonde_query_key *key)
{
	return sonde_db_missing_of(db, key, (void *)maps, read_peer, read_proc);
}

int sonde_db_read(struct sonde_db *db, const struct sonde_db_maps *maps)
{
	int err;

	err = sonde_map_each(maps->queries, sizeof(struct sonde_query_key), sizeof(struct sonde_query_stat), db,
			     forget_rows, take_query);
	if (!err)
		err = read_findings(db, maps);
	if (!err)
		err = read_counters(db, maps);
	if (!err)
		err = sonde_db_missing(db, (void *)maps, read_peer, read_proc);
	return err;
}
