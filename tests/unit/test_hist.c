// SPDX-License-Identifier: GPL-2.0-only
/* test_hist.c - buckets against exact mathematics, percentiles against sorted data, merging. */
#include <math.h>

#include "unit.h"

#include "model/hist.h"

/* The bucket by definition: k with 2^(k/8) < seconds <= 2^((k+1)/8). */
static u32 exact_bucket(u64 ns)
{
	long double k;

	if (!ns)
		return 0;
	k = ceill(8 * (log2l((long double)ns) - log2l(1e9L))) - 1;
	if (k < SONDE_HIST_MIN_K)
		return 0;
	if (k >= SONDE_HIST_MAX_K)
		return SONDE_HIST_BUCKETS - 1;
	return (u32)(k - SONDE_HIST_MIN_K) + 1;
}

static void test_bucket_is_exact(void **state)
{
	u64 seed = 1;

	for (u32 i = 0; i < 2000000; i++) {
		/* Spread over all magnitudes up to some minutes. */
		u64 ns = unit_random(&seed) >> (26 + unit_random(&seed) % 38);

		if (sonde_hist_bucket(ns) != exact_bucket(ns))
			fail_msg("%llu ns: bucket %u, exact %u", (unsigned long long)ns, sonde_hist_bucket(ns),
				 exact_bucket(ns));
	}
	for (u64 ns = 0; ns < 300000; ns++)
		assert_int_equal(sonde_hist_bucket(ns), exact_bucket(ns));
	(void)state;
}

/* Both sides of every boundary, to the nanosecond, and the open ends. */
static void test_bucket_bounds(void **state)
{
	for (u32 b = 0; b < SONDE_HIST_BUCKETS - 1; b++) {
		long double upper = exp2l((SONDE_HIST_MIN_K + (long double)b) / 8) * 1e9L;

		assert_int_equal(sonde_hist_bucket((u64)floorl(upper)), b);
		assert_int_equal(sonde_hist_bucket((u64)floorl(upper) + 1), b + 1);
		assert_true(fabsl(sonde_hist_upper_ns(b) / upper - 1) < 1e-12L);
	}
	assert_int_equal(sonde_hist_bucket(0), 0);
	assert_int_equal(sonde_hist_bucket(UINT64_MAX), SONDE_HIST_BUCKETS - 1);
	assert_int_equal(sonde_hist_bucket(128000000000ULL), SONDE_HIST_BUCKETS - 2);
	assert_int_equal(sonde_hist_bucket(128000000001ULL), SONDE_HIST_BUCKETS - 1);
	(void)state;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static void check_quantiles(u64 *values, size_t nr, const char *what)
{
	static const double quantiles[] = { 0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1 };
	struct sonde_hist hist = {};

	for (size_t i = 0; i < nr; i++)
		sonde_hist_add(&hist, values[i]);
	sonde_hist_tidy(&hist);
	qsort(values, nr, sizeof(*values), compare);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		double q = quantiles[i], rank = q * (double)(nr - 1);
		/* One bucket, a factor of 2^(1/8), around the values that the rank lies between; below 1 us no claim. */
		double low = (double)values[(size_t)floor(rank)] / 1.0906;
		double high = (double)values[(size_t)ceil(rank)] * 1.0906;
		u64 got = sonde_hist_quantile(&hist, q);

		if (high < 954)
			high = 954;
		if (low < 954)
			low = 0;
		if ((double)got < low || (double)got > high)
			fail_msg("%s: quantile %g is %llu, exact %llu", what, q, (unsigned long long)got,
				 (unsigned long long)values[(size_t)rank]);
	}
	assert_int_equal(sonde_hist_quantile(&hist, 0), values[0]);
	assert_int_equal(sonde_hist_quantile(&hist, 1), values[nr - 1]);
}

static void test_quantiles_against_sorted(void **state)
{
	static u64 values[100000];
	u64 seed = 42;

	for (size_t nr = 1; nr <= 100000; nr = nr * 3 + 1) {
		for (size_t i = 0; i < nr; i++)
			values[i] = unit_random(&seed) % 1000000000;
		check_quantiles(values, nr, "uniform");
		for (size_t i = 0; i < nr; i++)
			values[i] = (u64)exp(8 + (double)(unit_random(&seed) % 1000) / 100);
		check_quantiles(values, nr, "log-uniform");
		for (size_t i = 0; i < nr; i++)
			values[i] = i % 100 ? 200000 + unit_random(&seed) % 1000 : 3000000000ULL;
		check_quantiles(values, nr, "two peaks");
		for (size_t i = 0; i < nr; i++)
			values[i] = 5000000;
		check_quantiles(values, nr, "all the same");
	}
	(void)state;
}

/* The error that the design promises for the middle of dense data: half a bucket. */
static void test_quantile_error_of_dense_data(void **state)
{
	struct sonde_hist hist = {};

	for (u64 ns = 100000; ns < 10000000; ns += 7)
		sonde_hist_add(&hist, ns);
	for (double q = 0.01; q < 1; q += 0.01) {
		double exact = 100000 + q * (10000000 - 100000);

		assert_true(fabs((double)sonde_hist_quantile(&hist, q) / exact - 1) < 0.005);
	}
	(void)state;
}

static void test_quantiles_rise(void **state)
{
	u64 seed = 7;

	for (u32 round = 0; round < 200; round++) {
		struct sonde_hist hist = {};
		u64 last = 0;

		for (u32 i = 0; i < 1 + round; i++)
			sonde_hist_add(&hist, unit_random(&seed) >> (20 + unit_random(&seed) % 40));
		sonde_hist_tidy(&hist);
		for (double q = 0; q <= 1; q += 0.001) {
			u64 now = sonde_hist_quantile(&hist, q);

			assert_true(now >= last);
			assert_true(now >= hist.min_ns - 1 && now <= hist.max_ns);
			last = now;
		}
	}
	(void)state;
}

static void test_empty(void **state)
{
	struct sonde_hist hist = { .sum_ns = 5, .min_ns = 3, .max_ns = 9 };
	struct sonde_hist_summary sum;

	sonde_hist_summarize(&hist, &sum);
	assert_int_equal(sum.count, 0);
	assert_int_equal(sum.sum_ns, 0);
	assert_int_equal(sum.min_ns, 0);
	assert_int_equal(sum.p50_ns, 0);
	assert_int_equal(sum.max_ns, 0);
	(void)state;
}

static void test_merge_equals_adding(void **state)
{
	struct sonde_hist a = {}, b = {}, all = {};
	u64 seed = 3;

	for (u32 i = 0; i < 10000; i++) {
		u64 ns = unit_random(&seed) >> (24 + unit_random(&seed) % 30);

		sonde_hist_add(i % 3 ? &a : &b, ns);
		sonde_hist_add(&all, ns);
	}
	sonde_hist_merge(&a, &b);
	assert_memory_equal(&a, &all, sizeof(all));
	b = (struct sonde_hist){};
	sonde_hist_merge(&a, &b); /* the empty one changes nothing */
	assert_memory_equal(&a, &all, sizeof(all));
	sonde_hist_merge(&b, &a);
	assert_memory_equal(&b, &all, sizeof(all));
	(void)state;
}

static void test_merge_does_not_wrap(void **state)
{
	struct sonde_hist a = {}, b = {};

	a.bucket[5] = UINT32_MAX - 1;
	b.bucket[5] = 7;
	sonde_hist_merge(&a, &b);
	assert_int_equal(a.bucket[5], UINT32_MAX);
	(void)state;
}

/* Extremes that a race tore are brought back to the outermost buckets. */
static void test_tidy(void **state)
{
	struct sonde_hist hist = {};

	sonde_hist_add(&hist, 1000000);
	sonde_hist_add(&hist, 2000000);
	hist.min_ns = 1500000 + 1;
	hist.max_ns = 1500000;
	sonde_hist_tidy(&hist);
	assert_int_equal(sonde_hist_bucket(hist.min_ns - 1), sonde_hist_bucket(1000000));
	assert_int_equal(sonde_hist_bucket(hist.max_ns), sonde_hist_bucket(2000000));

	hist = (struct sonde_hist){};
	sonde_hist_add(&hist, 777777);
	hist.min_ns = 0;
	hist.max_ns = 0;
	sonde_hist_tidy(&hist);
	assert_int_equal(hist.min_ns, 777778); /* a single observation is its own sum */
	assert_int_equal(hist.max_ns, 777777);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket_is_exact),
		cmocka_unit_test(test_bucket_bounds),
		cmocka_unit_test(test_quantiles_against_sorted),
		cmocka_unit_test(test_quantile_error_of_dense_data),
		cmocka_unit_test(test_quantiles_rise),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_merge_equals_adding),
		cmocka_unit_test(test_merge_does_not_wrap),
		cmocka_unit_test(test_tidy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
