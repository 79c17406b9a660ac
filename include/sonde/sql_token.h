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

#include "sql_list.h"

SONDE_INLINE const struct sonde_sql_word *sql_lookup(u64 h)
{
	u32 slot = ((h >> 24) + sonde_sql_disp[(h ^ h >> 17) & 255] * (h >> 40 | 1)) & 1023;
	const struct sonde_sql_word *w = &sonde_sql_words[sonde_sql_slot[slot] & 1023];

	return w->hash == h ? w : (const struct sonde_sql_word *)0;
}

/* The open token is keyword @w: in lower case. */
SONDE_INLINE void sql_put_word(struct sonde_sql *s, const struct sonde_sql_word *w)
{
	u32 at = s->tok_out & SQL_TEXT_MASK;

	sql_put8(s, at, w->text[0]);
	sql_put8(s, at + 8, w->text[1]);
	sql_put8(s, at + 16, w->text[2]);
}

/* One more literal; the order counts. */
SONDE_INLINE u64 sql_mix(u64 literals, u64 h)
{
	literals = (literals ^ h) * 0x9e3779b97f4a7c15ULL;
	return literals ^ literals >> 29;
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
		s->literals = sql_mix(s->literals, h);
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
	s->literals = sql_mix(s->literals, h);
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
		if (s->seen & SQL_A_UPPER)
			sql_put_word(s, w);
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
		if (w && !odd)
			sql_put_word(s, w); /* as it goes out without quotes */
	}
	if (odd || (u8)(first - '0') < 10 || s->len == s->tok_out)
		SONDE_SQL_QUOTE(s, slot, quote);
	sql_name(s, slot, 0, 0);
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
		s->literals = sql_mix(s->literals, s->hash);
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
