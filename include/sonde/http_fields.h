/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http_fields.h - the parts of an HTTP/1.x message that say where it ends: field lines and chunk sizes.
 *
 * Source: RFC 9112, sections 5 (field syntax), 6 (message body length) and 7 (chunked coding). Field lines are not looked
 * at one by one: eight bytes a step find those that begin with C or T, and the empty line.
 */
#ifndef SONDE_HTTP_FIELDS_H
#define SONDE_HTTP_FIELDS_H

#include "http_path.h"

#define SONDE_HTTP_LINE_MAX 2048u /* bytes of a request line that are waited for: its method and path are taken */
#define SONDE_HTTP_HEAD_MAX                                                                                            \
	4096u /* bytes of a header that are waited for: a longer one is taken in pieces of this size */
#define SONDE_HTTP_FIELD_MAX 512u /* a longer field line is passed by without looking at it */
/* sonde_state.fe_mode and .be_mode: what comes next. */
enum sonde_http_mode {
	SONDE_HTTP_START = 0, /* request line or status line */
	SONDE_HTTP_FIELDS, /* a field line of a header or trailer, or the empty line behind */
	SONDE_HTTP_FIELD, /* the same, from the middle of a field line that is of no interest */
	SONDE_HTTP_BODY, /* *_left bytes of a body */
	SONDE_HTTP_CHUNK, /* a chunk */
	SONDE_HTTP_CLOSE, /* body up to the end of the connection */
};

/* sonde_state.fe_aux and .be_aux: what is known of the message under way. The status stands above bit 16. */
#define SONDE_HTTP_LENGTH 1u /* *_left is its Content-Length */
#define SONDE_HTTP_CODED 2u /* has a Transfer-Encoding */
#define SONDE_HTTP_CHUNKED 4u /* whose last coding is chunked */
#define SONDE_HTTP_TRAILER 8u /* fields are those behind the last chunk */
#define SONDE_HTTP_SWITCHES 16u /* another protocol begins behind the header */
#define SONDE_HTTP_BODYLESS 32u /* a response to HEAD, or its status says so */
#define SONDE_HTTP_STATUS_SHIFT 16

/* Result of sonde_http_fields(): bytes passed by and what comes next. */
#define SONDE_HTTP_PASSED(r) ((r)&0xffff)
#define SONDE_HTTP_END 0x10000u /* the empty line was the last */
#define SONDE_HTTP_INSIDE 0x20000u /* ended inside a field line of no interest */

/* Result of sonde_http_field(). */
#define SONDE_HTTP_PARTIAL 0x40000u /* the line is not all there, and may be of interest */

#define SONDE_HTTP_WORD(a, b, c, d, e, f, g, h)                                                                        \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 | (u64)(f) << 40 |                \
	 (u64)(g) << 48 | (u64)(h) << 56)

/** sonde_http_lf - position of the first LF in [@pos, @end), at most SONDE_HTTP_LINE_MAX bytes away; @end if there is none */
SONDE_INLINE u32 sonde_http_lf(const struct sonde_win *w, u32 pos, u32 end)
{
	u64 found = 0, second = 0;

	for (u32 i = 0; i < SONDE_HTTP_LINE_MAX / 16; i++) {
		if (pos >= end)
			break;
		found = sonde_bytes_equal(sonde_win_u64(w, pos), '\n');
		second = sonde_bytes_equal(sonde_win_u64(w, pos + 8), '\n');
		if (found | second)
			break;
		pos += 16;
	}
	if (!found) {
		pos += 8;
		found = second;
	}
	return found ? sonde_min_u32(pos + sonde_bytes_first(found), end) : end;
}

#define SONDE_HTTP_SEEK_BYTES 256u
#define SONDE_HTTP_FOUND 0x10000u /* result of sonde_http_seek() */

/**
 * sonde_http_seek - the first line in [@pos, @end) that may be of interest, of those that begin behind an LF there
 *
 * These are fields that begin with C or T, and the empty line. Returns its position and SONDE_HTTP_FOUND, or up to where
 * there is none.
 */
SONDE_INLINE u32 sonde_http_seek(const struct sonde_win *w, u32 pos, u32 end)
{
	u64 lines = 0, next;

	for (u32 i = 0; i < SONDE_HTTP_SEEK_BYTES / 8; i++) {
		if (pos >= end)
			break;
		lines = sonde_bytes_equal(sonde_win_u64(w, pos), '\n');
		if (lines) {
			next = sonde_win_u64(w, pos + 1) | SONDE_BYTES_ONES * 0x20;
			lines &= sonde_bytes_equal(next, 'c') | sonde_bytes_equal(next, 't') |
				 sonde_bytes_equal(next, '\r' | 0x20) | sonde_bytes_equal(next, '\n' | 0x20);
			if (lines)
				break;
		}
		pos += 8;
	}
	if (lines) {
		pos += sonde_bytes_first(lines) + 1;
		if (pos < end)
			return pos | SONDE_HTTP_FOUND;
	}
	return sonde_min_u32(pos, end);
}

#ifndef SONDE_HTTP_SEEK
#define SONDE_HTTP_LF(w, pos, end) sonde_http_lf(w, pos, end)
#define SONDE_HTTP_SEEK(w, pos, end) sonde_http_seek(w, pos, end)
#define SONDE_HTTP_HASH(w, pos, len) sonde_win_hash_text(w, pos, len)
#endif

/* Content-Length's value at @pos: into *@left, unless its end is not there yet. */
SONDE_INLINE u32 sonde_http_length(const struct sonde_win *w, u32 pos, u32 end, u64 *left, u64 *aux)
{
	u64 value = 0;
	u32 nr = 0, c;

	for (u32 i = 0; i < 4; i++) {
		c = sonde_win_u8(w, pos);
		if (c != ' ' && c != '\t')
			break;
		pos++;
	}
	for (u32 i = 0; i < 18; i++) {
		c = sonde_win_u8(w, pos + i) - '0';
		if (c > 9)
			break;
		value = value * 10 + c;
		nr++;
	}
	if (pos + nr >= end)
		return SONDE_HTTP_PARTIAL;
	if (nr) {
		*left = value;
		*aux |= SONDE_HTTP_LENGTH;
	}
	return 0;
}

/* Transfer-Encoding's value at @pos: only whether chunked is the last coding matters. */
SONDE_INLINE u32 sonde_http_coding(const struct sonde_win *w, u32 pos, u32 end, u64 *aux)
{
	u32 lf = SONDE_HTTP_LF(w, pos, end);
	u64 word;

	if (lf >= end)
		return end - pos < SONDE_HTTP_FIELD_MAX ? SONDE_HTTP_PARTIAL : 0;
	for (u32 i = 0; i < 4; i++) {
		u32 c = sonde_win_u8(w, lf - 1);

		if (lf == pos || (c != '\r' && c != ' ' && c != '\t'))
			break;
		lf--;
	}
	*aux |= SONDE_HTTP_CODED;
	if (lf - pos < 7)
		return 0;
	word = sonde_win_u64(w, lf - 7) & sonde_bytes_below(7);
	if ((word | (SONDE_BYTES_ONES * 0x20 & sonde_bytes_below(7))) ==
	    SONDE_HTTP_WORD('c', 'h', 'u', 'n', 'k', 'e', 'd', 0))
		*aux |= SONDE_HTTP_CHUNKED;
	return 0;
}

/**
 * sonde_http_field - look at the line that begins at @pos, in front of @end
 * @server: where in @st to put what it says
 *
 * Returns SONDE_HTTP_END plus the length of an empty line, SONDE_HTTP_PARTIAL, or 0: done with it.
 */
SONDE_INLINE u32 sonde_http_field(const struct sonde_win *w, u32 pos, u32 end, struct sonde_state *st, u32 server)
{
	const u64 content = SONDE_HTTP_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-');
	const u64 length = SONDE_HTTP_WORD('l', 'e', 'n', 'g', 't', 'h', ':', 0);
	const u64 transfer = SONDE_HTTP_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r');
	const u64 encoding = SONDE_HTTP_WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n');
	u64 *left = server ? &st->be_left : &st->fe_left, *aux = server ? &st->be_aux : &st->fe_aux;
	u64 word = sonde_win_u64(w, pos), keep = sonde_bytes_below(end - pos), name, more;

	if (pos >= end)
		return SONDE_HTTP_PARTIAL;
	if ((word & 0xff) == '\n')
		return SONDE_HTTP_END | 1;
	if ((word & 0xff) == '\r') {
		if (end - pos < 2)
			return SONDE_HTTP_PARTIAL;
		return (word & 0xffff) == ('\r' | '\n' << 8) ? SONDE_HTTP_END | 2 : 0;
	}
	word |= SONDE_BYTES_ONES * 0x20;
	name = (word & 0xff) == 'c' ? content : transfer;
	if ((word ^ name) & keep || *aux & SONDE_HTTP_TRAILER)
		return 0;
	if (end - pos <= 8)
		return SONDE_HTTP_PARTIAL;
	more = sonde_win_u64(w, pos + 8) | SONDE_BYTES_ONES * 0x20;
	keep = sonde_bytes_below(end - pos - 8);
	if (name == content) {
		if ((more ^ length) & keep & sonde_bytes_below(7))
			return 0;
		return end - pos <= 15 ? SONDE_HTTP_PARTIAL : sonde_http_length(w, pos + 15, end, left, aux);
	}
	if ((more ^ encoding) & keep)
		return 0;
	if (end - pos <= 18)
		return SONDE_HTTP_PARTIAL;
	if ((sonde_win_le16(w, pos + 16) | 0x20) != ('g' | ':' << 8))
		return 0;
	return sonde_http_coding(w, pos + 18, end, aux);
}

#ifndef SONDE_HTTP_FIELD_AT
#define SONDE_HTTP_FIELD_AT(w, pos, end, st, server) sonde_http_field(w, pos, end, st, server)
#endif

#define SONDE_HTTP_FROM_SERVER 1u /* flags of sonde_http_fields() */
#define SONDE_HTTP_FROM_INSIDE 2u /* @pos is inside a line of no interest */
#define SONDE_HTTP_FROM_AGAIN 4u /* a piece of what began before */

/** sonde_http_fields - pass by the fields in [@pos, @end), noting what they say about the body; see SONDE_HTTP_PASSED */
SONDE_INLINE u32 sonde_http_fields(const struct sonde_win *w, u32 pos, u32 end, struct sonde_state *st, u32 flags)
{
	u32 at = pos, inside = flags & SONDE_HTTP_FROM_INSIDE;

	for (u32 i = 0; i < 64; i++) {
		u32 ret;

		if (inside) {
			ret = SONDE_HTTP_SEEK(w, at, end);
			at = ret & 0xffff;
			if (!(ret & SONDE_HTTP_FOUND)) {
				if (at < end)
					continue;
				break;
			}
		}
		if (at >= end)
			return at - pos;
		ret = SONDE_HTTP_FIELD_AT(w, at, end, st, flags & SONDE_HTTP_FROM_SERVER);
		if (ret & SONDE_HTTP_END)
			return SONDE_HTTP_END | (at + (ret & 3) - pos);
		if (ret)
			return at - pos;
		inside = 1;
	}
	/* All passed by; behind an LF the next byte begins a line. */
	if (at > pos && sonde_win_u8(w, at - 1) == '\n' && at >= end)
		return at - pos;
	return SONDE_HTTP_INSIDE | (at - pos);
}

#ifndef SONDE_HTTP_FIELDS_AT
#define SONDE_HTTP_FIELDS_AT(w, pos, end, st, flags) sonde_http_fields(w, pos, end, st, flags)
#endif

/**
 * sonde_http_chunk_line - the chunk-size line at @pos; size in the lower half, length of the line in the upper half
 *
 * Length 0: it is none; all bits set: it is not all there.
 */
SONDE_INLINE u64 sonde_http_chunk_line(const struct sonde_win *w, u32 pos, u32 end)
{
	u64 word = sonde_win_u64(w, pos), none, n;
	u32 nr, lf, next;

	if (pos >= end)
		return ~0ULL;
	none = ~(sonde_bytes_digits(word) | sonde_bytes_letters(word, 6)) & SONDE_BYTES_HIGH;
	nr = none ? sonde_bytes_first(none) : 8;
	if (pos + nr >= end) /* may go on */
		return ~0ULL;
	next = sonde_win_u8(w, pos + nr);
	if (!nr || (next != '\r' && next != '\n' && next != ';' && next != ' ' && next != '\t'))
		return 0;
	lf = SONDE_HTTP_LF(w, pos + nr, pos + sonde_min_u32(end - pos, SONDE_HTTP_FIELD_MAX));
	if (lf >= end || lf - pos >= SONDE_HTTP_FIELD_MAX)
		return end - pos < SONDE_HTTP_FIELD_MAX ? ~0ULL : 0;
	/* Eight digits to eight nibbles, the first one highest, those behind the last digit shifted out. */
	n = (word & SONDE_BYTES_ONES * 0xf) + 9 * (word >> 6 & SONDE_BYTES_ONES);
	n = __builtin_bswap64(n);
	n = (n | n >> 4) & 0x00ff00ff00ff00ffULL;
	n = (n | n >> 8) & 0x0000ffff0000ffffULL;
	n = (n | n >> 16) & 0xffffffffULL;
	return (u64)(lf + 1 - pos) << 32 | n >> 4 * (8 - nr);
}

#ifndef SONDE_HTTP_CHUNK_LINE
#define SONDE_HTTP_CHUNK_LINE(w, pos, end) sonde_http_chunk_line(w, pos, end)
#endif

#endif /* SONDE_HTTP_FIELDS_H */
