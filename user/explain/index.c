// SPDX-License-Identifier: GPL-2.0-only
/*
 * index.c - which index would serve a scan.
 *
 * Columns that are compared with one value come first, in any order; behind them one column can serve a range or
 * the order of the rows.
 */
#include "explain/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "explain/plan.h"

/* PostgreSQL and MySQL cut longer names. */
#define NAME_BYTES 63

static const char *type_of(const struct sonde_index_scan *scan, const char *name)
{
	size_t i;

	for (i = 0; scan->table && i < scan->table->nr_columns; i++)
		if (strcmp(scan->table->columns[i].name, name) == 0)
			return scan->table->columns[i].type;
	return NULL;
}

bool sonde_index_serves(const struct sonde_index_scan *scan, const struct sonde_cond_column *column)
{
	const char *alias = scan->node->alias, *relation = scan->node->relation, *type;

	if (!column->name)
		return false;
	if (column->table && !(alias && strcmp(column->table, alias) == 0) &&
	    !(relation && strcmp(column->table, relation) == 0))
		return false;
	type = type_of(scan, column->name);
	if (scan->table && scan->table->nr_columns && !type)
		return false;
	if (!column->cast)
		return true;
	/* A varchar column is read as text without a change; any other cast makes another value. */
	return strcmp(column->cast, "text") == 0 &&
	       (!type || strncmp(type, "character varying", 17) == 0 || strcmp(type, "text") == 0);
}

static bool has(const struct sonde_index *index, const char *name)
{
	size_t i;

	for (i = 0; i < index->nr; i++)
		if (strcmp(index->columns[i].name, name) == 0)
			return true;
	return false;
}

static int add(struct sonde_index *index, const struct sonde_cond_column *column, bool descending, bool prefix)
{
	struct sonde_index_column *to = &index->columns[index->nr];

	if (index->nr == SONDE_INDEX_MAX_COLUMNS || has(index, column->name))
		return 0;
	to->name = strdup(column->name);
	to->spelled = strdup(column->spelled);
	to->descending = descending;
	to->prefix = prefix;
	index->nr++;
	return to->name && to->spelled ? 0 : -ENOMEM;
}

int sonde_index_add_equal(struct sonde_index *index, const struct sonde_index_scan *scan, const struct sonde_cond *cond)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < cond->nr; i++)
		if (cond->terms[i].kind == SONDE_COND_EQUAL && sonde_index_serves(scan, &cond->terms[i].column))
			err = add(index, &cond->terms[i].column, false, false);
	return err;
}

int sonde_index_add_join(struct sonde_index *index, const struct sonde_index_scan *scan, const struct sonde_cond *cond)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < cond->nr; i++) {
		const struct sonde_cond_term *term = &cond->terms[i];

		if (term->kind != SONDE_COND_JOIN)
			continue;
		if (sonde_index_serves(scan, &term->column))
			err = add(index, &term->column, false, false);
		else if (sonde_index_serves(scan, &term->other))
			err = add(index, &term->other, false, false);
	}
	return err;
}

int sonde_index_add_column(struct sonde_index *index, const char *name)
{
	struct sonde_buf spelled = { NULL };
	struct sonde_cond_column column = { .name = (char *)name };
	bool simple = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(name);
	int err;

	sonde_buf_printf(&spelled, simple ? "%s" : "`%s`", name);
	column.spelled = spelled.s;
	err = spelled.failed ? -ENOMEM : add(index, &column, false, false);
	sonde_buf_free(&spelled);
	return err;
}

int sonde_index_add_range(struct sonde_index *index, const struct sonde_index_scan *scan, const struct sonde_cond *cond)
{
	size_t i;

	for (i = 0; i < cond->nr; i++) {
		const struct sonde_cond_term *term = &cond->terms[i];

		if ((term->kind == SONDE_COND_RANGE || term->kind == SONDE_COND_PREFIX) &&
		    sonde_index_serves(scan, &term->column) && !has(index, term->column.name))
			return add(index, &term->column, false, term->kind == SONDE_COND_PREFIX);
	}
	return 0;
}

int sonde_index_add_order(struct sonde_index *index, const struct sonde_index_scan *scan, const struct sonde_node *sort)
{
	struct sonde_cond_column keys[SONDE_NODE_MAX_SORT_KEYS] = { { NULL } };
	bool descending[SONDE_NODE_MAX_SORT_KEYS] = { false }, mixed = false, fits;
	size_t i;
	int err = 0;

	fits = sort->nr_sort_keys && index->nr + sort->nr_sort_keys <= SONDE_INDEX_MAX_COLUMNS;
	for (i = 0; fits && i < sort->nr_sort_keys; i++) {
		fits = sonde_cond_column_of(&keys[i], sort->sort_keys[i], scan->mysql, &descending[i]) &&
		       sonde_index_serves(scan, &keys[i]);
		mixed = mixed || descending[i] != descending[0];
	}
	/* An index is read backwards as well, so directions matter only when they differ. */
	for (i = 0; fits && !err && i < sort->nr_sort_keys; i++)
		err = add(index, &keys[i], mixed && descending[i], false);
	for (i = 0; i < SONDE_NODE_MAX_SORT_KEYS; i++)
		sonde_cond_column_free(&keys[i]);
	return err;
}

const char *sonde_index_exists(const struct sonde_index *index, const struct sonde_fact_table *table)
{
	size_t i, k, found;

	/* What operators an index has for LIKE is not known here. */
	for (i = 0; i < index->nr; i++)
		if (index->columns[i].prefix)
			return NULL;
	for (i = 0; table && index->nr && i < table->nr_indexes; i++) {
		const struct sonde_fact_index *have = &table->indexes[i];

		for (k = found = 0; k < have->nr_columns && k < index->nr; k++)
			found += has(index, have->columns[k]);
		if (found == index->nr)
			return have->name;
	}
	return NULL;
}

/* MySQL indexes only a beginning of these. */
static bool needs_length(const char *type)
{
	return type && (strstr(type, "text") || strstr(type, "blob"));
}

void sonde_index_columns(struct sonde_buf *out, const struct sonde_index *index, const struct sonde_index_scan *scan)
{
	size_t i;

	for (i = 0; i < index->nr; i++) {
		const struct sonde_index_column *column = &index->columns[i];

		sonde_buf_printf(out, "%s%s", i ? ", " : "", column->spelled);
		if (scan->mysql && needs_length(type_of(scan, column->name)))
			sonde_buf_str(out, "(64)");
		/* With most collations an index in their order does not serve LIKE. */
		if (!scan->mysql && column->prefix)
			sonde_buf_str(out, " text_pattern_ops");
		if (column->descending)
			sonde_buf_str(out, " DESC");
	}
}

void sonde_index_table(struct sonde_buf *out, const struct sonde_index_scan *scan)
{
	const char *name = scan->node->relation ? scan->node->relation : scan->node->alias;

	sonde_buf_str(out, scan->table ? scan->table->spelled : name ? name : "?");
}

/* Letters and digits of the table's and the columns' names. */
void sonde_index_name(struct sonde_buf *out, const struct sonde_index *index, const struct sonde_index_scan *scan)
{
	struct sonde_buf whole = { NULL };
	const char *dot;
	size_t i, len = 0;

	sonde_index_table(&whole, scan);
	for (i = 0; i < index->nr; i++)
		sonde_buf_printf(&whole, "_%s", index->columns[i].name);
	dot = whole.s ? strchr(whole.s, '.') : NULL;
	for (i = dot ? (size_t)(dot + 1 - whole.s) : 0; whole.s && i < whole.len && len < NAME_BYTES; i++) {
		unsigned char c = (unsigned char)whole.s[i];

		if (c == '`' || c == '"')
			continue;
		/* Characters beyond ASCII would have to be cut as a whole. */
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", c))
			c = '_';
		sonde_buf_add(out, (const char *)&c, 1);
		len++;
	}
	out->failed = out->failed || whole.failed;
	sonde_buf_free(&whole);
}

void sonde_index_statement(struct sonde_buf *out, const struct sonde_index *index, const struct sonde_index_scan *scan)
{
	if (scan->mysql) {
		sonde_buf_str(out, "CREATE INDEX ");
		sonde_index_name(out, index, scan);
		sonde_buf_str(out, " ON ");
	} else {
		bool blocks = scan->table && scan->table->partitioned;

		sonde_buf_str(out, blocks ? "CREATE INDEX ON " : "CREATE INDEX CONCURRENTLY ON ");
	}
	sonde_index_table(out, scan);
	sonde_buf_str(out, " (");
	sonde_index_columns(out, index, scan);
	sonde_buf_str(out, ")");
}

void sonde_index_free(struct sonde_index *index)
{
	size_t i;

	for (i = 0; i < index->nr; i++) {
		free(index->columns[i].name);
		free(index->columns[i].spelled);
	}
	index->nr = 0;
}
