/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * again.h - "the same statement as the last time, with other literals", told without the normaliser.
 *
 * Clients that paste literals into the text send the same statement over and over: that is what a loop of queries is.
 * Once a statement has come twice in a row, its text is cut at its literals into pieces. The next text is compared
 * with the pieces, eight bytes a step, and what stands between them must be a literal of the same kind. That takes a
 * tenth of the time of the normaliser. What matches has the same id; what does not match goes to the normaliser, so
 * whatever is doubtful is simply left out: only runs of digits and simple strings, where nothing before or behind can
 * make them part of something else, count as literals here.
 */
#ifndef SONDE_AGAIN_H
#define SONDE_AGAIN_H

#include "proto.h"

#define SONDE_AGAIN_BYTES 256u /* longest text */
#define SONDE_AGAIN_PIECES 9u

/* What stands behind a piece. */
enum sonde_again_kind {
	SONDE_AGAIN_END = 0,
	SONDE_AGAIN_DIGITS,
	SONDE_AGAIN_STRING, /* between quotes, which belong to the pieces */
};

/* Lexer states while a text is cut. */
enum sonde_again_state {
	SONDE_AGAIN_CODE = 0,
	SONDE_AGAIN_IN_DIGITS,
	SONDE_AGAIN_IN_STRING,
	SONDE_AGAIN_IN_NAME, /* "name" or `name` */
	SONDE_AGAIN_NEVER, /* something that is not told apart here: no pieces */
};

/**
 * struct sonde_again - a text in pieces
 * @id, @verb: the statement's
 * @nr: pieces; 0: none
 * @piece: begin and length in @text, and what follows
 */
struct sonde_again {
	u64 id;
	u8 verb;
	u8 nr;
	u8 state; /* while it is made */
	u8 before; /* last byte outside literals */
	u16 begin; /* of the open piece */
	u8 quote; /* that ends the open name */
	u8 pad;
	struct {
		u16 at;
		u8 len;
		u8 kind; /* enum sonde_again_kind */
	} piece[SONDE_AGAIN_PIECES];
	u32 pad2;
	u32 k, at, done, literal; /* while it is compared: piece, bytes used up, bytes of the piece, between pieces */
	u64 hash; /* over the literals passed */
	u8 text[SONDE_AGAIN_BYTES + 8]; /* the slack is read with the last word */
};

/* Bytes that may stand before a literal: nothing they end can reach into it. */
SONDE_INLINE bool sonde_again_opens(u32 c)
{
	return c == ' ' || c == '=' || c == '(' || c == ',' || c == '<' || c == '>' || c == '\n' || c == '\t' ||
	       c == '-' || c == '+';
}

/* Bytes that may stand behind a run of digits. */
SONDE_INLINE bool sonde_again_closes(u32 c)
{
	return c == ' ' || c == ',' || c == ')' || c == ';' || c == '\n' || c == '\t' || c == '=' || c == '<' ||
	       c == '>';
}

SONDE_INLINE void sonde_again_cut(struct sonde_again *a, u32 at, u32 kind)
{
	u32 len = at - a->begin;

	if (a->nr >= SONDE_AGAIN_PIECES || len > 255) {
		a->state = SONDE_AGAIN_NEVER;
		return;
	}
	a->piece[a->nr].at = a->begin;
	a->piece[a->nr].len = len;
	a->piece[a->nr].kind = kind;
	a->nr++;
}

/* One byte of code, outside quotes and literals. */
SONDE_INLINE void sonde_again_code(struct sonde_again *a, u32 i, u32 c)
{
	u32 before = a->before;

	a->before = c;
	if (c == '\'') {
		if (!sonde_again_opens(before)) {
			a->state = SONDE_AGAIN_NEVER; /* E'', X'', N'', or the second half of a doubled quote */
			return;
		}
		sonde_again_cut(a, i + 1, SONDE_AGAIN_STRING);
		if (a->state != SONDE_AGAIN_NEVER)
			a->state = SONDE_AGAIN_IN_STRING;
	} else if (c == '"' || c == '`') {
		a->quote = c;
		a->state = SONDE_AGAIN_IN_NAME;
	} else if (c >= '0' && c <= '9' && sonde_again_opens(before)) {
		sonde_again_cut(a, i, SONDE_AGAIN_DIGITS);
		if (a->state != SONDE_AGAIN_NEVER)
			a->state = SONDE_AGAIN_IN_DIGITS;
	} else if (c == '$' || c == '#' || c == '\\' || c == '[' || c == '?' || c == 0 || (c == '-' && before == '-') ||
		   (c == '*' && before == '/')) {
		a->state = SONDE_AGAIN_NEVER; /* dollar quotes, comments, hints, parameters */
	}
}

/** sonde_again_byte - the next byte of the text that is cut: @c, number @i < SONDE_AGAIN_BYTES */
SONDE_INLINE void sonde_again_byte(struct sonde_again *a, u32 i, u32 c)
{
	a->text[i & (SONDE_AGAIN_BYTES - 1)] = c;
	switch (a->state) {
	case SONDE_AGAIN_CODE:
		sonde_again_code(a, i, c);
		break;
	case SONDE_AGAIN_IN_DIGITS:
		if (c >= '0' && c <= '9')
			break;
		a->begin = i;
		a->before = c;
		a->state = sonde_again_closes(c) ? SONDE_AGAIN_CODE : SONDE_AGAIN_NEVER;
		break;
	case SONDE_AGAIN_IN_STRING:
		if (c == '\\') {
			a->state = SONDE_AGAIN_NEVER;
		} else if (c == '\'') {
			a->begin = i;
			a->before = c; /* a quote right behind is not opened by this: NEVER */
			a->state = SONDE_AGAIN_CODE;
		}
		break;
	case SONDE_AGAIN_IN_NAME:
		if (c == '\\')
			a->state = SONDE_AGAIN_NEVER;
		else if (c == a->quote)
			a->state = SONDE_AGAIN_CODE;
		break;
	}
}

/** sonde_again_begin - a text is going to be cut */
SONDE_INLINE void sonde_again_begin(struct sonde_again *a, u64 id, u32 verb)
{
	a->id = id;
	a->verb = verb;
	a->nr = 0;
	a->state = SONDE_AGAIN_CODE;
	a->before = 0;
	a->begin = 0;
}

/** sonde_again_end - the text of @len bytes is complete: @a can be compared with from here on, if it has pieces */
SONDE_INLINE void sonde_again_end(struct sonde_again *a, u32 len)
{
	if (a->state == SONDE_AGAIN_IN_DIGITS) {
		a->begin = len; /* an empty piece ends it */
		a->state = SONDE_AGAIN_CODE;
	}
	if (a->state == SONDE_AGAIN_CODE)
		sonde_again_cut(a, len, SONDE_AGAIN_END);
	if (a->state != SONDE_AGAIN_CODE)
		a->nr = 0;
}

SONDE_INLINE u64 sonde_again_load(const u8 *p)
{
	u64 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

/* Bytes at the beginning of @word that are digits, 0 to 8. */
SONDE_INLINE u32 sonde_again_digits(u64 word)
{
	const u64 ones = 0x0101010101010101ULL;
	/* A byte is a digit if it is below 0x80 and adding neither of these carries as it should not. */
	u64 not_digit = (((word & (ones * 0x7f)) + ones * (0x7f - '9')) |
			 ~((word & (ones * 0x7f)) + ones * (0x80 - '0')) | word) &
			(ones << 7);

	if (!not_digit)
		return 8;
	return (u32)(((((not_digit ^ (not_digit - 1)) >> 8) & ones) * ones) >> 56);
}

/* Bytes at the beginning of @word before the first quote or backslash, 0 to 8. */
SONDE_INLINE u32 sonde_again_plain(u64 word)
{
	const u64 ones = 0x0101010101010101ULL;
	u64 q = word ^ ones * '\'', b = word ^ ones * '\\', z = word;
	u64 hit = (((q - ones) & ~q) | ((b - ones) & ~b) | ((z - ones) & ~z)) & (ones << 7);

	if (!hit)
		return 8;
	return (u32)(((((hit ^ (hit - 1)) >> 8) & ones) * ones) >> 56);
}

/* Passes up to eight bytes of a literal. */
SONDE_INLINE int sonde_again_literal(struct sonde_again *a, u64 word, u32 len, u32 kind)
{
	u32 n = kind == SONDE_AGAIN_DIGITS ? sonde_again_digits(word) : sonde_again_plain(word);

	if (n > len - a->at)
		n = len - a->at; /* what lies behind the text is not its */
	if (n < 8)
		word &= (1ULL << (8 * n & 63)) - 1;
	a->hash = sonde_mix64(a->hash ^ word);
	a->at += n;
	a->done += n;
	if (n == 8)
		return 0;
	if (!a->done && kind == SONDE_AGAIN_DIGITS)
		return -1;
	a->hash = sonde_mix64(a->hash + a->done);
	a->literal = 0;
	a->done = 0;
	a->k++;
	return 0;
}

/**
 * sonde_again_step - compare up to eight bytes of a piece, or pass up to eight bytes of a literal
 * @base, @len: the text in the window
 *
 * 1: the text is @a's; 0: go on; -1: it is not. The place is kept in @a, so that the kernel side can make each step a
 * call: a loop around this the verifier would follow along every way through it.
 */
SONDE_INLINE int sonde_again_step(struct sonde_again *a, const struct sonde_win *w, u32 base, u32 len)
{
	u32 k = a->k, at = a->at, done = a->done, n;
	u64 word, diff;

	if (k >= SONDE_AGAIN_PIECES || at > len)
		return -1;
	word = sonde_win_u64(w, base + at);
	if (a->literal)
		return sonde_again_literal(a, word, len, a->piece[k].kind);
	n = a->piece[k].len - done;
	diff = word ^ sonde_again_load(&a->text[(a->piece[k].at + done) & (SONDE_AGAIN_BYTES - 1)]);
	if (n > 8) {
		a->at = at + 8;
		a->done = done + 8;
		return diff ? -1 : 0;
	}
	if (n < 8)
		diff &= (1ULL << (8 * n & 63)) - 1;
	if (diff)
		return -1;
	at += n;
	if (a->piece[k].kind == SONDE_AGAIN_END)
		return at == len ? 1 : -1;
	a->at = at;
	a->done = 0;
	a->literal = 1;
	return at < len ? 0 : -1;
}

#define SONDE_AGAIN_STEPS 64u /* more than the longest text that is worth it needs */

/** sonde_again_start - begin a comparison */
SONDE_INLINE void sonde_again_start(struct sonde_again *a)
{
	a->k = 0;
	a->at = 0;
	a->done = 0;
	a->literal = 0;
	a->hash = SONDE_FNV_BASIS;
}

/**
 * sonde_again_match - whether the text of @len bytes at @base in the window is @a's with other literals
 *
 * Returns a hash over the literals (never 0), or 0 if it is not, or not surely.
 */
SONDE_INLINE u64 sonde_again_match(struct sonde_again *a, const struct sonde_win *w, u32 base, u32 len)
{
	int ret = 0;

	sonde_again_start(a);
	for (u32 i = 0; i < SONDE_AGAIN_STEPS && !ret; i++)
		ret = sonde_again_step(a, w, base, len);
	return ret == 1 ? a->hash | 1 : 0;
}

#endif /* SONDE_AGAIN_H */
