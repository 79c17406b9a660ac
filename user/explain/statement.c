// SPDX-License-Identifier: GPL-2.0-only
/*
 * statement.c - whether a statement may be explained, which tables it names, and its text with values filled in.
 *
 * The check is the first of three guards: servers are asked in a way that takes one statement only, and in a
 * read-only transaction. So it looks for what is written in the statement, and when in doubt it refuses.
 */
#include "explain/statement.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "explain/scan.h"

static bool is_any(const struct sonde_scan *scan, size_t i, const char *const *words)
{
	for (; *words; words++)
		if (sonde_scan_is(scan, i, *words))
			return true;
	return false;
}

/* Tokens of the statement without the `;` at its end. */
static size_t length_of(const struct sonde_scan *scan)
{
	size_t nr = scan->nr;

	while (nr && sonde_scan_is(scan, nr - 1, ";"))
		nr--;
	return nr;
}

static bool brackets_match(const struct sonde_scan *scan, size_t nr)
{
	size_t depth = 0, i;

	for (i = 0; i < nr; i++) {
		if (sonde_scan_is(scan, i, "("))
			depth++;
		else if (sonde_scan_is(scan, i, ")") && !depth--)
			return false;
	}
	return depth == 0;
}

/* What stands behind the list of a WITH: the first verb outside all brackets. */
static bool with_selects(const struct sonde_scan *scan, size_t nr)
{
	static const char *const verbs[] = { "select", "insert", "update",  "delete", "merge",
					     "values", "table",	 "replace", NULL };
	size_t depth = 0, i;

	for (i = 1; i < nr; i++) {
		if (sonde_scan_is(scan, i, "("))
			depth++;
		else if (sonde_scan_is(scan, i, ")"))
			depth--;
		else if (!depth && is_any(scan, i, verbs))
			return sonde_scan_is(scan, i, "select");
	}
	return false;
}

/* INSERT, UPDATE, ... as a verb; not as the name of a column or a function. */
static bool writes_at(const struct sonde_scan *scan, size_t i)
{
	static const char *const verbs[] = { "insert", "update", "delete", "merge", "replace", NULL };

	if (!is_any(scan, i, verbs) || (i && sonde_scan_is(scan, i - 1, ".")))
		return false;
	if (sonde_scan_is(scan, i + 1, "as") ||
	    (sonde_scan_is(scan, i + 1, "from") && !sonde_scan_is(scan, i, "delete")))
		return false;
	return sonde_scan_is_name(scan, i + 1);
}

static const char *refuse_token(const struct sonde_scan *scan, size_t i)
{
	static const char *const locks[] = { "update", "share", "no", "key", NULL };

	if (i && sonde_scan_is(scan, i - 1, "."))
		return NULL; /* a column of that name */
	if (sonde_scan_is(scan, i, ";"))
		return "there is more than one statement in it";
	if (sonde_scan_is(scan, i, "into"))
		return "SELECT ... INTO writes";
	if (sonde_scan_is(scan, i, "for") && is_any(scan, i + 1, locks))
		return "SELECT ... FOR UPDATE or SHARE locks rows";
	if (sonde_scan_is(scan, i, "lock") && sonde_scan_is(scan, i + 1, "in"))
		return "SELECT ... LOCK IN SHARE MODE locks rows";
	if (writes_at(scan, i))
		return "a part of it writes";
	return NULL;
}

const char *sonde_statement_refuse(const struct sonde_scan *scan)
{
	const size_t nr = length_of(scan);
	size_t first = 0, i;

	if (!nr)
		return "there is no statement in it";
	if (!brackets_match(scan, nr))
		return "its brackets do not match";
	while (sonde_scan_is(scan, first, "("))
		first++;
	if (sonde_scan_is(scan, first, "with")) {
		/* `(WITH ...)`: the verb stands in brackets itself, and is no common form. */
		if (first || !with_selects(scan, nr))
			return "it is no SELECT behind its WITH";
	} else if (!sonde_scan_is(scan, first, "select")) {
		return "it is no SELECT";
	}
	for (i = 0; i < nr; i++) {
		const char *why = refuse_token(scan, i);

		if (why)
			return why;
	}
	return NULL;
}

/* Which parameter token @i is, from 1 on; 0: none. @seen counts those of MySQL, which have no numbers. */
static size_t param_at(const struct sonde_scan *scan, size_t i, size_t *seen)
{
	const struct sonde_scan_token *token = &scan->tokens[i];
	size_t k, number = 0;

	if (token->kind != SONDE_SCAN_PARAM)
		return 0;
	if (scan->flags & SONDE_SCAN_MYSQL)
		return ++*seen;
	for (k = 1; k < token->len && number < 100000; k++)
		number = number * 10 + (size_t)(token->start[k] - '0');
	return number ? number : SIZE_MAX; /* there is no $0: no number of values is enough */
}

size_t sonde_statement_params(const struct sonde_scan *scan)
{
	size_t i, seen = 0, most = 0;

	for (i = 0; i < scan->nr; i++) {
		size_t number = param_at(scan, i, &seen);

		if (number > most)
			most = number;
	}
	return most;
}

/* MySQL takes no string for the numbers of a LIMIT. */
static bool is_limit(const struct sonde_scan *scan, size_t i)
{
	if (i && (sonde_scan_is(scan, i - 1, "limit") || sonde_scan_is(scan, i - 1, "offset")))
		return true;
	return i > 2 && sonde_scan_is(scan, i - 1, ",") && sonde_scan_is(scan, i - 3, "limit");
}

static bool is_whole_number(const char *value)
{
	return *value && strlen(value) < 20 && strspn(value, "0123456789") == strlen(value);
}

int sonde_statement_fill(struct sonde_buf *out, const struct sonde_scan *scan, const char *const *params,
			 size_t nr_params, int (*quote)(void *ctx, struct sonde_buf *out, const char *value), void *ctx)
{
	const size_t nr = length_of(scan);
	const char *from = nr ? scan->tokens[0].start : "";
	size_t i, seen = 0;

	if (nr_params && sonde_statement_params(scan) > nr_params)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		const struct sonde_scan_token *token = &scan->tokens[i];
		size_t number = param_at(scan, i, &seen);
		const char *value;
		int err = 0;

		if (!number || !nr_params)
			continue;
		sonde_buf_add(out, from, (size_t)(token->start - from));
		from = token->start + token->len;
		value = params[number - 1];
		sonde_buf_str(out, " ");
		if (!value)
			sonde_buf_str(out, "NULL");
		else if ((scan->flags & SONDE_SCAN_MYSQL) && is_limit(scan, i) && is_whole_number(value))
			sonde_buf_str(out, value);
		else
			err = quote(ctx, out, value);
		if (err)
			return err;
		sonde_buf_str(out, " ");
	}
	if (nr)
		sonde_buf_add(out, from, (size_t)(scan->tokens[nr - 1].start + scan->tokens[nr - 1].len - from));
	return out->failed ? -ENOMEM : 0;
}

bool sonde_statement_is_limited(const struct sonde_scan *scan)
{
	static const char *const words[] = { "limit", "fetch", NULL };
	int depth = 0;
	size_t i;

	for (i = 0; i < scan->nr; i++) {
		depth += sonde_scan_is(scan, i, "(") - sonde_scan_is(scan, i, ")");
		if (depth == 0 && is_any(scan, i, words))
			return true;
	}
	return false;
}

static int add_ref(struct sonde_table_refs *out, struct sonde_table_ref ref)
{
	struct sonde_table_ref *refs = realloc(out->refs, (out->nr + 1) * sizeof(*refs));

	if (refs) {
		out->refs = refs;
		out->refs[out->nr++] = ref;
	}
	if (refs && ref.name && ref.alias && ref.spelled)
		return 0;
	if (!refs) {
		free(ref.schema);
		free(ref.name);
		free(ref.alias);
		free(ref.spelled);
	}
	return -ENOMEM;
}

/* Words behind a table that are no alias of it. */
static const char *const no_alias[] = { "where",     "join",	  "on",	    "using",  "group",	     "order",
					"limit",     "inner",	  "left",   "right",  "full",	     "cross",
					"natural",   "having",	  "union",  "for",    "use",	     "force",
					"ignore",    "set",	  "window", "offset", "fetch",	     "except",
					"as",	     "intersect", "lock",   "outer",  "tablesample", "straight_join",
					"partition", NULL };

/* A table at token @i: [schema.]name [AS] [alias]. */
static int add_table(const struct sonde_scan *scan, size_t i, struct sonde_table_refs *out)
{
	struct sonde_table_ref ref = { NULL };
	size_t name = i, alias;

	if (sonde_scan_is(scan, i + 1, ".") && sonde_scan_is_name(scan, i + 2)) {
		ref.schema = sonde_scan_name(scan, &scan->tokens[i]);
		name = i + 2;
	}
	alias = name + 1;
	if (sonde_scan_is(scan, alias, "as"))
		alias++;
	if (!sonde_scan_is_name(scan, alias) || is_any(scan, alias, no_alias))
		alias = name;
	ref.name = sonde_scan_name(scan, &scan->tokens[name]);
	ref.alias = sonde_scan_name(scan, &scan->tokens[alias]);
	ref.spelled = strndup(scan->tokens[i].start,
			      (size_t)(scan->tokens[name].start + scan->tokens[name].len - scan->tokens[i].start));
	return add_ref(out, ref);
}

int sonde_statement_tables(const struct sonde_scan *scan, struct sonde_table_refs *out)
{
	static const char *const begin[] = { "from", "join", "straight_join", NULL };
	static const char *const end[] = { "where", "group",  "order", "limit",	 "having",
					   "union", "select", "on",    "window", NULL };
	bool in_from[64] = { false };
	size_t depth = 0, i;

	*out = (struct sonde_table_refs){ NULL };
	for (i = 0; i < scan->nr; i++) {
		bool *here = &in_from[depth < 63 ? depth : 63];

		if (sonde_scan_is(scan, i, "(")) {
			depth++;
			/* FROM (a JOIN b): the brackets hold tables, too; a list of columns behind ON does not. */
			in_from[depth < 63 ? depth : 63] = *here && i && is_any(scan, i - 1, begin);
			here = &in_from[depth < 63 ? depth : 63];
		} else if (sonde_scan_is(scan, i, ")")) {
			depth -= depth > 0;
			continue;
		} else if (is_any(scan, i, begin)) {
			*here = true;
		} else if (is_any(scan, i, end)) {
			*here = false;
		} else if (!sonde_scan_is(scan, i, ",")) {
			continue;
		}
		if (*here && sonde_scan_is_name(scan, i + 1) && !is_any(scan, i + 1, end) &&
		    !sonde_scan_is(scan, i + 2, "(") && add_table(scan, i + 1, out))
			return -ENOMEM;
	}
	return 0;
}

void sonde_table_refs_free(struct sonde_table_refs *refs)
{
	size_t i;

	for (i = 0; i < refs->nr; i++) {
		free(refs->refs[i].schema);
		free(refs->refs[i].name);
		free(refs->refs[i].alias);
		free(refs->refs[i].spelled);
	}
	free(refs->refs);
	*refs = (struct sonde_table_refs){ NULL };
}
