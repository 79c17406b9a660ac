/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql_list.h - brackets and lists of the SQL normaliser: what collapses to `(?+)`, and when.
 *
 * A list is shortened at every comma, so the text stays short however long the list is. Included by sql_token.h.
 */
#ifndef SONDE_SQL_LIST_H
#define SONDE_SQL_LIST_H

#include "sql_text.h"

/* Kind of the token before: what a sign, NULL or `(` means depends on it. */
enum sonde_sql_prev {
	SQL_P_START,
	SQL_P_KEYWORD,
	SQL_P_OP,
	SQL_P_LP,
	SQL_P_COMMA, /* up to here a value may follow */
	SQL_P_OPERAND,
	SQL_P_NAME,
	SQL_P_LITERAL,
	SQL_P_STRING, /* a literal that a following string adds to */
	SQL_P_RP,
	SQL_P_DOT,
	SQL_P_CAST,
	SQL_P_SEMI,
};

enum sonde_sql_list {
	SQL_L_PLAIN,
	SQL_L_DROP, /* goes out of the text as a whole: precision of a type that is dropped */
	SQL_L_ROW, /* from here on: a comma list that collapses */
	SQL_L_IN,
	SQL_L_ANY,
	SQL_L_ARRAY,
};

#define SQL_BIT(st) (1ULL << SQL_ST_##st)
/* Which tokens get a blank in front: after most tokens, after a name (calls), after an opening bracket. */
#define SQL_GAP_ALL (~(SQL_BIT(CM) | SQL_BIT(RP) | SQL_BIT(RB) | SQL_BIT(LB) | SQL_BIT(SM) | SQL_BIT(DOTW)))
#define SQL_GAP_CALL (SQL_GAP_ALL & ~SQL_BIT(LP))
#define SQL_GAP_NONE 0ULL

#define SQL_FNV_INVERSE 0xce965057aff6957bULL /* SONDE_FNV_PRIME times this is 1 */

/* The token stays as it stands and becomes the one before. */
SONDE_INLINE void sql_settle(struct sonde_sql *s, u8 prev, u8 role, u64 gap)
{
	s->prev_base = s->tok_base;
	s->prev_out = s->tok_out;
	s->prev = prev;
	s->prev_role = role;
	s->gap = gap;
}

SONDE_INLINE void sql_values(struct sonde_sql *s)
{
	u32 top = (s->depth - 1) & (SONDE_SQL_DEPTH - 1);

	/* VALUES(col) of ON DUPLICATE KEY is a function, also as an argument of one. */
	if (s->prev == SQL_P_OP || (s->depth && s->paren[top].prev == SQL_P_NAME && s->prev <= SQL_P_COMMA)) {
		s->counted = 0;
		sql_settle(s, SQL_P_NAME, 0, SQL_GAP_CALL);
		return;
	}
	s->vals = 1;
	sql_settle(s, SQL_P_KEYWORD, SQL_KW_VALUES, SQL_GAP_ALL);
}

/* May what stands in the bracket collapse to `?+`? */
SONDE_INLINE u32 sql_collapses(struct sonde_sql *s, const struct sonde_sql_paren *e)
{
	if (e->kind < SQL_L_ROW || e->nr_selects != s->nr_selects)
		return 0;
	return e->kind == SQL_L_ROW || e->nr_names == s->nr_names;
}

SONDE_INLINE void sql_open(struct sonde_sql *s, u8 c)
{
	struct sonde_sql_paren *e = &s->paren[s->depth & (SONDE_SQL_DEPTH - 1)];
	u8 kind = SQL_L_PLAIN;

	s->len = s->tok_out; /* the bracket's own byte is rewritten: the gap is decided here for `[` */
	sql_put(s, c);
	if (s->prev == SQL_P_NAME && c == '(')
		s->nr_names -= s->counted;
	if (s->depth < SONDE_SQL_DEPTH) {
		e->base = s->tok_base;
		e->op = 0;
		if (s->cast == 2) {
			kind = SQL_L_DROP;
		} else if (s->vals & 1) {
			kind = SQL_L_ROW;
			e->op = s->vals == 3 && s->cut;
			e->base = s->cut;
		} else if (s->prev_role == SQL_KW_IN) {
			kind = SQL_L_IN;
		} else if (s->prev_role == SQL_KW_ANY || s->prev_role == SQL_KW_ALL) {
			kind = SQL_L_ANY;
			e->op = s->any;
			e->base = s->op_base;
		} else if (s->prev_role == SQL_KW_ARRAY && c == '[') {
			kind = SQL_L_ARRAY;
		} else if (s->prev_role == SQL_KW_INTERVAL && s->prev == SQL_P_NAME && s->dialect != SONDE_SQL_MYSQL) {
			kind = SQL_L_DROP;
			s->nr_names += s->counted;
		}
		e->kind = kind;
		e->inner = s->len;
		e->nr_names = s->nr_names;
		e->nr_selects = s->nr_selects;
		e->prev = s->prev;
		e->prev_role = s->prev_role;
		e->columns = s->columns;
	}
	s->depth++;
	s->columns = 0;
	if (kind == SQL_L_DROP) {
		s->sign_out = s->prev_out; /* kept for the close */
		e->op = s->cast;
		e->inner = s->prev_out;
		s->op_base = s->prev_base;
	}
	s->vals = 0;
	s->cast = 0;
	s->sign = 0;
	s->counted = 0;
	sql_settle(s, SQL_P_LP, 0, SQL_GAP_NONE);
}

/* The list before `)` collapses: what is written in its place, and what it then counts as. */
SONDE_INLINE void sql_close_list(struct sonde_sql *s, const struct sonde_sql_paren *e, u8 c)
{
	if (e->kind == SQL_L_ROW && e->op) {
		s->len = e->base;
	} else if (e->kind == SQL_L_ANY && e->op) {
		u32 at = e->base & SQL_TEXT_MASK;

		if (e->op == 1) {
			sql_put8(s, at, 0x292b3f28206e6920ULL); /* " in (?+)" */
			s->len = e->base + 8;
		} else {
			sql_put8(s, at, 0x206e6920746f6e20ULL); /* " not in " */
			sql_put8(s, at + 8, 0x292b3f28ULL); /* "(?+)" */
			s->len = e->base + 12;
		}
	} else {
		s->len = e->inner;
		sql_put(s, '?');
		sql_put(s, '+');
		sql_put(s, c);
	}
}

SONDE_INLINE void sql_close_bracket(struct sonde_sql *s, u8 c)
{
	struct sonde_sql_paren *e;
	u8 prev = SQL_P_RP, kind = SQL_L_PLAIN;
	u32 collapses = 0;

	s->len = s->tok_base;
	sql_put(s, c);
	s->sign = 0;
	s->cast = 0;
	s->vals = 0;
	if (s->depth && --s->depth < SONDE_SQL_DEPTH) {
		e = &s->paren[s->depth & (SONDE_SQL_DEPTH - 1)];
		kind = e->kind;
		s->columns = e->columns;
		if (kind == SQL_L_DROP) {
			s->len = e->base;
			s->tok_base = s->op_base;
			s->tok_out = e->inner;
			s->cast = e->op;
			sql_settle(s, e->prev, e->prev_role, SQL_GAP_ALL);
			s->counted = e->prev == SQL_P_NAME;
			return;
		}
		collapses = s->prev != SQL_P_LP && sql_collapses(s, e);
		if (collapses)
			sql_close_list(s, e, c);
		if (kind == SQL_L_ROW) {
			s->vals = 2;
			s->cut = collapses ? s->len : 0;
		}
	}
	if (collapses && kind == SQL_L_ARRAY)
		prev = SQL_P_LITERAL; /* a cast behind it is dropped */
	sql_settle(s, prev, 0, SQL_GAP_ALL);
}

SONDE_INLINE void sql_comma(struct sonde_sql *s)
{
	u32 top = s->depth - 1;
	u8 vals = s->vals;

	s->vals = 0;
	s->cast = 0;
	s->sign = 0;
	s->len = s->tok_base;
	if (vals == 2)
		s->vals = 3;
	if (top < SONDE_SQL_DEPTH) {
		struct sonde_sql_paren *e = &s->paren[top & (SONDE_SQL_DEPTH - 1)];

		/* Collapsing at every comma keeps the text short however long the list is. */
		if (s->prev != SQL_P_LP && sql_collapses(s, e)) {
			s->len = e->inner;
			sql_put(s, '?');
			sql_put(s, '+');
		}
	}
	sql_put(s, ',');
	sql_settle(s, SQL_P_COMMA, 0, SQL_GAP_ALL);
}

#endif /* SONDE_SQL_LIST_H */
