/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * socket.bpf.h - what the back ends for sockets share: the connection of a socket, in its storage or in a hash, and what
 * is done when bytes have gone over one in storage. Included by socket.bpf.c and what that includes.
 */
#ifndef SONDE_SOCKET_BPF_H
#define SONDE_SOCKET_BPF_H

#include "traffic.bpf.h"
#include "locate.bpf.h"
#include "turn.bpf.h"
#include "tls_plain.bpf.h"

#define EAGAIN 11
#define EINTR 4
#define ERESTARTSYS 512
#define MSG_PEEK 2
#define SOCK_STREAM 1
#define RCV_SHUTDOWN 1 /* sock.sk_shutdown: receives nothing more */

static __always_inline struct conn *sk_conn(struct sock *sk, bool sent)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, 0);
	u32 family, zero = 0;
	struct conn *init;

	if (SONDE_LIKELY(c))
		return c;
	if (filter_rejected())
		return NULL;
	family = sk->__sk_common.skc_family;
	if (family != SONDE_AF_INET && family != SONDE_AF_INET6 && family != SONDE_AF_UNIX)
		return NULL;
	if (sk->sk_type != SOCK_STREAM)
		return NULL;
	if (!filter_pass()) {
		filter_reject();
		return NULL;
	}
	init = bpf_map_lookup_elem(&zero_conn, &zero);
	if (!init)
		return NULL;
	c = bpf_sk_storage_get(&conns, sk, init, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(SONDE_CNT_CONN_FULL);
		return NULL;
	}
	conn_init(c);
	return c;
}

static __always_inline int sk_event(struct sock *sk, int ret, bool sent)
{
	struct conn *c;
	struct xfer *x;
	u32 reason;

	if (ret <= 0) {
		if (ret == -EINTR || ret == -ERESTARTSYS)
			return 0;
		c = bpf_sk_storage_get(&conns, sk, 0, 0);
		if (c && !sent)
			conn_said_all(c);
		/* A client that has said all may still wait for the answer: its close tells the end. */
		if (c && !ret && c->role == SONDE_ROLE_SERVER && sk->__sk_common.skc_family != SONDE_AF_UNIX)
			return 0;
		if (c && !(sent && !ret))
			conn_closed(c);
		return 0;
	}
	c = sk_conn(sk, sent);
	if (bd_conf.on && (!c || c->state == CONN_IGNORED))
		bd_unread(c, sent);
	if (!c || conn_ignored(c))
		return 0;
	if (tls_in_the_way()) {
		count(SONDE_CNT_TLS_BUSY);
		if (c->state == CONN_OPEN)
			stream_lost(c, sent != (c->role == SONDE_ROLE_CLIENT));
		return 0;
	}
	x = xfer_get();
	if (!x)
		return 0;
	call_get(&x->call, (void *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	x->now = bpf_ktime_get_ns();
	x->sk = (u64)sk;
	reason = xfer_locate(c, ret);
	if (reason) {
		if (!conn_unread(c, x, sent))
			count(reason);
		return 0;
	}
	conn_data(c, sent);
	return 0;
}

static __always_inline struct conn *hash_conn(struct sock_key *key, bool sent)
{
	struct conn *c = bpf_map_lookup_elem(&conn_hash, key), *init;
	struct sock *sk = (void *)key->sk;
	u32 family, zero = 0;

	if (c)
		return c;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != SONDE_AF_INET && family != SONDE_AF_INET6 && family != SONDE_AF_UNIX)
		return NULL;
	init = bpf_map_lookup_elem(&zero_conn, &zero);
	if (!init || bpf_map_update_elem(&conn_hash, key, init, BPF_NOEXIST)) {
		count(SONDE_CNT_CONN_FULL);
		return NULL;
	}
	c = bpf_map_lookup_elem(&conn_hash, key);
	if (c)
		conn_init(c);
	return c;
}

#endif /* SONDE_SOCKET_BPF_H */
