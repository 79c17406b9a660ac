// SPDX-License-Identifier: GPL-2.0-only
/*
 * advice.c - walks a plan and says what stands out. Indexes are in advice_scan.c.
 *
 * Every rule has a size below which it is silent: a small table is read as a whole for good reasons.
 */
#include "explain/advice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "explain/advice_scan.h"
#include "explain/explain.h"

/* Estimates that are off by less serve their purpose. */
#define OFF_BY 10.0
#define OFF_MIN_ROWS 100.0

/* Sorts of fewer rows fit into memory on any server. */
#define SORT_MANY_ROWS 100000.0

int sonde_advice_add(struct sonde_plan *plan, struct sonde_buf *text, struct sonde_buf *statement)
{
	struct sonde_advice *advice = NULL;
	const char *words = text->s, *sql = statement ? statement->s : NULL;
	size_t i;

	if (text->failed || (statement && statement->failed) || !words)
		goto no_memory;
	for (i = 0; i < plan->nr_advice; i++) {
		const struct sonde_advice *have = &plan->advice[i];

		if (sql && have->statement ? strcmp(sql, have->statement) == 0 : strcmp(words, have->text) == 0) {
			sonde_buf_free(text);
			if (statement)
				sonde_buf_free(statement);
			return 0;
		}
	}
	advice = realloc(plan->advice, (plan->nr_advice + 1) * sizeof(*advice));
	if (!advice)
		goto no_memory;
	plan->advice = advice;
	plan->advice[plan->nr_advice++] = (struct sonde_advice){ text->s, statement ? statement->s : NULL };
	*text = (struct sonde_buf){ NULL };
	if (statement)
		*statement = (struct sonde_buf){ NULL };
	return 0;

no_memory:
	sonde_buf_free(text);
	if (statement)
		sonde_buf_free(statement);
	return -ENOMEM;
}

/* Megabytes that a sort which took @kb on disk needs in memory, where rows are about three times larger. */
static unsigned int memory_mb(double kb)
{
	unsigned int mb = 8;

	while (mb < 1024 && mb * 1024.0 < kb * 3)
		mb *= 2;
	return mb;
}

static int judge_sort(struct sonde_plan *plan, const struct sonde_node *node, const struct sonde_advice_scope *scope)
{
	struct sonde_buf text = { NULL }, statement = { NULL };
	double rows = sonde_advice_rows(node);
	char number[SONDE_STR_SHORT + 8];

	if (rows < 0 && node->nr_children)
		rows = sonde_advice_rows(node->children[0]);
	if (!scope->mysql && node->sort_disk_kb > 0) {
		sonde_buf_printf(&text,
				 "Sorts %s rows on disk (%.0f kB), because they do not fit into work_mem: allow this "
				 "query more of it, or let an index return the rows in this order.",
				 sonde_advice_count(number, rows), node->sort_disk_kb);
		sonde_buf_printf(&statement, "SET work_mem = '%uMB'", memory_mb(node->sort_disk_kb));
		return sonde_advice_add(plan, &text, &statement);
	}
	if (scope->mysql && node->spill_disk_kb > 0) {
		sonde_buf_printf(&text,
				 "Sorts %s rows in several passes over the disk: raise sort_buffer_size for this "
				 "query, or let an index return the rows in this order.",
				 sonde_advice_count(number, rows));
		return sonde_advice_add(plan, &text, NULL);
	}
	if (node->sort_disk_kb == 0 || scope->limited || node->may_stop_early ||
	    rows < (scope->mysql ? SONDE_ADVICE_LARGE_ROWS : SORT_MANY_ROWS))
		return 0;
	sonde_buf_printf(&text,
			 "Sorts about %s rows and returns all of them%s: ask for the first rows only (LIMIT), or "
			 "let an index return them in this order.",
			 sonde_advice_count(number, rows), scope->mysql ? " (filesort)" : "");
	return sonde_advice_add(plan, &text, NULL);
}

static int judge_temporary(struct sonde_plan *plan, const struct sonde_node *node)
{
	struct sonde_buf text = { NULL };
	char number[SONDE_STR_SHORT + 8];
	double rows = node->nr_children ? sonde_advice_rows(node->children[0]) : 0;

	if (rows < SONDE_ADVICE_LARGE_ROWS)
		return 0;
	sonde_buf_printf(&text,
			 "Collects groups of about %s rows in a temporary table: an index that begins with the "
			 "columns of GROUP BY or DISTINCT returns them grouped.",
			 sonde_advice_count(number, rows));
	return sonde_advice_add(plan, &text, NULL);
}

static int judge_spill(struct sonde_plan *plan, const struct sonde_node *node)
{
	struct sonde_buf text = { NULL }, statement = { NULL };

	if (node->spill_disk_kb <= 0)
		return 0;
	sonde_buf_printf(&text, "%s does not fit into work_mem and goes through the disk: allow this query more of it.",
			 node->type);
	sonde_buf_printf(&statement, "SET work_mem = '%uMB'", memory_mb(node->spill_disk_kb * 4));
	return sonde_advice_add(plan, &text, &statement);
}

/* Whether the estimate is far from what was measured. MariaDB: of the rows read, since it knows little of filters. */
static bool is_off(const struct sonde_node *node, bool mysql)
{
	double found = mysql ? node->read_rows : node->actual_rows, expected = node->rows;

	if (found < 0 || expected < 0 || node->loops <= 0)
		return false;
	if (found < 1)
		found = 1;
	if (expected < 1)
		expected = 1;
	if (found >= expected * OFF_BY)
		return found >= OFF_MIN_ROWS;
	return !mysql && !node->may_stop_early && expected >= found * OFF_BY && expected >= OFF_MIN_ROWS;
}

/* Whether the filter compares columns as they are: statistics know nothing about what is computed from them. */
static int is_plain(const struct sonde_node *node, bool mysql, bool *plain)
{
	struct sonde_cond *cond = calloc(1, sizeof(*cond));
	size_t i;
	int err = cond ? 0 : -ENOMEM;

	*plain = true;
	if (!err && node->filter)
		err = sonde_cond_add(cond, node->filter, mysql);
	for (i = 0; !err && i < cond->nr; i++) {
		enum sonde_cond_kind kind = cond->terms[i].kind;

		if (kind == SONDE_COND_CONTAINS || kind == SONDE_COND_EXPRESSION || kind == SONDE_COND_EITHER)
			*plain = false;
	}
	if (cond)
		sonde_cond_free(cond);
	free(cond);
	return err;
}

static int advise_analyze(struct sonde_plan *plan, const struct sonde_node *node,
			  const struct sonde_advice_scope *scope)
{
	struct sonde_index_scan scan = sonde_advice_scan_of(node, scope);
	struct sonde_buf text = { NULL }, statement = { NULL };
	char expected[SONDE_STR_SHORT + 8], found[SONDE_STR_SHORT + 8];
	bool plain;
	int err = is_plain(node, scope->mysql, &plain);

	if (err)
		return err;
	sonde_buf_str(&text, "The planner expected ");
	sonde_buf_printf(&text, "%s rows of ", sonde_advice_count(expected, node->rows));
	sonde_index_table(&text, &scan);
	sonde_buf_printf(&text, " and found %s: %s.",
			 sonde_advice_count(found, scope->mysql ? node->read_rows : node->actual_rows),
			 plain ? "its statistics may be old"
			       : "it can only guess what a filter leaves that computes something from a column");
	if (!plain)
		return sonde_advice_add(plan, &text, NULL);
	sonde_buf_str(&statement, scope->mysql ? "ANALYZE TABLE " : "ANALYZE ");
	sonde_index_table(&statement, &scan);
	return sonde_advice_add(plan, &text, &statement);
}

/* Columns of one filter depend on each other more often than a planner thinks. */
static int advise_statistics(struct sonde_plan *plan, const struct sonde_node *node,
			     const struct sonde_advice_scope *scope)
{
	struct sonde_index_scan scan = sonde_advice_scan_of(node, scope);
	struct sonde_buf text = { NULL }, statement = { NULL };
	struct sonde_cond *cond = calloc(1, sizeof(*cond));
	struct sonde_index columns = { .nr = 0 };
	int err = cond ? 0 : -ENOMEM;

	if (!err && node->filter)
		err = sonde_cond_add(cond, node->filter, false);
	if (!err && node->index_cond)
		err = sonde_cond_add(cond, node->index_cond, false);
	err = err ? err : sonde_index_add_equal(&columns, &scan, cond);
	err = err ? err : sonde_index_add_range(&columns, &scan, cond);
	if (!err && columns.nr > 1) {
		size_t i;

		sonde_buf_str(&text,
			      "If the estimate stays wrong after that, columns of its filter depend on each other: "
			      "extended statistics tell the planner.");
		sonde_buf_str(&statement, "CREATE STATISTICS ");
		sonde_index_name(&statement, &columns, &scan);
		sonde_buf_str(&statement, " (dependencies, ndistinct, mcv) ON ");
		for (i = 0; i < columns.nr; i++)
			sonde_buf_printf(&statement, "%s%s", i ? ", " : "", columns.columns[i].spelled);
		sonde_buf_str(&statement, " FROM ");
		sonde_index_table(&statement, &scan);
		err = sonde_advice_add(plan, &text, &statement);
	}
	sonde_index_free(&columns);
	if (cond)
		sonde_cond_free(cond);
	free(cond);
	return err;
}

/* Returns 1 if this node or one below is off: the first to be off is the cause. */
static int judge_estimates(struct sonde_plan *plan, const struct sonde_node *node,
			   const struct sonde_advice_scope *scope)
{
	int off = 0, err;
	size_t i;

	for (i = 0; i < node->nr_children; i++) {
		err = judge_estimates(plan, node->children[i], scope);
		if (err < 0)
			return err;
		off |= err;
	}
	if (off || !is_off(node, scope->mysql))
		return off;
	if (node->relation || (scope->mysql && node->alias && node->kind != SONDE_NODE_OTHER)) {
		err = advise_analyze(plan, node, scope);
		if (!err && !scope->mysql && node->kind != SONDE_NODE_OTHER)
			err = advise_statistics(plan, node, scope);
		return err ? err : 1;
	}
	return node->kind == SONDE_NODE_PASS ? 0 : 1;
}

/* A table that was never analyzed is planned blindly. */
static int judge_unknown(struct sonde_plan *plan, const struct sonde_node *node, const struct sonde_advice_scope *scope)
{
	struct sonde_index_scan scan = sonde_advice_scan_of(node, scope);
	struct sonde_buf text = { NULL }, statement = { NULL };

	if (scope->mysql || !scan.table || scan.table->rows >= 0)
		return 0;
	sonde_buf_str(&text, "The server has no statistics of ");
	sonde_index_table(&text, &scan);
	sonde_buf_str(&text, ": it was never analyzed.");
	sonde_buf_str(&statement, "ANALYZE ");
	sonde_index_table(&statement, &scan);
	return sonde_advice_add(plan, &text, &statement);
}

static int walk(struct sonde_plan *plan, const struct sonde_node *node, struct sonde_advice_scope scope)
{
	struct sonde_advice_scope below;
	size_t before = plan->nr_advice, i;
	int err = 0;

	if (node->kind == SONDE_NODE_FULL_SCAN)
		err = sonde_advice_scan(plan, node, &scope);
	err = err ? err : judge_unknown(plan, node, &scope);
	err = err ? err : scope.mysql ? sonde_advice_join_start(plan, node, &scope) : 0;
	for (i = 0; !err && i < node->nr_children; i++) {
		below = sonde_advice_below(&scope, node, i);
		err = walk(plan, node->children[i], below);
	}
	/* Where an index is advised it serves the order, too, or leaves few rows to sort. */
	if (!err && node->kind == SONDE_NODE_SORT && (plan->nr_advice == before || node->sort_disk_kb > 0))
		err = judge_sort(plan, node, &scope);
	else if (!err && node->kind == SONDE_NODE_TEMPORARY && plan->nr_advice == before)
		err = judge_temporary(plan, node);
	else if (!err && node->kind != SONDE_NODE_SORT)
		err = judge_spill(plan, node);
	return err;
}

int sonde_advice_give(struct sonde_plan *plan, const struct sonde_node *root, const struct sonde_facts *facts,
		      bool mysql)
{
	struct sonde_advice_scope scope = { .facts = facts, .mysql = mysql, .limited = facts->limited };
	int err = walk(plan, root, scope);

	if (!err)
		err = judge_estimates(plan, root, &scope);
	return err < 0 ? err : 0;
}
