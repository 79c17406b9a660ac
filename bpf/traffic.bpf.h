/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * traffic.bpf.h - what all socket back ends end in: bytes went over a connection, one way or the other.
 */
#ifndef SONDE_TRAFFIC_BPF_H
#define SONDE_TRAFFIC_BPF_H

#include "filter.bpf.h"
#include "peer.bpf.h"
#include "sonde/tls.h"
#include "stream.bpf.h"
#include "tls_tie.bpf.h"

#define TRIES_EAGER 64 /* pieces of an unknown connection that are all looked at; later one in 16 */
#define DETECT_MORE_BYTES 16 /* that are kept when they are too few to tell */

/* Number of connections seen on this CPU: part of their ids. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} conn_seq SEC(".maps");

/* Ids of the rows that aliases stand beside. */
enum {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix) conn_wire_##prefix = id,
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)
#include "sonde/proto.def"
};

/* The first eight bytes of what was sent or received, before anything is copied; zeros behind a shorter end. */
static __always_inline u64 conn_head(const struct xfer *x)
{
	u64 from = x->buf, head = 0;
	struct iovec v;

	if (!from) {
		if (bpf_probe_read_user(&v, sizeof(v), (void *)x->iov) || v.iov_len < sizeof(head))
			return 0; /* in small pieces: looked at in the window */
		from = (u64)v.iov_base;
	}
	if (x->total - x->carry < sizeof(head))
		bpf_probe_read_user(&head, (x->total - x->carry) & 7, (void *)from);
	else
		bpf_probe_read_user(&head, sizeof(head), (void *)from);
	return head;
}

/* Which protocols' parsers are worth asking: a bit for each. */
static __always_inline u32 conn_plausible(const struct xfer *x, u64 head)
{
	u32 set = 0;

#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)                                              \
	if (conf.roles[id])                                                                                            \
		set |= (prefix##_plausible(head, x->total) & 1) << id;
#include "sonde/proto.def"
	return set;
}

/**
 * conn_detect - ask the parsers in @set what the bytes in the window are: enum sonde_detect, conn.proto
 *
 * Each begins with a clean state; the first that is sure has its way.
 */
__noinline int conn_detect(struct conn *c, u32 set)
{
	struct xfer *x = xfer_get();
	int found, more = SONDE_DETECT_NO;

	if (!c || !x)
		return SONDE_DETECT_NO;
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)                                              \
	if (conf.roles[id] && set & 1u << id) {                                                                        \
		__builtin_memset(&c->st, 0, sizeof(c->st));                                                            \
		found = prefix##_detect(c, x->total, x->win_len);                                                      \
		if (found == SONDE_DETECT_MORE) {                                                                      \
			more = found;                                                                                  \
		} else if (found != SONDE_DETECT_NO) {                                                                 \
			c->proto = id;                                                                                 \
			return found;                                                                                  \
		}                                                                                                      \
	}
#include "sonde/proto.def"
	return more;
}

/* Too short to tell: kept until the next piece of the same direction comes. */
static __always_inline void conn_keep_head(struct conn *c, struct xfer *x, u32 sent)
{
	x->pos = 0;
	x->server = 0;
	c->fe.carry = window_keep();
	c->kept = sent ? 1 : 2;
}

static __always_inline void conn_under_tls(struct conn *c)
{
	c->state = CONN_TLS;
	c->tries[0] = c->tries[1] = 0;
}

/* Which command shows a protocol, from its row in proto.def. */
static __always_inline u32 conn_view(u32 proto)
{
	switch (proto) {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)                                                           \
	case id:                                                                                                       \
		return SONDE_VIEW_##view;
#include "sonde/proto.def"
	}
	return SONDE_VIEW_DB;
}

/** conn_recognise - is this one of ours? Looks at what was just sent or received; fills the connection in */
__noinline int conn_recognise(struct conn *c, u32 sent)
{
	struct xfer *x = xfer_get();
	struct sonde_win *w = window();
	u32 set, role, tries;
	int found;
	u64 head;

	if (!c || !x || !w)
		return 0;
	tries = c->tries[sent & 1];
	c->tries[sent & 1] = tries < 0x8000 ? tries + 1 : TRIES_EAGER;
	if (tries >= TRIES_EAGER && tries & 15)
		return 0;
	x->conn = c->id;
	x->server = 0;
	if (SONDE_UNLIKELY(c->fe.carry)) {
		if (c->kept == (sent ? 1 : 2)) {
			x->carry = c->fe.carry;
			x->total += c->fe.carry;
		}
		c->fe.carry = 0;
	}
	head = x->carry ? 0 : conn_head(x);
	set = head ? conn_plausible(x, head) : ~0u;
	if (!set) {
		if (sonde_tls_record(head))
			conn_under_tls(c);
		return 0;
	}
	if (window_fill(0)) {
		count(SONDE_CNT_READ_FAULT);
		return 0;
	}
	found = conn_detect(c, set);
	if (found == SONDE_DETECT_MORE && x->total <= DETECT_MORE_BYTES)
		conn_keep_head(c, x, sent);
	if (found == SONDE_DETECT_NO && sonde_tls_record(sonde_win_u64(w, 0)))
		conn_under_tls(c);
	if (found != SONDE_DETECT_CLIENT && found != SONDE_DETECT_SERVER)
		return 0;
	role = sent == (found == SONDE_DETECT_CLIENT) ? SONDE_ROLE_CLIENT : SONDE_ROLE_SERVER;
	c->tries[0] = c->tries[1] = 0;
	c->role = role;
	if (!(conf.roles[c->proto & (SONDE_PROTO_MAX - 1)] & role)) {
		c->state = CONN_IGNORED;
		return 0;
	}
	__builtin_memset(&x->peer, 0, sizeof(x->peer));
	peer_address(&x->peer, (struct sock *)x->sk, role);
	c->peer = agg_peer(&x->peer);
	c->state = CONN_OPEN;
	c->scoped = c->tail;
	c->aside = conn_view(c->proto) != conf.view;
	if (!c->aside)
		count(SONDE_CNT_CONNS);
	return 0;
}

/**
 * conn_refind - the place in a stream is lost: does the client begin a message here?
 *
 * If so the client's place is found. The server's is found with it where the protocol has no better sign.
 */
__noinline int conn_refind(struct conn *c)
{
	u32 proto = c ? c->proto : 0, set = 1u << (proto & 31);
	struct xfer *x = xfer_get();
	struct sonde_state st;

	if (!c || !x || window_fill(0))
		return 0;
	st = c->st;
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)                                             \
	if (proto == id)                                                                                               \
		set = 1u << conn_wire_##prefix;
#include "sonde/proto.def"
	if (conn_detect(c, set) == SONDE_DETECT_CLIENT) {
		c->fe_flags &= ~CONN_FE_LOST;
		if (c->be_flags & CONN_BE_LOST && !stream_finds(c))
			stream_found(c);
	}
	c->st.flags = st.flags; /* of the session */
	c->proto = proto;
	return 0;
}

/** conn_ignored - whether what goes over the connection is nothing to look at */
static __always_inline bool conn_ignored(struct conn *c)
{
	if (SONDE_LIKELY(c->state != CONN_IGNORED))
		return false;
	if (!c->tied || c->tied == bpf_get_current_pid_tgid() >> 32)
		return true;
	c->state = CONN_TLS; /* after fork(2): the child has an object of its own at the same address */
	return false;
}

/** conn_init - a connection seen for the first time */
static __always_inline void conn_init(struct conn *c)
{
	u32 zero = 0;
	u64 *seq = bpf_map_lookup_elem(&conn_seq, &zero);

	if (seq)
		c->id = (u64)(bpf_get_smp_processor_id() + 1) << 48 | ++*seq;
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
	c->runtime = RUNTIME_UNKNOWN;
	return 0;
}

/* What has just been looked at, for the units of work that statements belong to. */
static __always_inline void conn_scopes(struct conn *c, u32 server)
{
	u32 label = track_dialect(c->proto) == SONDE_SQL_NONE;

	if (!server) {
		if (SONDE_UNLIKELY(c->scope_flags & SCOPE_STARTUP && !c->aside))
			scope_connected(c);
		if (c->scoped != c->tail)
			scope_sent(c, label);
		else if (c->aside && c->head != c->tail)
			scope_request_goes_on(c);
	} else if (!c->aside) {
		scope_replied(c, label);
	} else if (c->scope_flags & SCOPE_REQUEST_OVER) {
		scope_request_over(c);
	} else if (c->first_ns) {
		scope_response_begins(c);
	}
}

/**
 * conn_bytes - what all back ends end in: xfer->total bytes went over the socket xfer->sk
 * @sent: direction
 */
static __always_inline int conn_bytes(struct conn *c, u32 sent)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct xfer *x = xfer_get();
	u32 server;

	if (!c || !x)
		return 0;
	if (SONDE_UNLIKELY(c->proc.tgid != tgid) && conn_owner(c))
		return 0;
	if (SONDE_UNLIKELY(c->state != CONN_OPEN)) {
		if (c->state == CONN_UNKNOWN)
			conn_recognise(c, sent);
		else if (c->state == CONN_TLS)
			tls_record(c, sent, conn_head(x));
		if (c->state != CONN_OPEN) {
			if (bd_conf.on)
				bd_unread(c, sent);
			return 0;
		}
	}
	if (bd_conf.on)
		bd_used(c, sent, 0);
	server = sent != (c->role == SONDE_ROLE_CLIENT);
	x->conn = c->id;
	x->server = server;
	if (SONDE_UNLIKELY(server && c->be_flags & CONN_BE_LOST)) {
		stream_find(c, x);
		return 0;
	}
	if (SONDE_UNLIKELY(!server && (c->fe_flags & CONN_FE_LOST || c->be_flags & CONN_BE_LOST))) {
		conn_refind(c);
		if (c->fe_flags & CONN_FE_LOST)
			return 0;
	}
	stream_run(c, x, server);
	if (bd_conf.on) {
		bd_used(c, sent, 1);
		bd_over(c);
		bd_requests(c);
	}
	if (conf.scopes)
		conn_scopes(c, READ_ONCE(x->server));
	return 0;
}

/** conn_data - the same as a subprogram of its own */
__noinline int conn_data(struct conn *c, u32 sent)
{
	return conn_bytes(c, sent);
}

/**
 * conn_unread - bytes went by whose buffer cannot be seen (sendfile(2), io_uring)
 *
 * Nothing is lost as long as they belong to the body of a message that has been seen. Returns whether they do.
 */
static __always_inline bool conn_unread(struct conn *c, struct xfer *x, u32 sent)
{
	u32 server = sent != (c->role == SONDE_ROLE_CLIENT);
	struct cursor *cur = server ? &c->be : &c->fe;

	if (c->state != CONN_OPEN)
		return true;
	if (server && c->late.op && c->late.flags & SONDE_MSG_UNTIL_CLOSE)
		return true;
	if (cur->skip >= x->total) {
		cur->skip -= x->total;
		if (server && !cur->skip && c->late.op)
			track_late_act(c);
		return true;
	}
	stream_lost(c, server);
	return false;
}

/** conn_said_all - the end of connection @c's stream has been read, or that it is broken */
static __always_inline void conn_said_all(struct conn *c)
{
	if (c->aside && c->head != c->tail)
		c->said_all = 1;
}

/** conn_closed - end of file or a broken connection: nothing outstanding will complete, but what ends in this way */
static __always_inline void conn_closed(struct conn *c)
{
	struct xfer *x = xfer_get();

	if (bd_conf.on && x) {
		x->now = bpf_ktime_get_ns();
		x->sk = 0;
		bd_used(c, 0, 0);
	}
	if (conf.scopes && c->state == CONN_OPEN && c->head == c->tail)
		scope_conn_closed(c);
	if (c->state != CONN_OPEN || c->head == c->tail || !x)
		return;
	if (c->late.op && c->late.flags & SONDE_MSG_UNTIL_CLOSE) {
		x->now = bpf_ktime_get_ns();
		track_late_act(c);
	}
	track_drop(c, 1, SONDE_CNT_LOST_CLOSED);
	if (bd_conf.on)
		bd_over(c);
	if (conf.scopes)
		scope_conn_closed(c);
}

#endif /* SONDE_TRAFFIC_BPF_H */
