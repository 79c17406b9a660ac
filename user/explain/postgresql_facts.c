// SPDX-License-Identifier: GPL-2.0-only
/*
 * postgresql_facts.c - what PostgreSQL's catalog knows about the tables of a plan.
 *
 * A plan names tables without their schemas. The statement's own spelling is asked first, then the search path.
 */
#include "explain/postgresql_facts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "explain/plan.h"
#include "explain/statement.h"

/* Tables of one plan that are asked for; more are partitions, which are alike. */
#define MAX_TABLES 64

#define COLUMNS                                                                                                        \
	"SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute"                     \
	" WHERE attrelid = $1::pg_catalog.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum"

struct question {
	struct sonde_facts *out;
	const struct sonde_table_refs *refs;
	int version;
	sonde_postgresql_rows_fn *rows;
	void *ctx;
	const char *key;
	char oid[16];
	char *last_index; /* whose columns come */
};

static int table_row(void *ctx, char **fields)
{
	struct question *question = ctx;

	strncpy(question->oid, fields[0], sizeof(question->oid) - 1);
	return sonde_facts_add_table(question->out, question->key, fields[1], strtod(fields[2], NULL),
				     fields[3][0] == 't');
}

static int column_row(void *ctx, char **fields)
{
	struct question *question = ctx;

	return sonde_facts_add_column(question->out, fields[0], fields[1]);
}

static int index_row(void *ctx, char **fields)
{
	struct question *question = ctx;
	int err = 0;

	if (!question->last_index || strcmp(question->last_index, fields[0])) {
		free(question->last_index);
		question->last_index = strdup(fields[0]);
		err = question->last_index ? sonde_facts_add_index(question->out, fields[0]) : -ENOMEM;
	}
	return err ? err : sonde_facts_add_index_column(question->out, fields[1]);
}

static int ask(struct question *question, const char *sql, const char *const *values, int nr,
	       int (*row)(void *ctx, char **fields))
{
	return question->rows(question->ctx, sql, values, nr, row, question);
}

static int ask_table(struct question *question, const char *name, const char *schema)
{
	const char *const values[] = { name, schema };
	const char *root =
		question->version >= 120000 ? "coalesce(pg_catalog.pg_partition_root(c.oid), c.oid)" : "c.oid";
	struct sonde_buf sql = { NULL };
	int err;

	sonde_buf_printf(&sql,
			 "SELECT c.oid, CASE WHEN pg_catalog.pg_table_is_visible(t.oid) THEN '' ELSE"
			 " pg_catalog.quote_ident(tn.nspname) || '.' END || pg_catalog.quote_ident(t.relname),"
			 " c.reltuples, t.relkind = 'p'"
			 " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
			 " JOIN pg_catalog.pg_class t ON t.oid = %s"
			 " JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace"
			 " WHERE c.relname = $1::pg_catalog.name AND c.relkind IN ('r', 'p', 'm')"
			 " AND ($2::pg_catalog.text IS NULL OR n.nspname = $2::pg_catalog.text)"
			 " ORDER BY pg_catalog.pg_table_is_visible(c.oid) DESC, n.nspname LIMIT 1",
			 root);
	question->oid[0] = '\0';
	err = sql.failed ? -ENOMEM : ask(question, sql.s, values, 2, table_row);
	sonde_buf_free(&sql);
	return err;
}

static int ask_indexes(struct question *question, const char *const *oid)
{
	struct sonde_buf sql = { NULL };
	int err;

	sonde_buf_printf(&sql,
			 "SELECT ic.relname, coalesce(a.attname, '') FROM pg_catalog.pg_index i"
			 " JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid"
			 " JOIN pg_catalog.pg_am am ON am.oid = ic.relam AND am.amname = 'btree'"
			 " CROSS JOIN LATERAL unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(attnum, ord)"
			 " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
			 " AND k.attnum > 0 WHERE i.indrelid = $1::pg_catalog.oid AND i.indisvalid"
			 " AND i.indpred IS NULL %s ORDER BY i.indexrelid, k.ord",
			 question->version >= 110000 ? "AND k.ord <= i.indnkeyatts" : "");
	err = sql.failed ? -ENOMEM : ask(question, sql.s, oid, 1, index_row);
	sonde_buf_free(&sql);
	free(question->last_index);
	question->last_index = NULL;
	return err;
}

/* The schema that the statement writes in front of @relation, or NULL. */
static const char *schema_of(const struct sonde_table_refs *refs, const struct sonde_node *node)
{
	size_t i;

	for (i = 0; i < refs->nr; i++)
		if (strcmp(refs->refs[i].name, node->relation) == 0 &&
		    (!node->alias || strcmp(refs->refs[i].alias, node->alias) == 0))
			return refs->refs[i].schema;
	return NULL;
}

static int walk(struct question *question, const struct sonde_node *node)
{
	size_t i;
	int err = 0;

	if (node->relation && question->out->nr < MAX_TABLES && !sonde_facts_table(question->out, node->relation)) {
		const char *const oid[] = { question->oid };

		question->key = node->relation;
		err = ask_table(question, node->relation, schema_of(question->refs, node));
		if (!err && question->oid[0]) {
			err = ask(question, COLUMNS, oid, 1, column_row);
			err = err ? err : ask_indexes(question, oid);
		}
	}
	for (i = 0; !err && i < node->nr_children; i++)
		err = walk(question, node->children[i]);
	return err;
}

int sonde_postgresql_facts(struct sonde_facts *out, const struct sonde_node *root, const struct sonde_table_refs *refs,
			   int version, sonde_postgresql_rows_fn *rows, void *ctx)
{
	struct question question = { .out = out, .refs = refs, .version = version, .rows = rows, .ctx = ctx };

	return walk(&question, root);
}
