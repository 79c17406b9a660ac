// SPDX-License-Identifier: GPL-2.0-only
/* test_explain.c - which statements may be explained, conditions taken apart, DSNs, texts with values in them. */
#include "unit.h"

#include <errno.h>

#include "base/buf.h"
#include "explain/cond.h"
#include "explain/dsn.h"
#include "explain/explain.h"
#include "explain/scan.h"
#include "explain/statement.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define PG 0u
#define MY (SONDE_SCAN_MYSQL | SONDE_SCAN_BACKSLASH)

/* Why @sql is refused, or NULL. */
static const char *refused(const char *sql, unsigned int flags)
{
	struct sonde_scan scan;
	const char *why;

	why = sonde_scan_text(&scan, sql, flags) ? scan.error : sonde_statement_refuse(&scan);
	sonde_scan_free(&scan);
	return why;
}

/* Fails with the text itself. */
static void check(const char *sql, unsigned int flags, bool allowed)
{
	const char *why = refused(sql, flags);

	if (!why != allowed)
		fail_msg("%s: %s (%s)", allowed ? "refused" : "allowed", sql, why ? why : "no reason");
}

static void test_allowed(void **state)
{
	static const char *const both[] = {
		"select 1",
		"SELECT * FROM orders WHERE id = 1;",
		" /* a comment */ select 1 -- another\n",
		"(select 1) union all (select 2)",
		"with a as (select 1) select * from a",
		"with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select * from n",
		"select 'a; drop table x', \"name; y\" from t",
		"select 'it''s' from t where a = '/* no comment'",
		"select replace(name, 'a', 'b') from t",
		"select t.update, t.into, t.delete from t",
		"select substring(name from 1 for 3) from t",
		"select count(*) as delete_count, updated_at from inserts",
		"select 1;;",
	};
	static const char *const postgresql[] = {
		"select $$ ; delete from x $$",
		"select $a$ into $b$ ; $a$",
		"select E'it\\'s ; into' from t",
		"select a /* nested /* comment */ ; into */ from t",
		"select data ? 'key', data #>> '{a,b}' from t where id = $1",
		"select '\\', 1 from t",
		"select update from t",
	};
	static const char *const mysql[] = {
		"select `into`, `a;b` from t # ; drop\n where a = ?",
		"select 'a\\'; drop table x; -- ' from t",
		"select /*+ MAX_EXECUTION_TIME(10) */ 1",
		"select 5--1",
		"select insert('abc', 1, 2, 'x')",
		"select @a := 1, @@version",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(both); i++) {
		check(both[i], PG, true);
		check(both[i], MY, true);
	}
	for (i = 0; i < ARRAY_SIZE(postgresql); i++)
		check(postgresql[i], PG, true);
	for (i = 0; i < ARRAY_SIZE(mysql); i++)
		check(mysql[i], MY, true);
}

static void test_refused(void **state)
{
	static const char *const both[] = {
		"",
		" ",
		";",
		"-- select 1\n",
		"drop table x",
		"insert into t values (1)",
		"update t set a = 1",
		"select 1; drop table x",
		"select 1; select 2",
		"select 1 /* ; */ ; drop table x",
		"with d as (delete from t returning *) select * from d",
		"with d as (select 1) delete from t",
		"with d as (select 1) update t set a = 1",
		"with d as (select 1) insert into t select * from d",
		"WITH d AS (SELECT 1), e AS (UPDATE t SET a = 1 RETURNING a) SELECT * FROM e",
		"select * into x from t",
		"select a from t for update",
		"select a from t FOR SHARE",
		"select a from t for no key update",
		"select a from t lock in share mode",
		"select (a from t",
		"select 1) , (2",
		"select 'a",
		"select \"a",
		"select /* a",
		"explain select 1",
		"explain analyze delete from t",
		"values (1)",
		"table t",
		"call p()",
		"set a = 1",
		"copy t to '/tmp/x'",
		"select 1into x",
		"select a \\ b",
		"(with a as (select 1) delete from t)",
	};
	static const char *const postgresql[] = {
		/* A string goes on on the next line, with the escapes it began with. */
		"select E'a'\n'\\'' into x --'",
		"select $a$ ; $b$",
		"select 1 $ 2",
		"select '\\'; drop table x; --'",
		"select 1 -- comment\r; drop table x",
		"with a as (select 1) search depth first by x set y delete from t",
		"with a as materialized (merge into t using s on true when matched then delete) select 1",
	};
	static const char *const mysql[] = {
		"select 1 /*! into outfile '/tmp/x' */",
		"select 1 /*!50000 ; drop table x */",
		"select 1 /*M! into @a */",
		"select a from t into outfile '/tmp/x'",
		"select a into @b from t",
		/* No comment without a blank behind it. */
		"select 1 --1 into @x",
		"select 1 /* a /* b */ ; drop table x /* */",
		"select \"a\\\" ; drop table x; -- ",
		"with a as (select 1) update (t) set b = 1",
		"replace into t values (1)",
		"select 1 -- comment\r\n into @x",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(both); i++) {
		check(both[i], PG, false);
		check(both[i], MY, false);
	}
	for (i = 0; i < ARRAY_SIZE(postgresql); i++)
		check(postgresql[i], PG, false);
	for (i = 0; i < ARRAY_SIZE(mysql); i++)
		check(mysql[i], MY, false);
}

/* How the server reads backslashes and double quotes decides where a string ends. */
static void test_string_modes(void **state)
{
	const char *escaped = "select '\\'; drop table x; --'";

	assert_non_null(refused(escaped, PG));
	assert_null(refused(escaped, SONDE_SCAN_BACKSLASH));
	assert_null(refused("select '\\'; drop table x; -- '", MY));
	assert_non_null(refused("select '\\'; drop table x; -- '", SONDE_SCAN_MYSQL));
	assert_null(refused("select \"a\\\" from t", MY | SONDE_SCAN_ANSI_QUOTES));
	assert_non_null(refused("select \"a\\\" from t", MY));
}

static void test_long_and_mutated(void **state)
{
	static const char *const seeds[] = {
		"with a as (select $1, E'x\\'y' from t where b in (1, 2.5e3)) select * from a -- end",
		"((o.customer_id = 42) AND ((s)::text = ANY ('{a,b}'::text[])) OR (lower(x) ~~ '%a'))",
		"trigcond(t.`a` between <cache>(1) and 2 and t.b like 'x%' and not t.c is null)",
	};
	size_t size = SONDE_SCAN_MAX_BYTES + 2, i, round;
	char *text = malloc(size);
	u64 random = 42;

	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, "select", 6);
	text[size - 1] = '\0';
	assert_string_equal(refused(text, PG), "it is too long");
	for (round = 0; round < 20000; round++) {
		const char *seed = seeds[round % ARRAY_SIZE(seeds)];
		struct sonde_cond cond = { .nr = 0 };

		memcpy(text, seed, strlen(seed) + 1);
		for (i = 0; i < 4; i++)
			text[unit_random(&random) % strlen(seed)] =
				"'\"`$(){}<>=;:-/*#\\ aA1?.,\n"[unit_random(&random) % 26];
		refused(text, round % 2 ? PG : MY);
		assert_int_equal(sonde_cond_add(&cond, text, round % 3 == 0), 0);
		sonde_cond_free(&cond);
	}
	free(text);
}

static int quote_plainly(void *ctx, struct sonde_buf *out, const char *value)
{
	sonde_buf_printf(out, "'%s'", value);
	return 0;
}

static void check_fill(const char *sql, unsigned int flags, const char *const *params, size_t nr, const char *want)
{
	struct sonde_buf out = { NULL };
	struct sonde_scan scan;

	assert_int_equal(sonde_scan_text(&scan, sql, flags), 0);
	assert_int_equal(sonde_statement_fill(&out, &scan, params, nr, quote_plainly, NULL), want ? 0 : -EINVAL);
	if (want)
		assert_string_equal(out.s, want);
	sonde_buf_free(&out);
	sonde_scan_free(&scan);
}

static void test_fill(void **state)
{
	const char *const values[] = { "one", NULL, "3" };

	check_fill("/* c */ select $1, '$1', $2 where a = $10; -- x", PG, NULL, 0, "select $1, '$1', $2 where a = $10");
	check_fill("select $2, $1, \"$1\", $1", PG, values, 2, "select  NULL ,  'one' , \"$1\",  'one' ");
	check_fill("select $4", PG, values, 3, NULL);
	check_fill("select $0", PG, values, 3, NULL);
	check_fill("select a from t where b = ? and c = '?' limit ?", MY, (const char *const[]){ "7", "5" }, 2,
		   "select a from t where b =  '7'  and c = '?' limit  5 ");
	check_fill("select a from t limit ?, ?", MY, (const char *const[]){ "1", "2" }, 2,
		   "select a from t limit  1 ,  2 ");
	check_fill("select a from t limit ?", MY, (const char *const[]){ "1; drop" }, 1,
		   "select a from t limit  '1; drop' ");
	check_fill("select ? + ?", MY, values, 1, NULL);
}

static void test_tables(void **state)
{
	struct sonde_table_refs refs;
	struct sonde_scan scan;

	assert_int_equal(sonde_scan_text(&scan,
					 "select a.x, extract(year from z) from Shop.\"Orders\" as o, items i "
					 "join customers on i.a = customers.b left join (select * from deep) d on true "
					 "where o.c in (select y from other x2)",
					 PG),
			 0);
	assert_int_equal(sonde_statement_tables(&scan, &refs), 0);
	assert_int_equal(refs.nr, 6);
	assert_string_equal(refs.refs[0].name, "z"); /* no table, and no harm: no plan has it */
	assert_string_equal(refs.refs[1].schema, "shop");
	assert_string_equal(refs.refs[1].name, "Orders");
	assert_string_equal(refs.refs[1].alias, "o");
	assert_string_equal(refs.refs[1].spelled, "Shop.\"Orders\"");
	assert_string_equal(refs.refs[2].alias, "i");
	assert_string_equal(refs.refs[3].alias, "customers");
	assert_string_equal(refs.refs[4].name, "deep");
	assert_string_equal(refs.refs[5].alias, "x2");
	sonde_table_refs_free(&refs);
	sonde_scan_free(&scan);
}

struct term {
	enum sonde_cond_kind kind;
	const char *table, *name;
};

static void check_cond(const char *text, bool mysql, const struct term *terms, size_t nr)
{
	struct sonde_cond cond = { .nr = 0 };
	size_t i;

	assert_int_equal(sonde_cond_add(&cond, text, mysql), 0);
	assert_int_equal(cond.nr, nr);
	for (i = 0; i < nr; i++) {
		assert_int_equal(cond.terms[i].kind, terms[i].kind);
		if (terms[i].name)
			assert_string_equal(cond.terms[i].column.name, terms[i].name);
		if (terms[i].table)
			assert_string_equal(cond.terms[i].column.table, terms[i].table);
	}
	sonde_cond_free(&cond);
}

#define CHECK_COND(text, mysql, ...)                                                                                   \
	do {                                                                                                           \
		const struct term terms_[] = { __VA_ARGS__ };                                                          \
		check_cond(text, mysql, terms_, ARRAY_SIZE(terms_));                                                   \
	} while (0)

static void test_conditions_postgresql(void **state)
{
	CHECK_COND("(customer_id = 42)", false, { SONDE_COND_EQUAL, NULL, "customer_id" });
	CHECK_COND("((total > '10'::numeric) AND (o.customer_id = 42) AND ((status)::text = 'new'::text))", false,
		   { SONDE_COND_RANGE, NULL, "total" }, { SONDE_COND_EQUAL, "o", "customer_id" },
		   { SONDE_COND_EQUAL, NULL, "status" });
	CHECK_COND("((status)::text = ANY ('{new,x}'::text[]))", false, { SONDE_COND_EQUAL, NULL, "status" });
	CHECK_COND("(\"Order\" IS NULL)", false, { SONDE_COND_EQUAL, NULL, "Order" });
	CHECK_COND("(a IS NOT NULL)", false, { SONDE_COND_OTHER });
	CHECK_COND("(note ~~ '%x'::text)", false, { SONDE_COND_CONTAINS, NULL, "note" });
	CHECK_COND("(note ~~ 'x%'::text)", false, { SONDE_COND_PREFIX, NULL, "note" });
	CHECK_COND("(note ~~* 'x%'::text)", false, { SONDE_COND_CONTAINS, NULL, "note" });
	CHECK_COND("(lower((status)::text) = 'a'::text)", false, { SONDE_COND_EXPRESSION });
	CHECK_COND("((note ~~ '%x'::text) OR (a = 1))", false, { SONDE_COND_EITHER });
	CHECK_COND("(o.customer_id = c.id)", false, { SONDE_COND_JOIN, "o", "customer_id" });
	CHECK_COND("(created_at > (now() - '1 day'::interval))", false, { SONDE_COND_RANGE, NULL, "created_at" });
	CHECK_COND("('5'::numeric < total)", false, { SONDE_COND_RANGE, NULL, "total" });
	CHECK_COND("(a <> 1)", false, { SONDE_COND_OTHER });
	CHECK_COND("(NOT (a = 1))", false, { SONDE_COND_OTHER });
	CHECK_COND("(NOT (hashed SubPlan 1))", false, { SONDE_COND_OTHER });
	CHECK_COND("(a = (SubPlan 1))", false, { SONDE_COND_OTHER });
	CHECK_COND("(a = $0)", false, { SONDE_COND_EQUAL, NULL, "a" });
	CHECK_COND("(CASE WHEN ((a = 1) AND b) THEN 1 ELSE 2 END = 1)", false, { SONDE_COND_EXPRESSION });
	CHECK_COND("(a = b)", false, { SONDE_COND_OTHER });
	check_cond("'unfinished", false, NULL, 0);
}

static void test_conditions_mysql(void **state)
{
	CHECK_COND("o.customer_id = 42 and o.`status` = 'new' and o.total > 10", true,
		   { SONDE_COND_EQUAL, "o", "customer_id" }, { SONDE_COND_EQUAL, "o", "status" },
		   { SONDE_COND_RANGE, "o", "total" });
	CHECK_COND("t.`status` in ('new','x') and t.c between <cache>('2024-01-01') and <cache>('2024-01-02') and "
		   "t.note is null and cast(t.c as date) = '2024-01-01' and t.d <=> 3 and t.note like 'a%'",
		   true, { SONDE_COND_EQUAL, "t", "status" }, { SONDE_COND_RANGE, "t", "c" },
		   { SONDE_COND_EQUAL, "t", "note" }, { SONDE_COND_EXPRESSION }, { SONDE_COND_EQUAL, "t", "d" },
		   { SONDE_COND_PREFIX, "t", "note" });
	CHECK_COND("t.c between '2024-01-01' and '2024-01-02' and t.d = 1", true, { SONDE_COND_RANGE, "t", "c" },
		   { SONDE_COND_EQUAL, "t", "d" });
	CHECK_COND("trigcond(b.city = a.city)", true, { SONDE_COND_JOIN, "b", "city" });
	CHECK_COND("(`shop`.`orders`.`customer_id` = 42)", true, { SONDE_COND_EQUAL, "orders", "customer_id" });
	CHECK_COND("t.note like '%x' or lcase(t.`status`) = 'a'", true, { SONDE_COND_EITHER });
	CHECK_COND("t.a not in (1,2)", true, { SONDE_COND_OTHER });
	CHECK_COND("t.a + 1 = 2", true, { SONDE_COND_EXPRESSION });
	CHECK_COND("t.note like '%it\\'s'", true, { SONDE_COND_CONTAINS, "t", "note" });
}

static void check_dsn(const char *text, const char *user, const char *password, const char *host, unsigned int port,
		      const char *database, const char *socket)
{
	const char *want[] = { user, password, host, database, socket };
	struct sonde_dsn dsn;
	const char *why;
	size_t i;

	assert_int_equal(sonde_dsn_parse(&dsn, text, &why), 0);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		const char *found[] = { dsn.user, dsn.password, dsn.host, dsn.database, dsn.socket };

		if (want[i])
			assert_string_equal(found[i], want[i]);
		else
			assert_null(found[i]);
	}
	assert_int_equal(dsn.port, port);
	sonde_dsn_free(&dsn);
}

static void test_dsn(void **state)
{
	static const char *const wrong[] = {
		"mysql:",	  "mysql://h:0/d",  "mysql://h:70000/d", "mysql://h:x/d",     "mysql://u:%zz@h/d",
		"mysql://u:%0/d", "mysql://[::1/d", "mysql://[::1]x/d",	 "mysql://h/d?ssl=1", "mysql://u:%00@h/d",
		"mysql://h:/d",
	};
	size_t i;

	check_dsn("mysql://u:p%40w@h:3307/shop", "u", "p@w", "h", 3307, "shop", NULL);
	check_dsn("mysql://u:p@w@h", "u", "p@w", "h", 0, NULL, NULL);
	check_dsn("mysql://root@/shop?socket=/run/my%20sql/s", "root", NULL, NULL, 0, "shop", "/run/my sql/s");
	check_dsn("mariadb://[::1]:3306/", NULL, NULL, "::1", 3306, NULL, NULL);
	check_dsn("mysql://", NULL, NULL, NULL, 0, NULL, NULL);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct sonde_dsn dsn;
		const char *why = NULL;

		assert_int_equal(sonde_dsn_parse(&dsn, wrong[i], &why), -EINVAL);
		assert_non_null(why);
		sonde_dsn_free(&dsn);
	}
}

static void test_open_refuses(void **state)
{
	static const char *const wrong[] = { "", "shop", "http://h/d", "mysql://h:x/d" };
	char err[SONDE_EXPLAIN_ERROR_BYTES];
	struct sonde_explain *explain;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(sonde_explain_open(&explain, wrong[i], NULL, err, sizeof(err)), -EINVAL);
		assert_null(explain);
		assert_non_null(strstr(err, "wrong DSN"));
	}
	sonde_explain_close(NULL);
	sonde_plan_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_string_modes),
		cmocka_unit_test(test_long_and_mutated),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_conditions_postgresql),
		cmocka_unit_test(test_conditions_mysql),
		cmocka_unit_test(test_dsn),
		cmocka_unit_test(test_open_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
