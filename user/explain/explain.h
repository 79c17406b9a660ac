/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * explain.h - asks a database for the plan of a SELECT, and says in plain words what would make it faster.
 *
 * PostgreSQL is reached through libpq.so.5, MariaDB and MySQL through libmariadb.so.3 or libmysqlclient; they are
 * loaded when a connection is opened, so that nothing needs them otherwise. Only a single SELECT is ever sent, inside
 * a read-only transaction that is rolled back, with a time limit set on the server.
 */
#ifndef SONDE_EXPLAIN_EXPLAIN_H
#define SONDE_EXPLAIN_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/sql.h"

/* The time limit of a statement unless another one is asked for. */
#define SONDE_EXPLAIN_TIMEOUT_MS 5000u

/* Room for any error text of this part. */
#define SONDE_EXPLAIN_ERROR_BYTES 512u

/** struct sonde_explain - a connection to one database server */
struct sonde_explain;

/**
 * struct sonde_explain_opts - how to explain
 * @analyze: run the statements too, so that plans hold measured rows and times
 * @statement_timeout_ms: the server ends what takes longer; 0: SONDE_EXPLAIN_TIMEOUT_MS
 */
struct sonde_explain_opts {
	bool analyze;
	unsigned int statement_timeout_ms;
};

/**
 * struct sonde_advice - one thing to do about a plan
 * @text: a sentence or two for people
 * @statement: what to send to the database for it, without `;`, or NULL
 */
struct sonde_advice {
	char *text;
	char *statement;
};

/**
 * struct sonde_plan - a plan and what to do about it; zeroed memory is an empty one
 * @raw: JSON as the server sent it; MariaDB does not escape the quotes in its conditions
 * @tree: a line for each node, two blanks a level, the last one with its newline
 * @analyzed: the plan holds measured rows
 * @generic: the plan is the one for unknown parameter values
 * @advice, @nr_advice: the most useful first; none: nothing stands out
 * @error: why there is no plan, a sentence without period; "" after success
 */
struct sonde_plan {
	char *raw;
	char *tree;
	bool analyzed;
	bool generic;
	struct sonde_advice *advice;
	size_t nr_advice;
	char error[SONDE_EXPLAIN_ERROR_BYTES];
};

/**
 * sonde_explain_open - connect
 * @dsn: "postgresql://user:pw@host:port/db?...", libpq's "host=... dbname=...", "mysql://user:pw@host:port/db" or
 *	"mysql://user@/db?socket=/path" ("mariadb://" is the same)
 * @opts: copied; NULL: no analyze, the usual time limit
 * @err: out: one line that says what is wrong; never the password
 *
 * Returns 0; -EINVAL: wrong DSN; -ELIBACC: the client library is missing (@err names the package);
 * -ECONNREFUSED: cannot connect; -ENOMEM. Close it with sonde_explain_close().
 */
int sonde_explain_open(struct sonde_explain **out, const char *dsn, const struct sonde_explain_opts *opts, char *err,
		       size_t err_size);

/** sonde_explain_dialect - which SQL the server speaks */
enum sonde_sql_dialect sonde_explain_dialect(const struct sonde_explain *explain);

/**
 * sonde_explain_run - explain one statement
 * @sql: a single SELECT, also behind WITH; parameters are $1, $2, ... (PostgreSQL) or ? (MariaDB, MySQL)
 * @params: their values as text, NULL for SQL's NULL; they are pasted in as quoted literals
 * @nr_params: 0 with parameters in the text: the generic plan, on PostgreSQL 16 and later
 * @out: out: the plan, also set (to its @error) when this fails; free with sonde_plan_free()
 *
 * Returns 0; -EPERM: refused, the statement is no plain SELECT or tried to write; -EINVAL: parameters are missing;
 * -ENOTSUP: the plan needs values; -ETIMEDOUT: took too long; -ECONNRESET: the connection is gone, every later run
 * fails; -EPROTO: the server reports an error or answers what cannot be read; -ENOMEM.
 * No transaction is left open, whatever the result.
 */
int sonde_explain_run(struct sonde_explain *explain, const char *sql, const char *const *params, size_t nr_params,
		      struct sonde_plan *out);

/** sonde_plan_free - free what @plan holds and empty it; NULL is allowed */
void sonde_plan_free(struct sonde_plan *plan);

/** sonde_explain_close - disconnect; NULL is allowed */
void sonde_explain_close(struct sonde_explain *explain);

#endif /* SONDE_EXPLAIN_EXPLAIN_H */
