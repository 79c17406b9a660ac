/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mysql.h - MySQL and MariaDB client/server protocol (4.1 and later): detection and message parser.
 *
 * Source: MariaDB documentation, "Client/Server Protocol", and MySQL Source Code Documentation, "Client/Server Protocol";
 * names are theirs. A packet is a 24-bit little-endian length, a sequence number and that many bytes; one of 0xffffff
 * bytes is continued by the next. A command begins with sequence 0, everything that answers it counts on from there.
 * Here each packet is a message.
 *
 * What the replies mean depends on the command (sonde_state.expect, enum sonde_mysql_kind) and on what came before
 * (be_mode, be_left, be_aux). Nothing depends on the capabilities of the session, so that a connection which is found in
 * the middle of one is read no worse than others:
 *  - CLIENT_DEPRECATE_EOF: an EOF packet has five bytes, the OK packet that replaces it at least seven. Behind the column
 *    definitions five bytes are the end of the definitions, unless they say that a cursor is open; seven the end of rows.
 *  - A column count with one byte more than the number takes says whether definitions follow
 *    (MARIADB_CLIENT_CACHE_METADATA, CLIENT_OPTIONAL_RESULTSET_METADATA).
 *  - CLIENT_QUERY_ATTRIBUTES: no statement begins with a control character and 1, a list of attributes always does.
 * Of the capabilities only those that end the reading matter: TLS and compression.
 *
 * Detection. The beginning of a session is known by the greeting (every field that is fixed) or the handshake response
 * (sequence 1, behind a TLS request 2; protocol 4.1, the reserved bytes zero). In the middle of one a connection is
 * recognised when packets fill the send to its last byte (a text of which only the beginning has come may reach beyond),
 * have sequence 0 and a length that their command can have, and one of them is
 *  - COM_QUERY or COM_STMT_PREPARE with printable text that begins with a comment or one of SQL's verbs, or
 *  - COM_STMT_EXECUTE with the iteration count 1, known flags and an id that a server can have given, or
 *  - COM_STMT_BULK_EXECUTE with known flags and such an id.
 * Other commands are too short to tell; behind one that does they are read as usual. Compressed packets are recognised by
 * both of their headers, or by the compressor's first bytes.
 */
#ifndef SONDE_PROTO_MYSQL_H
#define SONDE_PROTO_MYSQL_H

#include "mysql_packet.h"

/* sonde_state.flags: capabilities of the handshake response, and in a bit that none has: compressed from here on. */
#define SONDE_MYSQL_COMPRESSED 0x80000000u

/* sonde_state.fe_mode. fe_aux: sequence number of the last packet. */
#define SONDE_MYSQL_FE_SESSION 1u /* the session has begun */
#define SONDE_MYSQL_FE_CONTINUED 2u /* the next packet continues the last one */

/* sonde_state.be_mode: what the next packet is. be_left: definitions to come. be_aux: name of the prepared statement. */
enum sonde_mysql_mode {
	SONDE_MYSQL_FIRST = 0, /* the first of a reply or result */
	SONDE_MYSQL_DEFINITION, /* a column's definition */
	SONDE_MYSQL_AFTER, /* behind the definitions: perhaps their end, or as below */
	SONDE_MYSQL_ROW, /* a row or the end of rows */
	SONDE_MYSQL_PREPARED, /* a definition of a prepared statement */
	SONDE_MYSQL_TRAILER, /* perhaps the end of those, or as the first */
};
#define SONDE_MYSQL_BE_CONTINUED 8u /* but before that the rest of a packet */

/* MORE unless @want bytes of the message (or all of it) are in the window. */
SONDE_INLINE bool sonde_mysql_lacks(u32 avail, u32 want, struct sonde_msg *m)
{
	want = sonde_min_u32(want, m->size);
	if (avail >= want)
		return false;
	m->size = want;
	return true;
}

SONDE_INLINE int sonde_mysql_unreadable(struct sonde_msg *m)
{
	m->op = SONDE_OP_UNREADABLE;
	m->kind = SONDE_CNT_UNREADABLE_COMPRESSED;
	return SONDE_PARSE_OK;
}

/* User and database of the handshake response at @pos, which ends at @end. */
SONDE_INLINE void sonde_mysql_response(const struct sonde_win *w, u32 pos, u32 end, u32 capabilities,
				       struct sonde_msg *m)
{
	u32 at = pos + 4 + SONDE_MYSQL_SSL_REQUEST, len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, at));

	if (at + len >= end)
		return;
	m->user_off = at;
	m->user_len = len;
	at += len + 1;
	if (capabilities & SONDE_MYSQL_PLUGIN_AUTH_LENENC) {
		len = sonde_min_u32(sonde_mysql_lenenc(w, &at), SONDE_MYSQL_RESPONSE_WANTED);
	} else if (capabilities & SONDE_MYSQL_SECURE_CONNECTION) {
		len = sonde_win_u8(w, at++);
	} else {
		len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, at)) + 1;
	}
	at += len;
	if (!(capabilities & SONDE_MYSQL_CONNECT_WITH_DB) || at >= end)
		return;
	len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, at));
	if (at + len >= end)
		return;
	m->db_off = at;
	m->db_len = len;
}

/* A packet of the client that is no command: handshake response, more authentication data, a file's contents. */
SONDE_INLINE int sonde_mysql_other(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				   struct sonde_msg *m)
{
	u32 len = m->size - 4, seq = sonde_win_u8(w, pos + 3), capabilities;

	if (!st->fe_mode && seq - 1 <= 1 && len >= SONDE_MYSQL_SSL_REQUEST) {
		if (sonde_mysql_lacks(avail, 4 + SONDE_MYSQL_SSL_REQUEST, m))
			return SONDE_PARSE_MORE;
		capabilities = sonde_win_le32(w, pos + 4) & ~SONDE_MYSQL_COMPRESSED;
		/* go-sql-driver leaves what was in its buffer in the reserved bytes. */
		if (len == SONDE_MYSQL_SSL_REQUEST && capabilities & SONDE_MYSQL_SSL &&
		    capabilities & SONDE_MYSQL_PROTOCOL_41) {
			m->op = SONDE_OP_TLS;
			return SONDE_PARSE_OK;
		}
		if (!sonde_mysql_is_response(w, pos))
			return SONDE_PARSE_OK;
		if (sonde_mysql_lacks(avail, SONDE_MYSQL_RESPONSE_WANTED, m))
			return SONDE_PARSE_MORE;
		m->op = SONDE_OP_STARTUP;
		sonde_mysql_response(w, pos, pos + sonde_min_u32(m->size, avail), capabilities, m);
		st->flags = capabilities;
		st->fe_mode = SONDE_MYSQL_FE_SESSION;
		return SONDE_PARSE_OK;
	}
	st->fe_aux = len ? seq : 0; /* an empty packet ends a file */
	return SONDE_PARSE_OK;
}

/* Text of COM_QUERY and COM_STMT_PREPARE. */
SONDE_INLINE int sonde_mysql_text(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_msg *m)
{
	u32 end = pos + sonde_min_u32(avail, m->size), word, name;

	if (sonde_mysql_lacks(avail, 5 + SONDE_MYSQL_TEXT_WANTED, m))
		return SONDE_PARSE_MORE;
	m->text_off = pos + 5;
	m->text_len = m->size - 5;
	word = sonde_win_le32(w, pos + 5);
	if (SONDE_UNLIKELY((word & 0xff) < ' ' && (word >> 8 & 0xff) == 1 && m->text_len >= 2)) {
		name = SONDE_MYSQL_ATTRIBUTE_LIST(w, pos + 5, end);
		m->text_off += name;
		m->text_len -= name;
		word = sonde_win_le32(w, m->text_off);
	}
	if (SONDE_UNLIKELY((word | 0x202020) == ('u' | 's' << 8 | 'e' << 16 | (u32)' ' << 24) && m->text_len > 4)) {
		name = SONDE_MYSQL_DATABASE(w, m->text_off + 4, end);
		m->db_off = name >> 8;
		m->db_len = name & 0xff;
		m->flags |= m->db_len ? SONDE_MSG_DATABASE : 0;
	}
	return SONDE_PARSE_OK;
}

/* Execution and other uses of the prepared statement whose id follows the command. */
SONDE_INLINE int sonde_mysql_statement(const struct sonde_win *w, u32 pos, u32 avail, u32 params, struct sonde_msg *m)
{
	u32 id;

	if (sonde_mysql_lacks(avail, params + SONDE_MYSQL_PARAMS_WANTED, m))
		return SONDE_PARSE_MORE;
	id = sonde_win_le32(w, pos + 5);
	m->name = id == SONDE_MYSQL_LAST_ID ? SONDE_NAME_LAST : SONDE_MYSQL_NAME_BIT | id;
	if (m->op == SONDE_OP_CLOSE)
		return SONDE_PARSE_OK;
	sonde_label_number(&m->label, id);
	if (m->op == SONDE_OP_RUN && m->size > params)
		m->params =
			SONDE_MYSQL_HASH(w, pos + params, sonde_min_u32(m->size - params, SONDE_MYSQL_PARAMS_WANTED));
	return SONDE_PARSE_OK;
}

/* A command whose statement has no text: its name is one. */
SONDE_INLINE int sonde_mysql_admin(const struct sonde_win *w, u32 pos, u32 avail, const struct sonde_mysql_command *c,
				   struct sonde_msg *m)
{
	u32 end = pos + sonde_min_u32(avail, m->size), at = pos + 5;
	u64 name[2];

	if ((m->type == SONDE_MYSQL_COM_INIT_DB || m->type == SONDE_MYSQL_COM_CHANGE_USER) &&
	    sonde_mysql_lacks(avail, SONDE_MYSQL_RESPONSE_WANTED, m))
		return SONDE_PARSE_MORE;
	__builtin_memcpy(name, c->name, sizeof(name));
	sonde_label_word(&m->label, 0x206e696d6461ULL, 6); /* "admin " */
	sonde_label_word(&m->label, name[0], sonde_min_u32(c->name_len, 8));
	if (c->name_len > 8)
		sonde_label_word(&m->label, name[1], c->name_len - 8);
	if (m->type == SONDE_MYSQL_COM_INIT_DB) {
		m->db_off = at;
		m->db_len = sonde_min_u32(end - at, SONDE_NAME_SCAN_MAX); /* names have at most 64 characters */
	}
	if (m->type == SONDE_MYSQL_COM_CHANGE_USER) { /* user, authentication data with its length, database, ... */
		m->user_off = at;
		m->user_len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, at));
		at += m->user_len + 1;
		at += 1 + sonde_win_u8(w, at);
		m->db_off = at;
		m->db_len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, at));
		if (at + m->db_len >= end)
			m->user_len = m->db_len = 0;
	}
	m->flags |= m->db_len ? SONDE_MSG_DATABASE : 0;
	return SONDE_PARSE_OK;
}

/**
 * sonde_mysql_client - describe the client's packet at @pos
 * @avail: bytes from @pos on that are in the window
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_mysql_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	const struct sonde_mysql_command *c;
	u32 word, len, mode;
	int ret;

	if (avail < 4) {
		m->size = 4;
		return SONDE_PARSE_MORE;
	}
	word = sonde_win_le32(w, pos);
	len = word & 0xffffff;
	m->size = len + 4;
	if (SONDE_UNLIKELY(st->flags & SONDE_MYSQL_COMPRESSED))
		return sonde_mysql_unreadable(m);
	mode = SONDE_MYSQL_FE_SESSION | (len == SONDE_MYSQL_MAX_PACKET ? SONDE_MYSQL_FE_CONTINUED : 0);
	if (SONDE_UNLIKELY(st->fe_mode & SONDE_MYSQL_FE_CONTINUED)) {
		st->fe_mode = mode;
		return SONDE_PARSE_OK;
	}
	/* Sequence 0 is a command, but not where a file's contents have come to it again. */
	if (SONDE_UNLIKELY(word >> 24 || st->fe_aux == 255))
		return sonde_mysql_other(w, pos, avail, st, m);
	if (avail < 5 && len) {
		m->size = 5;
		return SONDE_PARSE_MORE;
	}
	m->type = sonde_win_u8(w, pos + 4);
	c = &sonde_mysql_commands[m->type & (SONDE_MYSQL_COMMANDS - 1)];
	if (m->type == SONDE_MYSQL_COM_STMT_BULK_EXECUTE)
		c = &sonde_mysql_commands[SONDE_MYSQL_COM_STMT_EXECUTE];
	else if (m->type >= SONDE_MYSQL_COMMANDS)
		return SONDE_PARSE_BAD;
	if (!len || !sonde_mysql_fits(c, len))
		return SONDE_PARSE_BAD;
	m->op = c->op;
	m->kind = c->kind;
	m->flags = c->flags;
	ret = SONDE_PARSE_OK;
	if (m->op == SONDE_OP_QUERY || m->op == SONDE_OP_PREPARE_CALL)
		ret = sonde_mysql_text(w, pos, avail, m);
	else if (m->op == SONDE_OP_COMMAND)
		ret = sonde_mysql_admin(w, pos, avail, c, m);
	else if (m->op == SONDE_OP_RUN || m->op == SONDE_OP_FETCH ||
		 m->op == SONDE_OP_CLOSE) /* id, and of a run 5 or 2 bytes */
		ret = sonde_mysql_statement(w, pos, avail, m->type == SONDE_MYSQL_COM_STMT_EXECUTE ? 14 : 11, m);
	if (ret != SONDE_PARSE_OK)
		return ret;
	st->fe_mode = mode;
	st->fe_aux = 0;
	return SONDE_PARSE_OK;
}

/* An ERR packet. */
SONDE_INLINE int sonde_mysql_error(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				   struct sonde_msg *m)
{
	if (sonde_mysql_lacks(avail, 13, m))
		return SONDE_PARSE_MORE;
	if (m->size < 7)
		return SONDE_PARSE_BAD;
	m->code = sonde_win_le16(w, pos + 5);
	m->op = SONDE_OP_REPLY;
	if (m->code == SONDE_MYSQL_PROGRESS) {
		m->code = 0;
		return SONDE_PARSE_OK;
	}
	if (m->size >= 13 && sonde_win_u8(w, pos + 7) == '#') /* missing before authentication */
		m->sqlstate = sonde_win_u64(w, pos + 8) & 0xffffffffffULL;
	m->error_class = SONDE_MYSQL_ERROR_CLASS(m->code, (u32)m->sqlstate);
	m->op = SONDE_OP_ERROR;
	m->flags = SONDE_MSG_LAST;
	st->be_mode = SONDE_MYSQL_FIRST;
	return SONDE_PARSE_OK;
}

#define SONDE_MYSQL_END_WANTED 27u /* header, first byte, two numbers of 9 bytes, status */

/* An OK or EOF packet ends a reply or a result. @ok: its status flags. */
SONDE_INLINE int sonde_mysql_end(u64 ok, struct sonde_state *st, struct sonde_msg *m)
{
	if (ok == SONDE_MYSQL_NO_OK)
		return SONDE_PARSE_BAD;
	m->op = SONDE_OP_DONE;
	m->flags = ok & SONDE_MYSQL_STATUS_MORE_RESULTS ? SONDE_MSG_MORE : SONDE_MSG_LAST;
	m->txn = ok & SONDE_MYSQL_STATUS_IN_TRANS ? SONDE_TXN_OPEN : SONDE_TXN_IDLE;
	st->be_mode = SONDE_MYSQL_FIRST;
	return SONDE_PARSE_OK;
}

/* A row, or the end of rows or definitions. */
SONDE_INLINE int sonde_mysql_row(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				 struct sonde_msg *m)
{
	u64 ok;

	if (m->type != SONDE_MYSQL_EOF || m->size > SONDE_MYSQL_MAX_PACKET) {
		m->op = SONDE_OP_ROW;
		st->be_mode = SONDE_MYSQL_ROW;
		return SONDE_PARSE_OK;
	}
	if (sonde_mysql_lacks(avail, SONDE_MYSQL_END_WANTED, m))
		return SONDE_PARSE_MORE;
	if (m->size == 9) {
		ok = sonde_win_le16(w, pos + 7);
		if (st->be_mode == SONDE_MYSQL_AFTER && !(ok & SONDE_MYSQL_STATUS_CURSOR_EXISTS)) {
			m->op = SONDE_OP_REPLY;
			st->be_mode = SONDE_MYSQL_ROW;
			return SONDE_PARSE_OK;
		}
	} else {
		ok = SONDE_MYSQL_OK_PACKET(w, pos + 4, pos + m->size);
	}
	m->rows = SONDE_ROWS_COUNTED;
	return sonde_mysql_end(ok, st, m);
}

/*
 * A column count: the number, before or behind it, if agreed, whether definitions follow. 0 is no number, 2 no answer.
 * Returns the number << 1 | the answer, 0 if it is none.
 */
SONDE_INLINE u32 sonde_mysql_columns(const struct sonde_win *w, u32 pos, u32 len)
{
	u32 first = sonde_win_u8(w, pos), second = sonde_win_u8(w, pos + 1);

	if (len == 1)
		return first << 1 | 1;
	if (len == 2 && first && second <= 1)
		return first << 1 | second;
	if (len == 2)
		return first <= 1 ? second << 1 | first : 0;
	if (first == 0xfc && len == 3)
		return sonde_win_le16(w, pos + 1) << 1 | 1;
	if (first == 0xfc && len == 4)
		return sonde_win_le16(w, pos + 1) << 1 | (sonde_win_u8(w, pos + 3) & 1);
	if (second == 0xfc && len == 4)
		return sonde_win_le16(w, pos + 2) << 1 | (first & 1);
	return 0;
}

/* OK, file request or column count. */
SONDE_INLINE int sonde_mysql_result(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	u32 columns;
	u64 ok;

	m->op = SONDE_OP_REPLY;
	if (m->type == SONDE_MYSQL_LOCAL_INFILE)
		return SONDE_PARSE_OK;
	if (sonde_mysql_lacks(avail, SONDE_MYSQL_END_WANTED, m))
		return SONDE_PARSE_MORE;
	if (m->type == SONDE_MYSQL_OK && m->size >= 11) {
		ok = SONDE_MYSQL_OK_PACKET(w, pos + 4, pos + m->size);
		m->rows = ok >> 16;
		return sonde_mysql_end(ok, st, m);
	}
	columns = sonde_mysql_columns(w, pos + 4, m->size - 4);
	if (columns < 2)
		return SONDE_PARSE_BAD;
	st->be_left = columns >> 1;
	st->be_mode = columns & 1 ? SONDE_MYSQL_DEFINITION : SONDE_MYSQL_AFTER;
	return SONDE_PARSE_OK;
}

/* The one packet that answers a simple command: OK, EOF, or anything. */
SONDE_INLINE int sonde_mysql_simple(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	u64 ok = 0;
	int ret;

	if (sonde_mysql_lacks(avail, SONDE_MYSQL_END_WANTED, m))
		return SONDE_PARSE_MORE;
	if (m->type == SONDE_MYSQL_OK)
		ok = SONDE_MYSQL_OK_PACKET(w, pos + 4, pos + m->size);
	else if (m->type == SONDE_MYSQL_EOF && m->size == 9)
		ok = sonde_win_le16(w, pos + 7);
	ret = sonde_mysql_end(ok, st, m);
	m->flags = SONDE_MSG_LAST;
	if (m->type != SONDE_MYSQL_OK && m->size != 9)
		m->txn = SONDE_TXN_UNKNOWN;
	return ret;
}

/* The end of the reply to COM_STMT_PREPARE, as far as it is known to be one. */
SONDE_INLINE int sonde_mysql_named(struct sonde_state *st, struct sonde_msg *m)
{
	m->op = SONDE_OP_PREPARED;
	m->flags = SONDE_MSG_LAST;
	m->name = st->be_aux;
	st->be_mode = SONDE_MYSQL_TRAILER;
	return SONDE_PARSE_OK;
}

/* The reply to COM_STMT_PREPARE: id, numbers of columns and parameters, whose definitions follow. */
SONDE_INLINE int sonde_mysql_prepared(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				      struct sonde_msg *m)
{
	if (sonde_mysql_lacks(avail, 17, m))
		return SONDE_PARSE_MORE;
	if (m->type != SONDE_MYSQL_OK || m->size < 16)
		return SONDE_PARSE_BAD;
	st->be_aux = SONDE_MYSQL_NAME_BIT | sonde_win_le32(w, pos + 5);
	st->be_left = sonde_win_le16(w, pos + 9) + sonde_win_le16(w, pos + 11);
	if (m->size == 17 && !sonde_win_u8(w, pos + 16))
		st->be_left = 0; /* no definitions by agreement */
	if (!st->be_left)
		return sonde_mysql_named(st, m);
	st->be_mode = SONDE_MYSQL_PREPARED;
	m->op = SONDE_OP_REPLY;
	return SONDE_PARSE_OK;
}

/* A definition, or an end between those of parameters and columns. */
SONDE_INLINE int sonde_mysql_definition(struct sonde_state *st, u32 mode, struct sonde_msg *m)
{
	m->op = SONDE_OP_REPLY;
	if (m->type == SONDE_MYSQL_EOF)
		return m->size == 9 ? SONDE_PARSE_OK : SONDE_PARSE_BAD;
	st->be_left--;
	if (st->be_left)
		return SONDE_PARSE_OK;
	if (mode == SONDE_MYSQL_PREPARED)
		return sonde_mysql_named(st, m);
	st->be_mode = SONDE_MYSQL_AFTER;
	return SONDE_PARSE_OK;
}

/* A packet where no command is outstanding: the handshake, or the rest of what nobody saw being asked. */
SONDE_INLINE int sonde_mysql_unasked(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				     struct sonde_msg *m)
{
	u32 seq = sonde_win_u8(w, pos + 3);

	if (!seq && m->type == SONDE_MYSQL_VERSION) {
		if (sonde_mysql_lacks(avail, 4 + 128, m))
			return SONDE_PARSE_MORE;
		if (SONDE_MYSQL_GREETING(w, pos + 4, pos + m->size) == 2) {
			m->op = SONDE_OP_FLAVOUR;
			m->kind = SONDE_PROTO_MARIADB;
		}
		return SONDE_PARSE_OK;
	}
	if (seq > 1 && m->type == SONDE_MYSQL_OK && st->flags & (SONDE_MYSQL_COMPRESS | SONDE_MYSQL_ZSTD))
		return sonde_mysql_unreadable(m);
	return SONDE_PARSE_OK;
}

/**
 * sonde_mysql_server - describe the server's packet at @pos
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_mysql_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	u32 len, mode = st->be_mode & ~SONDE_MYSQL_BE_CONTINUED, expect = st->expect;
	int ret;

	if (avail < 4) {
		m->size = 4;
		return SONDE_PARSE_MORE;
	}
	len = sonde_win_le24(w, pos);
	m->size = len + 4;
	if (SONDE_UNLIKELY(st->be_mode & SONDE_MYSQL_BE_CONTINUED)) {
		m->op = SONDE_OP_REPLY;
		st->be_mode = mode | (len == SONDE_MYSQL_MAX_PACKET ? SONDE_MYSQL_BE_CONTINUED : 0);
		return SONDE_PARSE_OK;
	}
	if (!len)
		return SONDE_PARSE_BAD;
	if (avail < 5) {
		m->size = 5;
		return SONDE_PARSE_MORE;
	}
	m->type = sonde_win_u8(w, pos + 4);
	if (mode == SONDE_MYSQL_TRAILER) {
		/* COM_SET_OPTION, too, may be answered by an EOF packet; but that is the first of a reply. */
		mode = SONDE_MYSQL_FIRST;
		if (m->type == SONDE_MYSQL_EOF && len == 5 &&
		    (expect != SONDE_MYSQL_SIMPLE || sonde_win_u8(w, pos + 3) != 1)) {
			st->be_mode = mode;
			return SONDE_PARSE_OK;
		}
	}
	if (!expect && mode == SONDE_MYSQL_FIRST)
		return sonde_mysql_unasked(w, pos, avail, st, m);
	if (m->type == SONDE_MYSQL_ERR)
		return sonde_mysql_error(w, pos, avail, st, m);
	if (mode == SONDE_MYSQL_DEFINITION || mode == SONDE_MYSQL_PREPARED) {
		ret = sonde_mysql_definition(st, mode, m);
	} else if (mode == SONDE_MYSQL_AFTER || mode == SONDE_MYSQL_ROW || expect == SONDE_MYSQL_FETCH) {
		ret = sonde_mysql_row(w, pos, avail, st, m);
	} else if (expect == SONDE_MYSQL_RESULT) {
		ret = sonde_mysql_result(w, pos, avail, st, m);
	} else if (expect == SONDE_MYSQL_PREPARE) {
		ret = sonde_mysql_prepared(w, pos, avail, st, m);
	} else if (expect == SONDE_MYSQL_SIMPLE || m->type == SONDE_MYSQL_OK ||
		   (expect == SONDE_MYSQL_FIELDS && m->type == SONDE_MYSQL_EOF)) {
		ret = sonde_mysql_simple(w, pos, avail, st, m);
	} else { /* definitions of a table's columns, rounds of authentication */
		m->op = SONDE_OP_REPLY;
		ret = SONDE_PARSE_OK;
	}
	if (ret == SONDE_PARSE_OK && len == SONDE_MYSQL_MAX_PACKET)
		st->be_mode |= SONDE_MYSQL_BE_CONTINUED;
	return ret;
}

/**
 * sonde_mysql_is_run - whether sonde_mysql_skip_run() may be asked about the packet at @pos, five bytes of which are there
 * @expect: kind of the oldest command outstanding
 */
SONDE_INLINE bool sonde_mysql_is_run(const struct sonde_win *w, u32 pos, const struct sonde_state *st, u32 expect)
{
	if (st->be_mode) /* FIRST is 0 */
		return st->be_mode <= SONDE_MYSQL_PREPARED;
	/* The usual column count: one byte, behind a command of one packet. */
	return expect == SONDE_MYSQL_RESULT && sonde_win_le32(w, pos) == 0x01000001 &&
	       sonde_win_u8(w, pos + 4) - 1 < SONDE_MYSQL_LOCAL_INFILE - 1;
}

/**
 * sonde_mysql_skip_run - pass by column count, definitions, their end and rows: from @pos on, as long as the packet lies in
 * front of @end whole, at most @max of them
 *
 * Returns where the first other one begins; *@rows is the number of rows among them. @st goes along.
 */
SONDE_INLINE u32 sonde_mysql_skip_run(const struct sonde_win *w, u32 pos, u32 end, struct sonde_state *st, u32 max,
				      u32 *rows)
{
	u32 mode = st->be_mode, left = st->be_left, keep = mode == SONDE_MYSQL_PREPARED,
	    after = mode <= SONDE_MYSQL_AFTER, n = 0;

	if (mode == SONDE_MYSQL_FIRST) {
		left = sonde_win_u8(w, pos + 4);
		st->be_mode = SONDE_MYSQL_DEFINITION;
		pos += 5;
	}
	if (mode == SONDE_MYSQL_AFTER || mode == SONDE_MYSQL_ROW)
		left = 0;
	for (u32 i = 0; i < max; i++) {
		u32 len = sonde_win_le24(w, pos), type = sonde_win_u8(w, pos + 4);

		if (pos + 5 > end || !len || len == SONDE_MYSQL_MAX_PACKET || len > end - pos - 4)
			break;
		if (type >= SONDE_MYSQL_EOF) {
			if (type != SONDE_MYSQL_EOF || len != 5 || left || !after ||
			    sonde_win_le16(w, pos + 7) & SONDE_MYSQL_STATUS_CURSOR_EXISTS)
				break;
			after = 0;
		} else if (left > keep) {
			left--;
		} else if (keep) {
			break;
		} else {
			n++;
			after = 0;
		}
		pos += 4 + len;
	}
	st->be_left = left;
	if (!keep && !left)
		st->be_mode = after ? SONDE_MYSQL_AFTER : SONDE_MYSQL_ROW;
	*rows = n;
	return pos;
}

/** sonde_mysql_plausible - a packet of sequence 0 with a command that can tell, or of a handshake; or a compressed one */
SONDE_INLINE bool sonde_mysql_plausible(u64 head, u32 total)
{
	u32 len = head & 0xffffff, seq = head >> 24 & 0xff, type = head >> 32 & 0xff;

	if (total < 4 || !len || seq > 2)
		return false;
	if (total == 4 || len + 7 == total)
		return true;
	if (seq)
		return len >= SONDE_MYSQL_SSL_REQUEST && len < SONDE_MYSQL_RESPONSE_MAX && len + 4 >= total;
	return type < SONDE_MYSQL_COMMANDS || type == SONDE_MYSQL_COM_STMT_BULK_EXECUTE;
}

/* Whether there is a command @type, and its payload can have @len bytes. */
SONDE_INLINE bool sonde_mysql_known(u32 type, u32 len)
{
	if (type == SONDE_MYSQL_COM_STMT_BULK_EXECUTE)
		return true;
	if (type >= SONDE_MYSQL_COMMANDS)
		return false;
	SONDE_OPAQUE(type);
	return sonde_mysql_fits(&sonde_mysql_commands[type & (SONDE_MYSQL_COMMANDS - 1)], len);
}

/* Whether the command at @pos, whose packet has @len bytes, tells by itself that this is MySQL. */
SONDE_INLINE bool sonde_mysql_tells(const struct sonde_win *w, u32 pos, u32 len, u32 avail)
{
	u32 type = sonde_win_u8(w, pos + 4), id = sonde_win_le32(w, pos + 5), text = pos + 5, attributes;
	bool given = id && (id < 1 << 24 || id == SONDE_MYSQL_LAST_ID);

	avail = sonde_min_u32(avail, pos + 4 + len);
	if (type == SONDE_MYSQL_COM_STMT_EXECUTE) /* flags, iteration count */
		return len >= 10 && avail >= pos + 14 && given && sonde_win_u8(w, pos + 9) < 16 &&
		       sonde_win_le32(w, pos + 10) == 1;
	if (type == SONDE_MYSQL_COM_STMT_BULK_EXECUTE) /* flags: types of parameters; results for each */
		return len >= 9 && avail >= pos + 13 && given && (sonde_win_le16(w, pos + 9) & ~0x40u) == 0x80;
	if (type != SONDE_MYSQL_COM_QUERY && type != SONDE_MYSQL_COM_STMT_PREPARE)
		return false;
	if (sonde_win_u8(w, text) < ' ' && sonde_win_u8(w, text + 1) == 1) {
		attributes = SONDE_MYSQL_ATTRIBUTE_LIST(w, text, avail);
		if (!attributes)
			return false;
		text += attributes;
	}
	return text < avail && SONDE_MYSQL_IS_TEXT(w, text, avail - text);
}

/* Whether @total bytes are a compressed packet: what is in it is not compressed, or begins as zlib and zstd do. */
SONDE_INLINE bool sonde_mysql_is_compressed(const struct sonde_win *w, u32 total, u32 avail)
{
	u32 len = sonde_win_le24(w, 0), plain = sonde_win_le24(w, 4);

	if (avail < 12 || len + 7 != total || sonde_win_u8(w, 3))
		return false;
	if (!plain)
		return sonde_win_le24(w, 7) + 4 == len && !sonde_win_u8(w, 10) &&
		       sonde_mysql_tells(w, 7, len - 4, avail);
	return plain > len &&
	       (sonde_win_le32(w, 7) == 0xfd2fb528 || (sonde_win_u8(w, 7) == 0x78 && !(sonde_win_be16(w, 7) % 31)));
}

#define SONDE_MYSQL_CHAIN 4u /* packets of a send that are looked at */

/**
 * sonde_mysql_detect - whether @total bytes of either direction, the first @avail of them in the window from 0 on, are
 * MySQL's: see the head of this file
 *
 * Returns enum sonde_detect.
 */
SONDE_INLINE int sonde_mysql_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st)
{
	u32 len = sonde_win_le24(w, 0), seq = sonde_win_u8(w, 3), type = sonde_win_u8(w, 4), pos = 0;
	bool told = false;

	if (avail < 4 || !sonde_mysql_plausible(sonde_win_u64(w, 0), total))
		return SONDE_DETECT_NO;
	if (seq && len < SONDE_MYSQL_SSL_REQUEST)
		return SONDE_DETECT_NO;
	if (total == 4 || (total < 16 && total < len + 4))
		return total == 4 || seq || sonde_mysql_known(type, len) ? SONDE_DETECT_MORE : SONDE_DETECT_NO;
	if (seq)
		return len + 4 >= total && avail >= 36 && sonde_mysql_is_response(w, 0) ? SONDE_DETECT_CLIENT
											: SONDE_DETECT_NO;
	if (type == SONDE_MYSQL_VERSION)
		return len + 4 == total && avail == total && SONDE_MYSQL_GREETING(w, 4, total) ? SONDE_DETECT_SERVER
											       : SONDE_DETECT_NO;
	for (u32 i = 0; i < SONDE_MYSQL_CHAIN && pos + 5 <= avail; i++) {
		len = sonde_win_le24(w, pos);
		if (sonde_win_u8(w, pos + 3) || !len)
			return SONDE_DETECT_NO;
		if (!sonde_mysql_known(sonde_win_u8(w, pos + 4), len))
			break;
		told = told || sonde_mysql_tells(w, pos, len, avail);
		pos += 4 + len;
	}
	/* The window may be full of it; only a text may reach beyond the send. */
	if (told && (pos == total || (pos > avail && (total > avail || type == SONDE_MYSQL_COM_QUERY ||
						      type == SONDE_MYSQL_COM_STMT_PREPARE))))
		return SONDE_DETECT_CLIENT;
	if (sonde_mysql_is_compressed(w, total, avail)) {
		st->flags = SONDE_MYSQL_COMPRESSED;
		return SONDE_DETECT_CLIENT;
	}
	return SONDE_DETECT_NO;
}

#endif /* SONDE_PROTO_MYSQL_H */
