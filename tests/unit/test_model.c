// SPDX-License-Identifier: GPL-2.0-only
/* test_model.c - from the kernel's structures to a snapshot: texts, names, peers, rates, groups, coverage. */
#include <errno.h>

#include "fixture.h"

#include "base/table.h"
#include "model/strings.h"

static const char ORDERS[] = "select * from orders where id = ?";

static void test_row(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;
	const struct sonde_query *q;

	fixture_text(db, 1, 0, ORDERS, strlen(ORDERS));
	fixture_peer(db, 9, "shop");
	fixture_proc(db, 100, "sixteen-bytes-no");
	fixture_row(db, 1, 9, 100, 4, 1000000, 1);
	snap = sonde_db_snapshot(db);
	sonde_db_free(db); /* the snapshot stands on its own */
	assert_int_equal(snap->nr_queries, 1);
	q = snap->queries[0];
	assert_string_equal(q->text, ORDERS);
	assert_string_equal(q->name, "SELECT orders");
	assert_string_equal(q->server, "10.0.0.7:5432");
	assert_string_equal(q->database, "shop");
	assert_string_equal(q->user, "app");
	assert_string_equal(q->process, "sixteen-bytes-no");
	assert_string_equal(q->sqlstate, "23505");
	assert_int_equal(q->pid, 100);
	assert_int_equal(q->count, 4);
	assert_int_equal(q->errors, 1);
	assert_int_equal(q->rows, 12);
	assert_int_equal(q->cgroup, 77);
	assert_int_equal(q->done.sum_ns, 10000000);
	assert_int_equal(q->first.sum_ns, 5000000);
	assert_false(q->named || q->partial);
	sonde_snapshot_free(snap);
	(void)state;
}

static void test_nothing_known(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;

	fixture_row(db, 0xabc, 9, 100, 1, 5, 0);
	snap = sonde_db_snapshot(db);
	assert_null(snap->queries[0]->text);
	assert_string_equal(snap->queries[0]->name, "id 0000000000000abc");
	assert_string_equal(snap->queries[0]->server, "");
	assert_string_equal(snap->queries[0]->process, "");
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

/* A row that the kernel side is just making has no count. */
static void test_unborn_row(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;

	fixture_row(db, 1, 9, 100, 0, 5, 0);
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->nr_queries, 0);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

static void test_named(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;

	fixture_text(db, 5, SONDE_TEXT_NAME, "S_1", 3);
	fixture_row(db, 5, 9, 100, 1, 5, 0);
	snap = sonde_db_snapshot(db);
	assert_string_equal(snap->queries[0]->text, "stmt S_1");
	assert_string_equal(snap->queries[0]->name, "stmt S_1");
	assert_true(snap->queries[0]->named);
	sonde_snapshot_free(snap);

	/* The text replaces the name, the name never the text. */
	fixture_text(db, 5, SONDE_TEXT_PARTIAL, ORDERS, strlen(ORDERS));
	fixture_text(db, 5, SONDE_TEXT_NAME, "S_1", 3);
	snap = sonde_db_snapshot(db);
	assert_string_equal(snap->queries[0]->text, ORDERS);
	assert_true(snap->queries[0]->partial);
	assert_false(snap->queries[0]->named);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

static void alias(struct sonde_db *db, u64 named, u64 id, u64 peer, u32 tgid)
{
	struct sonde_event_alias event = { .head = { .type = SONDE_EVENT_ALIAS, .size = sizeof(event) },
					   .named = named,
					   .id = id,
					   .peer = peer,
					   .tgid = tgid,
					   .start = 3 };

	assert_int_equal(sonde_db_event(db, &event, sizeof(event)), 0);
}

/* A row of @calls executions of a statement known by its name only. */
static void named_row(struct sonde_db *db, u64 id, u64 peer, u32 tgid, u32 calls)
{
	struct sonde_query_key key = { .id = id, .peer = peer, .proc = { tgid, 3 }, .flags = SONDE_KEY_NAMED };
	struct sonde_query_stat stat = { .count = calls, .first_seen_ns = 500, .last_seen_ns = 600 };

	key.proto = SONDE_PROTO_POSTGRESQL;
	key.role = SONDE_ROLE_CLIENT;
	for (u32 i = 0; i < calls; i++)
		sonde_hist_add(&stat.done, 1000000);
	assert_int_equal(sonde_db_row(db, &key, &stat), 0);
}

/* The text of a name shows up: its rows join those of the text, unless connections mean different things by it. */
static void test_alias(void **state)
{
	for (int order = 0; order < 2; order++) {
		struct sonde_db *db = sonde_db_new();
		struct sonde_snapshot *snap;

		fixture_text(db, 5, SONDE_TEXT_NAME, "S_1", 3);
		fixture_text(db, 6, 0, ORDERS, strlen(ORDERS));
		alias(db, 5, 6, 9, 100);
		if (order)
			named_row(db, 5, 9, 100, 4);
		fixture_row(db, 6, 9, 100, 3, 5, 0);
		if (!order)
			named_row(db, 5, 9, 100, 4);
		named_row(db, 5, 9, 101, 2); /* another process's */
		snap = sonde_db_snapshot(db);
		assert_int_equal(snap->nr_queries, 2);
		assert_string_equal(snap->queries[0]->text, ORDERS);
		assert_int_equal(snap->queries[0]->count, 7);
		assert_int_equal(sonde_hist_count(&snap->queries[0]->done), 7);
		assert_int_equal(snap->queries[0]->first_seen_ns, 500);
		assert_int_equal(snap->queries[0]->last_seen_ns, 5000);
		assert_string_equal(snap->queries[1]->text, "stmt S_1");
		sonde_snapshot_free(snap);

		alias(db, 5, 7, 9, 100); /* a second connection's S_1 is something else */
		sonde_db_begin(db);
		named_row(db, 5, 9, 100, 4);
		snap = sonde_db_snapshot(db);
		assert_string_equal(snap->queries[0]->text, "stmt S_1");
		sonde_snapshot_free(snap);
		sonde_db_free(db);
	}
	(void)state;
}

static void test_longest_text_and_name(void **state)
{
	static char text[SONDE_TEXT_BYTES];
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;

	memset(text, 'x', sizeof(text));
	assert_int_equal(fixture_text(db, 1, 0, text, sizeof(text)), 0);
	assert_int_equal(fixture_text(db, 2, SONDE_TEXT_NAME, text, sizeof(text)), 0);
	fixture_row(db, 1, 9, 100, 1, 5, 0);
	fixture_row(db, 2, 9, 100, 1, 4, 0);
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->queries[0]->text_len, sizeof(text));
	assert_int_equal(snap->queries[1]->text_len, sizeof(text) + 5);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

static void test_bad_events(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_event_text event = { .head.type = SONDE_EVENT_TEXT, .len = 10 };
	u64 seed = 9;

	assert_int_equal(sonde_db_event(db, &event, 0), -EINVAL);
	assert_int_equal(sonde_db_event(db, &event, sizeof(struct sonde_event)), -EINVAL);
	assert_int_equal(sonde_db_event(db, &event, SONDE_EVENT_TEXT_HEAD + 9), -EINVAL);
	assert_int_equal(sonde_db_event(db, &event, SONDE_EVENT_TEXT_HEAD + 10), 0);
	event.len = UINT32_MAX;
	assert_int_equal(sonde_db_event(db, &event, sizeof(event)), -EINVAL);
	event.head.type = 99;
	assert_int_equal(sonde_db_event(db, &event, sizeof(event)), -EINVAL);
	assert_int_equal(sonde_db_bad_events(db), 5);
	for (u32 round = 0; round < 20000; round++) {
		u8 noise[128];
		size_t len = unit_random(&seed) % sizeof(noise);

		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (u8)unit_random(&seed);
		noise[0] = (u8)(round % 4);
		memset(noise + 1, 0, 3);
		(void)sonde_db_event(db, noise, len);
	}
	sonde_db_free(db);
	(void)state;
}

static void test_addresses(void **state)
{
	static const struct {
		struct sonde_peer peer;
		const char *server;
	} cases[] = {
		{ { .family = SONDE_AF_INET, .port = 65535, .addr = { 255, 0, 1, 2 } }, "255.0.1.2:65535" },
		{ { .family = SONDE_AF_INET6, .port = 1, .addr = { [15] = 1 } }, "[::1]:1" },
		{ { .family = SONDE_AF_INET6, .port = 80, .addr = { [10] = 0xff, 0xff, 10, 1, 2, 3 } }, "10.1.2.3:80" },
		{ { .family = SONDE_AF_UNIX, .path = "/run/postgresql/.s.PGSQL.5432" },
		  "/run/postgresql/.s.PGSQL.5432" },
		{ { .family = SONDE_AF_UNIX, .path = "@abstract" }, "@abstract" },
		{ { .family = SONDE_AF_FILE, .path = "/tmp/shop.db" }, "/tmp/shop.db" },
		{ { .family = SONDE_AF_FILE }, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_db *db = sonde_db_new();
		struct sonde_snapshot *snap;

		sonde_db_peer(db, 9, &cases[i].peer);
		fixture_row(db, 1, 9, 100, 1, 5, 0);
		snap = sonde_db_snapshot(db);
		assert_string_equal(snap->queries[0]->server, cases[i].server);
		sonde_snapshot_free(snap);
		sonde_db_free(db);
	}
	(void)state;
}

static unsigned int asked_peers, asked_procs;

static int give_peer(struct sonde_db *db, void *ctx, u64 id)
{
	asked_peers++;
	fixture_peer(db, id, "late");
	(void)ctx;
	return 0;
}

static int give_proc(struct sonde_db *db, void *ctx, const struct sonde_proc *proc)
{
	asked_procs++;
	fixture_proc(db, proc->tgid, "late");
	(void)ctx;
	return 0;
}

/* Peers and processes are asked for once. */
static void test_missing(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;

	for (u32 round = 0; round < 3; round++) {
		sonde_db_begin(db);
		for (u32 i = 0; i < 10; i++)
			fixture_row(db, i, 9, 100 + i % 2, 1, 5, 0);
		assert_int_equal(sonde_db_missing(db, NULL, give_peer, give_proc), 0);
	}
	assert_int_equal(asked_peers, 1);
	assert_int_equal(asked_procs, 2);
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->nr_queries, 10);
	assert_string_equal(snap->queries[0]->database, "late");
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

static void test_recent(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;
	static const u32 counts[] = { 5, 12, 12, 40 }, recent[] = { 5, 7, 0, 28 };

	for (size_t i = 0; i < 4; i++) {
		sonde_db_begin(db);
		fixture_row(db, 1, 9, 100, counts[i], 5, 0);
		snap = sonde_db_snapshot(db);
		assert_int_equal(snap->queries[0]->recent, recent[i]);
		sonde_snapshot_free(snap);
	}
	sonde_db_free(db);
	(void)state;
}

static void test_order_and_group(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap, *group;

	fixture_peer(db, 9, "shop");
	fixture_peer(db, 10, "other");
	for (u32 i = 0; i < 4; i++)
		fixture_proc(db, 100 + i, i < 3 ? "worker" : "cron");
	for (u32 i = 0; i < 4; i++) {
		fixture_row(db, 1, 9, 100 + i, 10 + i, 1000000, i);
		fixture_row(db, 2, 9, 100 + i, 5, 100000, 0);
	}
	fixture_row(db, 1, 10, 100, 1, 77, 0);
	snap = sonde_db_snapshot(db);
	for (size_t i = 1; i < snap->nr_queries; i++)
		assert_true(snap->queries[i - 1]->done.sum_ns >= snap->queries[i]->done.sum_ns);

	group = sonde_snapshot_group(snap);
	assert_int_equal(snap->nr_queries, 9);
	assert_int_equal(group->nr_queries, 5); /* 1 and 2 of worker and cron, 1 of the other database */
	assert_string_equal(group->queries[0]->process, "worker");
	assert_int_equal(group->queries[0]->count, 10 + 11 + 12);
	assert_int_equal(group->queries[0]->nr_procs, 3);
	assert_int_equal(group->queries[0]->pid, 100);
	assert_int_equal(group->queries[0]->errors, 0 + 1 + 2);
	assert_int_equal(group->queries[0]->error_class[SONDE_ERR_CONSTRAINT], 3);
	assert_string_equal(group->queries[0]->sqlstate, "23505");
	assert_int_equal(sonde_hist_count(&group->queries[0]->done), 33);
	assert_int_equal(group->queries[1]->nr_procs, 1);
	sonde_snapshot_free(snap);
	sonde_snapshot_free(group);
	sonde_db_free(db);
	(void)state;
}

static void test_coverage(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;
	struct sonde_coverage cov;
	u64 counter[SONDE_CNT_MAX] = {};

	counter[SONDE_CNT_SEEN] = 100;
	counter[SONDE_CNT_TIMED] = 93;
	counter[SONDE_CNT_ATTRIBUTED] = 90;
	counter[SONDE_CNT_LOST_ROWS_FULL] = 3;
	counter[SONDE_CNT_LOST_CLOSED] = 2;
	counter[SONDE_CNT_RESYNC] = 8;
	counter[SONDE_CNT_CONNS] = 1000;
	sonde_db_counters(db, counter);
	snap = sonde_db_snapshot(db);
	sonde_snapshot_coverage(snap, &cov);
	assert_int_equal(cov.seen, 100);
	assert_int_equal(cov.timed, 93);
	assert_int_equal(cov.attributed, 90);
	assert_int_equal(cov.lost, 5);
	assert_int_equal(cov.outstanding, 5);
	assert_int_equal(cov.doubts, 8);
	snap->counter[SONDE_CNT_LOST_CLOSED] = 50; /* read while it moved: no wrap */
	sonde_snapshot_coverage(snap, &cov);
	assert_int_equal(cov.outstanding, 0);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

/* What is missing at the end and not outstanding ended with its connection. */
static void test_settle(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_coverage cov;
	struct sonde_snapshot *snap;
	u64 counter[SONDE_CNT_MAX] = {};

	counter[SONDE_CNT_SEEN] = 100;
	counter[SONDE_CNT_ATTRIBUTED] = 90;
	counter[SONDE_CNT_LOST_ROWS_FULL] = 3;
	counter[SONDE_CNT_RESYNC] = 8; /* no loss */
	sonde_db_counters(db, counter);
	sonde_db_settle(db, 2);
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->counter[SONDE_CNT_LOST_CLOSED], 5);
	sonde_snapshot_coverage(snap, &cov);
	assert_int_equal(cov.outstanding, 2);
	sonde_snapshot_free(snap);
	/* More than is missing: nothing is made up. */
	sonde_db_counters(db, counter);
	sonde_db_settle(db, 8);
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->counter[SONDE_CNT_LOST_CLOSED], 0);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
}

static void test_lists_are_complete(void **state)
{
	for (u32 i = 0; i < SONDE_CNT_MAX; i++) {
		assert_non_null(sonde_counter_info[i].name);
		assert_non_null(sonde_counter_info[i].text);
	}
	for (u32 i = 0; i < SONDE_ERR_CLASSES; i++)
		assert_non_null(sonde_error_class_name(i));
	assert_string_equal(sonde_proto_system(SONDE_PROTO_POSTGRESQL), "postgresql");
	assert_string_equal(sonde_proto_name(SONDE_PROTO_SQLITE), "SQLite");
	assert_string_equal(sonde_proto_system(SONDE_PROTO_MAX + 1), "");
	assert_string_equal(sonde_proto_name(SONDE_PROTO_UNKNOWN), "?");
	(void)state;
}

static void test_table(void **state)
{
	struct sonde_table table = {};
	static u64 values[20000];

	assert_null(sonde_table_get(&table, 0));
	for (u64 i = 0; i < 20000; i++)
		assert_int_equal(sonde_table_put(&table, i * 0x100000001ULL, &values[i]), 0);
	for (u64 i = 0; i < 20000; i++)
		assert_ptr_equal(sonde_table_get(&table, i * 0x100000001ULL), &values[i]);
	assert_int_equal(table.nr, 20000);
	assert_int_equal(sonde_table_put(&table, 0, &values[7]), 0);
	assert_ptr_equal(sonde_table_get(&table, 0), &values[7]);
	assert_int_equal(table.nr, 20000);
	assert_null(sonde_table_get(&table, 5));
	sonde_table_free(&table, NULL);
	(void)state;
}

static void test_strings(void **state)
{
	struct sonde_strings *pool = sonde_strings_new(), *again;
	const char *a = sonde_strings_add(pool, "abc", 3), *b = sonde_strings_add(pool, "abcd", 3);

	assert_ptr_equal(a, b); /* once */
	assert_string_equal(a, "abc");
	assert_ptr_not_equal(sonde_strings_add(pool, "a\0c", 3), a);
	assert_string_equal(sonde_strings_add(pool, "", 0), "");
	again = sonde_strings_get(pool);
	sonde_strings_put(pool);
	assert_string_equal(a, "abc");
	sonde_strings_put(again);
	(void)state;
}

/* What waits by intent stands behind everything else, however long it took. */
static void test_waits(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_query_key key = { .id = 2, .proto = SONDE_PROTO_REDIS, .flags = SONDE_KEY_BLOCKING };
	struct sonde_query_stat stat = { .count = 1, .first_seen_ns = 1, .last_seen_ns = 1 };
	struct sonde_snapshot *snapshot, *group;

	sonde_hist_add(&stat.done, 3000000000ULL);
	sonde_hist_add(&stat.first, 3000000000ULL);
	assert_int_equal(sonde_db_row(db, &key, &stat), 0);
	fixture_row(db, 1, 1, 100, 5, 1000, 0);
	snapshot = sonde_db_snapshot(db);
	assert_int_equal(snapshot->nr_queries, 2);
	assert_int_equal(snapshot->queries[0]->id, 1);
	assert_false(snapshot->queries[0]->waits);
	assert_true(snapshot->queries[1]->waits);
	group = sonde_snapshot_group(snapshot);
	assert_true(group->queries[1]->waits);
	sonde_snapshot_free(group);
	sonde_snapshot_free(snapshot);
	sonde_db_free(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_unborn_row),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_longest_text_and_name),
		cmocka_unit_test(test_bad_events),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_recent),
		cmocka_unit_test(test_order_and_group),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_lists_are_complete),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
