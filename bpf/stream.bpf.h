/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream.bpf.h - walks the messages of one send or receive, keeping the place from one to the next.
 */
#ifndef SONDE_STREAM_BPF_H
#define SONDE_STREAM_BPF_H

#include "gen/protocols.bpf.h" /* made by the Makefile from proto.def */

#define STREAM_STEPS 1024 /* times STREAM_PACK messages, or runs of row messages, of one send or receive */
#define STREAM_PACK 8

/* Describes one message of the connection's protocol: enum sonde_parse. */
static __always_inline int stream_parse(struct conn *c, u32 at, u32 end, u32 server)
{
	switch (c->proto) {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)                                              \
	case id:                                                                                                       \
		if (!conf.roles[id])                                                                                   \
			return SONDE_PARSE_BAD;                                                                        \
		return server ? prefix##_server(c, at, end) : prefix##_client(c, at, end);
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)                                             \
	SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)
#include "sonde/proto.def"
	default:
		return SONDE_PARSE_BAD;
	}
}

/* A run of messages that only carry data: its length, 0 if there is none. */
static __always_inline int stream_rows(struct conn *c, u32 at, u32 end, u32 server)
{
	switch (c->proto) {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)                                              \
	case id:                                                                                                       \
		return conf.roles[id] ? prefix##_rows(c, at, end, server) : 0;
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)                                             \
	SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)
#include "sonde/proto.def"
	default:
		return 0;
	}
}

/* Whether the protocol's replies are told from their end; and whether this is one. */
static __always_inline bool stream_finds(const struct conn *c)
{
	switch (c->proto) {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)                                              \
	case id:                                                                                                       \
		return prefix##_finds;
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)                                             \
	SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)
#include "sonde/proto.def"
	default:
		return false;
	}
}

static __always_inline bool stream_at_end(const struct conn *c, struct xfer *x)
{
	switch (c->proto) {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)                                              \
	case id:                                                                                                       \
		return prefix##_find(x);
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)                                             \
	SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)
#include "sonde/proto.def"
	default:
		return false;
	}
}

/* One message: describes it and acts on it. Its length, 0 more needed, -1 none, -2 it has more to act on. */
static __always_inline int stream_message(struct conn *c, struct xfer *x, u32 at, u32 end, u32 server)
{
	struct sonde_msg *m = &x->msg;
	int ret;

	if (SONDE_LIKELY(!x->more)) {
		__builtin_memset(m, 0, offsetof(struct sonde_msg, label));
		sonde_label_begin(&m->label);
		x->batch = 0;
		if (server)
			track_expect(c);
		ret = stream_parse(c, at, end, server);
		if (ret == SONDE_PARSE_MORE) {
			x->want = m->size;
			return 0;
		}
		if (ret != SONDE_PARSE_OK)
			return -1;
		if (server) {
			track_server(c, x, m);
			return m->size;
		}
		c->sent += m->size;
		if (m->op == SONDE_OP_NONE)
			return m->size;
	}
	x->more = track_client(c, end);
	return x->more ? -2 : (int)m->size;
}

/* The place in a stream is lost. Before the server's first answer that means: it was never that protocol. */
static __always_inline void stream_lost(struct conn *c, u32 server)
{
	if (!c->aside)
		count(SONDE_CNT_RESYNC);
	if (!(c->be_flags & CONN_ANSWERED)) {
		track_drop(c, 1, SONDE_CNT_LOST_DESYNC);
		track_forget(c);
		return;
	}
	if (server) {
		c->be_flags |= CONN_BE_LOST;
		c->be.skip = 0;
		c->be.carry = 0;
		c->late.op = 0;
		c->st.be_mode = 0;
		c->st.be_left = 0;
		c->st.be_aux = 0;
	} else {
		c->fe_flags |= CONN_FE_LOST;
		c->fe.skip = 0;
		c->fe.carry = 0;
		c->st.fe_mode = 0;
		c->st.fe_left = 0;
		c->st.fe_aux = 0;
	}
}

/** stream_found - the place in the server's stream is known again: the next reply is that to the next statement */
static __always_inline void stream_found(struct conn *c)
{
	track_drop(c, 1, SONDE_CNT_LOST_DESYNC);
	c->be_flags = CONN_ANSWERED;
}

/* Looks at the message at the current position; 0 to go on, 1 at the end. */
static __always_inline int stream_one(struct conn *c, struct xfer *x, u32 server)
{
	u32 at, end;
	int len;

	if (x->pos >= x->total)
		return 1;
	at = x->pos - x->win_off;
	if (at >= x->win_len) { /* also when the position jumped */
		if (window_fill(x->pos)) {
			count(SONDE_CNT_READ_FAULT);
			stream_lost(c, server);
			x->pos = x->total;
			return 1;
		}
		at = 0;
	}
	end = x->win_len;
	len = stream_rows(c, at, end, server);
	if (len > 0) {
		x->pos += len;
		return 0;
	}
	len = stream_message(c, x, at, end, server);
	if (SONDE_UNLIKELY(c->state != CONN_OPEN)) { /* what follows is something else */
		x->pos = x->total;
		return 1;
	}
	if (len > 0) {
		x->pos += len;
		return 0;
	}
	if (len == -2)
		return 0;
	if (len < 0) {
		stream_lost(c, server);
		x->pos = x->total;
		return 1;
	}
	if (x->win_off + x->win_len < x->total && at) /* the window ends in the message: move it there */
		return window_fill(x->pos) ? 1 : 0;
	return 1;
}

/** stream_step - look at the next few messages; 0 to go on, 1 at the end */
__noinline int stream_step(struct conn *c, u32 server)
{
	struct xfer *x = xfer_get();

	if (!c || !x)
		return 1;
	for (u32 i = 0; i < STREAM_PACK; i++)
		if (stream_one(c, x, server))
			return 1;
	return 0;
}

/** stream_run - walk everything that one send or receive transferred, xfer->server is @server (inlined: call frames are scarce, 8 in all) */
static __always_inline void stream_run(struct conn *c, struct xfer *x, u32 server)
{
	struct cursor *cur = server ? &c->be : &c->fe;

	if (SONDE_UNLIKELY(server && c->late.op && c->late.flags & SONDE_MSG_UNTIL_CLOSE))
		return;
	if (cur->skip > x->total || (cur->skip == x->total && !c->late.op)) { /* counted with the message's beginning */
		cur->skip -= x->total;
		return;
	}
	x->pos = cur->skip;
	x->more = 0;
	cur->skip = 0;
	if (SONDE_UNLIKELY(server && x->pos && c->late.op)) {
		track_late_act(c);
		if (x->pos == x->total)
			return;
	}
	if (cur->carry) {
		x->carry = cur->carry;
		x->total += cur->carry;
		cur->carry = 0;
	}
	/* By way of memory: the verifier would walk through all steps for each direction. */
	for (u32 i = 0; i < STREAM_STEPS; i++)
		if (stream_step(c, READ_ONCE(x->server)))
			break;
	if (c->state != CONN_OPEN)
		return;
	server = READ_ONCE(x->server);
	cur = server ? &c->be : &c->fe;
	if (x->pos > x->total) {
		cur->skip = x->pos - x->total;
	} else if (x->pos < x->total) {
		cur->carry = window_keep();
		if (!cur->carry)
			stream_lost(c, server);
	}
}

/** stream_find - with the place in the server's stream lost: the end of a reply at the very end finds it again */
static __always_inline void stream_find(struct conn *c, struct xfer *x)
{
	if (stream_at_end(c, x))
		stream_found(c);
}

#endif /* SONDE_STREAM_BPF_H */
