// SPDX-License-Identifier: GPL-2.0-only
/*
 * postgresql.c - plans from PostgreSQL, through libpq.
 *
 * The extended protocol takes one statement in a message; only a generic plan has to be asked for with the simple
 * one, which would otherwise want values for the parameters. The server ends what takes too long; should it not
 * answer even then, the connection counts as gone.
 */
#include "explain/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "explain/postgresql_facts.h"
#include "explain/scan.h"

/* What is used of libpq, whose values have not changed since 1999. */
#define CONNECTION_OK 0
#define PGRES_COMMAND_OK 1
#define PGRES_TUPLES_OK 2
#define PG_DIAG_SQLSTATE 'C'
#define PG_DIAG_MESSAGE_PRIMARY 'M'

struct pq {
	void *(*conninfo_parse)(const char *conninfo, char **error);
	void (*conninfo_free)(void *options);
	void *(*connect)(const char *const *keywords, const char *const *values, int expand_dbname);
	int (*status)(const void *conn);
	char *(*error)(const void *conn);
	void (*finish)(void *conn);
	int (*socket)(const void *conn);
	int (*server_version)(const void *conn);
	const char *(*parameter)(const void *conn, const char *name);
	void *(*on_notice)(void *conn, void (*processor)(void *ctx, const char *message), void *ctx);
	int (*send_simple)(void *conn, const char *sql);
	int (*send)(void *conn, const char *sql, int nr, const unsigned int *types, const char *const *values,
		    const int *lengths, const int *formats, int result_format);
	int (*consume)(void *conn);
	int (*is_busy)(void *conn);
	void *(*result)(void *conn);
	int (*result_status)(const void *result);
	char *(*result_field)(const void *result, int field);
	int (*nr_rows)(const void *result);
	int (*nr_fields)(const void *result);
	char *(*value)(const void *result, int row, int field);
	void (*clear)(void *result);
	char *(*escape)(void *conn, const char *text, size_t len);
	void (*free)(void *memory);
};

#define PQ(member, name)                                                                                               \
	{                                                                                                              \
		name, offsetof(struct pq, member)                                                                      \
	}

static const struct sonde_library_function pq_functions[] = {
	PQ(conninfo_parse, "PQconninfoParse"),
	PQ(conninfo_free, "PQconninfoFree"),
	PQ(connect, "PQconnectdbParams"),
	PQ(status, "PQstatus"),
	PQ(error, "PQerrorMessage"),
	PQ(finish, "PQfinish"),
	PQ(socket, "PQsocket"),
	PQ(server_version, "PQserverVersion"),
	PQ(parameter, "PQparameterStatus"),
	PQ(on_notice, "PQsetNoticeProcessor"),
	PQ(send_simple, "PQsendQuery"),
	PQ(send, "PQsendQueryParams"),
	PQ(consume, "PQconsumeInput"),
	PQ(is_busy, "PQisBusy"),
	PQ(result, "PQgetResult"),
	PQ(result_status, "PQresultStatus"),
	PQ(result_field, "PQresultErrorField"),
	PQ(nr_rows, "PQntuples"),
	PQ(nr_fields, "PQnfields"),
	PQ(value, "PQgetvalue"),
	PQ(clear, "PQclear"),
	PQ(escape, "PQescapeLiteral"),
	PQ(free, "PQfreemem"),
	{ NULL },
};

struct postgresql {
	struct sonde_server server;
	struct pq pq;
	void *conn;
};

static struct postgresql *postgresql_of(struct sonde_server *server)
{
	return (struct postgresql *)server;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int gone(struct postgresql *pg, int err)
{
	pg->server.is_gone = true;
	sonde_server_say(pg->server.error, sizeof(pg->server.error), "the connection is gone: %s",
			 err == -ETIMEDOUT ? "the server does not answer" : pg->pq.error(pg->conn));
	return err;
}

/* Waits until a result can be taken without waiting. */
static int wait_result(struct postgresql *pg, long long deadline_ms)
{
	while (pg->pq.is_busy(pg->conn)) {
		struct pollfd fd = { .fd = pg->pq.socket(pg->conn), .events = POLLIN };
		long long left_ms = deadline_ms - now_ms();

		if (left_ms <= 0)
			return gone(pg, -ETIMEDOUT);
		if (poll(&fd, 1, (int)left_ms) < 0 && errno != EINTR)
			return gone(pg, -ECONNRESET);
		if (fd.revents && !pg->pq.consume(pg->conn))
			return gone(pg, -ECONNRESET);
	}
	return 0;
}

static int judge_result(struct postgresql *pg, const void *result)
{
	int status = pg->pq.result_status(result);
	const char *state, *message;

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return 0;
	if (pg->pq.status(pg->conn) != CONNECTION_OK)
		return gone(pg, -ECONNRESET);
	state = pg->pq.result_field(result, PG_DIAG_SQLSTATE);
	message = pg->pq.result_field(result, PG_DIAG_MESSAGE_PRIMARY);
	sonde_server_say(pg->server.error, sizeof(pg->server.error), "PostgreSQL says: %s%s%s%s",
			 message ? message : "nothing", state ? " (" : "", state ? state : "", state ? ")" : "");
	if (state && strcmp(state, "57014") == 0)
		return -ETIMEDOUT; /* query_canceled */
	return state && strcmp(state, "25006") == 0 ? -EPERM : -EPROTO; /* read_only_sql_transaction */
}

/* Sends one statement and takes its results; @rows: out: its last result, to be cleared, or NULL. */
static int ask(struct postgresql *pg, const char *sql, bool simple, const char *const *values, int nr, void **rows)
{
	long long deadline_ms = now_ms() + pg->server.timeout_ms + SONDE_SERVER_GRACE_MS;
	void *result, *last = NULL;
	int err = 0, sent;

	if (pg->server.is_gone)
		return -ECONNRESET;
	sent = simple ? pg->pq.send_simple(pg->conn, sql) : pg->pq.send(pg->conn, sql, nr, NULL, values, NULL, NULL, 0);
	if (!sent)
		return gone(pg, -ECONNRESET);
	while (!(err = wait_result(pg, deadline_ms)) && (result = pg->pq.result(pg->conn))) {
		pg->pq.clear(last);
		last = result;
	}
	if (!err)
		err = last ? judge_result(pg, last) : gone(pg, -ECONNRESET);
	if (err || !rows) {
		pg->pq.clear(last);
		last = NULL;
	}
	if (rows)
		*rows = last;
	return err;
}

static int begin(struct sonde_server *server)
{
	struct postgresql *pg = postgresql_of(server);
	struct sonde_buf limit = { NULL };
	int err = ask(pg, "BEGIN READ ONLY", false, NULL, 0, NULL);

	sonde_buf_printf(&limit, "SET LOCAL statement_timeout = %u", server->timeout_ms);
	if (!err)
		err = limit.failed ? -ENOMEM : ask(pg, limit.s, false, NULL, 0, NULL);
	sonde_buf_free(&limit);
	return err;
}

static int end(struct sonde_server *server)
{
	struct postgresql *pg = postgresql_of(server);
	int err = ask(pg, "ROLLBACK", false, NULL, 0, NULL);

	if (err)
		return err;
	/* Advisory locks and settings outlive a transaction. A standby or a pooler may not forget them by itself. */
	err = ask(pg, "DISCARD ALL", false, NULL, 0, NULL);
	return err == -EPROTO && !server->is_gone ? 0 : err;
}

static int explain(struct sonde_server *server, const char *sql, bool analyze, bool generic, char **raw, bool *analyzed)
{
	struct postgresql *pg = postgresql_of(server);
	struct sonde_buf text = { NULL }, json = { NULL };
	void *result = NULL;
	int err, i;

	*analyzed = analyze && !generic;
	sonde_buf_printf(&text, "EXPLAIN (FORMAT JSON, VERBOSE off%s%s) %s", *analyzed ? ", ANALYZE, BUFFERS" : "",
			 generic ? ", GENERIC_PLAN" : "", sql);
	err = text.failed ? -ENOMEM : ask(pg, text.s, generic, NULL, 0, &result);
	sonde_buf_free(&text);
	if (err)
		return err;
	for (i = 0; i < pg->pq.nr_rows(result) && pg->pq.nr_fields(result) > 0; i++)
		sonde_buf_str(&json, pg->pq.value(result, i, 0));
	pg->pq.clear(result);
	if (json.failed) {
		sonde_buf_free(&json);
		return -ENOMEM;
	}
	*raw = json.s ? json.s : strdup("");
	return *raw ? 0 : -ENOMEM;
}

/* Rows for postgresql_facts.c. */
static int query_rows(void *ctx, const char *sql, const char *const *values, int nr,
		      int (*row)(void *row_ctx, char **fields), void *row_ctx)
{
	struct postgresql *pg = ctx;
	void *result;
	char *fields[SONDE_POSTGRESQL_FIELDS] = { NULL };
	int err = ask(pg, sql, false, values, nr, &result), i, k;

	if (err)
		return err;
	for (i = 0; !err && i < pg->pq.nr_rows(result); i++) {
		for (k = 0; k < pg->pq.nr_fields(result) && k < SONDE_POSTGRESQL_FIELDS; k++)
			fields[k] = pg->pq.value(result, i, k);
		err = row(row_ctx, fields);
	}
	pg->pq.clear(result);
	return err;
}

static int facts(struct sonde_server *server, const struct sonde_node *root, const struct sonde_table_refs *refs,
		 struct sonde_facts *out)
{
	struct postgresql *pg = postgresql_of(server);

	return sonde_postgresql_facts(out, root, refs, pg->pq.server_version(pg->conn), query_rows, pg);
}

static int quote(void *server, struct sonde_buf *out, const char *value)
{
	struct postgresql *pg = postgresql_of(server);
	char *literal = pg->pq.escape(pg->conn, value, strlen(value));

	if (!literal) {
		sonde_server_say(pg->server.error, sizeof(pg->server.error), "a parameter cannot be quoted: %s",
				 pg->pq.error(pg->conn));
		return -EINVAL;
	}
	sonde_buf_str(out, literal);
	pg->pq.free(literal);
	return 0;
}

static bool can_generic(const struct sonde_server *server)
{
	const struct postgresql *pg = (const struct postgresql *)server;

	return pg->pq.server_version(pg->conn) >= 160000;
}

static void close_server(struct sonde_server *server)
{
	struct postgresql *pg = postgresql_of(server);

	if (pg->conn)
		pg->pq.finish(pg->conn);
	free(pg);
}

static const struct sonde_server_ops ops = {
	.begin = begin,
	.explain = explain,
	.facts = facts,
	.end = end,
	.quote = quote,
	.can_generic = can_generic,
	.close = close_server,
};

static void ignore_notice(void *ctx, const char *message)
{
}

static int connect_to(struct postgresql *pg, const char *dsn, char *err, size_t err_size)
{
	/* What stands behind the DSN counts more than it, what stands before counts less. */
	static const char *const keywords[] = { "fallback_application_name", "connect_timeout", "dbname",
						"client_encoding", NULL };
	const char *const values[] = { "sonde", "10", dsn, "UTF8", NULL };
	const char *standard;
	char *why = NULL;
	void *options = pg->pq.conninfo_parse(dsn, &why);

	if (!options) {
		sonde_server_say(err, err_size, "wrong DSN: %s", why ? why : "out of memory");
		pg->pq.free(why);
		return -EINVAL;
	}
	pg->pq.conninfo_free(options);
	pg->conn = pg->pq.connect(keywords, values, 1);
	if (!pg->conn)
		return -ENOMEM;
	if (pg->pq.status(pg->conn) != CONNECTION_OK) {
		sonde_server_say(err, err_size, "cannot connect: %s", pg->pq.error(pg->conn));
		return -ECONNREFUSED;
	}
	pg->pq.on_notice(pg->conn, ignore_notice, NULL);
	standard = pg->pq.parameter(pg->conn, "standard_conforming_strings");
	if (standard && strcmp(standard, "off") == 0)
		pg->server.scan_flags |= SONDE_SCAN_BACKSLASH;
	return 0;
}

int sonde_server_open_postgresql(struct sonde_server **out, const char *dsn, unsigned int timeout_ms, char *err,
				 size_t err_size)
{
	static const char *const names[] = { "libpq.so.5", NULL };
	struct postgresql *pg = calloc(1, sizeof(*pg));
	int code;

	if (!pg)
		return -ENOMEM;
	pg->server.ops = &ops;
	pg->server.timeout_ms = timeout_ms;
	code = sonde_library_load(&pg->pq, pq_functions, names, "libpq5", err, err_size);
	if (!code)
		code = connect_to(pg, dsn, err, err_size);
	if (code) {
		close_server(&pg->server);
		return code;
	}
	*out = &pg->server;
	return 0;
}
