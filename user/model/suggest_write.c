// SPDX-License-Identifier: GPL-2.0-only
/*
 * suggest_write.c - single-row writes in a loop: the statement that writes all rows.
 */
#include <string.h>

#include "model/suggest_parts.h"
#include "sonde/key.h"

#define MAX_ASSIGNED 6

static void insert(struct sonde_buf *out, const struct sonde_sql_shape *shape, u8 proto)
{
	struct sonde_span into = shape->clause[SONDE_CLAUSE_VERB], set = shape->clause[SONDE_CLAUSE_SET];
	struct sonde_span conflict = shape->clause[SONDE_CLAUSE_CONFLICT];
	struct sonde_span table = shape->nr_tables ? shape->table[0] : (struct sonde_span){};

	if (proto == SONDE_PROTO_SQLITE)
		sonde_buf_str(out, "one transaction around the loop, or ");
	sonde_buf_str(out, "one statement for many rows: ");
	if (into.len && into.len <= 2 * SONDE_SUGGEST_LIST)
		sonde_buf_add(out, into.s, into.len);
	else
		sonde_buf_printf(out, "%.*s into %.*s(...)", (int)shape->verb.len, shape->verb.s, (int)table.len,
				 table.s);
	if (set.len) /* INSERT ... SET: one row by its form */
		sonde_buf_str(out, "(...)");
	sonde_buf_str(out, " values (...), (...), ...");
	if (conflict.len) {
		sonde_buf_str(out, " ");
		sonde_suggest_span(out, conflict);
	}
	if (proto == SONDE_PROTO_POSTGRESQL && table.len && !conflict.len && !shape->clause[SONDE_CLAUSE_RETURNING].len)
		sonde_buf_printf(out, "; or copy %.*s from stdin", (int)table.len, table.s);
}

/* Columns of "set a = ?, b = ?": their number, or 0 if anything else is assigned. */
static size_t assigned(struct sonde_span set, struct sonde_span column[MAX_ASSIGNED])
{
	const char *p = set.s + 4, *end = set.s + set.len, *equals;
	size_t nr = 0;

	while (set.len > 4 && p < end) {
		equals = memmem(p, (size_t)(end - p), " = ?", 4);
		if (!equals || nr == MAX_ASSIGNED || memchr(p, ' ', (size_t)(equals - p)))
			return 0;
		column[nr++] = sonde_span_tail((struct sonde_span){ p, (size_t)(equals - p) });
		p = equals + 4;
		if (p == end)
			return nr;
		if (end - p < 3 || p[0] != ',' || p[1] != ' ')
			return 0;
		p += 2;
	}
	return 0;
}

static void put(struct sonde_buf *out, struct sonde_span span)
{
	sonde_buf_add(out, span.s, span.len);
}

/* PostgreSQL and SQLite: a list of rows in FROM. */
static void update_from(struct sonde_buf *out, const struct sonde_sql_shape *shape, const struct sonde_span *column,
			size_t nr, struct sonde_span key)
{
	struct sonde_span table = shape->table[0];

	sonde_buf_str(out, "update ");
	put(out, table);
	sonde_buf_str(out, " set ");
	for (size_t i = 0; i < nr; i++) {
		sonde_buf_str(out, i ? ", " : "");
		put(out, column[i]);
		sonde_buf_str(out, " = v.");
		put(out, column[i]);
	}
	sonde_buf_str(out, " from (values (...), (...)) as v(");
	put(out, sonde_span_tail(key));
	for (size_t i = 0; i < nr; i++) {
		sonde_buf_str(out, ", ");
		put(out, column[i]);
	}
	sonde_buf_str(out, ") where ");
	put(out, table);
	sonde_buf_str(out, ".");
	put(out, sonde_span_tail(key));
	sonde_buf_str(out, " = v.");
	put(out, sonde_span_tail(key));
}

static void update(struct sonde_buf *out, const struct sonde_sql_shape *shape, int varying, u8 proto)
{
	struct sonde_span set = shape->clause[SONDE_CLAUSE_SET], key = shape->condition[varying].column;
	struct sonde_span column[MAX_ASSIGNED];
	size_t nr = assigned(set, column);

	sonde_buf_str(out, "one statement: update ");
	put(out, shape->table[0]);
	sonde_buf_str(out, " ");
	sonde_suggest_span(out, set);
	sonde_suggest_where(out, shape, varying);
	if (!nr)
		return;
	sonde_buf_str(out, " if all rows get the same, else ");
	if (proto == SONDE_PROTO_POSTGRESQL) {
		update_from(out, shape, column, nr, key);
		return;
	}
	sonde_buf_str(out, "set ");
	put(out, column[0]);
	sonde_buf_str(out, " = case ");
	put(out, key);
	sonde_buf_str(out, " when ? then ? ... end");
}

void sonde_suggest_write(const struct sonde_finding *finding, struct sonde_buf *out)
{
	const char *query = finding->query ? finding->query : "";
	struct sonde_sql_shape shape, read;
	int varying;

	sonde_sql_shape(query, strlen(query), &shape);
	if (finding->with) {
		sonde_sql_shape(finding->with, strlen(finding->with), &read);
		varying = read.simple ? sonde_suggest_varying(&read, NULL) : -1;
		sonde_buf_str(out, "read all rows first");
		if (varying >= 0)
			sonde_buf_printf(out, " (%.*s in (...))", (int)read.condition[varying].column.len,
					 read.condition[varying].column.s);
		sonde_buf_str(out, ", then write them with ");
	}
	varying = sonde_suggest_varying(&shape, NULL);
	if (!shape.simple || finding->partial || !shape.nr_tables) {
		sonde_buf_str(out,
			      "one statement for many rows, or the statements as one batch without waiting for each");
	} else if (sonde_span_is(shape.verb, "insert") || sonde_span_is(shape.verb, "replace")) {
		insert(out, &shape, finding->proto);
	} else if (sonde_span_is(shape.verb, "update") && varying >= 0) {
		update(out, &shape, varying, finding->proto);
	} else if (sonde_span_is(shape.verb, "delete") && varying >= 0) {
		sonde_buf_str(out, "one statement: delete from ");
		put(out, shape.table[0]);
		sonde_suggest_where(out, &shape, varying);
	} else {
		sonde_buf_str(out,
			      "one statement for many rows, or the statements as one batch without waiting for each");
	}
}
