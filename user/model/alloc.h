/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc.h - allocations by call site and by process, as a report shows them.
 */
#ifndef SONDE_MODEL_ALLOC_H
#define SONDE_MODEL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "model/leak.h"
#include "sonde/alloc.h"

#define SONDE_ALLOC_CALLERS 2 /* shown behind a site */

struct sonde_alloc_diff;
struct sonde_frame;
struct sonde_profile;
struct sonde_stack;

/* What stacks can be weighed by (--value), named as Go's heap profiles name it. */
enum sonde_alloc_value {
	SONDE_ALLOC_OBJECTS,
	SONDE_ALLOC_SPACE,
	SONDE_INUSE_OBJECTS,
	SONDE_INUSE_SPACE,
	SONDE_LEAK_SPACE, /* what lives of call sites that leak */
	SONDE_ALLOC_VALUES,
};

/**
 * struct sonde_alloc_row - a call site of a process
 * @stack: index in the snapshot's profile; < 0: its stack is not known
 * @stat: live_var is never negative here
 * @live_bytes, @live_objects: not freed, the latter in 1024ths
 * @leak: what that is, by sonde_leak_find()
 */
struct sonde_alloc_row {
	s64 stack;
	const char *process;
	u32 pid;
	struct sonde_alloc_stat stat;
	u64 live_bytes;
	u64 live_objects;
	struct sonde_leak leak;
};

/** struct sonde_alloc_total - a process: @stat: sum of its rows; @peak_ns: CLOCK_MONOTONIC */
struct sonde_alloc_total {
	const char *process;
	struct sonde_proc proc;
	struct sonde_alloc_stat stat;
	u64 live_bytes;
	u64 live_objects;
	u64 peak_bytes;
	u64 peak_ns;
};

/**
 * struct sonde_alloc - allocations
 * @rate: bytes between samples that were asked for (0: the programs' own); @finer: fewer where there are few samples
 * @window_ns, @nr_windows: how often it was looked for leaks, and how far apart (0: not at all)
 * @exact: each call was watched
 * @diff: what has changed since another run (NULL: not asked for); not owned
 * @series: what stacks had at each reading; the collector's, valid until it reads again
 */
struct sonde_alloc {
	enum sonde_alloc_value value; /* what rows are sorted by */
	u64 rate;
	bool finer;
	u64 window_ns;
	u64 nr_windows;
	struct sonde_alloc_exact exact;
	const struct sonde_alloc_diff *diff;
	const struct sonde_leak_series *series;
	size_t nr_series;
	struct sonde_alloc_row *row;
	size_t nr, room;
	struct sonde_alloc_total *total;
	size_t nr_totals, total_room;
};

struct sonde_alloc *sonde_alloc_new(void);
void sonde_alloc_free(struct sonde_alloc *alloc);

/** sonde_alloc_row - append a zeroed row without a stack; NULL when out of memory */
struct sonde_alloc_row *sonde_alloc_row(struct sonde_alloc *alloc);

/** sonde_alloc_total - the total of @proc, a zeroed one at first; NULL when out of memory */
struct sonde_alloc_total *sonde_alloc_total(struct sonde_alloc *alloc, const struct sonde_proc *proc);

/** sonde_alloc_add - add @more to @to */
void sonde_alloc_add(struct sonde_alloc_stat *to, const struct sonde_alloc_stat *more);

/** sonde_alloc_live - what of @stat is not freed; what was read while it changed is never less than nothing */
void sonde_alloc_live(const struct sonde_alloc_stat *stat, u64 *bytes, u64 *objects);

/** sonde_alloc_sort - rows by @alloc->value, totals by bytes allocated; greatest first */
void sonde_alloc_sort(struct sonde_alloc *alloc);

/** sonde_alloc_value_of - @row's; objects are whole ones */
u64 sonde_alloc_value_of(const struct sonde_alloc_row *row, enum sonde_alloc_value value);

/** sonde_alloc_value_name - "alloc_space"; sonde_alloc_value_unit - "bytes", "count" */
const char *sonde_alloc_value_name(enum sonde_alloc_value value);
const char *sonde_alloc_value_unit(enum sonde_alloc_value value);

/** sonde_alloc_error - standard error, in bytes, of an estimate with variance @var (SONDE units: struct sonde_alloc_stat) */
u64 sonde_alloc_error(u64 var);

/** sonde_alloc_objects_of - whole objects of a count in 1024ths, rounded */
u64 sonde_alloc_objects_of(u64 parts);

/** sonde_alloc_quantile - value below which a share @q of @hist (buckets of powers of two) lies; the last bucket's beginning at most */
double sonde_alloc_quantile(const u64 *hist, u32 nr, double q);

/** sonde_alloc_site - index in @stack->frame of the first function that is not the allocator's or a C library's; 0 if all are */
u32 sonde_alloc_site(const struct sonde_profile *profile, const struct sonde_stack *stack);

/** sonde_alloc_is_sampler - whether @frame is the sampler's own, preloaded or linked into the program */
bool sonde_alloc_is_sampler(const struct sonde_frame *frame);

/** sonde_alloc_weigh - set the weights of @profile's stacks by the rows' @alloc->value; stacks without a row weigh nothing */
void sonde_alloc_weigh(const struct sonde_alloc *alloc, struct sonde_profile *profile);

/** sonde_alloc_values - all values of all stacks of @profile, SONDE_ALLOC_VALUES a stack; to be freed, NULL: out of memory */
u64 *sonde_alloc_values(const struct sonde_alloc *alloc, const struct sonde_profile *profile);

#endif /* SONDE_MODEL_ALLOC_H */
