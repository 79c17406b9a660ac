/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sample.h - the arithmetic of sampling allocations by bytes: distances, weights, the interval that adapts. Pure functions.
 *
 * Each byte allocated is hit with the same small probability: distances between hits are exponential with a mean of RATE bytes.
 * An allocation of S bytes is sampled with probability p = 1 - exp(-S / RATE); weighed S / p, sums of weights have the sums
 * of sizes as their mean. No mathematical library: a preloaded object brings none into programs.
 */
#ifndef SONDE_SHIM_SAMPLE_H
#define SONDE_SHIM_SAMPLE_H

#include <stdint.h>

#define SHIM_LN2 0.69314718055994530942

/** shim_ln - natural logarithm of @x > 0 (normal); relative error below 1e-12 */
static inline double shim_ln(double x)
{
	union {
		double d;
		uint64_t u;
	} v = { .d = x };
	int e = (int)(v.u >> 52 & 0x7ff) - 1023;
	double m, s, s2, sum = 0;

	v.u = (v.u & 0xfffffffffffffULL) | 0x3ff0000000000000ULL; /* 1 <= m < 2 */
	m = v.d;
	if (m > 1.41421356237309504880) {
		m *= 0.5;
		e++;
	}
	s = (m - 1) / (m + 1); /* |s| < 0.172: atanh's series */
	s2 = s * s;
	for (int k = 17; k >= 1; k -= 2)
		sum = sum * s2 + 1.0 / k;
	return 2 * s * sum + e * SHIM_LN2;
}

/** shim_hit - 1 - exp(-@x) for @x >= 0, without cancellation where @x is small */
static inline double shim_hit(double x)
{
	double r, term, sum = 0, power = 1;
	int k;

	if (x > 700)
		return 1;
	k = (int)(x / SHIM_LN2);
	r = x - k * SHIM_LN2;
	term = r;
	for (int i = 2; i <= 18; i++) { /* 1 - exp(-r) = r - r^2/2 + r^3/6 - ... */
		sum += term;
		term *= -r / i;
	}
	for (; k > 0; k--)
		power *= 0.5;
	return 1 - power + power * sum;
}

/** shim_weight - bytes that a sampled allocation of @size bytes stands for; @rate: bytes between hits on average */
static inline uint64_t shim_weight(uint64_t size, uint64_t rate)
{
	double p = shim_hit((double)size / (double)rate);

	return p > 0 ? (uint64_t)((double)size / p + 0.5) : size;
}

/** shim_mix - a good 64-bit hash */
static inline uint64_t shim_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/** shim_distance - bytes to the next hit, by the 64 random bits @random */
static inline int64_t shim_distance(uint64_t random, uint64_t rate)
{
	double u = (double)((random >> 11) + 1) * (1.0 / 9007199254740992.0); /* in (0, 1] */

	return (int64_t)(-shim_ln(u) * (double)rate);
}

#define SHIM_RATE 524288u /* default: 512 KiB */
#define SHIM_RATE_MAX (1ULL << 40)
#define SHIM_MOST 1000u /* samples a second that make the interval longer */
#define SHIM_FEW 250u /* fewer make it shorter again */

/*
 * Where few samples are taken more cost next to nothing, and tell more: the interval then becomes as much shorter as makes SHIM_FINE
 * of them a second, SHIM_FINER times at most, until so many objects are watched that frees would have to be looked up often.
 */
#define SHIM_FINER 16u
#define SHIM_FINE 160u
#define SHIM_FINE_LOW 100u /* fewer make it shorter still; */
#define SHIM_FINE_MOST 250u /* more make it longer */
#define SHIM_WATCHED 4096u

/** struct shim_rate - @base: the interval asked for; @finest: the shortest where there are few samples */
struct shim_rate {
	uint64_t base;
	uint64_t finest;
};

/** shim_most - samples in less than a second that end it: the interval @rate is too short */
static inline uint64_t shim_most(uint64_t rate, const struct shim_rate *rates)
{
	return rate < rates->base ? SHIM_FINE_MOST : SHIM_MOST;
}

/* The interval that would have made SHIM_FINE samples a second out of @samples in @ns, from @finest to @base. */
static inline uint64_t shim_finer(uint64_t rate, const struct shim_rate *rates, uint64_t samples, uint64_t ns)
{
	double wanted = (double)rate * (double)samples * 1e9 / ((double)ns * SHIM_FINE);

	if (wanted >= (double)rates->base)
		return rates->base;
	return wanted > (double)rates->finest ? (uint64_t)wanted : rates->finest;
}

/**
 * shim_adapt - the interval to go on with
 * @rate: that in use
 * @samples: taken in the last @ns nanoseconds
 * @watched: objects that live
 */
static inline uint64_t shim_adapt(uint64_t rate, const struct shim_rate *rates, uint64_t samples, uint64_t ns,
				  uint64_t watched)
{
	if (ns < 1000000000ULL) {
		if (samples <= shim_most(rate, rates) || rate >= SHIM_RATE_MAX)
			return rate;
		if (rate >= rates->base)
			return rate * 2;
		return rate * 4 < rates->base ? rate * 4 : rates->base;
	}
	if (rate > rates->base)
		return samples >= SHIM_FEW ? rate : rate / 2 > rates->base ? rate / 2 : rates->base;
	if (watched >= SHIM_WATCHED)
		return rates->base;
	return (double)samples * 1e9 < (double)SHIM_FINE_LOW * (double)ns ? shim_finer(rate, rates, samples, ns) : rate;
}

#endif /* SONDE_SHIM_SAMPLE_H */
