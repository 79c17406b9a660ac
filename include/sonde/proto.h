/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proto.h - what a protocol parser gets and what it answers: one message at a time, no copies, next to no state.
 *
 * A parser looks at the bytes of one direction of one connection, in a window of SONDE_WIN_BYTES that the caller has
 * filled, and describes the message that begins at a given position. It never loops over the messages and reads the
 * window through sonde_win_*() only, whose masked index satisfies the verifier and keeps hostile lengths inside. What it
 * must know from one message to the next stands in struct sonde_state.
 *
 * The parser <p> of a row in proto.def is four functions, all SONDE_INLINE, in include/sonde/proto/<p>.h:
 *
 *	bool sonde_<p>_plausible(u64 head, u32 total);
 *		Cheap: can @total bytes of either direction that begin with the eight bytes @head (first one lowest, zeros
 *		behind a shorter end) be this protocol? Asked before anything is copied.
 *	int sonde_<p>_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st);
 *		Strict: are @total bytes, of which @avail are in the window from 0 on, this protocol? Returns enum
 *		sonde_detect. @st is all zero; what it sets there the messages then find.
 *	int sonde_<p>_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st, struct sonde_msg *m);
 *	int sonde_<p>_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st, struct sonde_msg *m);
 *		Describe the client's or the server's message at @pos, of which @avail bytes are in the window. Return enum
 *		sonde_parse. @m comes with everything zero but the offsets and the label's bytes. @st changes only when they
 *		return SONDE_PARSE_OK.
 *
 * A message is whatever is convenient: a header and its body, one element of a nested reply, one chunk. Its size may reach
 * far beyond the window: the caller passes by the rest without looking. Loops must be bounded by a constant, and short:
 * what takes many steps is a macro that the kernel side replaces by a subprogram of its own (SONDE_SCAN_NAME below).
 */
#ifndef SONDE_PROTO_H
#define SONDE_PROTO_H

#include "base.h"
#include "key.h"
#include "label.h"

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
	SONDE_OP_PREPARE_CALL, /* @text is prepared; the end-of-batch reply gives it a name (SONDE_OP_PREPARED) */
	SONDE_OP_BIND, /* portal @portal gets statement @name */
	SONDE_OP_EXECUTE, /* portal @portal is executed */
	SONDE_OP_RUN, /* statement @name is executed, without portals; one end-of-batch reply follows. Label: name for people */
	SONDE_OP_FETCH, /* further rows of statement @name; one end-of-batch reply follows */
	SONDE_OP_COMMAND, /* statement whose normalised text is the label; one reply and no end-of-batch reply, see flags */
	SONDE_OP_CLOSE, /* statement @name is forgotten; no reply */
	SONDE_OP_SYNC, /* end of a batch; one end-of-batch reply follows */
	SONDE_OP_CALL, /* something that is no statement but is answered by an end-of-batch reply */
	SONDE_OP_COPY_END, /* client has sent all COPY data (or gave up) */
	SONDE_OP_STARTUP, /* beginning of a session: user and database, where given */
	SONDE_OP_END, /* client says good-bye */

	/* from the server */
	SONDE_OP_REPLY, /* part of the response to the oldest statement */
	SONDE_OP_ROW, /* the same, and one row of its result */
	SONDE_OP_COPY_IN, /* server asks for COPY data */
	SONDE_OP_DONE, /* oldest statement completed: @rows */
	SONDE_OP_EMPTY, /* empty statement completed */
	SONDE_OP_SUSPENDED, /* portal stopped at its row limit; the statement may go on */
	SONDE_OP_ERROR, /* oldest statement failed: @sqlstate, @error_class */
	SONDE_OP_PREPARED, /* end-of-batch reply to PREPARE_CALL: its text is called @name from now on */
	SONDE_OP_READY, /* end-of-batch reply: @txn */

	/* from either */
	SONDE_OP_FLAVOUR, /* the connection is of the related protocol @kind (enum sonde_proto): MariaDB, not MySQL */
	SONDE_OP_TLS, /* what follows, both ways, is TLS */
	SONDE_OP_SWITCH, /* what follows, both ways, is another protocol (HTTP Upgrade, CONNECT) */
	SONDE_OP_IGNORE, /* the connection carries no statements (PostgreSQL's cancel request) */
	SONDE_OP_UNREADABLE, /* what follows cannot be read: counted under @kind (enum sonde_counter) */
};

/* Answer of a parser. */
enum sonde_parse {
	SONDE_PARSE_OK = 0, /* @size bytes long (may reach beyond the window) */
	SONDE_PARSE_MORE, /* @size bytes must be in the window to tell */
	SONDE_PARSE_BAD, /* no message of this protocol can begin like this */
};

/* Transaction status of the connection. */
enum sonde_txn {
	SONDE_TXN_UNKNOWN = 0, /* in a message: says nothing about it */
	SONDE_TXN_IDLE,
	SONDE_TXN_OPEN,
	SONDE_TXN_FAILED,
};

/* sonde_msg.flags */
#define SONDE_MSG_LAST 1u /* DONE, ERROR: also the end-of-batch reply. COMMAND: also the end of a batch */
#define SONDE_MSG_MORE 2u /* DONE: further results follow, of this statement if it is the last of its batch */
#define SONDE_MSG_BLOCKING 4u /* COMMAND: waits by intent (BLPOP, SUBSCRIBE); its time says nothing about the server */
#define SONDE_MSG_NO_REPLY 8u /* COMMAND: is never answered; complete as soon as it is sent */
#define SONDE_MSG_QUIET 16u /* COMMAND: answered only if there is something to say (memcached mg q) */
#define SONDE_MSG_LOUD 32u /* DONE: cannot be the answer to a quiet command: those before it are complete, too */
#define SONDE_MSG_DATABASE 64u /* QUERY, COMMAND: when it succeeds, the connection uses database @db from then on */
#define SONDE_MSG_SYNC_DROPS 128u /* READY: quiet commands before it are complete, not skipped (memcached mn) */
#define SONDE_MSG_UNTIL_CLOSE 256u /* DONE: @size is meaningless, the message ends with the connection (HTTP/1.0) */
#define SONDE_MSG_IN_DATABASE 512u /* COMMAND: runs in database @db, as does what follows (MongoDB) */

#define SONDE_ROWS_COUNTED (~0ULL) /* rows: as many as there were ROW messages */
#define SONDE_NAME_LAST (~0ULL) /* name: the statement prepared last */

/**
 * struct sonde_state - what a parser remembers of a connection, from one message to the next
 * @flags: of the session (capabilities, versions); set while it begins, kept when the place in a stream is lost
 * @expect: in, server: kind of the oldest outstanding entry, 0 if there is none
 *
 * The client's parser writes the fe_ members only, the server's the be_ members only: they may run at the same time on two
 * processors. All of a direction is zeroed when its place is lost. What the values mean each parser documents.
 */
struct sonde_state {
	u32 flags;
	u32 expect;
	u32 fe_mode, be_mode;
	u64 fe_left, be_left;
	u64 fe_aux, be_aux;
};

/**
 * struct sonde_msg - one message
 * @size: its length on the wire, header included (MORE: bytes needed)
 * @flags: SONDE_MSG_*
 * @kind: what the server's parser shall find in sonde_state.expect while this one is the oldest outstanding; never 0 then
 * @replies: COMMAND: DONEs that complete it; 0 is 1
 * @text_off, @text_len: statement text in the window; @text_len may reach beyond what is there
 * @name: hash of the statement's name, 0 unnamed; @portal: the same of the portal
 * @name_off, @name_len: the name itself
 * @user_off, @user_len, @db_off, @db_len: STARTUP, SONDE_MSG_DATABASE, SONDE_MSG_IN_DATABASE: in the window; len 0: not given
 * @params: hash of literals or parameters, 0 none
 * @rows: of a DONE or PREPARED: SONDE_ROWS_COUNTED or a number
 * @sqlstate: five characters, first in the lowest byte
 * @code: the server's own error number (MySQL), 0 none
 * @scratch: the parser's while it works, not cleared: stack is short (512 bytes for all calls in the kernel)
 */
struct sonde_msg {
	u32 size;
	u8 op; /* enum sonde_op */
	u8 txn; /* enum sonde_txn */
	u8 error_class; /* enum sonde_error_class, or enum sonde_http_class */
	u8 type; /* the protocol's own message type, for debugging */
	u32 flags;
	u16 kind;
	u16 replies;
	u32 text_off;
	u32 text_len;
	u32 name_off;
	u32 name_len;
	u32 user_off, user_len;
	u32 db_off, db_len;
	u32 code;
	u32 pad;
	u64 name;
	u64 portal;
	u64 params;
	u64 rows;
	u64 sqlstate;
	struct sonde_label label;
	u64 scratch[16];
};

/* What the beginning of a stream is. */
enum sonde_detect {
	SONDE_DETECT_NO = 0, /* not this protocol, or not enough to be sure */
	SONDE_DETECT_CLIENT, /* a client's messages: the first of a session or in the middle of one */
	SONDE_DETECT_SERVER, /* a server's first message (it speaks before the client: MySQL's greeting) */
	SONDE_DETECT_MORE, /* can be, but too short to tell (at most 16 bytes): with the next piece behind it */
};

SONDE_INLINE u32 sonde_win_u8(const struct sonde_win *w, u32 pos)
{
	return w->b[pos & (SONDE_WIN_BYTES - 1)];
}

/* Unaligned big- and little-endian loads (both targets are little-endian); the slack makes the bytes behind a masked position readable. */
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

SONDE_INLINE u32 sonde_win_le32(const struct sonde_win *w, u32 pos)
{
	const u8 *p = &w->b[pos & (SONDE_WIN_BYTES - 1)];
	u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

SONDE_INLINE u32 sonde_win_le16(const struct sonde_win *w, u32 pos)
{
	const u8 *p = &w->b[pos & (SONDE_WIN_BYTES - 1)];
	u16 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

/** sonde_win_le24 - MySQL's three-byte integers */
SONDE_INLINE u32 sonde_win_le24(const struct sonde_win *w, u32 pos)
{
	return sonde_win_le32(w, pos) & 0xffffff;
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
