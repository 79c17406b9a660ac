// SPDX-License-Identifier: GPL-2.0-only
/* test_explain_advice.c - advice about plans that both servers sent, and about plans made for one rule. */
#include "unit.h"

#include <errno.h>

#include "base/buf.h"
#include "explain/advice.h"
#include "explain/explain.h"
#include "explain/plan.h"
#include "explain_plans.h"

/* The shop that the recorded plans are about. */
static void add_shop(struct sonde_facts *facts, bool mysql)
{
	assert_int_equal(sonde_facts_add_table(facts, mysql ? "o" : "orders", "orders", 50000, false), 0);
	assert_int_equal(sonde_facts_add_column(facts, "id", "integer"), 0);
	assert_int_equal(sonde_facts_add_column(facts, "customer_id", "integer"), 0);
	assert_int_equal(sonde_facts_add_column(facts, "status", "character varying(10)"), 0);
	assert_int_equal(sonde_facts_add_column(facts, "total", "numeric"), 0);
	assert_int_equal(sonde_facts_add_column(facts, "created_at", "timestamp without time zone"), 0);
	assert_int_equal(sonde_facts_add_column(facts, "note", "text"), 0);
	assert_int_equal(sonde_facts_add_index(facts, "orders_pkey"), 0);
	assert_int_equal(sonde_facts_add_index_column(facts, "id"), 0);
	assert_int_equal(sonde_facts_add_table(facts, mysql ? "c" : "customers", "customers", 5000, false), 0);
	assert_int_equal(sonde_facts_add_column(facts, "id", "integer"), 0);
	assert_int_equal(sonde_facts_add_column(facts, "email", "character varying(80)"), 0);
	assert_int_equal(sonde_facts_add_column(facts, "city", "text"), 0);
}

static void give(struct sonde_plan *plan, const char *json, const struct sonde_facts *facts, bool mysql)
{
	struct sonde_node *root;
	struct sonde_buf tree = { NULL };

	*plan = (struct sonde_plan){ NULL };
	assert_int_equal(mysql ? sonde_plan_read_mysql(&root, json) : sonde_plan_read_postgresql(&root, json), 0);
	assert_int_equal(sonde_advice_give(plan, root, facts, mysql), 0);
	sonde_node_print(&tree, root);
	plan->tree = tree.s;
	sonde_node_free(root);
}

/* The statements of the advice, one a line; a text without one counts as "-". */
static void check(const char *json, const struct sonde_facts *facts, bool mysql, const char *want)
{
	struct sonde_buf found = { NULL };
	struct sonde_plan plan;
	size_t i;

	give(&plan, json, facts, mysql);
	sonde_buf_str(&found, "");
	for (i = 0; i < plan.nr_advice; i++)
		sonde_buf_printf(&found, "%s\n", plan.advice[i].statement ? plan.advice[i].statement : "-");
	assert_string_equal(found.s ? found.s : "", want);
	sonde_buf_free(&found);
	sonde_plan_free(&plan);
}

static void check_shop(const char *json, bool mysql, bool limited, const char *want)
{
	struct sonde_facts facts = { .limited = limited };

	add_shop(&facts, mysql);
	check(json, &facts, mysql, want);
	sonde_facts_free(&facts);
}

static void test_postgresql(void **state)
{
	check_shop(pg_filter, false, false, "CREATE INDEX CONCURRENTLY ON orders (customer_id)\n");
	check_shop(pg_limit, false, false, "CREATE INDEX CONCURRENTLY ON orders (customer_id, status, total)\n");
	check_shop(pg_hash, false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (customer_id)\n"
		   "CREATE INDEX CONCURRENTLY ON customers (email)\n");
	check_shop(pg_or, false, false, "-\n-\n"); /* no index, and an estimate that is a guess */
	check_shop(pg_many, false, false, "CREATE INDEX CONCURRENTLY ON orders (note, status, created_at)\n");
	check_shop(pg_nested, false, false, "CREATE INDEX CONCURRENTLY ON orders (customer_id, note)\n");
	check_shop(pg_sort, false, false, "SET work_mem = '8MB'\n");
}

/* Without a catalog what was measured tells the size of the table. */
static void test_without_facts(void **state)
{
	const struct sonde_facts none = { .nr = 0 };

	check(pg_filter, &none, false, "CREATE INDEX CONCURRENTLY ON orders (customer_id)\n");
	check("[{\"Plan\": {\"Node Type\": \"Seq Scan\", \"Relation Name\": \"orders\", \"Alias\": \"orders\", "
	      "\"Plan Rows\": 10, \"Filter\": \"(customer_id = 42)\"}}]",
	      &none, false, "");
}

static void test_tree(void **state)
{
	struct sonde_facts facts = { .nr = 0 };
	struct sonde_plan plan;

	add_shop(&facts, false);
	give(&plan, pg_hash, &facts, false);
	assert_string_equal(
		plan.tree,
		"Hash Join, join condition (o.customer_id = c.id) (10 rows expected, 10 found, cost 1139)\n"
		"  Seq Scan on orders o (50,000 rows expected, 50,000 found, cost 917)\n"
		"  Hash (1 row expected, 1 found, cost 90)\n"
		"    Seq Scan on customers c, filter ((email)::text = 'u7@x'::text) (1 row expected, 1 found, "
		"cost 90)\n");
	assert_non_null(strstr(plan.advice[0].text, "all 50,000 rows of orders"));
	sonde_plan_free(&plan);
	sonde_facts_free(&facts);
}

#define SCAN(rows, filter)                                                                                             \
	"{\"Node Type\": \"Seq Scan\", \"Relation Name\": \"orders\", \"Alias\": \"orders\", \"Plan Rows\": " rows     \
	", \"Filter\": \"" filter "\"}"
#define PLAN(node) "[{\"Plan\": " node "}]"

static void test_sizes(void **state)
{
	struct sonde_facts small = { .nr = 0 }, never = { .nr = 0 };

	/* Every second row is wanted: an index would not pay. */
	check_shop(PLAN(SCAN("25000", "(customer_id = 42)")), false, false, "");
	check_shop(PLAN(SCAN("5000", "(customer_id = 42)")), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (customer_id)\n");
	check_shop(PLAN(SCAN("5001", "(customer_id = 42)")), false, false, "");
	assert_int_equal(sonde_facts_add_table(&small, "orders", "orders", 4999, false), 0);
	check(PLAN(SCAN("1", "(customer_id = 42)")), &small, false, "");
	sonde_facts_free(&small);
	assert_int_equal(sonde_facts_add_table(&never, "orders", "orders", -1, false), 0);
	check(PLAN(SCAN("1", "(customer_id = 42)")), &never, false, "ANALYZE orders\n");
	sonde_facts_free(&never);
}

/* Rows of a parallel scan are those of one process. */
static void test_parallel(void **state)
{
	static const char plan[] =
		"[{\"Plan\": {\"Node Type\": \"Gather\", \"Workers Planned\": 2, \"Plan Rows\": %s, \"Plans\": ["
		"{\"Node Type\": \"Seq Scan\", \"Parallel Aware\": true, \"Relation Name\": \"orders\", \"Alias\": "
		"\"orders\", \"Plan Rows\": %s, \"Filter\": \"(customer_id = 42)\"}]}}]";
	struct sonde_buf few = { NULL }, many = { NULL };

	sonde_buf_printf(&few, plan, "24", "10");
	check_shop(few.s, false, false, "CREATE INDEX CONCURRENTLY ON orders (customer_id)\n");
	sonde_buf_printf(&many, plan, "7200", "3000"); /* 3000 * 2.4 processes are more than a tenth */
	check_shop(many.s, false, false, "");
	sonde_buf_free(&few);
	sonde_buf_free(&many);
}

static void test_filters(void **state)
{
	check_shop(PLAN(SCAN("10", "(note ~~ '%x'::text)")), false, false, "-\n");
	check_shop(PLAN(SCAN("10", "(note ~~ 'x%'::text)")), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (note text_pattern_ops)\n");
	check_shop(PLAN(SCAN("10", "(lower(note) = 'x'::text)")), false, false, "-\n");
	check_shop(PLAN(SCAN("10", "((total)::text = '1'::text)")), false, false, "-\n");
	check_shop(PLAN(SCAN("10", "((created_at)::date = '2024-01-01'::date)")), false, false, "-\n");
	check_shop(PLAN(SCAN("10", "((lower(note) = 'x'::text) AND (customer_id = 1))")), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (customer_id)\n");
	check_shop(PLAN(SCAN("10", "(a_column_of_another_table = 1)")), false, false, "");
	check_shop(PLAN(SCAN("10", "(customer_id <> 1)")), false, false, "");
}

static void test_existing_index(void **state)
{
	struct sonde_facts facts = { .nr = 0 };

	assert_int_equal(sonde_facts_add_table(&facts, "orders", "shop.\"Orders\"", 50000, true), 0);
	check(PLAN(SCAN("1", "((status = 'x'::text) AND (customer_id = 42))")), &facts, false,
	      "CREATE INDEX ON shop.\"Orders\" (status, customer_id)\n"); /* partitioned: not concurrently */
	assert_int_equal(sonde_facts_add_index(&facts, "by_both"), 0);
	assert_int_equal(sonde_facts_add_index_column(&facts, "customer_id"), 0);
	assert_int_equal(sonde_facts_add_index_column(&facts, "status"), 0);
	check(PLAN(SCAN("1", "((status = 'x'::text) AND (customer_id = 42))")), &facts, false,
	      "ANALYZE shop.\"Orders\"\n");
	check(PLAN(SCAN("1", "(status = 'x'::text)")), &facts, false, "CREATE INDEX ON shop.\"Orders\" (status)\n");
	sonde_facts_free(&facts);
}

#define SORT(rows, keys, node)                                                                                         \
	"{\"Node Type\": \"Sort\", \"Plan Rows\": " rows ", \"Sort Key\": [" keys "], \"Plans\": [" node "]}"
#define LIMIT(node) "{\"Node Type\": \"Limit\", \"Plan Rows\": 5, \"Plans\": [" node "]}"
#define ALL_ROWS                                                                                                       \
	"{\"Node Type\": \"Seq Scan\", \"Relation Name\": \"orders\", \"Alias\": \"orders\", \"Plan Rows\": 50000}"

static void test_order(void **state)
{
	check_shop(PLAN(LIMIT(SORT("50000", "\"created_at DESC\"", ALL_ROWS))), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (created_at)\n");
	check_shop(PLAN(LIMIT(SORT("50000", "\"created_at DESC\", \"id\"", ALL_ROWS))), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (created_at DESC, id)\n");
	check_shop(PLAN(LIMIT(SORT("50000", "\"(lower(note))\"", ALL_ROWS))), false, false, "");
	check_shop(PLAN(LIMIT(SORT("10", "\"created_at\"", SCAN("10", "(customer_id = 42)")))), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (customer_id, created_at)\n");
	check_shop(PLAN(SORT("50000", "\"created_at\"", ALL_ROWS)), false, false, "");
	check_shop(PLAN(SORT("100000", "\"created_at\"", ALL_ROWS)), false, false, "-\n");
}

#define MEASURED(expected, found, removed, filter)                                                                     \
	"{\"Node Type\": \"Seq Scan\", \"Relation Name\": \"orders\", \"Alias\": \"orders\", \"Plan Rows\": " expected \
	", \"Actual Rows\": " found ", \"Actual Loops\": 1, \"Rows Removed by Filter\": " removed                      \
	", \"Filter\": \"" filter "\"}"

static void test_estimates(void **state)
{
	check_shop(PLAN(MEASURED("100", "20000", "30000", "(customer_id = 42)")), false, false, "ANALYZE orders\n");
	check_shop(PLAN(MEASURED("100", "20000", "30000", "((customer_id = 42) AND ((status)::text = 'x'::text))")),
		   false, false,
		   "ANALYZE orders\n"
		   "CREATE STATISTICS orders_customer_id_status (dependencies, ndistinct, mcv) ON customer_id, status "
		   "FROM orders\n");
	check_shop(PLAN(MEASURED("3000", "20000", "30000", "(customer_id = 42)")), false, false, "");
	check_shop(PLAN(MEASURED("1", "50", "49950", "(customer_id = 42)")), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (customer_id)\n"); /* off by 50, but few rows */
	check_shop(PLAN(MEASURED("20000", "20", "10", "(customer_id = 42)")), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (customer_id)\nANALYZE orders\n");
	/* A limit stops the scan: fewer rows than expected mean nothing. */
	check_shop(PLAN(LIMIT(MEASURED("20000", "20", "10", "(customer_id = 42)"))), false, false,
		   "CREATE INDEX CONCURRENTLY ON orders (customer_id)\n");
}

static void test_mysql(void **state)
{
	struct sonde_facts facts = { .nr = 0 };
	const struct sonde_facts none = { .nr = 0 };

	check(my_filter, &none, true, "CREATE INDEX orders_customer_id ON orders (customer_id)\n");
	check(my_filter_analyzed, &none, true, "CREATE INDEX orders_customer_id ON orders (customer_id)\n");
	check_shop(my_limit, true, true,
		   "CREATE INDEX orders_customer_id_status_total ON orders (customer_id, `status`, total)\n");
	check_shop(my_join, true, false,
		   "CREATE INDEX orders_customer_id ON orders (customer_id)\n"
		   "CREATE INDEX customers_email ON customers (email)\n");
	check(my_group, &none, true, "-\n"); /* temporary table */
	check(my_union, &none, true, "-\n");
	/* Where the filter's use is not known, an index that is not used may be left alone for a reason. */
	assert_int_equal(sonde_facts_add_table(&facts, "orders", "orders", 50000, false), 0);
	assert_int_equal(sonde_facts_add_index(&facts, "by_customer"), 0);
	assert_int_equal(sonde_facts_add_index_column(&facts, "customer_id"), 0);
	check(my_filter, &facts, true, "");
	check(my_filter_analyzed, &facts, true, "ANALYZE TABLE orders\n");
	sonde_facts_free(&facts);
}

#define MY_PLAN(members) "{\"query_block\": {\"select_id\": 1, " members "}}"

static void test_mysql_forms(void **state)
{
	const struct sonde_facts none = { .nr = 0 };
	struct sonde_facts shop = { .limited = true };
	struct sonde_plan plan;

	/* MariaDB before 10.9: several tables in one object. */
	give(&plan,
	     MY_PLAN("\"table\": {\"table_name\": \"a\", \"access_type\": \"ALL\", \"rows\": 5000, \"filtered\": 100}, "
		     "\"block-nl-join\": {\"table\": {\"table_name\": \"b\", \"access_type\": \"ALL\", \"rows\": 5000, "
		     "\"filtered\": 100}, \"buffer_type\": \"flat\", \"attached_condition\": \"b.city = a.city\"}"),
	     &none, true);
	assert_string_equal(plan.tree, "Select\n"
				       "  Full scan on a (5,000 rows expected)\n"
				       "  Full scan on b, join condition b.city = a.city (5,000 rows expected)\n");
	assert_int_equal(plan.nr_advice, 1);
	assert_string_equal(plan.advice[0].statement, "CREATE INDEX b_city ON b (city)");
	sonde_plan_free(&plan);
	/* MySQL 8. */
	check(MY_PLAN("\"cost_info\": {\"query_cost\": \"5029.75\"}, \"ordering_operation\": {\"using_filesort\": "
		      "true, "
		      "\"table\": {\"table_name\": \"orders\", \"access_type\": \"ALL\", \"rows_examined_per_scan\": "
		      "49735, \"rows_produced_per_join\": 4973, \"filtered\": \"10.00\", \"cost_info\": "
		      "{\"prefix_cost\": \"5029.75\"}, \"attached_condition\": \"(`shop`.`orders`.`customer_id` = "
		      "42)\"}}"),
	      &none, true, "CREATE INDEX orders_customer_id ON orders (`customer_id`)\n");
	/* MariaDB does not escape what it prints. */
	give(&plan,
	     "{\n  \"query_block\": {\n    \"select_id\": 1,\n    \"table\": {\n      \"table_name\": \"t\",\n"
	     "      \"access_type\": \"ALL\",\n      \"rows\": 50135,\n      \"filtered\": 100,\n"
	     "      \"attached_condition\": \"t.a = 'x\\' \"or\t' and t.b = 1\"\n    }\n  }\n}",
	     &none, true);
	assert_string_equal(plan.tree,
			    "Select\n  Full scan on t, filter t.a = 'x\\' \"or ' and t.b = 1 (50,135 rows expected)\n");
	assert_string_equal(plan.advice[0].statement, "CREATE INDEX t_a_b ON t (a, b)");
	sonde_plan_free(&plan);
	/* The first rows of an order. */
	add_shop(&shop, true);
	check(MY_PLAN("\"filesort\": {\"sort_key\": \"o.created_at desc, o.note\", \"table\": {\"table_name\": \"o\", "
		      "\"access_type\": \"ALL\", \"rows\": 50135, \"filtered\": 100}}"),
	      &shop, true, "CREATE INDEX orders_created_at_note ON orders (created_at DESC, note(64))\n");
	sonde_facts_free(&shop);
	/* All of them. */
	check(MY_PLAN("\"filesort\": {\"sort_key\": \"o.created_at\", \"table\": {\"table_name\": \"o\", "
		      "\"access_type\": \"ALL\", \"rows\": 50135, \"filtered\": 100}}"),
	      &none, true, "-\n");
}

static void test_bad_plans(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{",
		"{}",
		"[{}]",
		"[{\"Plan\": 1}]",
		"[{\"Plan\": {\"Node Type\": 7}}]",
		"{\"query_block\": []}",
		"[{\"Plan\": {\"Node Type\": \"Sort\", \"Plans\": [1]}}]",
	};
	struct sonde_buf deep = { NULL };
	struct sonde_node *root;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(sonde_plan_read_postgresql(&root, bad[i]), -EPROTO);
		assert_null(root);
		assert_int_equal(sonde_plan_read_mysql(&root, bad[i]), -EPROTO);
		assert_null(root);
	}
	sonde_buf_str(&deep, "[{\"Plan\": ");
	for (i = 0; i < 300; i++)
		sonde_buf_str(&deep, "{\"Node Type\": \"Sort\", \"Plans\": [");
	for (i = 0; i < 300; i++)
		sonde_buf_str(&deep, "]}");
	sonde_buf_str(&deep, "}]");
	assert_int_equal(sonde_plan_read_postgresql(&root, deep.s), -EPROTO);
	sonde_buf_free(&deep);
	sonde_buf_str(&deep, "{\"query_block\": ");
	for (i = 0; i < 300; i++)
		sonde_buf_str(&deep, "{\"filesort\": ");
	for (i = 0; i < 300; i++)
		sonde_buf_str(&deep, i ? "}" : "{}}");
	sonde_buf_str(&deep, "}");
	assert_int_equal(sonde_plan_read_mysql(&root, deep.s), -EPROTO);
	sonde_buf_free(&deep);
}

/* A plan with bytes changed is refused or read, and nothing worse. */
static void test_mutated_plans(void **state)
{
	static const char *const seeds[] = { pg_limit, pg_nested, my_limit, my_union };
	u64 random = 7;
	size_t round, i;

	for (round = 0; round < 4000; round++) {
		const char *seed = seeds[round % 4];
		bool mysql = round % 4 > 1;
		struct sonde_facts facts = { .limited = round % 3 == 0 };
		struct sonde_plan plan = { NULL };
		char *text = strdup(seed);
		struct sonde_node *root;

		for (i = 0; i < 3; i++)
			text[unit_random(&random) % strlen(seed)] = "\"{}[],:0a-"[unit_random(&random) % 10];
		if (round % 2)
			add_shop(&facts, mysql);
		if ((mysql ? sonde_plan_read_mysql : sonde_plan_read_postgresql)(&root, text) == 0) {
			struct sonde_buf tree = { NULL };

			assert_int_equal(sonde_advice_give(&plan, root, &facts, mysql), 0);
			sonde_node_print(&tree, root);
			sonde_buf_free(&tree);
			sonde_node_free(root);
		}
		sonde_plan_free(&plan);
		sonde_facts_free(&facts);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postgresql),     cmocka_unit_test(test_without_facts),
		cmocka_unit_test(test_tree),	       cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_parallel),       cmocka_unit_test(test_filters),
		cmocka_unit_test(test_existing_index), cmocka_unit_test(test_order),
		cmocka_unit_test(test_estimates),      cmocka_unit_test(test_mysql),
		cmocka_unit_test(test_mysql_forms),    cmocka_unit_test(test_bad_plans),
		cmocka_unit_test(test_mutated_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
