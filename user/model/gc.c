// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc.c - garbage collections: sums by process, shares of their time, names.
 */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "model/gc.h"
#include "model/hist.h"

static const char *const runtimes[SONDE_GC_RUNTIMES] = {
#define SONDE_GC_RUNTIME(symbol, name) [SONDE_GC_##symbol] = name,
#include "sonde/gc.def"
#undef SONDE_GC_RUNTIME
};

static const struct {
	const char *name;
	u8 runtime;
	u8 cycle;
} kinds[SONDE_GC_KINDS] = {
#define SONDE_GC_KIND(symbol, runtime, name, cycle) [SONDE_GC_KIND_##symbol] = { name, SONDE_GC_##runtime, cycle },
#include "sonde/gc.def"
#undef SONDE_GC_KIND
};

const char *sonde_gc_runtime_name(u32 runtime)
{
	return runtime < SONDE_GC_RUNTIMES ? runtimes[runtime] : "";
}

const char *sonde_gc_kind_name(u32 kind)
{
	return kind < SONDE_GC_KINDS ? kinds[kind].name : "";
}

u32 sonde_gc_kind_runtime(u32 kind)
{
	return kind < SONDE_GC_KINDS ? kinds[kind].runtime : SONDE_GC_RUNTIMES;
}

u32 sonde_gc_runtime_find(const char *name)
{
	u32 runtime = 0;

	while (runtime < SONDE_GC_RUNTIMES && strcmp(runtimes[runtime], name) != 0)
		runtime++;
	return runtime;
}

u32 sonde_gc_kind_find(u32 runtime, const char *name)
{
	u32 kind = 0;

	while (kind < SONDE_GC_KINDS && (kinds[kind].runtime != runtime || strcmp(kinds[kind].name, name) != 0))
		kind++;
	return kind;
}

const char *sonde_gc_unseen(const struct sonde_gc_process *process)
{
	switch (process->sight) {
	case SONDE_GC_NO_PROBES:
		return process->runtime == SONDE_GC_GO ? "it was built by a Go before 1.18, or its functions cannot be found" :
							 "its build has neither probes for them (USDT) nor symbols";
	case SONDE_GC_NO_KERNEL:
		return "that takes Linux 5.15";
	case SONDE_GC_FAILED:
		return "the kernel refused the probes (-v says why)";
	case SONDE_GC_NO_ROOM:
		return "there are too many different builds of runtimes";
	default:
		return NULL;
	}
}

struct sonde_gc *sonde_gc_new(void)
{
	return calloc(1, sizeof(struct sonde_gc));
}

void sonde_gc_clear(struct sonde_gc *gc)
{
	for (size_t i = 0; i < gc->nr_processes; i++)
		free(gc->process[i]);
	gc->nr = gc->nr_pools = gc->nr_processes = 0;
}

void sonde_gc_free(struct sonde_gc *gc)
{
	if (!gc)
		return;
	sonde_gc_clear(gc);
	free(gc->row);
	free(gc->pool);
	free(gc->process);
	free(gc);
}

struct sonde_gc_row *sonde_gc_row(struct sonde_gc *gc)
{
	struct sonde_gc_row *row = sonde_list_append((void **)&gc->row, gc->nr, &gc->room, sizeof(*row));

	if (row) {
		row->process = "";
		gc->nr++;
	}
	return row;
}

struct sonde_gc_pool_row *sonde_gc_pool_row(struct sonde_gc *gc)
{
	struct sonde_gc_pool_row *row = sonde_list_append((void **)&gc->pool, gc->nr_pools, &gc->pool_room, sizeof(*row));

	gc->nr_pools += row != NULL;
	return row;
}

static struct sonde_gc_process *find(const struct sonde_gc *gc, const struct sonde_proc *proc)
{
	for (size_t i = 0; i < gc->nr_processes; i++)
		if (gc->process[i]->proc.tgid == proc->tgid && gc->process[i]->proc.start == proc->start)
			return gc->process[i];
	return NULL;
}

struct sonde_gc_process *sonde_gc_process(struct sonde_gc *gc, const struct sonde_proc *proc)
{
	struct sonde_gc_process *process = find(gc, proc), **slot;

	if (process)
		return process;
	slot = sonde_list_append((void **)&gc->process, gc->nr_processes, &gc->process_room, sizeof(process));
	process = slot ? calloc(1, sizeof(*process)) : NULL;
	if (!process)
		return NULL;
	process->proc = *proc;
	gc->process[gc->nr_processes++] = process;
	return process;
}

struct sonde_gc_process *sonde_gc_find(const struct sonde_gc *gc, u32 pid)
{
	struct sonde_gc_process *last = NULL;

	for (size_t i = 0; i < gc->nr_processes; i++)
		if (gc->process[i]->proc.tgid == pid && (!last || gc->process[i]->proc.start >= last->proc.start))
			last = gc->process[i];
	return last;
}

double sonde_gc_share(const struct sonde_gc_process *process)
{
	return process->span_ns ? (double)process->stopped_ns / (double)process->span_ns : 0;
}

/* The time within the run that @process lived. */
static u64 span_of(const struct sonde_gc_process *process, u64 from_ns, u64 to_ns)
{
	u64 from = process->begin_ns > from_ns ? process->begin_ns : from_ns;
	u64 to = process->end_ns && process->end_ns < to_ns ? process->end_ns : to_ns;

	return to > from ? to - from : 0;
}

static void add(struct sonde_gc_process *process, const struct sonde_gc_row *row)
{
	const struct sonde_gc_stat *stat = &row->stat;

	process->runtime = kinds[row->kind].runtime;
	process->pauses += row->count;
	process->collections += kinds[row->kind].cycle ? row->count : 0;
	process->collected += stat->collected;
	process->pause_ns += stat->pause.sum_ns;
	process->freed += stat->freed;
	sonde_hist_merge(&process->pause, &stat->pause);
	if (stat->peak > process->peak)
		process->peak = stat->peak;
	if (!stat->before && !stat->after)
		return;
	process->sized = true;
	/* Go tells the one in a pause, and the other in another. */
	if (stat->before && (stat->last_ns >= process->sized_ns || !process->before))
		process->before = stat->before;
	if (stat->after && (stat->last_ns >= process->sized_ns || !process->after)) {
		process->after = stat->after;
		process->committed = stat->committed;
	}
	if (stat->last_ns > process->sized_ns)
		process->sized_ns = stat->last_ns;
}

/* What the thread of row @at paused for: all rows of it together. */
static u64 thread_ns(const struct sonde_gc *gc, size_t at)
{
	const struct sonde_gc_row *like = &gc->row[at];
	u64 sum = 0;

	for (size_t i = 0; i < gc->nr; i++)
		if (gc->row[i].tid == like->tid && gc->row[i].proc.tgid == like->proc.tgid && gc->row[i].proc.start == like->proc.start)
			sum += gc->row[i].stat.pause.sum_ns;
	return sum;
}

static int by_pause(const void *a, const void *b)
{
	const struct sonde_gc_process *x = *(struct sonde_gc_process *const *)a, *y = *(struct sonde_gc_process *const *)b;

	if (x->pause_ns != y->pause_ns)
		return x->pause_ns < y->pause_ns ? 1 : -1;
	return x->proc.tgid < y->proc.tgid ? -1 : x->proc.tgid > y->proc.tgid;
}

static int by_sum(const void *a, const void *b)
{
	const struct sonde_gc_row *x = a, *y = b;

	if (x->stat.pause.sum_ns != y->stat.pause.sum_ns)
		return x->stat.pause.sum_ns < y->stat.pause.sum_ns ? 1 : -1;
	return x->tid != y->tid ? (x->tid < y->tid ? -1 : 1) : x->kind < y->kind ? -1 : x->kind > y->kind;
}

void sonde_gc_sum(struct sonde_gc *gc, u64 from_ns, u64 to_ns)
{
	gc->from_ns = from_ns;
	gc->to_ns = to_ns;
	if (gc->nr)
		qsort(gc->row, gc->nr, sizeof(*gc->row), by_sum);
	for (size_t i = 0; i < gc->nr_processes; i++)
		gc->process[i]->span_ns = span_of(gc->process[i], from_ns, to_ns);
	for (size_t i = 0; i < gc->nr; i++) {
		struct sonde_gc_row *row = &gc->row[i];
		struct sonde_gc_process *process = find(gc, &row->proc);
		u64 stopped;

		sonde_hist_tidy(&row->stat.pause);
		row->count = sonde_hist_count(&row->stat.pause);
		if (!process || row->kind >= SONDE_GC_KINDS)
			continue;
		row->process = process->process;
		row->share = process->span_ns ? (double)row->stat.pause.sum_ns / (double)process->span_ns : 0;
		add(process, row);
		stopped = process->runtime == SONDE_GC_V8 ? thread_ns(gc, i) : process->pause_ns;
		if (stopped > process->stopped_ns)
			process->stopped_ns = stopped;
	}
	for (size_t i = 0; i < gc->nr_processes; i++)
		sonde_hist_tidy(&gc->process[i]->pause);
	if (gc->nr_processes)
		qsort(gc->process, gc->nr_processes, sizeof(struct sonde_gc_process *), by_pause);
}
