// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_again.c - a text that is taken for the last one with other literals has the last one's id, by the normaliser.
 */
#include <stdio.h>

#include "unit.h"
#include "sonde/again.h"
#include "sonde/sql_core.h"
#include "../fuzz/sql_mutate.h"

static struct sonde_win win;
static struct sonde_again again;
static struct sonde_sql sql;

static u64 id_of(const char *text, u32 len, u32 dialect)
{
	sonde_sql_normalise(&sql, (const u8 *)text, len, dialect);
	return sql.id;
}

static bool cut(const char *text, u32 len)
{
	if (len > SONDE_AGAIN_BYTES)
		return false;
	sonde_again_begin(&again, 1, 1);
	for (u32 i = 0; i < len; i++)
		sonde_again_byte(&again, i, (u8)text[i]);
	sonde_again_end(&again, len);
	return again.nr;
}

static u64 match(const char *text, u32 len)
{
	memset(&win, '7', sizeof(win)); /* what lies behind looks like a literal that goes on */
	memcpy(win.b + 5, text, len);
	return sonde_again_match(&again, &win, 5, len);
}

static void test_cases(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "select a from t where b = 1", "select a from t where b = 1", true },
		{ "select a from t where b = 1", "select a from t where b = 1234567890123", true },
		{ "select a from t where b = 1;", "select a from t where b = 22;", true },
		{ "select a from t where b = 1", "select a from t where c = 1", false },
		{ "select a from t where b = 1", "select a from t where b = 1 ", false },
		{ "select a from t where b = 1", "select a from t where b = ", false },
		{ "select a from t where b = 1", "select a from t where b = 1x", false },
		{ "select a from t where b = 1", "select a from t where b = 1.5", false },
		{ "select a from t where b = 'x'", "select a from t where b = 'a long one, with 1 and \"'", true },
		{ "select a from t where b = 'x'", "select a from t where b = ''", true },
		{ "select a from t where b = 'x'", "select a from t where b = 'it''s'", false },
		{ "select a from t where b = 'x'", "select a from t where b = 'a\\'", false },
		{ "select a from t where b = 'x' and c = 5 limit 3",
		  "select a from t where b = 'yy' and c = 66 limit 77", true },
		{ "select \"a1\" from \"t 2\" where b = 1", "select \"a1\" from \"t 2\" where b = 2", true },
		{ "select \"a1\" from \"t 2\" where b = 1", "select \"a2\" from \"t 2\" where b = 1", false },
		{ "select a1 from t2 where b3 = 1", "select a1 from t2 where b3 = 9", true },
		{ "select a1 from t2 where b3 = 1", "select a1 from t3 where b3 = 1", false },
		{ "insert into t values (1, 'a', -5)", "insert into t values (22, 'bb', -6)", true },
		{ "select 1, 2, 3, 4, 5, 6, 7, 8", "select 9, 8, 7, 6, 5, 4, 3, 2", true },
		{ "select 1", "select 2", true },
		/* Never cut: these go to the normaliser. */
		{ "select 1, 2, 3, 4, 5, 6, 7, 8, 9", "select 1, 2, 3, 4, 5, 6, 7, 8, 9", false },
		{ "select a from t where b = $1", "select a from t where b = $1", false },
		{ "select 'it''s'", "select 'it''s'", false },
		{ "select E'x'", "select E'x'", false },
		{ "select /* 1 */ 2", "select /* 1 */ 2", false },
		{ "select 1 -- 2", "select 1 -- 2", false },
		{ "select 1.5", "select 1.5", false },
		{ "select 0x1f", "select 0x1f", false },
		{ "select 1e5", "select 1e5", false },
		{ "select '1", "select '1", false },
		{ "select \"1", "select \"1", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u32 n = strlen(cases[i].a), m = strlen(cases[i].b);
		bool same = cut(cases[i].a, n) && match(cases[i].b, m);

		if (same != cases[i].same)
			fail_msg("[%s] [%s]: %d", cases[i].a, cases[i].b, same);
		if (same)
			for (u32 d = 0; d < 3; d++)
				assert_true(id_of(cases[i].a, n, d) == id_of(cases[i].b, m, d));
	}
	(void)state;
}

/* The hash tells literals apart, and only them. */
static void test_hash(void **state)
{
	static const char *const texts[] = { "select 1, 23, 'a'",	 "select 12, 3, 'a'",
					     "select 1, 23, 'b'",	 "select 1, 23, ''",
					     "select 123, 4, 'a'",	 "select 1, 23, 'aaaaaaaa'",
					     "select 1, 23, 'aaaaaaaaa'" };
	u64 hash[7];

	assert_true(cut(texts[0], strlen(texts[0])));
	for (int i = 0; i < 7; i++) {
		hash[i] = match(texts[i], strlen(texts[i]));
		assert_true(hash[i] != 0);
		assert_true(hash[i] == match(texts[i], strlen(texts[i])));
		for (int j = 0; j < i; j++)
			assert_true(hash[i] != hash[j]);
	}
	(void)state;
}

/* SWAR against the obvious. */
static void test_words(void **state)
{
	u64 seed = 3;

	for (int i = 0; i < 2000000; i++) {
		u64 r = unit_random(&seed), word = 0;
		u8 b[8];
		u32 digits = 0, plain = 0;

		for (int j = 0; j < 8; j++)
			b[j] = r >> j & 1 ? '0' + (r >> (8 + j * 3)) % 10 : r >> (j * 7) & 255;
		if (r >> 60 == 1)
			b[r >> 40 & 7] = "'\\/:"[r >> 50 & 3];
		memcpy(&word, b, 8);
		while (digits < 8 && b[digits] >= '0' && b[digits] <= '9')
			digits++;
		while (plain < 8 && b[plain] && b[plain] != '\'' && b[plain] != '\\')
			plain++;
		assert_int_equal(sonde_again_digits(word), digits);
		assert_int_equal(sonde_again_plain(word), plain);
	}
	(void)state;
}

/* Statements of one shape with other literals, and mutated ones: whoever matches has the same id. */
static void test_random(void **state)
{
	static char one[MUTATE_MAX + 1], two[MUTATE_MAX + 1];
	struct sql_random r = { 11 };
	u64 seed = 5;
	unsigned long cuts = 0, matches = 0;

	for (int i = 0; i < 400000; i++) {
		u32 dialect = sql_random(&r, 3), n, m;

		if (i % 4) {
			struct sql_random shape = { sonde_mix64(r.state) };

			n = sql_planted(shape, &r, dialect, one);
			m = sql_planted(shape, &r, dialect, two);
		} else {
			n = m = sql_mutate(&r, one);
			if (n > SONDE_AGAIN_BYTES)
				continue;
			memcpy(two, one, n);
		}
		if (!cut(one, n) || m > SONDE_AGAIN_BYTES)
			continue;
		cuts++;
		/* Bytes changed by chance, mostly into what matters. */
		for (u32 k = unit_random(&seed) % 4; k && m; k--)
			two[unit_random(&seed) % m] = "0123456789abz '\"-/*.,()$;\\x"[unit_random(&seed) % 27];
		if (!match(two, m))
			continue;
		matches++;
		if (id_of(one, n, dialect) != id_of(two, m, dialect))
			fail_msg("dialect %u [%.*s] [%.*s]", dialect, (int)n, one, (int)m, two);
	}
	assert_true(cuts > 10000);
	assert_true(matches > 5000);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
