// SPDX-License-Identifier: GPL-2.0-only
/* test_share.c - whose the time of an event loop's thread is, beside the truth of loops whose order is known. */
#include "unit.h"

#include "sonde/share.h"

#define NONE 0u
#define A 101u
#define B 102u
#define C 103u
#define NR 120u /* more than the places there are */

struct loop {
	struct sonde_share s;
	u32 place[NR];
	u64 came;
};

static u32 *place(struct loop *l, u64 request)
{
	return &l->place[request - A];
}

/* Whose the slice is that ends here. What is read came after all else, unless @came says when. */
static u64 reads_at(struct loop *l, u64 request, u64 came)
{
	u64 whose = sonde_share_of_read(&l->s);

	if (request)
		*place(l, request) = sonde_share_read(&l->s, request, *place(l, request), came);
	else
		sonde_share_read(&l->s, NONE, 0, came);
	return whose;
}

static u64 reads(struct loop *l, u64 request)
{
	return reads_at(l, request, ++l->came);
}

static u64 writes(struct loop *l, u64 request, u64 conn, bool sure)
{
	u64 whose;

	sonde_share_learn(&l->s, conn, request, *place(l, request), sure);
	whose = sonde_share_of_write(&l->s, request);
	sonde_share_wrote(&l->s, request, *place(l, request));
	return whose;
}

static u64 answers(struct loop *l, u64 request)
{
	u64 whose = writes(l, request, request, true);

	sonde_share_over(&l->s, request, *place(l, request));
	return whose;
}

static u64 waits(struct loop *l)
{
	u64 whose = sonde_share_of_read(&l->s);

	sonde_share_waits(&l->s);
	return whose;
}

static struct loop fresh(void)
{
	struct loop l = {};

	for (u32 i = 0; i < NR; i++)
		l.place[i] = ~0u; /* no place: below the oldest */
	return l;
}

/* Each is handled as it is read: node. */
static void eager(void **state)
{
	struct loop l = fresh();

	l.s.lazy = -1;
	assert_int_equal(reads(&l, A), NONE);
	assert_int_equal(reads(&l, B), A); /* A waits for a timer, say */
	assert_int_equal(writes(&l, B, 1, false), B); /* to an upstream */
	assert_int_equal(waits(&l), B);
	assert_int_equal(reads(&l, C), NONE);
	assert_int_equal(answers(&l, C), C);
	assert_int_equal(reads(&l, B), NONE); /* the reply */
	assert_int_equal(answers(&l, B), B);
	assert_int_equal(answers(&l, A), A); /* the timer: nothing else runs */
	assert_int_equal(waits(&l), NONE);
	assert_true(l.s.lazy < 0);
	assert_true(l.s.doubt > 0); /* A was not seen to be reminded */
	/* What begins as B's and ends as A's is nobody's; what A goes on with is A's. */
	reads(&l, A);
	waits(&l);
	reads(&l, B);
	assert_int_equal(writes(&l, A, A, true), NONE);
	assert_int_equal(writes(&l, A, A, true), A);
	(void)state;
}

/* All is read, then handled in that order: asyncio. */
static void lazy(void **state)
{
	struct loop l = fresh();

	reads(&l, A);
	assert_int_equal(reads(&l, B), A);
	assert_int_equal(answers(&l, A), A); /* not B, which was read last */
	assert_true(l.s.lazy > 0);
	assert_int_equal(answers(&l, B), B);
	assert_int_equal(reads(&l, A), NONE);
	assert_int_equal(reads(&l, B), A); /* alone: its own */
	assert_int_equal(reads(&l, C), NONE); /* two are ready: which of them, if any */
	assert_int_equal(sonde_share_sender(&l.s, 7), A);
	assert_int_equal(writes(&l, A, 7, false), A);
	assert_int_equal(answers(&l, C), NONE); /* B was first, and sent nothing: the time is B's, or C's */
	assert_int_equal(waits(&l), NONE);
	assert_int_equal(reads(&l, A), NONE);
	assert_int_equal(writes(&l, A, A, true), A);
	assert_int_equal(writes(&l, A, A, true), A); /* and more */
	assert_int_equal(waits(&l), A);
	assert_true(l.s.doubt > 0);
	(void)state;
}

/* Any number is read at once, each sends in its turn: everything is told. */
static void lazy_at_random(void **state)
{
	struct loop l = fresh();
	u64 seed = 7, wrong = 0, told = 0;

	for (u32 round = 0; round < 2000; round++) {
		u32 batch = 1 + unit_random(&seed) % 12, upstream = unit_random(&seed) % 3;

		for (u32 i = 0; i < batch; i++)
			reads(&l, A + i);
		for (u32 i = 0; i < batch; i++, told++) {
			if (upstream)
				wrong += sonde_share_sender(&l.s, 1000 + i) != A + i;
			wrong += (upstream ? writes(&l, A + i, 1000 + i, false) : answers(&l, A + i)) != A + i;
		}
		if (unit_random(&seed) % 2)
			waits(&l);
	}
	assert_int_equal(wrong, 0);
	assert_true(told > 10000);
	assert_int_equal(l.s.doubt, 0);
	(void)state;
}

/* The same handled one by one, with replies that came together: everything is told of it, too. */
static void eager_at_random(void **state)
{
	struct loop l = fresh();
	u64 seed = 8, wrong = 0;

	for (u32 round = 0; round < 2000; round++) {
		u32 batch = 1 + unit_random(&seed) % 12;

		l.came++;
		for (u32 i = 0; i < batch; i++) {
			reads_at(&l, A + i, l.came);
			wrong += sonde_share_sender(&l.s, 1000 + i) != A + i;
			wrong += writes(&l, A + i, 1000 + i, false) != A + i;
			if (unit_random(&seed) % 8 == 0) { /* two at once */
				wrong += sonde_share_sender(&l.s, 2000 + i) != A + i;
				wrong += writes(&l, A + i, 2000 + i, false) != A + i;
			}
		}
		waits(&l);
	}
	assert_int_equal(wrong, 0);
	(void)state;
}

/* A loop that was taken for a lazy one: what lay there was not read before it sent. */
static void relents(void **state)
{
	struct loop l = fresh();

	l.s.lazy = SONDE_SHARE_SURE;
	for (u32 i = 0; i < 4; i++) {
		reads_at(&l, A, 50);
		answers(&l, A);
		reads_at(&l, B, 40);
		answers(&l, B);
		reads_at(&l, C, 0); /* not known when it came: shows nothing */
		waits(&l);
	}
	assert_int_equal(l.s.lazy, -SONDE_SHARE_SURE);
	(void)state;
}

/* A connection that becomes free is handed on to who waits for one. */
static void pools(void **state)
{
	struct loop l = fresh();

	reads(&l, A);
	assert_int_equal(sonde_share_sender(&l.s, 1), A);
	writes(&l, A, 1, false);
	reads(&l, B); /* finds none that is free */
	waits(&l);
	l.s.lazy = -1;
	reads(&l, A);
	l.s.freed = 1;
	assert_int_equal(sonde_share_sender(&l.s, 1), B);
	assert_int_equal(writes(&l, B, 1, false), NONE);
	assert_int_equal(answers(&l, A), A);
	/* Another one is free: nobody waits, and who runs sends again. */
	reads(&l, C);
	waits(&l);
	reads(&l, B);
	l.s.freed = 2;
	reads(&l, A);
	assert_int_equal(l.s.free, 2);
	l.s.freed = 1;
	assert_int_equal(sonde_share_sender(&l.s, 1), A);
	assert_int_equal(l.s.freed, 0);
	assert_int_equal(sonde_share_sender(&l.s, 2), A);
	assert_int_equal(l.s.free, 0);
	/* Requests wait for timers: who has waited longest need not wait for a connection. */
	l.s.doubt = 1;
	l.s.freed = 1;
	assert_int_equal(sonde_share_sender(&l.s, 1), A);
	/* Nobody runs: the only one that has sent nothing; of several none. */
	l = fresh();
	assert_int_equal(sonde_share_sender(&l.s, 1), NONE);
	reads(&l, A);
	waits(&l);
	assert_int_equal(sonde_share_sender(&l.s, 1), A);
	reads(&l, B);
	waits(&l);
	assert_int_equal(sonde_share_sender(&l.s, 1), NONE);
	sonde_share_over(&l.s, A, *place(&l, A));
	assert_int_equal(sonde_share_sender(&l.s, 1), B);
	(void)state;
}

/* More than there are places: the oldest are forgotten, and nothing is told of them. */
static void too_many(void **state)
{
	struct loop l = fresh();
	u32 ready = 0;

	l.s.lazy = -1;
	for (u32 i = 0; i < NR; i++) {
		reads(&l, A + i);
		assert_int_equal(reads(&l, A + i), A + i); /* more of it: the place stays */
		assert_true(l.s.next - l.s.first <= SONDE_SHARE_READY);
		assert_true(l.s.next - l.s.oldest <= SONDE_SHARE_READY);
	}
	for (u32 i = 0; i < NR; i++)
		ready += sonde_share_is_ready(&l.s, A + i, l.place[i]);
	assert_int_equal(ready, SONDE_SHARE_READY);
	waits(&l);
	assert_false(sonde_share_is_ready(&l.s, A + NR - 1, l.place[NR - 1]));
	reads(&l, A + NR - 1); /* ready again, at a new place */
	assert_true(sonde_share_is_ready(&l.s, A + NR - 1, l.place[NR - 1]));
	assert_int_equal(answers(&l, A), NONE); /* forgotten: it sends out of the blue */
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eager),	   cmocka_unit_test(lazy),    cmocka_unit_test(lazy_at_random),
		cmocka_unit_test(eager_at_random), cmocka_unit_test(relents), cmocka_unit_test(pools),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
