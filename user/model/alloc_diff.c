// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_diff.c - what call sites allocate and keep in one run and in another.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/alloc.h"
#include "model/alloc_diff.h"
#include "model/growth.h"
#include "model/profile.h"
#include "model/strings.h"

#define SURE 3.3 /* standard errors: one of a thousand call sites that have not changed exceeds them */

struct sonde_alloc_diff *sonde_alloc_diff_new(void)
{
	struct sonde_alloc_diff *diff = calloc(1, sizeof(*diff));

	if (!diff)
		return NULL;
	diff->strings = sonde_strings_new();
	if (diff->strings)
		return diff;
	free(diff);
	return NULL;
}

void sonde_alloc_diff_free(struct sonde_alloc_diff *diff)
{
	if (!diff)
		return;
	free(diff->change);
	sonde_table_free(&diff->index, NULL);
	sonde_strings_put(diff->strings);
	free(diff);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static u64 hash_of(const struct sonde_alloc_change *site)
{
	const char *const parts[] = { site->process, site->function, base_name(site->file) };
	u64 hash = SONDE_FNV_BASIS;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (const char *p = parts[i]; *p; p++)
			hash = sonde_fnv_byte(hash, (u8)*p);
		hash = sonde_fnv_byte(hash, 0);
	}
	return sonde_mix64(hash);
}

static const char *keep(struct sonde_alloc_diff *diff, const char *s)
{
	return sonde_strings_add(diff->strings, s, strlen(s));
}

static struct sonde_alloc_change *new_change(struct sonde_alloc_diff *diff, const struct sonde_alloc_change *site, u64 hash)
{
	size_t room = diff->room ? diff->room * 2 : 64;
	struct sonde_alloc_change *change;

	if (diff->nr == diff->room) {
		change = realloc(diff->change, room * sizeof(*change));
		if (!change)
			return NULL;
		diff->change = change;
		diff->room = room;
	}
	change = &diff->change[diff->nr];
	*change = (struct sonde_alloc_change){ .process = keep(diff, site->process),
					       .function = keep(diff, site->function),
					       .file = keep(diff, site->file) };
	if (!change->process || !change->function || !change->file ||
	    sonde_table_put(&diff->index, hash, (void *)(uintptr_t)(diff->nr + 1)))
		return NULL;
	diff->nr++;
	return change;
}

int sonde_alloc_diff_add(struct sonde_alloc_diff *diff, enum sonde_alloc_run run, const struct sonde_alloc_change *site,
			 const struct sonde_alloc_sum *sum)
{
	u64 hash = hash_of(site);
	uintptr_t at = (uintptr_t)sonde_table_get(&diff->index, hash);
	struct sonde_alloc_change *change = at ? &diff->change[at - 1] : new_change(diff, site, hash);
	struct sonde_alloc_sum *to;

	if (!change)
		return -ENOMEM;
	if (site->line)
		change->line = site->line;
	to = &change->sum[run];
	to->alloc_bytes += sum->alloc_bytes;
	to->alloc_square += sum->alloc_square;
	to->live_bytes += sum->live_bytes;
	to->live_square += sum->live_square;
	return 0;
}

/* Where @index is in the profile. */
static struct sonde_alloc_change site_of(const struct sonde_profile *profile, s64 index, const char *process)
{
	struct sonde_alloc_change site = { .process = process, .function = "", .file = "" };
	const struct sonde_stack *stack = index >= 0 ? &profile->stack[index] : NULL;

	if (stack && stack->nr) {
		const struct sonde_frame *frame = &profile->frame[stack->frame[sonde_alloc_site(profile, stack)]];

		site.function = frame->function;
		site.file = frame->file;
		site.line = frame->line;
	}
	return site;
}

struct sonde_alloc_sum sonde_alloc_diff_sum(double bytes, double samples)
{
	double square = samples > 0 ? bytes * bytes / samples : 0;

	return (struct sonde_alloc_sum){ bytes, square, bytes, square };
}

int sonde_alloc_diff_grown(struct sonde_alloc_diff *diff, enum sonde_alloc_run run, const struct sonde_growth *growth,
			   const struct sonde_profile *profile, u64 duration_ns)
{
	int err = 0;

	diff->seconds[run] = (double)duration_ns / 1e9;
	for (size_t i = 0; i < growth->nr && !err; i++) {
		const struct sonde_growth_row *row = &growth->row[i];
		struct sonde_alloc_sum sum = sonde_alloc_diff_sum((double)row->grown, (double)row->stat.samples);
		struct sonde_alloc_change site = site_of(profile, row->stack, row->process);

		err = sonde_alloc_diff_add(diff, run, &site, &sum);
	}
	return err;
}

int sonde_alloc_diff_take(struct sonde_alloc_diff *diff, enum sonde_alloc_run run, const struct sonde_alloc *alloc,
			  const struct sonde_profile *profile, u64 duration_ns)
{
	int err = 0;

	diff->seconds[run] = (double)duration_ns / 1e9;
	for (size_t i = 0; i < alloc->nr && !err; i++) {
		const struct sonde_alloc_row *row = &alloc->row[i];
		double live_error = (double)sonde_alloc_error(row->stat.live_var > 0 ? (u64)row->stat.live_var : 0),
		       alloc_error = (double)sonde_alloc_error(row->stat.alloc_var);
		struct sonde_alloc_sum sum = { .alloc_bytes = (double)row->stat.alloc_bytes,
					       .alloc_square = alloc_error * alloc_error,
					       .live_bytes = (double)row->live_bytes,
					       .live_square = live_error * live_error };
		struct sonde_alloc_change site = site_of(profile, row->stack, row->process);

		err = sonde_alloc_diff_add(diff, run, &site, &sum);
	}
	return err;
}

static bool is_sure(const struct sonde_alloc_change *change)
{
	return fabs(change->rate) > SURE * change->rate_error || fabs(change->live) > SURE * change->live_error;
}

/* By what is alive, then by what is allocated in a second; only as far as it is no chance. */
static int by_change(const void *a, const void *b)
{
	const struct sonde_alloc_change *x = a, *y = b;
	double vx = fabs(x->live) > SURE * x->live_error ? fabs(x->live) : 0,
	       vy = fabs(y->live) > SURE * y->live_error ? fabs(y->live) : 0;
	int order;

	if (is_sure(x) != is_sure(y))
		return is_sure(x) ? -1 : 1;
	if (vx != vy)
		return vx < vy ? 1 : -1;
	if (fabs(x->rate) != fabs(y->rate))
		return fabs(x->rate) < fabs(y->rate) ? 1 : -1;
	order = strcmp(x->process, y->process);
	return order ? order : strcmp(x->function, y->function);
}

void sonde_alloc_diff_finish(struct sonde_alloc_diff *diff)
{
	for (size_t i = 0; i < diff->nr; i++) {
		struct sonde_alloc_change *change = &diff->change[i];
		double square = 0;

		change->rate = change->rate_error = 0;
		for (int run = 0; run < SONDE_RUNS; run++) {
			double scale = diff->seconds[run] > 0 ? 1 / diff->seconds[run] : 0;

			change->rate += (run == SONDE_RUN_AFTER ? 1 : -1) * change->sum[run].alloc_bytes * scale;
			square += change->sum[run].alloc_square * scale * scale;
		}
		change->rate_error = sqrt(square);
		change->live = change->sum[SONDE_RUN_AFTER].live_bytes - change->sum[SONDE_RUN_BEFORE].live_bytes;
		change->live_error = sqrt(change->sum[SONDE_RUN_AFTER].live_square + change->sum[SONDE_RUN_BEFORE].live_square);
	}
	if (diff->nr)
		qsort(diff->change, diff->nr, sizeof(diff->change[0]), by_change);
	diff->nr_noise = 0;
	for (size_t i = 0; i < diff->nr; i++)
		diff->nr_noise += !is_sure(&diff->change[i]);
	/* Places in the list have changed. */
	sonde_table_free(&diff->index, NULL);
	diff->index = (struct sonde_table){};
}
