// SPDX-License-Identifier: GPL-2.0-only
/*
 * suggest_read.c - an SQL query that is repeated for each row of another one: the one query that would do.
 */
#include <string.h>
#include <strings.h>

#include "model/suggest_parts.h"

static bool ends_with(struct sonde_span span, const char *tail)
{
	size_t len = strlen(tail);

	return span.len >= len && !strncasecmp(span.s + span.len - len, tail, len);
}

static bool same(struct sonde_span a, struct sonde_span b)
{
	return a.len == b.len && !strncasecmp(a.s, b.s, a.len);
}

/* "customers" -> "customer", "categories" -> "categor" + "y", "boxes" -> "box". */
static bool is_plural(struct sonde_span plural, struct sonde_span singular)
{
	size_t n = singular.len;

	if (!n)
		return false;
	if (plural.len == n + 1 && ends_with(plural, "s"))
		return !strncasecmp(plural.s, singular.s, n);
	if (plural.len == n + 2 && ends_with(plural, "ies") && ends_with(singular, "y"))
		return !strncasecmp(plural.s, singular.s, n - 1);
	if (plural.len == n + 2 && ends_with(plural, "es"))
		return !strncasecmp(plural.s, singular.s, n);
	return (sonde_span_is(singular, "person") && sonde_span_is(plural, "people")) ||
	       (sonde_span_is(singular, "child") && sonde_span_is(plural, "children"));
}

struct sonde_span sonde_suggest_stem(struct sonde_span column)
{
	column = sonde_span_last(column);
	if (column.len > 3 && ends_with(column, "_id"))
		return (struct sonde_span){ column.s, column.len - 3 };
	/* "customerId", "customerid", but not "paid": a stem has at least three characters. */
	if (column.len > 4 && ends_with(column, "id"))
		return (struct sonde_span){ column.s, column.len - 2 };
	return (struct sonde_span){};
}

bool sonde_suggest_names(struct sonde_span stem, struct sonde_span table)
{
	struct sonde_span tail;

	table = sonde_span_last(table);
	if (!stem.len)
		return false;
	if (same(stem, table) || is_plural(table, stem))
		return true;
	/* Tables with a prefix: "shop_customer". */
	for (size_t i = 0; i + 1 < table.len; i++) {
		if (table.s[i] != '_')
			continue;
		tail = (struct sonde_span){ table.s + i + 1, table.len - i - 1 };
		if (same(stem, tail) || is_plural(tail, stem))
			return true;
	}
	return false;
}

int sonde_suggest_varying(const struct sonde_sql_shape *shape, const struct sonde_sql_shape *parent)
{
	int best = shape->nr_conditions ? 0 : -1, best_rank = 0;

	for (size_t i = 0; i < shape->nr_conditions; i++) {
		struct sonde_span column = shape->condition[i].column, stem = sonde_suggest_stem(column);
		int rank = 0;

		if (sonde_span_is(sonde_span_last(column), "id"))
			rank = 3;
		else if (stem.len)
			rank = parent && parent->nr_tables && sonde_suggest_names(stem, parent->table[0]) ? 4 : 2;
		else if (ends_with(column, "uuid") || ends_with(column, "key"))
			rank = 1;
		if (rank > best_rank) {
			best = (int)i;
			best_rank = rank;
		}
	}
	return best;
}

void sonde_suggest_span(struct sonde_buf *out, struct sonde_span span)
{
	if (span.len <= SONDE_SUGGEST_LIST)
		sonde_buf_add(out, span.s, span.len);
	else
		sonde_buf_str(out, "...");
}

void sonde_suggest_where(struct sonde_buf *out, const struct sonde_sql_shape *shape, int varying)
{
	struct sonde_span where = shape->clause[SONDE_CLAUSE_WHERE], at = shape->condition[varying].at;
	struct sonde_span before = { where.s, (size_t)(at.s - where.s) };
	struct sonde_span behind = { at.s + at.len, (size_t)(where.s + where.len - at.s - at.len) };

	sonde_buf_str(out, " ");
	if (before.len <= SONDE_SUGGEST_LIST + 6)
		sonde_buf_add(out, before.s, before.len);
	else
		sonde_buf_str(out, "where ... and ");
	sonde_buf_printf(out, "%.*s in (...)", (int)shape->condition[varying].column.len,
			 shape->condition[varying].column.s);
	if (behind.len <= SONDE_SUGGEST_LIST + 4)
		sonde_buf_add(out, behind.s, behind.len);
	else
		sonde_buf_str(out, " and ...");
}

static bool has_star(struct sonde_span list)
{
	return list.len && list.s[list.len - 1] == '*';
}

/* FROM and its tables, cut behind the first one if it goes on for too long. */
static void from(struct sonde_buf *out, const struct sonde_sql_shape *shape)
{
	struct sonde_span clause = shape->clause[SONDE_CLAUSE_FROM];

	sonde_buf_str(out, " ");
	if (clause.len <= 2 * SONDE_SUGGEST_LIST)
		sonde_buf_add(out, clause.s, clause.len);
	else
		sonde_buf_printf(out, "from %.*s ...", (int)shape->table[0].len, shape->table[0].s);
}

static void one_query(struct sonde_buf *out, const struct sonde_sql_shape *shape, int varying)
{
	struct sonde_span column = shape->condition[varying].column, order = shape->clause[SONDE_CLAUSE_ORDER];
	struct sonde_span limit = shape->clause[SONDE_CLAUSE_LIMIT], group = shape->clause[SONDE_CLAUSE_GROUP];
	/* The rows of several calls must be told apart. */
	bool there =
		!shape->aggregate && (sonde_span_word(shape->list, sonde_span_last(column)) || has_star(shape->list));

	sonde_buf_str(out, "one query: select ");
	if (!there)
		sonde_buf_printf(out, "%.*s, ", (int)column.len, column.s);
	sonde_suggest_span(out, shape->list);
	from(out, shape);
	sonde_suggest_where(out, shape, varying);
	if (shape->aggregate && !group.len) {
		sonde_buf_printf(out, " group by %.*s", (int)column.len, column.s);
	} else if (group.len) {
		sonde_buf_printf(out, " group by %.*s, ", (int)column.len, column.s);
		sonde_suggest_span(out, (struct sonde_span){ group.s + 9, group.len > 9 ? group.len - 9 : 0 });
	} else if (order.len && limit.len) {
		/* The first few rows of each: their number is a matter of every value of the list. */
		sonde_buf_printf(out, ", the first of each by row_number() over (partition by %.*s ", (int)column.len,
				 column.s);
		sonde_suggest_span(out, order);
		sonde_buf_str(out, ")");
	} else if (order.len) {
		sonde_buf_str(out, " ");
		sonde_suggest_span(out, order);
	}
}

/* The column of @parent that refers to @table: a word such as "customer_id" anywhere in its text. */
static struct sonde_span reference_to(struct sonde_span table, struct sonde_span text)
{
	for (size_t i = 0, end; i < text.len; i = end + 1) {
		struct sonde_span word, stem;

		for (end = i; end < text.len && !strchr(" ,().*=\"`;", text.s[end]); end++)
			;
		word = (struct sonde_span){ text.s + i, end - i };
		stem = sonde_suggest_stem(word);
		if (!sonde_suggest_names(stem, table))
			continue;
		if (i && end < text.len && text.s[i - 1] == text.s[end] && strchr("\"`", text.s[end]))
			word = (struct sonde_span){ word.s - 1, word.len + 2 };
		return word;
	}
	return (struct sonde_span){};
}

static void on(struct sonde_buf *out, struct sonde_span child, struct sonde_span column, struct sonde_span parent,
	       struct sonde_span key)
{
	column = sonde_span_tail(column);
	sonde_buf_printf(out, ", or join: from %.*s join %.*s on %.*s.%.*s = %.*s.%.*s", (int)parent.len, parent.s,
			 (int)child.len, child.s, (int)child.len, child.s, (int)column.len, column.s, (int)parent.len,
			 parent.s, (int)key.len, key.s);
}

static void join(struct sonde_buf *out, const struct sonde_sql_shape *shape, const struct sonde_sql_shape *parent,
		 struct sonde_span column)
{
	static const struct sonde_span id = { "id", 2 };
	struct sonde_span table = shape->table[0], first, key;

	if (!shape->nr_tables)
		return;
	if (!parent || !parent->nr_tables) {
		sonde_buf_printf(out, ", or join %.*s in the query that lists what the loop goes through",
				 (int)table.len, table.s);
		return;
	}
	first = parent->table[0];
	if (same(table, first)) {
		if (!sonde_span_is(sonde_span_last(column), "id"))
			sonde_buf_str(out, ", or with recursive if the rows refer to one another");
		return;
	}
	key = reference_to(table, parent->text);
	if (sonde_span_is(sonde_span_last(column), "id") && key.len)
		on(out, table, column, first, key);
	else if (sonde_suggest_names(sonde_suggest_stem(column), first))
		on(out, table, column, first, id);
	else if (column.len && !sonde_span_is(sonde_span_last(column), "id") &&
		 sonde_span_word(parent->text, sonde_span_last(column)))
		on(out, table, column, first, sonde_span_tail(column));
	else
		sonde_buf_printf(out, ", or join %.*s in the first", (int)table.len, table.s);
}

void sonde_suggest_read(const struct sonde_finding *finding, struct sonde_buf *out)
{
	const char *query = finding->query ? finding->query : "";
	struct sonde_sql_shape shape, first, *parent = NULL;
	struct sonde_span column = {};
	int varying;

	sonde_sql_shape(query, strlen(query), &shape);
	if (finding->parent) {
		sonde_sql_shape(finding->parent, strlen(finding->parent), &first);
		parent = &first;
	}
	varying = shape.simple && sonde_span_is(shape.verb, "select") ? sonde_suggest_varying(&shape, parent) : -1;
	if (varying >= 0 && shape.list.len && !finding->partial) {
		column = shape.condition[varying].column;
		one_query(out, &shape, varying);
	} else if (strstr(query, " in (?+)")) {
		sonde_buf_str(out, "one query: collect the values of all calls into one list, in (...)");
	} else {
		sonde_buf_str(out, "one query before the loop for all values, in (...)");
	}
	join(out, &shape, parent, column);
}
