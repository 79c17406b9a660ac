// SPDX-License-Identifier: GPL-2.0-only
/* test_waste.c - the time of repeated statements as stacks: what they weigh, where they stand, which statements are none of them. */
#include "finding_fixture.h"

#include "base/buf.h"
#include "model/profile.h"
#include "model/waste.h"
#include "out/profile.h"

/* main() calls list_orders(), which calls the driver. */
static void resolve(void *ctx, u32 pid, const u64 *ips, size_t nr, struct sonde_db_site *of)
{
	static const char *const site[] = { "list_orders shop.c:142" };
	static const struct sonde_frame function[] = {
		{ .function = "PQexec", .module = "libpq.so.5" },
		{ .function = "list_orders", .module = "shop", .file = "shop.c", .line = 142 },
		{ .function = "main", .module = "shop" },
	};
	static u32 frame[3];

	(void)ctx;
	(void)pid;
	(void)ips;
	(void)nr;
	for (u32 i = 0; i < 3; i++) {
		int index = sonde_profile_frame(of->frames, &function[i]);

		assert_true(index >= 0);
		frame[i] = (u32)index;
	}
	of->frame = site;
	of->nr = 1;
	of->stack = frame;
	of->nr_stack = 3;
}

static int give_stack(struct sonde_db *db, void *ctx, u32 id, u32 pid)
{
	static const u64 ip = 0x1000;

	(void)ctx;
	return sonde_db_stack(db, id, pid, &ip, 1);
}

static void test_stacks(void **state)
{
	struct made repeated = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 200, 50);
	struct made nowhere = fixture_made(SETTINGS, SONDE_FOUND_SAME, 40, 12);
	struct made slow = fixture_made(REPORT, SONDE_FOUND_SLOW, 3, 1);
	struct sonde_db *db = fixture_findings();
	struct sonde_snapshot *snap;
	struct sonde_profile *waste;
	struct sonde_buf folded = {}, packed = {};

	fixture_parent(&repeated, ORDERS, 50);
	repeated.stat.stack = 7;
	repeated.stat.same_stack = 200;
	slow.stat.waste_ns = slow.stat.max_ns = 1000000000;
	sonde_db_sites(db, resolve, NULL, NULL);
	fixture_take(db, &repeated);
	fixture_take(db, &nowhere);
	fixture_take(db, &slow);
	assert_int_equal(sonde_db_stacks_wanted(db, NULL, give_stack), 0);
	snap = sonde_db_snapshot(db);
	assert_non_null(snap);
	assert_int_equal(snap->nr_findings, 3);
	waste = sonde_waste_profile(snap);
	assert_non_null(waste);
	/* 1 ms a call, and of each request's calls all but the first. */
	assert_int_equal(waste->count, 200 * 49 + 40 * 11);
	assert_int_equal(waste->weight, (200 * 49 + 40 * 11) * 1000000ULL);
	sonde_profile_folded(waste, &folded);
	sonde_buf_add(&folded, "", 1);
	assert_string_equal(folded.s, "gunicorn;GET /orders;[call site not known];REDUNDANT: select value from settings where name = ? 440000000\n"
				      "gunicorn;GET /orders;main;list_orders;PQexec;N+1: select name from customers where id = ? 9800000000\n");
	sonde_profile_pprof(waste, NULL, 0, 0, &packed);
	assert_false(packed.failed);
	sonde_buf_free(&packed);
	sonde_buf_free(&folded);
	sonde_profile_free(waste);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

/* What repeats in no request stands below its process alone; nothing repeated is no stack. */
static void test_no_scope(void **state)
{
	struct made items = fixture_made(INSERT_ITEM, SONDE_FOUND_DISTINCT, 2, 300);
	struct sonde_db *db = fixture_findings();
	struct sonde_snapshot *snap = sonde_db_snapshot(db);
	struct sonde_profile *waste = sonde_waste_profile(snap);

	assert_non_null(waste);
	assert_int_equal(waste->nr_stacks, 0);
	sonde_profile_free(waste);
	sonde_snapshot_free(snap);

	fixture_parent(&items, ORDERS, 300);
	items.key.verb = SONDE_SQL_INSERT;
	items.key.name = 0;
	items.key.scope = SONDE_SCOPE_BURST;
	fixture_take(db, &items);
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->nr_findings, 1);
	waste = sonde_waste_profile(snap);
	assert_non_null(waste);
	assert_int_equal(waste->nr_stacks, 1);
	assert_string_equal(waste->stack[0].process, "gunicorn");
	assert_int_equal(waste->stack[0].nr, 2);
	assert_string_equal(waste->frame[waste->stack[0].frame[0]].function, "WRITE LOOP: insert into items(order_id, sku) values (?+)");
	sonde_profile_free(waste);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_no_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
