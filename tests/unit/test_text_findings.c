// SPDX-License-Identifier: GPL-2.0-only
/* test_text_findings.c - findings for people and for machines: what a block looks like, that it fits, what JSON says. */
#include <stdio.h>

#include "finding_fixture.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "out/out.h"

static void resolve(void *ctx, u32 pid, const u64 *ips, size_t nr, struct sonde_db_site *of)
{
	static const char *const site[] = { "list_orders shop.c:142", "handle http.c:88" };

	(void)ctx;
	(void)pid;
	(void)ips;
	(void)nr;
	of->frame = site;
	of->nr = 2;
}

static int give_stack(struct sonde_db *db, void *ctx, u32 id, u32 pid)
{
	static const u64 ip = 0x1000;

	(void)ctx;
	return sonde_db_stack(db, id, pid, &ip, 1);
}

/* A page that is an N+1 of two statements, with settings it asks for again and again, and an import of single rows. */
static void fill(struct sonde_db *db)
{
	u64 counter[SONDE_CNT_MAX] = {
		[SONDE_CNT_SEEN] = 30400, [SONDE_CNT_TIMED] = 30400, [SONDE_CNT_ATTRIBUTED] = 30400
	};
	struct made a = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 200, 50);
	struct made b = fixture_made(CITY, SONDE_FOUND_DISTINCT, 200, 50);
	struct made settings = fixture_made(SETTINGS, SONDE_FOUND_SAME, 40, 12);
	struct made items = fixture_made(INSERT_ITEM, SONDE_FOUND_DISTINCT, 2, 300);
	struct made slow = fixture_made(REPORT, SONDE_FOUND_SLOW, 3, 1);
	struct made large = fixture_made(REPORT, SONDE_FOUND_LARGE, 1, 1);

	fixture_parent(&a, ORDERS, 50);
	fixture_parent(&b, CUSTOMER, 50);
	fixture_parent(&items, ORDERS, 300);
	b.stat.parent_calls *= 50;
	a.stat.scope_ns = b.stat.scope_ns = 200ULL * 110000000;
	a.stat.stack = b.stat.stack = 7;
	a.stat.same_stack = b.stat.same_stack = 200;
	settings.stat.calls_min = 6;
	settings.stat.calls_max = 30;
	items.key.verb = SONDE_SQL_INSERT;
	items.key.name = 0;
	items.key.scope = SONDE_SCOPE_BURST;
	items.key.proc.tgid = PID + 2;
	items.stat.lost = 1;
	slow.stat.waste_ns = 1300000000;
	slow.stat.max_ns = 612000000;
	large.key.name = ADMIN;
	large.stat.max_rows = 250000;
	large.stat.max_bytes = 18400000;
	large.stat.waste_ns = 75000000;
	sonde_db_sites(db, resolve, NULL, NULL);
	fixture_take(db, &a);
	fixture_take(db, &b);
	fixture_take(db, &settings);
	fixture_take(db, &items);
	fixture_take(db, &slow);
	fixture_take(db, &large);
	assert_int_equal(sonde_db_stacks_wanted(db, NULL, give_stack), 0);
	fixture_caller(db, 0, PAGE, PID, SONDE_SCOPE_REQUEST, 240, 0, 0);
	fixture_caller(db, CUSTOMER, PAGE, PID, SONDE_SCOPE_REQUEST, 200, 10000, 0);
	fixture_row(db, CUSTOMER, SHOP, PID, 500, 2000, 0);
	fixture_row(db, ORDERS, SHOP, PID, 200, 30000, 0);
	sonde_db_counters(db, counter);
}

static struct sonde_snapshot *make(bool none, bool only)
{
	struct sonde_db *db = fixture_findings();
	struct sonde_snapshot *snap;

	if (!none)
		fill(db);
	else
		fixture_row(db, ORDERS, SHOP, PID, 200, 30000, 0);
	snap = sonde_db_snapshot(db);
	sonde_db_free(db);
	snap->capture = "tracepoint";
	snap->duration_ns = 10000000000ULL;
	snap->recent_ns = 1000000000;
	snap->final = true;
	snap->only_findings = only;
	return snap;
}

static void check(bool none, bool only, unsigned int width, const char *want)
{
	struct sonde_out_opts opts = { .command = only ? "nplus1" : "db", .width = width, .utf8 = true };
	struct sonde_snapshot *snap = make(none, only);
	struct sonde_buf buf = {};

	sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
	if (strcmp(buf.s, want)) {
		fprintf(stderr, "got\n%s\nwant\n%s\n", buf.s, want);
		fail();
	}
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
}

/* clang-format off */
static void test_golden_160(void **state)
{
	check(false, true, 160,
	      "sonde nplus1: 6 findings in 700 calls of 2 statements in 10.0s [tracepoint]\n"
	      "gunicorn (pid 100) -> PostgreSQL shop at 10.0.0.7:5432\n"
	      "\n"
	      "N+1  GET /orders (gunicorn)   200 of 240 requests   101 queries each (1 + 50 + 50)   waste 19.6s of 22.0s (89%)   confidence high\n"
	      "      1 x  select id, total, customer_id from orders order by id desc limit ?  50 rows\n"
	      "     50 x  select city from addresses where customer_id = ?                    mean 1.00ms\n"
	      "     at    list_orders shop.c:142 <- handle http.c:88\n"
	      "     do    one query: select customer_id, city from addresses where customer_id in (...), or join: from orders join addresses on addresses.customer_id =\n"
	      "           orders.customer_id\n"
	      "     50 x  select name from customers where id = ?                             p50 500us\n"
	      "     at    list_orders shop.c:142 <- handle http.c:88\n"
	      "     do    one query: select id, name from customers where id in (...), or join: from orders join customers on customers.id = orders.customer_id\n"
	      "\n"
	      "WRITE LOOP  cron   2 bursts   301 queries each (1 + 300)   waste 598ms of 660ms (91%)   confidence medium\n"
	      "      1 x  select id, total, customer_id from orders order by id desc limit ?  300 rows\n"
	      "    300 x  insert into items(order_id, sku) values (?+)                        mean 1.00ms\n"
	      "     do    one statement for many rows: insert into items(order_id, sku) values (...), (...), ...; or copy items from stdin\n"
	      "     note  in 1 of the bursts something was lost: there may be more\n"
	      "\n"
	      "REDUNDANT  GET /orders (gunicorn)   40 of 240 requests   12 queries each (6 to 30)   waste 440ms of 528ms (83%)   confidence high\n"
	      "     12 x  select value from settings where name = ?  mean 1.00ms\n"
	      "     do    cache it: keep the answer for the rest of the request; 11 of 12 calls ask the same again (92%)\n"
	      "\n"
	      "SLOW  GET /orders (gunicorn)   3 calls   total 1.30s   worst 612ms\n"
	      "      3 x  select * from log where day > ?  mean 433ms\n"
	      "     do    look at its plan: sonde slow --examples --explain DSN\n"
	      "\n"
	      "LARGE RESULT  GET /admin (gunicorn)   1 call   total 75.0ms   up to 250,000 rows   18.4 MB\n"
	      "      1 x  select * from log where day > ?  mean 75.0ms\n"
	      "     do    a LIMIT, or pages that follow a key: from log where day > ? and id > ? order by id limit ?; name the columns that are needed instead of *\n"
	      "\n"
	      "coverage: 30,400 statements seen, all in the table, none lost\n");
	(void)state;
}

static void test_golden_80(void **state)
{
	check(false, true, 80,
	      "sonde nplus1: 6 findings in 700 calls of 2 statements in 10.0s [tracepoint]\n"
	      "gunicorn (pid 100) -> PostgreSQL shop at 10.0.0.7:5432\n"
	      "\n"
	      "N+1  GET /orders (gunicorn)   200 of 240 requests\n"
	      "           101 queries each (1 + 50 + 50)   waste 19.6s of 22.0s (89%)\n"
	      "           confidence high\n"
	      "      1 x  select id, total, customer_id from orders order by i...  50 rows\n"
	      "     50 x  select city from addresses where customer_id = ?         mean 1.00ms\n"
	      "     at    list_orders shop.c:142 <- handle http.c:88\n"
	      "     do    one query: select customer_id, city from addresses where customer_id\n"
	      "           in (...), or join: from orders join addresses on\n"
	      "           addresses.customer_id = orders.customer_id\n"
	      "     50 x  select name from customers where id = ?                  p50 500us\n"
	      "     at    list_orders shop.c:142 <- handle http.c:88\n"
	      "     do    one query: select id, name from customers where id in (...), or join:\n"
	      "           from orders join customers on customers.id = orders.customer_id\n"
	      "\n"
	      "WRITE LOOP  cron   2 bursts   301 queries each (1 + 300)\n"
	      "           waste 598ms of 660ms (91%)   confidence medium\n"
	      "      1 x  select id, total, customer_id from orders order by i...  300 rows\n"
	      "    300 x  insert into items(order_id, sku) values (?+)             mean 1.00ms\n"
	      "     do    one statement for many rows: insert into items(order_id, sku) values\n"
	      "           (...), (...), ...; or copy items from stdin\n"
	      "     note  in 1 of the bursts something was lost: there may be more\n"
	      "\n"
	      "REDUNDANT  GET /orders (gunicorn)   40 of 240 requests\n"
	      "           12 queries each (6 to 30)   waste 440ms of 528ms (83%)\n"
	      "           confidence high\n"
	      "     12 x  select value from settings where name = ?  mean 1.00ms\n"
	      "     do    cache it: keep the answer for the rest of the request; 11 of 12 calls\n"
	      "           ask the same again (92%)\n"
	      "\n"
	      "SLOW  GET /orders (gunicorn)   3 calls   total 1.30s   worst 612ms\n"
	      "      3 x  select * from log where day > ?  mean 433ms\n"
	      "     do    look at its plan: sonde slow --examples --explain DSN\n"
	      "\n"
	      "LARGE RESULT  GET /admin (gunicorn)   1 call   total 75.0ms   up to 250,000 rows\n"
	      "           18.4 MB\n"
	      "      1 x  select * from log where day > ?  mean 75.0ms\n"
	      "     do    a LIMIT, or pages that follow a key: from log where day > ? and id >\n"
	      "           ? order by id limit ?; name the columns that are needed instead of *\n"
	      "\n"
	      "coverage: 30,400 statements seen, all in the table, none lost\n");
	(void)state;
}

static void test_none(void **state)
{
	check(true, true, 100,
	      "sonde nplus1: no finding in 200 calls of 1 statement in 10.0s [tracepoint]\n"
	      "gunicorn (pid 100) -> PostgreSQL shop at 10.0.0.7:5432\n"
	      "\n"
	      "coverage: 0 statements seen\n");
	(void)state;
}

/* clang-format on */

static unsigned int widest_line(const char *s, const char *end)
{
	unsigned int widest = 0, width;

	while (s < end) {
		size_t len = strcspn(s, "\n");

		width = sonde_utf8_columns(s, len);
		widest = width > widest ? width : widest;
		s += len + 1;
	}
	return widest;
}

/* Below the table of `sonde db`, and wherever: no line is wider than asked for. */
static void test_fits_every_width(void **state)
{
	for (unsigned int width = 40; width < 260; width++) {
		for (unsigned int only = 0; only < 2; only++) {
			struct sonde_out_opts opts = { .command = "db", .width = width };
			struct sonde_snapshot *snap = make(false, only);
			struct sonde_buf buf = {};

			sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
			assert_false(buf.failed);
			assert_non_null(strstr(buf.s, "N+1  GET /orders"));
			if (widest_line(buf.s, strstr(buf.s, "\ncoverage")) > width)
				fail_msg("width %u\n%s", width, buf.s);
			sonde_buf_free(&buf);
			sonde_snapshot_free(snap);
		}
	}
	(void)state;
}

/* On a terminal as many as fit, whole blocks, and the table keeps most of the room. */
static void test_height(void **state)
{
	for (unsigned int height = 16; height < 80; height++) {
		for (unsigned int only = 0; only < 2; only++) {
			struct sonde_out_opts opts = { .command = "db", .width = 120, .height = height };
			struct sonde_snapshot *snap = make(false, only);
			struct sonde_buf buf = {};
			unsigned int lines = 0;

			sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
			for (size_t i = 0; i < buf.len; i++)
				lines += buf.s[i] == '\n';
			if (lines >= height)
				fail_msg("height %u, %u lines\n%s", height, lines, buf.s);
			if (!only)
				assert_non_null(strstr(buf.s, "  total\n"));
			if (height == 16 || (!only && height < 60))
				assert_non_null(strstr(buf.s, "left out (the final report has all)"));
			sonde_buf_free(&buf);
			sonde_snapshot_free(snap);
		}
	}
	(void)state;
}

static void test_top(void **state)
{
	struct sonde_out_opts opts = { .command = "nplus1", .width = 120, .top = 2 };
	struct sonde_snapshot *snap = make(false, true);
	struct sonde_buf buf = {};

	sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
	assert_non_null(strstr(buf.s, "N+1  GET /orders"));
	assert_non_null(strstr(buf.s, "... 4 more findings left out (--top shows more)\n"));
	assert_null(strstr(buf.s, "WRITE LOOP"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

static void has(const struct sonde_buf *buf, const char *what)
{
	if (!strstr(buf->s, what))
		fail_msg("%s\nis not in\n%s", what, buf->s);
}

static void test_json(void **state)
{
	struct sonde_out_opts opts = { .command = "db" };
	struct sonde_snapshot *snap = make(false, false);
	struct sonde_buf buf = {};

	sonde_outs[SONDE_OUT_json]->render(snap, &opts, &buf);
	assert_false(buf.failed);
	has(&buf, "\"queries\":[{");
	has(&buf, "\"callers\":[{\"scope\":\"request\",\"name\":\"GET /orders\",\"scopes\":200,\"calls\":10000}]");
	has(&buf, "\"kind\":\"n_plus_one\",\"confidence\":\"high\",\"scope\":{\"kind\":\"request\",\"name\":\"GET "
		  "/orders\"},");
	has(&buf,
	    "\"db_system\":\"postgresql\",\"pid\":100,\"processes\":1,\"process\":\"gunicorn\","
	    "\"server\":\"10.0.0.7:5432\",\"database\":\"shop\",\"query_id\":\"0000000000000002\","
	    "\"query\":\"select name from customers where id = "
	    "?\",\"parent_id\":\"0000000000000001\",\"parent\":\"select id, "
	    "total, customer_id from orders order by id desc limit "
	    "?\",\"parent_rows\":50,\"parent_calls\":1,\"scopes\":200,"
	    "\"requests\":240,\"calls\":10000,\"calls_per_scope\":{\"min\":50,\"median\":50,\"max\":50},"
	    "\"distinct_params\":50,\"rows\":10000,\"waste_ns\":9800000000,\"scope_ns\":22000000000,\"share\":0.445455,"
	    "\"each_ns\":1000000,\"lost_scopes\":0,\"site\":[\"list_orders shop.c:142\",\"handle http.c:88\"],"
	    "\"suggestion\":\"one query: select id, name from customers");
	has(&buf, "\"kind\":\"large_result\"");
	has(&buf, "\"max_rows\":250000,\"max_bytes\":18400000");
	has(&buf, "\"block\":\"");
	sonde_buf_cut(&buf, 0);
	snap->only_findings = true;
	opts.top = 1;
	sonde_outs[SONDE_OUT_json]->render(snap, &opts, &buf);
	has(&buf, "\"queries\":[{"); /* a document for machines has both */
	has(&buf, "\"findings_left_out\":5");
	sonde_buf_cut(&buf, 0);
	snap->judged = false;
	sonde_outs[SONDE_OUT_json]->render(snap, &opts, &buf);
	assert_null(strstr(buf.s, "\"findings"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

/* Names and texts of the traced program's choice do not act on the terminal. */
static void test_nothing_foreign_acts(void **state)
{
	static const char evil[] = "GET /\x1b[2J\x07\xff";
	struct sonde_db *db = fixture_findings();
	struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 4, 6);
	struct sonde_snapshot *snap;

	fixture_text(db, 77, 0, evil, strlen(evil));
	made.key.name = 77;
	fixture_take(db, &made);
	fixture_row(db, CUSTOMER, SHOP, PID, 24, 2000, 0);
	snap = sonde_db_snapshot(db);
	for (unsigned int color = 0; color < 2; color++) {
		struct sonde_out_opts opts = { .command = "db", .width = 120, .color = color };
		struct sonde_buf buf = {};

		sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
		for (size_t i = 0; i < buf.len; i++) {
			if (buf.s[i] == '\x1b')
				assert_true(color && buf.s[i + 2 + strspn(buf.s + i + 2, "0123456789;")] == 'm');
			else
				assert_true((unsigned char)buf.s[i] >= ' ' || buf.s[i] == '\n');
		}
		sonde_buf_free(&buf);
	}
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_160), cmocka_unit_test(test_golden_80),
		cmocka_unit_test(test_none),	   cmocka_unit_test(test_fits_every_width),
		cmocka_unit_test(test_height),	   cmocka_unit_test(test_top),
		cmocka_unit_test(test_json),	   cmocka_unit_test(test_nothing_foreign_acts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
