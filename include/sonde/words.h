/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * words.h - text in the window, eight bytes at a time: letters and digits told apart, words and lines found.
 */
#ifndef SONDE_WORDS_H
#define SONDE_WORDS_H

#include "proto.h"

#define SONDE_ONES 0x0101010101010101ULL
#define SONDE_HIGHS 0x8080808080808080ULL

/* Bytes of @word that are @from to @to (ASCII), each marked by its highest bit. */
#define SONDE_BYTES_WITHIN(word, from, to)                                                                             \
	((((word) & ~SONDE_HIGHS) + (0x80 - (from)) * SONDE_ONES) &                                                    \
	 ~(((word) & ~SONDE_HIGHS) + (0x7f - (to)) * SONDE_ONES) & ~(word)&SONDE_HIGHS)

/* How many bytes are marked. */
#define SONDE_BYTES_COUNT(marks) ((u32)((((marks) >> 7) * SONDE_ONES) >> 56))

/** sonde_bytes_before - bytes in front of the first one marked, 8 if there is none */
SONDE_INLINE u32 sonde_bytes_before(u64 marks)
{
	u64 below = (marks ^ (marks - 1)) >> 8 & SONDE_HIGHS >> 7; /* one bit for each */

	return marks ? (u32)((below * SONDE_ONES) >> 56) : 8;
}

/** sonde_bytes_low - @word with all but its first @n (0 to 8) bytes zero */
SONDE_INLINE u64 sonde_bytes_low(u64 word, u32 n)
{
	return n >= 8 ? word : word & ((1ULL << 8 * n) - 1);
}

/** sonde_bytes_upper - @word with its lower-case letters in upper case */
SONDE_INLINE u64 sonde_bytes_upper(u64 word)
{
	return word ^ SONDE_BYTES_WITHIN(word, 'a', 'z') >> 2;
}

/** sonde_bytes_number - the first @n (1 to 8) bytes of @word, all of them digits, as a number: pairs, then fours, then eights are joined. */
SONDE_INLINE u64 sonde_bytes_number(u64 word, u32 n)
{
	word = word << (64 - 8 * n) & 0x0f * SONDE_ONES;
	word = (word * (10 * 256 + 1)) >> 8 & 0x00ff00ff00ff00ffULL;
	word = (word * (100 * 65536 + 1)) >> 16 & 0x0000ffff0000ffffULL;
	return (word * (10000 * 4294967296ULL + 1)) >> 32;
}

#define SONDE_TOKEN_MAX 256u

/** sonde_win_token - bytes at @pos before the first blank or control character, at most @max (at most SONDE_TOKEN_MAX) */
SONDE_INLINE u32 sonde_win_token(const struct sonde_win *w, u32 pos, u32 max)
{
	for (u32 i = 0; i < SONDE_TOKEN_MAX; i += 8) {
		u64 word = sonde_win_u64(w, pos + i), marks = SONDE_BYTES_WITHIN(word, 0, ' ');
		u32 len = i + sonde_bytes_before(marks);

		if (len >= max)
			return max;
		if (marks)
			return len;
	}
	return SONDE_TOKEN_MAX;
}

/* Byte @i of a string constant, zero behind its end, where it stands in its word. */
#define SONDE_WORD_CHAR(s, i) ((u64)(u8)((s)[(i) < sizeof(s) - 1 ? (i) : sizeof(s) - 1]) << 8 * ((i) % 8))
#define SONDE_WORD(s, i)                                                                                               \
	(SONDE_WORD_CHAR(s, i) | SONDE_WORD_CHAR(s, (i) + 1) | SONDE_WORD_CHAR(s, (i) + 2) |                           \
	 SONDE_WORD_CHAR(s, (i) + 3) | SONDE_WORD_CHAR(s, (i) + 4) | SONDE_WORD_CHAR(s, (i) + 5) |                     \
	 SONDE_WORD_CHAR(s, (i) + 6) | SONDE_WORD_CHAR(s, (i) + 7))

#define SONDE_LINE_MAX 512u /* longest line that is looked for */

/**
 * sonde_win_line - bytes up to and with the first newline at or behind @pos, 0 if there is none within @max
 *
 * @max is at most SONDE_LINE_MAX.
 */
SONDE_INLINE u32 sonde_win_line(const struct sonde_win *w, u32 pos, u32 max)
{
	for (u32 i = 0; i < SONDE_LINE_MAX / 8; i++) {
		u64 word = sonde_win_u64(w, pos + 8 * i), marks = SONDE_BYTES_WITHIN(word, '\n', '\n');
		u32 len = 8 * i + sonde_bytes_before(marks) + 1;

		if (marks)
			return len <= max ? len : 0;
		if (8 * i + 8 >= max)
			break;
	}
	return 0;
}

/* The kernel side replaces these by subprograms of their own. */
#ifndef SONDE_TOKEN
#define SONDE_TOKEN(w, pos, max) sonde_win_token(w, pos, max)
#define SONDE_LINE(w, pos, max) sonde_win_line(w, pos, max)
#endif

#endif /* SONDE_WORDS_H */
