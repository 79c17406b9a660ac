// SPDX-License-Identifier: GPL-2.0-only
/* test_finding.c - from the kernel's rows to findings: which kind, how sure, what belongs together, what is none. */
#include <errno.h>
#include <stdio.h>

#include "finding_fixture.h"

#include "model/access.h"
#include "model/ignore.h"
#include "sonde/scope_fold.h"

/* Judges and frees @db. */
static struct sonde_snapshot *judge(struct sonde_db *db)
{
	struct sonde_snapshot *snap = sonde_db_snapshot(db);

	assert_non_null(snap);
	assert_true(snap->judged);
	sonde_db_free(db);
	return snap;
}

/* One row alone: the kind that becomes of it, -1: nothing. */
static int kind_of(const struct made *made, enum sonde_confidence *confidence)
{
	struct sonde_db *db = fixture_findings();
	struct sonde_snapshot *snap;
	int kind = -1;

	fixture_take(db, made);
	snap = judge(db);
	assert_true(snap->nr_findings <= 1);
	if (snap->nr_findings) {
		kind = (int)snap->findings[0]->kind;
		assert_true(snap->findings[0]->suggestion[0]);
		if (confidence)
			*confidence = snap->findings[0]->confidence;
	}
	sonde_snapshot_free(snap);
	return kind;
}

static void test_n_plus_one(void **state)
{
	struct sonde_db *db = fixture_findings();
	struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 200, 50);
	struct sonde_snapshot *snap;
	const struct sonde_finding *f;

	fixture_parent(&made, ORDERS, 50);
	fixture_take(db, &made);
	fixture_caller(db, 0, PAGE, PID, SONDE_SCOPE_REQUEST, 240, 0, 0);
	snap = judge(db);
	assert_int_equal(snap->nr_findings, 1);
	f = snap->findings[0];
	assert_int_equal(f->kind, SONDE_FINDING_N_PLUS_ONE);
	assert_int_equal(f->confidence, SONDE_CONFIDENCE_HIGH);
	assert_string_equal(f->scope_name, "GET /orders");
	assert_string_equal(f->process, "gunicorn");
	assert_string_equal(f->server, "10.0.0.7:5432");
	assert_string_equal(f->database, "shop");
	assert_string_equal(f->query, fixture_texts_of[CUSTOMER]);
	assert_string_equal(f->parent, fixture_texts_of[ORDERS]);
	assert_int_equal((int)f->parent_rows, 50);
	assert_int_equal((int)f->parent_calls, 1);
	assert_int_equal(f->scopes, 200);
	assert_int_equal(f->requests, 240);
	assert_int_equal(f->calls, 10000);
	assert_int_equal(f->calls_min, 50);
	assert_int_equal(f->calls_median, 50);
	assert_int_equal(f->calls_max, 50);
	assert_int_equal(f->distinct, 50);
	assert_int_equal(f->waste_ns, 200ULL * 49 * 1000000);
	assert_int_equal(f->each_ns, 1000000);
	assert_true(f->share > 0.89 && f->share < 0.9);
	assert_int_equal(f->first_seen_ns, 1000);
	assert_int_equal(f->last_seen_ns, 9000);
	assert_non_null(strstr(f->suggestion, "customers.id = orders.customer_id"));
	sonde_snapshot_free(snap);
	(void)state;
}

static void test_kinds(void **state)
{
	static const struct {
		u64 id;
		u8 class;
		u8 verb;
		int kind; /* -1: nothing */
	} cases[] = {
		{ CUSTOMER, SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, SONDE_FINDING_N_PLUS_ONE },
		{ CUSTOMER, SONDE_FOUND_SOME, SONDE_SQL_SELECT, SONDE_FINDING_REDUNDANT_QUERY },
		{ CUSTOMER, SONDE_FOUND_SAME, SONDE_SQL_SELECT, SONDE_FINDING_REDUNDANT_QUERY },
		{ CUSTOMER, SONDE_FOUND_UNKNOWN, SONDE_SQL_SELECT, -1 },
		{ INSERT_ITEM, SONDE_FOUND_DISTINCT, SONDE_SQL_INSERT, SONDE_FINDING_WRITE_LOOP },
		{ INSERT_ITEM, SONDE_FOUND_SAME, SONDE_SQL_INSERT, SONDE_FINDING_WRITE_LOOP },
		{ UPDATE_ITEM, SONDE_FOUND_UNKNOWN, SONDE_SQL_UPDATE, SONDE_FINDING_WRITE_LOOP },
		{ UPDATE_ITEM, SONDE_FOUND_DISTINCT, SONDE_SQL_DELETE, SONDE_FINDING_WRITE_LOOP },
		{ CUSTOMER, SONDE_FOUND_DISTINCT, SONDE_SQL_SET, -1 },
		{ CUSTOMER, SONDE_FOUND_DISTINCT, SONDE_SQL_BEGIN, -1 },
		{ CUSTOMER, SONDE_FOUND_DISTINCT, SONDE_SQL_DML, -1 },
		{ REPORT, SONDE_FOUND_SLOW, SONDE_SQL_SELECT, SONDE_FINDING_SLOW_QUERY },
		{ REPORT, SONDE_FOUND_LARGE, SONDE_SQL_SELECT, SONDE_FINDING_LARGE_RESULT },
		{ INSERT_ITEM, SONDE_FOUND_SLOW, SONDE_SQL_DDL, SONDE_FINDING_SLOW_QUERY },
		{ CATALOG, SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, -1 },
		{ CATALOG, SONDE_FOUND_SLOW, SONDE_SQL_SELECT, -1 },
		{ PING, SONDE_FOUND_SAME, SONDE_SQL_SELECT, -1 },
		{ PING, SONDE_FOUND_SLOW, SONDE_SQL_SELECT, SONDE_FINDING_SLOW_QUERY }, /* select pg_sleep(?) is slow */
		{ CUSTOMER, 0, SONDE_SQL_SELECT, -1 },
		{ CUSTOMER, 77, SONDE_SQL_SELECT, -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made made = fixture_made(cases[i].id, cases[i].class, 4, 6);

		made.key.verb = cases[i].verb;
		if (kind_of(&made, NULL) != cases[i].kind)
			fail_msg("case %zu: %d", i, kind_of(&made, NULL));
	}
	(void)state;
}

/* A statement whose text never came is judged by what the kernel knows. */
static void test_unknown_text(void **state)
{
	struct made made = fixture_made(0xabcdef, SONDE_FOUND_DISTINCT, 4, 6);

	assert_int_equal(kind_of(&made, NULL), SONDE_FINDING_N_PLUS_ONE);
	made.key.proto = SONDE_PROTO_REDIS;
	made.key.verb = 0;
	assert_int_equal(kind_of(&made, NULL), -1);
	(void)state;
}

/* A batch writes more rows than it has calls. */
static void test_writes_of_many_rows(void **state)
{
	struct made made = fixture_made(INSERT_ITEM, SONDE_FOUND_DISTINCT, 4, 6);

	made.key.verb = SONDE_SQL_INSERT;
	made.stat.rows = made.stat.calls + 1;
	assert_int_equal(kind_of(&made, NULL), -1);
	made.stat.rows = 0; /* none matched */
	assert_int_equal(kind_of(&made, NULL), SONDE_FINDING_WRITE_LOOP);
	made.key.proto = SONDE_PROTO_SQLITE;
	assert_int_equal(kind_of(&made, NULL), SONDE_FINDING_WRITE_LOOP);
	made.key.scope = SONDE_SCOPE_TRANSACTION;
	assert_int_equal(kind_of(&made, NULL), -1);
	(void)state;
}

static void test_unknown_parameters(void **state)
{
	struct made made = fixture_made(CUSTOMER, SONDE_FOUND_UNKNOWN, 10, 20);
	enum sonde_confidence confidence;

	fixture_parent(&made, ORDERS, 20);
	assert_int_equal(kind_of(&made, &confidence), SONDE_FINDING_N_PLUS_ONE);
	assert_int_equal(confidence, SONDE_CONFIDENCE_LOW);
	fixture_parent(&made, ORDERS, 22);
	assert_int_equal(kind_of(&made, NULL), -1);
	(void)state;
}

static void test_confidence(void **state)
{
	struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 1, 20);
	enum sonde_confidence confidence;

	kind_of(&made, &confidence);
	assert_int_equal(confidence, SONDE_CONFIDENCE_MEDIUM); /* once */
	fixture_parent(&made, ORDERS, 21);
	kind_of(&made, &confidence);
	assert_int_equal(confidence, SONDE_CONFIDENCE_HIGH); /* the parent's rows */
	fixture_parent(&made, ORDERS, 30);
	kind_of(&made, &confidence);
	assert_int_equal(confidence, SONDE_CONFIDENCE_MEDIUM);
	made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 3, 20);
	kind_of(&made, &confidence);
	assert_int_equal(confidence, SONDE_CONFIDENCE_HIGH); /* three times */
	made.stat.lost = 2;
	kind_of(&made, &confidence);
	assert_int_equal(confidence, SONDE_CONFIDENCE_MEDIUM);
	made.stat.lost = 0;
	made.key.scope = SONDE_SCOPE_BURST;
	fixture_parent(&made, ORDERS, 20);
	kind_of(&made, &confidence);
	assert_int_equal(confidence, SONDE_CONFIDENCE_MEDIUM);
	(void)state;
}

/* Where nothing but rest tells where work begins, only what goes through a parent's rows is a loop. */
static void test_burst(void **state)
{
	static const struct {
		u8 class;
		u8 verb;
		u32 calls; /* in each of 4 bursts */
		u32 parents; /* bursts in which a parent was seen */
		u32 executions; /* of it in each of these */
		u32 rows; /* of each execution */
		int kind;
	} cases[] = {
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 20, 4, 1, 20, SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 21, 4, 1, 20, SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 22, 4, 1, 20, -1 }, /* more than there are rows */
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 5, 4, 1, 20, SONDE_FINDING_N_PLUS_ONE }, /* of some rows */
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 20, 2, 1, 20, SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 20, 1, 1, 20, -1 }, /* most had none */
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 20, 0, 0, 0, -1 },
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 20, 4, 4, 5, SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 20, 4, 20, 1,
		  -1 }, /* one row at a time: a queue's consumer */
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 20, 4, 5, 4, -1 },
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_SELECT, 16, 4, 4, 5, -1 },
		{ SONDE_FOUND_SAME, SONDE_SQL_SELECT, 20, 4, 1, 20, -1 },
		{ SONDE_FOUND_SOME, SONDE_SQL_SELECT, 20, 4, 1, 20, -1 },
		{ SONDE_FOUND_SAME, SONDE_SQL_INSERT, 20, 4, 1, 20, SONDE_FINDING_WRITE_LOOP },
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_INSERT, 1000, 4, 1, 20, -1 },
		{ SONDE_FOUND_DISTINCT, SONDE_SQL_INSERT, 20, 0, 0, 0, -1 },
		{ SONDE_FOUND_SLOW, SONDE_SQL_SELECT, 1, 0, 0, 0, SONDE_FINDING_SLOW_QUERY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool read = cases[i].verb == SONDE_SQL_SELECT;
		struct made made = fixture_made(read ? CUSTOMER : INSERT_ITEM, cases[i].class, 4, cases[i].calls);

		made.key.scope = SONDE_SCOPE_BURST;
		made.key.verb = cases[i].verb;
		made.stat.parent = cases[i].parents ? ORDERS : 0;
		made.stat.parents = cases[i].parents;
		made.stat.parent_calls = (u64)cases[i].parents * cases[i].executions;
		made.stat.parent_rows = made.stat.parent_calls * cases[i].rows;
		if (kind_of(&made, NULL) != cases[i].kind)
			fail_msg("case %zu: %d", i, kind_of(&made, NULL));
	}
	(void)state;
}

/* Requests where half of the parameters differ, and some where fewer do: one finding. */
static void test_classes_are_one(void **state)
{
	struct sonde_db *db = fixture_findings();
	struct made many = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 60, 50);
	struct made some = fixture_made(CUSTOMER, SONDE_FOUND_SOME, 40, 50);
	struct made same = fixture_made(CUSTOMER, SONDE_FOUND_SAME, 7, 5);
	struct sonde_snapshot *snap;

	fixture_take(db, &many);
	fixture_take(db, &some);
	fixture_take(db, &same);
	snap = judge(db);
	assert_int_equal(snap->nr_findings, 2);
	assert_int_equal(snap->findings[0]->kind, SONDE_FINDING_N_PLUS_ONE);
	assert_int_equal(snap->findings[0]->scopes, 100);
	assert_int_equal(snap->findings[1]->kind, SONDE_FINDING_REDUNDANT_QUERY);
	assert_int_equal(snap->findings[1]->scopes, 7);
	assert_int_not_equal(snap->findings[0]->id, snap->findings[1]->id);
	sonde_snapshot_free(snap);
	(void)state;
}

static unsigned int resolved, asked;

static void resolve(void *ctx, u32 pid, const u64 *ips, size_t nr, struct sonde_db_site *of)
{
	static const char *const site[] = { "list_orders shop.c:142", "handle http.c:88" };

	assert_ptr_equal(ctx, &resolved);
	assert_true(pid == PID || pid == PID + 1);
	resolved++;
	of->frame = site;
	of->nr = nr > 1 && ips[0] == 0x1000 ? 2 : 0;
}

static int give_stack(struct sonde_db *db, void *ctx, u32 id, u32 pid)
{
	static const u64 ips[] = { 0x1000, 0x2000 };

	asked++;
	(void)ctx;
	return sonde_db_stack(db, id, pid, ips, id == 7 ? 2 : 0);
}

/* With the application's call site, two distinct parameters are enough. */
static void test_call_site(void **state)
{
	for (u32 stack = 7; stack < 9; stack++) {
		struct sonde_db *db = fixture_findings();
		struct made made = fixture_made(CUSTOMER, SONDE_FOUND_SOME, 4, 10);
		struct sonde_snapshot *snap;

		asked = resolved = 0;
		made.stat.stack = (s32)stack;
		made.stat.same_stack = 4;
		sonde_db_sites(db, resolve, &resolved, NULL);
		fixture_take(db, &made);
		for (u32 i = 0; i < 3; i++)
			assert_int_equal(sonde_db_stacks_wanted(db, NULL, give_stack), 0);
		assert_int_equal(asked, 1);
		assert_int_equal(resolved, stack == 7);
		snap = judge(db);
		assert_int_equal(snap->nr_findings, 1);
		if (stack == 7) {
			assert_int_equal(snap->findings[0]->kind, SONDE_FINDING_N_PLUS_ONE);
			assert_int_equal(snap->findings[0]->confidence, SONDE_CONFIDENCE_HIGH);
			assert_int_equal(snap->findings[0]->nr_site, 2);
			assert_string_equal(snap->findings[0]->site[0], "list_orders shop.c:142");
		} else {
			assert_int_equal(snap->findings[0]->kind, SONDE_FINDING_REDUNDANT_QUERY);
			assert_int_equal(snap->findings[0]->nr_site, 0);
		}
		sonde_snapshot_free(snap);
	}
	(void)state;
}

/* The stack of a finding that has just shown up is asked for at once, for each process by itself, and once. */
static void test_event(void **state)
{
	struct sonde_event_finding event = { .head = { .type = SONDE_EVENT_FINDING, .size = sizeof(event) },
					     .stack = 7 };
	struct sonde_db *db = fixture_findings();

	event.key.proc.tgid = PID;
	assert_int_equal(sonde_db_event(db, &event, sizeof(event)), 0);
	asked = resolved = 0;
	assert_int_equal(sonde_db_stacks_wanted(db, NULL, give_stack), 0);
	assert_int_equal(asked, 0); /* nobody could resolve it */
	sonde_db_sites(db, resolve, &resolved, NULL);
	for (u32 i = 0; i < 1000; i++) {
		event.key.proc.tgid = PID + i % 2;
		assert_int_equal(sonde_db_event(db, &event, sizeof(event)), 0);
	}
	event.stack = -1;
	assert_int_equal(sonde_db_event(db, &event, sizeof(event)), 0);
	assert_int_equal(sonde_db_stacks_wanted(db, NULL, give_stack), 0);
	assert_int_equal(asked, 2);
	assert_int_equal(sonde_db_bad_events(db), 0);
	assert_int_equal(sonde_db_event(db, &event, sizeof(event) - 1), -EINVAL);
	assert_int_equal(sonde_db_bad_events(db), 1);
	sonde_db_free(db);
	(void)state;
}

/* Workers of one name are one program; another program is another finding; ids do not depend on pids. */
static void test_workers(void **state)
{
	u64 id = 0;

	for (u32 round = 0; round < 2; round++) {
		struct sonde_db *db = fixture_findings();
		struct sonde_snapshot *snap;

		for (u32 i = 0; i < 3; i++) {
			struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 10 + i, 20 + i);

			made.key.proc.tgid = PID + (round ? 2 - i : i);
			made.stat.first_seen_ns = 1000 - i;
			fixture_take(db, &made);
		}
		snap = judge(db);
		assert_int_equal(snap->nr_findings, 2);
		for (size_t i = 0; i < 2; i++) {
			const struct sonde_finding *f = snap->findings[i];

			if (strcmp(f->process, "gunicorn"))
				continue;
			assert_int_equal(f->nr_procs, 2);
			assert_int_equal(f->scopes, round ? 11 + 12 : 10 + 11);
			assert_int_equal(f->calls_min, round ? 21 : 20);
			assert_int_equal(f->calls_max, round ? 22 : 21);
			assert_true(!id || id == f->id);
			id = f->id;
		}
		sonde_snapshot_free(snap);
	}
	(void)state;
}

/* A B A B under one query: two findings of one block with one parent, although the read before B is A. */
static void test_by_turns(void **state)
{
	for (u32 round = 0; round < 2; round++) {
		struct sonde_db *db = fixture_findings();
		struct made a = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 9, 50);
		struct made b = fixture_made(CITY, SONDE_FOUND_DISTINCT, 9, 50);
		struct made nested = fixture_made(TAGS, SONDE_FOUND_DISTINCT, 9, 500), other = a;
		struct sonde_snapshot *snap;
		u32 in_block = 0;

		fixture_parent(&a, ORDERS, 50);
		fixture_parent(&b, CUSTOMER, 50);
		b.stat.parent_calls = 9 * 50;
		b.stat.waste_ns += round ? 1000000000 : 0; /* in whatever order they come */
		fixture_parent(&nested, CITY, 500);
		fixture_parent(&other, ORDERS, 50);
		other.key.name = ADMIN; /* the same in another endpoint is another block */
		fixture_take(db, &nested);
		fixture_take(db, &b);
		fixture_take(db, &other);
		fixture_take(db, &a);
		snap = judge(db);
		assert_int_equal(snap->nr_findings, 4);
		for (size_t i = 0; i < 4; i++) {
			const struct sonde_finding *f = snap->findings[i];

			if (f->query_id == TAGS) {
				assert_int_equal(f->block, f->id);
				assert_int_equal(f->parent_id, CITY);
				continue;
			}
			assert_int_equal(f->parent_id, ORDERS);
			assert_int_equal((int)(f->parent_calls + 0.5), 1);
			if (strcmp(f->scope_name, "GET /orders"))
				continue;
			in_block++;
			/* Neighbours. */
			assert_true(in_block == 1 || snap->findings[i - 1]->block == f->block);
		}
		assert_int_equal(in_block, 2);
		sonde_snapshot_free(snap);
	}
	(void)state;
}

/* What repeats comes first, then what is slow by itself; of each, what a program with requests did once besides. */
static void test_order(void **state)
{
	struct sonde_db *db = fixture_findings();
	struct made page = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 9, 50);
	struct made start = fixture_made(CITY, SONDE_FOUND_DISTINCT, 1, 50), again = start, job = start;
	struct made slow = fixture_made(REPORT, SONDE_FOUND_SLOW, 1, 1), slow_start = slow;
	static const u64 want[] = { TAGS, SETTINGS, CUSTOMER, CITY, REPORT, ORDERS };
	struct sonde_snapshot *snap;

	start.key.scope = again.key.scope = job.key.scope = slow_start.key.scope = SONDE_SCOPE_TRANSACTION;
	start.key.name = again.key.name = job.key.name = slow_start.key.name = 0;
	start.stat.waste_ns = 100 * page.stat.waste_ns;
	again.key.id = SETTINGS;
	again.stat.scopes = 2; /* not once */
	again.stat.calls *= 2;
	again.stat.waste_ns = 200 * page.stat.waste_ns;
	job.key.id = TAGS;
	job.key.proc.tgid = PID + 2; /* once, and all that this program does */
	job.stat.waste_ns = 300 * page.stat.waste_ns;
	slow.stat.waste_ns = 400 * page.stat.waste_ns;
	slow_start.key.id = ORDERS;
	slow_start.stat.waste_ns = 500 * page.stat.waste_ns;
	fixture_take(db, &slow_start);
	fixture_take(db, &start);
	fixture_take(db, &slow);
	fixture_take(db, &page);
	fixture_take(db, &job);
	fixture_take(db, &again);
	snap = judge(db);
	assert_int_equal(snap->nr_findings, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < snap->nr_findings; i++)
		assert_int_equal(snap->findings[i]->query_id, want[i]);
	sonde_snapshot_free(snap);
	(void)state;
}

/* Each the other's parent: the loop began with either. Ends, and says nothing of a parent. */
static void test_parents_in_a_circle(void **state)
{
	struct sonde_db *db = fixture_findings();
	struct made a = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 9, 50);
	struct made b = fixture_made(CITY, SONDE_FOUND_DISTINCT, 9, 50);
	struct sonde_snapshot *snap;

	fixture_parent(&a, CITY, 50);
	fixture_parent(&b, CUSTOMER, 50);
	fixture_take(db, &a);
	fixture_take(db, &b);
	snap = judge(db);
	assert_int_equal(snap->nr_findings, 2);
	assert_int_equal(snap->findings[0]->block, snap->findings[1]->block);
	assert_int_equal(snap->findings[0]->parent_id, 0);
	assert_int_equal(snap->findings[1]->parent_id, 0);
	sonde_snapshot_free(snap);
	(void)state;
}

/* SELECT and UPDATE for each row are one loop of writes; a loop of SELECTs and one of UPDATEs behind it are two. */
static void test_pair(void **state)
{
	static const struct {
		u64 read_parent, write_parent, before;
		u32 calls;
		size_t findings;
	} cases[] = {
		{ ORDERS, ORDERS, CUSTOMER, 49, 1 }, { ORDERS, CUSTOMER, CUSTOMER, 49, 1 },
		{ 0, 0, CUSTOMER, 50, 1 },	     { ORDERS, ORDERS, CUSTOMER, 10, 2 }, /* not as often */
		{ ORDERS, ORDERS, 0, 50, 2 }, /* after all the reads */
		{ ORDERS, ORDERS, CITY, 50, 2 }, /* which is no finding */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_db *db = fixture_findings();
		struct made read = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 9, 50);
		struct made write = fixture_made(UPDATE_ITEM, SONDE_FOUND_DISTINCT, 9, cases[i].calls);
		struct made earlier = fixture_made(CITY, SONDE_FOUND_DISTINCT, 9, 50);
		struct sonde_snapshot *snap;
		const struct sonde_finding *f;

		if (cases[i].read_parent)
			fixture_parent(&read, cases[i].read_parent, 50);
		if (cases[i].write_parent)
			fixture_parent(&write, cases[i].write_parent, 50);
		write.key.verb = SONDE_SQL_UPDATE;
		write.stat.before = cases[i].before;
		fixture_take(db, &write);
		fixture_take(db, &read);
		if (i == 2) /* another read in the loop */
			fixture_take(db, &earlier);
		snap = judge(db);
		if (snap->nr_findings != cases[i].findings + (i == 2))
			fail_msg("case %zu: %zu findings", i, snap->nr_findings);
		f = snap->findings[snap->findings[0]->kind != SONDE_FINDING_WRITE_LOOP];
		assert_int_equal(f->kind, SONDE_FINDING_WRITE_LOOP);
		if (cases[i].findings == 1) {
			assert_string_equal(f->with, fixture_texts_of[CUSTOMER]);
			assert_int_equal(f->parent_id, cases[i].read_parent);
			assert_int_equal(f->waste_ns, 9ULL * (49 + cases[i].calls - 1) * 1000000);
			assert_int_equal(strncmp(f->suggestion, "read all rows first", 19), 0);
		} else {
			assert_null(f->with);
		}
		sonde_snapshot_free(snap);
	}
	(void)state;
}

static void test_labels(void **state)
{
	static const struct {
		u32 proto;
		const char *label;
		int kind;
	} cases[] = {
		{ SONDE_PROTO_REDIS, "GET user:?", SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_PROTO_REDIS, "HGETALL cart:?", SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_PROTO_REDIS, "SET user:?", SONDE_FINDING_WRITE_LOOP },
		{ SONDE_PROTO_REDIS, "PING", -1 },
		{ SONDE_PROTO_REDIS, "AUTH ?", -1 },
		{ SONDE_PROTO_REDIS, "PUBLISH news", -1 },
		{ SONDE_PROTO_REDIS, "SCAN", -1 },
		{ SONDE_PROTO_REDIS, "MGET user:?", -1 },
		{ SONDE_PROTO_MEMCACHED, "get user:?", SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_PROTO_MEMCACHED, "set user:?", SONDE_FINDING_WRITE_LOOP },
		{ SONDE_PROTO_MEMCACHED, "version", -1 },
		{ SONDE_PROTO_MONGODB, "find users {_id: ?}", SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_PROTO_MONGODB, "aggregate orders [$match {user: ?}]", SONDE_FINDING_N_PLUS_ONE },
		{ SONDE_PROTO_MONGODB, "insert users", SONDE_FINDING_WRITE_LOOP },
		{ SONDE_PROTO_MONGODB, "update users {_id: ?}", SONDE_FINDING_WRITE_LOOP },
		{ SONDE_PROTO_MONGODB, "getMore users", -1 },
		{ SONDE_PROTO_MONGODB, "hello", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_db *db = fixture_findings();
		struct made made = fixture_made(50, SONDE_FOUND_DISTINCT, 4, 6);
		struct sonde_snapshot *snap;

		made.key.proto = (u8)cases[i].proto;
		made.key.verb = 0;
		fixture_text(db, 50, 0, cases[i].label, strlen(cases[i].label));
		fixture_take(db, &made);
		snap = judge(db);
		if ((snap->nr_findings ? (int)snap->findings[0]->kind : -1) != cases[i].kind)
			fail_msg("%s", cases[i].label);
		sonde_snapshot_free(snap);
	}
	(void)state;
}

static void test_whose_data(void **state)
{
	static const struct {
		u32 proto;
		const char *text;
		bool catalog;
		bool data;
	} cases[] = {
		{ SONDE_PROTO_POSTGRESQL, "select a from t where b = ?", false, true },
		{ SONDE_PROTO_POSTGRESQL, "select a from pg_class c join pg_namespace n on n.oid = c.relnamespace",
		  true, true },
		{ SONDE_PROTO_POSTGRESQL, "select a from information_schema.columns where table_name = ?", true, true },
		{ SONDE_PROTO_POSTGRESQL, "select a from \"pg_things\"", false, true },
		{ SONDE_PROTO_MYSQL, "select a from pg_class", false, true },
		{ SONDE_PROTO_MYSQL, "select user from mysql.user where host = ?", true, true },
		{ SONDE_PROTO_MARIADB, "select a from performance_schema.threads", true, true },
		{ SONDE_PROTO_SQLITE, "select sql from sqlite_master where name = ?", true, true },
		{ SONDE_PROTO_SQLITE, "select sql from main.sqlite_schema", true, true },
		{ SONDE_PROTO_POSTGRESQL, "select ?", false, false },
		{ SONDE_PROTO_POSTGRESQL, "select nextval(?)", false, false },
		{ SONDE_PROTO_POSTGRESQL, "select current_setting(?)", false, false },
		{ SONDE_PROTO_MYSQL, "select last_insert_id()", false, false },
		{ SONDE_PROTO_MYSQL, "select @@session.tx_isolation", false, false },
		{ SONDE_PROTO_POSTGRESQL, "select get_price(?)", false, false },
		{ SONDE_PROTO_POSTGRESQL, "select exists(select ? from t where a = ?)", false, true },
		{ SONDE_PROTO_POSTGRESQL, "select a from get_items(?)", false, true },
		{ SONDE_PROTO_POSTGRESQL, "insert into t values (?+)", false, true },
		{ SONDE_PROTO_REDIS, "GET pg_class", false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (sonde_access_catalog(cases[i].proto, cases[i].text) != cases[i].catalog ||
		    sonde_access_data(cases[i].proto, cases[i].text) != cases[i].data)
			fail_msg("%s", cases[i].text);
	}
	(void)state;
}

/* Requests of an event loop: facts as long as nearly all of them could be told apart. */
static void test_async(void **state)
{
	static const u64 invalid[] = { 0, 19, 20, 500 };

	for (size_t i = 0; i < 4; i++) {
		struct sonde_db *db = fixture_findings();
		struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 900, 10);
		struct made slow = fixture_made(REPORT, SONDE_FOUND_SLOW, 3, 1);
		struct sonde_snapshot *snap;
		bool fact = invalid[i] * 100 < 2 * 1000;

		made.key.scope = slow.key.scope = SONDE_SCOPE_ASYNC;
		fixture_take(db, &made);
		fixture_take(db, &slow);
		fixture_row(db, CUSTOMER, SHOP, PID, 10000, 1000, 0);
		fixture_caller(db, 0, PAGE, PID, SONDE_SCOPE_ASYNC, 1000 - invalid[i], 0, 0);
		fixture_caller(db, CUSTOMER, PAGE, PID, SONDE_SCOPE_ASYNC, 1000 - invalid[i], 9000, 0);
		fixture_caller(db, CUSTOMER, ADMIN, PID, SONDE_SCOPE_ASYNC, 1, 1, 0);
		if (invalid[i]) {
			fixture_caller(db, 0, 0, PID, SONDE_SCOPE_PROCESS, invalid[i], 0, 0);
			fixture_caller(db, CUSTOMER, 0, PID, SONDE_SCOPE_PROCESS, invalid[i], 1000, 50);
		}
		snap = judge(db);
		assert_int_equal(snap->nr_findings, 2);
		for (size_t k = 0; k < 2; k++) {
			const struct sonde_finding *f = snap->findings[k];

			assert_int_equal(f->scope, fact ? SONDE_SCOPE_ASYNC : SONDE_SCOPE_PROCESS);
			assert_string_equal(f->scope_name, fact ? "GET /orders" : "gunicorn");
			if (f->kind == SONDE_FINDING_SLOW_QUERY)
				continue;
			assert_int_equal(f->kind, SONDE_FINDING_N_PLUS_ONE);
			assert_int_equal(f->confidence, fact ? SONDE_CONFIDENCE_HIGH : SONDE_CONFIDENCE_LOW);
			assert_int_equal(f->calls_median, 10);
			assert_int_equal(f->scopes, fact ? 900 : 1000);
		}
		/* What is a guess has no name. */
		assert_int_equal(snap->nr_callers, fact ? (invalid[i] ? 3 : 2) : 1);
		if (!fact) {
			assert_string_equal(snap->callers[0].name, "");
			assert_int_equal(snap->callers[0].calls, 10001);
		}
		sonde_snapshot_free(snap);
	}
	(void)state;
}

/* Statistics need enough requests, enough calls for each, and parameters that differ. */
static void test_process(void **state)
{
	static const struct {
		u64 requests;
		u32 calls;
		u32 distinct;
		u64 id;
		size_t findings;
	} cases[] = {
		{ 20, 100, 40, CUSTOMER, 1 },	 { 19, 100, 40, CUSTOMER, 0 }, { 20, 99, 40, CUSTOMER, 0 },
		{ 20, 400, 9, CUSTOMER, 0 },	 { 20, 400, 12, CUSTOMER, 1 }, { 20, 4000, 50, CUSTOMER, 0 },
		{ 20, 4000, 200, CUSTOMER, 1 },	 { 20, 400, 40, CATALOG, 0 },  { 20, 400, 40, PING, 0 },
		{ 20, 400, 40, UPDATE_ITEM, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_db *db = fixture_findings();
		struct sonde_snapshot *snap;

		fixture_row(db, cases[i].id, SHOP, PID, cases[i].calls, 1000, 0);
		fixture_caller(db, 0, 0, PID, SONDE_SCOPE_PROCESS, cases[i].requests, 0, 0);
		fixture_caller(db, cases[i].id, 0, PID, SONDE_SCOPE_PROCESS, cases[i].requests, cases[i].calls,
			       cases[i].distinct);
		snap = judge(db);
		if (snap->nr_findings != cases[i].findings)
			fail_msg("case %zu: %zu findings", i, snap->nr_findings);
		if (snap->nr_findings) {
			assert_int_equal(snap->findings[0]->scope, SONDE_SCOPE_PROCESS);
			assert_int_equal(snap->findings[0]->confidence, SONDE_CONFIDENCE_LOW);
			assert_string_equal(snap->findings[0]->scope_name, "gunicorn");
		}
		sonde_snapshot_free(snap);
	}
	(void)state;
}

/* What repeats in a scope that is still open counts already, and not twice. */
static void test_open_scope(void **state)
{
	static struct sonde_scope scope;
	struct sonde_scope_slot *slot = scope.slot;
	struct made row = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 3, 40);

	scope = (struct sonde_scope){ .name = PAGE,
				      .begin_ns = 5000,
				      .epoch = 7,
				      .hot = 1 << 1 | 1 << 2 | 1 << 3,
				      .used = 0xf,
				      .proc = { PID, 3 },
				      .kind = SONDE_SCOPE_REQUEST,
				      .flags = SONDE_SCOPE_OPEN };
	slot[0] = (struct sonde_scope_slot){
		.id = ORDERS, .epoch = 7, .count = 1, .rows = 50, .stack = -1, .parent = 0xff
	};
	slot[1] = (struct sonde_scope_slot){ .id = CUSTOMER,
					     .peer = SHOP,
					     .epoch = 7,
					     .count = 50,
					     .ended = 50,
					     .rest_ns = 49000,
					     .bits = 49,
					     .stack = -1,
					     .parent_id = ORDERS };
	slot[1].verb = SONDE_SQL_SELECT;
	slot[1].proto = SONDE_PROTO_POSTGRESQL;
	slot[2] = slot[1];
	slot[2].epoch = 6; /* of the scope before */
	slot[3] = slot[1];
	slot[3].id = SETTINGS;
	slot[3].bits = 1;
	for (u32 round = 0; round < 3; round++) {
		struct sonde_db *db = fixture_findings();
		struct sonde_snapshot *snap;

		scope.flags = round == 0 ? SONDE_SCOPE_OPEN : round == 1 ? 0 : SONDE_SCOPE_OPEN | SONDE_SCOPE_INVALID;
		fixture_take(db, &row);
		assert_int_equal(sonde_db_scope(db, &scope, 105000), 0);
		snap = judge(db);
		assert_int_equal(snap->nr_findings, round ? 1 : 2);
		assert_int_equal(snap->findings[0]->query_id, CUSTOMER);
		assert_int_equal(snap->findings[0]->scopes, round ? 3 : 4);
		assert_int_equal(snap->findings[0]->calls, round ? 120 : 170);
		if (!round) {
			assert_int_equal(snap->findings[0]->calls_max, 50);
			assert_int_equal(snap->findings[0]->parent_id, ORDERS);
			assert_int_equal(snap->findings[0]->scope_ns, row.stat.scope_ns + 100000);
			assert_int_equal(snap->findings[1]->kind, SONDE_FINDING_REDUNDANT_QUERY);
		}
		sonde_snapshot_free(snap);
	}
	(void)state;
}

/* The way to the parent leads over what repeats itself, and ends where a slot has been given to another statement. */
static void test_parent_slots(void **state)
{
	static struct sonde_scope scope = { .epoch = 7, .hot = 1 << 5 | 1 << 6 | 1 << 9 };
	struct sonde_scope_slot *slot = scope.slot;

	slot[3] = (struct sonde_scope_slot){ .id = 0xa00000001, .epoch = 7, .count = 1, .parent = SONDE_SLOT_NONE };
	slot[5] = (struct sonde_scope_slot){ .id = 0xb00000002, .epoch = 7, .count = 9, .parent = 3, .parent_id = 1 };
	slot[6] = (struct sonde_scope_slot){ .id = 0xc00000003, .epoch = 7, .count = 9, .parent = 5, .parent_id = 2 };
	slot[9] = (struct sonde_scope_slot){ .id = 0xd00000004, .epoch = 7, .count = 9, .parent = 6, .parent_id = 3 };
	assert_int_equal(sonde_scope_parent(&scope, 5), 3);
	assert_int_equal(sonde_scope_parent(&scope, 6), 3);
	assert_int_equal(sonde_scope_parent(&scope, 9), 3);
	assert_int_equal(sonde_scope_before(&scope, 5), 0); /* does not repeat */
	assert_int_equal(sonde_scope_before(&scope, 6), 0xb00000002);
	slot[6].parent = 6; /* in the slot of what was its parent */
	assert_int_equal(sonde_scope_parent(&scope, 6), SONDE_SLOT_NONE);
	slot[6].parent = 5;
	slot[3].id = 8;
	assert_int_equal(sonde_scope_parent(&scope, 5), SONDE_SLOT_NONE);
	assert_int_equal(sonde_scope_parent(&scope, 9), SONDE_SLOT_NONE);
	slot[6].id = 7;
	assert_int_equal(sonde_scope_before(&scope, 9), 0);
	slot[6].id = 3;
	slot[3].id = 1;
	slot[3].epoch = 5;
	assert_int_equal(sonde_scope_parent(&scope, 9), SONDE_SLOT_NONE);
	(void)state;
}

static void test_ignore(void **state)
{
	static const char *const lists[] = { "# nothing\n\n",
					     "0000000000000002\n",
					     "select name from customers where id = ?",
					     "  select * from customers*\r\n",
					     "*CUSTOMERS*", /* case matters */
					     "0000000000000003\nselect city*\nx*" };
	static const size_t left[] = { 1, 0, 0, 0, 1, 1 };
	char by_id[32];
	const char *why;
	unsigned int line;
	u64 id = 0;

	for (size_t i = 0; i <= 6; i++) {
		struct sonde_db *db = fixture_findings();
		struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 4, 6);
		struct sonde_ignore *ignore;
		struct sonde_snapshot *snap;
		const char *list = i < 6 ? lists[i] : by_id;

		if (i == 6)
			snprintf(by_id, sizeof(by_id), "%016llX # known", (unsigned long long)id);
		ignore = sonde_ignore_new(list, strlen(list), &line, &why);
		assert_non_null(ignore);
		sonde_db_judge(db, 5, ignore);
		fixture_take(db, &made);
		snap = judge(db);
		if (snap->nr_findings != (i < 6 ? left[i] : 0))
			fail_msg("list %zu", i);
		if (snap->nr_findings)
			id = snap->findings[0]->id;
		sonde_snapshot_free(snap);
		sonde_ignore_free(ignore);
	}
	(void)state;
}

static void test_bad_ignore(void **state)
{
	static const struct {
		const char *list;
		unsigned int line;
		const char *why;
	} cases[] = {
		{ "*", 1, "everything" },
		{ "# a\n\n * * \n", 3, "everything" },
		{ "select a\n0123456789abcde\n", 2, "16" },
		{ "0123456789abcdef0\n", 1, "16" },
		{ "0123456789abcdef\n\x01\n", 2, "text file" },
	};
	const char *why = "";
	unsigned int line;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(sonde_ignore_new(cases[i].list, strlen(cases[i].list), &line, &why));
		assert_int_equal(line, cases[i].line);
		assert_non_null(strstr(why, cases[i].why));
	}
	/* A pattern of many stars is no trap. */
	{
		static const char stars[] = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
		static char text[4001];
		struct sonde_ignore *ignore = sonde_ignore_new(stars, strlen(stars), &line, &why);

		memset(text, 'a', 4000);
		assert_false(sonde_ignore_has(ignore, 1, 2, text));
		text[3999] = 'b';
		assert_true(sonde_ignore_has(ignore, 1, 2, text));
		sonde_ignore_free(ignore);
	}
	(void)state;
}

static int by_value(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return (x > y) - (x < y);
}

/* Against sorted numbers: exact below 16, else within a bucket (an eighth). */
static void test_median(void **state)
{
	u64 seed = 5;

	for (u32 round = 0; round < 300; round++) {
		struct sonde_finding_stat stat = { .calls_min = UINT32_MAX };
		static u32 calls[501];
		u32 nr = 1 + (u32)(unit_random(&seed) % 500),
		    most = round % 3   ? 100
			   : round % 2 ? 15
				       : 100000,
		    want, got;

		for (u32 i = 0; i < nr; i++) {
			calls[i] = 1 + (u32)(unit_random(&seed) % most);
			stat.calls_hist[sonde_calls_bucket(calls[i])]++;
			stat.calls += calls[i];
			stat.scopes++;
			stat.calls_min = calls[i] < stat.calls_min ? calls[i] : stat.calls_min;
			stat.calls_max = calls[i] > stat.calls_max ? calls[i] : stat.calls_max;
		}
		qsort(calls, nr, sizeof(*calls), by_value);
		want = calls[(nr - 1) / 2];
		got = sonde_finding_median(&stat);
		if (want < SONDE_CALLS_EXACT ? got != want : (got > want ? got - want : want - got) * 8 > want)
			fail_msg("want %u, got %u", want, got);
	}
	/* A few that differ do not blur what all others agree on. */
	for (u32 n = 1; n < 5000; n++) {
		struct sonde_finding_stat stat = {
			.calls_min = n, .calls_max = n + 7, .scopes = 300, .calls = 300ull * n + 7
		};

		stat.calls_hist[sonde_calls_bucket(n)] = 299;
		stat.calls_hist[sonde_calls_bucket(n + 7)]++;
		assert_int_equal(sonde_finding_median(&stat), n);
	}
	(void)state;
}

/* In whatever order rows are added up. */
static void test_merge(void **state)
{
	struct sonde_finding_stat a = {}, b = {}, none = {};
	struct made x = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 4, 6),
		    y = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 9, 30);

	fixture_parent(&y, ORDERS, 30);
	y.stat.stack = 5;
	sonde_finding_merge_stat(&a, &x.stat);
	sonde_finding_merge_stat(&a, &none);
	sonde_finding_merge_stat(&a, &y.stat);
	sonde_finding_merge_stat(&b, &y.stat);
	sonde_finding_merge_stat(&b, &x.stat);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.scopes, 13);
	assert_int_equal(a.calls_min, 6);
	assert_int_equal(a.calls_max, 30);
	assert_int_equal(a.stack, 5);
	assert_int_equal(a.parent, ORDERS);
	(void)state;
}

static void test_callers(void **state)
{
	struct sonde_db *db = fixture_findings();
	const struct sonde_caller *caller;
	struct sonde_snapshot *snap;
	size_t nr;

	fixture_row(db, CUSTOMER, SHOP, PID, 500, 1000, 0);
	fixture_caller(db, CUSTOMER, PAGE, PID, SONDE_SCOPE_REQUEST, 10, 100, 0);
	fixture_caller(db, CUSTOMER, ADMIN, PID, SONDE_SCOPE_REQUEST, 20, 400, 0);
	fixture_caller(db, CUSTOMER, ADMIN, PID + 1, SONDE_SCOPE_REQUEST, 1, 2, 0);
	fixture_caller(db, ORDERS, PAGE, PID, SONDE_SCOPE_REQUEST, 10, 10, 0);
	fixture_caller(db, 0, PAGE, PID, SONDE_SCOPE_REQUEST, 10, 0, 0);
	snap = judge(db);
	caller = sonde_snapshot_callers(snap, CUSTOMER, PID, &nr);
	assert_int_equal(nr, 2);
	assert_string_equal(caller[0].name, "GET /admin");
	assert_int_equal(caller[0].scopes, 20);
	assert_int_equal(caller[0].calls, 400);
	assert_string_equal(caller[1].name, "GET /orders");
	assert_null(sonde_snapshot_callers(snap, CITY, PID, &nr));
	assert_int_equal(nr, 0);
	sonde_snapshot_callers(snap, CUSTOMER, PID + 1, &nr);
	assert_int_equal(nr, 1);
	sonde_snapshot_free(snap);
	(void)state;
}

/* A new reading replaces the one before. */
static void test_begin(void **state)
{
	struct sonde_db *db = fixture_findings();
	struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 4, 6);
	struct sonde_snapshot *snap;

	for (u32 i = 0; i < 3; i++) {
		sonde_db_begin(db);
		fixture_take(db, &made);
		fixture_caller(db, CUSTOMER, PAGE, PID, SONDE_SCOPE_REQUEST, 4, 24, 0);
	}
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->nr_findings, 1);
	assert_int_equal(snap->findings[0]->scopes, 4);
	assert_int_equal(snap->nr_callers, 1);
	sonde_snapshot_free(snap);
	sonde_db_begin(db);
	snap = judge(db);
	assert_int_equal(snap->nr_findings, 0);
	sonde_snapshot_free(snap);
	(void)state;
}

/* Rows of noise: judged without harm. */
static void test_noise(void **state)
{
	u64 seed = 3;

	for (u32 round = 0; round < 30; round++) {
		struct sonde_db *db = fixture_findings();

		for (u32 i = 0; i < 200; i++) {
			struct sonde_finding_key key = {};
			struct sonde_finding_stat stat;
			struct sonde_caller_key caller;
			struct sonde_caller_stat counts;

			for (size_t b = 0; b < sizeof(stat); b++)
				((u8 *)&stat)[b] = (u8)unit_random(&seed);
			for (size_t b = 0; b < sizeof(counts); b++)
				((u8 *)&counts)[b] = (u8)unit_random(&seed);
			key.id = unit_random(&seed) % TEXTS;
			key.name = unit_random(&seed) % 120;
			key.proc.tgid = (u32)(PID + unit_random(&seed) % 4);
			key.proc.start = 3;
			key.proto = (u8)(unit_random(&seed) % 20);
			key.scope = (u8)(unit_random(&seed) % 10);
			key.class = (u8)(unit_random(&seed) % 9);
			key.verb = (u8)(unit_random(&seed) % 8);
			stat.parent = unit_random(&seed) % TEXTS;
			assert_int_equal(sonde_db_finding(db, &key, &stat), 0);
			caller = (struct sonde_caller_key){
				.id = key.id, .name = key.name, .proc = key.proc, .scope = key.scope
			};
			assert_int_equal(sonde_db_caller(db, &caller, &counts), 0);
		}
		sonde_snapshot_free(judge(db));
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_n_plus_one),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_unknown_text),
		cmocka_unit_test(test_writes_of_many_rows),
		cmocka_unit_test(test_unknown_parameters),
		cmocka_unit_test(test_confidence),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_classes_are_one),
		cmocka_unit_test(test_call_site),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_by_turns),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_parents_in_a_circle),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_whose_data),
		cmocka_unit_test(test_async),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_open_scope),
		cmocka_unit_test(test_parent_slots),
		cmocka_unit_test(test_ignore),
		cmocka_unit_test(test_bad_ignore),
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_callers),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
