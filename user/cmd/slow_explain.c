// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow_explain.c - plans for the slowest statements of a report.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/log.h"
#include "cmd/slow_explain.h"
#include "explain/explain.h"
#include "model/slow.h"
#include "model/snapshot.h"

#define MAX_PLANS 10 /* statements that are explained, the slowest first */

int sonde_slow_explain_check(const char *dsn)
{
	char why[SONDE_EXPLAIN_ERROR_BYTES];
	struct sonde_explain *explain;
	int err = sonde_explain_open(&explain, dsn, NULL, why, sizeof(why));

	if (err) {
		sonde_error("--explain: %s", why);
		return err == -EINVAL ? SONDE_EXIT_USAGE : SONDE_EXIT_FAILURE;
	}
	sonde_explain_close(explain);
	return -1;
}

/* Whether the server that is asked speaks the statement's dialect, and all of the statement is known. */
static bool can_explain(const struct sonde_slow *slow, enum sonde_sql_dialect dialect)
{
	bool mysql = slow->proto == SONDE_PROTO_MYSQL || slow->proto == SONDE_PROTO_MARIADB;

	if (!slow->example || !slow->example_whole)
		return false;
	return dialect == SONDE_SQL_POSTGRESQL ? slow->proto == SONDE_PROTO_POSTGRESQL : mysql;
}

static bool explained(const struct sonde_snapshot *snapshot, u64 id)
{
	for (size_t i = 0; i < snapshot->nr_plans; i++)
		if (snapshot->plans[i].id == id)
			return true;
	return false;
}

static void advice_text(const struct sonde_plan *plan, struct sonde_buf *buf)
{
	for (size_t i = 0; i < plan->nr_advice; i++) {
		sonde_buf_printf(buf, "%s\n", plan->advice[i].text);
		if (plan->advice[i].statement)
			sonde_buf_printf(buf, "  %s;\n", plan->advice[i].statement);
	}
}

/* Puts what came out into the snapshot. Returns 0 or -ENOMEM. */
static int keep(struct sonde_snapshot *snapshot, u64 id, const struct sonde_plan *plan)
{
	struct sonde_slow_plan *more = realloc(snapshot->plans, (snapshot->nr_plans + 1) * sizeof(*more)), *to;
	struct sonde_buf text = {}, advice = {};

	if (!more)
		return -ENOMEM;
	snapshot->plans = more;
	to = &more[snapshot->nr_plans];
	if (plan->error[0])
		sonde_buf_printf(&text, "none: %s", plan->error);
	else
		sonde_buf_str(&text, plan->tree ? plan->tree : "");
	advice_text(plan, &advice);
	sonde_buf_str(&advice, "");
	*to = (struct sonde_slow_plan){ .id = id, .text = text.s, .advice = advice.s ? advice.s : strdup("") };
	if (text.failed || advice.failed || !to->text || !to->advice) {
		free(to->text);
		free(to->advice);
		return -ENOMEM;
	}
	snapshot->nr_plans++;
	return 0;
}

static int explain_one(struct sonde_explain *explain, const struct sonde_slow *slow, struct sonde_snapshot *snapshot)
{
	struct sonde_plan plan = {};
	int err = sonde_explain_run(explain, slow->example, NULL, 0, &plan), kept = 0;

	if (err != -EPERM) /* no SELECT */
		kept = keep(snapshot, slow->id, &plan);
	sonde_plan_free(&plan);
	return err == -ECONNRESET ? err : kept;
}

void sonde_slow_explain(const char *dsn, bool analyze, struct sonde_snapshot *snapshot)
{
	const struct sonde_explain_opts opts = { .analyze = analyze };
	char why[SONDE_EXPLAIN_ERROR_BYTES];
	struct sonde_explain *explain;
	int err;

	if (!snapshot->nr_slow)
		return;
	err = sonde_explain_open(&explain, dsn, &opts, why, sizeof(why));
	if (err) {
		sonde_warn("no plans: %s", why);
		return;
	}
	/* They are sorted by time: the first of a statement is its slowest. */
	for (size_t i = 0; i < snapshot->nr_slow && snapshot->nr_plans < MAX_PLANS && !err; i++) {
		const struct sonde_slow *slow = &snapshot->slow[i];

		if (can_explain(slow, sonde_explain_dialect(explain)) && !explained(snapshot, slow->id))
			err = explain_one(explain, slow, snapshot);
	}
	if (err)
		sonde_warn("plans are missing: %s", strerror(-err));
	sonde_explain_close(explain);
}
