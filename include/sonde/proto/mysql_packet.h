/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mysql_packet.h - MySQL and MariaDB client/server protocol: numbers, commands, and what stands inside of packets.
 *
 * Source: MariaDB documentation, "Client/Server Protocol", and MySQL Source Code Documentation, "Client/Server Protocol".
 * Functions that loop are called through macros, which the kernel side replaces by subprograms of their own.
 */
#ifndef SONDE_PROTO_MYSQL_PACKET_H
#define SONDE_PROTO_MYSQL_PACKET_H

#include "../proto.h"

#define SONDE_MYSQL_MAX_PACKET 0xffffffu /* this long: continued by the next packet */
#define SONDE_MYSQL_TEXT_WANTED (SONDE_TEXT_BYTES + 16u) /* bytes of a statement that are waited for */
#define SONDE_MYSQL_PARAMS_WANTED 512u /* bytes of parameters that are hashed */
#define SONDE_MYSQL_RESPONSE_WANTED 1024u /* of a handshake response: user, authentication data, database */
#define SONDE_MYSQL_RESPONSE_MAX 0x8000u /* longer ones are not believed; the first bytes of TLS would be */
#define SONDE_MYSQL_SSL_REQUEST 32u /* length of the handshake response's fixed part, alone */

/* Capabilities in the handshake. */
#define SONDE_MYSQL_CLIENT_MYSQL 0x1u /* MariaDB's own servers leave it out */
#define SONDE_MYSQL_CONNECT_WITH_DB 0x8u
#define SONDE_MYSQL_COMPRESS 0x20u
#define SONDE_MYSQL_PROTOCOL_41 0x200u
#define SONDE_MYSQL_SSL 0x800u
#define SONDE_MYSQL_SECURE_CONNECTION 0x8000u
#define SONDE_MYSQL_PLUGIN_AUTH_LENENC 0x200000u
#define SONDE_MYSQL_ZSTD 0x4000000u

/* Status flags of OK and EOF packets. */
#define SONDE_MYSQL_STATUS_IN_TRANS 0x1u
#define SONDE_MYSQL_STATUS_MORE_RESULTS 0x8u
#define SONDE_MYSQL_STATUS_CURSOR_EXISTS 0x40u

/* First bytes of replies. */
#define SONDE_MYSQL_OK 0u
#define SONDE_MYSQL_LOCAL_INFILE 0xfbu
#define SONDE_MYSQL_EOF 0xfeu /* while authenticating: use another method */
#define SONDE_MYSQL_ERR 0xffu
#define SONDE_MYSQL_PROGRESS 0xffffu /* in place of an error's number: how far a long statement has come (MariaDB) */

#define SONDE_MYSQL_VERSION 10u /* protocol version, the first byte of a session */

/* Commands that are more than a row of the table below. */
#define SONDE_MYSQL_COM_INIT_DB 0x02u
#define SONDE_MYSQL_COM_QUERY 0x03u
#define SONDE_MYSQL_COM_CHANGE_USER 0x11u
#define SONDE_MYSQL_COM_STMT_PREPARE 0x16u
#define SONDE_MYSQL_COM_STMT_EXECUTE 0x17u
#define SONDE_MYSQL_COM_STMT_CLOSE 0x19u
#define SONDE_MYSQL_COM_STMT_FETCH 0x1cu
#define SONDE_MYSQL_COM_STMT_BULK_EXECUTE 0xfau

#define SONDE_MYSQL_NAME_BIT (1ULL << 32) /* makes a statement's id a name that is never 0 */
#define SONDE_MYSQL_LAST_ID 0xffffffffu /* MariaDB: the statement prepared last */

/* sonde_msg.kind: which replies a command has. */
enum sonde_mysql_kind {
	SONDE_MYSQL_RESULT = 1, /* OK, error, file request or result sets */
	SONDE_MYSQL_PREPARE, /* OK and definitions */
	SONDE_MYSQL_FETCH, /* rows and their end */
	SONDE_MYSQL_SIMPLE, /* one packet */
	SONDE_MYSQL_FIELDS, /* definitions and their end */
	SONDE_MYSQL_AUTH, /* rounds of authentication */
};

#define SONDE_MYSQL_COMMANDS 32u /* in the table; power of two */
#define SONDE_MYSQL_LONGER 0x80u

/**
 * struct sonde_mysql_command - what is known of a command
 * @len: of its payload: exactly, or | SONDE_MYSQL_LONGER at least; 0: there is none
 * @name: COMMAND: behind "admin "
 */
struct sonde_mysql_command {
	u8 op, kind, flags, len;
	u8 name_len;
	u8 pad[3];
	char name[16];
};

#define SONDE_MYSQL_ADMIN(kind, len, name)                                                                             \
	{                                                                                                              \
		SONDE_OP_COMMAND, SONDE_MYSQL_##kind, SONDE_MSG_LAST, len, sizeof(name) - 1, { 0 }, name               \
	}
#define SONDE_MYSQL_OTHER(op, kind, len)                                                                               \
	{                                                                                                              \
		SONDE_OP_##op, kind, 0, len, 0, { 0 }, ""                                                              \
	}

static const struct sonde_mysql_command sonde_mysql_commands[SONDE_MYSQL_COMMANDS] __attribute__((unused)) = {
	[0x01] = SONDE_MYSQL_OTHER(END, 0, 1), /* QUIT */
	[0x02] = SONDE_MYSQL_ADMIN(SIMPLE, 1 | SONDE_MYSQL_LONGER, "init_db"),
	[0x03] = SONDE_MYSQL_OTHER(QUERY, SONDE_MYSQL_RESULT, 1 | SONDE_MYSQL_LONGER),
	[0x04] = SONDE_MYSQL_ADMIN(FIELDS, 2 | SONDE_MYSQL_LONGER, "field_list"),
	[0x05] = SONDE_MYSQL_ADMIN(SIMPLE, 1 | SONDE_MYSQL_LONGER, "create_db"),
	[0x06] = SONDE_MYSQL_ADMIN(SIMPLE, 1 | SONDE_MYSQL_LONGER, "drop_db"),
	[0x07] = SONDE_MYSQL_ADMIN(SIMPLE, 2, "refresh"),
	[0x08] = SONDE_MYSQL_ADMIN(SIMPLE, 1 | SONDE_MYSQL_LONGER, "shutdown"),
	[0x09] = SONDE_MYSQL_ADMIN(SIMPLE, 1, "statistics"),
	[0x0a] = SONDE_MYSQL_ADMIN(RESULT, 1, "process_info"),
	[0x0c] = SONDE_MYSQL_ADMIN(SIMPLE, 5, "process_kill"),
	[0x0d] = SONDE_MYSQL_ADMIN(SIMPLE, 1, "debug"),
	[0x0e] = SONDE_MYSQL_ADMIN(SIMPLE, 1, "ping"),
	[0x11] = SONDE_MYSQL_ADMIN(AUTH, 3 | SONDE_MYSQL_LONGER, "change_user"),
	[0x12] = SONDE_MYSQL_OTHER(IGNORE, 0, 11 | SONDE_MYSQL_LONGER), /* BINLOG_DUMP: events without end */
	[0x13] = SONDE_MYSQL_OTHER(IGNORE, 0, 3 | SONDE_MYSQL_LONGER), /* TABLE_DUMP */
	[0x15] = SONDE_MYSQL_ADMIN(SIMPLE, 18 | SONDE_MYSQL_LONGER, "register_slave"),
	[0x16] = SONDE_MYSQL_OTHER(PREPARE_CALL, SONDE_MYSQL_PREPARE, 1 | SONDE_MYSQL_LONGER),
	[0x17] = SONDE_MYSQL_OTHER(RUN, SONDE_MYSQL_RESULT, 10 | SONDE_MYSQL_LONGER), /* STMT_EXECUTE */
	[0x18] = SONDE_MYSQL_OTHER(NONE, 0, 7 | SONDE_MYSQL_LONGER), /* STMT_SEND_LONG_DATA: no reply */
	[0x19] = SONDE_MYSQL_OTHER(CLOSE, 0, 5), /* STMT_CLOSE: no reply */
	[0x1a] = SONDE_MYSQL_ADMIN(SIMPLE, 5, "stmt_reset"),
	[0x1b] = SONDE_MYSQL_ADMIN(SIMPLE, 3, "set_option"),
	[0x1c] = SONDE_MYSQL_OTHER(FETCH, SONDE_MYSQL_FETCH, 9), /* STMT_FETCH */
	[0x1e] = SONDE_MYSQL_OTHER(IGNORE, 0, 11 | SONDE_MYSQL_LONGER), /* BINLOG_DUMP_GTID */
	[0x1f] = SONDE_MYSQL_ADMIN(SIMPLE, 1, "reset_connection"),
};

/* Whether a command's payload can have @len bytes. */
SONDE_INLINE bool sonde_mysql_fits(const struct sonde_mysql_command *c, u32 len)
{
	return c->len & SONDE_MYSQL_LONGER ? len >= (c->len & ~SONDE_MYSQL_LONGER) : c->len && len == c->len;
}

/* A length-encoded integer at *@pos, which moves behind it. */
SONDE_INLINE u64 sonde_mysql_lenenc(const struct sonde_win *w, u32 *pos)
{
	u64 word = sonde_win_u64(w, *pos);
	u32 first = word & 0xff;

	if (SONDE_LIKELY(first < 0xfb)) {
		*pos += 1;
		return first;
	}
	if (first == 0xfe) {
		*pos += 9;
		return sonde_win_u64(w, *pos - 8);
	}
	*pos += first == 0xfd ? 4 : 3;
	return word >> 8 & (first == 0xfd ? 0xffffff : 0xffff);
}

#define SONDE_MYSQL_NO_OK (~0ULL)

/** sonde_mysql_ok - of the OK packet between @pos and @end: affected rows << 16 | status flags, or SONDE_MYSQL_NO_OK */
SONDE_INLINE u64 sonde_mysql_ok(const struct sonde_win *w, u32 pos, u32 end)
{
	u64 affected;

	pos++;
	affected = sonde_mysql_lenenc(w, &pos);
	sonde_mysql_lenenc(w, &pos); /* last insert id */
	return pos + 2 <= end ? affected << 16 | sonde_win_le16(w, pos) : SONDE_MYSQL_NO_OK;
}

/**
 * sonde_mysql_error_class - by the server's own number where SQLSTATE does not tell, else by SQLSTATE's class
 * @sqlstate: the first two characters
 */
SONDE_INLINE u32 sonde_mysql_error_class(u32 code, u32 sqlstate)
{
	switch (code) {
	case 1020: /* record has changed since last read */
	case 1205: /* lock wait timeout */
	case 1213: /* deadlock */
		return SONDE_ERR_ROLLBACK;
	case 1053: /* shutdown in progress */
	case 1317: /* query interrupted */
	case 1927: /* connection was killed */
	case 1969: /* max_statement_time (MariaDB) */
	case 3024: /* max_execution_time (MySQL) */
		return SONDE_ERR_CANCEL;
	case 1021: /* disk full */
	case 1037: /* out of memory */
	case 1038: /* out of sort memory */
	case 1040: /* too many connections */
	case 1041: /* out of memory */
	case 1114: /* table is full */
	case 1203: /* too many connections of the user */
	case 1206: /* too many locks */
	case 1226: /* the user's resource limit */
		return SONDE_ERR_RESOURCE;
	case 3819: /* check constraint (MySQL) */
	case 4025: /* check constraint (MariaDB) */
		return SONDE_ERR_CONSTRAINT;
	case 1265: /* data truncated */
	case 1364: /* no default value */
	case 1366: /* incorrect value */
		return SONDE_ERR_DATA;
	}
	switch (sqlstate & 0xffff) {
	case '2' | '2' << 8:
		return SONDE_ERR_DATA;
	case '2' | '3' << 8:
		return SONDE_ERR_CONSTRAINT;
	case '4' | '0' << 8:
		return SONDE_ERR_ROLLBACK;
	case '4' | '2' << 8:
	case '2' | '1' << 8: /* wrong number of values */
		return SONDE_ERR_SYNTAX;
	case '7' | '0' << 8:
		return SONDE_ERR_CANCEL;
	case '0' | '8' << 8:
	case '2' | '8' << 8:
		return SONDE_ERR_CONNECTION;
	default:
		return SONDE_ERR_OTHER;
	}
}

#define SONDE_MYSQL_ATTRIBUTES 8u /* attributes of a statement that are passed by */

/** sonde_mysql_value_size - bytes that a value of @type at @pos takes (binary protocol) */
SONDE_INLINE u32 sonde_mysql_value_size(const struct sonde_win *w, u32 pos, u32 type)
{
	const u64 sizes = 0xff2fff48f084421fULL; /* of types 15 (leftmost) to 0; 15: begins with its length */
	u32 size = type < 16 ? sizes >> 4 * type & 15 : 15, begin = pos;
	u64 len;

	if (size < 15)
		return size;
	len = sonde_mysql_lenenc(w, &pos);
	return pos - begin + (len < SONDE_WIN_BYTES ? (u32)len : SONDE_WIN_BYTES);
}

#ifndef SONDE_MYSQL_VALUE_SIZE
#define SONDE_MYSQL_VALUE_SIZE(w, pos, type) sonde_mysql_value_size(w, pos, type)
#endif

/**
 * sonde_mysql_attributes - length of the query attributes at @pos, that the text follows; 0 if they do not end before
 * @end or are too many
 *
 * Number of attributes, number of sets (1); if there are any: which are NULL, 1, type and name of each, then the values.
 */
SONDE_INLINE u32 sonde_mysql_attributes(const struct sonde_win *w, u32 pos, u32 end)
{
	u32 nr = sonde_win_u8(w, pos), nulls = sonde_win_le16(w, pos + 2), type, at;

	if (!nr)
		return 2;
	type = pos + 2 + (nr + 7) / 8 + 1;
	if (nr > SONDE_MYSQL_ATTRIBUTES || sonde_win_u8(w, type - 1) != 1)
		return 0;
	at = type;
	for (u32 i = 0; i < SONDE_MYSQL_ATTRIBUTES && i < nr && at < end; i++)
		at += 3 + sonde_win_u8(w, at + 2);
	for (u32 i = 0; i < SONDE_MYSQL_ATTRIBUTES && i < nr && at < end; i++) {
		if (!(nulls >> i & 1))
			at += SONDE_MYSQL_VALUE_SIZE(w, at, sonde_win_u8(w, type));
		type += 3 + sonde_win_u8(w, type + 2);
	}
	return at < end ? at - pos : 0;
}

#define SONDE_MYSQL_ONES 0x0101010101010101ULL

/* The highest bit of each byte of @word that is @least (at most 0x80) or more. */
SONDE_INLINE u64 sonde_mysql_from(u64 word, u32 least)
{
	return (((word & 0x7f * SONDE_MYSQL_ONES) + (0x80 - least) * SONDE_MYSQL_ONES) | word) &
	       0x80 * SONDE_MYSQL_ONES;
}

/* The highest bit of each byte of @word that is @c. */
SONDE_INLINE u64 sonde_mysql_is(u64 word, u32 c)
{
	return ~sonde_mysql_from(word ^ c * SONDE_MYSQL_ONES, 1) & 0x80 * SONDE_MYSQL_ONES;
}

/* Number of bytes of a word in front of the first whose highest bit is set in @marks, which are not all zero. */
SONDE_INLINE u32 sonde_mysql_before(u64 marks)
{
	return (((marks ^ (marks - 1)) >> 8 & SONDE_MYSQL_ONES) * SONDE_MYSQL_ONES) >> 56;
}

/**
 * sonde_mysql_name - the first name between @pos and @end: offset << 8 | length, 0 if there is none
 *
 * In backquotes, or up to a blank or semicolon; of up to seven blanks before it nothing is said.
 */
SONDE_INLINE u32 sonde_mysql_name(const struct sonde_win *w, u32 pos, u32 end)
{
	u64 quoted, marks = sonde_mysql_from(sonde_win_u64(w, pos), ' ' + 1);
	u32 len = 0;

	if (!marks)
		return 0;
	pos += sonde_mysql_before(marks);
	quoted = sonde_win_u8(w, pos) == '`';
	pos += quoted;
	for (u32 i = 0; i <= SONDE_NAME_BYTES / 8; i++) {
		u64 word = sonde_win_u64(w, pos + len);

		marks = (~sonde_mysql_from(word, ' ' + 1) & 0x80 * SONDE_MYSQL_ONES) | sonde_mysql_is(word, ';');
		marks = (marks & (quoted - 1)) | sonde_mysql_is(word, '`');
		if (marks) {
			len += sonde_mysql_before(marks);
			break;
		}
		len += 8;
	}
	if (pos >= end)
		return 0;
	len = sonde_min_u32(len, end - pos);
	return len && len <= SONDE_NAME_BYTES ? pos << 8 | len : 0;
}

/* Whether a statement can begin like this: first three characters, lower case, first one lowest. */
SONDE_INLINE bool sonde_mysql_is_verb(u32 word)
{
#define V(a, b, c) case a | b << 8 | c << 16:
	switch (word) {
		V('a', 'l', 't')
		V('a', 'n', 'a')
		V('b', 'e', 'g')
		V('b', 'i', 'n')
		V('c', 'a', 'c')
		V('c', 'a', 'l') V('c', 'h', 'a') V('c', 'h', 'e') V('c', 'o', 'm') V('c', 'r', 'e') V('d', 'e', 'a') V(
			'd', 'e', 'l') V('d', 'e', 's') V('d', 'o', ' ') V('d', 'r', 'o') V('e', 'x', 'e')
			V('e', 'x', 'p') V('f', 'l', 'u') V('g', 'r', 'a') V('h', 'a', 'n') V('h', 'e', 'l') V(
				'i', 'm', 'p') V('i', 'n', 's') V('k', 'i', 'l') V('l', 'o', 'a') V('l', 'o', 'c')
				V('o', 'p', 't') V('p', 'r', 'e') V('p', 'u', 'r') V('r', 'e', 'l') V('r', 'e', 'n')
					V('r', 'e', 'p') V('r', 'e', 's') V('r', 'e', 'v') V('r', 'o', 'l') V(
						's', 'a', 'v') V('s', 'e', 'l') V('s', 'e', 't') V('s', 'h', 'o')
						V('s', 'h', 'u') V('s', 'i', 'g') V('s', 't', 'a') V('s', 't', 'o')
							V('t', 'a', 'b') V('t', 'r', 'u') V('u', 'n', 'i')
								V('u', 'n', 'l') V('u', 'p', 'd') V('u', 's', 'e')
									V('v', 'a', 'l') V('w', 'i', 't')
										V('x', 'a', ' ') return true;
	}
#undef V
	return false;
}

#define SONDE_MYSQL_LOOK 48u /* bytes of a text that are looked at to tell whether it is SQL */

/** sonde_mysql_is_text - whether @len bytes at @pos are the beginning of an SQL statement */
SONDE_INLINE bool sonde_mysql_is_text(const struct sonde_win *w, u32 pos, u32 len)
{
	u64 strange = 0, marks = 0;
	u32 begin = 0, word;

	for (u32 i = 0; i < SONDE_MYSQL_LOOK && i < len; i += 8) {
		u64 chars = sonde_win_u64(w, pos + i), odd;

		odd = ~sonde_mysql_from(chars, ' ') & ~sonde_mysql_is(chars, '\t') & ~sonde_mysql_is(chars, '\n') &
		      ~sonde_mysql_is(chars, '\r') & 0x80 * SONDE_MYSQL_ONES;
		strange |= len - i < 8 ? odd & ((1ULL << 8 * (len - i)) - 1) : odd;
	}
	for (u32 i = 0; i < SONDE_MYSQL_LOOK && !marks; i += 8) {
		begin = i;
		marks = sonde_mysql_from(sonde_win_u64(w, pos + i), ' ' + 1);
	}
	if (strange || !marks)
		return false;
	begin += sonde_mysql_before(marks);
	word = sonde_win_le32(w, pos + begin);
	if (begin + 4 > len)
		return false;
	if ((word & 0xff) == '#' || (word & 0xff) == '(' || (word & 0xffff) == ('/' | '*' << 8) ||
	    (word & 0xffff) == ('-' | '-' << 8))
		return true;
	return sonde_mysql_is_verb((word | 0x202020) & 0xffffff);
}

/** sonde_mysql_greeting - 0: what ends at @end is no payload of a server's greeting; 1: MySQL's, 2: MariaDB's */
SONDE_INLINE u32 sonde_mysql_greeting(const struct sonde_win *w, u32 pos, u32 end)
{
	const u64 mariadb = 0x4244616972614d2dULL; /* "-MariaDB" */
	u32 version = pos + 1, len, at, found = 1;

	if (sonde_win_u8(w, pos) != SONDE_MYSQL_VERSION || sonde_win_u8(w, version) - '0' > 9)
		return 0;
	len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, version));
	at = version + len + 1;
	/* thread id 4, scramble 8, zero 1, capabilities 2, character set 1, status 2, capabilities 2, length 1, zeros 6, ... */
	if (len > 64 || at + 31 > end || sonde_win_u8(w, at + 12) || sonde_win_le32(w, at + 21) ||
	    sonde_win_le16(w, at + 25) || !(sonde_win_le16(w, at + 13) & SONDE_MYSQL_PROTOCOL_41))
		return 0;
	if (!(sonde_win_le16(w, at + 13) & SONDE_MYSQL_CLIENT_MYSQL))
		return 2;
	for (u32 i = 0; i < 24; i++) {
		u64 other = sonde_win_u64(w, version + i) ^ mariadb;

		found |= (~(other | -other) >> 63) << 1; /* no branch */
	}
	return sonde_min_u32(found, 2);
}

/** sonde_mysql_is_response - whether the packet at @pos, 36 bytes of which are there, is a handshake response */
SONDE_INLINE bool sonde_mysql_is_response(const struct sonde_win *w, u32 pos)
{
	u32 len = sonde_win_le24(w, pos), seq = sonde_win_u8(w, pos + 3);

	return seq - 1 <= 1 && len >= SONDE_MYSQL_SSL_REQUEST && len < SONDE_MYSQL_RESPONSE_MAX &&
	       sonde_win_le32(w, pos + 4) & SONDE_MYSQL_PROTOCOL_41 && !sonde_win_u64(w, pos + 13) && /* 19 zeros */
	       !sonde_win_u64(w, pos + 21) && !sonde_win_le24(w, pos + 29);
}

/* What the kernel side replaces by subprograms. */
#ifndef SONDE_MYSQL_OK_PACKET
#define SONDE_MYSQL_OK_PACKET(w, pos, end) sonde_mysql_ok(w, pos, end)
#define SONDE_MYSQL_ERROR_CLASS(code, sqlstate) sonde_mysql_error_class(code, sqlstate)
#define SONDE_MYSQL_ATTRIBUTE_LIST(w, pos, end) sonde_mysql_attributes(w, pos, end)
#define SONDE_MYSQL_DATABASE(w, pos, end) sonde_mysql_name(w, pos, end)
#define SONDE_MYSQL_IS_TEXT(w, pos, len) sonde_mysql_is_text(w, pos, len)
#define SONDE_MYSQL_GREETING(w, pos, end) sonde_mysql_greeting(w, pos, end)
#define SONDE_MYSQL_HASH(w, pos, len) sonde_win_hash_text(w, pos, len)
#endif

#endif /* SONDE_PROTO_MYSQL_PACKET_H */
