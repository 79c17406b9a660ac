// SPDX-License-Identifier: GPL-2.0-only
/*
 * growth.c - reads what the kernel side counts of growth, follows processes over time, and joins it with stacks and mappings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/table.h"
#include "collect/areas.h"
#include "collect/growth.h"
#include "collect/map_each.h"
#include "collect/profile.h"
#include "model/profile.h"
#include "model/strings.h"

#define FEW_PROCESSES 16 /* whose huge pages are looked up: that takes the kernel long */

/* What is known of a process beside what is reported. */
struct known {
	struct sonde_growth_process *process;
	struct sonde_areas areas;
	bool read; /* its areas, in this look */
};

struct sonde_grower {
	struct sonde_growth *growth;
	struct sonde_strings *strings;
	struct sonde_table known; /* by process */
	u64 page; /* bytes */
	int nr_cpus;
	/* Of the look or the reading under way: */
	const struct sonde_growth_maps *maps;
	struct sonde_profiler *profiler;
	struct sonde_table rows; /* by process and stack: index + 1 */
	u64 now_ns;
	u32 round;
	bool all;
};

static u64 proc_id(const struct sonde_proc *proc)
{
	return sonde_mix64((u64)proc->tgid << 32 | proc->start);
}

static void free_known(void *arg)
{
	struct known *known = arg;

	sonde_areas_free(&known->areas);
	free(known);
}

struct sonde_grower *sonde_grower_new(struct sonde_strings *strings)
{
	struct sonde_grower *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->strings = sonde_strings_get(strings);
	g->growth = sonde_growth_new();
	g->page = (u64)sysconf(_SC_PAGESIZE);
	g->nr_cpus = libbpf_num_possible_cpus();
	if (g->growth)
		return g;
	sonde_grower_free(g);
	return NULL;
}

void sonde_grower_free(struct sonde_grower *g)
{
	if (!g)
		return;
	sonde_table_free(&g->known, free_known);
	sonde_table_free(&g->rows, NULL);
	sonde_growth_free(g->growth);
	sonde_strings_put(g->strings);
	free(g);
}

struct sonde_growth *sonde_grower_get(struct sonde_grower *g)
{
	return g->growth;
}

/* ---- processes ---- */

/* Counters may be read while they change: never less than nothing. */
static u64 bytes_of(const struct sonde_grower *g, s64 pages)
{
	return pages > 0 ? (u64)pages * g->page : 0;
}

static void memory_of(const struct sonde_grower *g, const s64 *pages, u64 vm, u64 heap, struct sonde_growth_memory *out)
{
	*out = (struct sonde_growth_memory){
		.file = bytes_of(g, pages[SONDE_GROWTH_FILE]),
		.anon = bytes_of(g, pages[SONDE_GROWTH_ANON]),
		.shmem = bytes_of(g, pages[SONDE_GROWTH_SHMEM]),
		.swap = bytes_of(g, pages[SONDE_GROWTH_SWAP]),
		.vm = vm * g->page,
		.heap = heap,
	};
	out->rss = out->file + out->anon + out->shmem;
}

static struct known *meet(struct sonde_grower *g, const struct sonde_proc *proc)
{
	struct known *known = sonde_table_get(&g->known, proc_id(proc));

	if (known)
		return known;
	known = calloc(1, sizeof(*known));
	if (!known)
		return NULL;
	known->process = sonde_growth_process(g->growth, proc);
	if (!known->process || sonde_table_put(&g->known, proc_id(proc), known)) {
		free(known);
		return NULL;
	}
	if (g->growth->nr_processes <= FEW_PROCESSES)
		known->process->huge_start = known->process->huge_now = sonde_areas_huge((pid_t)proc->tgid);
	return known;
}

/* Of a process that has ended the kernel side needs no more. */
static void forget(const struct sonde_grower *g, const struct sonde_proc *proc)
{
	struct sonde_growth_cpu_key key = { .proc = *proc };

	bpf_map_delete_elem(g->maps->procs, proc);
	for (int cpu = 0; cpu < g->nr_cpus; cpu++) {
		key.cpu = (u32)cpu;
		bpf_map_delete_elem(g->maps->cpus, &key);
	}
}

static void sums(const struct sonde_grower *g, struct sonde_growth_process *to, const struct sonde_growth_proc *from)
{
	to->grown = to->returned = 0;
	for (u32 m = 0; m < SONDE_GROWTH_MEMBERS; m++) {
		if (m == SONDE_GROWTH_SWAP)
			continue;
		to->grown += from->grown[m] * g->page;
		to->returned += from->returned[m] * g->page;
	}
	to->faults = from->faults;
	to->huge = from->huge * g->page;
	to->mapped = from->mapped * g->page;
	to->unmapped = from->unmapped * g->page;
	memcpy(to->calls, from->calls, sizeof(to->calls));
	memory_of(g, from->start, from->start_vm, from->start_heap, &to->start);
}

static int take_proc(void *ctx, const void *key, const void *value)
{
	struct sonde_growth_memory memory;
	struct sonde_growth_process *process;
	struct sonde_growth_proc from;
	struct sonde_grower *g = ctx;
	struct sonde_proc proc;
	struct known *known;
	u64 time_ns, peak;
	int err = 0;

	memcpy(&proc, key, sizeof(proc));
	memcpy(&from, value, sizeof(from));
	if (!from.traced)
		return 0;
	known = meet(g, &proc);
	if (!known)
		return -ENOMEM;
	known->read = false;
	process = known->process;
	process->begin_ns = from.begin_ns;
	process->end_ns = from.end_ns;
	process->process = sonde_strings_add(g->strings, from.comm, strnlen(from.comm, sizeof(from.comm)));
	if (!process->process)
		return -ENOMEM;
	sums(g, process, &from);
	if (!process->nr_points)
		err = sonde_growth_note(process, from.begin_ns, &process->start);
	memory_of(g, from.now, from.vm, from.heap, &memory);
	time_ns = from.end_ns && from.end_ns < g->now_ns ? from.end_ns : g->now_ns;
	if (!err)
		err = sonde_growth_note(process, time_ns, &memory);
	peak = bytes_of(g, from.peak);
	if (peak > process->peak) { /* between two looks */
		process->peak = peak;
		process->peak_ns = time_ns;
	}
	process->slope = sonde_growth_slope(process, time_ns);
	if (from.end_ns)
		forget(g, &proc);
	return err;
}

/* ---- mappings ---- */

static const char *mapping_at(struct sonde_grower *g, struct known *known, u64 address)
{
	const char *name = sonde_areas_find(&known->areas, address);

	if (name || known->read)
		return name;
	known->read = true;
	sonde_areas_read(&known->areas, (pid_t)known->process->proc.tgid, g->strings);
	return sonde_areas_find(&known->areas, address);
}

static int take_chunk(void *ctx, const void *map_key, const void *value)
{
	struct sonde_growth_mapping *mapping;
	struct sonde_growth_chunk_key key;
	struct sonde_growth_chunk chunk;
	struct sonde_grower *g = ctx;
	struct known *known;
	const char *name;

	memcpy(&key, map_key, sizeof(key));
	memcpy(&chunk, value, sizeof(chunk));
	if (key.round == g->round && !g->all)
		return 0;
	/* Gone: the walk has begun anew and met it before. */
	if (bpf_map_delete_elem(g->maps->chunks, &key))
		return 0;
	known = sonde_table_get(&g->known, proc_id(&key.proc));
	if (!known)
		return 0;
	/* Heap at that time is told by the kernel side: it may have become smaller since. */
	name = chunk.heap ? "[heap]" : mapping_at(g, known, chunk.address);
	if (!name)
		name = known->areas.nr ? "[unmapped]" : "[unknown]";
	mapping = sonde_growth_mapping(known->process, name);
	if (!mapping)
		return -ENOMEM;
	mapping->grown += chunk.grown * g->page;
	mapping->returned += chunk.returned * g->page;
	return 0;
}

int sonde_grower_look(struct sonde_grower *g, const struct sonde_growth_maps *maps, u32 round, bool all)
{
	int err;

	g->maps = maps;
	g->round = round;
	g->all = all;
	g->now_ns = sonde_clock_ns();
	err = sonde_map_each(maps->procs, sizeof(struct sonde_proc), sizeof(struct sonde_growth_proc), g, NULL, take_proc);
	if (err)
		return err;
	return sonde_map_each(maps->chunks, sizeof(struct sonde_growth_chunk_key), sizeof(struct sonde_growth_chunk), g, NULL,
			      take_chunk);
}

void sonde_grower_finish(struct sonde_grower *g)
{
	for (size_t i = 0; i < g->growth->nr_processes && g->growth->nr_processes <= FEW_PROCESSES; i++) {
		struct sonde_growth_process *process = g->growth->process[i];

		process->huge_now = process->end_ns ? -1 : sonde_areas_huge((pid_t)process->proc.tgid);
	}
}

/* ---- call sites ---- */

static void forget_rows(void *ctx)
{
	struct sonde_grower *g = ctx;

	g->growth->nr = 0;
	sonde_table_free(&g->rows, NULL);
	g->rows = (struct sonde_table){};
}

/* The row of a stack: rows that differ in addresses alone are one. Stacks of several processes are different ones. */
static struct sonde_growth_row *row_of(struct sonde_grower *g, s64 stack)
{
	struct sonde_growth_row *row;
	uintptr_t at = 0;

	if (stack >= 0)
		at = (uintptr_t)sonde_table_get(&g->rows, (u64)stack);
	if (at)
		return &g->growth->row[at - 1];
	row = sonde_growth_row(g->growth);
	if (row && stack >= 0 && sonde_table_put(&g->rows, (u64)stack, (void *)g->growth->nr))
		return NULL;
	return row;
}

static void in_bytes(const struct sonde_grower *g, struct sonde_growth_stat *stat)
{
	for (u32 m = 0; m < SONDE_GROWTH_MEMBERS; m++) {
		stat->grown[m] *= g->page;
		stat->returned[m] *= g->page;
	}
	stat->huge *= g->page;
	stat->mapped *= g->page;
	stat->unmapped *= g->page;
}

static int take_site(void *ctx, const void *map_key, const void *value)
{
	struct sonde_growth_stat stat;
	struct sonde_growth_key key;
	struct sonde_growth_row *row;
	struct sonde_grower *g = ctx;
	struct known *known;
	const char *name;
	s64 stack;

	memcpy(&key, map_key, sizeof(key));
	memcpy(&stat, value, sizeof(stat));
	if (!stat.samples)
		return 0; /* just made */
	stack = (s64)sonde_profiler_find(g->profiler, &key.proc, key.hash) - 1;
	row = row_of(g, stack);
	if (!row)
		return -ENOMEM;
	row->stack = stack;
	row->pid = key.proc.tgid;
	in_bytes(g, &stat);
	sonde_growth_add(row, &stat);
	known = sonde_table_get(&g->known, proc_id(&key.proc));
	if (!known)
		return 0;
	row->process = known->process->process;
	name = stat.address ? mapping_at(g, known, stat.address) : NULL;
	if (name)
		row->mapping = name;
	return 0;
}

int sonde_grower_read(struct sonde_grower *g, const struct sonde_growth_maps *maps, struct sonde_profiler *profiler)
{
	const struct sonde_profile *profile = sonde_profiler_get(profiler);
	int err;

	g->maps = maps;
	g->profiler = profiler;
	err = sonde_map_each(maps->sites, sizeof(struct sonde_growth_key), sizeof(struct sonde_growth_stat), g, forget_rows,
			     take_site);
	if (err)
		return err;
	for (size_t i = 0; i < g->growth->nr; i++)
		if (g->growth->row[i].stack >= 0)
			g->growth->row[i].process = profile->stack[g->growth->row[i].stack].process;
	sonde_growth_sort(g->growth);
	return 0;
}
