// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory.c - what inbound requests allocate or touch, and where.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/alloc.h"
#include "model/memory.h"
#include "model/profile.h"

void sonde_memory_add(struct sonde_memory *to, const struct sonde_memory *more)
{
	to->samples += more->samples;
	to->objects += more->objects;
	to->bytes += more->bytes;
	to->var += more->var;
}

u64 sonde_memory_whole(const struct sonde_breakdown_stat *stat)
{
	u64 others = 0;

	for (size_t i = 0; i < SONDE_UNDIVIDED; i++)
		others += stat->undivided[i];
	return stat->count > others ? stat->count - others : 0;
}

int sonde_memory_site(struct sonde_breakdown *row, s64 stack, const struct sonde_memory *memory)
{
	struct sonde_memory_site *more;
	size_t at = 0;

	while (at < row->nr_sites && row->site[at].stack != stack)
		at++;
	if (at == row->nr_sites) {
		more = realloc(row->site, (row->nr_sites + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		row->site = more;
		more[row->nr_sites++] = (struct sonde_memory_site){ .stack = stack };
	}
	sonde_memory_add(&row->site[at].memory, memory);
	return 0;
}

static int compare(u64 a, u64 b)
{
	return (a > b) - (a < b);
}

static int by_bytes(const void *pa, const void *pb)
{
	const struct sonde_breakdown *a = *(struct sonde_breakdown *const *)pa;
	const struct sonde_breakdown *b = *(struct sonde_breakdown *const *)pb;
	int order = compare(b->stat.memory.bytes, a->stat.memory.bytes);

	if (!order)
		order = compare(b->stat.count, a->stat.count);
	return order ? order : memcmp(&a->key, &b->key, sizeof(a->key));
}

static int site_by_bytes(const void *pa, const void *pb)
{
	const struct sonde_memory_site *a = pa, *b = pb;
	int order = compare(b->memory.bytes, a->memory.bytes);

	return order ? order : (a->stack > b->stack) - (a->stack < b->stack);
}

static void sort_sites(struct sonde_memory_site *site, size_t nr)
{
	if (nr)
		qsort(site, nr, sizeof(*site), site_by_bytes);
}

void sonde_memory_sort(struct sonde_breakdowns *list)
{
	if (list->nr)
		qsort(list->row, list->nr, sizeof(*list->row), by_bytes);
	for (size_t i = 0; i < list->nr; i++)
		sort_sites(list->row[i]->site, list->row[i]->nr_sites);
}

/* The frames that a stack is told by; *@nr of them, 0: it is not known. */
static const u32 *told_by(const struct sonde_profile *profile, s64 index, u32 *nr)
{
	const struct sonde_stack *stack = index >= 0 ? &profile->stack[index] : NULL;
	u32 at = stack && stack->nr ? sonde_alloc_site(profile, stack) : 0;

	*nr = stack ? stack->nr - at : 0;
	if (*nr > 1 + SONDE_ALLOC_CALLERS)
		*nr = 1 + SONDE_ALLOC_CALLERS;
	return *nr ? stack->frame + at : NULL;
}

static bool same_place(const struct sonde_profile *profile, s64 a, s64 b)
{
	u32 nr_a, nr_b;
	const u32 *frame_a = told_by(profile, a, &nr_a), *frame_b = told_by(profile, b, &nr_b);

	return nr_a == nr_b && (!nr_a || !memcmp(frame_a, frame_b, nr_a * sizeof(*frame_a)));
}

struct sonde_memory_site *sonde_memory_places(const struct sonde_breakdown *row, const struct sonde_profile *profile,
					      size_t *nr)
{
	struct sonde_memory_site *out = calloc(row->nr_sites + 1, sizeof(*out));
	u64 sum = 0;

	*nr = 0;
	for (size_t i = 0; out && i < row->nr_sites; i++) {
		size_t at = 0;

		sum += row->site[i].memory.bytes;
		while (at < *nr && !same_place(profile, out[at].stack, row->site[i].stack))
			at++;
		if (at == *nr)
			out[(*nr)++].stack = row->site[i].stack;
		sonde_memory_add(&out[at].memory, &row->site[i].memory);
	}
	for (size_t i = 0; i < *nr && sum > row->stat.memory.bytes; i++) {
		double scale = (double)row->stat.memory.bytes / (double)sum;

		out[i].memory.bytes = (u64)((double)out[i].memory.bytes * scale + 0.5);
		out[i].memory.objects = (u64)((double)out[i].memory.objects * scale + 0.5);
		out[i].memory.var = (u64)((double)out[i].memory.var * scale * scale + 0.5);
	}
	if (out)
		sort_sites(out, *nr);
	return out;
}
