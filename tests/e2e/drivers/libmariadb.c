// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -lmariadb */
/* libmariadb.c - the drivers' workload with MariaDB's C library. See test_drivers.py. */
#include <mariadb/mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALLS_MAX 10000

struct told {
	const char *kind;
	unsigned long count, errors;
	unsigned long long rows, ns[CALLS_MAX];
};

static MYSQL *db;

static unsigned long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void print(const struct told *t, const char *after)
{
	printf("\"%s\":{\"count\":%lu,\"rows\":%llu,\"errors\":%lu,\"ns\":[", t->kind, t->count, t->rows, t->errors);
	for (unsigned long i = 0; i < t->count; i++)
		printf("%s%llu", i ? "," : "", t->ns[i]);
	printf("]}%s", after);
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, mysql_error(db));
	exit(1);
}

static void query(struct told *t, const char *sql)
{
	unsigned long long begin = now();

	if (mysql_query(db, sql)) {
		t->errors++;
	} else if (mysql_field_count(db)) {
		MYSQL_RES *result = mysql_store_result(db);

		t->rows += mysql_num_rows(result);
		mysql_free_result(result);
	} else {
		t->rows += mysql_affected_rows(db);
	}
	t->ns[t->count++] = now() - begin;
}

static void prepared(struct told *t, int rounds)
{
	static const char sql[] = "SELECT qty FROM drv_items WHERE id = ? AND qty >= ?";
	MYSQL_STMT *stmt = mysql_stmt_init(db);
	int values[2] = { 0, 0 };
	MYSQL_BIND bind[2];

	memset(bind, 0, sizeof(bind));
	for (int i = 0; i < 2; i++) {
		bind[i].buffer_type = MYSQL_TYPE_LONG;
		bind[i].buffer = &values[i];
	}
	if (mysql_stmt_prepare(stmt, sql, sizeof(sql) - 1) || mysql_stmt_bind_param(stmt, bind))
		die("prepare");
	for (int i = 0; i < rounds; i++) {
		unsigned long long begin = now();

		values[0] = i % 100 + 1;
		if (mysql_stmt_execute(stmt) || mysql_stmt_store_result(stmt))
			t->errors++;
		else
			t->rows += mysql_stmt_num_rows(stmt);
		mysql_stmt_free_result(stmt);
		t->ns[t->count++] = now() - begin;
	}
	mysql_stmt_close(stmt);
}

int main(void)
{
	static struct told text = { .kind = "text" }, prep = { .kind = "prepared" }, insert = { .kind = "insert" };
	static struct told failing = { .kind = "failing" }, many = { .kind = "many" };
	int rounds = atoi(getenv("DB_ROUNDS")), tls = !strcmp(getenv("DB_TLS"), "1");
	my_bool enforce = tls, verify = 0;
	char sql[200];

	db = mysql_init(NULL);
	mysql_optionsv(db, MYSQL_OPT_SSL_ENFORCE, &enforce);
	mysql_optionsv(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	if (!mysql_real_connect(db, getenv("DB_HOST"), getenv("DB_USER"), getenv("DB_PASSWORD"), getenv("DB_NAME"),
				atoi(getenv("DB_PORT")), NULL, 0))
		die("connect");
	for (int i = 0; i < rounds; i++) {
		snprintf(sql, sizeof(sql), "SELECT name, qty FROM drv_items WHERE id = %d", i % 100 + 1);
		query(&text, sql);
	}
	prepared(&prep, rounds);
	if (mysql_query(db, "START TRANSACTION"))
		die("begin");
	for (int i = 0; i < 20; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO drv_log (id, note) VALUES (%d, 'note %d')", i, i);
		query(&insert, sql);
	}
	if (mysql_query(db, "COMMIT"))
		die("commit");
	query(&failing, "SELECT nope FROM drv_missing");
	query(&many, "SELECT id, name FROM drv_items WHERE id <= 50");
	mysql_close(db);
	printf("{");
	print(&text, ",");
	print(&prep, ",");
	print(&insert, ",");
	print(&failing, ",");
	print(&many, "}\n");
	return 0;
}
