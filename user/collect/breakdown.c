// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown.c - collects what the time of inbound requests went into.
 */
#include <errno.h>
#include <string.h>

#include "collect/breakdown.h"
#include "collect/findings.h"
#include "collect/map_each.h"
#include "collect/profile.h"
#include "model/memory.h"

/* One reading. */
struct reading {
	struct sonde_db *db;
	struct sonde_breakdowns *list;
};

static void forget(void *ctx)
{
	sonde_breakdowns_clear(((struct reading *)ctx)->list);
}

static void forget_deps(void *ctx)
{
	struct sonde_breakdowns *list = ((struct reading *)ctx)->list;

	for (size_t i = 0; i < list->nr; i++)
		list->row[i]->nr_deps = 0;
}

static int take_row(void *ctx, const void *key, const void *value)
{
	const struct sonde_breakdown_stat *stat = value;
	struct reading *reading = ctx;
	struct sonde_query_key id;
	struct sonde_breakdown *row;
	bool partial;

	if (!stat->count)
		return 0; /* just made */
	memcpy(&id, key, sizeof(id));
	row = sonde_breakdowns_row(reading->list, &id);
	if (!row)
		return -ENOMEM;
	row->stat = *stat;
	row->text = sonde_db_text(reading->db, id.id, &partial);
	row->process = sonde_db_comm(reading->db, &id.proc);
	row->server = sonde_db_peer_names(reading->db, id.peer).server;
	return 0;
}

static int take_dep(void *ctx, const void *key, const void *value)
{
	struct reading *reading = ctx;
	struct sonde_dep_key id;
	struct sonde_dep dep = {};
	bool partial;

	memcpy(&id, key, sizeof(id));
	memcpy(&dep.stat, value, sizeof(dep.stat));
	dep.id = id.id;
	dep.kind = id.kind;
	dep.proto = id.proto;
	dep.text = id.id ? sonde_db_text(reading->db, id.id, &partial) : NULL;
	for (size_t i = 0; i < reading->list->nr; i++)
		if (!memcmp(&reading->list->row[i]->key, &id.of, sizeof(id.of)))
			return sonde_breakdown_dep(reading->list->row[i], &dep);
	return 0; /* its request came when the rows had been read */
}

struct sonde_breakdowns *sonde_breakdown_read(struct sonde_db *db, int rows, int deps, int *err)
{
	struct reading reading = { .db = db, .list = sonde_breakdowns_new() };

	*err = -ENOMEM;
	if (!reading.list)
		return NULL;
	*err = sonde_map_each(rows, sizeof(struct sonde_query_key), sizeof(struct sonde_breakdown_stat), &reading,
			      forget, take_row);
	if (!*err)
		*err = sonde_map_each(deps, sizeof(struct sonde_dep_key), sizeof(struct sonde_dep_stat), &reading,
				      forget_deps, take_dep);
	if (*err) {
		sonde_breakdowns_free(reading.list);
		return NULL;
	}
	sonde_breakdowns_sort(reading.list);
	return reading.list;
}

/* One reading of call sites. */
struct site_reading {
	struct sonde_breakdowns *list;
	const struct sonde_profiler *profiler;
	u64 unit;
};

static void forget_sites(void *ctx)
{
	struct sonde_breakdowns *list = ((struct site_reading *)ctx)->list;

	for (size_t i = 0; i < list->nr; i++)
		sonde_memory_forget(list->row[i]);
}

static int take_site(void *ctx, const void *map_key, const void *value)
{
	struct site_reading *reading = ctx;
	struct sonde_memory_key key;
	struct sonde_memory memory;

	memcpy(&key, map_key, sizeof(key));
	memcpy(&memory, value, sizeof(memory));
	memory.bytes *= reading->unit;
	for (size_t i = 0; i < reading->list->nr; i++)
		if (!memcmp(&reading->list->row[i]->key, &key.of, sizeof(key.of)))
			return sonde_memory_site(reading->list->row[i],
						 (s64)sonde_profiler_find(reading->profiler, &key.of.proc, key.hash) - 1,
						 &memory);
	return 0; /* none of its requests was answered when the rows were read */
}

int sonde_breakdown_read_memory(struct sonde_breakdowns *list, int sites, u64 unit, const struct sonde_profiler *profiler)
{
	struct site_reading reading = { .list = list, .profiler = profiler, .unit = unit };
	int err = sonde_map_each(sites, sizeof(struct sonde_memory_key), sizeof(struct sonde_memory), &reading, forget_sites,
				 take_site);

	for (size_t i = 0; i < list->nr; i++)
		list->row[i]->stat.memory.bytes *= unit;
	sonde_memory_sort(list);
	return err;
}
