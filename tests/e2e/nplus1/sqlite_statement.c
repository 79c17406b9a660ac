// SPDX-License-Identifier: GPL-2.0-only
/*
 * sqlite_statement.c - connections of shop_sqlite.c and their statements. See sqlite_statement.h.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "serve.h"
#include "sqlite_statement.h"

#define NR_STATEMENTS 64

struct shop {
	sqlite3 *db;
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} known[NR_STATEMENTS];
};

/* One writes at a time: nobody waits inside the library. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

static int write_trace(unsigned int what, void *arg, void *stmt, void *text)
{
	int fd = *(int *)arg;
	char line[2048];
	int len = snprintf(line, sizeof(line), "%s\n", (const char *)text);

	if (what != SQLITE_TRACE_STMT || len < 0 || (size_t)len >= sizeof(line) || write(fd, line, len) != len)
		die("cannot trace %s", sqlite3_sql(stmt));
	return 0;
}

static void trace(sqlite3 *db)
{
	static int fd;
	const char *file = getenv("SHOP_TRACE");

	if (!file)
		return;
	pthread_mutex_lock(&writing);
	if (!fd)
		fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
	pthread_mutex_unlock(&writing);
	if (fd < 0 || sqlite3_trace_v2(db, SQLITE_TRACE_STMT, write_trace, &fd))
		die("cannot trace");
}

/* SQL function pause(MS): a query that takes long, and no processor. */
static void pause_ms(sqlite3_context *context, int nr, sqlite3_value **values)
{
	struct timespec rest = { .tv_nsec = sqlite3_value_int(values[nr - 1]) * 1000000L };

	nanosleep(&rest, NULL);
	sqlite3_result_int(context, 0);
}

void *shop_open(void)
{
	struct shop *shop = calloc(1, sizeof(*shop));

	if (!shop || sqlite3_open_v2(getenv("DB_NAME"), &shop->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
	    sqlite3_create_function(shop->db, "pause", 1, SQLITE_UTF8, NULL, pause_ms, NULL, NULL))
		die("cannot open %s", getenv("DB_NAME"));
	sqlite3_busy_timeout(shop->db, 10000);
	trace(shop->db);
	shop_run(shop, "pragma synchronous = off");
	return shop;
}

void shop_close(void *db)
{
	struct shop *shop = db;

	for (int i = 0; i < NR_STATEMENTS; i++)
		sqlite3_finalize(shop->known[i].stmt);
	if (sqlite3_close(shop->db))
		die("%s", sqlite3_errmsg(shop->db));
	free(shop);
}

void shop_run(void *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(((struct shop *)db)->db, sql, NULL, NULL, &error))
		die("%s: %s", sql, error);
}

sqlite3_stmt *statement(void *db, const char *sql, long first, long second)
{
	struct shop *shop = db;
	sqlite3_stmt *stmt;
	int i = 0;

	while (i < NR_STATEMENTS - 1 && shop->known[i].sql && strcmp(shop->known[i].sql, sql))
		i++;
	if (!shop->known[i].sql) {
		if (sqlite3_prepare_v3(shop->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &shop->known[i].stmt, NULL))
			die("%s: %s", sql, sqlite3_errmsg(shop->db));
		shop->known[i].sql = sql;
	}
	stmt = shop->known[i].stmt;
	if (sqlite3_bind_parameter_count(stmt) > 0)
		sqlite3_bind_int64(stmt, 1, first);
	if (sqlite3_bind_parameter_count(stmt) > 1)
		sqlite3_bind_int64(stmt, 2, second);
	return stmt;
}

int next_row(sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	if (code != SQLITE_ROW && code != SQLITE_DONE)
		die("%s: %s", sqlite3_sql(stmt), sqlite3_errmsg(sqlite3_db_handle(stmt)));
	if (code == SQLITE_DONE)
		sqlite3_reset(stmt);
	return code == SQLITE_ROW;
}

const char *text_of(sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

int execute(sqlite3_stmt *stmt)
{
	int rows = 0;

	while (next_row(stmt))
		rows++;
	return rows;
}

void lock_writes(void)
{
	pthread_mutex_lock(&writing);
}

void unlock_writes(void)
{
	pthread_mutex_unlock(&writing);
}

void change(void *db, const char *sql, long first, long second)
{
	lock_writes();
	execute(statement(db, sql, first, second));
	unlock_writes();
}
