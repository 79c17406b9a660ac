// SPDX-License-Identifier: GPL-2.0-only
/*
 * suggest.c - what to do about a finding.
 */
#include <string.h>

#include "model/snapshot.h"
#include "model/suggest.h"
#include "model/suggest_parts.h"
#include "sonde/sql.h"

#define FAT_ROW_BYTES 4096u /* a row whose size is the trouble, not the number of rows */

/* What an answer may be kept for. */
static const char *unit(u8 scope)
{
	switch (scope) {
	case SONDE_SCOPE_TRANSACTION:
		return "transaction";
	case SONDE_SCOPE_BURST:
	case SONDE_SCOPE_NONE:
		return "run";
	}
	return "request";
}

static void redundant(const struct sonde_finding *finding, struct sonde_buf *out)
{
	u32 calls = finding->calls_median, distinct = finding->distinct ? finding->distinct : 1, again;

	if (distinct > calls)
		distinct = calls;
	again = calls - distinct;
	sonde_buf_printf(out, "cache it: keep the answer for the rest of the %s", unit(finding->scope));
	if (!calls)
		return;
	if (distinct == 1)
		sonde_buf_printf(out, "; %u of %u calls ask the same again (%.0f%%)", again, calls,
				 100.0 * again / calls);
	else
		sonde_buf_printf(out, "; %u calls have %u different parameters, %u ask the same again (%.0f%%)", calls,
				 distinct, again, 100.0 * again / calls);
}

/* The column that pages of @shape can follow: the first of ORDER BY, else the usual key. */
static struct sonde_span page_key(const struct sonde_sql_shape *shape, bool *down)
{
	struct sonde_span order = shape->clause[SONDE_CLAUSE_ORDER], key = { "id", 2 };
	size_t len = 0;

	*down = false;
	if (order.len <= strlen("order by "))
		return key;
	order = (struct sonde_span){ order.s + strlen("order by "), order.len - strlen("order by ") };
	while (len < order.len && !strchr(" ,(", order.s[len]))
		len++;
	if (!len || order.s[0] == '?' || (len < order.len && order.s[len] == '('))
		return key; /* by an expression */
	key = (struct sonde_span){ order.s, len };
	*down = order.len >= len + 5 && !strncmp(order.s + len, " desc", 5);
	return key;
}

static void large(const struct sonde_finding *finding, struct sonde_buf *out)
{
	const char *query = finding->query ? finding->query : "";
	struct sonde_sql_shape shape;
	struct sonde_span key, where;
	bool down;

	if (finding->max_rows && finding->max_bytes / finding->max_rows >= FAT_ROW_BYTES) {
		sonde_buf_str(out, "name the columns that are needed and leave out the large ones");
		return;
	}
	if (!sonde_proto_sql(finding->proto)) {
		sonde_buf_str(out, "ask for a part at a time");
		return;
	}
	sonde_sql_shape(query, strlen(query), &shape);
	if (!shape.simple || !sonde_span_is(shape.verb, "select") || !shape.nr_tables || finding->partial) {
		sonde_buf_str(out, "limit what is returned, or read it in pages that follow a key");
		return;
	}
	if (shape.clause[SONDE_CLAUSE_LIMIT].len) {
		sonde_buf_str(out, "a smaller LIMIT");
	} else if (shape.clause[SONDE_CLAUSE_GROUP].len) {
		sonde_buf_str(out, "a LIMIT, or coarser groups");
	} else {
		key = page_key(&shape, &down);
		where = shape.clause[SONDE_CLAUSE_WHERE];
		sonde_buf_printf(out, "a LIMIT, or pages that follow a key: from %.*s ", (int)shape.table[0].len,
				 shape.table[0].s);
		if (where.len) {
			sonde_buf_str(out, where.len > SONDE_SUGGEST_LIST ? "where " : "");
			sonde_suggest_span(out, where);
			sonde_buf_str(out, " and ");
		} else {
			sonde_buf_str(out, "where ");
		}
		sonde_buf_printf(out, "%.*s %s ? order by %.*s%s limit ?", (int)key.len, key.s, down ? "<" : ">",
				 (int)key.len, key.s, down ? " desc" : "");
	}
	if (shape.list.len && shape.list.s[shape.list.len - 1] == '*')
		sonde_buf_str(out, "; name the columns that are needed instead of *");
}

void sonde_suggest(const struct sonde_finding *finding, struct sonde_buf *out)
{
	bool sql = sonde_proto_sql(finding->proto);

	switch (finding->kind) {
	case SONDE_FINDING_N_PLUS_ONE:
		(sql ? sonde_suggest_read : sonde_suggest_label)(finding, out);
		return;
	case SONDE_FINDING_WRITE_LOOP:
		(sql ? sonde_suggest_write : sonde_suggest_label)(finding, out);
		return;
	case SONDE_FINDING_REDUNDANT_QUERY:
		redundant(finding, out);
		return;
	case SONDE_FINDING_SLOW_QUERY:
		if (sql && finding->verb == SONDE_SQL_SELECT)
			sonde_buf_str(out, finding->proto == SONDE_PROTO_SQLITE
						   ? "look at its plan: explain query plan select ..."
						   : "look at its plan: sonde slow --examples --explain DSN");
		else
			sonde_buf_str(out, "see `sonde slow` for when, from where and how long");
		return;
	case SONDE_FINDING_LARGE_RESULT:
		large(finding, out);
		return;
	case SONDE_FINDING_LEAK: /* model/leak_find.c */
	case SONDE_FINDING_GC_TIME: /* model/gc_judge.c */
	case SONDE_FINDING_KINDS:
		return;
	}
}
