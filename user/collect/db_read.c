// SPDX-License-Identifier: GPL-2.0-only
/*
 * db_read.c - collects statements: reads the maps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect/db.h"

#define BATCH 64u /* rows read by one system call (120 KiB) */

/* What a read leaves when the kernel has no batch operations for the map (before Linux 5.6) or refuses them. */
static bool no_batch(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP || err == -524 /* ENOTSUPP, the kernel's own */ || err == -EPERM;
}

static int read_queries_batch(struct sonde_db *db, int fd)
{
	u32 size = BATCH, count, place[16] = {}; /* where to go on: as large as a key at most */
	struct sonde_query_key *keys;
	struct sonde_query_stat *stats;
	bool first = true;
	int err = 0, ret;

	_Static_assert(sizeof(place) >= sizeof(*keys), "a place may be a key");
again:
	keys = malloc(size * sizeof(*keys));
	stats = malloc(size * sizeof(*stats));
	while (keys && stats) {
		count = size;
		ret = bpf_map_lookup_batch(fd, first ? NULL : place, place, keys, stats, &count, NULL);
		if (ret == -ENOSPC && size < 65536) {
			/* One bucket of the hash table holds more than fits: the place did not move. */
			free(keys);
			free(stats);
			size *= 4;
			goto again;
		}
		if (ret && ret != -ENOENT) {
			err = ret;
			break;
		}
		for (u32 i = 0; i < count && !err; i++)
			err = sonde_db_row(db, &keys[i], &stats[i]);
		if (ret || err)
			break; /* -ENOENT: that was the end */
		first = false;
	}
	if (!keys || !stats)
		err = -ENOMEM;
	free(keys);
	free(stats);
	return err;
}

static int read_queries_each(struct sonde_db *db, int fd)
{
	struct sonde_query_key key, previous;
	struct sonde_query_stat stat;
	bool first = true;
	int err;

	while (!bpf_map_get_next_key(fd, first ? NULL : &previous, &key)) {
		first = false;
		previous = key;
		if (bpf_map_lookup_elem(fd, &key, &stat))
			continue;
		err = sonde_db_row(db, &key, &stat);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Rows are read before the counters, and these in the order opposite to a statement's way: what happens to it last is
 * read first, so that "seen" is never less than what it should contain.
 */
static int read_counters(struct sonde_db *db, int fd)
{
	int nr_cpus = libbpf_num_possible_cpus(), err = 0;
	u64 counter[SONDE_CNT_MAX] = {}, *cpu;

	if (nr_cpus < 0)
		return nr_cpus;
	cpu = calloc((size_t)nr_cpus, sizeof(*cpu));
	if (!cpu)
		return -ENOMEM;
	for (u32 i = SONDE_CNT_MAX; i-- > 0 && !err;) {
		err = bpf_map_lookup_elem(fd, &i, cpu);
		for (int c = 0; c < nr_cpus && !err; c++)
			counter[i] += cpu[c];
	}
	free(cpu);
	/* The rows, read before, hold these two: counting them again would only cost. */
	counter[SONDE_CNT_ATTRIBUTED] = sonde_db_calls(db);
	counter[SONDE_CNT_TIMED] = counter[SONDE_CNT_ATTRIBUTED] + counter[SONDE_CNT_LOST_ROWS_FULL];
	if (!err)
		sonde_db_counters(db, counter);
	return err;
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

int sonde_db_read(struct sonde_db *db, const struct sonde_db_maps *maps)
{
	int err;

	sonde_db_begin(db);
	err = read_queries_batch(db, maps->queries);
	if (no_batch(err)) {
		sonde_db_begin(db);
		err = read_queries_each(db, maps->queries);
	}
	if (!err)
		err = read_counters(db, maps->counters);
	if (!err)
		err = sonde_db_missing(db, (void *)maps, read_peer, read_proc);
	return err;
}
