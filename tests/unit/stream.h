/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream.h - walks the messages of a connection as the kernel side does, and holds the parser to its contract.
 *
 *	static const struct stream_proto redis = STREAM_PROTO(redis);
 *	struct stream s;
 *
 *	stream_begin(&s, &redis, seen, ctx);
 *	stream_feed(&s, false, request, request_len);     every send of the client,
 *	stream_feed(&s, true, reply, reply_len);          every send of the server, in order
 *
 * calls seen() for every message, in whatever pieces they come: the beginning of one that is cut is kept, the rest of one
 * whose size is known is passed by. Which of the client's requests is the oldest one outstanding (sonde_state.expect) is
 * followed by the rules of bpf/track.bpf.h, as far as a parser can notice.
 *
 * Every answer is asked for twice, with different bytes behind the data. What breaks the contract of sonde/proto.h (an
 * answer that depends on them, one of no size or out of bounds, more wanted than is ever kept, a state that changed without
 * a message) ends the program with a message.
 */
#ifndef TESTS_UNIT_STREAM_H
#define TESTS_UNIT_STREAM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sonde/proto.h"

#define STREAM_CARRY_MAX 4864u /* CARRY_BYTES in bpf/conn.bpf.h */
#define STREAM_SIZE_MAX 0x7fffffffu /* a message's length is returned as an int */
#define STREAM_QUEUE 4096u /* CONN_PIPELINE_MAX in bpf/conn.bpf.h; power of two */

/** struct stream_proto - the parser of a protocol */
struct stream_proto {
	bool (*plausible)(u64 head, u32 total);
	int (*detect)(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st);
	int (*client)(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st, struct sonde_msg *m);
	int (*server)(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st, struct sonde_msg *m);
};

#define STREAM_PROTO(p)                                                                                                \
	{                                                                                                              \
		sonde_##p##_plausible, sonde_##p##_detect, sonde_##p##_client, sonde_##p##_server                      \
	}

/** struct stream_entry - one request that is not yet answered */
struct stream_entry {
	u16 kind;
	u16 replies; /* still to come */
	bool sync; /* an end-of-batch reply follows */
	bool quiet;
};

/** struct stream_dir - place in one direction */
struct stream_dir {
	u32 skip; /* bytes of the current message still to pass by */
	u32 kept; /* bytes of a split message's beginning */
	bool lost; /* no message of this protocol */
	bool until_close; /* in a message that ends with the connection */
	u8 held[STREAM_CARRY_MAX];
	struct sonde_msg done; /* acts when its last byte has gone by */
};

struct stream {
	const struct stream_proto *proto;
	/* @m at @pos in @w; offsets in @m count from the window's beginning */
	void (*seen)(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos);
	void *ctx;
	struct sonde_state st;
	struct stream_dir dir[2];
	bool ended; /* what follows is not this protocol any more */
	u32 head, tail;
	struct stream_entry queue[STREAM_QUEUE];
};

/* Two copies of the window: bytes behind the data differ. */
static struct sonde_win stream_win[2];

static inline void stream_broken(const char *what, u32 a, u32 b)
{
	fprintf(stderr, "stream: %s (%u, %u)\n", what, a, b);
	abort();
}

static inline void stream_check(bool ok, const char *what, u32 a, u32 b)
{
	if (!ok)
		stream_broken(what, a, b);
}

static inline void stream_begin(struct stream *s, const struct stream_proto *proto,
				void (*seen)(void *, bool, const struct sonde_msg *, const struct sonde_win *, u32),
				void *ctx)
{
	s->proto = proto;
	s->seen = seen;
	s->ctx = ctx;
	memset(&s->st, 0, sizeof(s->st));
	for (int i = 0; i < 2; i++) {
		s->dir[i].skip = s->dir[i].kept = 0;
		s->dir[i].lost = s->dir[i].until_close = false;
		s->dir[i].done.op = SONDE_OP_NONE;
	}
	s->ended = false;
	s->head = s->tail = 0;
}

/* Part of the @n bytes at @data behind those that were kept, from @off on, into both windows; returns its length. */
static inline u32 stream_fill(const struct stream_dir *d, const u8 *data, u32 n, u32 off)
{
	static const u8 behind[] = { 0xff, '0', '\r', 1, 'Z', '$', ' ', 0x80 };
	u32 kept = off < d->kept ? d->kept - off : 0, from = off > d->kept ? off - d->kept : 0;
	u32 more = sonde_min_u32(n - from, SONDE_WIN_BYTES - kept);

	for (int i = 0; i < 2; i++) {
		if (kept)
			memcpy(stream_win[i].b, d->held + off, kept);
		memcpy(stream_win[i].b + kept, data + from, more);
		memset(stream_win[i].b + kept + more, i ? behind[(off + n) % sizeof(behind)] : 0,
		       sizeof(stream_win[i].b) - kept - more);
	}
	return kept + more;
}

/* What both asked for alike says about the message; offsets of what is not there mean nothing. */
static inline bool stream_same(const struct sonde_msg *a, const struct sonde_msg *b)
{
	return a->size == b->size && a->op == b->op && a->txn == b->txn && a->error_class == b->error_class &&
	       a->type == b->type && a->flags == b->flags && a->kind == b->kind && a->replies == b->replies &&
	       a->text_len == b->text_len && (!a->text_len || a->text_off == b->text_off) &&
	       a->name_len == b->name_len && (!a->name_len || a->name_off == b->name_off) &&
	       a->user_len == b->user_len && (!a->user_len || a->user_off == b->user_off) && a->db_len == b->db_len &&
	       (!a->db_len || a->db_off == b->db_off) && a->code == b->code && a->name == b->name &&
	       a->portal == b->portal && a->params == b->params && a->rows == b->rows && a->sqlstate == b->sqlstate &&
	       a->label.len == b->label.len && a->label.cut == b->label.cut && a->label.len <= SONDE_LABEL_BYTES &&
	       !memcmp(a->label.b, b->label.b, a->label.len);
}

/* Whether a client (or a server) may say this. */
static inline bool stream_op_fits(u32 op, bool server)
{
	if (op == SONDE_OP_NONE || (op >= SONDE_OP_FLAVOUR && op <= SONDE_OP_UNREADABLE))
		return true;
	return server ? op >= SONDE_OP_REPLY && op <= SONDE_OP_READY : op >= SONDE_OP_QUERY && op <= SONDE_OP_END;
}

static inline void stream_check_range(const char *what, u32 off, u32 len, u32 from, u32 to)
{
	stream_check(!len || (off >= from && (u64)off + len <= to), what, off, len);
}

/* A message at @pos of which @avail bytes are in the window keeps the contract. */
static inline void stream_check_msg(const struct sonde_msg *m, u32 pos, u32 avail, bool server)
{
	u32 there = pos + sonde_min_u32(m->size, avail);

	stream_check(m->size > 0, "a message of no size", pos, m->op);
	stream_check(m->size <= STREAM_SIZE_MAX, "a message too long to return", pos, m->size);
	stream_check(stream_op_fits(m->op, server), "the other side's operation", m->op, server);
	stream_check_range("text outside the message", m->text_off, m->text_len, pos, pos + m->size);
	stream_check(!m->text_len || m->text_off < there, "text behind the data", m->text_off, there);
	stream_check_range("name outside the data", m->name_off, m->name_len, pos, there);
	stream_check_range("user outside the data", m->user_off, m->user_len, pos, there);
	stream_check_range("database outside the data", m->db_off, m->db_len, pos, there);
	stream_check(m->label.len <= SONDE_LABEL_BYTES, "label too long", m->label.len, pos);
	stream_check(m->op != SONDE_OP_COMMAND || m->label.len, "a command without a name", pos, m->type);
	stream_check(m->op != SONDE_OP_UNREADABLE || (m->kind && m->kind < SONDE_CNT_MAX), "no such counter", m->kind,
		     pos);
	stream_check(m->op != SONDE_OP_FLAVOUR || (m->kind && m->kind < SONDE_PROTO_MAX), "no such protocol", m->kind,
		     pos);
	stream_check(m->op != SONDE_OP_ERROR || m->error_class < SONDE_ERR_CLASSES, "no such class of errors",
		     m->error_class, pos);
}

/* Asks the parser, twice. */
static inline int stream_ask(struct stream *s, bool server, u32 pos, u32 avail, struct sonde_msg *m)
{
	static struct sonde_msg twin;
	struct sonde_state before = s->st, other = s->st;
	int ret, ret2;

	memset(m, 0, sizeof(*m));
	memset(&twin, 0, sizeof(twin));
	memset(twin.label.b, 0x5a, sizeof(twin.label.b));
	memset(twin.scratch, 0x5a, sizeof(twin.scratch)); /* is not cleared, either */
	ret = (server ? s->proto->server : s->proto->client)(&stream_win[0], pos, avail, &s->st, m);
	ret2 = (server ? s->proto->server : s->proto->client)(&stream_win[1], pos, avail, &other, &twin);
	stream_check(ret == ret2, "bytes behind the data matter", ret, ret2);
	if (ret == SONDE_PARSE_BAD)
		stream_check(!memcmp(&before, &s->st, sizeof(before)), "state changed by what is no message", pos,
			     avail);
	if (ret == SONDE_PARSE_MORE) {
		stream_check(!memcmp(&before, &s->st, sizeof(before)), "state changed by half a message", pos, avail);
		stream_check(m->size == twin.size, "bytes behind the data matter to what is wanted", m->size,
			     twin.size);
		stream_check(m->size > avail, "wants what it has", m->size, avail);
		stream_check(m->size <= STREAM_CARRY_MAX, "wants more than is ever kept", m->size, avail);
	}
	if (ret != SONDE_PARSE_OK)
		return ret;
	stream_check(stream_same(m, &twin), "bytes behind the data matter to the message", pos, avail);
	stream_check(!memcmp(&other, &s->st, sizeof(other)), "bytes behind the data matter to the state", pos, avail);
	stream_check(s->st.expect == before.expect, "what is outstanding is not the parser's to say", pos, avail);
	stream_check(server ? s->st.fe_mode == before.fe_mode && s->st.fe_left == before.fe_left &&
				      s->st.fe_aux == before.fe_aux
			    : s->st.be_mode == before.be_mode && s->st.be_left == before.be_left &&
				      s->st.be_aux == before.be_aux,
		     "the other direction's state changed", pos, server);
	stream_check_msg(m, pos, avail, server);
	return ret;
}

static inline struct stream_entry *stream_oldest(struct stream *s)
{
	return s->head == s->tail ? NULL : &s->queue[s->head % STREAM_QUEUE];
}

static inline void stream_push(struct stream *s, const struct sonde_msg *m, bool sync)
{
	struct stream_entry *e = &s->queue[s->tail % STREAM_QUEUE];

	if (s->tail - s->head >= STREAM_QUEUE)
		return;
	e->kind = m->kind;
	e->replies = m->replies ? m->replies : 1;
	e->sync = sync;
	e->quiet = m->flags & SONDE_MSG_QUIET;
	s->tail++;
}

static inline void stream_client_acts(struct stream *s, const struct sonde_msg *m)
{
	switch (m->op) {
	case SONDE_OP_QUERY:
	case SONDE_OP_PREPARE_CALL:
	case SONDE_OP_RUN:
	case SONDE_OP_FETCH:
	case SONDE_OP_CALL:
		stream_push(s, m, true);
		break;
	case SONDE_OP_EXECUTE:
		stream_push(s, m, false);
		break;
	case SONDE_OP_COMMAND:
		if (!(m->flags & SONDE_MSG_NO_REPLY))
			stream_push(s, m, m->flags & SONDE_MSG_LAST);
		break;
	case SONDE_OP_SYNC:
		if (s->tail != s->head && !s->queue[(s->tail - 1) % STREAM_QUEUE].sync)
			s->queue[(s->tail - 1) % STREAM_QUEUE].sync = true;
		else
			stream_push(s, m, true);
		break;
	}
}

/** stream_expect - as if @nr requests of @kind were outstanding, each answered by an end-of-batch reply */
static inline void stream_expect(struct stream *s, u32 kind, u32 nr)
{
	const struct sonde_msg m = { .kind = kind };

	while (nr--)
		stream_push(s, &m, true);
}

/* Out of the queue: up to the end of the batch. */
static inline void stream_drop_batch(struct stream *s)
{
	while (s->head != s->tail)
		if (s->queue[s->head++ % STREAM_QUEUE].sync)
			break;
}

static inline void stream_server_acts(struct stream *s, const struct sonde_msg *m)
{
	struct stream_entry *e;

	switch (m->op) {
	case SONDE_OP_DONE:
	case SONDE_OP_ERROR:
	case SONDE_OP_SUSPENDED:
	case SONDE_OP_EMPTY:
		if (m->flags & SONDE_MSG_LAST) {
			stream_drop_batch(s);
			break;
		}
		if (m->flags & SONDE_MSG_LOUD)
			while ((e = stream_oldest(s)) && e->quiet)
				s->head++;
		e = stream_oldest(s);
		if (e && !e->sync && !(m->flags & SONDE_MSG_MORE) && !--e->replies)
			s->head++;
		break;
	case SONDE_OP_READY:
	case SONDE_OP_PREPARED:
		stream_drop_batch(s);
		break;
	}
}

static inline void stream_acts(struct stream *s, bool server, const struct sonde_msg *m)
{
	if (m->op == SONDE_OP_TLS || m->op == SONDE_OP_SWITCH || m->op == SONDE_OP_IGNORE ||
	    m->op == SONDE_OP_UNREADABLE)
		s->ended = true;
	if (server)
		stream_server_acts(s, m);
	else
		stream_client_acts(s, m);
}

/**
 * stream_feed - @n bytes go over the connection, from the server or from the client
 *
 * Returns whether it goes on: false once the place in this direction is lost, or what follows is another protocol.
 */
static inline bool stream_feed(struct stream *s, bool server, const u8 *data, u32 n)
{
	struct stream_dir *d = &s->dir[server];
	u32 total = d->kept + n, pos = d->skip, begin = 0, len = 0;

	if (s->ended || d->lost)
		return false;
	if (d->until_close)
		return true;
	if (d->skip > n) {
		d->skip -= n;
		return true;
	}
	d->skip = 0;
	if (pos && server && d->done.op) {
		stream_acts(s, server, &d->done);
		d->done.op = SONDE_OP_NONE;
	}
	while (pos < total && !s->ended) {
		struct stream_entry *oldest = stream_oldest(s);
		struct sonde_msg m;
		int ret;

		if (!len || pos - begin >= len) {
			len = stream_fill(d, data, n, pos);
			begin = pos;
		}
		s->st.expect = oldest ? oldest->kind : 0;
		ret = stream_ask(s, server, pos - begin, len - (pos - begin), &m);
		if (ret == SONDE_PARSE_BAD) {
			d->lost = true;
			return false;
		}
		if (ret == SONDE_PARSE_MORE &&
		    begin + len < total) { /* the window ends in the message: move it there */
			stream_check(pos != begin, "wants more than a window", m.size, len);
			len = 0;
			continue;
		}
		if (ret == SONDE_PARSE_MORE)
			break;
		s->seen(s->ctx, server, &m, &stream_win[0], pos - begin);
		if (server && m.flags & SONDE_MSG_UNTIL_CLOSE) { /* nothing else comes this way */
			d->until_close = true;
			d->kept = 0;
			return true;
		}
		pos += m.size;
		if (server && pos > total)
			d->done = m;
		else
			stream_acts(s, server, &m);
	}
	if (pos > total) {
		d->skip = pos - total;
		d->kept = 0;
	} else { /* what is left of the kept bytes moves to the front */
		u32 old = pos < d->kept ? d->kept - pos : 0, from = pos > d->kept ? pos - d->kept : 0;

		if (s->ended)
			return false;
		if (old)
			memmove(d->held, d->held + pos, old);
		memcpy(d->held + old, data + from, n - from);
		d->kept = total - pos;
	}
	return !s->ended;
}

#endif /* TESTS_UNIT_STREAM_H */
