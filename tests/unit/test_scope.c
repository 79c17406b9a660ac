// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_scope.c - counting in scopes: distinct parameters, buckets of calls, parents, what one scope adds to a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sonde/scope_fold.h"

/* Splitmix64: values that do not depend on what is tested. */
static u64 random_u64(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Distinct values as the sketch tells them after @n of them, each put in @times. */
static u32 sketched(u32 n, u32 times, u64 *state)
{
	u64 sketch[SONDE_SKETCH_WORDS] = {}, value[256];
	u32 bits = 0;

	for (u32 i = 0; i < n; i++)
		value[i] = random_u64(state);
	for (u32 t = 0; t < times; t++)
		for (u32 i = 0; i < n; i++)
			bits += sonde_sketch_add(sketch, value[i]);
	return sonde_sketch_count(bits);
}

/* Good to 5 % up to 64: nineteen of twenty times, and without bias. */
static void test_sketch(void **state)
{
	u64 seed = 42;

	for (u32 n = 1; n <= SONDE_SKETCH_MAX; n++) {
		u32 near = 0, rounds = 2000;
		double sum = 0;

		for (u32 r = 0; r < rounds; r++) {
			u32 got = sketched(n, 1 + r % 3, &seed);
			double off = got > n ? got - n : n - got;

			near += off <= (n + 19) / 20; /* 5 %, rounded up */
			sum += got;
		}
		assert_true(near >= rounds * 19 / 20);
		if (n < 60) /* above, 65 stands for all that is more */
			assert_true(sum / rounds > 0.99 * n - 0.3 && sum / rounds < 1.01 * n + 0.3);
	}
	for (u32 n = 80; n < 250; n++)
		assert_int_equal(sketched(n, 1, &seed), SONDE_SKETCH_MAX + 1);
	(void)state;
}

/* Neighbouring numbers, as primary keys are, are no worse than random ones. */
static void test_sketch_of_keys(void **state)
{
	for (u64 first = 1; first < 100000; first += 977) {
		u64 sketch[SONDE_SKETCH_WORDS] = {};
		u32 bits = 0, got;

		for (u64 i = 0; i < 50; i++)
			bits += sonde_sketch_add(sketch, first + i);
		got = sonde_sketch_count(bits);
		assert_in_range(got, 45, 55);
	}
	(void)state;
}

static void test_calls_bucket(void **state)
{
	u32 last = 0;

	for (u32 n = 0; n < SONDE_CALLS_EXACT; n++)
		assert_int_equal(sonde_calls_bucket(n), n);
	for (u32 n = 1; n < 40000; n++) {
		u32 b = sonde_calls_bucket(n);

		assert_true(b == last || b == last + 1);
		assert_true(b < SONDE_CALLS_BUCKETS);
		last = b;
	}
	assert_int_equal(sonde_calls_bucket(32) - sonde_calls_bucket(16), 8);
	assert_int_equal(sonde_calls_bucket(1024) - sonde_calls_bucket(512), 8);
	assert_int_equal(sonde_calls_bucket(~0u), SONDE_CALLS_BUCKETS - 1);
	(void)state;
}

static void test_class(void **state)
{
	assert_int_equal(sonde_finding_class_of(5, 5, 0), SONDE_FOUND_DISTINCT);
	assert_int_equal(sonde_finding_class_of(5, 2, 0), SONDE_FOUND_DISTINCT);
	assert_int_equal(sonde_finding_class_of(10, 5, 0), SONDE_FOUND_DISTINCT);
	assert_int_equal(sonde_finding_class_of(10, 4, 0), SONDE_FOUND_SOME);
	assert_int_equal(sonde_finding_class_of(10, 1, 0), SONDE_FOUND_SAME);
	assert_int_equal(sonde_finding_class_of(10000, SONDE_SKETCH_MAX + 1, 0),
			 SONDE_FOUND_DISTINCT); /* 64+ is all that can be told */
	assert_int_equal(sonde_finding_class_of(10000, 63, 0), SONDE_FOUND_SOME);
	assert_int_equal(sonde_finding_class_of(10, 0, SONDE_SLOT_NO_PARAMS), SONDE_FOUND_UNKNOWN);
	(void)state;
}

static struct sonde_scope *made(void)
{
	struct sonde_scope *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->epoch = 7;
	s->begin_ns = 1000;
	s->kind = SONDE_SCOPE_REQUEST;
	s->flags = SONDE_SCOPE_OPEN;
	for (u32 i = 0; i < SONDE_SCOPE_SLOTS; i++)
		s->slot[i].parent = SONDE_SLOT_NONE;
	return s;
}

static struct sonde_scope_slot *slot(struct sonde_scope *s, u32 i, u64 id, u32 count, u32 parent)
{
	struct sonde_scope_slot *sl = &s->slot[i];

	sl->id = id;
	sl->epoch = s->epoch;
	sl->count = sl->ended = count;
	sl->parent = parent;
	sl->parent_id = parent < SONDE_SCOPE_SLOTS ? s->slot[parent].id : 0;
	sl->stack = sl->stack_again = -1;
	s->used |= 1u << i;
	if (count >= SONDE_MIN_REPEAT)
		s->hot |= 1u << i;
	return sl;
}

/* P A B A B: the read before B is A, which repeats; P leads to both. Loops of parents end. */
static void test_parent(void **state)
{
	struct sonde_scope *s = made();

	slot(s, 0, 1, 1, SONDE_SLOT_NONE);
	slot(s, 5, 2, 20, 0);
	slot(s, 9, 3, 20, 5);
	assert_int_equal(sonde_scope_parent(s, 5), 0);
	assert_int_equal(sonde_scope_parent(s, 9), 0);
	s->slot[5].parent = 9;
	s->slot[5].parent_id = 3;
	assert_int_equal(sonde_scope_parent(s, 9), SONDE_SLOT_NONE);
	s->slot[5].parent = 0;
	s->slot[5].parent_id = 77; /* its slot was given away */
	assert_int_equal(sonde_scope_parent(s, 5), SONDE_SLOT_NONE);
	s->slot[5].parent_id = 1;
	s->slot[0].epoch--; /* of the scope before */
	assert_int_equal(sonde_scope_parent(s, 5), SONDE_SLOT_NONE);
	s->slot[5].parent = 200; /* what no scope has */
	assert_int_equal(sonde_scope_parent(s, 5), SONDE_SLOT_NONE);
	free(s);
	(void)state;
}

static void test_fold(void **state)
{
	struct sonde_scope *s = made();
	struct sonde_finding_stat row = { .stack = -1 }, one;
	struct sonde_finding_key key;
	struct sonde_scope_slot *child;

	s->name = 99;
	slot(s, 0, 1, 1, SONDE_SLOT_NONE)->rows = 20;
	child = slot(s, 4, 2, 20, 0);
	child->rows = 20;
	child->rest_ns = 1900;
	child->stack = child->stack_again = 5;
	child->first_ns = 1100;
	child->last_ns = 2900;
	for (u64 i = 0; i < 20; i++)
		child->bits += sonde_sketch_add(child->sketch, i);
	sonde_scope_key(s, 4, &key);
	assert_int_equal(key.id, 2);
	assert_int_equal(key.name, 99);
	assert_int_equal(key.scope, SONDE_SCOPE_REQUEST);
	assert_int_equal(key.class, SONDE_FOUND_DISTINCT);
	sonde_scope_fold(s, 4, 3000, &row);
	child->count = 10;
	child->stack_again = 6;
	sonde_scope_fold(s, 4, 4000, &row);
	assert_int_equal(row.scopes, 2);
	assert_int_equal(row.calls, 30);
	assert_int_equal(row.waste_ns, 3800);
	assert_int_equal(row.scope_ns, 2000 + 3000);
	assert_int_equal(row.calls_min, 10);
	assert_int_equal(row.calls_max, 20);
	assert_int_equal(row.calls_hist[sonde_calls_bucket(10)], 1);
	assert_int_equal(row.calls_hist[sonde_calls_bucket(20)], 1);
	assert_int_equal(row.parent, 1);
	assert_int_equal(row.parents, 2);
	assert_int_equal(row.parent_rows, 40);
	assert_int_equal(row.rows_match, 1);
	assert_int_equal(row.same_stack, 1);
	assert_int_equal(row.stack, 6);
	assert_int_equal(row.first_seen_ns, 1100);

	/* Whose it is is not sure: it counts for the process, under no name. */
	s->flags |= SONDE_SCOPE_INVALID;
	sonde_scope_fold_slot(s, 4, 4000, &key, &one);
	assert_int_equal(key.scope, SONDE_SCOPE_PROCESS);
	assert_int_equal(key.name, 0);
	assert_int_equal(one.scopes, 1);
	assert_int_equal(one.calls, 10);
	free(s);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sketch),	     cmocka_unit_test(test_sketch_of_keys),
		cmocka_unit_test(test_calls_bucket), cmocka_unit_test(test_class),
		cmocka_unit_test(test_parent),	     cmocka_unit_test(test_fold),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
