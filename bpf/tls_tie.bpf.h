/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_tie.bpf.h - the socket's side of TLS: which TLS object an encrypted connection belongs to. Included once.
 *
 * Most TLS libraries call the socket themselves: then the thread is inside a read or write of the object. Others leave the
 * records in a buffer that the program sends (node, Python's asyncio): then the send that follows on the same thread is
 * the object's if its first record is as long as the plaintext written to it makes it.
 */
#ifndef SONDE_TLS_TIE_BPF_H
#define SONDE_TLS_TIE_BPF_H

#include "peer.bpf.h"
#include "tls.bpf.h"
#include "track.bpf.h"
#include "window.bpf.h"

#define TLS_RECORDS 8 /* of one send that are looked at */
#define TLS_UNREAD_SENDS 3 /* sends behind the handshake with no TLS call: nobody shows the plaintext */

/* Ids of the rows that aliases stand beside. */
enum {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix) tls_wire_##prefix = id,
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)
#include "sonde/proto.def"
};

/* The server's address, for a connection that was recognised before its socket was known. */
static __always_inline void tls_address(struct tls_conn *tc, struct xfer *x)
{
	struct sonde_peer *peer;
	u64 id;

	if (tc->c.state != CONN_OPEN)
		return;
	id = tc->c.peer;
	peer = bpf_map_lookup_elem(&peers, &id);
	if (!peer || peer->family)
		return;
	bpf_probe_read_kernel(&x->peer, sizeof(x->peer), peer);
	peer_address(&x->peer, (struct sock *)tc->head.sk, tc->c.role);
	tc->c.peer = agg_peer(&x->peer);
}

/* An alias was told before TLS began; the plaintext was recognised as what it is an alias of. */
static __always_inline void tls_flavour(struct tls_conn *tc)
{
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)                                             \
	if (tc->flavour == id && tc->c.state == CONN_OPEN && tc->c.proto == tls_wire_##prefix)                         \
		tc->c.proto = id;
#include "sonde/proto.def"
}

/*
 * After fork(2) the child uses the connection: of its parent's object, at the same address, it knows protocol, user and
 * database and the statements prepared. Not while an answer is outstanding, which only one of the two will read.
 */
static __always_inline void tls_inherit(struct conn *c, const struct sonde_tls_key *key)
{
	struct sonde_tls_key parent = { .ptr = key->ptr, .tgid = c->tied };
	struct tls_conn *tc;

	if (!c->tied || c->tied == key->tgid)
		return;
	tc = bpf_map_lookup_elem(&tls_conns, &parent);
	if (tc && tc->head.sock == c->id && tc->c.head == tc->c.tail)
		bpf_map_update_elem(&tls_conns, key, tc, BPF_NOEXIST);
}

/** tls_tie - the TLS object @obj of the current process uses the socket xfer->sk, whose connection is @c */
__noinline int tls_tie(struct conn *c, u64 obj)
{
	struct sonde_tls_key key = { .ptr = obj, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct xfer *x = xfer_get();
	struct tls_conn *tc;

	if (!c || !x)
		return 0;
	tls_inherit(c, &key);
	tc = tls_conn_make(&key);
	if (!tc)
		return 0;
	if (tc->head.sock && tc->head.sock != c->id) { /* the object is used again, for another connection */
		if (tc->c.state == CONN_OPEN && tc->c.head != tc->c.tail)
			track_drop(&tc->c, 1, SONDE_CNT_LOST_CLOSED);
		bpf_map_delete_elem(&tls_conns, &key);
		tc = tls_conn_make(&key);
		if (!tc)
			return 0;
	}
	tc->head.sk = x->sk;
	tc->head.sock = c->id;
	tc->presumed = 0;
	tc->flavour = c->proto;
	tls_address(tc, x);
	tls_flavour(tc);
	c->state = CONN_IGNORED; /* from here on the object speaks for it */
	c->tied = key.tgid;
	return 0;
}

/*
 * Whether the records that are just sent hold one as long as @plain bytes of plaintext make it: the object's own. The end of
 * a handshake may stand before it in the same send.
 */
static __always_inline bool tls_holds(u32 plain)
{
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	u32 at = 0, len;

	if (!w || !x || window_fill(0))
		return false;
	if (plain > TLS_PLAIN_MAX)
		plain = TLS_PLAIN_MAX;
	for (u32 i = 0; i < TLS_RECORDS; i++) {
		u64 head = sonde_win_u64(w, at);

		if (at + SONDE_TLS_HEADER > x->win_len || !sonde_tls_record(head))
			break;
		len = (head >> 24 & 0xff) << 8 | (head >> 32 & 0xff);
		if (sonde_tls_is_data(head) && tls_fits(len, plain))
			return true;
		at += SONDE_TLS_HEADER + len;
	}
	return false;
}

/*
 * Received by the program itself: the plaintext that the thread reads next from an object without a socket tells by its
 * length whether it came in here.
 */
static __always_inline void tls_got(struct conn *c, u64 thread)
{
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	struct tls_thread *t;
	u32 at = 0, len, n = 0;

	t = tls_thread_make(thread);
	if (!t || !w || !x)
		return;
	t->got_sk = 0;
	if (window_fill(0))
		return;
	for (u32 i = 0; i < TLS_RECORDS; i++) {
		u64 head = sonde_win_u64(w, at);

		if (n >= TLS_GOT || at + SONDE_TLS_HEADER > x->win_len || !sonde_tls_record(head))
			break;
		len = (head >> 24 & 0xff) << 8 | (head >> 32 & 0xff);
		if (sonde_tls_is_data(head))
			t->got_len[n++ & (TLS_GOT - 1)] = len;
		at += SONDE_TLS_HEADER + len;
	}
	if (n < TLS_GOT)
		t->got_len[n & (TLS_GOT - 1)] = 0;
	t->got_sk = n ? x->sk : 0;
	t->got_sock = c->id;
}

/**
 * tls_record - the socket of an encrypted connection was used: find its TLS object
 * @head: first eight bytes of what was sent or received
 */
__noinline int tls_record(struct conn *c, u32 sent, u64 head)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct tls_thread *t = NULL;
	u32 tries;

	if (!c)
		return 0;
	tries = c->tries[1];
	if (tls_guard != SONDE_TLS_OFF)
		t = bpf_map_lookup_elem(&tls_threads, &thread);
	if (t && t->depth)
		return tls_tie(c, t->call[(t->depth - 1) & (TLS_FRAMES - 1)].obj);
	if (!sent) {
		if (tls_guard != SONDE_TLS_OFF)
			tls_got(c, thread);
		return 0;
	}
	if (t && t->wrote && sonde_tls_record(head) && tls_holds(t->wrote_len)) {
		tls_tie(c, t->wrote);
		t->wrote = 0;
		return 0;
	}
	if (sonde_tls_record(head) && !sonde_tls_is_data(head)) /* a handshake's */
		return 0;
	if (tries < TLS_UNREAD_SENDS) {
		c->tries[1] = tries + 1;
		if (tries + 1 == TLS_UNREAD_SENDS)
			count(SONDE_CNT_UNREADABLE_TLS);
	}
	return 0;
}

#endif /* SONDE_TLS_TIE_BPF_H */
