/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hist.h - latency histogram: 8 log-spaced buckets an octave, the same in kernel and user space.
 *
 * A bucket holds the durations in (2^(k/8), 2^((k+1)/8)] SECONDS: exactly the
 * OpenTelemetry exponential histogram of scale 3 (metrics data model,
 * "ExponentialHistogram": base = 2^(2^-scale), upper bound inclusive) and the
 * Prometheus native histogram of schema 3, both of which measure durations in
 * seconds. Boundaries in nanoseconds would be 2^(k/8) * 1e9, so an observation
 * is first scaled by 2^55 / 1e9 and then looked at in base 2.
 *
 * Bucket 0 holds everything up to 2^-20 s (0.954 us), the last one everything
 * above 2^7 s (128 s); the 216 between have k = SONDE_HIST_MIN_K + bucket - 1.
 */
#ifndef SONDE_HIST_H
#define SONDE_HIST_H

#include "base.h"

#define SONDE_HIST_SCALE 3 /* OpenTelemetry scale, Prometheus schema */
#define SONDE_HIST_MIN_K (-160) /* exponent of the first finite bucket: 2^(-160/8) = 2^-20 s */
#define SONDE_HIST_MAX_K 56 /* first exponent above the last finite bucket: 2^7 s */
#define SONDE_HIST_BUCKETS (SONDE_HIST_MAX_K - SONDE_HIST_MIN_K + 2) /* 218 with the two open ends */
#define SONDE_HIST_MAX_NS 128000000000ULL /* above: last bucket */
#define SONDE_HIST_NS_SCALE 36028797ULL /* whole part of 2^55 / 1e9 = 36028797.018963968 */
#define SONDE_HIST_NS_SCALE20 19885ULL /* the rest, times 2^20 */

/**
 * struct sonde_hist - one histogram and the exact moments beside it
 * @sum_ns: sum of all durations, nanoseconds
 * @min_ns: smallest duration plus one (0: nothing observed yet), so that zeroed memory is a valid empty histogram
 * @max_ns: largest duration
 * @bucket: number of observations in each bucket
 */
struct sonde_hist {
	u64 sum_ns;
	u64 min_ns;
	u64 max_ns;
	u32 bucket[SONDE_HIST_BUCKETS];
};

/* 1 if @a > @b, for values below 2^63: BPF has no instruction that sets a flag, a comparison would be a branch. */
SONDE_INLINE u32 sonde_above(u64 a, u64 b)
{
	return (u32)((b - a) >> 63);
}

/* Position of the highest set bit of @v, 0 < @v < 2^63, without a branch. */
SONDE_INLINE u32 sonde_log2(u64 v)
{
	u32 r, s;

	r = sonde_above(v, 0xffffffff) << 5;
	v >>= r;
	s = sonde_above(v, 0xffff) << 4;
	v >>= s;
	r |= s;
	s = sonde_above(v, 0xff) << 3;
	v >>= s;
	r |= s;
	s = sonde_above(v, 0xf) << 2;
	v >>= s;
	r |= s;
	s = sonde_above(v, 0x3) << 1;
	v >>= s;
	r |= s;
	return r | (u32)(v >> 1);
}

/**
 * sonde_hist_bucket - index of the bucket that @ns nanoseconds falls into
 *
 * Always below SONDE_HIST_BUCKETS.
 */
SONDE_INLINE u32 sonde_hist_bucket(u64 ns)
{
	u64 x, m;
	u32 e, sub;

	if (ns > SONDE_HIST_MAX_NS)
		return SONDE_HIST_BUCKETS - 1;
	x = ns * SONDE_HIST_NS_SCALE +
	    (ns * SONDE_HIST_NS_SCALE20 >> 20); /* seconds * 2^55, rounded down; below 2^62.1 */
	if (x <= (1ULL << 35)) /* 2^-20 s */
		return 0;
	e = sonde_log2(x);
	m = x << (62 - e); /* mantissa in [2^62, 2^63) */
	/* Boundaries 2^62 * 2^(i/8), i = 0..7, rounded down: a larger integer lies above the real boundary. */
	sub = sonde_above(m, 0x4000000000000000ULL) + sonde_above(m, 0x45cae0f1f545eb73ULL) +
	      sonde_above(m, 0x4c1bf828c6dc54b7ULL) + sonde_above(m, 0x52ff6b54d8a89c75ULL) +
	      sonde_above(m, 0x5a827999fcef3242ULL) + sonde_above(m, 0x62b39508aa836d6eULL) +
	      sonde_above(m, 0x6ba27e656b4eb57aULL) + sonde_above(m, 0x75606373ee921c97ULL);
	return 8 * (e - 35) +
	       sub; /* e >= 35; sub == 0 only for an exact power of two: it belongs to the octave below */
}

#endif /* SONDE_HIST_H */
