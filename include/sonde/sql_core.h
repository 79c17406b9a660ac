/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql_core.h - the SQL normaliser: bytes in, normalised text and fingerprint out; one source for kernel and user space.
 *
 * First stage, here: an automaton sees each byte once, by table, without a branch that depends on the data until a
 * token ends. Second stage, sql_token.h: what a token means. User space calls the functions at the end of this file;
 * bpf/sql.bpf.c defines SONDE_SQL_GLOBAL and wraps the stages as subprograms that find their state by slot number.
 *
 * The output does not depend on how the input is cut into calls. Only one .c or .bpf.c file should include this: the
 * tables are 40 kB.
 */
#ifndef SONDE_SQL_CORE_H
#define SONDE_SQL_CORE_H

#include "sql.h"

#include "sql_token.h"

#ifndef SONDE_SQL_GLOBAL
#define SONDE_SQL_EVENT(s, slot, t, was) sonde_sql_event(s, slot, t, was)
#endif

/* A comment ends in front of input position @end: out of the text, but remembered. */
SONDE_INLINE void sql_comment(struct sonde_sql *s, u32 end)
{
	u8 kv = !!(s->seen & SQL_A_KV);

	sql_undo(s);
	if (kv >= s->com_kv && !(kv && s->com_kv)) {
		s->com_kv = kv;
		s->com_pos = s->tok_in;
		s->com_len = end - s->tok_in;
	}
}

/* Bytes of one call in the kernel. */
#define SONDE_SQL_CHUNK 64u

#define SQL_UNQUOTE (SONDE_FNV_BASIS ^ SONDE_FNV_BASIS * SQL_FNV_INVERSE)
#define SQL_TO(st) (SQL_ST_##st << 6)

/* $tag$ opens a string, the same $tag$ closes it. Returns the transition to take. */
SONDE_INLINE u32 sql_dollar(struct sonde_sql *s, u32 t, u32 old)
{
	u64 h = s->hash;

	if ((t >> 12) == SQL_EV_DOPEN) {
		s->dollar = h;
		s->dollar_body = 0;
		s->hash = SONDE_FNV_BASIS;
		return t;
	}
	if (old == SQL_ST_DBT && h == s->dollar) {
		s->hash = s->dollar_body;
		return SQL_TO(DEND);
	}
	s->dollar_body = (s->dollar_body ^ h) * SONDE_FNV_PRIME;
	s->hash = SONDE_FNV_BASIS;
	return t;
}

/**
 * sonde_sql_event - what a transition does beyond moving on.
 * @t: transition table entry, @was: old state, with the byte in bits 8..15. Returns the entry to take instead.
 */
SONDE_INLINE u32 sonde_sql_event(struct sonde_sql *s, u32 slot, u32 t, u32 was)
{
	u32 ev = t >> 12, old = was & 63, c = was >> 8 & 255;

	if (ev == SQL_EV_END) {
		sql_token(s, slot, old);
		return s->done ? SQL_TO(DEAD) : t;
	}
	if (ev == SQL_EV_DOPEN || ev == SQL_EV_DCHECK)
		return sql_dollar(s, t, old);
	if (ev == SQL_EV_COMMENT) {
		sql_comment(s, s->pos);
	} else if (ev == SQL_EV_BANG) {
		if (c != '!')
			return SQL_TO(BC);
	} else if (ev == SQL_EV_NEST) {
		s->nest += s->dialect == SONDE_SQL_POSTGRESQL;
	} else if (ev == SQL_EV_CLOSE) {
		if (s->nest) {
			s->nest--;
			return SQL_TO(BC);
		}
		sql_comment(s, s->pos + 1);
	} else if (ev == SQL_EV_QDBL) {
		s->seen |= SQL_A_ODD;
		if (!s->full)
			sql_put(s, c);
	} else if (ev == SQL_EV_STARSL) {
		if (s->hint)
			return SQL_TO(XEND) | SQL_T_EMIT;
		sql_token(s, slot, old);
		return SQL_TO(SL) | SQL_T_EMIT | SQL_T_START;
	} else if (ev == SQL_EV_USTR) { /* U&'...': take back the U and the & */
		s->tok_base = s->prev_base;
		s->tok_out = s->prev_out;
		s->len = s->prev_out;
		s->hash = SONDE_FNV_BASIS;
		s->seen = 0;
		s->prev = SQL_P_OP;
		s->nr_names -= s->counted;
	} else if (ev == SQL_EV_HINTNUM && !s->full) {
		if (old == SQL_ST_HBW)
			sql_put(s, ' ');
		if ((t >> 6 & 63) == SQL_ST_HBN || (t >> 6 & 63) == SQL_ST_HQ)
			sql_put(s, '?');
	}
	return t;
}

/* The smaller one, without a branch. */
SONDE_INLINE u32 sql_at_most(u32 n, u32 max)
{
	s64 below = (s64)n - max, mask = below >> 63;

	SQL_OPAQUE(mask);
	return max + (below & mask);
}

/**
 * sonde_sql_bytes - first stage over at most @max bytes at @in, the input from s->pos on.
 * Returns 1 when the input or the statement has ended, else 0.
 */
SONDE_INLINE u32 sonde_sql_bytes(struct sonde_sql *s, u32 slot, const u8 *in, u32 max)
{
	const u16 *cls = &sonde_sql_class[(s->dialect & 3) * 256];
	const u8 *next = (const u8 *)&sonde_sql_next[(s->dialect & 3) * 2048];
	u32 len = s->len, t = s->trans, pos = s->pos;
	u64 h = s->hash;
	u32 n = sql_at_most(s->limit - pos, max);

	for (u32 i = 0; i < max; i++) { /* @n would do, but before 6.8 only a constant bounds a loop */
		u32 c, a, was = t;

		if (i >= n)
			break;
		c = in[i];
		a = cls[c];

		t = *(const u16 *)(next + (a >> 8) + (t & SQL_T_STATE));
		if (SONDE_UNLIKELY(t >> 12)) {
			s->pos = pos + i;
			s->len = len;
			s->hash = h;
			t = SONDE_SQL_EVENT(s, slot, t, (was >> 6 & 63) | c << 8) & 0xffff;
			len = s->len;
			h = s->hash;
		}
		if (t & SQL_T_START) {
			s->tok_in = pos + i;
			s->tok_base = len;
			s->text[len & SQL_TEXT_MASK] = ' ';
			len += s->gap >> (t >> 6 & 63) & 1;
			s->tok_out = len;
			s->seen = 0;
			/* An opening quote: after its step the hash is the basis again. */
			h = SONDE_FNV_BASIS ^ ((SQL_UNQUOTE ^ c) & ((u64)(t & SQL_T_EMIT) - 1));
		}
		s->seen |= a;
		h = (h ^ (c ^ (a & t & SQL_T_FOLD))) * SONDE_FNV_PRIME;
		s->text[len & SQL_TEXT_MASK] = c;
		len += t & ((len - SONDE_SQL_TEXT_MAX) >> 31) & SQL_T_EMIT;
	}
	s->pos = pos + n;
	s->len = len;
	s->hash = h;
	s->trans = t;
	return n < max || s->done;
}

/* Everything but @text and the brackets, which are written before they are read. */
SONDE_INLINE void sonde_sql_begin(struct sonde_sql *s, u32 pos, u32 len, u32 flags)
{
	__builtin_memset(s, 0, __builtin_offsetof(struct sonde_sql, paren));
	s->dialect = flags & SONDE_SQL_DIALECT;
	s->flags = flags & SONDE_SQL_CUT;
	s->pos = pos;
	s->limit = pos + len;
}

/* The input was cut: end the text where the next execution of the same statement will probably be cut as well. */
SONDE_INLINE void sql_cut_text(struct sonde_sql *s)
{
	for (u32 i = 0; i < SONDE_SQL_DEPTH; i++) {
		const struct sonde_sql_paren *e = &s->paren[i];

		if (i >= s->depth)
			break;
		if (sql_collapses(s, e)) {
			s->len = e->inner;
			if (e->kind == SQL_L_ROW && e->op) {
				s->len = e->base;
			} else {
				sql_put(s, '?');
				sql_put(s, '+');
				sql_put(s, e->kind == SQL_L_ARRAY ? ']' : ')');
			}
			return;
		}
	}
	if ((s->vals == 2 || s->vals == 3) && s->cut)
		s->len = s->cut;
	for (u32 n = 2048; n >= 256; n /= 2) {
		if (s->len >= n) {
			s->len = n;
			break;
		}
	}
}

/* The last token ends with the input. */
SONDE_INLINE void sql_last(struct sonde_sql *s, u32 slot)
{
	u32 old = s->trans >> 6 & 63, kind = sonde_sql_kind_of[old];

	if (kind == SQL_K_NONE)
		return;
	if (kind == SQL_K_COMMENT)
		sql_comment(s, s->pos);
	else if (kind == SQL_K_HINT && old != SQL_ST_HEND)
		sql_undo(s);
	else if (s->flags & SONDE_SQL_CUT && kind != SQL_K_STR && kind != SQL_K_NUM && kind != SQL_K_PARAM)
		sql_undo(s);
	else
		SONDE_SQL_EVENT(s, slot, SQL_EV_END << 12, old);
}

/* All bytes are in: end the last token, set the results but the id. */
SONDE_INLINE void sonde_sql_close(struct sonde_sql *s, u32 slot)
{
	u32 flags = 0;

	if (!s->done) {
		sql_last(s, slot);
		if (!s->done)
			s->end = s->pos;
		if (s->prev == SQL_P_SEMI && !s->full)
			s->len = s->prev_base;
		if (s->flags & SONDE_SQL_CUT && !s->done) {
			flags = SONDE_SQL_PARTIAL;
			sql_cut_text(s);
		}
	}
	if (s->full) {
		flags = SONDE_SQL_PARTIAL;
		s->len = s->full_len;
	}
	if (s->len > SONDE_SQL_TEXT_MAX)
		s->len = SONDE_SQL_TEXT_MAX;
	if (!s->len)
		flags |= SONDE_SQL_EMPTY;
	s->text_len = s->len;
	s->flags = flags;
	sql_put8(s, s->len & SQL_TEXT_MASK, 0);
	s->id = SONDE_FNV_BASIS;
	s->pos = 0;
}

/* One word of eight bytes of the text into the id. The last word is padded with zeros. */
SONDE_INLINE u64 sonde_sql_word(u64 h, u64 w)
{
	h = (h ^ w) * SONDE_FNV_PRIME;
	return h ^ h >> 32;
}

/* Hashes at most @max words of the text, from where the last call ended. Returns 1 at the end of the text. */
SONDE_INLINE u32 sonde_sql_hash(struct sonde_sql *s, u32 max)
{
	u32 at = s->pos, n = s->text_len;
	u64 h = s->id;

	for (u32 i = 0; i < max; i++) {
		u64 w;

		if (at >= n)
			break;
		__builtin_memcpy(&w, __builtin_assume_aligned(&s->text[at & SQL_TEXT_MASK & ~7u], 8), sizeof(w));
		h = sonde_sql_word(h, w);
		at += 8;
	}
	s->pos = at;
	s->id = h;
	return at >= n;
}

/* Ends the id: length and the partial flag take part, 0 stays free to mean "none". */
SONDE_INLINE void sonde_sql_seal(struct sonde_sql *s)
{
	u64 id = sonde_mix64(s->id ^ (u64)s->text_len << 1 ^ (s->flags & SONDE_SQL_PARTIAL));

	s->id = id ? id : 1;
}

/* Looks for a comment at the very end of a statement: begins at input position @pos, which ends at @limit. */
SONDE_INLINE void sonde_sql_tail_begin(struct sonde_sql *s, u32 pos, u32 limit)
{
	s->pos = pos;
	s->limit = limit;
	s->tok_in = 0; /* position of the last open comment, behind its slash */
	s->scan_out = 0; /* position behind its end */
	s->scan_run = 0; /* the byte before; 256: key and value seen */
}

/* One byte of a tail. */
SONDE_INLINE void sql_tail_byte(struct sonde_sql *s, u32 c)
{
	u32 was = s->scan_run & 255, pos = s->pos++;

	s->scan_run = (s->scan_run & 256) | c;
	if (s->scan_out) {
		if ((sonde_sql_class[c & 255] >> 8) != SQL_CLASS_SP && c != '\n' && c != ';')
			s->scan_out = s->tok_in = s->scan_run = 0; /* not the end after all */
	} else if (was == '/' && c == '*' && !s->tok_in) {
		s->tok_in = pos;
		s->scan_run = 0;
	} else if (was == '*' && c == '/' && s->tok_in) {
		s->scan_out = pos + 1;
	} else if ((c == '=' || c == ':') && s->tok_in) {
		s->scan_run |= 256;
	}
}

/* The result of a tail: its comment becomes that of the statement if it carries more than the one it has. */
SONDE_INLINE u32 sonde_sql_tail_end(struct sonde_sql *s)
{
	if (!s->scan_out || s->com_kv || !(s->scan_run & 256))
		return 0;
	s->com_pos = s->tok_in - 1;
	s->com_len = s->scan_out - s->com_pos;
	s->com_kv = 1;
	return 1;
}

#ifndef SONDE_SQL_GLOBAL
/**
 * sonde_sql_start - begin a statement. @s: state, the caller's, any content. @flags: dialect; SONDE_SQL_CUT if
 * what will be fed is not all of it.
 */
static inline void sonde_sql_start(struct sonde_sql *s, u32 flags)
{
	sonde_sql_begin(s, 0, 0, flags);
}

/**
 * sonde_sql_feed - the next @n bytes. Positions in the results count from the first byte fed. Returns 1 when the
 * statement's `;` has been passed (what follows is ignored), else 0.
 */
static inline u32 sonde_sql_feed(struct sonde_sql *s, const u8 *bytes, u32 n)
{
	for (u32 i = 0; i < n && !s->done; i++) {
		u8 c = bytes[i];

		s->limit = s->pos + 1;
		sonde_sql_bytes(s, 0, &c, 1);
	}
	return s->done;
}

/** sonde_sql_finish - no more input: the results of @s are valid now. */
static inline void sonde_sql_finish(struct sonde_sql *s)
{
	sonde_sql_close(s, 0);
	while (!sonde_sql_hash(s, SONDE_TEXT_BYTES))
		;
	sonde_sql_seal(s);
}

/**
 * sonde_sql_tail - the last @len bytes of a statement that was cut: is there a comment with key=value at its end?
 * Returns 1 and sets com_pos (counted from @bytes) and com_len if there is and the beginning had none.
 */
static inline u32 sonde_sql_tail(struct sonde_sql *s, const u8 *bytes, u32 len)
{
	sonde_sql_tail_begin(s, 0, len);
	for (u32 i = 0; i < len; i++)
		sql_tail_byte(s, bytes[i]);
	return sonde_sql_tail_end(s);
}

/**
 * sonde_sql_normalise - one statement that is in memory as a whole: start, feed, finish.
 * @sql: @len bytes; those behind the first SONDE_SQL_MAX_BYTES are taken as cut, as in the kernel.
 */
static inline void sonde_sql_normalise(struct sonde_sql *s, const u8 *sql, u32 len, u32 flags)
{
	if (len > SONDE_SQL_MAX_BYTES) {
		len = SONDE_SQL_MAX_BYTES;
		flags |= SONDE_SQL_CUT;
	}
	sonde_sql_begin(s, 0, len, flags);
	sonde_sql_bytes(s, 0, sql, len);
	sonde_sql_finish(s);
}
#endif

#endif /* SONDE_SQL_CORE_H */
