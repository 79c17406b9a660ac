// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.c - reads what the kernel side counts of allocations, and joins it with the stacks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "collect/alloc.h"
#include "collect/map_each.h"
#include "collect/profile.h"

/* One reading. */
struct reading {
	struct sonde_alloc *out;
	struct sonde_profiler *profiler;
	struct sonde_table rows; /* by stack: index + 1 */
	struct sonde_table epochs; /* by process: that under way + 1 */
};

static u64 proc_id(const struct sonde_proc *proc)
{
	return (u64)proc->tgid << 32 | proc->start;
}

static void forget_totals(void *ctx)
{
	((struct reading *)ctx)->out->nr_totals = 0;
}

static int take_proc(void *ctx, const void *key, const void *value)
{
	const struct sonde_alloc_proc *proc = value;
	struct reading *reading = ctx;
	struct sonde_alloc_total *total;
	struct sonde_proc id;

	memcpy(&id, key, sizeof(id));
	total = sonde_alloc_total(reading->out, &id);
	if (!total)
		return -ENOMEM;
	total->peak_bytes = proc->peak_bytes > 0 ? (u64)proc->peak_bytes : 0;
	total->peak_ns = proc->peak_ns;
	return sonde_table_put(&reading->epochs, proc_id(&id), (void *)((uintptr_t)proc->epoch + 1));
}

static void forget_rows(void *ctx)
{
	struct reading *reading = ctx;

	reading->out->nr = 0;
	sonde_table_free(&reading->rows, NULL);
	reading->rows = (struct sonde_table){};
}

/* The row of a stack: rows that differ in addresses alone are one. */
static struct sonde_alloc_row *row_of(struct reading *reading, s64 stack)
{
	struct sonde_alloc_row *row;
	uintptr_t at = 0;

	if (stack >= 0)
		at = (uintptr_t)sonde_table_get(&reading->rows, (u64)stack);
	if (at)
		return &reading->out->row[at - 1];
	row = sonde_alloc_row(reading->out);
	if (row && stack >= 0 && sonde_table_put(&reading->rows, (u64)stack, (void *)reading->out->nr))
		return NULL;
	return row;
}

static int take_site(void *ctx, const void *map_key, const void *value)
{
	struct reading *reading = ctx;
	struct sonde_alloc_stat stat;
	struct sonde_alloc_key key;
	struct sonde_alloc_row *row;
	uintptr_t epoch;
	s64 stack;

	memcpy(&key, map_key, sizeof(key));
	memcpy(&stat, value, sizeof(stat));
	if (!stat.samples)
		return 0; /* just made */
	epoch = (uintptr_t)sonde_table_get(&reading->epochs, proc_id(&key.proc));
	if (epoch && epoch - 1 != key.epoch) {
		/* Of a program that its process has left: freed with all its memory. */
		stat.freed_samples = stat.samples;
		stat.freed_bytes = stat.alloc_bytes;
		stat.freed_objects = stat.alloc_objects;
		stat.live_var = 0;
	}
	stack = (s64)sonde_profiler_find(reading->profiler, &key.proc, key.hash) - 1;
	row = row_of(reading, stack);
	if (!row)
		return -ENOMEM;
	row->stack = stack;
	row->pid = key.proc.tgid;
	sonde_alloc_add(&row->stat, &stat);
	return 0;
}

static int finish(struct reading *reading, const struct sonde_profile *profile)
{
	struct sonde_alloc *out = reading->out;

	for (size_t i = 0; i < out->nr; i++) {
		struct sonde_alloc_row *row = &out->row[i];
		struct sonde_alloc_total *total = NULL;

		if (row->stat.live_var < 0)
			row->stat.live_var = 0;
		sonde_alloc_live(&row->stat, &row->live_bytes, &row->live_objects);
		if (row->stack >= 0)
			row->process = profile->stack[row->stack].process;
		for (size_t k = 0; k < out->nr_totals && !total; k++)
			if (out->total[k].proc.tgid == row->pid)
				total = &out->total[k];
		if (!total)
			continue;
		sonde_alloc_add(&total->stat, &row->stat);
		total->live_bytes += row->live_bytes;
		total->live_objects += row->live_objects;
		if (row->process[0])
			total->process = row->process;
		if (total->peak_bytes < total->live_bytes) /* read later */
			total->peak_bytes = total->live_bytes;
	}
	sonde_alloc_sort(out);
	return 0;
}

int sonde_alloc_read(struct sonde_alloc *out, const struct sonde_alloc_maps *maps, struct sonde_profiler *profiler)
{
	struct reading reading = { .out = out, .profiler = profiler };
	int err;

	err = sonde_map_each(maps->procs, sizeof(struct sonde_proc), sizeof(struct sonde_alloc_proc), &reading,
			     forget_totals, take_proc);
	if (!err)
		err = sonde_map_each(maps->sites, sizeof(struct sonde_alloc_key), sizeof(struct sonde_alloc_stat),
				     &reading, forget_rows, take_site);
	if (!err)
		err = finish(&reading, sonde_profiler_get(profiler));
	sonde_table_free(&reading.rows, NULL);
	sonde_table_free(&reading.epochs, NULL);
	return err;
}
