/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proto.h - what a protocol parser gets and what it answers: one message at a time, no state, no copies.
 *
 * A parser looks at the bytes of one direction of one connection, in a window of SONDE_WIN_BYTES that the
 * caller has filled, and describes the message that begins at a given position. It never loops over the
 * messages, keeps nothing, and reads the window through sonde_win_*() only, whose masked index satisfies the
 * verifier and keeps hostile lengths inside.
 */
#ifndef SONDE_PROTO_H
#define SONDE_PROTO_H

#include "base.h"
#include "key.h"

#define SONDE_WIN_SLACK SONDE_WIN_BYTES /* behind the window: a piece of any size may be copied to a masked position */

/** struct sonde_win - a piece of a stream; only the first SONDE_WIN_BYTES hold data, the slack is never meant */
struct sonde_win {
	u8 b[SONDE_WIN_BYTES + SONDE_WIN_SLACK];
};

/* What a message means for the bookkeeping of statements. The same for every protocol. */
enum sonde_op {
	SONDE_OP_NONE = 0, /* of no interest */

	/* from the client */
	SONDE_OP_QUERY, /* statement(s) in @text, executed at once; one end-of-batch reply follows */
	SONDE_OP_PREPARE, /* statement @name gets @text */
	SONDE_OP_BIND, /* portal @portal gets statement @name */
	SONDE_OP_EXECUTE, /* portal @portal is executed */
	SONDE_OP_CLOSE, /* statement @name is forgotten */
	SONDE_OP_SYNC, /* end of a batch; one end-of-batch reply follows */
	SONDE_OP_CALL, /* something that is no statement but is answered by an end-of-batch reply */
	SONDE_OP_COPY_END, /* client has sent all COPY data (or gave up) */
	SONDE_OP_END, /* client says good-bye */

	/* from the server */
	SONDE_OP_REPLY, /* part of the response to the oldest statement */
	SONDE_OP_ROW, /* the same, and one row of its result */
	SONDE_OP_COPY_IN, /* server asks for COPY data */
	SONDE_OP_DONE, /* oldest statement completed: @rows */
	SONDE_OP_EMPTY, /* empty statement completed */
	SONDE_OP_SUSPENDED, /* portal stopped at its row limit; the statement may go on */
	SONDE_OP_ERROR, /* oldest statement failed: @sqlstate, @error_class */
	SONDE_OP_READY, /* end-of-batch reply: @txn */
};

/* Answer of a parser. */
enum sonde_parse {
	SONDE_PARSE_OK = 0, /* @size bytes long (may reach beyond the window) */
	SONDE_PARSE_MORE, /* @size bytes must be in the window to tell */
	SONDE_PARSE_BAD, /* no message of this protocol can begin like this */
};

/* Transaction status of the connection. */
enum sonde_txn {
	SONDE_TXN_UNKNOWN = 0,
	SONDE_TXN_IDLE,
	SONDE_TXN_OPEN,
	SONDE_TXN_FAILED,
};

/**
 * struct sonde_msg - one message
 * @size: its length on the wire, header included (MORE: bytes needed)
 * @text_off, @text_len: statement text in the window; @text_len may reach beyond what is there
 * @name: hash of the statement's name, 0 unnamed; @portal: the same of the portal
 * @name_off, @name_len: the name itself
 * @sqlstate: five characters, first in the lowest byte
 */
struct sonde_msg {
	u32 size;
	u8 op; /* enum sonde_op */
	u8 txn; /* enum sonde_txn */
	u8 error_class; /* enum sonde_error_class */
	u8 type; /* the protocol's own message type, for debugging */
	u32 text_off;
	u32 text_len;
	u32 name_off;
	u32 name_len;
	u64 name;
	u64 portal;
	u64 rows;
	u64 sqlstate;
};

/* What the beginning of a stream is. */
enum sonde_detect {
	SONDE_DETECT_NO = 0, /* not this protocol, or not enough to be sure */
	SONDE_DETECT_MESSAGE, /* a client's messages, in the middle of a session */
	SONDE_DETECT_STARTUP, /* the first message of a session */
	SONDE_DETECT_TLS, /* a request to go on under TLS (or GSSAPI); the server's one-byte answer decides */
	SONDE_DETECT_OTHER, /* this protocol, but a connection that carries no statements (cancel request) */
};

SONDE_INLINE u32 sonde_win_u8(const struct sonde_win *w, u32 pos)
{
	return w->b[pos & (SONDE_WIN_BYTES - 1)];
}

/* Unaligned big-endian and native loads; the slack makes the bytes behind a masked position readable. */
SONDE_INLINE u32 sonde_win_be32(const struct sonde_win *w, u32 pos)
{
	const u8 *p = &w->b[pos & (SONDE_WIN_BYTES - 1)];
	u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

SONDE_INLINE u32 sonde_win_be16(const struct sonde_win *w, u32 pos)
{
	const u8 *p = &w->b[pos & (SONDE_WIN_BYTES - 1)];
	u16 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

SONDE_INLINE u64 sonde_win_u64(const struct sonde_win *w, u32 pos)
{
	const u8 *p = &w->b[pos & (SONDE_WIN_BYTES - 1)];
	u64 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

#define SONDE_NAME_SCAN_MAX 256u /* longest name that is looked at, bytes */
#define SONDE_NAME_SCAN_NONE 0xffffu /* length when no NUL was found */

/* Result of sonde_win_scan_name(): length in the upper 16 bits, hash (48 bits, 0 for an empty name) below. */
#define SONDE_NAME_LEN(scan) ((u32)((scan) >> 48))
#define SONDE_NAME_HASH(scan) ((scan) & ((1ULL << 48) - 1))

/**
 * sonde_win_scan_name - length and hash of the NUL-terminated name at @pos
 *
 * Eight bytes a step: the first zero byte of a word is found with the usual carry trick, the bytes before it
 * are mixed into the hash. Statement and portal names are short; most end in the first word.
 */
SONDE_INLINE u64 sonde_win_scan_name(const struct sonde_win *w, u32 pos)
{
	const u64 ones = 0x0101010101010101ULL;
	u64 hash = SONDE_FNV_BASIS;
	u32 len = 0;

	for (u32 i = 0; i < SONDE_NAME_SCAN_MAX / 8; i++) {
		u64 word = sonde_win_u64(w, pos + len);
		u64 zero = (word - ones) & ~word & (ones << 7);

		if (zero) {
			u64 below = (zero ^ (zero - 1)) >> 8; /* all bits of the bytes before the zero */

			len += (u32)(((below & ones) * ones) >> 56);
			if (!len)
				return 0;
			hash = sonde_mix64(hash ^ (word & below)) & ((1ULL << 48) - 1);
			return (u64)len << 48 | (hash ? hash : 1);
		}
		hash = sonde_mix64(hash ^ word);
		len += 8;
	}
	return (u64)SONDE_NAME_SCAN_NONE << 48;
}

/**
 * sonde_win_tail_number - the decimal number that ends just before @end, at most 19 digits; 0 if there is none
 */
SONDE_INLINE u64 sonde_win_tail_number(const struct sonde_win *w, u32 end)
{
	u64 value = 0, unit = 1;

	for (u32 i = 1; i <= 19; i++) {
		u32 digit = sonde_win_u8(w, end - i) - '0';

		if (digit > 9)
			break;
		value += digit * unit;
		unit *= 10;
	}
	return value;
}

/**
 * sonde_win_scan_text - bytes before the first NUL at or behind @pos, at most @max rounded up to a multiple of 8
 *
 * @max is at most SONDE_WIN_BYTES.
 */
SONDE_INLINE u32 sonde_win_scan_text(const struct sonde_win *w, u32 pos, u32 max)
{
	const u64 ones = 0x0101010101010101ULL;
	u32 len = 0;

	for (u32 i = 0; i < SONDE_WIN_BYTES / 8 && len < max; i++) {
		u64 word = sonde_win_u64(w, pos + len);
		u64 zero = (word - ones) & ~word & (ones << 7);

		if (zero)
			return len + (u32)((((zero ^ (zero - 1)) >> 8 & ones) * ones) >> 56);
		len += 8;
	}
	return len;
}

#define SONDE_HASH_TEXT_MAX 512u /* longest text that sonde_win_hash_text() takes */

/** sonde_win_hash_text - hash of the @len bytes at @pos, eight a step; 0 if they are more than SONDE_HASH_TEXT_MAX */
SONDE_INLINE u64 sonde_win_hash_text(const struct sonde_win *w, u32 pos, u32 len)
{
	u32 words = len / 8, rest = len % 8;
	u64 hash = len;

	if (len > SONDE_HASH_TEXT_MAX)
		return 0;
	for (u32 i = 0; i < SONDE_HASH_TEXT_MAX / 8; i++) {
		if (i >= words)
			break;
		hash = sonde_mix64(hash ^ sonde_win_u64(w, pos + 8 * i)) + SONDE_FNV_BASIS;
	}
	hash = sonde_mix64(hash ^ (sonde_win_u64(w, pos + len - rest) & ((1ULL << 8 * rest) - 1)));
	return hash | 1;
}

/* The kernel side replaces these by subprograms of their own, so that the verifier walks each loop once. */
#ifndef SONDE_SCAN_NAME
#define SONDE_SCAN_NAME(w, pos) sonde_win_scan_name(w, pos)
#define SONDE_TAIL_NUMBER(w, end) sonde_win_tail_number(w, end)
#define SONDE_SCAN_TEXT(w, pos, max) sonde_win_scan_text(w, pos, max)
#endif

#endif /* SONDE_PROTO_H */
