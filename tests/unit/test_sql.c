// SPDX-License-Identifier: GPL-2.0-only
/* test_sql.c - the SQL normaliser: text, ids, literals, comments, limits, independence of the cuts of the input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sonde/sql_core.h"
#include "sql_cases.h"

#define PG SONDE_SQL_POSTGRESQL
#define MY SONDE_SQL_MYSQL
#define LI SONDE_SQL_SQLITE

static struct sonde_sql a, b;

static struct sonde_sql *run(struct sonde_sql *s, const char *sql, u32 flags)
{
	memset(s, 0xa5, sizeof(*s)); /* nothing may depend on what was there */
	sonde_sql_normalise(s, (const u8 *)sql, strlen(sql), flags);
	assert_true(s->text_len <= SONDE_SQL_TEXT_MAX);
	assert_true(s->id != 0);
	return s;
}

/* Texts of all statements in @sql, joined. */
static const char *texts(const char *sql, u32 flags)
{
	static char out[3 * SONDE_TEXT_BYTES];
	size_t n = 0, len = strlen(sql), at = 0;

	out[0] = 0;
	while (at < len) {
		run(&a, sql + at, flags);
		if (!(a.flags & SONDE_SQL_EMPTY))
			n += snprintf(out + n, sizeof(out) - n, "%s%.*s", n ? "; " : "", (int)a.text_len,
				      (char *)a.text);
		if (!a.done)
			break;
		assert_true(a.end > 0);
		at += a.end;
	}
	return out;
}

static u64 id(const char *sql, u32 flags)
{
	return run(&a, sql, flags)->id;
}

static u64 literals(const char *sql, u32 flags)
{
	return run(&a, sql, flags)->literals;
}

static void test_texts(void **state)
{
	for (size_t i = 0; i < NR_SQL_CASES; i++) {
		const struct sql_case *c = &sql_cases[i];
		const char *got = texts(c->sql, c->dialect);

		if (strcmp(got, c->text) != 0)
			fail_msg("dialect %d: %s\n  is     [%s]\n  not    [%s]", c->dialect, c->sql, got, c->text);
	}
	assert_true(NR_SQL_CASES >= 150);
}

/* A text that is normalised again stays as it is. Sentences about hints and broken input aside. */
static void test_texts_are_stable(void **state)
{
	static char first[SONDE_TEXT_BYTES];

	for (size_t i = 0; i < NR_SQL_CASES; i++) {
		const struct sql_case *c = &sql_cases[i];

		if (strpbrk(c->text, "\x01") || strstr(c->text, "))) (((") || strchr(c->sql, '#') ||
		    strstr(c->sql, "2024"))
			continue;
		run(&a, c->sql, c->dialect);
		memcpy(first, a.text, a.text_len);
		first[a.text_len] = 0;
		run(&b, first, c->dialect);
		if (b.text_len != strlen(first) || memcmp(b.text, first, b.text_len) != 0)
			fail_msg("[%s] becomes [%.*s]", first, (int)b.text_len, (char *)b.text);
	}
}

static void same(const struct sonde_sql *x, const struct sonde_sql *y)
{
	assert_int_equal(x->text_len, y->text_len);
	assert_memory_equal(x->text, y->text, x->text_len);
	assert_true(x->id == y->id && x->literals == y->literals);
	assert_int_equal(x->flags, y->flags);
	assert_int_equal(x->end, y->end);
	assert_int_equal(x->verb, y->verb);
	assert_int_equal(x->com_pos, y->com_pos);
	assert_int_equal(x->com_len, y->com_len);
}

static void test_chunks(void **state)
{
	srand(1);
	for (size_t i = 0; i < NR_SQL_CASES; i++) {
		const char *sql = sql_cases[i].sql;
		u32 len = strlen(sql);

		run(&a, sql, sql_cases[i].dialect);
		for (int round = 0; round < 4; round++) {
			sonde_sql_start(&b, sql_cases[i].dialect);
			for (u32 at = 0; at < len;) {
				u32 n = round ? 1 + rand() % (round * 5) : 1;

				n = n > len - at ? len - at : n;
				if (sonde_sql_feed(&b, (const u8 *)sql + at, n))
					break;
				at += n;
			}
			sonde_sql_finish(&b);
			same(&a, &b);
		}
	}
}

static void test_ids(void **state)
{
	/* Public and for ever: recordings of other machines and versions are joined on these. */
	assert_true(id("SELECT 1", PG) == id("select   2 ;", PG));
	assert_true(id("SELECT 1", PG) != id("SELECT 1, 2", PG));
	assert_true(id("SELECT 1", PG) != run(&b, "SELECT 1", PG | SONDE_SQL_CUT)->id);
	assert_true(id("SELECT a FROM t", MY) == id("SELECT `a` FROM `t`", MY));
	assert_true(id("", PG) == id(" -- x", PG));
	assert_int_equal(id("SELECT 1", PG), 0x8331794410208014ULL);
	assert_int_equal(id("SELECT a, b FROM users WHERE id = 42 AND name = 'Joe' LIMIT 10", MY),
			 0xbf9661d07f3f3f2aULL);
}

static void test_literals(void **state)
{
	u64 one = literals("SELECT a FROM t WHERE b = 1 AND c = 'x'", PG);

	assert_true(one == literals("select A from t where b=1 and c='x' -- y", PG));
	assert_true(one != literals("SELECT a FROM t WHERE b = 2 AND c = 'x'", PG));
	assert_true(one != literals("SELECT a FROM t WHERE b = 1 AND c = 'X'", PG));
	assert_true(literals("SELECT 1, 2", PG) != literals("SELECT 2, 1", PG));
	assert_true(literals("SELECT 12, 3", PG) != literals("SELECT 1, 23", PG));
	assert_true(literals("SELECT -1", PG) != literals("SELECT 1", PG));
	assert_true(literals("SELECT NULL", PG) != literals("SELECT TRUE", PG));
	assert_true(literals("SELECT a IN (1,2,3)", PG) != literals("SELECT a IN (1,3,2)", PG));
	assert_true(literals("SELECT $a$x$a$", PG) != literals("SELECT $a$y$a$", PG));
	assert_true(literals("SELECT $a$x$ y$a$", PG) != literals("SELECT $a$z$ y$a$", PG));
	assert_true(literals("SELECT 'a' 'b'", MY) != literals("SELECT 'a' 'c'", MY));
	assert_true(literals("SELECT a FROM t", PG) == literals("SELECT b FROM u", PG));
}

static void test_verbs(void **state)
{
	static const struct {
		const char *sql;
		int verb;
	} verbs[] = {
		{ "SELECT 1", SONDE_SQL_SELECT },
		{ "(SELECT 1) UNION (SELECT 2)", SONDE_SQL_SELECT },
		{ "/* c */ insert into t values (1)", SONDE_SQL_INSERT },
		{ "REPLACE INTO t VALUES (1)", SONDE_SQL_INSERT },
		{ "Update t set a = 1", SONDE_SQL_UPDATE },
		{ "DELETE FROM t", SONDE_SQL_DELETE },
		{ "WITH a AS (SELECT 1) DELETE FROM t", SONDE_SQL_DELETE },
		{ "WITH RECURSIVE a AS (INSERT INTO x VALUES (1)) SELECT 1", SONDE_SQL_SELECT },
		{ "MERGE INTO t USING u ON a", SONDE_SQL_DML },
		{ "CALL p()", SONDE_SQL_DML },
		{ "BEGIN", SONDE_SQL_BEGIN },
		{ "START TRANSACTION", SONDE_SQL_BEGIN },
		{ "COMMIT", SONDE_SQL_COMMIT },
		{ "END", SONDE_SQL_COMMIT },
		{ "ROLLBACK", SONDE_SQL_ROLLBACK },
		{ "SAVEPOINT a", SONDE_SQL_SAVEPOINT },
		{ "RELEASE a", SONDE_SQL_SAVEPOINT },
		{ "SET a = 1", SONDE_SQL_SET },
		{ "SHOW TABLES", SONDE_SQL_SHOW },
		{ "EXPLAIN SELECT 1", SONDE_SQL_SHOW },
		{ "CREATE TABLE t AS SELECT 1", SONDE_SQL_DDL },
		{ "DROP TABLE t", SONDE_SQL_DDL },
		{ "COPY t FROM STDIN", SONDE_SQL_COPY },
		{ "VACUUM t", SONDE_SQL_UTILITY },
		{ "DECLARE c CURSOR FOR SELECT 1", SONDE_SQL_UTILITY },
		{ "frobnicate", SONDE_SQL_OTHER },
		{ "", SONDE_SQL_OTHER },
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (run(&a, verbs[i].sql, PG)->verb != verbs[i].verb)
			fail_msg("%s: verb %d", verbs[i].sql, a.verb);
}

static void comment_is(const char *sql, u32 flags, const char *comment)
{
	run(&a, sql, flags);
	assert_int_equal(a.com_len, strlen(comment));
	assert_memory_equal(sql + a.com_pos, comment, a.com_len);
}

static void test_comments(void **state)
{
	comment_is("SELECT 1", PG, "");
	comment_is("SELECT 1 /* a */ /* b */", PG, "/* b */");
	comment_is("SELECT 1 /* a */ /*route='x'*/ /* b */", PG, "/*route='x'*/");
	comment_is("/*app:web*/ SELECT 1 /*b='c'*/", PG, "/*app:web*/");
	comment_is("SELECT 1 -- key:v\n + 2", PG, "-- key:v");
	comment_is("SELECT 1 -- key:v", PG, "-- key:v");
	comment_is("SELECT 1 # k=v\n + 2", MY, "# k=v");
	comment_is("SELECT 1 /* open k=v", PG, "/* open k=v");
	comment_is("SELECT a = 1 /* x */", PG, "/* x */");
	comment_is("/* a /* b=c */ d */ SELECT 1", PG, "/* a /* b=c */ d */");
}

static void tail_is(const char *tail, const char *comment)
{
	run(&a, "SELECT 1 ", PG | SONDE_SQL_CUT);
	assert_int_equal(sonde_sql_tail(&a, (const u8 *)tail, strlen(tail)), *comment != 0);
	assert_int_equal(a.com_len, strlen(comment));
	assert_memory_equal(tail + a.com_pos, comment, a.com_len);
}

static void test_tail(void **state)
{
	tail_is("b = 1 /*route='x'*/", "/*route='x'*/");
	tail_is("b = 1 /* app:web */ ; \n", "/* app:web */");
	tail_is("/*a=b*/ x /*c=d*/", "/*c=d*/");
	tail_is("b = 1 /* nothing */", "");
	tail_is("b /*a=b*/ + 1", "");
	tail_is("rest='x'*/", "");
	tail_is("/*a=b", "");
	tail_is("", "");
	run(&a, "/*a=b*/ SELECT 1 ", PG | SONDE_SQL_CUT);
	assert_int_equal(sonde_sql_tail(&a, (const u8 *)"/*c=d*/", 7), 0);
	assert_int_equal(a.com_len, 7);
	assert_int_equal(a.com_pos, 0);
}

static void test_end(void **state)
{
	run(&a, "SELECT 1; SELECT 2", PG);
	assert_int_equal(a.end, 9);
	assert_int_equal(a.done, 1);
	run(&a, "SELECT ';'", PG);
	assert_int_equal(a.end, 10);
	assert_int_equal(a.done, 0);
	assert_int_equal(run(&a, " ; SELECT 2", PG)->flags, SONDE_SQL_EMPTY);
	assert_int_equal(a.end, 2);
}

/* Long input: read up to the limit, marked, and equal wherever the cut fell inside of a list. */
static void test_long(void **state)
{
	static char sql[20000];
	u64 first;
	size_t n, row = 0;

	n = sprintf(sql, "INSERT INTO t (a, b) VALUES ");
	while (n < 15000)
		n += sprintf(sql + n, "%s(%zu, 'x')", row++ ? "," : "", n);
	first = id(sql, PG);
	assert_int_equal(a.flags, SONDE_SQL_PARTIAL);
	assert_int_equal(a.end, SONDE_SQL_MAX_BYTES);
	assert_string_equal(texts(sql, PG), "insert into t(a, b) values (?+)");
	for (int cut = 0; cut < 40; cut++)
		assert_true(run(&a, (sql[9000 - cut] = 0, sql), PG)->id == first);

	n = sprintf(sql, "SELECT a FROM t WHERE b IN (");
	while (n < 7000)
		n += sprintf(sql + n, "%zu,", n);
	strcpy(sql + n, "1)");
	assert_string_equal(texts(sql, PG), "select a from t where b in (?+)");
	assert_int_equal(a.flags, 0);

	n = sprintf(sql, "SELECT 1");
	while (n < 7000)
		n += sprintf(sql + n, " + a%zu", n);
	strcpy(sql + n, "; SELECT 2");
	run(&a, sql, PG);
	assert_int_equal(a.flags, SONDE_SQL_PARTIAL);
	assert_int_equal(a.end, n + 1);
	assert_true(a.text_len <= SONDE_SQL_TEXT_MAX && a.text_len > 4000);

	memset(sql, 'x', 9000);
	sql[9000] = 0;
	run(&a, sql, PG);
	assert_int_equal(a.flags & SONDE_SQL_PARTIAL, SONDE_SQL_PARTIAL);
}

static void test_cut(void **state)
{
	static const char *const cut[] = { "SELECT a FROM t WHERE b = 'sec", "SELECT a FROM t WHERE b = 12",
					   "SELECT a FROM t WHERE b = $q$ sec" };

	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		run(&a, cut[i], PG | SONDE_SQL_CUT);
		assert_int_equal(a.flags, SONDE_SQL_PARTIAL);
		assert_int_equal(a.text_len, 27);
		assert_memory_equal(a.text, "select a from t where b = ?", 27);
	}
	run(&a, "SELECT a FROM t WHE", PG | SONDE_SQL_CUT);
	assert_memory_equal(a.text, "select a from t", 15);
	assert_int_equal(a.text_len, 15);
	run(&a, "SELECT a; SELECT", PG | SONDE_SQL_CUT);
	assert_int_equal(a.flags, 0); /* the cut is behind this statement */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),	 cmocka_unit_test(test_texts_are_stable),
		cmocka_unit_test(test_chunks),	 cmocka_unit_test(test_ids),
		cmocka_unit_test(test_literals), cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_comments), cmocka_unit_test(test_end),
		cmocka_unit_test(test_tail),	 cmocka_unit_test(test_long),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
