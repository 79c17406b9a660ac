// SPDX-License-Identifier: GPL-2.0-only
/*
 * advice_start.c - MariaDB, MySQL: nested loops that begin at the wrong table, because the right way has no index.
 */
#include "explain/advice_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "explain/advice.h"

/* The column that "db.alias.column" names, if it is one of @alias; else NULL. */
static const char *column_of(const char *ref, const char *alias)
{
	const char *dot = ref ? strrchr(ref, '.') : NULL;
	size_t len = alias ? strlen(alias) : 0;

	if (!dot || !len || (size_t)(dot - ref) < len || strncmp(dot - len, alias, len))
		return NULL;
	return dot - len == ref || dot[-1 - (ptrdiff_t)len] == '.' ? dot + 1 : NULL;
}

/* The columns of a table in the loop that its filter compares with values; 0 or -ENOMEM. */
static int equal_columns(struct sonde_index *index, const struct sonde_index_scan *scan)
{
	struct sonde_cond *cond = calloc(1, sizeof(*cond));
	int err = cond ? 0 : -ENOMEM;

	if (!err && scan->node->filter)
		err = sonde_cond_add(cond, scan->node->filter, true);
	err = err ? err : sonde_index_add_equal(index, scan, cond);
	if (cond)
		sonde_cond_free(cond);
	free(cond);
	return err;
}

static int add(struct sonde_plan *plan, const struct sonde_index *index, const struct sonde_index_scan *scan,
	       struct sonde_buf *text)
{
	struct sonde_buf statement = { NULL };

	if (sonde_index_exists(index, scan->table)) {
		sonde_buf_free(text);
		return 0;
	}
	sonde_index_statement(&statement, index, scan);
	return sonde_advice_add(plan, text, &statement);
}

static int advise(struct sonde_plan *plan, const struct sonde_index_scan *first, const struct sonde_index_scan *later,
		  const char *column, const struct sonde_index *filter)
{
	struct sonde_index join = { .nr = 0 };
	struct sonde_buf text = { NULL };
	int err = sonde_index_add_column(&join, column);

	if (!err) {
		sonde_buf_str(&text, "Begins with all rows of ");
		sonde_index_table(&text, first);
		sonde_buf_str(&text, " although the filter is on ");
		sonde_index_table(&text, later);
		sonde_buf_printf(&text, ": an index on (%s) lets the join begin there.", join.columns[0].spelled);
		err = add(plan, &join, first, &text);
	}
	if (!err && later->table && later->table->rows >= SONDE_ADVICE_LARGE_ROWS) {
		sonde_buf_str(&text, "The filter on ");
		sonde_index_table(&text, later);
		sonde_buf_str(&text, " has no index: one on (");
		sonde_index_columns(&text, filter, later);
		sonde_buf_str(&text, ") finds where the join begins.");
		err = add(plan, filter, later, &text);
	}
	sonde_index_free(&join);
	return err;
}

int sonde_advice_join_start(struct sonde_plan *plan, const struct sonde_node *node,
			    const struct sonde_advice_scope *scope)
{
	struct sonde_index_scan first, later;
	struct sonde_index own = { .nr = 0 };
	size_t i;
	int err;

	if (node->kind != SONDE_NODE_NESTED_LOOP || node->nr_children < 2 ||
	    node->children[0]->kind != SONDE_NODE_FULL_SCAN || node->children[0]->rows < SONDE_ADVICE_LARGE_ROWS)
		return 0;
	first = sonde_advice_scan_of(node->children[0], scope);
	err = equal_columns(&own, &first);
	for (i = 1; !err && !own.nr && i < node->nr_children; i++) {
		struct sonde_index filter = { .nr = 0 };
		const char *column = column_of(node->children[i]->ref, first.node->alias);

		if (!column)
			continue;
		later = sonde_advice_scan_of(node->children[i], scope);
		err = equal_columns(&filter, &later);
		if (!err && filter.nr)
			err = advise(plan, &first, &later, column, &filter);
		sonde_index_free(&filter);
	}
	sonde_index_free(&own);
	return err;
}
