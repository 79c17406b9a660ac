/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_diff.h - what call sites allocate and keep in one run and in another, told apart from what sampling makes of it.
 */
#ifndef SONDE_MODEL_ALLOC_DIFF_H
#define SONDE_MODEL_ALLOC_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/table.h"
#include "sonde/base.h"

struct sonde_alloc;
struct sonde_growth;
struct sonde_profile;
struct sonde_strings;

/** enum sonde_alloc_run - the two runs */
enum sonde_alloc_run {
	SONDE_RUN_BEFORE,
	SONDE_RUN_AFTER,
	SONDE_RUNS,
};

/** struct sonde_alloc_sum - bytes allocated and alive in a run, with the squares of their standard errors; of growth both are those touched first */
struct sonde_alloc_sum {
	double alloc_bytes, alloc_square;
	double live_bytes, live_square;
};

/**
 * struct sonde_alloc_change - a call site: a function of a file in programs of one name; what lines it has does not matter
 * @function: "" where the stack is not known; @line: the last that was seen (0: not known)
 * @rate, @rate_error: change of bytes allocated per second; @live, @live_error: of bytes alive. Filled by sonde_alloc_diff_finish()
 */
struct sonde_alloc_change {
	const char *process;
	const char *function;
	const char *file;
	u32 line;
	struct sonde_alloc_sum sum[SONDE_RUNS];
	double rate, rate_error;
	double live, live_error;
};

/**
 * struct sonde_alloc_diff - two runs; zeroed but for @strings it is empty
 * @grown: of growth: bytes touched first, not bytes allocated and alive
 * @seconds: how long they took
 * @nr_noise: call sites whose changes may be chance: they stand behind the others
 */
struct sonde_alloc_diff {
	struct sonde_strings *strings;
	bool grown;
	double seconds[SONDE_RUNS];
	struct sonde_alloc_change *change;
	size_t nr, room;
	size_t nr_noise;
	struct sonde_table index;
};

/** sonde_alloc_diff_new - an empty one; NULL: out of memory */
struct sonde_alloc_diff *sonde_alloc_diff_new(void);

void sonde_alloc_diff_free(struct sonde_alloc_diff *diff);

/** sonde_alloc_diff_add - add @sum to a call site of @run; its strings are copied. 0 or -ENOMEM */
int sonde_alloc_diff_add(struct sonde_alloc_diff *diff, enum sonde_alloc_run run, const struct sonde_alloc_change *site,
			 const struct sonde_alloc_sum *sum);

/** sonde_alloc_diff_take - add all rows of @alloc to @run, of @duration_ns. 0 or -ENOMEM */
int sonde_alloc_diff_take(struct sonde_alloc_diff *diff, enum sonde_alloc_run run, const struct sonde_alloc *alloc,
			  const struct sonde_profile *profile, u64 duration_ns);

/** sonde_alloc_diff_grown - add all rows of @growth to @run, of @duration_ns. 0 or -ENOMEM */
int sonde_alloc_diff_grown(struct sonde_alloc_diff *diff, enum sonde_alloc_run run, const struct sonde_growth *growth,
			   const struct sonde_profile *profile, u64 duration_ns);

/** sonde_alloc_diff_sum - of a call site that has grown by @bytes, as @samples stacks say; as many are taken by chance */
struct sonde_alloc_sum sonde_alloc_diff_sum(double bytes, double samples);

/** sonde_alloc_diff_finish - work out the changes; greatest first, in units of bytes alive, then of rate; chance behind them */
void sonde_alloc_diff_finish(struct sonde_alloc_diff *diff);

#endif /* SONDE_MODEL_ALLOC_DIFF_H */
