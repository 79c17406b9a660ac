/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postgresql.h - PostgreSQL frontend/backend protocol 3: detection and message parser.
 *
 * Source: PostgreSQL documentation, "Frontend/Backend Protocol": "Message Formats" for the layouts, "Message
 * Flow" for what follows what, appendix "PostgreSQL Error Codes" for the classes of SQLSTATE. A message is a
 * type byte, a 32-bit big-endian length that counts itself, and the body; the first message of a session has no
 * type byte.
 */
#ifndef SONDE_PROTO_POSTGRESQL_H
#define SONDE_PROTO_POSTGRESQL_H

#include "../proto.h"

/* The kernel side hashes in a subprogram of its own. */
#ifndef SONDE_PG_HASH
#define SONDE_PG_HASH(w, pos, len) sonde_win_hash_text(w, pos, len)
#endif

#define SONDE_PG_MAX_MESSAGE 0x40000000u /* 1 GiB: the server's own limit for a message (MaxAllocSize) */
#define SONDE_PG_TEXT_WANTED (SONDE_TEXT_BYTES + 16u) /* bytes of a statement that are waited for */

#define SONDE_PG_CODE_MAJOR3 3u /* protocol version's upper 16 bits */
#define SONDE_PG_CODE_CANCEL 80877102u
#define SONDE_PG_CODE_SSL 80877103u
#define SONDE_PG_CODE_GSSENC 80877104u

#define SONDE_PG_KIND_ENCRYPT 1u /* sonde_msg.kind of a request for encryption */

/* Bit set of letters 'A'..'Z' and 'a'..'z' by (letter & 63) - 1, so that membership is one shift. */
#define SONDE_PG_BIT(c) (1ULL << (((c)&63) - 1))
#define SONDE_PG_FRONTEND                                                                                              \
	(SONDE_PG_BIT('Q') | SONDE_PG_BIT('P') | SONDE_PG_BIT('B') | SONDE_PG_BIT('E') | SONDE_PG_BIT('D') |           \
	 SONDE_PG_BIT('C') | SONDE_PG_BIT('S') | SONDE_PG_BIT('H') | SONDE_PG_BIT('F') | SONDE_PG_BIT('X') |           \
	 SONDE_PG_BIT('d') | SONDE_PG_BIT('c') | SONDE_PG_BIT('f') | SONDE_PG_BIT('p'))

/* Backend types, by value - '1': digits 1 2 3 and letters up to 't' fit one 128-bit set; two words. */
SONDE_INLINE bool sonde_pg_is_backend(u32 type)
{
	const u64 upper = SONDE_PG_BIT('A') | SONDE_PG_BIT('C') | SONDE_PG_BIT('D') | SONDE_PG_BIT('E') |
			  SONDE_PG_BIT('G') | SONDE_PG_BIT('H') | SONDE_PG_BIT('I') | SONDE_PG_BIT('K') |
			  SONDE_PG_BIT('N') | SONDE_PG_BIT('R') | SONDE_PG_BIT('S') | SONDE_PG_BIT('T') |
			  SONDE_PG_BIT('V') | SONDE_PG_BIT('W') | SONDE_PG_BIT('Z') | SONDE_PG_BIT('c') |
			  SONDE_PG_BIT('d') | SONDE_PG_BIT('n') | SONDE_PG_BIT('s') | SONDE_PG_BIT('t') |
			  SONDE_PG_BIT('v');

	if (type >= 'A' && type <= 'z')
		return (upper >> ((type & 63) - 1)) & 1;
	return type >= '1' && type <= '3';
}

SONDE_INLINE bool sonde_pg_is_frontend(u32 type)
{
	return type >= 'A' && type <= 'z' && ((SONDE_PG_FRONTEND >> ((type & 63) - 1)) & 1);
}

/**
 * sonde_pg_is_bulk - whether messages of @type only make a response longer: DataRow, CopyData, and what announces them
 * (RowDescription, NoData, ParseComplete, BindComplete, ParameterDescription, CloseComplete); from a client CopyData
 */
SONDE_INLINE bool sonde_pg_is_bulk(u32 type, bool server)
{
	if (!server)
		return type == 'd';
	return type == 'D' || type == 'd' || type == 'T' || type == 'n' || type == 't' || (type >= '1' && type <= '3');
}

/** sonde_pg_error_class - class of the SQLSTATE packed in @sqlstate (first two characters decide) */
SONDE_INLINE u32 sonde_pg_error_class(u64 sqlstate)
{
	switch (sqlstate & 0xffff) {
	case '2' | '2' << 8:
		return SONDE_ERR_DATA;
	case '2' | '3' << 8:
		return SONDE_ERR_CONSTRAINT;
	case '4' | '0' << 8:
		return SONDE_ERR_ROLLBACK;
	case '4' | '2' << 8:
		return SONDE_ERR_SYNTAX;
	case '5' | '7' << 8:
		return SONDE_ERR_CANCEL;
	case '5' | '3' << 8:
	case '5' | '4' << 8:
		return SONDE_ERR_RESOURCE;
	case '0' | '8' << 8:
	case '2' | '8' << 8:
		return SONDE_ERR_CONNECTION;
	default:
		return SONDE_ERR_OTHER;
	}
}

/**
 * sonde_pg_scan_sqlstate - SQLSTATE of the ErrorResponse fields at [@pos, @end); 0 if not within the first 128 bytes
 *
 * Fields are a type byte and a string each; severity (S, V) comes first, then C with five characters.
 */
SONDE_INLINE u64 sonde_pg_scan_sqlstate(const struct sonde_win *w, u32 pos, u32 end)
{
	for (u32 i = 0; i < 128 && pos + i + 8 <= end; i++) {
		u64 word = sonde_win_u64(w, pos + i); /* \0 C x x x x x \0 */

		if ((word & 0xff000000000000ffULL) == 0 && ((word >> 8) & 0xff) == 'C')
			return (word >> 16) & 0xffffffffffULL;
	}
	return 0;
}

#ifndef SONDE_SCAN_SQLSTATE
#define SONDE_SCAN_SQLSTATE(w, pos, end) sonde_pg_scan_sqlstate(w, pos, end)
#endif

/* Header of the typed message at @pos: fills type and size; the answer is final unless OK. */
SONDE_INLINE int sonde_pg_header(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_msg *m)
{
	u32 len;

	if (avail < 5) {
		m->size = 5;
		return SONDE_PARSE_MORE;
	}
	m->type = sonde_win_u8(w, pos);
	len = sonde_win_be32(w, pos + 1);
	if (len < 4 || len >= SONDE_PG_MAX_MESSAGE)
		return SONDE_PARSE_BAD;
	m->size = len + 1;
	return SONDE_PARSE_OK;
}

/* MORE unless @want bytes of the message (or all of it) are in the window. */
SONDE_INLINE bool sonde_pg_lacks(u32 avail, u32 want, struct sonde_msg *m)
{
	want = sonde_min_u32(want, m->size);
	if (avail >= want)
		return false;
	m->size = want;
	return true;
}

/* Longest startup message whose user and database are looked for (the server itself refuses more than 10000). */
#define SONDE_PG_STARTUP_WANTED 2048u
#define SONDE_PG_STARTUP_PAIRS 12u

/* User and database among the name/value pairs of the startup message at @pos, @len bytes of which are in the window. */
SONDE_INLINE void sonde_pg_startup_pairs(const struct sonde_win *w, u32 pos, u32 len, struct sonde_msg *m)
{
	u32 end = pos + len;

	pos += 8;
	for (u32 i = 0; i < SONDE_PG_STARTUP_PAIRS && pos + 1 < end; i++) {
		u32 key_len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, pos)), value = pos + key_len + 1, value_len;
		u64 word = sonde_win_u64(w, pos);

		if (!key_len || key_len == SONDE_NAME_SCAN_NONE)
			break;
		value_len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, value));
		if (value_len == SONDE_NAME_SCAN_NONE || value + value_len >= end)
			break;
		if (key_len == 4 && (u32)word == ('u' | 's' << 8 | 'e' << 16 | (u32)'r' << 24)) {
			m->user_off = value;
			m->user_len = value_len;
		}
		if (key_len == 8 && word == 0x6573616261746164ULL) { /* "database" */
			m->db_off = value;
			m->db_len = value_len;
		}
		pos = value + value_len + 1;
	}
	if (!m->db_len) { /* the server's default: the user's name */
		m->db_off = m->user_off;
		m->db_len = m->user_len;
	}
}

/* The untyped messages that begin a connection: StartupMessage, SSLRequest, GSSENCRequest, CancelRequest. */
SONDE_INLINE int sonde_pg_startup(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_msg *m)
{
	u32 code;

	if (avail < 8) {
		m->size = 8;
		return SONDE_PARSE_MORE;
	}
	m->size = sonde_win_be32(w, pos);
	code = sonde_win_be32(w, pos + 4);
	if (m->size == 8 && (code == SONDE_PG_CODE_SSL || code == SONDE_PG_CODE_GSSENC)) {
		m->op = SONDE_OP_CALL;
		m->kind = SONDE_PG_KIND_ENCRYPT;
		return SONDE_PARSE_OK;
	}
	if (m->size >= 16 && m->size <= 272 && code == SONDE_PG_CODE_CANCEL) {
		m->op = SONDE_OP_IGNORE;
		return SONDE_PARSE_OK;
	}
	if (code >> 16 != SONDE_PG_CODE_MAJOR3 || m->size < 9 || m->size > 10000)
		return SONDE_PARSE_BAD;
	if (sonde_pg_lacks(avail, SONDE_PG_STARTUP_WANTED, m))
		return SONDE_PARSE_MORE;
	m->op = SONDE_OP_STARTUP;
	sonde_pg_startup_pairs(w, pos, sonde_min_u32(m->size, avail), m);
	return SONDE_PARSE_OK;
}

/* One byte answers SSLRequest and GSSENCRequest; a server that knows neither sends an error message. */
SONDE_INLINE int sonde_pg_encrypt_answer(const struct sonde_win *w, u32 pos, struct sonde_msg *m)
{
	m->size = 1;
	switch (sonde_win_u8(w, pos)) {
	case 'S':
		m->op = SONDE_OP_TLS;
		return SONDE_PARSE_OK;
	case 'G':
		m->op = SONDE_OP_UNREADABLE;
		m->kind = SONDE_CNT_UNREADABLE_GSSAPI;
		return SONDE_PARSE_OK;
	case 'N':
		m->op = SONDE_OP_READY;
		return SONDE_PARSE_OK;
	default: /* the server closes; the client tries again without */
		m->op = SONDE_OP_IGNORE;
		return SONDE_PARSE_OK;
	}
}

/**
 * sonde_postgresql_client - describe the client's message at @pos
 * @avail: bytes from @pos on that are in the window
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_postgresql_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					 struct sonde_msg *m)
{
	int ret;
	u64 scan;
	u32 len, have;

	if (avail && sonde_win_u8(w, pos) == 0)
		return sonde_pg_startup(w, pos, avail, m);
	ret = sonde_pg_header(w, pos, avail, m);
	if (ret)
		return ret;
	switch (m->type) {
	case 'Q':
		if (sonde_pg_lacks(avail, 5 + SONDE_PG_TEXT_WANTED, m))
			return SONDE_PARSE_MORE;
		if (m->size < 6)
			return SONDE_PARSE_BAD;
		m->op = SONDE_OP_QUERY;
		m->text_off = pos + 5;
		m->text_len = m->size - 6; /* without the NUL */
		return SONDE_PARSE_OK;
	case 'P':
		if (sonde_pg_lacks(avail, 5 + SONDE_NAME_SCAN_MAX + SONDE_PG_TEXT_WANTED, m))
			return SONDE_PARSE_MORE;
		scan = SONDE_SCAN_NAME(w, pos + 5);
		len = SONDE_NAME_LEN(scan);
		if (len == SONDE_NAME_SCAN_NONE || m->size < 5 + len + 1 + 1 + 2)
			return SONDE_PARSE_BAD;
		m->op = SONDE_OP_PREPARE;
		m->name = SONDE_NAME_HASH(scan);
		m->text_off = pos + 5 + len + 1;
		m->text_len = m->size - (5 + len + 1) - 3; /* if no parameter types follow */
		have = avail - (5 + len + 1); /* bytes of the text that are in the window */
		len = SONDE_SCAN_TEXT(w, m->text_off, have);
		if (len < have)
			m->text_len = sonde_min_u32(m->text_len, len);
		return SONDE_PARSE_OK;
	case 'B':
		if (sonde_pg_lacks(avail, 5 + 2 * SONDE_NAME_SCAN_MAX + SONDE_HASH_TEXT_MAX, m))
			return SONDE_PARSE_MORE;
		scan = SONDE_SCAN_NAME(w, pos + 5);
		len = SONDE_NAME_LEN(scan);
		if (len == SONDE_NAME_SCAN_NONE || m->size < 5 + len + 1 + 1)
			return SONDE_PARSE_BAD;
		m->portal = SONDE_NAME_HASH(scan);
		m->name_off = pos + 5 + len + 1;
		scan = SONDE_SCAN_NAME(w, m->name_off);
		m->name_len = SONDE_NAME_LEN(scan);
		if (m->name_len == SONDE_NAME_SCAN_NONE || m->name_off + m->name_len >= pos + m->size)
			return SONDE_PARSE_BAD;
		m->op = SONDE_OP_BIND;
		m->name = SONDE_NAME_HASH(scan);
		len = m->name_off + m->name_len + 1; /* formats and values follow */
		m->params = SONDE_PG_HASH(w, len, sonde_min_u32(pos + m->size - len, SONDE_HASH_TEXT_MAX));
		return SONDE_PARSE_OK;
	case 'E':
		if (sonde_pg_lacks(avail, 5 + SONDE_NAME_SCAN_MAX, m))
			return SONDE_PARSE_MORE;
		scan = SONDE_SCAN_NAME(w, pos + 5);
		if (SONDE_NAME_LEN(scan) == SONDE_NAME_SCAN_NONE || m->size < 5 + SONDE_NAME_LEN(scan) + 1 + 4)
			return SONDE_PARSE_BAD;
		m->op = SONDE_OP_EXECUTE;
		m->portal = SONDE_NAME_HASH(scan);
		return SONDE_PARSE_OK;
	case 'C':
		if (sonde_pg_lacks(avail, 6 + SONDE_NAME_SCAN_MAX, m))
			return SONDE_PARSE_MORE;
		if (m->size < 7)
			return SONDE_PARSE_BAD;
		if (sonde_win_u8(w, pos + 5) == 'S') {
			scan = SONDE_SCAN_NAME(w, pos + 6);
			if (6 + SONDE_NAME_LEN(scan) >= m->size)
				return SONDE_PARSE_BAD;
			m->op = SONDE_OP_CLOSE;
			m->name = SONDE_NAME_HASH(scan);
		}
		return SONDE_PARSE_OK;
	case 'S':
		m->op = SONDE_OP_SYNC;
		return m->size == 5 ? SONDE_PARSE_OK : SONDE_PARSE_BAD;
	case 'F':
		m->op = SONDE_OP_CALL;
		return SONDE_PARSE_OK;
	case 'c':
	case 'f':
		m->op = SONDE_OP_COPY_END;
		return SONDE_PARSE_OK;
	case 'X':
		m->op = SONDE_OP_END;
		return m->size == 5 ? SONDE_PARSE_OK : SONDE_PARSE_BAD;
	default: /* Describe, Flush, CopyData, password and SASL messages */
		return sonde_pg_is_frontend(m->type) ? SONDE_PARSE_OK : SONDE_PARSE_BAD;
	}
}

/**
 * sonde_postgresql_server - describe the server's message at @pos
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_postgresql_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					 struct sonde_msg *m)
{
	int ret;
	u32 status;

	if (st->expect == SONDE_PG_KIND_ENCRYPT)
		return sonde_pg_encrypt_answer(w, pos, m);
	ret = sonde_pg_header(w, pos, avail, m);
	if (ret)
		return ret;
	switch (m->type) {
	case 'D':
		m->op = SONDE_OP_ROW;
		return SONDE_PARSE_OK;
	case 'C':
		if (sonde_pg_lacks(avail, 5 + 64, m))
			return SONDE_PARSE_MORE;
		m->op = SONDE_OP_DONE; /* "SELECT 5", "INSERT 0 1", "BEGIN": a count at the end, or none */
		m->rows = m->size > 5 + 64 ? 0 : SONDE_TAIL_NUMBER(w, pos + m->size - 1);
		return SONDE_PARSE_OK;
	case 'Z':
		if (sonde_pg_lacks(avail, 6, m))
			return SONDE_PARSE_MORE;
		if (m->size != 6)
			return SONDE_PARSE_BAD;
		status = sonde_win_u8(w, pos + 5);
		m->op = SONDE_OP_READY;
		m->txn = status == 'I'	 ? SONDE_TXN_IDLE
			 : status == 'T' ? SONDE_TXN_OPEN
			 : status == 'E' ? SONDE_TXN_FAILED
					 : SONDE_TXN_UNKNOWN;
		return m->txn ? SONDE_PARSE_OK : SONDE_PARSE_BAD;
	case 'E':
		if (sonde_pg_lacks(avail, 5 + 160, m))
			return SONDE_PARSE_MORE;
		m->op = SONDE_OP_ERROR;
		m->sqlstate = SONDE_SCAN_SQLSTATE(w, pos + 5, pos + m->size);
		m->error_class = sonde_pg_error_class(m->sqlstate);
		return SONDE_PARSE_OK;
	case 'I':
		m->op = SONDE_OP_EMPTY;
		return SONDE_PARSE_OK;
	case 's':
		m->op = SONDE_OP_SUSPENDED;
		return SONDE_PARSE_OK;
	case 'G':
		m->op = SONDE_OP_COPY_IN;
		return SONDE_PARSE_OK;
	case 'N': /* notices, notifications and changed settings come at any time and belong to nobody */
	case 'A':
	case 'S':
	case 'R':
	case 'K':
	case 'v':
		return SONDE_PARSE_OK;
	default:
		m->op = SONDE_OP_REPLY;
		return sonde_pg_is_backend(m->type) ? SONDE_PARSE_OK : SONDE_PARSE_BAD;
	}
}

/*
 * Passes by messages that are sonde_pg_is_bulk(): from @pos on, as long as the message lies in front of @end whole, at
 * most @max of them. Returns where the first other one begins; *@rows is the number of DataRow messages among them.
 */
SONDE_INLINE u32 sonde_pg_skip_run(const struct sonde_win *w, u32 pos, u32 end, bool server, u32 max, u32 *rows)
{
	u32 n = 0;

	for (u32 i = 0; i < max; i++) {
		u32 size, type;

		if (pos + 5 > end)
			break;
		type = sonde_win_u8(w, pos);
		size = sonde_win_be32(w, pos + 1) + 1;
		if (!sonde_pg_is_bulk(type, server) || size < 5 || size > end - pos)
			break;
		pos += size;
		n += type == 'D';
	}
	*rows = n;
	return pos;
}

/* A Parse alone in a send (node-postgres writes every message by itself) must be consistent to the last byte. */
SONDE_INLINE bool sonde_pg_exact_parse(const struct sonde_win *w, u32 total, u32 avail)
{
	u32 nr;

	if (avail < total || total < 9)
		return false;
	/* ... text NUL, number of parameter types (0 nearly always), no types */
	nr = sonde_win_be16(w, total - 2);
	return nr == 0 && sonde_win_u8(w, total - 3) == 0;
}

/** sonde_postgresql_plausible - a client's first byte is a message type, or 0 before the session begins */
SONDE_INLINE bool sonde_postgresql_plausible(u64 head, u32 total)
{
	u32 size = __builtin_bswap32((u32)(head >> 8));

	if (total < 5)
		return false;
	if (!(head & 0xff))
		return !(head & 0xffff00);
	return sonde_pg_is_frontend(head & 0xff) && size < SONDE_PG_MAX_MESSAGE;
}

/**
 * sonde_postgresql_detect - whether @total bytes of a client's stream, the first @avail of them in the window from 0 on,
 * are PostgreSQL's
 *
 * Strict: either the first message of a session, or a chain of valid messages that fills the send to its last byte
 * and contains one that only a client sends. Returns enum sonde_detect.
 */
SONDE_INLINE int sonde_postgresql_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st)
{
	u32 pos = 0, type = 0, size = 0, nr = 0;

	if (avail < 5)
		return SONDE_DETECT_NO;
	if (sonde_win_u8(w, 0) == 0) {
		u32 len = sonde_win_be32(w, 0), code = sonde_win_be32(w, 4);

		if (avail < 8 || len != total)
			return SONDE_DETECT_NO;
		if (len == 8 && (code == SONDE_PG_CODE_SSL || code == SONDE_PG_CODE_GSSENC))
			return SONDE_DETECT_CLIENT;
		if (len >= 16 && code == SONDE_PG_CODE_CANCEL)
			return SONDE_DETECT_CLIENT;
		if (code >> 16 == SONDE_PG_CODE_MAJOR3 && len >= 9 && len <= 10000 && avail >= len &&
		    sonde_win_u8(w, len - 1) == 0)
			return SONDE_DETECT_CLIENT;
		return SONDE_DETECT_NO;
	}
	for (u32 i = 0; i < 24 && pos + 5 <= avail; i++) {
		type = sonde_win_u8(w, pos);
		size = sonde_win_be32(w, pos + 1) + 1;
		if (!sonde_pg_is_frontend(type) || size < 5 || size > total - pos)
			return SONDE_DETECT_NO;
		if ((type == 'S' || type == 'H' || type == 'X' || type == 'c') && size != 5)
			return SONDE_DETECT_NO;
		if (type == 'Q' && pos + size <= avail && sonde_win_u8(w, pos + size - 1) != 0)
			return SONDE_DETECT_NO;
		pos += size;
		nr++;
	}
	if (type == 'Q' || type == 'S' ||
	    type == 'H') /* a batch is complete: it fills the send, or the window is full of it */
		return pos == total || nr == 24 ? SONDE_DETECT_CLIENT : SONDE_DETECT_NO;
	if (nr == 1 && type == 'P' && pos == total)
		return sonde_pg_exact_parse(w, total, avail) ? SONDE_DETECT_CLIENT : SONDE_DETECT_NO;
	return nr == 24 ? SONDE_DETECT_CLIENT : SONDE_DETECT_NO;
}

#endif /* SONDE_PROTO_POSTGRESQL_H */
