// SPDX-License-Identifier: GPL-2.0-only
/*
 * cond.c - the conditions of a plan taken apart.
 *
 * PostgreSQL prints "((customer_id = 42) AND ((status)::text = 'new'::text))", MariaDB
 * "o.customer_id = 42 and o.`status` = 'new'", MySQL 8 "((`shop`.`o`.`customer_id` = 42) and ...)". All of them are
 * read as tokens in brackets; what has an unknown form serves no index.
 */
#include "explain/cond.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explain/scan.h"

/* A stretch of tokens. */
struct span {
	const struct sonde_scan *scan;
	size_t lo, hi;
};

enum operand {
	OPERAND_COLUMN,
	OPERAND_VALUE,
	OPERAND_EXPRESSION, /* holds a column */
	OPERAND_OTHER,
};

static bool is(const struct span *span, size_t i, const char *word)
{
	return i >= span->lo && i < span->hi && sonde_scan_is(span->scan, i, word);
}

static bool is_any(const struct span *span, size_t i, const char *const *words)
{
	for (; *words; words++)
		if (is(span, i, *words))
			return true;
	return false;
}

/* How token @i changes the depth of brackets. */
static int nesting(const struct span *span, size_t i)
{
	static const char *const open[] = { "(", "[", "case", NULL }, *const close[] = { ")", "]", "end", NULL };

	return is_any(span, i, open) - is_any(span, i, close);
}

/* The next of @words outside all brackets, from @from on; hi: none. */
static size_t find(const struct span *span, size_t from, const char *const *words)
{
	int depth = 0;
	size_t i;

	for (i = from; i < span->hi; i++) {
		int step = nesting(span, i);

		depth += step;
		if (!step && depth == 0 && is_any(span, i, words))
			return i;
	}
	return span->hi;
}

/* Without the brackets around all of it. */
static struct span strip(struct span span)
{
	while (span.hi - span.lo >= 2 && is(&span, span.lo, "(") && is(&span, span.hi - 1, ")")) {
		int depth = 0;
		size_t i;

		for (i = span.lo; i < span.hi - 1; i++) {
			depth += nesting(&span, i);
			if (depth == 0)
				return span; /* the first bracket ends before */
		}
		span.lo++;
		span.hi--;
	}
	return span;
}

static char *text_of(const struct span *span)
{
	const struct sonde_scan_token *tokens = span->scan->tokens;
	const char *start;

	if (span->lo == span->hi)
		return strdup("");
	start = tokens[span->lo].start;
	return strndup(start, (size_t)(tokens[span->hi - 1].start + tokens[span->hi - 1].len - start));
}

static bool is_constant_word(const struct span *span, size_t i)
{
	static const char *const words[] = { "null",
					     "true",
					     "false",
					     "current_date",
					     "current_timestamp",
					     "localtime",
					     "localtimestamp",
					     "current_time",
					     "current_user",
					     "session_user",
					     "interval",
					     "and",
					     "escape",
					     "day",
					     "hour",
					     "minute",
					     "second",
					     "month",
					     "year",
					     "week",
					     NULL };

	return is_any(span, i, words);
}

/* [[schema.]table.]name and nothing else. */
static int read_column(const struct span *span, struct sonde_cond_column *out)
{
	const struct sonde_scan_token *last = &span->scan->tokens[span->hi - 1];
	const size_t nr = span->hi - span->lo;
	size_t i;

	if (nr != 1 && nr != 3 && nr != 5)
		return 0;
	for (i = 0; i < nr; i++)
		if (i % 2 ? !is(span, span->lo + i, ".") : !sonde_scan_is_name(span->scan, span->lo + i))
			return 0;
	if (nr == 1 && is_constant_word(span, span->lo))
		return 0;
	out->name = sonde_scan_name(span->scan, last);
	out->spelled = strndup(last->start, last->len);
	if (nr > 1)
		out->table = sonde_scan_name(span->scan, last - 2);
	return out->name && out->spelled && (nr == 1 || out->table) ? 1 : -ENOMEM;
}

/* Whether a name in it is neither a function nor a type nor a constant. */
static bool holds_column(const struct span *span)
{
	size_t i;

	for (i = span->lo; i < span->hi; i++) {
		if (is(span, i, ":") && is(span, i + 1, ":")) {
			for (i++; sonde_scan_is_name(span->scan, i + 1) && i + 1 < span->hi;)
				i++;
		} else if (is(span, i, "as")) {
			i++; /* cast(x as date) */
		} else if (sonde_scan_is_name(span->scan, i) && !is_constant_word(span, i) && !is(span, i + 1, "(")) {
			return true;
		}
	}
	return false;
}

/* A side of a comparison; *@err is set if memory runs out. */
static enum operand read_operand(struct span span, struct sonde_cond_column *column, int *err)
{
	static const char *const colon[] = { ":", NULL }, *const plans[] = { "subplan", "initplan", "select", NULL };
	size_t at, i;
	int found;

	span = strip(span);
	if (span.lo == span.hi)
		return OPERAND_OTHER;
	for (i = span.lo; i < span.hi; i++)
		if (is_any(&span, i, plans))
			return OPERAND_OTHER;
	at = find(&span, span.lo, colon);
	if (at > span.lo && is(&span, at + 1, ":")) {
		struct span base = { span.scan, span.lo, at }, cast = { span.scan, at + 2, span.hi };

		base = strip(base);
		found = read_column(&base, column);
		if (found == 1 && !(column->cast = text_of(&cast)))
			found = -ENOMEM;
	} else {
		found = read_column(&span, column);
	}
	if (found < 0)
		*err = found;
	if (found)
		return OPERAND_COLUMN;
	return holds_column(&span) ? OPERAND_EXPRESSION : OPERAND_VALUE;
}

/* What a comparison by token @op tells an index; OTHER: nothing. */
static enum sonde_cond_kind kind_of(const struct span *span, size_t op)
{
	static const char *const equal[] = { "=", "<=>", "in", NULL };
	static const char *const range[] = { "<", ">", "<=", ">=", "between", NULL };
	static const char *const like[] = { "~~", "like", NULL };
	static const char *const contains[] = { "~~*", "ilike", "~", "~*", NULL };
	size_t i;

	if (is_any(span, op, equal))
		return SONDE_COND_EQUAL;
	if (is_any(span, op, range))
		return SONDE_COND_RANGE;
	if (is_any(span, op, contains))
		return SONDE_COND_CONTAINS;
	if (is(span, op, "is"))
		return is(span, op + 1, "null") && op + 2 == span->hi ? SONDE_COND_EQUAL : SONDE_COND_OTHER;
	if (!is_any(span, op, like))
		return SONDE_COND_OTHER;
	for (i = op + 1; i < span->hi; i++) {
		const struct sonde_scan_token *token = &span->scan->tokens[i];
		const char *pattern;

		if (token->kind != SONDE_SCAN_STRING)
			continue;
		pattern = memchr(token->start, '\'', token->len);
		return pattern && (pattern[1] == '%' || pattern[1] == '_') ? SONDE_COND_CONTAINS : SONDE_COND_PREFIX;
	}
	return SONDE_COND_OTHER;
}

static void swap(struct sonde_cond_column *a, struct sonde_cond_column *b)
{
	struct sonde_cond_column was = *a;

	*a = *b;
	*b = was;
}

static enum sonde_cond_kind judge(enum sonde_cond_kind by_op, enum operand left, enum operand right,
				  struct sonde_cond_term *term)
{
	if (left == OPERAND_VALUE && (right == OPERAND_COLUMN || right == OPERAND_EXPRESSION) &&
	    (by_op == SONDE_COND_EQUAL || by_op == SONDE_COND_RANGE)) {
		swap(&term->column, &term->other);
		left = right;
		right = OPERAND_VALUE;
	}
	if (by_op == SONDE_COND_OTHER)
		return by_op;
	if (left == OPERAND_COLUMN && right == OPERAND_VALUE)
		return by_op;
	if (left == OPERAND_EXPRESSION && right == OPERAND_VALUE)
		return by_op == SONDE_COND_CONTAINS ? by_op : SONDE_COND_EXPRESSION;
	if (left == OPERAND_COLUMN && right == OPERAND_COLUMN && by_op == SONDE_COND_EQUAL) {
		const char *a = term->column.table ? term->column.table : "", *b = term->other.table;

		return strcmp(a, b ? b : "") ? SONDE_COND_JOIN : SONDE_COND_OTHER;
	}
	return SONDE_COND_OTHER;
}

/* One comparison. */
static int classify(struct span span, struct sonde_cond_term *term)
{
	static const char *const operators[] = { "=",	   "<=>",   "<",   ">",	  "<=", ">=",	"<>",	 "!=",
						 "~~",	   "!~~",   "~~*", "~",	  "~*", "!~",	"!~*",	 "!~~*",
						 "@>",	   "<@",    "&&",  "is",  "in", "like", "ilike", "between",
						 "regexp", "rlike", "not", "xor", NULL };
	enum operand left, right = OPERAND_VALUE;
	struct span a = span, b = span;
	size_t op = find(&span, span.lo, operators);
	enum sonde_cond_kind by_op;
	int err = 0;

	term->kind = SONDE_COND_OTHER;
	if (op == span.lo || op == span.hi)
		return 0;
	by_op = kind_of(&span, op);
	a.hi = op;
	b.lo = op + 1;
	left = read_operand(a, &term->column, &err);
	if (is(&b, b.lo, "any")) {
		b.lo++;
		right = by_op == SONDE_COND_EQUAL ? read_operand(b, &term->other, &err) : OPERAND_OTHER;
		if (right != OPERAND_VALUE)
			right = OPERAND_OTHER;
	} else if (is(&b, b.lo, "all")) {
		right = OPERAND_OTHER;
	} else if (!is(&span, op, "is")) {
		right = read_operand(b, &term->other, &err);
	}
	if (!err)
		term->kind = judge(by_op, left, right, term);
	return err;
}

static int add_span(struct sonde_cond *cond, struct span span, unsigned int depth)
{
	static const char *const and[] = { "and", "between", NULL }, *const or [] = { "or", NULL };
	struct sonde_cond_term *term;
	size_t from, at;

	span = strip(span);
	/* MariaDB: a condition that holds only for rows an outer join has found. */
	if (is(&span, span.lo, "trigcond") && is(&span, span.lo + 1, "("))
		span = strip((struct span){ span.scan, span.lo + 1, span.hi });
	if (span.lo == span.hi || cond->nr == SONDE_COND_MAX_TERMS || depth > 64)
		return 0;
	if (find(&span, span.lo, or) == span.hi) {
		for (from = span.lo; (at = find(&span, from, and)) < span.hi && is(&span, at, "between");)
			from = at + 1 < span.hi ? find(&span, at + 1, and) + 1 : span.hi;
		if (at < span.hi) {
			int err = add_span(cond, (struct span){ span.scan, span.lo, at }, depth + 1);

			return err ? err : add_span(cond, (struct span){ span.scan, at + 1, span.hi }, depth + 1);
		}
	}
	term = &cond->terms[cond->nr++];
	*term = (struct sonde_cond_term){ .kind = SONDE_COND_EITHER, .text = text_of(&span) };
	if (!term->text)
		return -ENOMEM;
	return find(&span, span.lo, or) < span.hi ? 0 : classify(span, term);
}

/* MariaDB and MySQL mark what they keep: <cache>(...). */
static void drop_marks(struct sonde_scan *scan)
{
	size_t i, nr = 0;

	for (i = 0; i < scan->nr; i++) {
		if (sonde_scan_is(scan, i, "<") && i + 2 < scan->nr && sonde_scan_is(scan, i + 2, ">") &&
		    scan->tokens[i + 1].kind == SONDE_SCAN_WORD &&
		    scan->tokens[i + 1].start == scan->tokens[i].start + 1)
			i += 3;
		if (i < scan->nr)
			scan->tokens[nr++] = scan->tokens[i];
	}
	scan->nr = nr;
}

static unsigned int flags_of(bool mysql)
{
	return mysql ? SONDE_SCAN_MYSQL | SONDE_SCAN_BACKSLASH : 0;
}

int sonde_cond_add(struct sonde_cond *cond, const char *text, bool mysql)
{
	struct sonde_scan scan;
	int err = sonde_scan_text(&scan, text, flags_of(mysql));

	if (!err) {
		if (mysql)
			drop_marks(&scan);
		err = add_span(cond, (struct span){ &scan, 0, scan.nr }, 0);
	}
	sonde_scan_free(&scan);
	return err == -EINVAL ? 0 : err;
}

bool sonde_cond_column_of(struct sonde_cond_column *out, const char *text, bool mysql, bool *descending)
{
	struct sonde_scan scan;
	bool found = false;

	*out = (struct sonde_cond_column){ NULL };
	*descending = false;
	if (sonde_scan_text(&scan, text, flags_of(mysql)) == 0) {
		struct span span = { &scan, 0, scan.nr };

		if (scan.nr && is(&span, scan.nr - 1, "desc")) {
			*descending = true;
			span.hi--;
		}
		span = strip(span);
		found = span.lo < span.hi && read_column(&span, out) == 1;
	}
	sonde_scan_free(&scan);
	if (!found)
		sonde_cond_column_free(out);
	return found;
}

void sonde_cond_column_free(struct sonde_cond_column *column)
{
	free(column->table);
	free(column->name);
	free(column->spelled);
	free(column->cast);
	*column = (struct sonde_cond_column){ NULL };
}

void sonde_cond_free(struct sonde_cond *cond)
{
	size_t i;

	for (i = 0; i < cond->nr; i++) {
		sonde_cond_column_free(&cond->terms[i].column);
		sonde_cond_column_free(&cond->terms[i].other);
		free(cond->terms[i].text);
	}
	cond->nr = 0;
}
