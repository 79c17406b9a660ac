// SPDX-License-Identifier: GPL-2.0-only
/* test_slow.c - slow executions: what is kept of them, the report and the lines for people, the machine's report. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "fixture.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "collect/slow.h"
#include "model/digest.h"
#include "model/slow.h"
#include "out/out.h"

#define T0 1764511507000000000ULL /* 2025-11-30 14:05:07 UTC: moment 0 of the monotonic clock */

static const char JOIN[] =
	"select o.id, o.total, c.name from orders o join customers c on c.id = o.customer_id where o.created > ? "
	"and c.country in (?+) order by o.total desc limit ?";

/* An event of statement @id that took @ms milliseconds, at second @second. */
static size_t make_event(struct sonde_event_slow *e, u64 id, u32 ms, u64 second, const char *example)
{
	size_t len = example ? strlen(example) : 0;

	memset(e, 0, sizeof(*e));
	e->head.type = SONDE_EVENT_SLOW;
	e->head.size = (u32)(SONDE_EVENT_SLOW_HEAD + len);
	e->key = (struct sonde_query_key){ .id = id,
					   .peer = 9,
					   .proc = { .tgid = 100, .start = 3 },
					   .proto = SONDE_PROTO_POSTGRESQL,
					   .role = SONDE_ROLE_CLIENT };
	e->start_ns = second * 1000000000;
	e->done_ns = ms * 1000000ULL;
	e->first_ns = e->done_ns / 2;
	e->rows = 3;
	e->bytes = 200;
	e->tid = 101;
	e->stack = -1;
	e->example_len = (u32)len;
	memcpy(e->example, example ? example : "", len);
	return SONDE_EVENT_SLOW_HEAD + len;
}

static void slow_event(struct sonde_slow_log *log, u64 id, u32 ms, u64 second, const char *example)
{
	static struct sonde_event_slow e;

	assert_int_equal(sonde_slow_log_event(log, &e, make_event(&e, id, ms, second, example)), 0);
}

static struct sonde_db *make_db(void)
{
	u64 counter[SONDE_CNT_MAX] = { [SONDE_CNT_SEEN] = 308, [SONDE_CNT_TIMED] = 308, [SONDE_CNT_ATTRIBUTED] = 308 };
	struct sonde_db *db = sonde_db_new();

	sonde_db_counters(db, counter);
	fixture_text(db, 1, 0, JOIN, strlen(JOIN));
	fixture_text(db, 2, 0, "select ?", 8);
	fixture_text(db, 3, 0, "commit", 6);
	fixture_peer(db, 9, "shop");
	fixture_peer(db, 10, "archive");
	fixture_proc(db, 100, "gunicorn");
	fixture_proc(db, 102, "cron");
	fixture_row(db, 1, 9, 100, 100, 3000000, 7);
	fixture_row(db, 1, 10, 102, 50, 3000000, 0);
	fixture_row(db, 2, 9, 100, 150, 20000, 0);
	fixture_row(db, 3, 9, 100, 8, 1000, 0);
	return db;
}

static struct sonde_snapshot *make(bool examples)
{
	struct sonde_slow_log *log = sonde_slow_log_new();
	struct sonde_db *db = make_db();
	struct sonde_snapshot *snap;

	slow_event(log, 1, 300, 2,
		   examples ? "select o.id from orders o where o.created > '2026-01-01' and c.country in ('de', 'fr')"
			    : NULL);
	slow_event(log, 1, 150, 1, NULL);
	snap = sonde_db_snapshot(db);
	assert_int_equal(sonde_slow_log_snapshot(log, db, snap), 0);
	sonde_slow_log_free(log);
	sonde_db_free(db);
	snap->capture = "tracepoint";
	snap->duration_ns = 100000000000ULL;
	snap->mono_to_unix_ns = T0;
	snap->slow_ns = 100000000;
	snap->final = true;
	return snap;
}

static void check(const struct sonde_snapshot *snap, unsigned int width, unsigned int top, const char *want)
{
	struct sonde_out_opts opts = { .command = "slow", .width = width, .top = top, .utf8 = true, .slow = true };
	struct sonde_buf buf = {};

	sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
	assert_false(buf.failed);
	if (strcmp(buf.s, want)) {
		fprintf(stderr, "got\n%s\nwant\n%s\n", buf.s, want);
		fail();
	}
	sonde_buf_free(&buf);
}

/* clang-format off */
static void test_report(void **state)
{
	struct sonde_snapshot *snap = make(true);

	snap->nr_plans = 1;
	snap->plans = calloc(1, sizeof(*snap->plans));
	snap->plans[0].id = 1;
	snap->plans[0].text = strdup("Sort  (cost 12)\n  Seq Scan on orders  (rows 1000)\n");
	snap->plans[0].advice = strdup("create index on orders (created)");
	check(snap, 100, 1,
	      "sonde slow: 308 statements, 3 different, in 100s [tracepoint]\n"
	      "rate         3.1/s, concurrency 0.19 (sum of times 19.2s)\n"
	      "time range   2025-11-30 14:05:07.000 to 2025-11-30 14:05:07.000\n"
	      "errors       7\n"
	      "slow         2 took 100ms or longer\n"
	      "databases    PostgreSQL shop at 10.0.0.7:5432, PostgreSQL archive at 10.0.0.7:5432\n"
	      "\n"
	      " rank  share   total   calls time/call    V/M  statement\n"
	      "    1  98.8%   19.0s     150     126ms   0.05  SELECT orders customers\n"
	      "        1.2%   227ms     158                   2 more (--top shows more)\n"
	      "\n"
	      "# 1  SELECT orders customers  PostgreSQL, id 0000000000000001\n"
	      "  statement\n"
	      "    select o.id, o.total, c.name from orders o join customers c on c.id = o.customer_id where\n"
	      "    o.created > ? and c.country in (?+) order by o.total desc limit ?\n"
	      "  calls     150 (1.5/s), 98.8 % of the time, concurrency 0.19, V/M 0.05\n"
	      "               total     min     avg     max     p50     p95     p99  stddev\n"
	      "  time         19.0s  3.00ms   126ms   300ms   113ms   278ms   294ms  82.9ms\n"
	      "  first byte   9.49s  1.50ms  63.2ms   150ms  56.5ms   139ms   147ms  41.4ms\n"
	      "  rows      450, 3.0 a call\n"
	      "  bytes     1.5 KiB sent, 14.6 KiB received\n"
	      "  errors    7 (4.7 %): 7 constraint, last SQLSTATE 23505\n"
	      "  databases shop 67 %, archive 33 %\n"
	      "  users     app\n"
	      "  hosts     10.0.0.7:5432\n"
	      "  processes gunicorn (pid 100) 67 %, cron (pid 102) 33 %\n"
	      "  seen      2025-11-30 14:05:07.000 to 2025-11-30 14:05:07.000\n"
	      "  slowest   300ms at 2025-11-30 14:05:09.000 by gunicorn(100), 3 rows\n"
	      "  histogram\n"
	      "        2ms  ## 2\n"
	      "        5ms  #### 4\n"
	      "       10ms  ###### 6\n"
	      "       20ms  ################### 20\n"
	      "       50ms  ############################### 32\n"
	      "      100ms  ################################################ 50\n"
	      "      200ms  ################################### 36\n"
	      "  example\n"
	      "    select o.id from orders o where o.created > '2026-01-01' and c.country in ('de', 'fr')\n"
	      "  plan\n"
	      "    Sort  (cost 12)\n"
	      "      Seq Scan on orders  (rows 1000)\n"
	      "  advice\n"
	      "    create index on orders (created)\n"
	      "\n"
	      "coverage: 308 statements seen, all in the table, none lost\n");
	sonde_snapshot_free(snap);
	(void)state;
}
/* clang-format on */

static void test_lines(void **state)
{
	struct sonde_out_opts opts = { .command = "slow", .width = 100 };
	struct sonde_snapshot *snap = make(true);
	struct sonde_buf buf = {};

	snap->slow[0].scope = SONDE_SCOPE_REQUEST;
	snap->slow[0].scope_name = "GET /orders";
	snap->slow[1].failed = true;
	memcpy(snap->slow[1].sqlstate, "57014", 5);
	for (size_t i = 0; i < 2; i++)
		sonde_outs[SONDE_OUT_text]->slow(&snap->slow[i], T0, &opts, &buf);
	assert_string_equal(
		buf.s,
		"14:05:09.000   300ms  gunicorn(100) -> 10.0.0.7:5432/shop  GET /orders  3 rows  select o.id from ...\n"
		"14:05:08.000   150ms  gunicorn(100) -> 10.0.0.7:5432/shop  3 rows  FAILED (57014)  select o.id, "
		"o.to...\n");
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->slow(&snap->slow[0], T0, &opts, &buf);
	assert_string_equal(
		buf.s,
		"{\"schema\":\"sonde/1\",\"command\":\"slow\",\"event\":\"slow\",\"start_unix_ns\":1764511509000000000,"
		"\"duration_ns\":300000000,\"first_byte_ns\":150000000,\"id\":\"0000000000000001\","
		"\"db_system\":\"postgresql\",\"text\":\"select o.id, o.total, c.name from orders o join customers c "
		"on "
		"c.id = o.customer_id where o.created > ? and c.country in (?+) order by o.total desc limit ?\","
		"\"name\":\"SELECT orders customers\",\"role\":\"client\",\"pid\":100,\"tid\":101,"
		"\"process\":\"gunicorn\",\"server\":\"10.0.0.7:5432\",\"database\":\"shop\",\"user\":\"app\","
		"\"scope\":{\"kind\":\"request\",\"name\":\"GET /orders\"},\"rows\":3,\"bytes\":200,"
		"\"example\":\"select o.id from orders o where o.created > '2026-01-01' and c.country in ('de', "
		"'fr')\","
		"\"example_complete\":true}\n");
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

static void test_json(void **state)
{
	struct sonde_out_opts opts = { .command = "slow", .slow = true };
	struct sonde_snapshot *snap = make(true);
	struct sonde_buf buf = {};

	sonde_outs[SONDE_OUT_json]->render(snap, &opts, &buf);
	assert_non_null(
		strstr(buf.s, "\"slow_threshold_ns\":100000000,\"slow_count\":2,\"slow\":[{\"start_unix_ns\":"));
	assert_non_null(strstr(buf.s, "\"mean_ns\":1.515e+08,\"stddev_ns\":8.6"));
	assert_non_null(strstr(buf.s, "\"examples\":[{\"duration_ns\":300000000,\"example\":\"select o.id"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

/* No line of the report is wider than asked for, but those that no width fits; nothing foreign acts on the terminal. */
static void test_width(void **state)
{
	static const char evil[] = "select '\x1b]0;owned\x07', '\xff', '"
				   "名前名前名前名前名前名前名前名前名前名前名前名前"
				   "'";

	for (unsigned int width = 60; width <= 200; width += 7) {
		struct sonde_out_opts opts = { .command = "slow", .width = width, .utf8 = true, .slow = true };
		struct sonde_snapshot *snap = make(false);
		struct sonde_buf buf = {};

		snap->slow[0].example = strdup(evil);
		snap->slow[0].example_len = strlen(evil);
		sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
		assert_null(strchr(buf.s, '\x1b'));
		for (const char *s = buf.s; *s; s += strcspn(s, "\n") + 1) {
			unsigned int columns = sonde_utf8_columns(s, strcspn(s, "\n"));

			if (columns > width && columns > 99)
				fail_msg("width %u: %.*s", width, (int)strcspn(s, "\n"), s);
		}
		sonde_buf_free(&buf);
		sonde_snapshot_free(snap);
	}
	(void)state;
}

static void test_empty(void **state)
{
	struct sonde_out_opts opts = { .command = "slow", .width = 100, .slow = true };
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap = sonde_db_snapshot(db);
	struct sonde_buf buf = {};

	snap->slow_ns = 100000000;
	sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
	assert_non_null(strstr(buf.s, "sonde slow: 0 statements, 0 different"));
	assert_non_null(strstr(buf.s, "concurrency 0.00"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

/* The slowest of each statement and the latest stay, each once; all are handed out in their order. */
static void test_what_is_kept(void **state)
{
	struct sonde_slow_log *log = sonde_slow_log_new();
	struct sonde_db *db = make_db();
	struct sonde_snapshot *snap = sonde_db_snapshot(db);
	struct sonde_slow slow;
	u64 seed = 3;
	u32 handed = 0;

	slow_event(log, 1, 9000, 0, "the slowest of all");
	slow_event(log, 2, 8000, 0, NULL);
	for (u32 i = 0; i < 1000; i++)
		slow_event(log, 1, (u32)(100 + unit_random(&seed) % 1000), i, NULL);
	assert_int_equal(sonde_slow_log_total(log), 1002);
	while (sonde_slow_log_peek(log)) {
		assert_int_equal(sonde_slow_log_next(log, db, &slow), 1);
		if (handed > 2)
			assert_int_equal(slow.start_ns, (handed - 2) * 1000000000ULL);
		free(slow.example);
		handed++;
	}
	assert_int_equal(handed, 1002);
	assert_int_equal(sonde_slow_log_next(log, db, &slow), 0);
	assert_int_equal(sonde_slow_log_snapshot(log, db, snap), 0);
	assert_in_range(snap->nr_slow, SONDE_SLOW_LATEST + 2, SONDE_SLOW_LATEST + 4);
	assert_int_equal(snap->slow_total, 1002);
	assert_int_equal(snap->slow[0].done_ns, 9000000000ULL);
	assert_string_equal(snap->slow[0].example, "the slowest of all");
	assert_int_equal(snap->slow[1].id, 2);
	for (size_t i = 1; i < snap->nr_slow; i++)
		assert_true(snap->slow[i - 1].done_ns >= snap->slow[i].done_ns);
	sonde_snapshot_free(snap);
	/* More statements than are remembered: the latest are there all the same. */
	for (u32 i = 0; i < SONDE_SLOW_STATEMENTS + 500; i++)
		slow_event(log, 1000 + i, 100, i, NULL);
	snap = sonde_db_snapshot(db);
	assert_int_equal(sonde_slow_log_snapshot(log, db, snap), 0);
	assert_in_range(snap->nr_slow, SONDE_SLOW_LATEST, SONDE_SLOW_STATEMENTS * SONDE_SLOW_EACH + SONDE_SLOW_LATEST);
	sonde_snapshot_free(snap);
	sonde_slow_log_free(log);
	sonde_db_free(db);
	(void)state;
}

static void test_bad_events(void **state)
{
	struct sonde_slow_log *log = sonde_slow_log_new();
	static struct sonde_event_slow e;
	size_t size = make_event(&e, 1, 100, 1, "text");
	u32 other = SONDE_EVENT_TEXT;

	assert_int_equal(sonde_slow_log_event(log, &e, 3), -EINVAL);
	assert_int_equal(sonde_slow_log_event(log, &e, SONDE_EVENT_SLOW_HEAD - 1), -EINVAL);
	assert_int_equal(sonde_slow_log_event(log, &e, size - 1), -EINVAL);
	assert_int_equal(sonde_slow_log_event(log, &e, sizeof(e) + 1), -EINVAL);
	e.example_len = UINT32_MAX;
	assert_int_equal(sonde_slow_log_event(log, &e, size), -EINVAL);
	e.head.type = other;
	assert_int_equal(sonde_slow_log_event(log, &e, size), 0);
	assert_int_equal(sonde_slow_log_total(log), 0);
	assert_null(sonde_slow_log_peek(log));
	sonde_slow_log_free(log);
	(void)state;
}

/* Against the exact value of the same observations. */
static void test_stddev(void **state)
{
	u64 seed = 11;

	for (u32 round = 0; round < 50; round++) {
		double sum = 0, squares = 0, truth, got;
		u32 n = 2 + (u32)(unit_random(&seed) % 2000);
		u64 base = 2000 + unit_random(&seed) % 1000000000, spread = 1 + unit_random(&seed) % (4 * base);
		struct sonde_hist hist = {};

		for (u32 i = 0; i < n; i++) {
			u64 ns = base + unit_random(&seed) % spread;

			sonde_hist_add(&hist, ns);
			sum += (double)ns;
			squares += (double)ns * (double)ns;
		}
		sonde_hist_tidy(&hist);
		truth = sqrt(fmax(0, squares / n - sum / n * (sum / n)));
		got = sonde_hist_stddev(&hist);
		/* 5 % of it, and a part of a bucket's width where all lie in a few. */
		if (fabs(got - truth) > 0.05 * truth + 0.02 * sum / n)
			fail_msg("%u of %llu +%llu: %g, truth %g", n, (unsigned long long)base,
				 (unsigned long long)spread, got, truth);
	}
	(void)state;
}

static void test_stddev_of_few(void **state)
{
	struct sonde_hist hist = {};

	assert_true(sonde_hist_stddev(&hist) == 0);
	for (u32 i = 0; i < 3; i++) {
		sonde_hist_add(&hist, 5000000);
		sonde_hist_tidy(&hist);
		assert_true(sonde_hist_stddev(&hist) < 1);
	}
	(void)state;
}

static void test_digest(void **state)
{
	struct sonde_snapshot *snap = make(false);
	struct sonde_digest digest;

	assert_int_equal(sonde_digest_make(&digest, snap), 0);
	assert_int_equal(digest.nr, 3);
	assert_int_equal(digest.calls, 308);
	assert_int_equal(digest.errors, 7);
	assert_int_equal(digest.classes[0].sum.count, 150);
	assert_int_equal(digest.classes[0].nr_rows, 2);
	assert_int_equal(digest.classes[0].nr_slow, 2);
	assert_int_equal(digest.classes[0].slowest->done_ns, 300000000);
	assert_null(digest.classes[1].slowest);
	assert_int_equal(digest.total_ns, 3000000ULL * (5050 + 1275) + 20000ULL * 11325 + 1000 * 36);
	sonde_digest_free(&digest);
	sonde_snapshot_free(snap);
	(void)state;
}

static int utc(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	(void)state;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),	   cmocka_unit_test(test_lines),  cmocka_unit_test(test_json),
		cmocka_unit_test(test_width),	   cmocka_unit_test(test_empty),  cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_bad_events), cmocka_unit_test(test_stddev), cmocka_unit_test(test_stddev_of_few),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
