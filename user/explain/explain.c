// SPDX-License-Identifier: GPL-2.0-only
/*
 * explain.c - from a statement to its plan and the advice about it.
 */
#include "explain/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "explain/advice.h"
#include "explain/plan.h"
#include "explain/scan.h"
#include "explain/server.h"
#include "explain/statement.h"

struct sonde_explain {
	struct sonde_server *server;
	bool analyze;
};

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

int sonde_explain_open(struct sonde_explain **out, const char *dsn, const struct sonde_explain_opts *opts, char *err,
		       size_t err_size)
{
	unsigned int timeout_ms =
		opts && opts->statement_timeout_ms ? opts->statement_timeout_ms : SONDE_EXPLAIN_TIMEOUT_MS;
	struct sonde_explain *explain = calloc(1, sizeof(*explain));
	int code = -EINVAL;

	*out = NULL;
	sonde_server_say(err, err_size, "out of memory");
	if (!explain)
		return -ENOMEM;
	explain->analyze = opts && opts->analyze;
	if (timeout_ms > 86400000)
		timeout_ms = 86400000; /* a day fits wherever it goes */
	if (begins(dsn, "mysql://") || begins(dsn, "mariadb://"))
		code = sonde_server_open_mysql(&explain->server, dsn, timeout_ms, err, err_size);
	else if (begins(dsn, "postgresql://") || begins(dsn, "postgres://") ||
		 (!strstr(dsn, "://") && strchr(dsn, '=')))
		code = sonde_server_open_postgresql(&explain->server, dsn, timeout_ms, err, err_size);
	else
		sonde_server_say(err, err_size,
				 "wrong DSN: it is neither postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
				 "nor \"host=... dbname=...\", nor mysql://USER:PASSWORD@HOST:PORT/DATABASE");
	if (code) {
		free(explain);
		return code;
	}
	if (err_size)
		err[0] = '\0';
	*out = explain;
	return 0;
}

enum sonde_sql_dialect sonde_explain_dialect(const struct sonde_explain *explain)
{
	return explain->server->ops->mysql ? SONDE_SQL_MYSQL : SONDE_SQL_POSTGRESQL;
}

void sonde_explain_close(struct sonde_explain *explain)
{
	if (!explain)
		return;
	explain->server->ops->close(explain->server);
	free(explain);
}

void sonde_plan_free(struct sonde_plan *plan)
{
	size_t i;

	if (!plan)
		return;
	for (i = 0; i < plan->nr_advice; i++) {
		free(plan->advice[i].text);
		free(plan->advice[i].statement);
	}
	free(plan->advice);
	free(plan->raw);
	free(plan->tree);
	*plan = (struct sonde_plan){ NULL };
}

#define SAY(plan, ...) sonde_server_say((plan)->error, sizeof((plan)->error), __VA_ARGS__)

/* The text to be sent; refuses what must not be. */
static int prepare(struct sonde_server *server, const struct sonde_scan *scan, const char *const *params,
		   size_t nr_params, struct sonde_buf *text, struct sonde_plan *out)
{
	const char *why = sonde_statement_refuse(scan);
	size_t nr = sonde_statement_params(scan);
	int err;

	if (why) {
		SAY(out, "refused: %s", why);
		return -EPERM;
	}
	if (nr && !nr_params && !server->ops->can_generic(server)) {
		SAY(out, "the plan needs values for the parameters of the statement%s",
		    server->ops->mysql ? "" : " (PostgreSQL 16 and later plan without)");
		return -ENOTSUP;
	}
	if (nr_params && nr > nr_params) {
		SAY(out, "the statement has more parameters than the %zu values given", nr_params);
		return -EINVAL;
	}
	out->generic = nr && !nr_params;
	server->error[0] = '\0';
	err = sonde_statement_fill(text, scan, params, nr_params, server->ops->quote, server);
	if (err == -EINVAL)
		SAY(out, "%s", server->error[0] ? server->error : "a parameter cannot be quoted");
	return err;
}

/* Inside the transaction: the plan, and what is known about its tables. */
static int fetch(struct sonde_explain *explain, const char *text, const struct sonde_scan *scan,
		 struct sonde_node **root, struct sonde_facts *facts, struct sonde_plan *out)
{
	struct sonde_server *server = explain->server;
	struct sonde_table_refs refs;
	int err = server->ops->explain(server, text, explain->analyze, out->generic, &out->raw, &out->analyzed);

	if (err) {
		SAY(out, "%s", server->error);
		return err;
	}
	err = server->ops->mysql ? sonde_plan_read_mysql(root, out->raw) : sonde_plan_read_postgresql(root, out->raw);
	if (err) {
		SAY(out, "the server's plan cannot be read");
		return err;
	}
	err = sonde_statement_tables(scan, &refs);
	/* A plan without facts is better than none. */
	if (!err && server->ops->facts(server, *root, &refs, facts) == -ENOMEM)
		err = -ENOMEM;
	facts->limited = server->ops->mysql && sonde_statement_is_limited(scan);
	sonde_table_refs_free(&refs);
	return err;
}

static int judge(const struct sonde_node *root, const struct sonde_facts *facts, bool mysql, struct sonde_plan *out)
{
	struct sonde_buf tree = { NULL };

	sonde_node_print(&tree, root);
	if (tree.failed) {
		sonde_buf_free(&tree);
		return -ENOMEM;
	}
	out->tree = tree.s;
	return sonde_advice_give(out, root, facts, mysql);
}

/* One transaction from its begin to its end. */
static int ask(struct sonde_explain *explain, const char *text, const struct sonde_scan *scan, struct sonde_plan *out)
{
	struct sonde_server *server = explain->server;
	struct sonde_node *root = NULL;
	struct sonde_facts facts = { .nr = 0 };
	int err, end_err;

	err = server->ops->begin(server);
	if (err)
		SAY(out, "%s", server->error);
	else
		err = fetch(explain, text, scan, &root, &facts, out);
	end_err = server->ops->end(server);
	if (!err && end_err)
		SAY(out, "the transaction does not end: %s", server->error);
	/* Whatever state the session is in now, nothing more is sent. */
	if (end_err)
		server->is_gone = true;
	err = err ? err : end_err;
	if (!err)
		err = judge(root, &facts, server->ops->mysql, out);
	sonde_facts_free(&facts);
	sonde_node_free(root);
	return err;
}

int sonde_explain_run(struct sonde_explain *explain, const char *sql, const char *const *params, size_t nr_params,
		      struct sonde_plan *out)
{
	struct sonde_server *server = explain->server;
	struct sonde_buf text = { NULL };
	struct sonde_scan scan;
	int err;

	*out = (struct sonde_plan){ NULL };
	if (server->is_gone) {
		SAY(out, "the connection is gone");
		return -ECONNRESET;
	}
	err = sonde_scan_text(&scan, sql, server->scan_flags);
	if (err == -EINVAL) {
		SAY(out, "refused: %s", scan.error);
		err = -EPERM;
	}
	err = err ? err : prepare(server, &scan, params, nr_params, &text, out);
	err = err ? err : ask(explain, text.s, &scan, out);
	if (err == -ENOMEM)
		SAY(out, "out of memory");
	sonde_buf_free(&text);
	sonde_scan_free(&scan);
	return err;
}
