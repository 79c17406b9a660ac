/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * redis_reply.h - what a Redis server says: replies, element by element, and what belongs to no command.
 *
 * A message is a reply, or one element of a nested one. sonde_state.be_left are the elements still to come, whatever their
 * depth: an element that contains others adds theirs. be_aux: rows in the lower half; in the upper one what be_left was
 * outside an aggregate of unknown length (RESP3's `*?`, one deep).
 *
 * Rows of a reply: number of elements of an array, a set or a map (of pairs there); 1 for any other value; 0 for null, an
 * empty string, an error, and +QUEUED.
 */
#ifndef SONDE_PROTO_REDIS_REPLY_H
#define SONDE_PROTO_REDIS_REPLY_H

#include "redis_wire.h"

/* sonde_state.be_mode */
#define SONDE_REDIS_BE_LINE 1u /* in the rest of a long line, all of which has been said */
#define SONDE_REDIS_BE_STRING 2u /* in a string of unknown length: chunks follow */
#define SONDE_REDIS_BE_STREAM 4u /* in an aggregate of unknown length */
#define SONDE_REDIS_BE_ATTRIBUTE 8u /* in attributes: the reply itself follows */
#define SONDE_REDIS_BE_PUSH 16u /* in what belongs to no command */
#define SONDE_REDIS_BE_MONITOR 32u /* MONITOR's lines may come at any time */
#define SONDE_REDIS_BE_MULTI 64u /* between MULTI and EXEC */

#define SONDE_REDIS_KIND_MESSAGE 0xffu /* sonde_redis_topic(): message, pmessage, smessage */

/** struct sonde_redis_reply - the element being described, and the state that it leads to */
struct sonde_redis_reply {
	u64 left, outer;
	u32 mode, rows;
	u64 children; /* elements that it contains */
	u32 value; /* rows, if it is the whole reply */
	bool open; /* its end is not known yet */
};

/* Class of an error by its word, of which the first eight bytes count (those behind a shorter one are zero). */
SONDE_INLINE u32 sonde_redis_error_class(u64 word)
{
#define SONDE_REDIS_IS(s) (word == SONDE_WORD(s, 0))
	if (SONDE_REDIS_IS("MOVED") || SONDE_REDIS_IS("ASK") || SONDE_REDIS_IS("TRYAGAIN") ||
	    SONDE_REDIS_IS("CLUSTERDOWN") || SONDE_REDIS_IS("MASTERDOWN") || SONDE_REDIS_IS("LOADING") ||
	    SONDE_REDIS_IS("READONLY") || SONDE_REDIS_IS("NOAUTH") || SONDE_REDIS_IS("WRONGPASS"))
		return SONDE_ERR_CONNECTION; /* not here, not now, not you */
	if (SONDE_REDIS_IS("NOPERM") || SONDE_REDIS_IS("NOSCRIPT") || SONDE_REDIS_IS("NOGROUP") ||
	    SONDE_REDIS_IS("CROSSSLOT"))
		return SONDE_ERR_SYNTAX;
	if (SONDE_REDIS_IS("WRONGTYPE"))
		return SONDE_ERR_DATA;
	if (SONDE_REDIS_IS("BUSYKEY") || SONDE_REDIS_IS("BUSYGROUP"))
		return SONDE_ERR_CONSTRAINT;
	if (SONDE_REDIS_IS("BUSY") || SONDE_REDIS_IS("EXECABORT"))
		return SONDE_ERR_ROLLBACK;
	if (SONDE_REDIS_IS("OOM") || SONDE_REDIS_IS("MISCONF") || SONDE_REDIS_IS("NOREPLICAS"))
		return SONDE_ERR_RESOURCE;
	return SONDE_ERR_OTHER;
#undef SONDE_REDIS_IS
}

/* The error of the @len bytes at @pos, type and CRLF not counted: its word's first five characters, and its class. */
SONDE_INLINE void sonde_redis_error(const struct sonde_win *w, u32 pos, u32 len, struct sonde_msg *m)
{
	u64 word = sonde_win_u64(w, pos), after = sonde_win_u64(w, pos + 4), upper;
	u32 n;

	word = sonde_bytes_low(word, len);
	upper = SONDE_BYTES_WITHIN(word, 'A', 'Z') | SONDE_BYTES_WITHIN(word, '_', '_');
	n = sonde_bytes_before(~upper & SONDE_HIGHS);
	word = sonde_bytes_low(word, n);
	m->op = SONDE_OP_ERROR;
	m->sqlstate = word & 0xffffffffffULL;
	m->error_class = sonde_redis_error_class(word);
	if (word != SONDE_WORD("ERR", 0) || len < 12)
		return;
	if (after == SONDE_WORD("unknown ", 0) || after == SONDE_WORD("wrong nu", 0) ||
	    after == SONDE_WORD("syntax e", 0))
		m->error_class = SONDE_ERR_SYNTAX;
	if (after == SONDE_WORD("value is", 0))
		m->error_class = SONDE_ERR_DATA;
}

/* The reply is complete: what it says about the connection. */
SONDE_INLINE void sonde_redis_done(struct sonde_redis_reply *r, u32 expect, struct sonde_msg *m)
{
	if (r->mode & SONDE_REDIS_BE_ATTRIBUTE) { /* the reply itself follows */
		r->mode &= ~SONDE_REDIS_BE_ATTRIBUTE;
		m->op = SONDE_OP_REPLY;
		return;
	}
	if (r->mode & SONDE_REDIS_BE_PUSH) {
		r->mode &= ~SONDE_REDIS_BE_PUSH;
		m->op = SONDE_OP_NONE;
		return;
	}
	if (m->op != SONDE_OP_ERROR) {
		m->op = SONDE_OP_DONE;
		m->rows = r->rows;
	}
	r->rows = 0;
	if (expect == SONDE_REDIS_KIND_EXEC || expect == SONDE_REDIS_KIND_RESET) {
		m->txn = SONDE_TXN_IDLE;
		r->mode &= ~SONDE_REDIS_BE_MULTI;
		if (expect == SONDE_REDIS_KIND_RESET)
			r->mode &= ~SONDE_REDIS_BE_MONITOR;
		return;
	}
	if (m->op == SONDE_OP_ERROR) {
		if (r->mode & SONDE_REDIS_BE_MULTI)
			m->txn = SONDE_TXN_FAILED;
	} else if (expect == SONDE_REDIS_KIND_MULTI) {
		m->txn = SONDE_TXN_OPEN;
		r->mode |= SONDE_REDIS_BE_MULTI;
	} else if (expect == SONDE_REDIS_KIND_MONITOR) {
		r->mode |= SONDE_REDIS_BE_MONITOR;
	}
}

/* One more element, with those it contains: where that leads to. @expect: kind of the oldest command outstanding. */
SONDE_INLINE void sonde_redis_element(struct sonde_redis_reply *r, u32 expect, struct sonde_msg *m)
{
	bool top = !r->left && !(r->mode & (SONDE_REDIS_BE_STREAM | SONDE_REDIS_BE_ATTRIBUTE));

	if (top) {
		r->rows = r->value;
		r->left = r->children;
	} else {
		m->op = SONDE_OP_REPLY; /* an error in an array is a value */
		if (r->left)
			r->left += r->children - 1;
		else if (r->mode & SONDE_REDIS_BE_STREAM) {
			r->rows += !r->outer;
			r->left = r->children;
		}
	}
	if (r->open || r->left || r->mode & SONDE_REDIS_BE_STREAM)
		m->op = r->mode & SONDE_REDIS_BE_PUSH ? SONDE_OP_NONE : SONDE_OP_REPLY;
	else
		sonde_redis_done(r, expect, m);
}

/* A line is not all there. */
SONDE_INLINE int sonde_redis_want(u32 size, struct sonde_msg *m)
{
	m->size = size;
	return SONDE_PARSE_MORE;
}

/* What ends with CRLF: status, error, number, null, boolean. */
SONDE_INLINE int sonde_redis_simple(const struct sonde_win *w, u32 pos, u32 avail, u32 expect,
				    struct sonde_redis_reply *r, struct sonde_msg *m)
{
	u32 len = SONDE_LINE(w, pos, sonde_min_u32(avail, SONDE_LINE_MAX));

	if (!len && avail < SONDE_LINE_MAX)
		return sonde_redis_want(avail + 1, m);
	m->size = len ? len : SONDE_LINE_MAX;
	if (!len)
		r->mode |= SONDE_REDIS_BE_LINE;
	else if (len < 3 || sonde_win_u8(w, pos + len - 2) != '\r')
		return SONDE_PARSE_BAD;
	r->value = m->type != '_';
	if (m->type == '+') {
		if (r->mode & SONDE_REDIS_BE_MONITOR && sonde_win_u8(w, pos + 1) - '0' <= 9)
			return SONDE_PARSE_OK; /* a command of somebody else */
		r->value = sonde_win_u64(w, pos + 1) != SONDE_WORD("QUEUED\r\n", 0) || len != 9;
	}
	if (m->type == '-')
		sonde_redis_error(w, pos + 1, m->size - 3, m);
	sonde_redis_element(r, expect, m);
	return SONDE_PARSE_OK;
}

/* What says its length: string, verbatim string, error. */
SONDE_INLINE int sonde_redis_bulk(const struct sonde_win *w, u32 pos, u32 avail, u32 expect,
				  struct sonde_redis_reply *r, struct sonde_msg *m)
{
	u64 n = SONDE_REDIS_NUMBER(w, pos + 1, avail - 1);
	u32 head = 1 + SONDE_REDIS_NUM_LEN(n), len = n;

	if (n & SONDE_REDIS_NUM_MORE)
		return sonde_redis_want(avail + 1, m);
	if (n & SONDE_REDIS_NUM_BAD || (n & (SONDE_REDIS_NUM_NIL | SONDE_REDIS_NUM_OPEN) && m->type != '$'))
		return SONDE_PARSE_BAD;
	m->size = head;
	if (n & SONDE_REDIS_NUM_OPEN) {
		r->mode |= SONDE_REDIS_BE_STRING;
		m->op = r->mode & SONDE_REDIS_BE_PUSH ? SONDE_OP_NONE : SONDE_OP_REPLY;
		return SONDE_PARSE_OK;
	}
	if (!(n & SONDE_REDIS_NUM_NIL)) {
		m->size = head + len + 2;
		r->value = len > 0;
	}
	if (m->type == '!') {
		if (avail < head + sonde_min_u32(len, 16))
			return sonde_redis_want(head + sonde_min_u32(len, 16), m);
		sonde_redis_error(w, pos + head, len, m);
	}
	sonde_redis_element(r, expect, m);
	return SONDE_PARSE_OK;
}

/* A piece of a string of unknown length; the empty one ends it. */
SONDE_INLINE int sonde_redis_chunk(const struct sonde_win *w, u32 pos, u32 avail, u32 expect,
				   struct sonde_redis_reply *r, struct sonde_msg *m)
{
	u64 n = SONDE_REDIS_NUMBER(w, pos + 1, avail - 1);

	if (n & SONDE_REDIS_NUM_MORE)
		return sonde_redis_want(avail + 1, m);
	if (n & (SONDE_REDIS_NUM_BAD | SONDE_REDIS_NUM_NIL | SONDE_REDIS_NUM_OPEN))
		return SONDE_PARSE_BAD;
	m->size = 1 + SONDE_REDIS_NUM_LEN(n);
	if ((u32)n) {
		m->size += (u32)n + 2;
		m->op = r->mode & SONDE_REDIS_BE_PUSH ? SONDE_OP_NONE : SONDE_OP_REPLY;
		return SONDE_PARSE_OK;
	}
	r->mode &= ~SONDE_REDIS_BE_STRING;
	r->value = 1;
	sonde_redis_element(r, expect, m);
	return SONDE_PARSE_OK;
}

/* The end of an aggregate of unknown length. */
SONDE_INLINE int sonde_redis_stop(const struct sonde_win *w, u32 pos, u32 avail, u32 expect,
				  struct sonde_redis_reply *r, struct sonde_msg *m)
{
	if (!(r->mode & SONDE_REDIS_BE_STREAM) || r->left)
		return SONDE_PARSE_BAD;
	if (avail < 3)
		return sonde_redis_want(3, m);
	m->size = 3;
	if (sonde_win_be16(w, pos + 1) != ('\r' << 8 | '\n'))
		return SONDE_PARSE_BAD;
	r->mode &= ~SONDE_REDIS_BE_STREAM;
	r->left = r->outer ? r->outer - 1 : 0;
	r->outer = 0;
	if (r->left)
		m->op = r->mode & SONDE_REDIS_BE_PUSH ? SONDE_OP_NONE : SONDE_OP_REPLY;
	else
		sonde_redis_done(r, expect, m);
	return SONDE_PARSE_OK;
}

/*
 * Which of pub/sub's words the string at @pos is, of which @avail bytes are there: SONDE_REDIS_KIND_*, 0 none of them;
 * negative: more is needed.
 */
SONDE_INLINE int sonde_redis_topic(const struct sonde_win *w, u32 pos, u32 avail)
{
	u64 n, word, rest;
	u32 head, len;

	if (!avail)
		return -1;
	if (sonde_win_u8(w, pos) != '$')
		return 0;
	n = SONDE_REDIS_NUMBER(w, pos + 1, avail - 1);
	if (n & SONDE_REDIS_NUM_MORE)
		return -1;
	head = 1 + SONDE_REDIS_NUM_LEN(n);
	len = n;
	if (n >> 41 || len < 7 || len > 12)
		return 0;
	if (avail < head + len)
		return -1;
	word = sonde_bytes_low(sonde_win_u64(w, pos + head), len);
	rest = len > 8 ? sonde_bytes_low(sonde_win_u64(w, pos + head + 8), len - 8) : 0;
	word = SONDE_REDIS_FOLD(word, rest, 0ULL);
	if (word == SONDE_REDIS_CODE("message") || word == SONDE_REDIS_CODE("pmessage") ||
	    word == SONDE_REDIS_CODE("smessage"))
		return SONDE_REDIS_KIND_MESSAGE;
	if (word == SONDE_REDIS_CODE("subscribe"))
		return SONDE_REDIS_KIND_SUBSCRIBE;
	if (word == SONDE_REDIS_CODE("psubscribe"))
		return SONDE_REDIS_KIND_PSUBSCRIBE;
	if (word == SONDE_REDIS_CODE("ssubscribe"))
		return SONDE_REDIS_KIND_SSUBSCRIBE;
	if (word == SONDE_REDIS_CODE("unsubscribe"))
		return SONDE_REDIS_KIND_UNSUBSCRIBE;
	if (word == SONDE_REDIS_CODE("punsubscribe"))
		return SONDE_REDIS_KIND_PUNSUBSCRIBE;
	return word == SONDE_REDIS_CODE("sunsubscribe") ? SONDE_REDIS_KIND_SUNSUBSCRIBE : 0;
}

/* Whether an array of RESP2 may come from pub/sub: subscribers may use few other commands. */
SONDE_INLINE bool sonde_redis_may_push(u32 expect, u64 nr)
{
	return nr >= 3 && nr <= 4 &&
	       (!expect || expect == SONDE_REDIS_KIND_CALM || expect == SONDE_REDIS_KIND_RESET ||
		expect >= SONDE_REDIS_KIND_SUBSCRIBE);
}

/* What contains others: array, set, map, attributes, push. */
SONDE_INLINE int sonde_redis_aggregate(const struct sonde_win *w, u32 pos, u32 avail, u32 expect,
				       struct sonde_redis_reply *r, struct sonde_msg *m)
{
	u64 n = SONDE_REDIS_NUMBER(w, pos + 1, avail - 1), nr = (u32)n;
	bool top = !r->left && !(r->mode & (SONDE_REDIS_BE_STREAM | SONDE_REDIS_BE_ATTRIBUTE));
	u32 type = m->type;
	int topic = 0;

	if (n & SONDE_REDIS_NUM_MORE)
		return sonde_redis_want(avail + 1, m);
	if (n & SONDE_REDIS_NUM_BAD || (n & SONDE_REDIS_NUM_NIL && type != '*') || r->left > 0xffffffff)
		return SONDE_PARSE_BAD;
	m->size = 1 + SONDE_REDIS_NUM_LEN(n);
	if (n & SONDE_REDIS_NUM_OPEN) {
		if (type == '>' || type == '|' || r->mode & SONDE_REDIS_BE_STREAM)
			return SONDE_PARSE_BAD;
		r->mode |= SONDE_REDIS_BE_STREAM;
		r->outer = r->left;
		r->left = 0;
		m->op = r->mode & SONDE_REDIS_BE_PUSH ? SONDE_OP_NONE : SONDE_OP_REPLY;
		return SONDE_PARSE_OK;
	}
	r->value = nr;
	r->children = type == '%' || type == '|' ? 2 * nr : nr;
	if (type == '|') { /* no element itself */
		if (top && nr)
			r->mode |= SONDE_REDIS_BE_ATTRIBUTE;
		r->left += r->children;
		m->op = r->mode & SONDE_REDIS_BE_PUSH ? SONDE_OP_NONE : SONDE_OP_REPLY;
		return SONDE_PARSE_OK;
	}
	if (type == '>' && !top)
		return SONDE_PARSE_BAD;
	if (top && nr &&
	    (type == '>' ? expect >= SONDE_REDIS_KIND_SUBSCRIBE : type == '*' && sonde_redis_may_push(expect, nr))) {
		topic = sonde_redis_topic(w, pos + m->size, avail - m->size);
		if (topic < 0)
			return sonde_redis_want(avail + 1, m);
	}
	if (type == '>' ? !topic || (u32)topic != expect : topic && (u32)topic != expect)
		r->mode |= SONDE_REDIS_BE_PUSH;
	sonde_redis_element(r, expect, m);
	return SONDE_PARSE_OK;
}

/* The reply, or element of one, at @pos. */
SONDE_INLINE int sonde_redis_reply(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				   struct sonde_msg *m)
{
	struct sonde_redis_reply r = {
		.left = st->be_left,
		.outer = st->be_aux >> 32,
		.rows = st->be_aux,
		.mode = st->be_mode,
	};
	u32 expect = st->expect;
	int ret;

	if (!avail)
		return sonde_redis_want(1, m);
	m->type = sonde_win_u8(w, pos);
	if (r.mode & SONDE_REDIS_BE_STRING && m->type != ';')
		return SONDE_PARSE_BAD;
	switch (m->type) {
	case '+':
	case '-':
	case ':':
	case '_':
	case '#':
	case ',':
	case '(':
		ret = sonde_redis_simple(w, pos, avail, expect, &r, m);
		break;
	case '$':
	case '=':
	case '!':
		ret = sonde_redis_bulk(w, pos, avail, expect, &r, m);
		break;
	case '*':
	case '~':
	case '%':
	case '|':
	case '>':
		ret = sonde_redis_aggregate(w, pos, avail, expect, &r, m);
		break;
	case ';':
		if (!(r.mode & SONDE_REDIS_BE_STRING))
			return SONDE_PARSE_BAD;
		ret = sonde_redis_chunk(w, pos, avail, expect, &r, m);
		break;
	case '.':
		ret = sonde_redis_stop(w, pos, avail, expect, &r, m);
		break;
	default:
		return SONDE_PARSE_BAD;
	}
	if (ret)
		return ret;
	st->be_left = r.left;
	st->be_aux = r.outer << 32 | r.rows;
	st->be_mode = r.mode;
	return SONDE_PARSE_OK;
}

/* The rest of a line of which everything has been said. */
SONDE_INLINE int sonde_redis_reply_rest(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					struct sonde_msg *m)
{
	u32 len = SONDE_LINE(w, pos, sonde_min_u32(avail, SONDE_LINE_MAX));

	if (!len && avail < SONDE_LINE_MAX)
		return sonde_redis_want(avail + 1, m);
	m->size = len ? len : SONDE_LINE_MAX;
	if (len)
		st->be_mode &= ~SONDE_REDIS_BE_LINE;
	return SONDE_PARSE_OK;
}

/**
 * sonde_redis_skip - pass by elements of a nested reply, as long as they lie in front of @end whole and others follow
 * @left: elements still to come, at least 1 afterwards
 *
 * At most @max of them. Returns where the first one begins that is left to sonde_redis_server().
 */
SONDE_INLINE u32 sonde_redis_skip(const struct sonde_win *w, u32 pos, u32 end, u32 max, u64 *left)
{
	for (u32 i = 0; i<max && * left> 1 && pos < end; i++) {
		u32 type = sonde_win_u8(w, pos), size, children = 0;

		if (type == '$') {
			u64 n = SONDE_REDIS_NUMBER(w, pos + 1, end - pos - 1);

			if (n >> 40)
				break;
			size = 1 + SONDE_REDIS_NUM_LEN(n) + (u32)n + 2;
		} else if (type == ':' || type == ',') {
			size = SONDE_LINE(w, pos, sonde_min_u32(end - pos, 64));
			if (size < 3)
				break;
		} else if (type == '*') {
			u64 n = SONDE_REDIS_NUMBER(w, pos + 1, end - pos - 1);

			if (n >> 40)
				break;
			size = 1 + SONDE_REDIS_NUM_LEN(n);
			children = n;
		} else {
			break;
		}
		if (size > end - pos || *left + children <= 1)
			break;
		pos += size;
		*left += (u64)children - 1;
	}
	return pos;
}

#endif /* SONDE_PROTO_REDIS_REPLY_H */
