/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postgresql_facts.h - what PostgreSQL's catalog knows about the tables of a plan.
 */
#ifndef SONDE_EXPLAIN_POSTGRESQL_FACTS_H
#define SONDE_EXPLAIN_POSTGRESQL_FACTS_H

struct sonde_facts;
struct sonde_node;
struct sonde_table_refs;

/* Most fields of a row that are asked for. */
#define SONDE_POSTGRESQL_FIELDS 4

/** sonde_postgresql_rows_fn - run @sql with @nr values and hand each row to @row until that fails */
typedef int sonde_postgresql_rows_fn(void *ctx, const char *sql, const char *const *values, int nr,
				     int (*row)(void *row_ctx, char **fields), void *row_ctx);

/**
 * sonde_postgresql_facts - ask for the tables that @root names
 * @refs: tables as the statement writes them, which may name their schemas
 * @version: the server's, 150018
 *
 * Returns 0, -ENOMEM or what @rows returned; then @out holds what was learnt before.
 */
int sonde_postgresql_facts(struct sonde_facts *out, const struct sonde_node *root, const struct sonde_table_refs *refs,
			   int version, sonde_postgresql_rows_fn *rows, void *ctx);

#endif /* SONDE_EXPLAIN_POSTGRESQL_FACTS_H */
