/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream.bpf.h - walks the messages of one send or receive, keeping the place from one to the next.
 */
#ifndef SONDE_STREAM_BPF_H
#define SONDE_STREAM_BPF_H

#include "proto/postgresql.bpf.h"

#define STREAM_STEPS 512 /* times STREAM_PACK messages, or runs of row messages, of one send or receive */
#define STREAM_PACK 16
#define PG_READY_BYTES 6 /* ReadyForQuery on the wire */

/* One message of the connection's protocol: its length, 0 more needed, -1 none. */
static __always_inline int stream_message(struct conn *c, u32 at, u32 end, u32 server)
{
	switch (c->proto) {
	case SONDE_PROTO_POSTGRESQL:
		return pg_message(c, at, end, server);
	default:
		return -1;
	}
}

/* A run of messages that only carry data: its length, 0 if there is none. */
static __always_inline int stream_rows(struct conn *c, u32 at, u32 end, u32 server)
{
	struct sonde_win *w = window();

	switch (c->proto) {
	case SONDE_PROTO_POSTGRESQL:
		return w && sonde_pg_is_bulk(sonde_win_u8(w, at), server) ? pg_rows(c, at, end, server) : 0;
	default:
		return 0;
	}
}

static __always_inline void stream_lost(struct conn *c, u32 server)
{
	if (server)
		c->be_flags |= CONN_BE_LOST;
	else
		c->fe_flags |= CONN_FE_LOST;
	count(SONDE_CNT_RESYNC);
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
	len = stream_message(c, at, end, server);
	if (len > 0) {
		x->pos += len;
		return 0;
	}
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

/** stream_run - walk everything that one send or receive transferred (inlined: call frames are scarce, 8 in all) */
static __always_inline void stream_run(struct conn *c, struct xfer *x, u32 server)
{
	struct cursor *cur = server ? &c->be : &c->fe;

	if (cur->skip >= x->total) { /* counted with the message's beginning */
		cur->skip -= x->total;
		return;
	}
	x->pos = cur->skip;
	cur->skip = 0;
	if (cur->carry) {
		x->carry = cur->carry;
		x->total += cur->carry;
		cur->carry = 0;
	}
	for (u32 i = 0; i < STREAM_STEPS; i++)
		if (stream_step(c, server))
			break;
	if (x->pos > x->total) {
		cur->skip = x->pos - x->total;
	} else if (x->pos < x->total) {
		cur->carry = window_keep(x);
		if (!cur->carry)
			stream_lost(c, server);
	}
}

/** stream_find - with the place in the server's stream lost: an end-of-batch reply at the very end finds it again */
static __always_inline void stream_find(struct conn *c, struct xfer *x)
{
	struct sonde_win *w = window();

	if (!w || x->total < PG_READY_BYTES || window_fill(x->total - PG_READY_BYTES))
		return;
	if (c->proto != SONDE_PROTO_POSTGRESQL || sonde_win_u8(w, 0) != 'Z' || sonde_win_be32(w, 1) != 5)
		return;
	track_drop(c, 1, SONDE_CNT_LOST_DESYNC);
	c->be_flags = 0;
	c->be.skip = 0;
	c->be.carry = 0;
}

#endif /* SONDE_STREAM_BPF_H */
