/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http_path.h - from a request's path to the pattern that all requests of its kind share: /orders/{id}.
 *
 * What stands for one thing among many becomes {id}: numbers, UUIDs, hexadecimal of eight digits and more, long tokens.
 * A segment without a digit is always kept, so that a path without any is copied as it is. Words of eight bytes are
 * looked at as a whole: in each mask below bit 7 of a byte says that the byte has the property.
 */
#ifndef SONDE_HTTP_PATH_H
#define SONDE_HTTP_PATH_H

#include "proto.h"

#define SONDE_HTTP_PATH_BYTES 200u /* of a path that are looked at: the rest is cut */
#define SONDE_HTTP_SEGMENTS 32u /* of a path that are looked at */
#define SONDE_HTTP_PARTS 12u /* of a segment that are looked at, the rest is kept as it is */
#define SONDE_HTTP_LONG 24u /* a token longer than this that has a digit is one thing among many */

#define SONDE_BYTES_ONES 0x0101010101010101ULL
#define SONDE_BYTES_LOW 0x7f7f7f7f7f7f7f7fULL
#define SONDE_BYTES_HIGH 0x8080808080808080ULL

/** sonde_bytes_equal - which bytes of @word are @c */
SONDE_INLINE u64 sonde_bytes_equal(u64 word, u32 c)
{
	u64 x = word ^ SONDE_BYTES_ONES * c;

	return ~(((x & SONDE_BYTES_LOW) + SONDE_BYTES_LOW) | x) & SONDE_BYTES_HIGH;
}

/** sonde_bytes_digits - which bytes of @word are '0' to '9' */
SONDE_INLINE u64 sonde_bytes_digits(u64 word)
{
	u64 x = word ^ SONDE_BYTES_ONES * '0';

	return ~(((x & SONDE_BYTES_LOW) + SONDE_BYTES_ONES * (0x80 - 10)) | x) & SONDE_BYTES_HIGH;
}

/** sonde_bytes_letters - which bytes of @word are the first @nr letters of the alphabet, lower or upper case */
SONDE_INLINE u64 sonde_bytes_letters(u64 word, u32 nr)
{
	u64 x = (word | SONDE_BYTES_ONES * 0x20) ^ SONDE_BYTES_ONES * 0x60, low = x & SONDE_BYTES_LOW;

	return (low + SONDE_BYTES_LOW) & ~((low + SONDE_BYTES_ONES * (0x7f - nr)) | x) & SONDE_BYTES_HIGH;
}

/** sonde_bytes_below - all bits of the first @n (at most 8) bytes */
SONDE_INLINE u64 sonde_bytes_below(u32 n)
{
	return n >= 8 ? ~0ULL : (1ULL << 8 * n) - 1;
}

/** sonde_bytes_count - how many bytes a mask names */
SONDE_INLINE u32 sonde_bytes_count(u64 mask)
{
	return (mask >> 7) * SONDE_BYTES_ONES >> 56;
}

/** sonde_bytes_first - number of bytes before the first that @mask names, which is not empty */
SONDE_INLINE u32 sonde_bytes_first(u64 mask)
{
	return ((((mask & -mask) >> 7) - 1) & SONDE_BYTES_ONES) * SONDE_BYTES_ONES >> 56;
}

/* Result of sonde_http_piece(): a byte each. */
#define SONDE_PIECE_LEN(p) ((u32)(p)&0xff)
#define SONDE_PIECE_DIGITS(p) ((u32)((p) >> 8) & 0xff)
#define SONDE_PIECE_HEX(p) ((u32)((p) >> 16) & 0xff) /* letters a to f */
#define SONDE_PIECE_DASHES(p) ((u32)((p) >> 24) & 0xff)
#define SONDE_PIECE_DOTS(p) ((u32)((p) >> 32) & 0xff)
#define SONDE_PIECE_SCORES(p) ((u32)((p) >> 40) & 0xff)

/* Terminators for sonde_http_piece(). */
#define SONDE_PIECE_SEGMENT ('/' | '/' << 8 | '/' << 16)
#define SONDE_PIECE_PART ('.' | '-' << 8 | '_' << 16)

/* What the bytes of @word that @keep names are made of. */
SONDE_INLINE u64 sonde_http_made_of(u64 word, u64 keep)
{
	return ((u64)sonde_bytes_count(sonde_bytes_digits(word) & keep) << 8) +
	       ((u64)sonde_bytes_count(sonde_bytes_letters(word, 6) & keep) << 16) +
	       ((u64)sonde_bytes_count(sonde_bytes_equal(word, '-') & keep) << 24) +
	       ((u64)sonde_bytes_count(sonde_bytes_equal(word, '.') & keep) << 32) +
	       ((u64)sonde_bytes_count(sonde_bytes_equal(word, '_') & keep) << 40);
}

/** sonde_http_piece - what the bytes at [@pos, @end) up to the first of the three @terms (or 200 bytes) are made of */
SONDE_INLINE u64 sonde_http_piece(const struct sonde_win *w, u32 pos, u32 end, u32 terms)
{
	u64 piece = 0;

	for (u32 i = 0; i < SONDE_HTTP_PATH_BYTES / 8; i++) {
		u64 word = sonde_win_u64(w, pos), stop;

		stop = sonde_bytes_equal(word, terms & 0xff) | sonde_bytes_equal(word, terms >> 8 & 0xff) |
		       sonde_bytes_equal(word, terms >> 16 & 0xff);
		if (stop || pos + 8 > end) { /* the last word, or less of it */
			u32 n = stop ? sonde_bytes_first(stop) : 8;

			if (pos + n > end)
				n = pos < end ? end - pos : 0;
			return piece + n + sonde_http_made_of(word, sonde_bytes_below(n));
		}
		piece += 8 + sonde_http_made_of(word, ~0ULL);
		pos += 8;
	}
	return piece;
}

/** sonde_http_copy - append the @len (at most 200) bytes at @pos to the label */
SONDE_INLINE void sonde_http_copy(const struct sonde_win *w, u32 pos, u32 len, struct sonde_label *l)
{
	u32 at = l->len, room = SONDE_LABEL_BYTES - sonde_min_u32(at, SONDE_LABEL_BYTES);

	if (len > room) {
		l->cut = 1;
		len = room;
	}
	for (u32 i = 0; i < SONDE_HTTP_PATH_BYTES / 8; i++) {
		u64 word = sonde_win_u64(w, pos + 8 * i);

		if (8 * i >= len)
			break;
		__builtin_memcpy(&l->b[(at + 8 * i) & (SONDE_LABEL_BYTES - 1)], &word, sizeof(word));
	}
	l->len = at + len;
}

/* The kernel side replaces these by subprograms of their own (proto.h says why). */
#ifndef SONDE_HTTP_PIECE
#define SONDE_HTTP_PIECE(w, pos, end, terms) sonde_http_piece(w, pos, end, terms)
#define SONDE_HTTP_COPY(w, pos, len, l) sonde_http_copy(w, pos, len, l)
#endif

SONDE_INLINE void sonde_http_id(struct sonde_label *l)
{
	sonde_label_word(l, '{' | 'i' << 8 | 'd' << 16 | (u64)'}' << 24, 4);
}

/* Whether a whole segment names one thing: a number or date, a UUID, hexadecimal, a long token. */
SONDE_INLINE bool sonde_http_segment_folds(u64 piece)
{
	u32 len = SONDE_PIECE_LEN(piece), digits = SONDE_PIECE_DIGITS(piece), hex = SONDE_PIECE_HEX(piece);
	u32 dashes = SONDE_PIECE_DASHES(piece);

	return digits + dashes == len || (len >= 8 && digits + hex == len) ||
	       (len == 36 && dashes == 4 && digits + hex == 32) || (len > SONDE_HTTP_LONG && !SONDE_PIECE_DOTS(piece));
}

/*
 * The same for a part of a segment, between dots, dashes and underscores: app.3f2a9c1b.js, order-1234. A short number is
 * kept (step-2, v1.0), but for one that has only an extension behind it: 42.json. @next: the two bytes behind the part.
 */
SONDE_INLINE bool sonde_http_part_folds(u64 piece, bool first, u32 next)
{
	u32 len = SONDE_PIECE_LEN(piece), digits = SONDE_PIECE_DIGITS(piece), hex = SONDE_PIECE_HEX(piece);

	if (!digits)
		return false;
	if (len > SONDE_HTTP_LONG || (len >= 8 && digits + hex == len))
		return true;
	return digits == len && (len >= 4 || (first && (next & 0xff) == '.' && (next >> 8) - '0' > 9));
}

/** sonde_http_parts - append the segment of @len bytes at @pos, part by part */
SONDE_INLINE void sonde_http_parts(const struct sonde_win *w, u32 pos, u32 len, struct sonde_label *l)
{
	u32 end = pos + len;
	bool first = true;

	for (u32 i = 0; i < SONDE_HTTP_PARTS && pos < end; i++) {
		u64 piece = SONDE_HTTP_PIECE(w, pos, end, SONDE_PIECE_PART);
		u32 n = SONDE_PIECE_LEN(piece);

		if (n && sonde_http_part_folds(piece, first, sonde_win_le16(w, pos + n)))
			sonde_http_id(l);
		else
			SONDE_HTTP_COPY(w, pos, n, l);
		pos += n;
		if (pos < end)
			sonde_label_byte(l, sonde_win_u8(w, pos));
		pos++;
		first = false;
	}
	if (pos < end)
		SONDE_HTTP_COPY(w, pos, end - pos, l);
}

#ifndef SONDE_HTTP_PARTS_OF
#define SONDE_HTTP_PARTS_OF(w, pos, len, l) sonde_http_parts(w, pos, len, l)
#endif

/** sonde_http_segment - append the segment of [@pos, @end) that begins at @pos; returns its length */
SONDE_INLINE u32 sonde_http_segment(const struct sonde_win *w, u32 pos, u32 end, struct sonde_label *l)
{
	u64 piece = SONDE_HTTP_PIECE(w, pos, end, SONDE_PIECE_SEGMENT);
	u32 len = SONDE_PIECE_LEN(piece);

	if (!SONDE_PIECE_DIGITS(piece))
		SONDE_HTTP_COPY(w, pos, len, l);
	else if (sonde_http_segment_folds(piece))
		sonde_http_id(l);
	else if (SONDE_PIECE_DOTS(piece) + SONDE_PIECE_DASHES(piece) + SONDE_PIECE_SCORES(piece))
		SONDE_HTTP_PARTS_OF(w, pos, len, l);
	else
		SONDE_HTTP_COPY(w, pos, len, l);
	return len;
}

#ifndef SONDE_HTTP_SEGMENT
#define SONDE_HTTP_SEGMENT(w, pos, end, l) sonde_http_segment(w, pos, end, l)
#endif

#define SONDE_HTTP_HAS_DIGIT 0x10000u /* result of sonde_http_path_len() */

/** sonde_http_path_len - bytes of the path at [@pos, @end), without query and fragment, at most 200; and whether it has digits */
SONDE_INLINE u32 sonde_http_path_len(const struct sonde_win *w, u32 pos, u32 end)
{
	u64 digits = 0;

	for (u32 i = 0; i < SONDE_HTTP_PATH_BYTES / 8; i++) {
		u64 word = sonde_win_u64(w, pos + 8 * i), stop;

		stop = sonde_bytes_equal(word, '?') | sonde_bytes_equal(word, '#') | sonde_bytes_equal(word, ' ');
		if (stop || pos + 8 * i + 8 > end) {
			u32 n = stop ? sonde_bytes_first(stop) : 8;

			if (pos + 8 * i + n > end)
				n = pos + 8 * i < end ? end - pos - 8 * i : 0;
			digits |= sonde_bytes_digits(word) & sonde_bytes_below(n);
			return (8 * i + n) | (digits ? SONDE_HTTP_HAS_DIGIT : 0);
		}
		digits |= sonde_bytes_digits(word);
	}
	return SONDE_HTTP_PATH_BYTES | (digits ? SONDE_HTTP_HAS_DIGIT : 0);
}

#ifndef SONDE_HTTP_PATH_LEN
#define SONDE_HTTP_PATH_LEN(w, pos, end) sonde_http_path_len(w, pos, end)
#endif

/** sonde_http_path - append the pattern of the path at [@pos, @end) */
SONDE_INLINE void sonde_http_path(const struct sonde_win *w, u32 pos, u32 end, struct sonde_label *l)
{
	u32 found = SONDE_HTTP_PATH_LEN(w, pos, end), len = found & 0xffff;

	if (pos + len < end && len == SONDE_HTTP_PATH_BYTES)
		l->cut = 1;
	end = pos + len;
	if (!(found & SONDE_HTTP_HAS_DIGIT)) {
		SONDE_HTTP_COPY(w, pos, len, l);
		return;
	}
	for (u32 i = 0; i < SONDE_HTTP_SEGMENTS && pos < end; i++) {
		pos += SONDE_HTTP_SEGMENT(w, pos, end, l);
		if (pos < end)
			sonde_label_byte(l, '/');
		pos++;
	}
	if (pos < end)
		l->cut = 1;
}

#ifndef SONDE_HTTP_PATH
#define SONDE_HTTP_PATH(w, pos, end, l) sonde_http_path(w, pos, end, l)
#endif

/** sonde_http_target - append the pattern of the path of the request target at [@pos, @end), in origin or absolute form */
SONDE_INLINE void sonde_http_target(const struct sonde_win *w, u32 pos, u32 end, struct sonde_label *l)
{
	u32 slash;

	if (sonde_win_u8(w, pos) != '/' && sonde_win_u8(w, pos) != '*') { /* absolute form: scheme://host/path */
		slash = pos + SONDE_PIECE_LEN(SONDE_HTTP_PIECE(w, pos, end, SONDE_PIECE_SEGMENT));
		if (slash + 2 < end && sonde_win_le16(w, slash) == ('/' | '/' << 8)) {
			slash += 2;
			slash += SONDE_PIECE_LEN(SONDE_HTTP_PIECE(w, slash, end, '/' | '?' << 8 | '#' << 16));
			pos = slash;
		}
		if (pos >= end || sonde_win_u8(w, pos) != '/')
			sonde_label_byte(l, '/');
	}
	SONDE_HTTP_PATH(w, pos, end, l);
}

#endif /* SONDE_HTTP_PATH_H */
