// SPDX-License-Identifier: GPL-2.0-only
/* test_suggest.c - what is suggested for a statement, word for word; and that no text whatever makes it fall. */
#include <stdio.h>

#include "unit.h"

#include "base/buf.h"
#include "model/finding.h"
#include "model/sql_shape.h"
#include "model/suggest.h"
#include "sonde/key.h"
#include "sonde/sql.h"

#define PG SONDE_PROTO_POSTGRESQL
#define MY SONDE_PROTO_MYSQL
#define LI SONDE_PROTO_SQLITE
#define RE SONDE_PROTO_REDIS
#define MC SONDE_PROTO_MEMCACHED
#define MO SONDE_PROTO_MONGODB

static const struct {
	u8 proto;
	const char *query;
	const char *parent;
	const char *want;
} reads[] = {
	{ PG, "select name from customers where id = ?",
	  "select id, total, customer_id from orders order by id desc limit ?",
	  "one query: select id, name from customers where id in (...), or join: from orders join customers on "
	  "customers.id "
	  "= orders.customer_id" },
	{ PG, "select * from customers where id = ?", NULL,
	  "one query: select * from customers where id in (...), or join customers in the query that lists what the "
	  "loop goes "
	  "through" },
	{ PG, "select id, title from posts where author_id = ?", "select id, name from authors where active = ?",
	  "one query: select author_id, id, title from posts where author_id in (...), or join: from authors join "
	  "posts on "
	  "posts.author_id = authors.id" },
	{ PG, "select a, b, author_id from posts where author_id = ? order by created desc", "select * from authors",
	  "one query: select a, b, author_id from posts where author_id in (...) order by created desc, or join: from "
	  "authors "
	  "join posts on posts.author_id = authors.id" },
	{ MY, "select count(*) from comments where post_id = ?", "select id, title from posts order by id desc limit ?",
	  "one query: select post_id, count(*) from comments where post_id in (...) group by post_id, or join: from "
	  "posts join "
	  "comments on comments.post_id = posts.id" },
	{ PG, "select max(price) from bids b where b.item_id = ?", NULL,
	  "one query: select b.item_id, max(price) from bids b where b.item_id in (...) group by b.item_id, or join "
	  "bids in the "
	  "query that lists what the loop goes through" },
	/* Rails and Django: every column with its table, a LIMIT that means nothing. */
	{ PG, "select users.* from users where users.id = ? limit ?",
	  "select posts.* from posts where posts.user_id in (?+)",
	  "one query: select users.* from users where users.id in (...), or join: from posts join users on users.id = "
	  "posts.user_id" },
	{ PG,
	  "select shop_customer.id, shop_customer.name, shop_customer.email, shop_customer.city from shop_customer "
	  "where "
	  "shop_customer.id = ? limit ?",
	  "select shop_order.id, shop_order.customer_id, shop_order.total from shop_order order by shop_order.id desc",
	  "one query: select ... from shop_customer where shop_customer.id in (...), or join: from "
	  "shop_order "
	  "join shop_customer on shop_customer.id = shop_order.customer_id" },
	/* The latest of each. */
	{ PG, "select body from comments where post_id = ? order by id desc limit ?", NULL,
	  "one query: select post_id, body from comments where post_id in (...), the first of each by row_number() "
	  "over "
	  "(partition by post_id order by id desc), or join comments in the query that lists what the loop goes "
	  "through" },
	/* Which of several conditions. */
	{ PG, "select x from items where deleted = ? and order_id = ?", "select id from orders",
	  "one query: select order_id, x from items where deleted = ? and order_id in (...), or join: from orders join "
	  "items on "
	  "items.order_id = orders.id" },
	{ PG, "select x from items where shop_id = ? and order_id = ?", "select id from orders",
	  "one query: select order_id, x from items where shop_id = ? and order_id in (...), or join: from orders join "
	  "items on "
	  "items.order_id = orders.id" },
	{ PG, "select x from items where order_id = ? and kind <> ?", NULL,
	  "one query: select order_id, x from items where order_id in (...) and kind <> ?, or join items in the query "
	  "that lists "
	  "what the loop goes through" },
	{ PG, "select price from prices where sku = ?", "select sku, name from products",
	  "one query: select sku, price from prices where sku in (...), or join: from products join prices on "
	  "prices.sku = "
	  "products.sku" },
	/* Groups, joins, quotes. */
	{ PG, "select kind, count(*) from votes where post_id = ? group by kind", NULL,
	  "one query: select post_id, kind, count(*) from votes where post_id in (...) group by post_id, kind, or join "
	  "votes in "
	  "the query that lists what the loop goes through" },
	{ PG, "select p.name, i.quantity from items i join products p on p.id = i.product_id where i.order_id = ?",
	  "select id, total from orders",
	  "one query: select i.order_id, p.name, i.quantity from items i join products p on p.id = i.product_id where "
	  "i.order_id "
	  "in (...), or join: from orders join items on items.order_id = orders.id" },
	{ PG, "select \"Id\", \"Name\" from \"Customer\" where \"Id\" = ?",
	  "select \"Id\", \"CustomerId\" from \"Order\"",
	  "one query: select \"Id\", \"Name\" from \"Customer\" where \"Id\" in (...), or join: from \"Order\" join "
	  "\"Customer\" on "
	  "\"Customer\".\"Id\" = \"Order\".\"CustomerId\"" },
	{ MY, "select Name from Customers where CustomerId = ?", "select OrderId, CustomerId from Orders",
	  "one query: select CustomerId, Name from Customers where CustomerId in (...), or join: from Orders join "
	  "Customers on "
	  "Customers.CustomerId = Orders.CustomerId" },
	{ MY, "select name from categories where id = ?", "select id, category_id from products",
	  "one query: select id, name from categories where id in (...), or join: from products join categories on "
	  "categories.id "
	  "= products.category_id" },
	{ PG, "select distinct tag from tags where post_id = ?", NULL,
	  "one query: select post_id, tag from tags where post_id in (...), or join tags in the query that lists what "
	  "the loop goes "
	  "through" },
	/* A tree. */
	{ PG, "select id, name from categories where parent_id = ?",
	  "select id, name from categories where parent_id is null",
	  "one query: select parent_id, id, name from categories where parent_id in (...), or with recursive if the "
	  "rows refer to "
	  "one another" },
	/* What is not simple gets no statement put together for it. */
	{ PG, "with t as (select ?) select a from b where id = ?", NULL,
	  "one query before the loop for all values, in (...), or join b in the query that lists what the loop goes "
	  "through" },
	{ PG, "select a from b where id = ? or code = ?", NULL,
	  "one query before the loop for all values, in (...), or join b in the query that lists what the loop goes "
	  "through" },
	{ PG, "select a from b where id = ? union select c from d where id = ?", NULL,
	  "one query before the loop for all values, in (...), or join b in the query that lists what the loop goes "
	  "through" },
	{ PG, "select a from b where lower(name) = ?", "select x from y",
	  "one query before the loop for all values, in (...), or join b in the first" },
	{ PG, "select a from b where id in (?+)", "select x from y",
	  "one query: collect the values of all calls into one list, in (...), or join b in the first" },
	{ PG, "select get_price(?)", NULL, "one query before the loop for all values, in (...)" },
	{ PG, "", NULL, "one query before the loop for all values, in (...)" },
	/* Databases without SQL. */
	{ RE, "GET user:?", NULL,
	  "one MGET user:? ... for all keys, or a pipeline: send the commands in one go, then read the replies" },
	{ RE, "HGETALL cart:?", NULL, "a pipeline: send the commands in one go, then read the replies" },
	{ RE, "HGET user:? name", NULL,
	  "HMGET for the fields of one key, or a pipeline: send the commands in one go, then read the replies" },
	{ MC, "get user:?", NULL, "one get with several keys, or the commands in one go without waiting for each" },
	{ MO, "find customers {_id: ?}", NULL,
	  "one call: find customers {_id: {$in: [...]}}, or $lookup of customers in an aggregate" },
	{ MO, "find items {deleted: {$ne: ?}, order_id: ?}", NULL,
	  "one call: find items {order_id: {$in: [...]}}, or $lookup of items in an aggregate" },
	{ MO, "find items", NULL, "one call with {$in: [...]} for all values, or $lookup of items in an aggregate" },
};

static const struct {
	u8 proto;
	const char *query;
	const char *with;
	const char *want;
} writes[] = {
	{ PG, "insert into items(order_id, sku) values (?+)", NULL,
	  "one statement for many rows: insert into items(order_id, sku) values (...), (...), ...; or copy items from "
	  "stdin" },
	{ PG, "insert into items(a) values (?+) returning id", NULL,
	  "one statement for many rows: insert into items(a) values (...), (...), ..." },
	{ PG, "insert into t(a, b) values (?+) on conflict(a) do update set b = excluded.b", NULL,
	  "one statement for many rows: insert into t(a, b) values (...), (...), ... on conflict(a) do update set b = "
	  "excluded.b" },
	{ MY, "insert into items(a) values (?+)", NULL,
	  "one statement for many rows: insert into items(a) values (...), (...), ..." },
	{ MY, "insert into t(a) values (?+) on duplicate key update a = values(a)", NULL,
	  "one statement for many rows: insert into t(a) values (...), (...), ... on duplicate key update a = "
	  "values(a)" },
	{ MY, "insert into t set a = ?, b = ?", NULL,
	  "one statement for many rows: insert into t(...) values (...), (...), ..." },
	{ MY, "replace into t values (?+)", NULL,
	  "one statement for many rows: replace into t values (...), (...), ..." },
	{ LI, "insert into log values (?+)", NULL,
	  "one transaction around the loop, or one statement for many rows: insert into log values (...), (...), ..." },
	{ PG, "update items set price = ? where id = ?", NULL,
	  "one statement: update items set price = ? where id in (...) if all rows get the same, else update items set "
	  "price = "
	  "v.price from (values (...), (...)) as v(id, price) where items.id = v.id" },
	{ MY, "update items set price = ? where id = ?", NULL,
	  "one statement: update items set price = ? where id in (...) if all rows get the same, else set price = case "
	  "id when ? "
	  "then ? ... end" },
	{ PG, "update items set stock = stock - ? where id = ?", NULL,
	  "one statement: update items set stock = stock - ? where id in (...)" },
	{ PG, "update t set a = ?, b = ? where shop_id = ? and id = ?", NULL,
	  "one statement: update t set a = ?, b = ? where shop_id = ? and id in (...) if all rows get the same, else "
	  "update t set "
	  "a = v.a, b = v.b from (values (...), (...)) as v(id, a, b) where t.id = v.id" },
	{ PG, "delete from items where id = ?", NULL, "one statement: delete from items where id in (...)" },
	{ MY, "delete from items where order_id = ? and sku = ?", NULL,
	  "one statement: delete from items where order_id in (...) and sku = ?" },
	{ PG, "update t set a = ? where b > ?", NULL,
	  "one statement for many rows, or the statements as one batch without waiting for each" },
	{ PG, "insert into a(b) select c from d where id = ?", NULL,
	  "one statement for many rows, or the statements as one batch without waiting for each" },
	{ PG, "update items set stock = ? where id = ?", "select stock from items where id = ?",
	  "read all rows first (id in (...)), then write them with one statement: update items set stock = ? where id "
	  "in (...) if "
	  "all rows get the same, else update items set stock = v.stock from (values (...), (...)) as v(id, stock) "
	  "where items.id "
	  "= v.id" },
	{ RE, "SET user:?", NULL,
	  "one MSET user:? ... for all keys, or a pipeline: send the commands in one go, then read the replies" },
	{ MO, "insert items", NULL, "one call for many documents: insertMany" },
	{ MO, "update items {_id: ?}", NULL,
	  "one call for many documents: bulkWrite, or one update {_id: {$in: [...]}} if all get the same" },
};

static void check(struct sonde_finding *finding, const char *want)
{
	struct sonde_buf got = {};

	sonde_suggest(finding, &got);
	if (!got.s || strcmp(got.s, want))
		fail_msg("%s\n  got  %s\n  want %s", finding->query, got.s ? got.s : "", want);
	sonde_buf_free(&got);
}

static void test_reads(void **state)
{
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		struct sonde_finding finding = { .kind = SONDE_FINDING_N_PLUS_ONE,
						 .proto = reads[i].proto,
						 .scope = SONDE_SCOPE_REQUEST,
						 .query = reads[i].query,
						 .parent = reads[i].parent };

		check(&finding, reads[i].want);
	}
	(void)state;
}

static void test_writes(void **state)
{
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		struct sonde_finding finding = { .kind = SONDE_FINDING_WRITE_LOOP,
						 .proto = writes[i].proto,
						 .scope = SONDE_SCOPE_TRANSACTION,
						 .query = writes[i].query,
						 .with = writes[i].with };

		check(&finding, writes[i].want);
	}
	(void)state;
}

static void test_redundant(void **state)
{
	struct sonde_finding finding = { .kind = SONDE_FINDING_REDUNDANT_QUERY,
					 .proto = PG,
					 .scope = SONDE_SCOPE_REQUEST,
					 .query = "select a from t where id = ?",
					 .calls_median = 12,
					 .distinct = 1 };

	check(&finding,
	      "cache it: keep the answer for the rest of the request; 11 of 12 calls ask the same again (92%)");
	finding.distinct = 3;
	finding.scope = SONDE_SCOPE_TRANSACTION;
	check(&finding, "cache it: keep the answer for the rest of the transaction; 12 calls have 3 different "
			"parameters, 9 ask the "
			"same again (75%)");
	finding.distinct = 0;
	finding.calls_median = 0;
	finding.scope = SONDE_SCOPE_BURST;
	check(&finding, "cache it: keep the answer for the rest of the run");
	(void)state;
}

static void test_large_and_slow(void **state)
{
	static const char *const cases[][2] = {
		{ "select * from log", "a LIMIT, or pages that follow a key: from log where id > ? order by id limit "
				       "?; name the columns that are needed "
				       "instead of *" },
		{ "select a, b from log where kind = ? order by created desc",
		  "a LIMIT, or pages that follow a key: from log where kind = ? and created < ? order by created desc "
		  "limit ?" },
		{ "select a from log order by lower(b)",
		  "a LIMIT, or pages that follow a key: from log where id > ? order by id limit ?" },
		{ "select a from log limit ?", "a smaller LIMIT" },
		{ "select a, count(*) from log group by a", "a LIMIT, or coarser groups" },
		{ "with x as (select ?) select * from x",
		  "limit what is returned, or read it in pages that follow a key" },
	};
	struct sonde_finding finding = {
		.kind = SONDE_FINDING_LARGE_RESULT, .proto = PG, .max_rows = 20000, .max_bytes = 900000
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		finding.query = cases[i][0];
		check(&finding, cases[i][1]);
	}
	finding.max_bytes = 20000ULL * 100000;
	check(&finding, "name the columns that are needed and leave out the large ones");
	finding.kind = SONDE_FINDING_SLOW_QUERY;
	finding.verb = SONDE_SQL_SELECT;
	check(&finding, "look at its plan: sonde slow --examples --explain DSN");
	finding.proto = SONDE_PROTO_SQLITE; /* a file; nothing to connect to */
	check(&finding, "look at its plan: explain query plan select ...");
	finding.verb = SONDE_SQL_UPDATE;
	check(&finding, "see `sonde slow` for when, from where and how long");
	(void)state;
}

/* Cut anywhere, of a part only, and of noise made of what matters: something is said, and nothing is read behind the end. */
static void test_cut_and_noise(void **state)
{
	static const char *const words[] = { "select ", "from ", "where ", "a ",     "= ",	"? ",	   "( ",
					     ") ",	"and ",	 "or ",	   "order ", "by ",	"limit ",  "group ",
					     "\"",	"`",	 "t.id ",  ", ",     "in ",	"(?+) ",   "set ",
					     "values ", "on ",	 "/*",	   "*/",     "update ", "insert ", "into ",
					     "union ",	"as ",	 ".",	   "\xc3" };
	static const enum sonde_finding_kind kinds[] = { SONDE_FINDING_N_PLUS_ONE, SONDE_FINDING_WRITE_LOOP,
							 SONDE_FINDING_LARGE_RESULT };
	u64 seed = 11;

	for (u32 round = 0; round < 20000; round++) {
		struct sonde_finding finding = { .kind = kinds[round % 3], .proto = (u8)(1 + unit_random(&seed) % 7) };
		struct sonde_buf text = {}, out = {};
		char *query;

		for (u64 n = unit_random(&seed) % 24; n; n--)
			sonde_buf_str(&text, words[unit_random(&seed) % (sizeof(words) / sizeof(words[0]))]);
		if (round % 4 == 0 && text.len) {
			sonde_buf_cut(&text, 0);
			sonde_buf_str(&text, reads[round % (sizeof(reads) / sizeof(reads[0]))].query);
			sonde_buf_cut(&text, unit_random(&seed) % (text.len + 1));
		}
		query = strdup(text.s ? text.s : "");
		finding.query = query;
		finding.parent = round % 2 ? query : NULL;
		finding.with = round % 5 ? NULL : query;
		sonde_suggest(&finding, &out);
		assert_true(out.len > 0);
		free(query);
		sonde_buf_free(&out);
		sonde_buf_free(&text);
	}
	(void)state;
}

static void test_shape(void **state)
{
	static const char text[] =
		"select a, b from t as x join u on u.id = x.uid where x.c = ? and (d = ? or e = ?) and f = ? "
		"group by a order by b desc limit ? for update";
	struct sonde_sql_shape shape;
	struct sonde_span table[4];

	sonde_sql_shape(text, strlen(text), &shape);
	assert_true(shape.simple);
	assert_false(shape.aggregate);
	assert_int_equal(shape.nr_tables, 2);
	assert_true(sonde_span_is(shape.table[0], "t") && sonde_span_is(shape.alias[0], "x"));
	assert_true(sonde_span_is(shape.table[1], "u") && sonde_span_is(shape.alias[1], "u"));
	assert_int_equal(shape.nr_conditions, 2);
	assert_true(sonde_span_is(shape.condition[0].column, "x.c"));
	assert_true(sonde_span_is(shape.condition[1].at, "f = ?"));
	assert_true(sonde_span_is(shape.list, "a, b"));
	assert_true(sonde_span_is(shape.clause[SONDE_CLAUSE_ORDER], "order by b desc"));
	assert_true(sonde_span_is(shape.clause[SONDE_CLAUSE_LIMIT], "limit ?"));
	assert_true(sonde_span_is(shape.clause[SONDE_CLAUSE_LOCK], "for update"));
	assert_int_equal(
		sonde_sql_tables("select a from (select b from c, d) e where f in (select g from h)", 66, table, 4), 3);
	assert_true(sonde_span_is(table[2], "h"));
	assert_true(sonde_span_is(sonde_span_last((struct sonde_span){ "s.\"My.T\"", 8 }), "My.T"));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),	      cmocka_unit_test(test_writes),
		cmocka_unit_test(test_redundant),     cmocka_unit_test(test_large_and_slow),
		cmocka_unit_test(test_cut_and_noise), cmocka_unit_test(test_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
