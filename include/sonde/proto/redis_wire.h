/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * redis_wire.h - what commands and replies of Redis are made of: numbers, lines, bulk strings.
 *
 * Source: the Redis documentation, "Redis serialization protocol specification".
 */
#ifndef SONDE_PROTO_REDIS_WIRE_H
#define SONDE_PROTO_REDIS_WIRE_H

#include "../key_pattern.h"
#include "../proto.h"

/* What a command does to the connection: column 3 of redis.def, sonde_msg.kind. Order: the words of pub/sub come last. */
enum sonde_redis_kind {
	SONDE_REDIS_KIND_PLAIN = 1,
	SONDE_REDIS_KIND_BLOCKING, /* waits by intent */
	SONDE_REDIS_KIND_CALM, /* may be used by a subscriber of RESP2 */
	SONDE_REDIS_KIND_CLIENT, /* may be CLIENT REPLY */
	SONDE_REDIS_KIND_MULTI, /* opens a transaction */
	SONDE_REDIS_KIND_EXEC, /* ends it: EXEC, DISCARD */
	SONDE_REDIS_KIND_RESET, /* the connection is as if it were new */
	SONDE_REDIS_KIND_MONITOR, /* lines follow without end; waits by intent */
	SONDE_REDIS_KIND_SUBSCRIBE, /* one reply for each channel; waits by intent: these three */
	SONDE_REDIS_KIND_PSUBSCRIBE,
	SONDE_REDIS_KIND_SSUBSCRIBE,
	SONDE_REDIS_KIND_UNSUBSCRIBE,
	SONDE_REDIS_KIND_PUNSUBSCRIBE,
	SONDE_REDIS_KIND_SUNSUBSCRIBE,
};

/* A name of up to 24 bytes in one word; the constants are odd and random, no two commands share a word. */
#define SONDE_REDIS_FOLD(w0, w1, w2) ((w0) ^ (w1)*0x9e3779b97f4a7c15ULL ^ (w2)*0xd6e8feb86659fd93ULL)
#define SONDE_REDIS_CODE(s) SONDE_REDIS_FOLD(SONDE_WORD(s, 0), SONDE_WORD(s, 8), SONDE_WORD(s, 16))

#define SONDE_REDIS_BULK_MAX 0x7fff0000u /* longest string (the server's own limit is 512 MB unless changed) */

/* Result of sonde_redis_number(): the value in the lower half, above it the length with the CRLF, and what else it may be. */
#define SONDE_REDIS_NUM_LEN(n) ((u32)((n) >> 32) & 0xff)
#define SONDE_REDIS_NUM_MORE (1ULL << 40) /* not all there */
#define SONDE_REDIS_NUM_BAD (1ULL << 41)
#define SONDE_REDIS_NUM_NIL (1ULL << 42) /* -1 */
#define SONDE_REDIS_NUM_OPEN (1ULL << 43) /* ?: a length that is not known yet (RESP3) */

/**
 * sonde_redis_number - the length or count at @pos, of which @avail bytes are in the window, and the CRLF behind it
 */
SONDE_INLINE u64 sonde_redis_number(const struct sonde_win *w, u32 pos, u32 avail)
{
	u64 word = sonde_win_u64(w, pos), value = 0, end;
	u32 n = sonde_bytes_before(SONDE_BYTES_WITHIN(word, '\r', '\r')), base = 0, flags = 0;
	u32 have = avail < 8 ? avail : 8;

	n = n < have ? n : have;
	if (n && (word & 0xff) == '?') {
		flags = SONDE_REDIS_NUM_OPEN >> 32;
		end = 1;
	} else if (n && (word & 0xff) == '-') {
		if (n >= 2 && (word >> 8 & 0xff) != '1')
			return SONDE_REDIS_NUM_BAD;
		flags = SONDE_REDIS_NUM_NIL >> 32;
		end = 2;
	} else {
		if (SONDE_BYTES_COUNT(SONDE_BYTES_WITHIN(sonde_bytes_low(word, n), '0', '9')) != n)
			return SONDE_REDIS_NUM_BAD;
		if (n)
			value = sonde_bytes_number(word, n);
		end = n;
		if (n == 8) { /* up to two digits more */
			word = sonde_win_u64(w, pos + 8);
			have = avail - 8 < 8 ? avail - 8 : 8;
			n = sonde_bytes_before(SONDE_BYTES_WITHIN(word, '\r', '\r'));
			n = n < have ? n : have;
			if (n > 2 || SONDE_BYTES_COUNT(SONDE_BYTES_WITHIN(sonde_bytes_low(word, n), '0', '9')) != n)
				return SONDE_REDIS_NUM_BAD;
			value = n == 2 ? value * 100 : n == 1 ? value * 10 : value;
			if (n)
				value += sonde_bytes_number(word, n);
			base = 8;
			end = 8 + n;
		}
	}
	if (base + n > end || value > SONDE_REDIS_BULK_MAX)
		return SONDE_REDIS_NUM_BAD;
	if (avail < end + 2)
		return base + n < end || avail <= end || sonde_win_u8(w, pos + end) == '\r' ? SONDE_REDIS_NUM_MORE
											    : SONDE_REDIS_NUM_BAD;
	if (!end || sonde_win_be16(w, pos + end) != ('\r' << 8 | '\n'))
		return SONDE_REDIS_NUM_BAD;
	return value | (u64)(flags | (u32)(end + 2)) << 32;
}

/**
 * struct sonde_redis_args - the arguments of a command, one after the other
 * @pos, @avail: the message in the window
 * @at: where the next argument begins, counted from @pos
 * @left: arguments not yet looked at
 * @off, @len: the last one, in the window
 * @want: bytes needed, when they are not there
 */
struct sonde_redis_args {
	u32 pos, avail;
	u32 at, left;
	u32 off, len;
	u32 want, pad;
};

/** sonde_redis_next - the next argument's length and CRLF; 0, or -SONDE_PARSE_MORE, -SONDE_PARSE_BAD */
SONDE_INLINE int sonde_redis_next(const struct sonde_win *w, struct sonde_redis_args *a)
{
	u32 at = a->at, head;
	u64 n;

	if (at >= a->avail) {
		a->want = at + 1;
		return -SONDE_PARSE_MORE;
	}
	if (sonde_win_u8(w, a->pos + at) != '$')
		return -SONDE_PARSE_BAD;
	n = sonde_redis_number(w, a->pos + at + 1, a->avail - at - 1);
	if (n & SONDE_REDIS_NUM_MORE) {
		a->want = a->avail + 1;
		return -SONDE_PARSE_MORE;
	}
	if (n & (SONDE_REDIS_NUM_BAD | SONDE_REDIS_NUM_NIL | SONDE_REDIS_NUM_OPEN))
		return -SONDE_PARSE_BAD;
	head = 1 + SONDE_REDIS_NUM_LEN(n);
	a->off = a->pos + at + head;
	a->len = n;
	a->at = at + head + a->len + 2;
	a->left--;
	return 0;
}

/* The kernel side replaces these by subprograms of their own. */
#ifndef SONDE_REDIS_NUMBER
#define SONDE_REDIS_NUMBER(w, pos, avail) sonde_redis_number(w, pos, avail)
#define SONDE_REDIS_NEXT(w, a) sonde_redis_next(w, a)
#endif

/* Whether fewer than @want bytes of the message are there. */
SONDE_INLINE bool sonde_redis_lacks(struct sonde_redis_args *a, u32 want)
{
	a->want = want;
	return a->avail < want;
}

/* The last argument must be there whole, and end as it should. */
SONDE_INLINE int sonde_redis_whole(const struct sonde_win *w, struct sonde_redis_args *a)
{
	if (sonde_redis_lacks(a, a->at))
		return -SONDE_PARSE_MORE;
	return sonde_win_be16(w, a->off + a->len) == ('\r' << 8 | '\n') ? 0 : -SONDE_PARSE_BAD;
}

#endif /* SONDE_PROTO_REDIS_WIRE_H */
