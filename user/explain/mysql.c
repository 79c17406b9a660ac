// SPDX-License-Identifier: GPL-2.0-only
/*
 * mysql.c - plans from MariaDB and MySQL, through libmariadb or libmysqlclient.
 *
 * Several statements in one text are refused by the server, because this client does not ask for them. It does not
 * send files either, whatever a server asks for.
 */
#include "explain/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "explain/dsn.h"
#include "explain/plan.h"
#include "explain/scan.h"
#include "explain/statement.h"

/* What is used of the client libraries, equal in both. */
enum option {
	OPT_CONNECT_TIMEOUT = 0, /* unsigned int, seconds */
	OPT_SET_CHARSET_NAME = 7, /* string */
	OPT_LOCAL_INFILE = 8, /* unsigned int */
	OPT_READ_TIMEOUT = 11, /* unsigned int, seconds */
};

#define ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION 1792
#define ER_QUERY_INTERRUPTED 1317
#define ER_STATEMENT_TIMEOUT 1969 /* MariaDB */
#define ER_QUERY_TIMEOUT 3024 /* MySQL */
#define CR_SERVER_GONE_ERROR 2006
#define CR_SERVER_LOST 2013

struct client {
	void *(*init)(void *conn);
	int (*options)(void *conn, int option, const void *value);
	void *(*connect)(void *conn, const char *host, const char *user, const char *password, const char *database,
			 unsigned int port, const char *socket, unsigned long flags);
	int (*query)(void *conn, const char *sql, unsigned long len);
	void *(*store)(void *conn);
	char **(*row)(void *result);
	void (*free_result)(void *result);
	const char *(*error)(void *conn);
	unsigned int (*error_number)(void *conn);
	const char *(*server_info)(void *conn);
	unsigned long (*escape)(void *conn, char *to, const char *from, unsigned long len);
	int (*reset)(void *conn);
	void (*close)(void *conn);
};

#define CLIENT(member, name)                                                                                           \
	{                                                                                                              \
		name, offsetof(struct client, member)                                                                  \
	}

static const struct sonde_library_function client_functions[] = {
	CLIENT(init, "mysql_init"),
	CLIENT(options, "mysql_options"),
	CLIENT(connect, "mysql_real_connect"),
	CLIENT(query, "mysql_real_query"),
	CLIENT(store, "mysql_store_result"),
	CLIENT(row, "mysql_fetch_row"),
	CLIENT(free_result, "mysql_free_result"),
	CLIENT(error, "mysql_error"),
	CLIENT(error_number, "mysql_errno"),
	CLIENT(server_info, "mysql_get_server_info"),
	CLIENT(escape, "mysql_real_escape_string"),
	CLIENT(reset, "mysql_reset_connection"),
	CLIENT(close, "mysql_close"),
	{ NULL },
};

struct mysql {
	struct sonde_server server;
	struct client client;
	void *conn;
	bool is_mariadb;
};

static struct mysql *mysql_of(struct sonde_server *server)
{
	return (struct mysql *)server;
}

static int judge_error(struct mysql *my)
{
	unsigned int number = my->client.error_number(my->conn);

	sonde_server_say(my->server.error, sizeof(my->server.error), "%s says: %s (%u)",
			 my->is_mariadb ? "MariaDB" : "MySQL", my->client.error(my->conn), number);
	switch (number) {
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
		my->server.is_gone = true;
		return -ECONNRESET;
	case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
		return -EPERM;
	case ER_QUERY_INTERRUPTED:
	case ER_STATEMENT_TIMEOUT:
	case ER_QUERY_TIMEOUT:
		return -ETIMEDOUT;
	default:
		return -EPROTO;
	}
}

/* Sends one statement; @row gets each row of its result unless it is NULL. */
static int ask(struct mysql *my, const char *sql, int (*row)(void *ctx, char **fields), void *ctx)
{
	void *result;
	char **fields;
	int err = 0;

	if (my->server.is_gone)
		return -ECONNRESET;
	if (my->client.query(my->conn, sql, strlen(sql)))
		return judge_error(my);
	result = my->client.store(my->conn);
	if (!result)
		return my->client.error_number(my->conn) ? judge_error(my) : 0;
	while (row && !err && (fields = my->client.row(result)))
		err = row(ctx, fields);
	my->client.free_result(result);
	return err;
}

static int ask_buf(struct mysql *my, struct sonde_buf *sql, int (*row)(void *ctx, char **fields), void *ctx)
{
	int err = sql->failed ? -ENOMEM : ask(my, sql->s, row, ctx);

	sonde_buf_free(sql);
	return err;
}

static int begin(struct sonde_server *server)
{
	struct mysql *my = mysql_of(server);
	struct sonde_buf limit = { NULL };
	int err;

	if (my->is_mariadb)
		sonde_buf_printf(&limit, "SET SESSION max_statement_time = %u.%03u", server->timeout_ms / 1000,
				 server->timeout_ms % 1000);
	else
		sonde_buf_printf(&limit, "SET SESSION max_execution_time = %u", server->timeout_ms);
	err = ask_buf(my, &limit, NULL, NULL);
	return err ? err : ask(my, "START TRANSACTION READ ONLY", NULL, NULL);
}

static int end(struct sonde_server *server)
{
	struct mysql *my = mysql_of(server);
	int err = ask(my, "ROLLBACK", NULL, NULL);

	/* Locks by name, variables and the time limit outlive a transaction. */
	if (!err && my->client.reset(my->conn))
		err = judge_error(my);
	return err;
}

static int raw_row(void *ctx, char **fields)
{
	sonde_buf_str(ctx, fields[0] ? fields[0] : "");
	return 0;
}

static int explain(struct sonde_server *server, const char *sql, bool analyze, bool generic, char **raw, bool *analyzed)
{
	struct mysql *my = mysql_of(server);
	struct sonde_buf text = { NULL }, json = { NULL };
	int err;

	/* MySQL measures only in another format, which is not JSON. */
	*analyzed = analyze && my->is_mariadb;
	sonde_buf_printf(&text, "%s FORMAT=JSON %s", *analyzed ? "ANALYZE" : "EXPLAIN", sql);
	err = ask_buf(my, &text, raw_row, &json);
	if (!err && json.failed)
		err = -ENOMEM;
	if (err) {
		sonde_buf_free(&json);
		return err;
	}
	*raw = json.s ? json.s : strdup("");
	return *raw ? 0 : -ENOMEM;
}

static int quote(void *server, struct sonde_buf *out, const char *value)
{
	struct mysql *my = server;
	size_t len = strlen(value);
	char *escaped = malloc(len * 2 + 1);
	unsigned long nr;

	if (!escaped)
		return -ENOMEM;
	nr = my->client.escape(my->conn, escaped, value, len);
	sonde_buf_str(out, "'");
	if (nr != (unsigned long)-1)
		sonde_buf_add(out, escaped, nr);
	sonde_buf_str(out, "'");
	free(escaped);
	return nr == (unsigned long)-1 ? -EINVAL : 0;
}

struct question {
	struct sonde_facts *out;
	const struct sonde_table_ref *ref;
	bool found;
	char *last_index;
};

static int table_row(void *ctx, char **fields)
{
	struct question *question = ctx;
	double rows = fields[0] ? strtod(fields[0], NULL) : SONDE_NODE_UNKNOWN;

	question->found = true;
	return sonde_facts_add_table(question->out, question->ref->alias, question->ref->spelled, rows, false);
}

static int column_row(void *ctx, char **fields)
{
	struct question *question = ctx;

	return fields[0] && fields[1] ? sonde_facts_add_column(question->out, fields[0], fields[1]) : 0;
}

static int index_row(void *ctx, char **fields)
{
	struct question *question = ctx;
	int err = 0;

	if (!fields[0])
		return 0;
	if (!question->last_index || strcmp(question->last_index, fields[0])) {
		free(question->last_index);
		question->last_index = strdup(fields[0]);
		err = question->last_index ? sonde_facts_add_index(question->out, fields[0]) : -ENOMEM;
	}
	return err ? err : sonde_facts_add_index_column(question->out, fields[1] ? fields[1] : "");
}

/* One question of information_schema about the table of @question. */
static int ask_schema(struct mysql *my, struct question *question, const char *select, const char *order,
		      int (*row)(void *ctx, char **fields))
{
	struct sonde_buf sql = { NULL };
	int err = 0;

	sonde_buf_printf(&sql, "SELECT %s WHERE table_schema = ", select);
	if (question->ref->schema)
		err = quote(my, &sql, question->ref->schema);
	else
		sonde_buf_str(&sql, "DATABASE()");
	sonde_buf_str(&sql, " AND table_name = ");
	err = err ? err : quote(my, &sql, question->ref->name);
	sonde_buf_str(&sql, order);
	if (err) {
		sonde_buf_free(&sql);
		return err;
	}
	return ask_buf(my, &sql, row, question);
}

static int facts(struct sonde_server *server, const struct sonde_node *root, const struct sonde_table_refs *refs,
		 struct sonde_facts *out)
{
	struct mysql *my = mysql_of(server);
	size_t i;
	int err = 0;

	for (i = 0; !err && i < refs->nr && i < 64; i++) {
		struct question question = { .out = out, .ref = &refs->refs[i] };

		if (sonde_facts_table(out, question.ref->alias))
			continue;
		err = ask_schema(my, &question, "table_rows FROM information_schema.tables",
				 " AND table_type = 'BASE TABLE'", table_row);
		if (err || !question.found)
			continue;
		err = ask_schema(my, &question, "column_name, data_type FROM information_schema.columns",
				 " ORDER BY ordinal_position", column_row);
		err = err ? err
			  : ask_schema(my, &question, "index_name, column_name FROM information_schema.statistics",
				       " AND index_type = 'BTREE' ORDER BY index_name, seq_in_index", index_row);
		free(question.last_index);
	}
	return err;
}

static bool can_generic(const struct sonde_server *server)
{
	return false;
}

static void close_server(struct sonde_server *server)
{
	struct mysql *my = mysql_of(server);

	if (my->conn)
		my->client.close(my->conn);
	free(my);
}

static const struct sonde_server_ops ops = {
	.mysql = true,
	.begin = begin,
	.explain = explain,
	.facts = facts,
	.end = end,
	.quote = quote,
	.can_generic = can_generic,
	.close = close_server,
};

static int mode_row(void *ctx, char **fields)
{
	struct mysql *my = ctx;

	if (fields[0] && strstr(fields[0], "NO_BACKSLASH_ESCAPES"))
		my->server.scan_flags &= ~SONDE_SCAN_BACKSLASH;
	if (fields[0] && strstr(fields[0], "ANSI_QUOTES"))
		my->server.scan_flags |= SONDE_SCAN_ANSI_QUOTES;
	return 0;
}

static int connect_to(struct mysql *my, const struct sonde_dsn *dsn, char *err, size_t err_size)
{
	unsigned int connect_s = SONDE_SERVER_CONNECT_S, off = 0;
	unsigned int read_s = (my->server.timeout_ms + SONDE_SERVER_GRACE_MS + 999) / 1000;
	int code;

	my->conn = my->client.init(NULL);
	if (!my->conn)
		return -ENOMEM;
	my->client.options(my->conn, OPT_CONNECT_TIMEOUT, &connect_s);
	my->client.options(my->conn, OPT_READ_TIMEOUT, &read_s);
	my->client.options(my->conn, OPT_LOCAL_INFILE, &off);
	my->client.options(my->conn, OPT_SET_CHARSET_NAME, "utf8mb4");
	if (!my->client.connect(my->conn, dsn->host, dsn->user, dsn->password, dsn->database, dsn->port, dsn->socket,
				0)) {
		sonde_server_say(err, err_size, "cannot connect: %s", my->client.error(my->conn));
		return -ECONNREFUSED;
	}
	my->is_mariadb = strstr(my->client.server_info(my->conn), "MariaDB") != NULL;
	code = ask(my, "SELECT @@sql_mode", mode_row, my);
	if (code)
		sonde_server_say(err, err_size, "cannot ask: %s", my->server.error);
	return code ? -ECONNREFUSED : 0;
}

int sonde_server_open_mysql(struct sonde_server **out, const char *text, unsigned int timeout_ms, char *err,
			    size_t err_size)
{
	static const char *const names[] = { "libmariadb.so.3", "libmysqlclient.so.21", "libmysqlclient.so.24", NULL };
	struct mysql *my = calloc(1, sizeof(*my));
	struct sonde_dsn dsn;
	const char *why;
	int code;

	if (!my)
		return -ENOMEM;
	my->server.ops = &ops;
	my->server.timeout_ms = timeout_ms;
	my->server.scan_flags = SONDE_SCAN_MYSQL | SONDE_SCAN_BACKSLASH;
	code = sonde_dsn_parse(&dsn, text, &why);
	if (code == -EINVAL)
		sonde_server_say(err, err_size, "wrong DSN: %s", why);
	if (!code)
		code = sonde_library_load(&my->client, client_functions, names, "libmariadb3", err, err_size);
	if (!code)
		code = connect_to(my, &dsn, err, err_size);
	sonde_dsn_free(&dsn);
	if (code) {
		close_server(&my->server);
		return code;
	}
	*out = &my->server;
	return 0;
}
