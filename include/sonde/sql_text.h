/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql_text.h - the text the SQL normaliser writes: bytes, words, and names that are rewritten where they stand.
 *
 * A position in the text is masked wherever it is used: for the verifier that is the bound, and no branch.
 */
#ifndef SONDE_SQL_TEXT_H
#define SONDE_SQL_TEXT_H

#include "sql.h"
#include "sql_tables.h"

#ifndef SONDE_SQL_GLOBAL
#define SONDE_SQL_DIGITS(s, slot) sonde_sql_digits(s)
#define SONDE_SQL_LOWER(s, slot) sonde_sql_lower(s)
#define SONDE_SQL_QUOTE(s, slot, c) sonde_sql_quote(s, c)
#endif

#define SQL_TEXT_MASK (SONDE_TEXT_BYTES - 1)

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

/* Loop state that must not stay in a register: there its value would tell the verifier one iteration from another. */
#define SQL_MEMORY(x) (*(volatile u32 *)&(x))

/* The compiler knows nothing about @x any more, and so makes no branch of what is computed from it. */
#define SQL_OPAQUE(x) __asm__ volatile("" : "+r"(x))

#define SQL_NAME_MAX 128u /* longest name that is looked into, bytes */

/* Runs of eight digits and more in the open name (dates of partitions) become one `?`. */
SONDE_INLINE void sonde_sql_digits(struct sonde_sql *s)
{
	u32 in = s->tok_out, n = s->len - in;

	s->scan_out = in;
	s->scan_run = 0;
	for (u32 i = 0; i < SQL_NAME_MAX; i++) {
		u32 out = SQL_MEMORY(s->scan_out), run = SQL_MEMORY(s->scan_run), c, digit, eighth, more;

		if (i >= n)
			break;
		c = s->text[(in + i) & SQL_TEXT_MASK];
		digit = sonde_sql_class[c & 255] & SQL_A_DIGIT;
		run = (run + 1) & -digit;
		eighth = ((run ^ 8) - 1) >> 31;
		SQL_OPAQUE(eighth);
		more = (8 - run) >> 31;
		out -= 7 * eighth;
		s->text[out & SQL_TEXT_MASK] = c ^ ((c ^ '?') & -eighth);
		SQL_MEMORY(s->scan_out) = out + 1 - more;
		SQL_MEMORY(s->scan_run) = run;
	}
	if (n <= SQL_NAME_MAX)
		s->len = s->scan_out;
}

/* Puts the open name into quotes. */
SONDE_INLINE void sonde_sql_quote(struct sonde_sql *s, u8 quote)
{
	u32 at = s->len, n = at - s->tok_out;

	if (n > SQL_NAME_MAX)
		return;
	for (u32 i = 0; i < SQL_NAME_MAX; i++) {
		if (i >= n)
			break;
		s->text[at & SQL_TEXT_MASK] = s->text[(at - 1) & SQL_TEXT_MASK];
		at--;
	}
	s->text[s->tok_out & SQL_TEXT_MASK] = quote;
	s->len++;
	sql_put(s, quote);
}

/* A name that is not case-sensitive goes to lower case. */
SONDE_INLINE void sonde_sql_lower(struct sonde_sql *s)
{
	u32 n = s->len - s->tok_out;

	for (u32 i = 0; i < SQL_NAME_MAX; i++) {
		u32 at = (s->tok_out + i) & SQL_TEXT_MASK, c;

		if (i >= n)
			break;
		c = s->text[at];
		s->text[at] = c ^ (sonde_sql_class[c & 255] & SQL_A_UPPER);
	}
}

#endif /* SONDE_SQL_TEXT_H */
