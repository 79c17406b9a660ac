// SPDX-License-Identifier: GPL-2.0-only
/* test_endpoints.c - rows of HTTP: apart from statements, in both reports. */
#include <stdio.h>

#include "fixture.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "out/out.h"

/* @calls requests of endpoint @id, the n-th taking @ns * n. */
static void endpoint(struct sonde_db *db, u64 id, u32 role, u32 tgid, u32 calls, u64 ns, u32 errors_4xx, u32 errors_5xx)
{
	struct sonde_query_key key = { .id = id, .peer = 9, .proto = SONDE_PROTO_HTTP, .role = role };
	struct sonde_query_stat stat = {
		.count = calls,
		.errors = errors_4xx + errors_5xx,
		.sent_bytes = 10 * calls,
		.recv_bytes = 100 * calls,
		.first_seen_ns = 1000,
		.last_seen_ns = 5000,
		.error_class = { [SONDE_HTTP_4XX] = errors_4xx, [SONDE_HTTP_5XX] = errors_5xx },
		.sqlstate = errors_5xx	 ? 503ULL << 40
			    : errors_4xx ? 404ULL << 40
					 : 0,
	};

	key.proc.tgid = tgid;
	key.proc.start = 3;
	for (u32 i = 1; i <= calls; i++) {
		sonde_hist_add(&stat.done, ns * i);
		sonde_hist_add(&stat.first, ns * i / 2);
	}
	assert_int_equal(sonde_db_row(db, &key, &stat), 0);
}

static void label(struct sonde_db *db, u64 id, const char *text)
{
	struct sonde_event_text event = { .head = { .type = SONDE_EVENT_TEXT }, .id = id, .proto = SONDE_PROTO_HTTP };

	event.len = strlen(text);
	event.head.size = SONDE_EVENT_TEXT_HEAD + event.len;
	memcpy(event.text, text, event.len);
	assert_int_equal(sonde_db_event(db, &event, event.head.size), 0);
}

static struct sonde_snapshot *make(bool errors)
{
	u64 counter[SONDE_CNT_MAX] = { [SONDE_CNT_SEEN] = 331, [SONDE_CNT_TIMED] = 331, [SONDE_CNT_ATTRIBUTED] = 331 };
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;

	sonde_db_counters(db, counter);
	label(db, 1, "GET /orders/{id}");
	label(db, 2, "POST /a/long/path/to/something/that/does/not/fit/into/the/width/of/a/terminal/{id}");
	label(db, 3, "GET /backend");
	label(db, 4, "CONNECT");
	fixture_text(db, 5, 0, "select 1", 8);
	fixture_peer(db, 9, "");
	fixture_proc(db, 100, "nginx");
	fixture_proc(db, 101, "nginx");
	endpoint(db, 1, SONDE_ROLE_SERVER, 100, 200, 100000, errors ? 3 : 0, errors ? 2 : 0);
	endpoint(db, 1, SONDE_ROLE_SERVER, 101, 100, 100000, errors ? 1 : 0, 0);
	endpoint(db, 2, SONDE_ROLE_SERVER, 100, 20, 1000, 0, 0);
	endpoint(db, 3, SONDE_ROLE_CLIENT, 100, 10, 200000, 0, 0);
	endpoint(db, 4, SONDE_ROLE_CLIENT, 100, 1, 2000, 0, 0);
	fixture_row(db, 5, 9, 100, 7, 1000, 0);
	snap = sonde_db_snapshot(db);
	sonde_db_free(db);
	snap->view = SONDE_VIEW_HTTP;
	snap->duration_ns = 10000000000ULL;
	snap->final = true;
	return snap;
}

static void render(enum sonde_out_id out, const struct sonde_snapshot *snap, unsigned int width, struct sonde_buf *buf)
{
	struct sonde_out_opts opts = { .command = "http", .width = width, .utf8 = true };

	sonde_outs[out]->render(snap, &opts, buf);
	assert_false(buf->failed);
}

static void check(bool errors, unsigned int width, const char *want)
{
	struct sonde_snapshot *snap = make(errors);
	struct sonde_buf buf = {};

	render(SONDE_OUT_text, snap, width, &buf);
	if (strcmp(buf.s, want)) {
		fprintf(stderr, "got\n%s\nwant\n%s\n", buf.s, want);
		fail();
	}
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
}

/* clang-format off */
static void test_golden(void **state)
{
	check(false, 80,
	      "sonde http: 331 requests to 4 endpoints in 10.0s, 33.1/s\n"
	      "  1  nginx (2 processes) serves HTTP at 10.0.0.7:5432\n"
	      "  2  nginx (pid 100) -> HTTP at 10.0.0.7:5432\n"
	      "\n"
	      " share  total  calls    p50    p95    max src role  endpoint\n"
	      "  100%  2.52s    300 7.53ms 18.6ms 20.0ms   1   in  GET /orders/{id}\n"
	      "    0% 11.0ms     10 1.16ms 1.96ms 2.00ms   2  out  GET /backend\n"
	      "    0%  210us     20 10.8us 19.8us 20.0us   1   in  POST /a/long/path/to/some...\n"
	      "    0% 2.00us      1 2.00us 2.00us 2.00us   2  out  CONNECT\n"
	      "  100%  2.53s    331 6.79ms 18.4ms 20.0ms           total\n"
	      "\n"
	      "coverage: 331 requests seen, all in the table, none lost\n");
	check(true, 120,
	      "sonde http: 331 requests to 4 endpoints in 10.0s, 33.1/s, 6 errors\n"
	      "  1  nginx (2 processes) serves HTTP at 10.0.0.7:5432\n"
	      "  2  nginx (pid 100) -> HTTP at 10.0.0.7:5432\n"
	      "\n"
	      " share  total  calls calls/s  first    p50    p90    p95    p99    max   4xx   5xx src role  endpoint\n"
	      "  100%  2.52s    300    30.0 3.76ms 7.53ms 17.0ms 18.6ms 19.7ms 20.0ms     4     2   1   in  GET /orders/{id}\n"
	      "    0% 11.0ms     10     1.0  581us 1.16ms 1.95ms 1.96ms 1.97ms 2.00ms               2  out  GET /backend\n"
	      "    0%  210us     20     2.0 5.39us 10.8us 18.1us 19.8us 19.9us 20.0us               1   in  POST /a/long/path/to/som...\n"
	      "    0% 2.00us      1    0.10 1.00us 2.00us 2.00us 2.00us 2.00us 2.00us               2  out  CONNECT\n"
	      "  100%  2.53s    331    33.1 3.39ms 6.79ms 16.7ms 18.4ms 19.6ms 20.0ms     4     2           total\n"
	      "\n"
	      "errors: GET /orders/{id} (in): 4 4xx, 2 5xx (last 503)\n"
	      "coverage: 331 requests seen, all in the table, none lost\n");
	(void)state;
}

/* clang-format on */

static void test_apart(void **state)
{
	struct sonde_snapshot *snap = make(true), *group;
	size_t nr;

	assert_int_equal(snap->nr_queries, 1);
	assert_int_equal(snap->nr_endpoints, 5);
	assert_ptr_equal(sonde_snapshot_rows(snap, &nr), snap->endpoints);
	assert_int_equal(nr, 5);
	group = sonde_snapshot_group(snap);
	assert_int_equal(group->nr_queries, 1);
	assert_int_equal(group->nr_endpoints, 4); /* the two processes of one name share a row */
	assert_int_equal(group->view, SONDE_VIEW_HTTP);
	assert_int_equal(group->endpoints[0]->nr_procs, 2);
	assert_int_equal(group->endpoints[0]->count, 300);
	assert_int_equal(group->endpoints[0]->error_class[SONDE_HTTP_4XX], 4);
	assert_int_equal(group->endpoints[0]->code, 503);
	assert_string_equal(group->endpoints[0]->name, "GET /orders/{id}");
	sonde_snapshot_free(group);
	snap->view = SONDE_VIEW_DB;
	assert_ptr_equal(sonde_snapshot_rows(snap, &nr), snap->queries);
	assert_int_equal(nr, 1);
	sonde_snapshot_free(snap);
	(void)state;
}

static void assert_has(const struct sonde_buf *buf, const char *what)
{
	if (!strstr(buf->s, what))
		fail_msg("%s\nis not in\n%s", what, buf->s);
}

static void test_json(void **state)
{
	struct sonde_snapshot *snap = make(true);
	struct sonde_buf buf = {};

	render(SONDE_OUT_json, snap, 80, &buf);
	assert_null(strstr(buf.s, "queries"));
	assert_has(&buf, "\"endpoints\":[{\"id\":\"0000000000000001\",\"role\":\"server\",\"method\":\"GET\","
			 "\"path\":\"/orders/"
			 "{id}\",\"protocol\":\"http\",\"pid\":100,\"process\":\"nginx\",\"server\":\"10.0.0.7:5432\","
			 "\"count\":200,\"rate\":20,\"errors_4xx\":3,\"errors_5xx\":2,\"last_error_status\":503,"
			 "\"sent_bytes\":2000,\"recv_bytes\":20000,");
	assert_has(&buf, "\"latency_ns\":{\"min\":100000,");
	assert_has(&buf, "\"first_byte_ns\":{\"min\":50000,");
	assert_has(&buf, "\"method\":\"CONNECT\",\"path\":\"\",");
	sonde_buf_free(&buf);
	snap->view = SONDE_VIEW_DB;
	render(SONDE_OUT_json, snap, 80, &buf);
	assert_null(strstr(buf.s, "endpoints"));
	assert_has(&buf, "\"text\":\"select 1\"");
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

static void test_fits_every_width(void **state)
{
	for (unsigned int width = 40; width < 250; width++) {
		struct sonde_snapshot *snap = make(width & 1);
		struct sonde_buf buf = {};

		snap->final = width & 2;
		snap->recent_ns = 1000000000;
		render(SONDE_OUT_text, snap, width, &buf);
		sonde_buf_cut(&buf, (size_t)(strstr(buf.s, "\ncoverage") + 1 - buf.s));
		for (const char *line = buf.s; *line; line += strcspn(line, "\n") + 1)
			if (sonde_utf8_columns(line, strcspn(line, "\n")) > width)
				fail_msg("width %u:\n%s", width, buf.s);
		sonde_buf_free(&buf);
		sonde_snapshot_free(snap);
	}
	(void)state;
}

static void test_empty(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap = sonde_db_snapshot(db);
	struct sonde_buf buf = {};

	snap->view = SONDE_VIEW_HTTP;
	snap->duration_ns = 10000000000ULL;
	snap->final = true;
	snap->counter[SONDE_CNT_UNREADABLE_HTTP2] = 3;
	render(SONDE_OUT_text, snap, 80, &buf);
	assert_has(&buf, "No request completed in 10.0s. What to check:");
	assert_has(&buf, "3 connections speak HTTP/2, which is not read.");
	assert_has(&buf, "No HTTP connection was recognised");
	assert_null(strstr(buf.s, "statement"));
	assert_null(strstr(buf.s, "PostgreSQL"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),		 cmocka_unit_test(test_apart), cmocka_unit_test(test_json),
		cmocka_unit_test(test_fits_every_width), cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
