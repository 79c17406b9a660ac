// SPDX-License-Identifier: GPL-2.0-only
/*
 * advice_scan.c - advice about tables that are read as a whole.
 */
#include "explain/advice_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "explain/advice.h"

/* An index pays for at most this part of a table's rows. */
#define SELECTIVE 0.1

/* Rows that a nested loop compares before it is worth a word. */
#define LOOP_MANY_ROWS 100000.0
#define LOOP_INNER_ROWS 500.0

/* A scan that is being judged. */
struct scan {
	struct sonde_index_scan index;
	const struct sonde_advice_scope *scope;
	struct sonde_cond own; /* conditions of the scan alone */
	struct sonde_cond all; /* and those of the join above */
	double table_rows;
	double found_rows; /* SONDE_NODE_UNKNOWN: the plan does not tell what the filter leaves */
};

double sonde_advice_rows(const struct sonde_node *node)
{
	double rows = 1;
	size_t i;

	if (node->actual_rows >= 0 && node->loops > 0)
		return node->actual_rows * (node->nr_processes > 1 ? node->loops : 1);
	if (node->rows >= 0)
		return node->rows * node->nr_processes *
		       (node->filtered_percent >= 0 ? node->filtered_percent / 100 : 1);
	if (!node->nr_children)
		return SONDE_NODE_UNKNOWN;
	if (node->kind != SONDE_NODE_NESTED_LOOP)
		return sonde_advice_rows(node->children[0]);
	for (i = 0; i < node->nr_children; i++) {
		double child = sonde_advice_rows(node->children[i]);

		rows *= child >= 0 ? child : 1;
	}
	return rows;
}

struct sonde_index_scan sonde_advice_scan_of(const struct sonde_node *node, const struct sonde_advice_scope *scope)
{
	const char *key = scope->mysql ? node->alias : node->relation;

	return (struct sonde_index_scan){ node, sonde_facts_table(scope->facts, key), scope->mysql };
}

struct sonde_advice_scope sonde_advice_below(const struct sonde_advice_scope *scope, const struct sonde_node *node,
					     size_t i)
{
	struct sonde_advice_scope below = { .facts = scope->facts, .mysql = scope->mysql };
	size_t k;

	if (node->kind == SONDE_NODE_PASS || node->kind == SONDE_NODE_SORT)
		below = *scope;
	if (node->kind == SONDE_NODE_SORT)
		below.sort = node;
	below.limited = below.limited || node->kind == SONDE_NODE_LIMIT || scope->facts->limited;
	if (node->kind == SONDE_NODE_JOIN || node->kind == SONDE_NODE_NESTED_LOOP) {
		below.join = node;
		below.inner = node->kind == SONDE_NODE_NESTED_LOOP && i > 0;
		below.other_rows = 1;
		for (k = 0; k < node->nr_children; k++) {
			double rows = k < i || (!below.inner && k != i) ? sonde_advice_rows(node->children[k]) : 1;

			below.other_rows *= rows >= 0 ? rows : 1;
		}
	}
	return below;
}

const char *sonde_advice_count(char out[SONDE_STR_SHORT + 8], double rows)
{
	return sonde_str_group(out, rows < 1e18 && rows > 0 ? (u64)(rows + 0.5) : 0);
}

static void measure(struct scan *scan)
{
	const struct sonde_node *node = scan->index.node;
	double runs = node->nr_processes > 1 && node->loops > 0 ? node->loops : 1;

	scan->table_rows = scan->index.table ? scan->index.table->rows : SONDE_NODE_UNKNOWN;
	if (node->read_rows * runs > scan->table_rows)
		scan->table_rows = node->read_rows * runs;
	if (scan->index.mysql && node->rows > scan->table_rows)
		scan->table_rows = node->rows;
	scan->found_rows = sonde_advice_rows(node);
	/* MariaDB says 100 % when it knows nothing about the values. */
	if (scan->index.mysql && node->actual_rows < 0 && !(node->filtered_percent < 100))
		scan->found_rows = SONDE_NODE_UNKNOWN;
}

static bool is_selective(const struct scan *scan)
{
	return scan->found_rows >= 0 && scan->found_rows <= scan->table_rows * SELECTIVE;
}

/* The sentence and its statement for @index, or that it is there already. */
static int advise(struct sonde_plan *plan, const struct scan *scan, const struct sonde_index *index,
		  struct sonde_buf *text)
{
	struct sonde_buf statement = { NULL };
	const char *have = sonde_index_exists(index, scan->index.table);

	if (have) {
		sonde_buf_free(text);
		/* Where nobody knows how selective the filter is, the server may be right. */
		if (!is_selective(scan))
			return 0;
		sonde_buf_str(text, "Reads all of ");
		sonde_index_table(text, &scan->index);
		sonde_buf_printf(text, " although the index %s fits: refresh the table's statistics.", have);
		sonde_buf_str(&statement, scan->index.mysql ? "ANALYZE TABLE " : "ANALYZE ");
		sonde_index_table(&statement, &scan->index);
		return sonde_advice_add(plan, text, &statement);
	}
	sonde_index_statement(&statement, index, &scan->index);
	return sonde_advice_add(plan, text, &statement);
}

static void begin(struct sonde_buf *text, const struct scan *scan)
{
	char rows[SONDE_STR_SHORT + 8];

	sonde_buf_printf(text, "Reads all %s rows of ", sonde_advice_count(rows, scan->table_rows));
	sonde_index_table(text, &scan->index);
}

static void end_with_index(struct sonde_buf *text, const struct scan *scan, const struct sonde_index *index,
			   const char *what)
{
	sonde_buf_str(text, ": an index on (");
	sonde_index_columns(text, index, &scan->index);
	sonde_buf_printf(text, ") %s.", what);
}

/* A filter that leaves little, but nothing in it that a plain index serves: why. 1: said something. */
static int advise_no_index(struct sonde_plan *plan, const struct scan *scan)
{
	struct sonde_buf text = { NULL };
	const struct sonde_cond_term *term = NULL;
	size_t i;
	int err;

	for (i = 0; i < scan->own.nr && !term; i++)
		if (scan->own.terms[i].kind == SONDE_COND_CONTAINS ||
		    scan->own.terms[i].kind == SONDE_COND_EXPRESSION || scan->own.terms[i].kind == SONDE_COND_EITHER ||
		    (scan->own.terms[i].kind <= SONDE_COND_PREFIX && scan->own.terms[i].column.cast))
			term = &scan->own.terms[i];
	if (!term)
		return 0;
	begin(&text, scan);
	sonde_buf_str(&text, ", and no plain index helps: ");
	if (term->kind == SONDE_COND_CONTAINS)
		sonde_buf_printf(&text, "%s looks for text in the middle. %s", term->text,
				 scan->index.mysql
					 ? "A FULLTEXT index finds whole words."
					 : "A trigram index does (extension pg_trgm, GIN with gin_trgm_ops).");
	else if (term->kind == SONDE_COND_EITHER)
		sonde_buf_printf(&text,
				 "%s is an OR. Indexes that serve each side of it do, or a UNION of two queries.",
				 term->text);
	else
		sonde_buf_printf(&text,
				 "%s computes something from the column. Compare the bare column (dates: with a "
				 "range), or index the expression%s.",
				 term->text, scan->index.mysql ? " by a generated column" : " itself");
	err = sonde_advice_add(plan, &text, NULL);
	return err ? err : 1;
}

static int advise_filter(struct sonde_plan *plan, const struct scan *scan)
{
	struct sonde_index index = { .nr = 0 };
	struct sonde_buf text = { NULL };
	char found[SONDE_STR_SHORT + 8];
	size_t nr_equal;
	int err = sonde_index_add_equal(&index, &scan->index, &scan->own);

	nr_equal = index.nr;
	err = err ? err : sonde_index_add_range(&index, &scan->index, &scan->own);
	if (!err && index.nr == nr_equal && nr_equal && scan->scope->sort)
		err = sonde_index_add_order(&index, &scan->index, scan->scope->sort);
	if (!err && !index.nr) {
		err = advise_no_index(plan, scan);
		return err < 0 ? err : 0;
	}
	if (!err) {
		begin(&text, scan);
		if (scan->found_rows >= 0)
			sonde_buf_printf(&text, " to find %s", sonde_advice_count(found, scan->found_rows));
		end_with_index(&text, scan, &index,
			       scan->found_rows >= 0 ? "leads to them"
			       : nr_equal	     ? "leads to those that the filter wants"
						     : "helps if few of them are wanted");
		err = advise(plan, scan, &index, &text);
	}
	sonde_index_free(&index);
	return err;
}

/* Whether a join needs only a few rows of the table. */
static bool is_wasted_by_join(const struct scan *scan)
{
	const struct sonde_advice_scope *scope = scan->scope;
	double joined;

	if (scope->inner)
		return scan->table_rows >= LOOP_INNER_ROWS && scope->other_rows > 1 &&
		       scan->table_rows * scope->other_rows >= LOOP_MANY_ROWS;
	if (!scope->join || scope->join->kind != SONDE_NODE_JOIN || scan->table_rows < SONDE_ADVICE_LARGE_ROWS)
		return false;
	joined = sonde_advice_rows(scope->join);
	return joined >= 0 && joined <= scan->table_rows * SELECTIVE &&
	       scope->other_rows <= scan->table_rows * SELECTIVE && !is_selective(scan);
}

/* Returns 1 if it has said something. */
static int advise_join(struct sonde_plan *plan, const struct scan *scan)
{
	struct sonde_index index = { .nr = 0 };
	struct sonde_buf text = { NULL };
	char other[SONDE_STR_SHORT + 8];
	size_t nr_equal;
	int err = sonde_index_add_equal(&index, &scan->index, &scan->own);

	nr_equal = index.nr;
	err = err ? err : sonde_index_add_join(&index, &scan->index, &scan->all);
	if (err || (index.nr == nr_equal && (!scan->scope->inner || is_selective(scan)))) {
		sonde_index_free(&index);
		return err; /* the filter's own index is the better one */
	}
	begin(&text, scan);
	if (scan->scope->inner)
		sonde_buf_printf(&text, " for each of %s rows of a nested loop",
				 sonde_advice_count(other, scan->scope->other_rows));
	else
		sonde_buf_printf(&text, " to join %s of another table",
				 sonde_advice_count(other, scan->scope->other_rows));
	if (index.nr > nr_equal) {
		end_with_index(&text, scan, &index, "finds the matching ones");
		err = advise(plan, scan, &index, &text);
	} else {
		sonde_buf_str(&text, ", because what joins them is no equality of columns: no plain index helps.");
		err = sonde_advice_add(plan, &text, NULL);
	}
	sonde_index_free(&index);
	return err ? err : 1;
}

/* The first rows of an order are wanted, and all rows are read and sorted for them. */
static int advise_order(struct sonde_plan *plan, const struct scan *scan)
{
	struct sonde_index index = { .nr = 0 };
	struct sonde_buf text = { NULL };
	size_t nr_equal;
	int err = sonde_index_add_equal(&index, &scan->index, &scan->own);

	nr_equal = index.nr;
	err = err ? err : sonde_index_add_order(&index, &scan->index, scan->scope->sort);
	if (!err && index.nr > nr_equal) {
		begin(&text, scan);
		sonde_buf_str(&text, " and sorts them to return the first ones");
		end_with_index(&text, scan, &index, "returns them in that order");
		err = advise(plan, scan, &index, &text);
	}
	sonde_index_free(&index);
	return err;
}

/* A filter of which nobody knows what it leaves. */
static bool is_unknown(const struct scan *scan)
{
	return scan->found_rows < 0 && scan->own.nr;
}

static int judge(struct sonde_plan *plan, const struct scan *scan)
{
	if (is_wasted_by_join(scan)) {
		int err = advise_join(plan, scan);

		if (err)
			return err < 0 ? err : 0;
	}
	if (scan->table_rows < SONDE_ADVICE_LARGE_ROWS)
		return 0;
	if (scan->own.nr && (is_selective(scan) || is_unknown(scan)))
		return advise_filter(plan, scan);
	if (scan->scope->sort && scan->scope->limited)
		return advise_order(plan, scan);
	return 0;
}

int sonde_advice_scan(struct sonde_plan *plan, const struct sonde_node *node, const struct sonde_advice_scope *scope)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	const char *join_cond;
	int err = 0;

	if (!scan)
		return -ENOMEM;
	scan->index = sonde_advice_scan_of(node, scope);
	scan->scope = scope;
	measure(scan);
	join_cond = scope->mysql ? node->join_cond : scope->join ? scope->join->join_cond : NULL;
	if (node->filter) {
		err = sonde_cond_add(&scan->own, node->filter, scope->mysql);
		err = err ? err : sonde_cond_add(&scan->all, node->filter, scope->mysql);
	}
	if (!err && join_cond)
		err = sonde_cond_add(&scan->all, join_cond, scope->mysql);
	err = err ? err : judge(plan, scan);
	sonde_cond_free(&scan->own);
	sonde_cond_free(&scan->all);
	free(scan);
	return err;
}
