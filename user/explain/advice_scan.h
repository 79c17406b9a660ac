/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * advice_scan.h - advice about tables that are read as a whole: the index that would serve instead.
 */
#ifndef SONDE_EXPLAIN_ADVICE_SCAN_H
#define SONDE_EXPLAIN_ADVICE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "explain/index.h"
#include "explain/plan.h"

struct sonde_plan;

/* Tables of fewer rows are read in no time. */
#define SONDE_ADVICE_LARGE_ROWS 5000.0

/**
 * struct sonde_advice_scope - what stands above a node
 * @join: the join that the node is a side of, or NULL
 * @other_rows: rows of the join's other side
 * @inner: the node is run for every row of the other side
 * @sort: rows go to this sort and nowhere else, or NULL
 * @limited: only the first rows are wanted in the end
 */
struct sonde_advice_scope {
	const struct sonde_facts *facts;
	const struct sonde_node *join;
	const struct sonde_node *sort;
	double other_rows;
	bool inner;
	bool limited;
	bool mysql;
};

/** sonde_advice_below - the scope of child @i of @node, which is in @scope */
struct sonde_advice_scope sonde_advice_below(const struct sonde_advice_scope *scope, const struct sonde_node *node,
					     size_t i);

/** sonde_advice_rows - rows that a node returns in one run of all its processes; SONDE_NODE_UNKNOWN */
double sonde_advice_rows(const struct sonde_node *node);

/** sonde_advice_count - rows for a sentence: "12,345" */
const char *sonde_advice_count(char out[SONDE_STR_SHORT + 8], double rows);

/** sonde_advice_scan_of - what @node scans, with what is known about the table */
struct sonde_index_scan sonde_advice_scan_of(const struct sonde_node *node, const struct sonde_advice_scope *scope);

/** sonde_advice_scan - judge a full scan; 0 or -ENOMEM */
int sonde_advice_scan(struct sonde_plan *plan, const struct sonde_node *node, const struct sonde_advice_scope *scope);

/**
 * sonde_advice_join_start - MariaDB, MySQL: a nested loop begins at a large table although a later one has the filter
 *
 * That is what is left when the large table has no index on the column that joins them. 0 or -ENOMEM.
 */
int sonde_advice_join_start(struct sonde_plan *plan, const struct sonde_node *node,
			    const struct sonde_advice_scope *scope);

#endif /* SONDE_EXPLAIN_ADVICE_SCAN_H */
