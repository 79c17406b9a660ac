// SPDX-License-Identifier: GPL-2.0-only
/*
 * sql_shape.c - the parts of a normalised statement that a suggestion is made of.
 *
 * Normalised text has one blank where blanks matter, keywords in lower case, no literals and no comments but hints, so
 * that a name is all of letters, dots and quotes that stand together.
 */
#include <string.h>
#include <strings.h>

#include "model/sql_shape.h"

struct scan {
	const char *s;
	size_t len;
	size_t at;
	unsigned int depth;
};

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       c == '@' || c == '#' || (unsigned char)c >= 0x80;
}

static bool is_quote(char c)
{
	return c == '"' || c == '`';
}

bool sonde_span_is(struct sonde_span span, const char *word)
{
	return span.len == strlen(word) && !strncasecmp(span.s, word, span.len);
}

/* Whether @span is one of the words in @list, which are set off by blanks. */
static bool in(struct sonde_span span, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, " ");

		if (len && len == span.len && !strncasecmp(list, span.s, len))
			return true;
		list += len;
		list += strspn(list, " ");
	}
	return false;
}

/* Behind the name that begins at @at: "a", "a.b", `"A b".c`. */
static size_t name_end(const char *s, size_t len, size_t at)
{
	while (at < len) {
		if (is_quote(s[at])) {
			const char *close = memchr(s + at + 1, s[at], len - at - 1);

			if (!close)
				return len;
			at = (size_t)(close - s) + 1;
		} else if (is_name(s[at]) || (s[at] == '.' && at + 1 < len && s[at + 1] != ' ')) {
			at++;
		} else {
			break;
		}
	}
	return at;
}

/* The next token: a name with its qualifiers, or one character. Depth counts brackets. len 0 at the end. */
static struct sonde_span next(struct scan *scan)
{
	struct sonde_span token = {};
	size_t end;
	char c;

	while (scan->at < scan->len && (scan->s[scan->at] == ' ' || scan->s[scan->at] == '\n'))
		scan->at++;
	if (scan->at + 1 < scan->len && scan->s[scan->at] == '/' && scan->s[scan->at + 1] == '*') { /* a hint */
		scan->at += 2;
		while (scan->at < scan->len && !(scan->s[scan->at] == '/' && scan->s[scan->at - 1] == '*'))
			scan->at++;
		scan->at += scan->at < scan->len;
		return next(scan);
	}
	if (scan->at >= scan->len)
		return token;
	c = scan->s[scan->at];
	end = is_name(c) || is_quote(c) ? name_end(scan->s, scan->len, scan->at) : scan->at + 1;
	token = (struct sonde_span){ scan->s + scan->at, end - scan->at };
	scan->at = end;
	if (c == '(' || c == '[')
		scan->depth++;
	else if ((c == ')' || c == ']') && scan->depth)
		scan->depth--;
	return token;
}

static struct sonde_span peek(const struct scan *scan)
{
	struct scan ahead = *scan;

	return next(&ahead);
}

static bool is_char(struct sonde_span token, char c)
{
	return token.len == 1 && token.s[0] == c;
}

static bool is_word(struct sonde_span token)
{
	return token.len && (is_name(token.s[0]) || is_quote(token.s[0]));
}

/* Which clause begins with @word, if one does. */
static enum sonde_clause clause_of(const struct scan *scan, struct sonde_span verb, struct sonde_span word)
{
	struct sonde_span then = peek(scan);
	bool reads = in(verb, "select");

	if (in(word, "from"))
		return SONDE_CLAUSE_FROM;
	if (!reads && in(word, "set"))
		return SONDE_CLAUSE_SET;
	if (!reads && in(word, "values value"))
		return SONDE_CLAUSE_VALUES;
	if (in(word, "where"))
		return SONDE_CLAUSE_WHERE;
	if (in(word, "group") && in(then, "by"))
		return SONDE_CLAUSE_GROUP;
	if (in(word, "having window"))
		return SONDE_CLAUSE_HAVING;
	if (in(word, "order") && in(then, "by"))
		return SONDE_CLAUSE_ORDER;
	if (in(word, "limit offset fetch"))
		return SONDE_CLAUSE_LIMIT;
	if ((in(word, "for") && in(then, "update share no key")) || (in(word, "lock") && in(then, "in")))
		return SONDE_CLAUSE_LOCK;
	if (in(word, "on") && in(then, "conflict duplicate"))
		return SONDE_CLAUSE_CONFLICT;
	if (in(word, "returning"))
		return SONDE_CLAUSE_RETURNING;
	return SONDE_CLAUSES;
}

/* Ends @span where the text at @end begins, without the blank before. */
static void close_span(struct sonde_span *span, const char *end)
{
	while (end > span->s && end[-1] == ' ')
		end--;
	span->len = (size_t)(end - span->s);
}

static void clauses(struct sonde_sql_shape *shape)
{
	struct scan scan = { .s = shape->text.s, .len = shape->text.len };
	enum sonde_clause open = SONDE_CLAUSE_VERB;
	struct sonde_span token;

	shape->verb = peek(&scan);
	shape->simple = in(shape->verb, "select insert replace update delete");
	shape->clause[open].s = shape->text.s;
	while (token = next(&scan), token.len) {
		enum sonde_clause begins;

		if (scan.depth || !is_word(token))
			continue;
		if (in(token, "union intersect except"))
			shape->simple = false;
		if (in(token, "select") && token.s != shape->verb.s)
			shape->simple = false; /* INSERT ... SELECT */
		begins = clause_of(&scan, shape->verb, token);
		if (begins == SONDE_CLAUSES || begins == open)
			continue;
		if (open == SONDE_CLAUSE_CONFLICT && begins != SONDE_CLAUSE_RETURNING)
			continue; /* DO UPDATE SET ... WHERE is all of it */
		close_span(&shape->clause[open], token.s);
		if (shape->clause[begins].s) {
			shape->simple = false; /* twice: something is not as it seems */
			return;
		}
		open = begins;
		shape->clause[open].s = token.s;
	}
	close_span(&shape->clause[open], shape->text.s + shape->text.len);
}

static void select_list(struct sonde_sql_shape *shape)
{
	struct sonde_span verb = shape->clause[SONDE_CLAUSE_VERB], token, function;
	struct scan scan = { .s = verb.s, .len = verb.len };

	if (!sonde_span_is(shape->verb, "select"))
		return;
	next(&scan);
	if (in(peek(&scan), "distinct all sql_no_cache straight_join"))
		next(&scan);
	token = peek(&scan);
	if (!token.len)
		return;
	shape->list = (struct sonde_span){ token.s, (size_t)(verb.s + verb.len - token.s) };
	function = next(&scan);
	if (!in(function, "count sum min max avg") || !is_char(peek(&scan), '('))
		return;
	do
		token = next(&scan);
	while (token.len && scan.depth);
	token = peek(&scan);
	shape->aggregate = !is_char(token, ',');
}

/* Tables on any level: what follows FROM, JOIN, INTO, UPDATE, and a comma between them. */
static size_t tables(struct scan scan, bool top_only, struct sonde_span *table, struct sonde_span *alias, size_t max)
{
	struct sonde_span token, before = {};
	unsigned int list_depth = ~0u; /* of the list of tables that is open */
	bool expect = false;
	size_t nr = 0;

	while (nr < max && (token = next(&scan), token.len)) {
		if (expect && is_word(token) && in(token, "only lateral ignore low_priority delayed quick"))
			continue;
		if (expect && is_word(token) && !in(token, "select")) {
			bool call = is_char(peek(&scan), '(') && !in(before, "into");

			expect = false;
			if (!call && (!top_only || !scan.depth)) {
				table[nr] = token;
				if (in(peek(&scan), "as"))
					next(&scan);
				if (is_word(peek(&scan)) &&
				    !in(peek(&scan),
					"on using join inner left right full cross natural where group order"
					" limit set values value select having for straight_join offset union"
					" returning use force ignore default"))
					token = next(&scan);
				if (alias)
					alias[nr] = token;
				nr++;
			}
		} else if (in(token, "from") && !in(before, "distinct")) {
			expect = true;
			list_depth = scan.depth;
		} else if (in(token, "join straight_join into")) {
			expect = true;
		} else if (in(token, "update") && !in(before, "for do key")) {
			expect = true;
		} else if (is_char(token, ',') && scan.depth == list_depth) {
			expect = true;
		} else if (in(token, "where set values group order limit having on using returning")) {
			if (scan.depth == list_depth && !in(token, "on using"))
				list_depth = ~0u;
			expect = false;
		} else if (!is_char(token, '(')) {
			expect = false;
		}
		before = token;
	}
	return nr;
}

/* The comparisons "column = ?" of WHERE that are joined by AND. */
static void conditions(struct sonde_sql_shape *shape)
{
	struct sonde_span where = shape->clause[SONDE_CLAUSE_WHERE], token, column, before;
	struct scan scan = { .s = where.s, .len = where.len };

	if (!where.len)
		return;
	before = next(&scan);
	while (token = next(&scan), token.len) {
		struct scan ahead = scan;
		bool first = in(before, "where and");

		before = token;
		if (scan.depth)
			continue;
		if (in(token, "or"))
			shape->simple = false;
		if (!first || !is_word(token))
			continue;
		column = token;
		if (!is_char(next(&ahead), '=') || !is_char(next(&ahead), '?'))
			continue;
		token = peek(&ahead);
		if (token.len && !in(token, "and") && !is_char(token, ')'))
			continue;
		if (shape->nr_conditions == SONDE_SHAPE_CONDITIONS)
			return;
		shape->condition[shape->nr_conditions].column = column;
		shape->condition[shape->nr_conditions].at =
			(struct sonde_span){ column.s, (size_t)(where.s + ahead.at - column.s) };
		shape->nr_conditions++;
	}
}

void sonde_sql_shape(const char *text, size_t len, struct sonde_sql_shape *shape)
{
	*shape = (struct sonde_sql_shape){ .text = { text, len } };
	clauses(shape);
	select_list(shape);
	conditions(shape);
	shape->nr_tables =
		tables((struct scan){ .s = text, .len = len }, true, shape->table, shape->alias, SONDE_SHAPE_TABLES);
}

size_t sonde_sql_tables(const char *text, size_t len, struct sonde_span *table, size_t max)
{
	return tables((struct scan){ .s = text, .len = len }, false, table, NULL, max);
}

struct sonde_span sonde_span_tail(struct sonde_span name)
{
	size_t from = 0;

	for (size_t i = 0; i < name.len; i++) {
		if (is_quote(name.s[i])) {
			const char *close = memchr(name.s + i + 1, name.s[i], name.len - i - 1);

			if (!close)
				break;
			i = (size_t)(close - name.s);
		} else if (name.s[i] == '.') {
			from = i + 1;
		}
	}
	return (struct sonde_span){ name.s + from, name.len - from };
}

struct sonde_span sonde_span_last(struct sonde_span name)
{
	name = sonde_span_tail(name);
	if (name.len >= 2 && is_quote(name.s[0]) && name.s[name.len - 1] == name.s[0])
		name = (struct sonde_span){ name.s + 1, name.len - 2 };
	return name;
}

bool sonde_span_word(struct sonde_span text, struct sonde_span word)
{
	for (size_t i = 0; word.len && i + word.len <= text.len; i++) {
		bool before = !i || !is_name(text.s[i - 1]);
		bool after = i + word.len == text.len || !is_name(text.s[i + word.len]);

		if (before && after && !strncasecmp(text.s + i, word.s, word.len))
			return true;
	}
	return false;
}
