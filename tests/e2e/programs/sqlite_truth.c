// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -lsqlite3 */
/*
 * sqlite_truth.c - executes statements and keeps its own count of them: what a tracer must find.
 *
 * usage: sqlite_truth MODE DIRECTORY [wait]      modes: the table at the end; wait: for a byte on stdin
 *
 * Prints one JSON document: for each statement (by its normalised text) executions, errors, rows and the time that its
 * steps took by clock_gettime(), which includes what tracing costs.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#define MAX_TRUTHS 64

struct truth {
	const char *text;
	long count, errors, rows, steps, ns;
};

static struct truth truths[MAX_TRUTHS];
static int nr_truths;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *directory;

static void fail(const char *what, sqlite3 *db)
{
	fprintf(stderr, "sqlite_truth: %s: %s\n", what, db ? sqlite3_errmsg(db) : "?");
	exit(1);
}

static void add(const char *text, long count, long errors, long rows, long steps, long ns)
{
	struct truth *t = NULL;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < nr_truths && !t; i++)
		if (!strcmp(truths[i].text, text))
			t = &truths[i];
	if (!t) {
		if (nr_truths == MAX_TRUTHS)
			fail("too many statements", NULL);
		t = &truths[nr_truths++];
		t->text = text;
	}
	t->count += count;
	t->errors += errors;
	t->rows += rows;
	t->steps += steps;
	t->ns += ns;
	pthread_mutex_unlock(&lock);
}

static void print_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static void print_truths(void)
{
	printf("{\"statements\":[");
	for (int i = 0; i < nr_truths; i++) {
		const struct truth *t = &truths[i];

		printf("%s{\"text\":", i ? "," : "");
		print_string(t->text);
		printf(",\"count\":%ld,\"errors\":%ld,\"rows\":%ld,\"steps\":%ld,\"ns\":%ld}", t->count, t->errors,
		       t->rows, t->steps, t->ns);
	}
	printf("]}\n");
}

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static sqlite3 *open_db(const char *name)
{
	sqlite3 *db;

	if (sqlite3_open(name, &db))
		fail(name, db);
	return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
		fail(sql, db);
	return stmt;
}

/* Steps up to @max_rows (0: to the end); the execution ends here. Returns the last result. */
static int execute(sqlite3_stmt *stmt, const char *text, long max_rows)
{
	long rows = 0, steps = 0, ns = 0, from;
	int rc;

	do {
		from = now_ns();
		rc = sqlite3_step(stmt);
		ns += now_ns() - from;
		steps++;
		if (rc == SQLITE_ROW)
			rows++;
	} while (rc == SQLITE_ROW && (!max_rows || rows < max_rows));
	add(text, 1, rc != SQLITE_ROW && rc != SQLITE_DONE, rows, steps, ns);
	return rc;
}

/* Prepares, executes and finalizes; @text is what @sql is normalised to. */
static void once(sqlite3 *db, const char *sql, const char *text)
{
	sqlite3_stmt *stmt = prepare(db, sql);

	if (execute(stmt, text, 0) != SQLITE_DONE)
		fail(sql, db);
	sqlite3_finalize(stmt);
}

static void fill(sqlite3 *db, int rows)
{
	char sql[64];

	once(db, "create table t (id integer primary key, a text)", "create table t(id integer primary key, a text)");
	once(db, "BEGIN", "begin");
	for (int i = 1; i <= rows; i++) {
		snprintf(sql, sizeof(sql), "insert into t values (%d, 'row %d')", i, i);
		once(db, sql, "insert into t values (?+)");
	}
	once(db, "COMMIT", "commit");
}

static void basic(void)
{
	const char *by_id = "select a from t where id = ?";
	sqlite3 *db = open_db(":memory:");
	sqlite3_stmt *stmt;

	fill(db, 100);
	/* one row wanted: the execution ends with the reset */
	stmt = prepare(db, "SELECT a FROM t WHERE id = ?");
	for (int i = 0; i < 2000; i++) {
		sqlite3_bind_int(stmt, 1, i % 100 + 1);
		execute(stmt, by_id, 1);
		sqlite3_reset(stmt);
	}
	/* to the end, with no reset: a step after DONE begins anew */
	for (int i = 0; i < 500; i++)
		execute(stmt, by_id, 0);
	sqlite3_reset(stmt);
	sqlite3_reset(stmt);
	sqlite3_finalize(stmt);
	stmt = prepare(db, "select * from t");
	for (int i = 0; i < 50; i++) {
		execute(stmt, "select * from t", 0);
		sqlite3_reset(stmt);
	}
	/* ended in the middle of the rows by finalize */
	execute(stmt, "select * from t", 7);
	sqlite3_finalize(stmt);
	sqlite3_finalize(prepare(db, "select 'never executed'"));
	sqlite3_finalize(NULL);
	sqlite3_reset(NULL);
	sqlite3_step(NULL);
	once(db, "update t set a = 'x' where id < 10", "update t set a = ? where id < ?");
	once(db, "delete from t where id = 3", "delete from t where id = ?");
	sqlite3_close(db);
}

/* Statements that take long enough to compare times. */
static void slow(void)
{
	sqlite3 *db = open_db(":memory:");
	sqlite3_stmt *stmt;

	stmt = prepare(
		db,
		"with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) select count(*) from n");
	for (int i = 0; i < 20; i++) {
		sqlite3_bind_int(stmt, 1, 20000);
		execute(stmt,
			"with recursive n(i) as (select ? union all select i + ? from n where i < ?) select count(*) "
			"from n",
			0);
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	/* many short steps */
	stmt = prepare(
		db, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select i from n");
	execute(stmt, "with recursive n(i) as (select ? union all select i + ? from n where i < ?) select i from n", 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void *thread(void *arg)
{
	sqlite3 *db = open_db(":memory:");
	sqlite3_stmt *stmt[3];

	once(db, "create table u (id integer primary key, a)", "create table u(id integer primary key, a)");
	for (int k = 0; k < 3; k++)
		stmt[k] = prepare(db, k == 0   ? "select count(*) from u"
				      : k == 1 ? "insert into u (a) values (random())"
					       : "select max(a) from u");
	for (int i = 0; i < 1500; i++) {
		execute(stmt[0], "select count(*) from u", 0);
		execute(stmt[1], "insert into u(a) values (?+)", 0);
		execute(stmt[2], "select max(a) from u", 1);
		for (int k = 0; k < 3; k++)
			sqlite3_reset(stmt[k]);
	}
	for (int k = 0; k < 3; k++)
		sqlite3_finalize(stmt[k]);
	sqlite3_close(db);
	return arg;
}

static void threads(void)
{
	pthread_t id[6];

	for (int i = 0; i < 6; i++)
		if (pthread_create(&id[i], NULL, thread, NULL))
			fail("pthread_create", NULL);
	for (int i = 0; i < 6; i++)
		pthread_join(id[i], NULL);
}

static void errors(void)
{
	char name[4096];
	sqlite3 *db, *other;
	sqlite3_stmt *stmt;

	snprintf(name, sizeof(name), "%s/errors.db", directory);
	db = open_db(name);
	fill(db, 10);
	stmt = prepare(db, "insert into t values (?, ?)");
	for (int i = 0; i < 20; i++) {
		sqlite3_bind_int(stmt, 1, 5);
		if (execute(stmt, "insert into t values (?+)", 0) != SQLITE_CONSTRAINT)
			fail("no constraint", db);
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	other = open_db(name);
	once(db, "begin exclusive", "begin exclusive");
	stmt = prepare(other, "begin immediate");
	for (int i = 0; i < 6; i++)
		if (execute(stmt, "begin immediate", 0) != SQLITE_BUSY)
			fail("not busy", other);
	sqlite3_finalize(stmt);
	once(db, "rollback", "rollback");
	sqlite3_close(other);
	sqlite3_close(db);
}

static int stop_after_two(void *ctx, int n, char **value, char **name)
{
	(void)n;
	(void)value;
	(void)name;
	return ++*(int *)ctx == 2;
}

static void exec(void)
{
	sqlite3 *db = open_db(":memory:");
	int rows;

	for (int i = 0; i < 30; i++) {
		if (sqlite3_exec(db,
				 "create table e (a);  -- a comment\n insert into e values (1), (2), (3);\n"
				 "select a from e where a > 1; ; drop table e;  ",
				 NULL, NULL, NULL))
			fail("exec", db);
		add("create table e(a)", 1, 0, 0, 0, 0);
		add("insert into e values (?+)", 1, 0, 0, 0, 0);
		add("select a from e where a > ?", 1, 0, 2, 0, 0);
		add("drop table e", 1, 0, 0, 0, 0);
	}
	/* different statements at the same address: sqlite3_exec() does not call sqlite3_finalize() */
	for (int i = 0; i < 200; i++) {
		sqlite3_exec(db, i & 1 ? "select abs(1)" : "select hex(1)", NULL, NULL, NULL);
		add(i & 1 ? "select abs(?)" : "select hex(?)", 1, 0, 1, 0, 0);
	}
	rows = 0;
	if (sqlite3_exec(db, "values (1), (2), (3), (4)", stop_after_two, &rows, NULL) != SQLITE_ABORT)
		fail("no abort", db);
	add("values (?+)", 1, 0, 2, 0, 0);
	sqlite3_close(db);
}

/* A function that executes a statement while another one is stepped. */
static void look_up(sqlite3_context *context, int nr, sqlite3_value **value)
{
	sqlite3_stmt *stmt = sqlite3_user_data(context);

	(void)nr;
	sqlite3_bind_value(stmt, 1, value[0]);
	execute(stmt, "select a from t where id = ?", 1);
	sqlite3_result_value(context, sqlite3_column_value(stmt, 0));
	sqlite3_reset(stmt);
}

static void nested(void)
{
	sqlite3 *db = open_db(":memory:");
	sqlite3_stmt *inner, *outer;

	fill(db, 60);
	inner = prepare(db, "select a from t where id = ?");
	sqlite3_create_function(db, "look_up", 1, SQLITE_UTF8, inner, look_up, NULL, NULL);
	outer = prepare(db, "select look_up(id) from t order by id desc");
	for (int i = 0; i < 10; i++) {
		execute(outer, "select look_up(id) from t order by id desc", 0);
		sqlite3_reset(outer);
	}
	sqlite3_finalize(outer);
	sqlite3_finalize(inner);
	sqlite3_close(db);
}

static void other_texts(void)
{
	static const char head[] = "select max(1) from (select 'x') where 1 in (select 2)";
	static char sql[sizeof(head) + 20000], wide[128];
	sqlite3 *db = open_db(":memory:");
	sqlite3_stmt *stmt;
	const char *ascii = "select upper('utf16')";
	size_t n;

	for (n = 0; ascii[n]; n++)
		wide[2 * n] = ascii[n];
	if (sqlite3_prepare16_v2(db, wide, -1, &stmt, NULL))
		fail("prepare16", db);
	for (int i = 0; i < 10; i++)
		execute(stmt, "select upper(?)", 0);
	sqlite3_finalize(stmt);
	/* only the beginning of what is given: nByte */
	if (sqlite3_prepare_v3(db, "select quote(7) and the rest", 15, SQLITE_PREPARE_PERSISTENT, &stmt, NULL))
		fail("prepare_v3", db);
	execute(stmt, "select quote(?)", 0);
	sqlite3_finalize(stmt);
	/* longer than what is read */
	memcpy(sql, head, sizeof(head) - 1);
	memset(sql + sizeof(head) - 1, ' ', 20000);
	stmt = prepare(db, sql);
	execute(stmt, "select max(?) from (select ?) where ? in (select ?)", 0);
	sqlite3_finalize(stmt);
	/* a changed schema: SQLite prepares the statement again by itself, inside of the step */
	once(db, "create table s (a)", "create table s(a)");
	stmt = prepare(db, "select * from s");
	execute(stmt, "select * from s", 0);
	sqlite3_reset(stmt);
	once(db, "alter table s add b", "alter table s add b");
	execute(stmt, "select * from s", 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = {
		{ "basic", basic }, { "slow", slow },	  { "threads", threads },   { "errors", errors },
		{ "exec", exec },   { "nested", nested }, { "texts", other_texts },
	};

	if (argc == 4 && !strcmp(argv[3], "wait") && getchar() == EOF)
		return 1;
	if (argc == 3 || argc == 4) {
		directory = argv[2];
		for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
			if (strcmp(modes[i].name, argv[1]))
				continue;
			modes[i].run();
			print_truths();
			return 0;
		}
	}
	fprintf(stderr, "usage: sqlite_truth MODE DIRECTORY [wait]\n");
	return 2;
}
