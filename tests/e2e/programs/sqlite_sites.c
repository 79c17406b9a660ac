// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -fomit-frame-pointer -fno-optimize-sibling-calls -lsqlite3 */
/*
 * sqlite_sites.c - an N+1, a slow statement and a large result at known lines, without frame pointers.
 *
 * usage: sqlite_sites ROUNDS [exec]     exec: by sqlite3_exec()
 *
 * Prints one line of JSON: for each kind of finding its call site, "FUNCTION LINE" from the innermost function on.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile int sink;
static bool by_exec;
static int line[6];

/* Note the line of a call. */
#define HERE(n) (line[n] = __LINE__)

static void fail(sqlite3 *db)
{
	fprintf(stderr, "sqlite_sites: %s\n", sqlite3_errmsg(db));
	exit(1);
}

static int on_row(void *ctx, int nr, char **value, char **name)
{
	(void)ctx;
	(void)name;
	sink += nr && value[0] ? atoi(value[0]) : 0;
	return 0;
}

NOINLINE void site_run(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;

	if (by_exec && HERE(0) && sqlite3_exec(db, sql, on_row, NULL, NULL) != SQLITE_OK)
		fail(db);
	if (by_exec)
		return;
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail(db);
	while (HERE(0) && sqlite3_step(stmt) == SQLITE_ROW)
		sink += sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
}

NOINLINE void site_load(sqlite3 *db, int id)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "select id from site where id = %d", id);
	HERE(1), site_run(db, sql);
	sink++;
}

NOINLINE void site_list(sqlite3 *db)
{
	site_run(db, "select id from site limit 12");
	for (int id = 0; id < 12; id++)
		HERE(2), site_load(db, id);
	sink++;
}

/* Some hundred milliseconds. */
NOINLINE void site_report(sqlite3 *db)
{
	HERE(4), site_run(db, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000) "
			      "select max(i) from n");
	sink++;
}

NOINLINE void site_export(sqlite3 *db)
{
	HERE(5), site_run(db, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000) select "
			      "i from n");
	sink++;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20, report, export;
	sqlite3 *db;

	by_exec = argc > 2 && !strcmp(argv[2], "exec");
	if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
	    sqlite3_exec(db, "create table site(id integer primary key)", NULL, NULL, NULL) != SQLITE_OK)
		fail(db);
	site_run(db, "insert into site with recursive n(i) as (select 0 union all select i + 1 from n where i < 20) "
		     "select i from n");
	for (int i = 0; i < rounds; i++) {
		site_run(db, "begin");
		HERE(3), site_list(db);
		site_run(db, "commit");
		usleep(50000); /* its tables are made meanwhile */
	}
	site_report(db), report = __LINE__;
	site_export(db), export = __LINE__;
	printf("{\"n_plus_one\": [\"site_run %d\", \"site_load %d\", \"site_list %d\", \"main %d\"], ", line[0],
	       line[1], line[2], line[3]);
	printf("\"slow_query\": [\"site_run %d\", \"site_report %d\", \"main %d\"], ", line[0], line[4], report);
	printf("\"large_result\": [\"site_run %d\", \"site_export %d\", \"main %d\"]}\n", line[0], line[5], export);
	sqlite3_close(db);
	return 0;
}
