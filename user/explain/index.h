/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * index.h - which index would serve a scan: its columns, whether it exists, how it is created.
 */
#ifndef SONDE_EXPLAIN_INDEX_H
#define SONDE_EXPLAIN_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "explain/cond.h"

struct sonde_buf;
struct sonde_fact_table;
struct sonde_node;

#define SONDE_INDEX_MAX_COLUMNS 4

/** struct sonde_index_column - @descending: written out; @prefix: serves LIKE 'x%' */
struct sonde_index_column {
	char *name;
	char *spelled;
	bool descending;
	bool prefix;
};

/** struct sonde_index - an index that might be created; zeroed memory has no columns */
struct sonde_index {
	struct sonde_index_column columns[SONDE_INDEX_MAX_COLUMNS];
	size_t nr;
};

/** struct sonde_index_scan - the scan that is to be served; @table: NULL: nothing is known about the table */
struct sonde_index_scan {
	const struct sonde_node *node;
	const struct sonde_fact_table *table;
	bool mysql;
};

/** sonde_index_serves - an index on @column serves conditions of @scan: it is its own and not read as something else */
bool sonde_index_serves(const struct sonde_index_scan *scan, const struct sonde_cond_column *column);

/** sonde_index_add_equal - add the columns of @cond that are compared with one value; 0 or -ENOMEM */
int sonde_index_add_equal(struct sonde_index *index, const struct sonde_index_scan *scan,
			  const struct sonde_cond *cond);

/** sonde_index_add_join - add the scan's columns that @cond compares with another table's; 0 or -ENOMEM */
int sonde_index_add_join(struct sonde_index *index, const struct sonde_index_scan *scan, const struct sonde_cond *cond);

/** sonde_index_add_column - add a column by its name, which gets quotes if it needs them; 0 or -ENOMEM */
int sonde_index_add_column(struct sonde_index *index, const char *name);

/** sonde_index_add_range - add the first column that is compared with a range of values; 0 or -ENOMEM */
int sonde_index_add_range(struct sonde_index *index, const struct sonde_index_scan *scan,
			  const struct sonde_cond *cond);

/** sonde_index_add_order - add the keys of @sort if all are columns of the scan and fit; 0 or -ENOMEM */
int sonde_index_add_order(struct sonde_index *index, const struct sonde_index_scan *scan,
			  const struct sonde_node *sort);

/** sonde_index_exists - name of an index that begins with these columns, in any order; NULL: none */
const char *sonde_index_exists(const struct sonde_index *index, const struct sonde_fact_table *table);

/** sonde_index_columns - append "customer_id, created_at" */
void sonde_index_columns(struct sonde_buf *out, const struct sonde_index *index, const struct sonde_index_scan *scan);

/** sonde_index_statement - append the CREATE INDEX */
void sonde_index_statement(struct sonde_buf *out, const struct sonde_index *index, const struct sonde_index_scan *scan);

/** sonde_index_name - append a name made of the table's and the columns' */
void sonde_index_name(struct sonde_buf *out, const struct sonde_index *index, const struct sonde_index_scan *scan);

/** sonde_index_table - append the table's name for a statement */
void sonde_index_table(struct sonde_buf *out, const struct sonde_index_scan *scan);

void sonde_index_free(struct sonde_index *index);

#endif /* SONDE_EXPLAIN_INDEX_H */
