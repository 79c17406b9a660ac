/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * traffic.bpf.h - what all socket back ends end in: bytes went over a connection, one way or the other.
 */
#ifndef SONDE_TRAFFIC_BPF_H
#define SONDE_TRAFFIC_BPF_H

#include "filter.bpf.h"
#include "peer.bpf.h"
#include "stream.bpf.h"

#define TRIES_EAGER 64 /* sends of an unknown connection that are all looked at; later one in 16 */

/* Number of connections seen on this CPU: part of their ids. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} conn_seq SEC(".maps");

/* A look at the first bytes, before anything is copied: can a PostgreSQL client's message begin like this? */
static __always_inline bool conn_plausible(const struct xfer *x)
{
	u8 head[5];

	if (!x->buf) /* in pieces: looked at in the window */
		return true;
	if (x->total < sizeof(head) || bpf_probe_read_user(head, sizeof(head), (void *)x->buf))
		return false;
	return !head[0] ? !head[1] && !head[2]
			: sonde_pg_is_frontend(head[0]) && sonde_be32(head + 1) < SONDE_PG_MAX_MESSAGE;
}

/** conn_recognise - is this one of ours? Looks at what was just sent; fills the connection in */
__noinline int conn_recognise(struct conn *c, u32 role)
{
	struct xfer *x = xfer_get();
	int found;

	if (!c || !x)
		return 0;
	if (c->tries++ >= TRIES_EAGER && c->tries & 15 && !(c->fe_flags & CONN_FE_LOST))
		return 0;
	if (!conn_plausible(x))
		return 0;
	if (window_fill(0)) {
		count(SONDE_CNT_READ_FAULT);
		return 0;
	}
	found = pg_detect(x->total, x->win_len);
	if (found == SONDE_DETECT_NO)
		return 0;
	c->tries = 0;
	if (c->fe_flags & CONN_FE_LOST) { /* known already, only the place was lost */
		c->fe_flags &= ~CONN_FE_LOST;
		c->fe.skip = 0;
		c->fe.carry = 0;
		return 0;
	}
	c->proto = SONDE_PROTO_POSTGRESQL;
	c->role = role;
	if (found == SONDE_DETECT_OTHER || !(conf.roles & role)) {
		c->state = CONN_IGNORED;
		return 0;
	}
	if (found == SONDE_DETECT_TLS) {
		c->state = CONN_ASKED_TLS;
		return 0;
	}
	__builtin_memset(&x->peer, 0, sizeof(x->peer));
	peer_address(&x->peer, (struct sock *)x->sk, role);
	if (found == SONDE_DETECT_STARTUP) {
		pg_startup(x->total, &x->peer);
		c->fe.skip = x->total; /* this message is not like the others */
	}
	c->peer = agg_peer(&x->peer);
	c->state = CONN_OPEN;
	count(SONDE_CNT_CONNS);
	return 0;
}

/** conn_init - a connection seen for the first time */
static __always_inline void conn_init(struct conn *c)
{
	u32 zero = 0;
	u64 *seq = bpf_map_lookup_elem(&conn_seq, &zero);

	if (seq)
		c->id = (u64)(bpf_get_smp_processor_id() + 1) << 48 | ++*seq;
}

/* Answer to a TLS request: one byte. Yes: nothing to read from here on. No: the startup message follows in clear. */
static __always_inline void conn_tls_answer(struct conn *c, struct xfer *x)
{
	struct sonde_win *w = window();

	if (!w || window_fill(0))
		return;
	if (x->total == 1 && (sonde_win_u8(w, 0) == 'S' || sonde_win_u8(w, 0) == 'G')) {
		c->state = CONN_IGNORED;
		count(SONDE_CNT_UNREADABLE_TLS);
		return;
	}
	c->state = CONN_UNKNOWN;
}

/** conn_owner - another process uses the connection, because it is new or was handed over; -1 if it is not traced */
__noinline int conn_owner(struct conn *c)
{
	struct sonde_proc proc;

	if (!c || !filter_pass())
		return -1;
	task_proc(&proc);
	agg_proc(&proc);
	c->proc = proc;
	return 0;
}

/**
 * conn_data - what both back ends end in: xfer->total bytes went over the socket xfer->sk
 * @sent: direction
 */
__noinline int conn_data(struct conn *c, u32 sent)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct xfer *x = xfer_get();
	u32 server;

	if (!c || !x)
		return 0;
	if (SONDE_UNLIKELY(c->proc.tgid != tgid) && conn_owner(c))
		return 0;
	if (SONDE_UNLIKELY(c->state != CONN_OPEN)) {
		if (c->state == CONN_IGNORED)
			return 0;
		if (c->state == CONN_ASKED_TLS) {
			if (sent != (c->role == SONDE_ROLE_CLIENT)) {
				conn_tls_answer(c, x);
				return 0;
			}
			c->state = CONN_UNKNOWN; /* the client went on without waiting */
		}
		conn_recognise(c, sent ? SONDE_ROLE_CLIENT : SONDE_ROLE_SERVER);
		if (c->state != CONN_OPEN)
			return 0;
	}
	server = sent != (c->role == SONDE_ROLE_CLIENT);
	x->conn = c->id;
	x->server = server;
	if (SONDE_UNLIKELY(server && c->be_flags & CONN_BE_LOST)) {
		stream_find(c, x);
		return 0;
	}
	if (SONDE_UNLIKELY(!server && c->fe_flags & CONN_FE_LOST)) {
		conn_recognise(c, c->role);
		if (c->fe_flags & CONN_FE_LOST)
			return 0;
	}
	stream_run(c, x, server);
	return 0;
}

/** conn_closed - end of file or a broken connection: nothing outstanding will complete */
static __always_inline void conn_closed(struct conn *c)
{
	if (c->state == CONN_OPEN && c->head != c->tail)
		track_drop(c, 1, SONDE_CNT_LOST_CLOSED);
}

/* The place in a stream of which bytes went by unseen. */
static __always_inline void conn_missed(struct conn *c, bool sent)
{
	if (c->state == CONN_OPEN)
		stream_lost(c, sent != (c->role == SONDE_ROLE_CLIENT));
}

#endif /* SONDE_TRAFFIC_BPF_H */
