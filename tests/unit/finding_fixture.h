/* SPDX-License-Identifier: GPL-2.0-only */
/* finding_fixture.h - rows of findings and callers made by hand, as the kernel side would. */
#ifndef TESTS_UNIT_FINDING_FIXTURE_H
#define TESTS_UNIT_FINDING_FIXTURE_H

#include "fixture.h"

#include "model/finding.h"
#include "sonde/scope.h"
#include "sonde/sql.h"

/* Ids of texts, each "x" of fixture_texts(). */
enum {
	ORDERS = 1,
	CUSTOMER,
	CITY,
	TAGS,
	INSERT_ITEM,
	UPDATE_ITEM,
	SETTINGS,
	CATALOG,
	PING,
	REPORT,
	TEXTS,
	PAGE = 100, /* "GET /orders" */
	ADMIN = 101,
};

#define SHOP 9 /* peer */
#define PID 100

static const char *const fixture_texts_of[TEXTS] = {
	[ORDERS] = "select id, total, customer_id from orders order by id desc limit ?",
	[CUSTOMER] = "select name from customers where id = ?",
	[CITY] = "select city from addresses where customer_id = ?",
	[TAGS] = "select tag from tags where customer_id = ?",
	[INSERT_ITEM] = "insert into items(order_id, sku) values (?+)",
	[UPDATE_ITEM] = "update customers set seen = ? where id = ?",
	[SETTINGS] = "select value from settings where name = ?",
	[CATALOG] = "select oid from pg_catalog.pg_type where typname = ?",
	[PING] = "select ?",
	[REPORT] = "select * from log where day > ?",
};

static inline __attribute__((unused)) struct sonde_db *fixture_findings(void)
{
	struct sonde_db *db = sonde_db_new();

	for (u32 i = 1; i < TEXTS; i++)
		fixture_text(db, i, 0, fixture_texts_of[i], strlen(fixture_texts_of[i]));
	fixture_text(db, PAGE, 0, "GET /orders", 11);
	fixture_text(db, ADMIN, 0, "GET /admin", 10);
	fixture_peer(db, SHOP, "shop");
	fixture_proc(db, PID, "gunicorn");
	fixture_proc(db, PID + 1, "gunicorn");
	fixture_proc(db, PID + 2, "cron");
	sonde_db_judge(db, 5, NULL);
	return db;
}

/* A row; what it holds may be changed before it is taken. */
struct made {
	struct sonde_finding_key key;
	struct sonde_finding_stat stat;
};

/* @scopes requests "GET /orders" with @calls of statement @id each, 1 ms a call, a tenth as long again for the rest. */
static inline __attribute__((unused)) struct made fixture_made(u64 id, u32 class, u32 scopes, u32 calls)
{
	struct made made = {
		.key = { .id = id,
			 .name = PAGE,
			 .peer = SHOP,
			 .proc = { PID, 3 },
			 .proto = SONDE_PROTO_POSTGRESQL,
			 .scope = SONDE_SCOPE_REQUEST,
			 .class = (u8) class,
			 .verb = SONDE_SQL_SELECT },
		.stat = { .scopes = scopes,
			  .calls = (u64)scopes * calls,
			  .rows = (u64)scopes * calls,
			  .waste_ns = (u64)scopes * (calls - 1) * 1000000,
			  .scope_ns = (u64)scopes * calls * 1100000,
			  .distinct = (u64)scopes * (class == SONDE_FOUND_DISTINCT ? calls
						     : class == SONDE_FOUND_SOME   ? 2
										   : 1),
			  .calls_min = calls,
			  .calls_max = calls,
			  .stack = -1,
			  .first_seen_ns = 1000,
			  .last_seen_ns = 9000 },
	};

	made.stat.distinct_max = (u32)(made.stat.distinct / scopes);
	made.stat.calls_hist[sonde_calls_bucket(calls)] = scopes;
	return made;
}

/* Every scope had @parent before it, once, with @rows rows. */
static inline __attribute__((unused)) void fixture_parent(struct made *made, u64 parent, u64 rows)
{
	u64 calls = made->stat.calls / made->stat.scopes;

	made->stat.parent = parent;
	made->stat.parents = made->stat.parent_calls = made->stat.scopes;
	made->stat.parent_rows = rows * made->stat.scopes;
	made->stat.rows_match = rows + 1 >= calls && rows <= calls + 1 ? made->stat.scopes : 0;
}

static inline __attribute__((unused)) void fixture_take(struct sonde_db *db, const struct made *made)
{
	assert_int_equal(sonde_db_finding(db, &made->key, &made->stat), 0);
}

static inline __attribute__((unused)) void fixture_caller(struct sonde_db *db, u64 id, u64 name, u32 pid, u32 scope,
							  u64 scopes, u64 calls, u32 distinct)
{
	struct sonde_caller_key key = { .id = id, .name = name, .proc = { pid, 3 }, .scope = scope };
	struct sonde_caller_stat stat = { .scopes = scopes, .calls = calls, .sum_ns = scopes * 50000000 };

	for (u64 i = 0; i < distinct; i++)
		sonde_sketch_add(stat.sketch, i * 0x9e3779b97f4a7c15ULL);
	assert_int_equal(sonde_db_caller(db, &key, &stat), 0);
}

#endif /* TESTS_UNIT_FINDING_FIXTURE_H */
