// SPDX-License-Identifier: GPL-2.0-only
/*
 * hist.c - what user space does with a histogram.
 */
#include <math.h>

#include "model/hist.h"

u64 sonde_hist_count(const struct sonde_hist *hist)
{
	u64 count = 0;

	for (u32 i = 0; i < SONDE_HIST_BUCKETS; i++)
		count += hist->bucket[i];
	return count;
}

void sonde_hist_add(struct sonde_hist *hist, u64 ns)
{
	hist->bucket[sonde_hist_bucket(ns)]++;
	hist->sum_ns += ns;
	if (!hist->min_ns || ns + 1 < hist->min_ns)
		hist->min_ns = ns + 1;
	if (ns > hist->max_ns)
		hist->max_ns = ns;
}

void sonde_hist_merge(struct sonde_hist *hist, const struct sonde_hist *more)
{
	for (u32 i = 0; i < SONDE_HIST_BUCKETS; i++)
		if (__builtin_add_overflow(hist->bucket[i], more->bucket[i], &hist->bucket[i]))
			hist->bucket[i] = UINT32_MAX;
	hist->sum_ns += more->sum_ns;
	if (more->min_ns && (!hist->min_ns || more->min_ns < hist->min_ns))
		hist->min_ns = more->min_ns;
	if (more->max_ns > hist->max_ns)
		hist->max_ns = more->max_ns;
}

double sonde_hist_upper_ns(u32 bucket)
{
	if (bucket >= SONDE_HIST_BUCKETS - 1)
		return HUGE_VAL;
	return exp2((SONDE_HIST_MIN_K + (double)bucket) / 8) * 1e9;
}

/* The smallest and the largest whole nanosecond that @bucket holds. */
static u64 first_ns(u32 bucket)
{
	u64 ns;

	if (!bucket)
		return 0;
	ns = (u64)sonde_hist_upper_ns(bucket - 1);
	/* Floating point may be one off; the bucket function is what counts. */
	while (sonde_hist_bucket(ns) >= bucket)
		ns--;
	while (sonde_hist_bucket(ns) < bucket)
		ns++;
	return ns;
}

static u64 last_ns(u32 bucket)
{
	return bucket >= SONDE_HIST_BUCKETS - 1 ? UINT64_MAX : first_ns(bucket + 1) - 1;
}

/* Outermost buckets in use; false if none is. */
static bool outermost(const struct sonde_hist *hist, u32 *low, u32 *high)
{
	u32 i = 0;

	while (i < SONDE_HIST_BUCKETS && !hist->bucket[i])
		i++;
	if (i == SONDE_HIST_BUCKETS)
		return false;
	*low = i;
	for (*high = i; i < SONDE_HIST_BUCKETS; i++)
		if (hist->bucket[i])
			*high = i;
	return true;
}

void sonde_hist_tidy(struct sonde_hist *hist)
{
	u64 count = sonde_hist_count(hist), min, max;
	u32 low, high;

	if (!outermost(hist, &low, &high)) {
		hist->min_ns = 0;
		hist->max_ns = 0;
		hist->sum_ns = 0;
		return;
	}
	min = hist->min_ns ? hist->min_ns - 1 : 0;
	max = hist->max_ns;
	if (!hist->min_ns || min < first_ns(low))
		min = first_ns(low);
	if (min > last_ns(low))
		min = last_ns(low);
	if (max < first_ns(high))
		max = first_ns(high);
	if (max > last_ns(high))
		max = last_ns(high);
	if (max < min)
		max = min; /* one bucket, both extremes torn */
	if (count == 1 && hist->sum_ns >= first_ns(low) && hist->sum_ns <= last_ns(low))
		min = max = hist->sum_ns;
	hist->min_ns = min + 1;
	hist->max_ns = max;
}

u64 sonde_hist_quantile(const struct sonde_hist *hist, double q)
{
	u64 count = sonde_hist_count(hist), below = 0, min, max;
	double rank, low, high, at;
	u32 i = 0;

	if (!count)
		return 0;
	min = hist->min_ns ? hist->min_ns - 1 : 0;
	max = hist->max_ns;
	if (q <= 0)
		return min;
	if (q >= 1)
		return max;
	/* Rank between 1 and count; observation number r of n in a bucket is taken to lie at (r - 1/2) / n of it. */
	rank = q * (double)(count - 1) + 1;
	while (i < SONDE_HIST_BUCKETS - 1 && (double)(below + hist->bucket[i]) < rank)
		below += hist->bucket[i++];
	if (!hist->bucket[i]) /* the rank lies between two buckets only by rounding */
		return max;
	low = i ? sonde_hist_upper_ns(i - 1) : 1;
	high = sonde_hist_upper_ns(i);
	if (low < (double)min)
		low = (double)min;
	if (high > (double)max)
		high = (double)max;
	if (low < 1)
		low = 1;
	if (high <= low)
		return (u64)low > max ? max : (u64)low;
	at = (rank - (double)below - 0.5) / hist->bucket[i];
	at = at < 0 ? 0 : at > 1 ? 1 : at;
	at = low * pow(high / low, at);
	return at < (double)min ? min : at > (double)max ? max : (u64)(at + 0.5);
}

double sonde_hist_stddev(const struct sonde_hist *hist)
{
	double min = hist->min_ns ? (double)(hist->min_ns - 1) : 0, max = (double)hist->max_ns;
	double sum = 0, squares = 0, count = 0, low, high, variance;

	for (u32 i = 0; i < SONDE_HIST_BUCKETS; i++) {
		double n = hist->bucket[i];

		if (!hist->bucket[i])
			continue;
		low = i ? sonde_hist_upper_ns(i - 1) : 1;
		high = sonde_hist_upper_ns(i);
		low = low < min ? min : low;
		high = high > max ? max : high;
		low = low < 1 ? 1 : low;
		count += n;
		if (high <= low * (1 + 1e-9)) {
			sum += n * low;
			squares += n * low * low;
		} else { /* mean of x and of its square for x = low * (high / low)^t, 0 <= t <= 1 */
			sum += n * (high - low) / log(high / low);
			squares += n * (high * high - low * low) / (2 * log(high / low));
		}
	}
	if (count < 2)
		return 0;
	variance = squares / count - sum / count * (sum / count);
	return variance > 0 ? sqrt(variance) : 0;
}

void sonde_hist_summarize(const struct sonde_hist *hist, struct sonde_hist_summary *out)
{
	struct sonde_hist tidy = *hist;

	sonde_hist_tidy(&tidy);
	*out = (struct sonde_hist_summary){
		.count = sonde_hist_count(&tidy),
		.sum_ns = tidy.sum_ns,
		.min_ns = tidy.min_ns ? tidy.min_ns - 1 : 0,
		.p50_ns = sonde_hist_quantile(&tidy, 0.50),
		.p90_ns = sonde_hist_quantile(&tidy, 0.90),
		.p95_ns = sonde_hist_quantile(&tidy, 0.95),
		.p99_ns = sonde_hist_quantile(&tidy, 0.99),
		.max_ns = tidy.max_ns,
	};
}
