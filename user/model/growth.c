// SPDX-License-Identifier: GPL-2.0-only
/*
 * growth.c - memory that processes take from the kernel and give back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "model/growth.h"
#include "model/profile.h"

#define GRID 64 /* instants that a slope is fitted to */

static const char *const call_names[SONDE_GROWTH_CALLS] = {
	[SONDE_GROWTH_BRK] = "brk",
	[SONDE_GROWTH_MMAP] = "mmap",
	[SONDE_GROWTH_MUNMAP] = "munmap",
	[SONDE_GROWTH_MREMAP] = "mremap",
};

static const struct {
	const char *name;
	const char *unit;
} values[SONDE_GROWTH_VALUES] = {
	{ "grown_space", "bytes" },
	{ "returned_space", "bytes" },
	{ "mapped_space", "bytes" },
	{ "touches", "count" },
};

u64 sonde_growth_grown(const struct sonde_growth *growth)
{
	u64 bytes = 0;

	for (size_t i = 0; i < growth->nr_processes; i++)
		bytes += growth->process[i]->grown;
	return bytes;
}

const char *sonde_growth_call_name(enum sonde_growth_call call)
{
	return call < SONDE_GROWTH_CALLS ? call_names[call] : "";
}

const char *sonde_growth_value_name(u32 value)
{
	return values[value].name;
}

const char *sonde_growth_value_unit(u32 value)
{
	return values[value].unit;
}

struct sonde_growth *sonde_growth_new(void)
{
	return calloc(1, sizeof(struct sonde_growth));
}

void sonde_growth_free(struct sonde_growth *growth)
{
	if (!growth)
		return;
	for (size_t i = 0; i < growth->nr_processes; i++) {
		free(growth->process[i]->point);
		free(growth->process[i]->mapping);
		free(growth->process[i]);
	}
	free(growth->process);
	free(growth->row);
	free(growth);
}

struct sonde_growth_row *sonde_growth_row(struct sonde_growth *growth)
{
	struct sonde_growth_row *row = sonde_list_append((void **)&growth->row, growth->nr, &growth->room, sizeof(*row));

	if (!row)
		return NULL;
	growth->nr++;
	row->stack = -1;
	row->process = row->mapping = "";
	return row;
}

struct sonde_growth_process *sonde_growth_process(struct sonde_growth *growth, const struct sonde_proc *proc)
{
	struct sonde_growth_process *process = calloc(1, sizeof(*process)), **place = NULL;

	if (process)
		place = sonde_list_append((void **)&growth->process, growth->nr_processes, &growth->process_room, sizeof(*place));
	if (!place) {
		free(process);
		return NULL;
	}
	*place = process;
	growth->nr_processes++;
	process->proc = *proc;
	process->process = "";
	process->huge_start = process->huge_now = -1;
	return process;
}

struct sonde_growth_mapping *sonde_growth_mapping(struct sonde_growth_process *process, const char *name)
{
	struct sonde_growth_mapping *mapping;

	for (size_t i = 0; i < process->nr_mappings; i++)
		if (!strcmp(process->mapping[i].name, name))
			return &process->mapping[i];
	mapping = sonde_list_append((void **)&process->mapping, process->nr_mappings, &process->mapping_room, sizeof(*mapping));
	if (!mapping)
		return NULL;
	process->nr_mappings++;
	mapping->name = name;
	return mapping;
}

/* Every second point goes, but the last. */
static void thin(struct sonde_growth_process *process)
{
	size_t nr = 0;

	for (size_t i = 0; i < process->nr_points; i += 2)
		process->point[nr++] = process->point[i];
	process->nr_points = nr;
}

int sonde_growth_note(struct sonde_growth_process *process, u64 time_ns, const struct sonde_growth_memory *memory)
{
	struct sonde_growth_point *last;

	if (!process->point) {
		process->point = calloc(SONDE_GROWTH_POINTS, sizeof(*process->point));
		if (!process->point)
			return -ENOMEM;
	}
	process->now = *memory;
	if (memory->rss > process->peak) {
		process->peak = memory->rss;
		process->peak_ns = time_ns;
	}
	last = process->nr_points ? &process->point[process->nr_points - 1] : NULL;
	if (last && !memcmp(&last->memory, memory, sizeof(*memory)))
		return 0;
	if (last && process->nr_points > 1 && time_ns - process->point[process->nr_points - 2].time_ns < process->step_ns) {
		last->memory = *memory; /* too near to the one before: it takes its place */
		last->time_ns = time_ns;
		return 0;
	}
	if (process->nr_points == SONDE_GROWTH_POINTS) {
		process->step_ns = 2 * (time_ns - process->point[0].time_ns) / SONDE_GROWTH_POINTS;
		thin(process);
	}
	process->point[process->nr_points++] = (struct sonde_growth_point){ .time_ns = time_ns, .memory = *memory };
	return 0;
}

double sonde_growth_slope(const struct sonde_growth_process *process, u64 until_ns)
{
	double mean_x = (GRID - 1) / 2.0, mean_y = 0, xy = 0, xx = 0, y[GRID], from, took;
	size_t at = 0;

	if (!process->nr_points || until_ns <= process->point[0].time_ns)
		return 0;
	from = (double)process->point[0].time_ns;
	took = (double)until_ns - from;
	for (int i = 0; i < GRID; i++) {
		double time = from + took * i / (GRID - 1);

		while (at + 1 < process->nr_points && (double)process->point[at + 1].time_ns <= time)
			at++;
		y[i] = (double)process->point[at].memory.rss;
		mean_y += y[i] / GRID;
	}
	for (int i = 0; i < GRID; i++) {
		xy += (i - mean_x) * (y[i] - mean_y);
		xx += (i - mean_x) * (i - mean_x);
	}
	return xy / xx * (GRID - 1) / took * 1e9;
}

void sonde_growth_add(struct sonde_growth_row *row, const struct sonde_growth_stat *more)
{
	struct sonde_growth_stat *to = &row->stat;

	to->samples += more->samples;
	for (u32 i = 0; i < SONDE_GROWTH_MEMBERS; i++) {
		to->grown[i] += more->grown[i];
		to->returned[i] += more->returned[i];
		if (i == SONDE_GROWTH_SWAP)
			continue;
		row->grown += more->grown[i];
		row->returned += more->returned[i];
	}
	to->faults += more->faults;
	to->huge += more->huge;
	to->mapped += more->mapped;
	to->unmapped += more->unmapped;
	for (u32 i = 0; i < SONDE_GROWTH_CALLS; i++)
		to->calls[i] += more->calls[i];
	if (more->address)
		to->address = more->address;
}

static int descending(u64 x, u64 y)
{
	return x == y ? 0 : x < y ? 1 : -1;
}

static int by_growth(const void *a, const void *b)
{
	const struct sonde_growth_row *x = a, *y = b;
	int order = descending(x->grown, y->grown);

	if (!order)
		order = descending(x->returned, y->returned);
	if (!order)
		order = descending(x->stat.mapped, y->stat.mapped);
	return order ? order : x->stack < y->stack ? -1 : x->stack > y->stack;
}

static int by_mapping(const void *a, const void *b)
{
	const struct sonde_growth_mapping *x = a, *y = b;
	int order = descending(x->grown, y->grown);

	return order ? order : strcmp(x->name, y->name);
}

static int by_size(const void *a, const void *b)
{
	const struct sonde_growth_process *x = *(struct sonde_growth_process *const *)a;
	const struct sonde_growth_process *y = *(struct sonde_growth_process *const *)b;
	s64 more_x = (s64)x->now.rss - (s64)x->start.rss, more_y = (s64)y->now.rss - (s64)y->start.rss;

	if (more_x != more_y)
		return more_x < more_y ? 1 : -1;
	return x->proc.tgid < y->proc.tgid ? -1 : x->proc.tgid > y->proc.tgid;
}

void sonde_growth_sort(struct sonde_growth *growth)
{
	if (growth->nr)
		qsort(growth->row, growth->nr, sizeof(growth->row[0]), by_growth);
	if (growth->nr_processes)
		qsort(growth->process, growth->nr_processes, sizeof(growth->process[0]), by_size);
	for (size_t i = 0; i < growth->nr_processes; i++)
		if (growth->process[i]->nr_mappings)
			qsort(growth->process[i]->mapping, growth->process[i]->nr_mappings,
			      sizeof(growth->process[i]->mapping[0]), by_mapping);
}

void sonde_growth_weigh(const struct sonde_growth *growth, struct sonde_profile *profile)
{
	profile->weight = profile->count = 0;
	for (size_t i = 0; i < profile->nr_stacks; i++)
		profile->stack[i].weight = profile->stack[i].count = 0;
	for (size_t i = 0; i < growth->nr; i++) {
		const struct sonde_growth_row *row = &growth->row[i];

		if (row->stack < 0 || (size_t)row->stack >= profile->nr_stacks)
			continue;
		profile->stack[row->stack].weight += row->grown;
		profile->stack[row->stack].count += row->stat.samples;
		profile->weight += row->grown;
		profile->count += row->stat.samples;
	}
}

u64 *sonde_growth_values(const struct sonde_growth *growth, const struct sonde_profile *profile)
{
	u64 *out = calloc(profile->nr_stacks * SONDE_GROWTH_VALUES + 1, sizeof(*out));

	for (size_t i = 0; out && i < growth->nr; i++) {
		const struct sonde_growth_row *row = &growth->row[i];
		const u64 value[SONDE_GROWTH_VALUES] = { row->grown, row->returned, row->stat.mapped, row->stat.faults };

		if (row->stack < 0 || (size_t)row->stack >= profile->nr_stacks)
			continue;
		for (u32 v = 0; v < SONDE_GROWTH_VALUES; v++)
			out[(size_t)row->stack * SONDE_GROWTH_VALUES + v] += value[v];
	}
	return out;
}
