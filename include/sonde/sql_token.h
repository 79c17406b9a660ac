/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql_token.h - second stage of the SQL normaliser: called when a token ends, decides what of it stays in the text.
 *
 * The bytes of the token already stand in s->text[tok_out..len), a blank in front of it if one was due. What is
 * dropped or folded is undone by setting s->len back. Included by sql_core.h only.
 *
 * Everything lives in struct sonde_sql and not in registers: for the verifier two branches that end with the same
 * few registers are one state again, so the cost of checking is the length of the code and not the number of paths.
 */
#ifndef SONDE_SQL_TOKEN_H
#define SONDE_SQL_TOKEN_H

#include "sql.h"
#include "sql_tables.h"

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

#ifndef SONDE_SQL_GLOBAL
#define SONDE_SQL_DIGITS(s, slot) sonde_sql_digits(s)
#define SONDE_SQL_LOWER(s, slot) sonde_sql_lower(s)
#define SONDE_SQL_QUOTE(s, slot, c) sonde_sql_quote(s, c)
#endif

/* Rare work on the open name, in sql_core.h. */
SONDE_INLINE void sonde_sql_digits(struct sonde_sql *s);
SONDE_INLINE void sonde_sql_lower(struct sonde_sql *s);
SONDE_INLINE void sonde_sql_quote(struct sonde_sql *s, u8 quote);

#define SQL_BIT(st) (1ULL << SQL_ST_##st)
/* Which tokens get a blank in front: after most tokens, after a name (calls), after an opening bracket. */
#define SQL_GAP_ALL (~(SQL_BIT(CM) | SQL_BIT(RP) | SQL_BIT(RB) | SQL_BIT(LB) | SQL_BIT(SM) | SQL_BIT(DOTW)))
#define SQL_GAP_CALL (SQL_GAP_ALL & ~SQL_BIT(LP))
#define SQL_GAP_NONE 0ULL

#define SQL_TEXT_MASK (SONDE_TEXT_BYTES - 1)
#define SQL_FNV_INVERSE 0xce965057aff6957bULL /* SONDE_FNV_PRIME times this is 1 */

/* Stores @w at any position; only the bytes up to the new length count. */
SONDE_INLINE void sql_put8(struct sonde_sql *s, u32 at, u64 w)
{
#ifdef __bpf__
	*(volatile u64 *)(s->text + at) = w;
#else
	__builtin_memcpy(s->text + at, &w, sizeof(w));
#endif
}

SONDE_INLINE void sql_put(struct sonde_sql *s, u8 c)
{
	s->text[s->len & SQL_TEXT_MASK] = c;
	s->len++;
}

/* The open token goes out of the text. */
SONDE_INLINE void sql_undo(struct sonde_sql *s)
{
	s->len = s->full ? SONDE_SQL_TEXT_MAX : s->tok_base;
}

/* The token stays as it stands and becomes the one before. */
SONDE_INLINE void sql_settle(struct sonde_sql *s, u8 prev, u8 role, u64 gap)
{
	s->prev_base = s->tok_base;
	s->prev_out = s->tok_out;
	s->prev = prev;
	s->prev_role = role;
	s->gap = gap;
}

SONDE_INLINE const struct sonde_sql_word *sql_lookup(u64 h)
{
	u32 slot = ((h >> 24) + sonde_sql_disp[(h ^ h >> 17) & 255] * (h >> 40 | 1)) & 1023;
	const struct sonde_sql_word *w = &sonde_sql_words[sonde_sql_slot[slot] & 1023];

	return w->hash == h ? w : NULL;
}

/* The name of an output column changes nothing: programs make up many, and they look like data. */
SONDE_INLINE void sql_drop_alias(struct sonde_sql *s)
{
	s->tok_base = s->prev_base;
	s->tok_out = s->prev_out;
	s->len = s->prev_base;
	s->counted = 0;
	sql_settle(s, SQL_P_OPERAND, 0, SQL_GAP_ALL);
}

/* A value: `?`, with a sign, a type name or a character set in front taken in. */
SONDE_INLINE void sql_literal(struct sonde_sql *s, u32 is_string)
{
	u64 h = s->hash;

	if (is_string && s->prev == SQL_P_STRING) { /* 'a' 'b' is one string */
		s->len = s->tok_base;
		s->literals = (s->literals ^ h) * SONDE_FNV_PRIME;
		return;
	}
	if (is_string && s->columns && s->prev_role == SQL_KW_AS) { /* AS 'alias' of MySQL */
		sql_drop_alias(s);
		return;
	}
	if (s->sign) {
		h ^= s->text[s->sign_out & SQL_TEXT_MASK];
		s->tok_out = s->sign_out;
	} else if (s->prev == SQL_P_NAME && s->counted != 2) {
		u8 typed = s->prev_role == SQL_KW_TYPE && is_string;

		typed |= s->prev_role == SQL_KW_INTERVAL && s->dialect != SONDE_SQL_MYSQL;
		typed |= is_string && s->dialect == SONDE_SQL_MYSQL && s->text[s->prev_out & SQL_TEXT_MASK] == '_';
		if (typed) {
			s->nr_names -= s->counted;
			s->tok_base = s->prev_base;
			s->tok_out = s->prev_out;
		}
	}
	s->literals = sonde_mix64(s->literals ^ h);
	s->len = s->tok_out;
	sql_put(s, '?');
	sql_settle(s, is_string ? SQL_P_STRING : SQL_P_LITERAL, 0, SQL_GAP_ALL);
}

/* A name, quoted or not, or (@word) a keyword that stands for one. */
SONDE_INLINE void sql_name(struct sonde_sql *s, u32 slot, u8 role, u32 word)
{
	if (s->columns && s->prev_role == SQL_KW_AS) {
		sql_drop_alias(s);
		return;
	}
	if (s->seen & SQL_A_DIGIT && s->len - s->tok_out > 7)
		SONDE_SQL_DIGITS(s, slot);
	/* Column or table? Types and the later parts of a dotted name are not counted. */
	s->counted = s->prev != SQL_P_DOT && s->prev != SQL_P_CAST && s->prev_role != SQL_KW_AS;
	s->nr_names += s->counted;
	if (s->folding && !word && s->prev != SQL_P_START && s->prev != SQL_P_DOT) {
		s->len = s->tok_out;
		sql_put(s, '?');
	}
	sql_settle(s, SQL_P_NAME, role, SQL_GAP_CALL);
}

/* The type of a cast that is dropped: `?::character varying(10)[]` is `?`. Returns true if the word belongs to it. */
SONDE_INLINE u32 sql_cast_word(struct sonde_sql *s, u8 role)
{
	if (s->cast == 2 && role != SQL_KW_TYPE && role != SQL_KW_TYPE2 && role != SQL_KW_WITH) {
		s->cast = 0;
		return 0;
	}
	s->cast = 2;
	s->len = s->tok_base;
	return 1;
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

/* First keyword decides the verb, behind WITH the first main one. */
SONDE_INLINE void sql_verb(struct sonde_sql *s, const struct sonde_sql_word *w)
{
	if (!s->verb && !s->with) {
		if (w->role == SQL_KW_WITH) {
			s->with = 1;
		} else {
			s->verb = w->verb;
			s->folding = !!(w->flags & SQL_W_FOLDING);
		}
	} else if (s->with && !s->verb && !s->depth && w->flags & SQL_W_MAIN) {
		s->verb = w->verb;
	}
	if (w->role == SQL_KW_SELECT)
		s->nr_selects++;
	if (w->role == SQL_KW_SELECT || w->role == SQL_KW_RETURNING)
		s->columns = 1;
	if (w->role == SQL_KW_CLAUSE || (w->role == SQL_KW_FROM && s->prev_role != SQL_KW_DISTINCT))
		s->columns = 0;
	if (w->role == SQL_KW_BEGIN && s->verb == SONDE_SQL_DDL)
		s->nosplit = 1; /* a procedure's body has its own `;` */
}

SONDE_INLINE void sql_keyword(struct sonde_sql *s, u32 slot, const struct sonde_sql_word *w)
{
	u8 role = w->role, flags = w->flags;
	u8 vals = s->vals;

	s->vals = 0;
	sql_verb(s, w);
	if (role == SQL_KW_NULL) {
		if (s->prev <= SQL_P_COMMA && s->prev != SQL_P_START && s->prev_role != SQL_KW_IS &&
		    s->prev_role != SQL_KW_NOT && s->prev_role != SQL_KW_SET) {
			sql_literal(s, 0);
			return;
		}
	} else if (role == SQL_KW_VALUES) {
		sql_values(s);
		return;
	} else if (role == SQL_KW_VALUE && s->dialect == SONDE_SQL_MYSQL && s->verb == SONDE_SQL_INSERT && !s->depth &&
		   (s->prev == SQL_P_RP || s->prev == SQL_P_NAME)) {
		s->vals = 1;
		role = SQL_KW_VALUES;
		flags = 0;
	} else if (role == SQL_KW_ROW && (vals & 1)) {
		s->vals = vals;
	} else if (role == SQL_KW_ANY || role == SQL_KW_ALL) {
		s->any = 0;
		if (s->prev == SQL_P_OP)
			s->any = role == SQL_KW_ANY ? s->op & 1 : s->op & 2;
		if (s->prev != SQL_P_OP)
			role = 0;
	}
	if (role == SQL_KW_ON && s->verb == SONDE_SQL_SET && (s->prev == SQL_P_OP || s->prev_role == SQL_KW_TO)) {
		sql_literal(s, 0); /* a switch */
		return;
	}
	if (flags & SQL_W_NAME && s->prev != SQL_P_START) {
		sql_name(s, slot, role, 1);
		return;
	}
	s->counted = 0;
	sql_settle(s, flags & SQL_W_OPERAND ? SQL_P_OPERAND : SQL_P_KEYWORD, role,
		   flags & SQL_W_CALL ? SQL_GAP_CALL : SQL_GAP_ALL);
}

SONDE_INLINE void sql_word(struct sonde_sql *s, u32 slot)
{
	const struct sonde_sql_word *w = sql_lookup(s->hash);

	if (s->cast && sql_cast_word(s, w ? w->role : 0))
		return;
	if (!w || s->prev == SQL_P_DOT) {
		s->vals = 0;
		if (s->seen & SQL_A_UPPER && s->dialect != SONDE_SQL_MYSQL)
			SONDE_SQL_LOWER(s, slot);
		sql_name(s, slot, 0, 0);
	} else {
		u32 at = s->tok_out & SQL_TEXT_MASK;

		sql_put8(s, at, w->text[0]);
		sql_put8(s, at + 8, w->text[1]);
		sql_put8(s, at + 16, w->text[2]);
		sql_keyword(s, slot, w);
	}
	s->sign = 0;
}

/* A quoted name: the quotes stay away if the name reads the same without. */
SONDE_INLINE void sql_quoted(struct sonde_sql *s, u32 slot, u32 old)
{
	u8 quote = s->dialect == SONDE_SQL_MYSQL ? '`' : '"';
	u8 close = old == SQL_ST_QDQ ? '"' : old == SQL_ST_QBQ ? '`' : ']';
	u32 odd = s->seen & (s->dialect == SONDE_SQL_MYSQL ? SQL_A_ODD : SQL_A_ODD | SQL_A_UPPER);
	u8 first = s->text[s->tok_out & SQL_TEXT_MASK];

	s->vals = 0;
	s->sign = 0;
	if (s->cast && sql_cast_word(s, 0))
		return;
	if (!odd && s->prev != SQL_P_DOT) {
		const struct sonde_sql_word *w = sql_lookup(s->hash * SQL_FNV_INVERSE ^ close);

		odd = w && w->flags & SQL_W_RESERVED;
	}
	if (odd || (u8)(first - '0') < 10 || s->len == s->tok_out)
		SONDE_SQL_QUOTE(s, slot, quote);
	sql_name(s, slot, 0, 0);
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
		} else if (s->prev_role == SQL_KW_INTERVAL && s->prev == SQL_P_NAME &&
			   s->dialect != SONDE_SQL_MYSQL) {
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

/* `+` or `-`: pending if it can be a number's sign. */
SONDE_INLINE void sql_sign(struct sonde_sql *s)
{
	if (s->prev <= SQL_P_COMMA) {
		if (!s->sign)
			s->sign_out = s->tok_out;
		s->sign = 1;
		s->gap = SQL_GAP_ALL;
		return;
	}
	s->op = 0;
	sql_settle(s, SQL_P_OP, 0, SQL_GAP_ALL);
}

SONDE_INLINE void sql_operator(struct sonde_sql *s, u32 kind)
{
	u8 c = s->text[s->tok_out & SQL_TEXT_MASK];
	u8 c1 = s->text[(s->tok_out + 1) & SQL_TEXT_MASK];
	u32 n = s->len - s->tok_out;

	s->vals = 0;
	if (kind == SQL_K_STAR && (s->prev <= SQL_P_COMMA || s->prev == SQL_P_DOT)) {
		if (s->folding) {
			s->len = s->tok_out;
			sql_put(s, '?');
		}
		sql_settle(s, SQL_P_OPERAND, 0, SQL_GAP_ALL); /* all columns */
	} else if (s->folding && kind == SQL_K_OP) {
		sql_settle(s, SQL_P_OP, 0, SQL_GAP_ALL);
	} else {
		s->op = n == 1 && c == '=';
		if (n == 2 && (c == '<' || c == '!') && c1 == (c == '<' ? '>' : '='))
			s->op = 2;
		s->op_base = s->tok_base;
		sql_settle(s, SQL_P_OP, 0, SQL_GAP_ALL);
	}
	s->sign = 0;
	s->cast = 0;
}

/* `.` and `::`: written without blanks. A cast of a literal starts to be dropped. */
SONDE_INLINE void sql_joint(struct sonde_sql *s, u32 kind)
{
	s->sign = 0;
	s->vals = 0;
	s->len = s->tok_base;
	if (s->cast == 2 && kind == SQL_K_DOT) {
		s->cast = 1;
		return;
	}
	if (kind == SQL_K_CAST && (s->prev == SQL_P_LITERAL || s->prev == SQL_P_STRING)) {
		s->prev = SQL_P_LITERAL;
		s->cast = 1;
		return;
	}
	s->cast = 0;
	if (kind == SQL_K_DOT) {
		sql_put(s, '.');
		sql_settle(s, SQL_P_DOT, 0, SQL_GAP_NONE);
	} else {
		sql_put(s, ':');
		sql_put(s, ':');
		sql_settle(s, SQL_P_CAST, 0, SQL_GAP_NONE);
	}
}

/* `;` ends the statement unless it is inside one. */
SONDE_INLINE void sql_semicolon(struct sonde_sql *s)
{
	if (s->nosplit || s->depth) {
		sql_settle(s, SQL_P_SEMI, 0, SQL_GAP_ALL);
		return;
	}
	s->len = s->tok_base;
	s->end = s->tok_in + 1;
	s->done = 1;
}

/* The text is full: brackets are still counted, for the end of the statement. */
SONDE_INLINE void sql_token_full(struct sonde_sql *s, u32 kind)
{
	if (kind == SQL_K_LP || kind == SQL_K_LB)
		s->depth++;
	else if ((kind == SQL_K_RP || kind == SQL_K_RB) && s->depth)
		s->depth--;
	else if (kind == SQL_K_SEMI && !s->depth && !s->nosplit)
		s->end = s->tok_in + 1, s->done = 1;
	else if (kind == SQL_K_NUM || kind == SQL_K_STR)
		s->literals = sonde_mix64(s->literals ^ s->hash);
	s->len = SONDE_SQL_TEXT_MAX;
}

/* The token of state @old has ended. */
SONDE_INLINE void sql_token(struct sonde_sql *s, u32 slot, u32 old)
{
	u32 kind = sonde_sql_kind_of[old & 63];

	if (s->len >= SONDE_SQL_TEXT_MAX) {
		if (!s->full) {
			s->full = 1;
			s->full_len = s->tok_base;
		}
		sql_token_full(s, kind);
		return;
	}
	if (kind == SQL_K_WORD) {
		sql_word(s, slot);
	} else if (kind == SQL_K_NAME) {
		sql_quoted(s, slot, old);
	} else if (kind == SQL_K_STR || kind == SQL_K_NUM || kind == SQL_K_PARAM) {
		sql_literal(s, kind == SQL_K_STR);
		s->sign = 0;
		s->vals = 0;
		s->cast = 0;
	} else if (kind == SQL_K_COMMA) {
		sql_comma(s);
	} else if (kind == SQL_K_LP || kind == SQL_K_LB) {
		sql_open(s, kind == SQL_K_LP ? '(' : '[');
	} else if (kind == SQL_K_RP || kind == SQL_K_RB) {
		sql_close_bracket(s, kind == SQL_K_RP ? ')' : ']');
	} else if (kind == SQL_K_DOT || kind == SQL_K_CAST) {
		sql_joint(s, kind);
	} else if (kind == SQL_K_SIGN) {
		s->cast = 0;
		s->vals = 0;
		sql_sign(s);
	} else if (kind == SQL_K_MINUS2) { /* MySQL: 5--3 subtracts minus three */
		s->len = s->tok_base;
		sql_put(s, ' ');
		sql_put(s, '-');
		sql_settle(s, SQL_P_OP, 0, SQL_GAP_ALL);
		s->sign = 1;
		sql_put(s, ' ');
		s->sign_out = s->len;
		sql_put(s, '-');
		s->cast = 0;
		s->vals = 0;
	} else if (kind == SQL_K_SEMI) {
		sql_semicolon(s);
	} else if (kind == SQL_K_OP || kind == SQL_K_STAR) {
		sql_operator(s, kind);
	} else {
		s->gap = SQL_GAP_ALL; /* hints: they change nothing around them */
		if (kind == SQL_K_XOPEN)
			s->hint = 1;
		if (kind == SQL_K_XCLOSE)
			s->hint = 0;
	}
}

#endif /* SONDE_SQL_TOKEN_H */
