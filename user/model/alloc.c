// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.c - allocations by call site and by process.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "model/alloc.h"
#include "model/profile.h"

static const struct {
	const char *name;
	const char *unit;
} values[SONDE_ALLOC_VALUES] = {
	[SONDE_ALLOC_OBJECTS] = { "alloc_objects", "count" },
	[SONDE_ALLOC_SPACE] = { "alloc_space", "bytes" },
	[SONDE_INUSE_OBJECTS] = { "inuse_objects", "count" },
	[SONDE_INUSE_SPACE] = { "inuse_space", "bytes" },
	[SONDE_LEAK_SPACE] = { "leak_space", "bytes" },
};

const char *sonde_alloc_value_name(enum sonde_alloc_value value)
{
	return values[value].name;
}

const char *sonde_alloc_value_unit(enum sonde_alloc_value value)
{
	return values[value].unit;
}

struct sonde_alloc *sonde_alloc_new(void)
{
	return calloc(1, sizeof(struct sonde_alloc));
}

void sonde_alloc_free(struct sonde_alloc *alloc)
{
	if (!alloc)
		return;
	free(alloc->row);
	free(alloc->total);
	free(alloc);
}

struct sonde_alloc_row *sonde_alloc_row(struct sonde_alloc *alloc)
{
	struct sonde_alloc_row *row = sonde_list_append((void **)&alloc->row, alloc->nr, &alloc->room, sizeof(*row));

	if (!row)
		return NULL;
	alloc->nr++;
	row->stack = -1;
	row->process = "";
	return row;
}

struct sonde_alloc_total *sonde_alloc_total(struct sonde_alloc *alloc, const struct sonde_proc *proc)
{
	struct sonde_alloc_total *total;

	for (size_t i = 0; i < alloc->nr_totals; i++)
		if (alloc->total[i].proc.tgid == proc->tgid && alloc->total[i].proc.start == proc->start)
			return &alloc->total[i];
	total = sonde_list_append((void **)&alloc->total, alloc->nr_totals, &alloc->total_room, sizeof(*total));
	if (!total)
		return NULL;
	alloc->nr_totals++;
	total->proc = *proc;
	total->process = "";
	return total;
}

void sonde_alloc_add(struct sonde_alloc_stat *to, const struct sonde_alloc_stat *more)
{
	to->samples += more->samples;
	to->freed_samples += more->freed_samples;
	to->alloc_objects += more->alloc_objects;
	to->alloc_bytes += more->alloc_bytes;
	to->freed_objects += more->freed_objects;
	to->freed_bytes += more->freed_bytes;
	to->churn_objects += more->churn_objects;
	to->churn_bytes += more->churn_bytes;
	to->alloc_var += more->alloc_var;
	to->live_var += more->live_var;
	for (u32 i = 0; i < SONDE_ALLOC_SIZES; i++)
		to->size[i] += more->size[i];
	for (u32 i = 0; i < SONDE_ALLOC_LIVES; i++)
		to->life[i] += more->life[i];
}

void sonde_alloc_live(const struct sonde_alloc_stat *stat, u64 *bytes, u64 *objects)
{
	*bytes = stat->alloc_bytes > stat->freed_bytes ? stat->alloc_bytes - stat->freed_bytes : 0;
	*objects = stat->alloc_objects > stat->freed_objects ? stat->alloc_objects - stat->freed_objects : 0;
}

u64 sonde_alloc_objects_of(u64 parts)
{
	return (parts + SONDE_ALLOC_OBJECT / 2) / SONDE_ALLOC_OBJECT;
}

u64 sonde_alloc_value_of(const struct sonde_alloc_row *row, enum sonde_alloc_value value)
{
	switch (value) {
	case SONDE_ALLOC_OBJECTS:
		return sonde_alloc_objects_of(row->stat.alloc_objects);
	case SONDE_INUSE_OBJECTS:
		return sonde_alloc_objects_of(row->live_objects);
	case SONDE_INUSE_SPACE:
		return row->live_bytes;
	case SONDE_LEAK_SPACE:
		/* As it was judged: what a program frees at its end was lost until then. */
		return row->leak.verdict == SONDE_VERDICT_LEAK ? row->leak.live_bytes : 0;
	default:
		return row->stat.alloc_bytes;
	}
}

static int by_value(const void *a, const void *b, void *arg)
{
	const struct sonde_alloc_row *x = a, *y = b;
	const enum sonde_alloc_value *value = arg;
	u64 vx = sonde_alloc_value_of(x, *value), vy = sonde_alloc_value_of(y, *value);

	if (vx != vy)
		return vx < vy ? 1 : -1;
	if (x->stat.alloc_bytes != y->stat.alloc_bytes)
		return x->stat.alloc_bytes < y->stat.alloc_bytes ? 1 : -1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static int by_bytes(const void *a, const void *b)
{
	const struct sonde_alloc_total *x = a, *y = b;

	if (x->stat.alloc_bytes != y->stat.alloc_bytes)
		return x->stat.alloc_bytes < y->stat.alloc_bytes ? 1 : -1;
	return x->proc.tgid < y->proc.tgid ? -1 : x->proc.tgid > y->proc.tgid;
}

void sonde_alloc_sort(struct sonde_alloc *alloc)
{
	if (alloc->nr)
		qsort_r(alloc->row, alloc->nr, sizeof(alloc->row[0]), by_value, &alloc->value);
	if (alloc->nr_totals)
		qsort(alloc->total, alloc->nr_totals, sizeof(alloc->total[0]), by_bytes);
}

u64 sonde_alloc_error(u64 var)
{
	return (u64)(sqrt((double)var) * 256 + 0.5);
}

double sonde_alloc_quantile(const u64 *hist, u32 nr, double q)
{
	double want, before = 0;
	u64 sum = 0;

	for (u32 i = 0; i < nr; i++)
		sum += hist[i];
	want = q * (double)sum;
	for (u32 i = 0; i < nr; i++) {
		double here = (double)hist[i];

		if (here > 0 && before + here >= want) {
			if (i == nr - 1)
				return exp2(i);
			/* Within a bucket evenly on the logarithmic scale. */
			return exp2((double)i + (want > before ? (want - before) / here : 0));
		}
		before += here;
	}
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

bool sonde_alloc_is_sampler(const struct sonde_frame *frame)
{
	static const char *const sources[] = { "shim/alloc.c", "shim/python.c" };
	size_t len = strlen(frame->file);

	if (begins(base_name(frame->module), "libsonde-alloc"))
		return true;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (len >= strlen(sources[i]) && !strcmp(frame->file + len - strlen(sources[i]), sources[i]))
			return true;
	return false;
}

/* Functions whose callers are what one wants to know: C libraries, allocators, C++'s new. */
static bool is_allocator(const struct sonde_frame *frame)
{
	static const char *const modules[] = { "libc.so",	 "libc-",	  "libstdc++",	 "libc++",
					       "libjemalloc", "libtcmalloc", "libmimalloc", "ld-linux" };
	static const char *const functions[] = { "operator new", "g_malloc", "g_realloc", "g_slice_alloc",
						 "xmalloc",	 "xcalloc",  "xrealloc",  "xstrdup",
						 "zmalloc",	 "zcalloc",  "zrealloc",  "ztrymalloc",
						 "CRYPTO_malloc", "CRYPTO_zalloc", "CRYPTO_realloc", "PyMem_",
						 "PyObject_Malloc", "PyObject_Realloc", "_PyMem_", "_PyObject_Malloc" };

	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (begins(base_name(frame->module), modules[i]))
			return true;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (begins(frame->function, functions[i]))
			return true;
	return false;
}

u32 sonde_alloc_site(const struct sonde_profile *profile, const struct sonde_stack *stack)
{
	for (u32 i = 0; i < stack->nr; i++)
		if (!is_allocator(&profile->frame[stack->frame[i]]))
			return i;
	return 0;
}

void sonde_alloc_weigh(const struct sonde_alloc *alloc, struct sonde_profile *profile)
{
	profile->weight = profile->count = 0;
	for (size_t i = 0; i < profile->nr_stacks; i++)
		profile->stack[i].weight = profile->stack[i].count = 0;
	for (size_t i = 0; i < alloc->nr; i++) {
		const struct sonde_alloc_row *row = &alloc->row[i];
		u64 value = sonde_alloc_value_of(row, alloc->value);

		if (row->stack < 0 || (size_t)row->stack >= profile->nr_stacks)
			continue;
		profile->stack[row->stack].weight += value;
		profile->stack[row->stack].count += row->stat.samples;
		profile->weight += value;
		profile->count += row->stat.samples;
	}
}

u64 *sonde_alloc_values(const struct sonde_alloc *alloc, const struct sonde_profile *profile)
{
	u64 *out = calloc(profile->nr_stacks * SONDE_ALLOC_VALUES + 1, sizeof(*out));

	for (size_t i = 0; out && i < alloc->nr; i++) {
		const struct sonde_alloc_row *row = &alloc->row[i];

		if (row->stack < 0 || (size_t)row->stack >= profile->nr_stacks)
			continue;
		for (int v = 0; v < SONDE_ALLOC_VALUES; v++)
			out[(size_t)row->stack * SONDE_ALLOC_VALUES + (size_t)v] +=
				sonde_alloc_value_of(row, (enum sonde_alloc_value)v);
	}
	return out;
}
