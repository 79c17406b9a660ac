/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan.h - a plan as a tree of nodes that is the same for both servers, and what is known about its tables.
 */
#ifndef SONDE_EXPLAIN_PLAN_H
#define SONDE_EXPLAIN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

struct sonde_buf;

enum sonde_node_kind {
	SONDE_NODE_OTHER,
	SONDE_NODE_FULL_SCAN, /* reads a whole table */
	SONDE_NODE_INDEX_SCAN, /* reads rows by an index */
	SONDE_NODE_NESTED_LOOP, /* MariaDB: any number of children, each for every row of those before it */
	SONDE_NODE_JOIN, /* by hash or merge */
	SONDE_NODE_SORT,
	SONDE_NODE_LIMIT,
	SONDE_NODE_TEMPORARY, /* MariaDB: a temporary table */
	SONDE_NODE_PASS, /* hands rows on: Materialize, Hash, Gather */
};

#define SONDE_NODE_MAX_SORT_KEYS 8
#define SONDE_NODE_UNKNOWN (-1.0)

/**
 * struct sonde_node - a node of a plan; the numbers are SONDE_NODE_UNKNOWN where the plan has none
 * @type: as the server calls it
 * @relation: PostgreSQL: the table's name; @alias: what conditions call it
 * @conds: conditions with what the server calls them
 * @nr_processes: how many processes share the rows (@rows and @actual_rows are those of one)
 * @rows: estimate for one execution; @actual_rows: measured mean of one execution
 * @loops: executions
 * @read_rows: measured, before the filter, mean of one execution
 * @filtered_percent: how many of the rows read are expected to pass the filter (MariaDB, MySQL)
 * @sort_disk_kb: what the sort wrote; @spill_disk_kb: what a hash wrote
 * @may_stop_early: its consumer may not ask for all rows
 * @ref: MariaDB: columns whose values an index is asked for, "db.table.column", the first one
 */
struct sonde_node {
	enum sonde_node_kind kind;
	char *type, *relation, *alias, *index, *filter, *index_cond, *join_cond, *ref;
	char *sort_keys[SONDE_NODE_MAX_SORT_KEYS];
	size_t nr_sort_keys;
	double nr_processes, rows, actual_rows, loops, read_rows, filtered_percent, cost, sort_disk_kb, spill_disk_kb;
	bool may_stop_early;
	struct sonde_node **children;
	size_t nr_children;
};

/** sonde_plan_read_postgresql - read EXPLAIN (FORMAT JSON); 0, -EPROTO (not such a plan) or -ENOMEM */
int sonde_plan_read_postgresql(struct sonde_node **out, const char *json);

/** sonde_plan_read_mysql - read EXPLAIN or ANALYZE FORMAT=JSON of MariaDB or MySQL; 0, -EPROTO or -ENOMEM */
int sonde_plan_read_mysql(struct sonde_node **out, const char *json);

/** sonde_node_new - an empty node, the last child of @parent unless that is NULL; NULL: no memory */
struct sonde_node *sonde_node_new(struct sonde_node *parent);

/** sonde_node_free - free a node and all below; NULL is allowed */
void sonde_node_free(struct sonde_node *node);

/** sonde_node_print - append the tree for people, a line a node */
void sonde_node_print(struct sonde_buf *out, const struct sonde_node *node);

/** struct sonde_fact_index - an index and its columns in order; "" stands for an expression */
struct sonde_fact_index {
	char *name;
	char **columns;
	size_t nr_columns;
};

struct sonde_fact_column {
	char *name;
	char *type; /* as the server spells it */
};

/**
 * struct sonde_fact_table - what the server knows about a table
 * @key: the plan's name for it: relation (PostgreSQL) or alias (MariaDB, MySQL)
 * @spelled: its name for a statement, with schema and quotes if it needs them
 * @rows: estimate; SONDE_NODE_UNKNOWN: the server has none
 * @partitioned: has partitions; PostgreSQL cannot build an index on it concurrently
 */
struct sonde_fact_table {
	char *key;
	char *spelled;
	double rows;
	bool partitioned;
	struct sonde_fact_column *columns;
	size_t nr_columns;
	struct sonde_fact_index *indexes;
	size_t nr_indexes;
};

/**
 * struct sonde_facts - what is known about the tables of a plan; zeroed memory knows nothing
 * @limited: the statement wants only the first rows (MariaDB, MySQL: their plans do not tell)
 */
struct sonde_facts {
	bool limited;
	struct sonde_fact_table *tables;
	size_t nr;
};

/* Each adds to the table, or the table's last index, that was added last. 0 or -ENOMEM. */
int sonde_facts_add_table(struct sonde_facts *facts, const char *key, const char *spelled, double rows,
			  bool partitioned);
int sonde_facts_add_column(struct sonde_facts *facts, const char *name, const char *type);
int sonde_facts_add_index(struct sonde_facts *facts, const char *name);
int sonde_facts_add_index_column(struct sonde_facts *facts, const char *name);

/** sonde_facts_table - the table that the plan calls @key, or NULL */
const struct sonde_fact_table *sonde_facts_table(const struct sonde_facts *facts, const char *key);

void sonde_facts_free(struct sonde_facts *facts);

#endif /* SONDE_EXPLAIN_PLAN_H */
