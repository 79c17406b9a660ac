/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hist.h - what user space does with a struct sonde_hist: merge, bounds, percentiles.
 */
#ifndef SONDE_MODEL_HIST_H
#define SONDE_MODEL_HIST_H

#include "sonde/hist.h"

/** struct sonde_hist_summary - what a report says of a histogram, nanoseconds; all zero when nothing was observed */
struct sonde_hist_summary {
	u64 count;
	u64 sum_ns;
	u64 min_ns, p50_ns, p90_ns, p95_ns, p99_ns, max_ns;
};

/** sonde_hist_count - number of observations */
u64 sonde_hist_count(const struct sonde_hist *hist);

/** sonde_hist_add - one observation; the kernel side has its own, which uses atomics */
void sonde_hist_add(struct sonde_hist *hist, u64 ns);

/** sonde_hist_merge - add all of @more to @hist; a bucket that would overflow stays at its greatest value */
void sonde_hist_merge(struct sonde_hist *hist, const struct sonde_hist *more);

/**
 * sonde_hist_tidy - make the extremes agree with the buckets
 *
 * Both are written without locks: a race can lose an extreme, and a copy can be taken between the two writes.
 * Afterwards min and max lie in the outermost buckets in use.
 */
void sonde_hist_tidy(struct sonde_hist *hist);

/** sonde_hist_upper_ns - upper bound of @bucket (inclusive), nanoseconds; infinity for the last */
double sonde_hist_upper_ns(u32 bucket);

/**
 * sonde_hist_quantile - the value below which a share @q (0..1) of the observations lies
 *
 * Interpolates inside the bucket on the logarithmic scale that the buckets are spaced on, between the exact
 * extremes. Expects a tidy histogram; 0 for an empty one.
 */
u64 sonde_hist_quantile(const struct sonde_hist *hist, double q);

/**
 * sonde_hist_stddev - standard deviation, nanoseconds, estimated: inside of a bucket (9 % wide) and between the extremes the
 * observations are taken to lie evenly on the logarithmic scale. Expects a tidy histogram; 0 for less than two observations
 */
double sonde_hist_stddev(const struct sonde_hist *hist);

void sonde_hist_summarize(const struct sonde_hist *hist, struct sonde_hist_summary *out);

#endif /* SONDE_MODEL_HIST_H */
