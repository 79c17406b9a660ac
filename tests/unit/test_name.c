// SPDX-License-Identifier: GPL-2.0-only
/* test_name.c - short names of statements. */
#include <stdio.h>

#include "unit.h"

#include "model/name.h"

static const struct {
	const char *text;
	const char *name;
} cases[] = {
	{ "select * from orders where id = ?", "SELECT orders" },
	{ "select a, b from orders o join customers c on o.cid = c.id left join items using (oid) where x in (?+)",
	  "SELECT orders customers items" },
	{ "select a from orders, customers c, items i where extract(epoch from ts) > ?",
	  "SELECT orders customers items" },
	{ "select a from t1 join t2 on t1.a = t2.a, t3", "SELECT t1 t2 t3" },
	{ "insert into items (a, b) values (?+)", "INSERT items" },
	{ "insert into archive (a) select a from orders", "INSERT archive SELECT orders" },
	{ "insert into shop.archive select a from orders on conflict (id) do update set a = ?",
	  "INSERT shop.archive SELECT orders" },
	{ "update orders set a = ? from customers where x = ?", "UPDATE orders" },
	{ "update only public.orders set a = ?", "UPDATE public.orders" },
	{ "delete from orders where id in (select id from stale)", "DELETE orders stale" },
	{ "delete from orders using customers where x = ?", "DELETE orders customers" },
	{ "with x as (select * from orders), y (a, b) as (select * from x join c on a = b) select * from y, z",
	  "SELECT orders c z" },
	{ "with recursive t(n) as (values (?+) union all select n + ? from t where n < ?) select sum(n) from t",
	  "SELECT sum()" },
	{ "with d as (delete from orders returning *) insert into archive select * from d",
	  "INSERT archive SELECT orders" },
	{ "(select a from x) union (select b from y)", "SELECT x y" },
	{ "select now()", "SELECT now()" },
	{ "select pg_advisory_lock(?)", "SELECT pg_advisory_lock()" },
	{ "select ?", "SELECT" },
	{ "select count(*) from \"Order Items\"", "SELECT \"Order Items\"" },
	{ "select count(*) from `order`", "SELECT order" },
	{ "select * from \"shop\".\"orders\" where \"a\" = ?", "SELECT shop.orders" },
	{ "select * from generate_series(?, ?) g", "SELECT generate_series()" },
	{ "select * from (select * from inner1 join (inner2 join inner3 on ?) on ?) s", "SELECT inner1 inner2 inner3" },
	{ "select exists (select ? from users where id = ?)", "SELECT users" },
	{ "select a is distinct from b from t", "SELECT t" },
	{ "begin", "BEGIN" },
	{ "start transaction isolation level serializable", "START TRANSACTION" },
	{ "commit", "COMMIT" },
	{ "rollback to savepoint x", "ROLLBACK" },
	{ "savepoint active_record_1", "SAVEPOINT active_record_1" },
	{ "copy orders from stdin", "COPY orders" },
	{ "copy orders (a, b) from stdin with (format binary)", "COPY orders" },
	{ "copy (select * from orders) to stdout", "COPY orders" },
	{ "create table if not exists foo (a int)", "CREATE TABLE foo" },
	{ "create unique index concurrently idx on foo (a)", "CREATE UNIQUE INDEX idx" },
	{ "create or replace view v as select * from t", "CREATE VIEW v t" },
	{ "drop table a, b", "DROP TABLE a b" },
	{ "alter table foo add column x int", "ALTER TABLE foo" },
	{ "truncate table a, b", "TRUNCATE a b" },
	{ "set search_path to ?", "SET search_path" },
	{ "show server_version", "SHOW server_version" },
	{ "explain (analyze, buffers) select * from t", "EXPLAIN SELECT t" },
	{ "explain analyze update t set a = ?", "EXPLAIN UPDATE t" },
	{ "call do_it(?)", "CALL do_it" },
	{ "pragma table_info(users)", "PRAGMA table_info" },
	{ "replace into t values (?+)", "REPLACE t" },
	{ "insert ignore into t values (?+)", "INSERT t" },
	{ "insert or replace into t values (?+)", "INSERT t" },
	{ "update ignore a, b set a.x = b.x", "UPDATE a b" },
	{ "merge into t using s on t.id = s.id when matched then update set x = ?", "MERGE t s" },
	{ "select * from a for update of a", "SELECT a" },
	{ "select a into tmp from b", "SELECT tmp b" },
	{ "lock table a in exclusive mode", "LOCK a" },
	{ "vacuum (full, analyze) t", "VACUUM t" },
	{ "declare c cursor for select * from big", "DECLARE big" },
	{ "fetch ? from c", "FETCH" },
	{ "deallocate s1", "DEALLOCATE" },
	{ "select substring(a from ? for ?) from t", "SELECT t" },
	{ "select * from Ünïcode where ä = ?", "SELECT Ünïcode" },
	{ "values (?+)", "VALUES" },
	{ "select * from only (orders)", "SELECT orders" },
	{ "select * from t where (a, b) in (select a, b from u)", "SELECT t u" },
	{ "select case when a then (select max(b) from k) end from m", "SELECT k m" },
	{ "table orders", "TABLE orders" },
	{ "/*+ seqscan(a) */ select * from a", "SELECT a" },
	{ "", "" },
	{ "? ? ?", "" },
	{ "select * from "
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaa",
	  "SELECT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..." },
	{ "select * from table_number_one, table_number_two, table_number_three, table_number_four, table_number_five, "
	  "table_number_six",
	  "SELECT table_number_one table_number_two table_number_three table_number_four ..." },
	{ "refresh materialized view concurrently v", "REFRESH v" },
	{ "select * from t1 left outer join lateral (select * from t2) x on true", "SELECT t1 t2" },
	{ "notify chan, ?", "NOTIFY chan" },
	{ "unlisten *", "UNLISTEN" },
};

static void test_names(void **state)
{
	char name[SONDE_NAME_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = sonde_name(cases[i].text, strlen(cases[i].text), name);

		if (strcmp(name, cases[i].name))
			fail_msg("%s\n  is named %s\n  not      %s", cases[i].text, name, cases[i].name);
		assert_int_equal(len, strlen(name));
	}
	(void)state;
}

/* Every beginning of a statement, and noise: no byte before or behind is touched (the sanitizers look on). */
static void test_cut_and_noise(void **state)
{
	static const char alphabet[] = "select from join with as insert into update (),.;\"`'?\xc3\xa4*/ \n";
	char out[SONDE_NAME_MAX], *copy;
	u64 seed = 5;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t len = 0; len <= strlen(cases[i].text); len++) {
			copy = malloc(len + 1);
			assert_non_null(copy);
			memcpy(copy, cases[i].text, len);
			assert_true(sonde_name(copy, len, out) < SONDE_NAME_MAX);
			free(copy);
		}
	}
	for (u32 round = 0; round < 20000; round++) {
		char noise[300];
		size_t len = unit_random(&seed) % sizeof(noise);

		for (size_t i = 0; i < len; i++)
			noise[i] = round % 2 ? alphabet[unit_random(&seed) % (sizeof(alphabet) - 1)]
					     : (char)unit_random(&seed);
		assert_true(sonde_name(noise, len, out) < SONDE_NAME_MAX);
		assert_int_equal(out[strlen(out)], 0);
	}
	(void)state;
}

static void test_deep_parentheses(void **state)
{
	static char text[4096];
	char name[SONDE_NAME_MAX];
	size_t at = 0;

	at += (size_t)sprintf(text, "select ");
	for (u32 i = 0; i < 1000; i++)
		text[at++] = '(';
	text[at++] = '?';
	for (u32 i = 0; i < 1000; i++)
		text[at++] = ')';
	at += (size_t)sprintf(text + at, " from t");
	sonde_name(text, at, name);
	assert_string_equal(name, "SELECT t");
	(void)state;
}

static void test_labels(void **state)
{
	static const char *const labels[][2] = {
		{ "find orders {customer_id: ?, total: {$gt: ?}}", "find orders" },
		{ "aggregate orders [$match {status: ?}]", "aggregate orders" },
		{ "GET user:?", "GET user:?" },
		{ "hello", "hello" },
		{ "", "" },
		{ " ", " " },
	};
	char name[SONDE_NAME_MAX], longest[200];

	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		assert_int_equal(sonde_name_label(labels[i][0], strlen(labels[i][0]), name), strlen(labels[i][1]));
		assert_string_equal(name, labels[i][1]);
	}
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(sonde_name_label(longest, sizeof(longest), name), SONDE_NAME_MAX - 1);
	assert_string_equal(name + SONDE_NAME_MAX - 5, "x...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cut_and_noise),
		cmocka_unit_test(test_deep_parentheses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
