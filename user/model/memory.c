// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory.c - what inbound requests allocate or touch, and where.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "base/list.h"
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

/* By what a stack is found; none is known by -1. */
static u64 key_of(s64 stack)
{
	return (u64)stack + 1;
}

/* Appends a site, and where it is found. Returns 0 or -ENOMEM. */
static int append(struct sonde_breakdown *row, s64 stack)
{
	struct sonde_memory_site *site = sonde_list_append((void **)&row->site, row->nr_sites, &row->site_room, sizeof(*site));

	if (!site || sonde_table_put(&row->sites, key_of(stack), (void *)(row->nr_sites + 1)))
		return -ENOMEM;
	row->nr_sites++;
	site->stack = stack;
	return 0;
}

/* Once they have another order. */
static void forget_places(struct sonde_breakdown *row)
{
	sonde_table_free(&row->sites, NULL);
	row->sites = (struct sonde_table){};
}

static int find_places(struct sonde_breakdown *row)
{
	for (size_t i = 0; i < row->nr_sites; i++)
		if (sonde_table_put(&row->sites, key_of(row->site[i].stack), (void *)(i + 1)))
			return -ENOMEM;
	return 0;
}

int sonde_memory_site(struct sonde_breakdown *row, s64 stack, const struct sonde_memory *memory)
{
	uintptr_t at;

	if (row->sites.nr != row->nr_sites && find_places(row))
		return -ENOMEM;
	at = (uintptr_t)sonde_table_get(&row->sites, key_of(stack));
	if (!at && append(row, stack))
		return -ENOMEM;
	sonde_memory_add(&row->site[at ? at - 1 : row->nr_sites - 1].memory, memory);
	return 0;
}

void sonde_memory_forget(struct sonde_breakdown *row)
{
	forget_places(row);
	free(row->site);
	row->site = NULL;
	row->nr_sites = row->site_room = 0;
}

static int by_bytes(const void *pa, const void *pb)
{
	const struct sonde_breakdown *a = *(struct sonde_breakdown *const *)pa;
	const struct sonde_breakdown *b = *(struct sonde_breakdown *const *)pb;
	int order = sonde_compare(b->stat.memory.bytes, a->stat.memory.bytes);

	if (!order)
		order = sonde_compare(b->stat.count, a->stat.count);
	return order ? order : memcmp(&a->key, &b->key, sizeof(a->key));
}

static int site_by_bytes(const void *pa, const void *pb)
{
	const struct sonde_memory_site *a = pa, *b = pb;
	int order = sonde_compare(b->memory.bytes, a->memory.bytes);

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
	for (size_t i = 0; i < list->nr; i++) {
		forget_places(list->row[i]);
		sort_sites(list->row[i]->site, list->row[i]->nr_sites);
	}
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

static u64 place_hash(const struct sonde_profile *profile, s64 index)
{
	u64 hash = SONDE_FNV_BASIS;
	u32 nr;
	const u32 *frame = told_by(profile, index, &nr);

	for (u32 i = 0; i < nr; i++)
		hash = sonde_mix64(hash ^ frame[i]);
	return hash;
}

static bool same_place(const struct sonde_profile *profile, s64 a, s64 b)
{
	u32 nr_a, nr_b;
	const u32 *frame_a = told_by(profile, a, &nr_a), *frame_b = told_by(profile, b, &nr_b);

	return nr_a == nr_b && (!nr_a || !memcmp(frame_a, frame_b, nr_a * sizeof(*frame_a)));
}

/* Where among the *@nr of @out stack @stack is, a new one at their end; @found: by hash, index + 1. NULL: out of memory. */
static struct sonde_memory_site *place_of(struct sonde_memory_site *out, size_t *nr, struct sonde_table *found,
					  const struct sonde_profile *profile, s64 stack)
{
	u64 hash = place_hash(profile, stack);
	uintptr_t at;

	while ((at = (uintptr_t)sonde_table_get(found, hash)) && !same_place(profile, out[at - 1].stack, stack))
		hash++; /* another of the same hash */
	if (at)
		return &out[at - 1];
	if (sonde_table_put(found, hash, (void *)(*nr + 1)))
		return NULL;
	out[*nr].stack = stack;
	return &out[(*nr)++];
}

struct sonde_memory_site *sonde_memory_places(const struct sonde_breakdown *row, const struct sonde_profile *profile,
					      size_t *nr)
{
	struct sonde_memory_site *out = calloc(row->nr_sites + 1, sizeof(*out)), *place;
	struct sonde_table found = {};
	u64 sum = 0;

	*nr = 0;
	for (size_t i = 0; out && i < row->nr_sites; i++) {
		sum += row->site[i].memory.bytes;
		place = place_of(out, nr, &found, profile, row->site[i].stack);
		if (!place) {
			free(out);
			out = NULL;
			*nr = 0;
			break;
		}
		sonde_memory_add(&place->memory, &row->site[i].memory);
	}
	sonde_table_free(&found, NULL);
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
