// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc.c - reads what the kernel side counts of garbage collections.
 */
#include <errno.h>
#include <string.h>

#include "collect/gc.h"
#include "collect/map_each.h"

static void forget_rows(void *ctx)
{
	((struct sonde_gc *)ctx)->nr = 0;
}

static int take_row(void *ctx, const void *map_key, const void *value)
{
	struct sonde_gc_row *row = sonde_gc_row(ctx);
	struct sonde_gc_key key;

	if (!row)
		return -ENOMEM;
	memcpy(&key, map_key, sizeof(key));
	memcpy(&row->stat, value, sizeof(row->stat));
	row->proc = key.proc;
	row->tid = key.tid;
	row->kind = key.kind;
	return 0;
}

static void forget_pools(void *ctx)
{
	((struct sonde_gc *)ctx)->nr_pools = 0;
}

static int take_pool(void *ctx, const void *map_key, const void *value)
{
	struct sonde_gc_pool_row *row = sonde_gc_pool_row(ctx);
	struct sonde_gc_pool_key key;

	if (!row)
		return -ENOMEM;
	memcpy(&key, map_key, sizeof(key));
	memcpy(&row->pool, value, sizeof(row->pool));
	row->pid = key.proc.tgid;
	memcpy(row->name, key.name, sizeof(key.name));
	return 0;
}

static int take_proc(void *ctx, const void *key, const void *value)
{
	struct sonde_gc_process *process;
	struct sonde_gc_proc from;
	struct sonde_proc proc;

	memcpy(&proc, key, sizeof(proc));
	memcpy(&from, value, sizeof(from));
	process = sonde_gc_process(ctx, &proc);
	if (!process)
		return -ENOMEM;
	process->begin_ns = from.begin_ns;
	process->end_ns = from.end_ns;
	memcpy(process->process, from.comm, sizeof(process->process) - 1);
	return 0;
}

/* Those that have collected nothing are known by number only. */
static int take_met(void *ctx, const void *key, const void *value)
{
	struct sonde_gc_process *process;
	struct sonde_gc *gc = ctx;
	struct sonde_gc_met met;
	struct sonde_proc proc = {};

	memcpy(&proc.tgid, key, sizeof(proc.tgid));
	memcpy(&met, value, sizeof(met));
	process = sonde_gc_find(gc, proc.tgid);
	if (!process) {
		process = sonde_gc_process(gc, &proc);
		if (!process)
			return -ENOMEM;
		process->runtime = met.runtime;
		process->sight = met.sight;
		memcpy(process->process, met.comm, sizeof(process->process) - 1);
	}
	memcpy(process->how, met.how, sizeof(process->how) - 1);
	return 0;
}

int sonde_gc_read(struct sonde_gc *gc, const struct sonde_gc_maps *maps, u64 from_ns, u64 to_ns)
{
	int err;

	sonde_gc_clear(gc);
	err = sonde_map_each(maps->procs, sizeof(struct sonde_proc), sizeof(struct sonde_gc_proc), gc, NULL, take_proc);
	if (!err)
		err = sonde_map_each(maps->met, sizeof(u32), sizeof(struct sonde_gc_met), gc, NULL, take_met);
	if (!err)
		err = sonde_map_each(maps->rows, sizeof(struct sonde_gc_key), sizeof(struct sonde_gc_stat), gc, forget_rows,
				     take_row);
	if (!err)
		err = sonde_map_each(maps->pools, sizeof(struct sonde_gc_pool_key), sizeof(struct sonde_gc_pool), gc, forget_pools,
				     take_pool);
	if (!err)
		sonde_gc_sum(gc, from_ns, to_ns);
	return err;
}
