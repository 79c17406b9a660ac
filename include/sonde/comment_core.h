/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * comment_core.h - SQL comments taken apart: a lexer that takes a byte at a time and keeps all it knows in struct
 * sonde_comment, so that the kernel side can cut its loops into calls (bpf/comment.bpf.c).
 *
 * sonde_comment_begin(), then sonde_comment_byte() until it returns false; then the name is put together (comment_name.h).
 */
#ifndef SONDE_COMMENT_CORE_H
#define SONDE_COMMENT_CORE_H

#include "comment.h"
#include "proto.h"

/* A key's last eight characters as they lie in sonde_comment.word. */
#define SONDE_COMMENT_WORD(s)                                                                                          \
	((u64)(u8)(s)[0] << 56 | (u64)(u8)(s)[1] << 48 | (u64)(u8)(s)[2] << 40 | (u64)(u8)(s)[3] << 32 |               \
	 (u64)(u8)(s)[4] << 24 | (u64)(u8)(s)[5] << 16 | (u64)(u8)(s)[6] << 8 | (u64)(u8)(s)[7])

SONDE_INLINE bool sonde_comment_blank(u32 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

SONDE_INLINE bool sonde_comment_quote(u32 c)
{
	return c == '\'' || c == '"' || c == '`';
}

SONDE_INLINE u32 sonde_comment_lower(u32 c)
{
	return c - 'A' < 26 ? c | 0x20 : c;
}

/* Value of a hexadecimal digit; 16: it is none. */
SONDE_INLINE u32 sonde_comment_hex(u32 c)
{
	if (c - '0' < 10)
		return c - '0';
	c |= 0x20;
	return c - 'a' < 6 ? c - 'a' + 10 : 16;
}

/* Keys come with and without prefix (http.request_id), and in every spelling (requestId, X-Request-ID). */
SONDE_INLINE u32 sonde_comment_key_of(u64 word, u32 len)
{
	if (len == 5 && word == SONDE_COMMENT_WORD("\0\0\0route"))
		return SONDE_COMMENT_ROUTE;
	if ((len == 10 || len == 20) && word == SONDE_COMMENT_WORD("ntroller")) /* namespaced_controller */
		return SONDE_COMMENT_CONTROLLER;
	if (len == 23 && word == SONDE_COMMENT_WORD("amespace")) /* controller_with_namespace */
		return SONDE_COMMENT_CONTROLLER;
	if (len == 6 && word == SONDE_COMMENT_WORD("\0\0action"))
		return SONDE_COMMENT_ACTION;
	if (len == 3 && word == SONDE_COMMENT_WORD("\0\0\0\0\0job"))
		return SONDE_COMMENT_JOB;
	if (len >= 9 && word == SONDE_COMMENT_WORD("equestid"))
		return SONDE_COMMENT_REQUEST;
	if (len >= 7 && (word & (~0ULL >> 8)) == SONDE_COMMENT_WORD("\0traceid"))
		return SONDE_COMMENT_TRACE;
	if (len >= 11 && word == SONDE_COMMENT_WORD("ceparent"))
		return SONDE_COMMENT_PARENT;
	return SONDE_COMMENT_OTHER;
}

/* A byte of a name. */
SONDE_INLINE void sonde_comment_field(struct sonde_comment *s, u32 c)
{
	u32 key = s->key & (SONDE_COMMENT_FIELDS - 1), at = s->field_len[key], bit = 1u << key;
	u32 before = s->word & 0xff;

	if (at >= SONDE_COMMENT_NAME) {
		s->field_cut |= bit;
		return;
	}
	if (c < ' ' || c == 0x7f)
		c = '?'; /* names are shown to people */
	if (c == '<' || c == '{' || c == '[' || c == '*' || c == '\\' || (c == ':' && before == '/'))
		s->patterns |= bit;
	s->field[(key * SONDE_COMMENT_NAME + at) & (sizeof(s->field) - 1)] = c;
	s->field_len[key] = at + 1;
}

/* A byte of an id. A traceparent counts up to the dash behind the trace id. */
SONDE_INLINE void sonde_comment_id(struct sonde_comment *s, u32 c)
{
	u32 at = s->len, hex = sonde_comment_hex(c);

	if (s->key == SONDE_COMMENT_PARENT) {
		if (at > 35)
			return;
		if (at == 2 || at == 35 ? c != '-' : hex > 15)
			s->wrong = 1;
		if (at < 3 || at == 35)
			return;
	}
	if (hex < 16) {
		s->high = s->high << 4 | s->low >> 60;
		s->low = s->low << 4 | hex;
	} else {
		s->wrong = 1;
	}
	s->hash = sonde_fnv_byte(s->hash, c);
}

/* A decoded byte of the open value. */
SONDE_INLINE void sonde_comment_put(struct sonde_comment *s, u32 c)
{
	if (s->key < SONDE_COMMENT_OTHER)
		sonde_comment_field(s, c);
	else
		sonde_comment_id(s, c);
	s->word = s->word << 8 | sonde_comment_lower(c);
	s->len++;
}

/* The kernel side replaces these by subprograms of their own, which the verifier walks once. */
#ifndef SONDE_COMMENT_PUT
#define SONDE_COMMENT_PUT(s, c) sonde_comment_put(s, c)
#define SONDE_COMMENT_VALUE(s, c) sonde_comment_value(s, c)
#define SONDE_COMMENT_CLOSE(s, whole) sonde_comment_close(s, whole)
#define SONDE_COMMENT_OPEN(s) sonde_comment_open(s)
#endif

/* What programs write that have no id. */
SONDE_INLINE bool sonde_comment_no_id(u64 word, u32 len)
{
	return !len || (len == 1 && word == '-') || (len == 3 && word == SONDE_COMMENT_WORD("\0\0\0\0\0nil")) ||
	       (len == 4 &&
		(word == SONDE_COMMENT_WORD("\0\0\0\0none") || word == SONDE_COMMENT_WORD("\0\0\0\0null"))) ||
	       (len == 9 && word == SONDE_COMMENT_WORD("ndefined"));
}

/* The open value is an id, and complete. A trace has the same hash with and without the rest of a traceparent. */
SONDE_INLINE void sonde_comment_identify(struct sonde_comment *s)
{
	bool trace = s->key == SONDE_COMMENT_PARENT || (s->key == SONDE_COMMENT_TRACE && s->len == 32 && !s->wrong);
	u64 hash;

	if (s->key == SONDE_COMMENT_PARENT && (s->wrong || s->len < 36))
		return;
	if (trace ? !(s->high | s->low) : sonde_comment_no_id(s->word, s->len))
		return;
	hash = trace ? sonde_mix64(s->high ^ sonde_mix64(s->low)) : sonde_mix64(s->hash ^ s->len);
	s->request = hash ? hash : 1;
	s->weight = s->key;
}

/* What stands behind a % was no code after all. */
SONDE_INLINE void sonde_comment_undo(struct sonde_comment *s)
{
	u32 percent = s->percent;

	s->percent = 0;
	if (percent)
		SONDE_COMMENT_PUT(s, '%');
	if (percent == 2)
		SONDE_COMMENT_PUT(s, s->digit);
}

/* The open value ends here; @whole: and not only because there is no more of it. */
SONDE_INLINE void sonde_comment_close(struct sonde_comment *s, bool whole)
{
	sonde_comment_undo(s);
	if (s->key < SONDE_COMMENT_OTHER) {
		s->fields |= 1u << s->key;
		if (!whole)
			s->field_cut |= 1u << s->key;
	} else if (s->key > s->weight && whole) {
		sonde_comment_identify(s);
	}
	s->mode = SONDE_COMMENT_IN_KEY;
	s->word = 0;
	s->key_len = 0;
}

/* Behind the `=` or `:`. Of two values for one key the first counts. */
SONDE_INLINE void sonde_comment_open(struct sonde_comment *s)
{
	u32 key = sonde_comment_key_of(s->word, s->key_len);

	if (key < SONDE_COMMENT_OTHER && s->fields >> key & 1)
		key = SONDE_COMMENT_OTHER;
	s->key = key;
	s->mode = SONDE_COMMENT_BEFORE_VALUE;
	s->quote = 0;
	s->escaped = 0;
	s->word = 0;
	s->hash = SONDE_FNV_BASIS;
	s->high = 0;
	s->low = 0;
	s->len = 0;
	s->wrong = 0;
}

/* A byte of the open value; %% is what Python's drivers make of % (or leave of it). */
SONDE_INLINE void sonde_comment_value(struct sonde_comment *s, u32 c)
{
	u32 hex = sonde_comment_hex(c);

	if (s->percent == 1 && c == '%')
		return;
	if (s->percent && hex < 16) {
		if (s->percent == 1) {
			s->digit = c;
			s->percent = 2;
			return;
		}
		s->percent = 0;
		c = sonde_comment_hex(s->digit) << 4 | hex;
	} else {
		sonde_comment_undo(s);
		if (c == '%') {
			s->percent = 1;
			return;
		}
	}
	SONDE_COMMENT_PUT(s, c);
}

/* Whether @c ends a value without quotes. Brackets may belong to a route. */
SONDE_INLINE bool sonde_comment_ends(u32 c, u32 key)
{
	if (c == ',' || c == ';' || sonde_comment_blank(c))
		return true;
	return key >= SONDE_COMMENT_OTHER && (c == ')' || c == ']' || c == '}' || c == '&');
}

SONDE_INLINE void sonde_comment_in_value(struct sonde_comment *s, u32 c)
{
	bool escaped = s->escaped;

	s->escaped = 0;
	if (!escaped) {
		if (s->quote ? c == s->quote : sonde_comment_ends(c, s->key)) {
			SONDE_COMMENT_CLOSE(s, true);
			return;
		}
		if (s->quote && c == '\\') {
			s->escaped = 1;
			return;
		}
	}
	if (s->key == SONDE_COMMENT_OTHER)
		return;
	if (s->percent || c == '%')
		SONDE_COMMENT_VALUE(s, c);
	else
		SONDE_COMMENT_PUT(s, c);
}

/* A byte outside values. */
SONDE_INLINE void sonde_comment_in_key(struct sonde_comment *s, u32 c)
{
	u32 lower = sonde_comment_lower(c);
	bool letter = lower - 'a' < 26 || c - '0' < 10;

	if ((c == '=' || c == ':') && s->key_len) {
		SONDE_COMMENT_OPEN(s);
	} else if (sonde_comment_blank(c) || sonde_comment_quote(c)) {
		if (s->key_len)
			s->mode = SONDE_COMMENT_BEHIND_KEY;
	} else if (letter) {
		if (s->mode == SONDE_COMMENT_BEHIND_KEY) { /* that was none */
			s->mode = SONDE_COMMENT_IN_KEY;
			s->word = 0;
			s->key_len = 0;
		}
		s->word = s->word << 8 | lower;
		if (s->key_len < 255)
			s->key_len++;
	} else if ((c != '_' && c != '-' && c != '.') || s->mode == SONDE_COMMENT_BEHIND_KEY) {
		s->mode = SONDE_COMMENT_IN_KEY;
		s->word = 0;
		s->key_len = 0;
	}
}

/** sonde_comment_byte - the next byte of the comment; false at its end */
SONDE_INLINE bool sonde_comment_byte(struct sonde_comment *s, const struct sonde_win *w)
{
	u32 c = sonde_win_u8(w, s->pos);

	if (s->pos >= s->end)
		return false;
	s->pos++;
	if (s->mode == SONDE_COMMENT_BEFORE_VALUE) {
		if (sonde_comment_blank(c) || c == '=' || c == ':' || c == '>') /* => in Ruby, := */
			return true;
		s->mode = SONDE_COMMENT_IN_VALUE;
		if (sonde_comment_quote(c)) {
			s->quote = c;
			return true;
		}
	}
	if (s->mode == SONDE_COMMENT_IN_VALUE)
		sonde_comment_in_value(s, c);
	else
		sonde_comment_in_key(s, c);
	return true;
}

/**
 * sonde_comment_begin - a comment of @len bytes at @pos in the window, its marks included, is going to be read
 *
 * The marks themselves are passed by as what cannot be part of a key. One whose end is not there is cut.
 */
SONDE_INLINE void sonde_comment_begin(struct sonde_comment *s, const struct sonde_win *w, u32 pos, u32 len)
{
	u32 block = '/' | '*' << 8, end = '*' | '/' << 8;
	bool cut = false;

	if (len >= 2 && sonde_win_le16(w, pos) == block) {
		if (len >= 4 && sonde_win_le16(w, pos + len - 2) == end)
			len -= 2;
		else
			cut = true;
	}
	if (len > SONDE_COMMENT_BYTES) {
		len = SONDE_COMMENT_BYTES;
		cut = true;
	}
	s->request = 0;
	sonde_label_begin(&s->name);
	s->pos = pos;
	s->end = pos + len;
	s->word = 0;
	s->key_len = 0;
	s->mode = SONDE_COMMENT_IN_KEY;
	s->percent = 0;
	s->weight = SONDE_COMMENT_OTHER;
	s->cut = cut;
	s->fields = 0;
	s->patterns = 0;
	s->field_cut = 0;
	__builtin_memset(s->field_len, 0, sizeof(s->field_len));
}

#endif /* SONDE_COMMENT_CORE_H */
