/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * net_meet.bpf.h - how a connection becomes known: by the first event on its socket that a traced process is seen to have a part in.
 */
#ifndef SONDE_NET_MEET_BPF_H
#define SONDE_NET_MEET_BPF_H

#include "net.bpf.h"

/*
 * Which end of a connection that existed before the run. Of unix sockets the listening end has a name. Of TCP, the kernel marks ports
 * that it chose itself for a connect (__inet_hash_connect(): fastreuse is -1); an accepted connection has its listener's.
 */
static __always_inline u32 net_guess_role(struct sock *sk)
{
	struct inet_connection_sock *icsk = (void *)sk;
	struct unix_sock *u = (void *)sk;
	struct inet_bind_bucket *bucket;

	if (sk->__sk_common.skc_family == SONDE_AF_UNIX)
		return BPF_CORE_READ(u, addr) ? SONDE_ROLE_SERVER : SONDE_ROLE_CLIENT;
	bucket = BPF_CORE_READ(icsk, icsk_bind_hash);
	return bucket && BPF_CORE_READ(bucket, fastreuse) >= 0 ? SONDE_ROLE_SERVER : SONDE_ROLE_CLIENT;
}

/* Whether it is the current process's to be traced; @key filled in then. */
static __always_inline bool net_ours(struct sonde_net_key *key, struct sock *sk, u32 role)
{
	if (filter_rejected())
		return false;
	if (!filter_pass()) {
		filter_reject();
		return false;
	}
	net_key(key, sk, role);
	return true;
}

/*
 * The first event on a socket that a process made known, or that existed before; @call: in a call of its process. NULL: not
 * traced, or no memory.
 */
static __noinline struct sonde_net_conn *net_meet(struct sock *sk, bool call)
{
	struct sonde_net_key key = {};
	struct sonde_net_fresh *fresh;
	struct sonde_net_stat *row;
	struct sonde_net_conn *c;
	u64 addr = (u64)sk, ready = 0;
	struct tcp_sock *tp;
	bool existed, owned;

	fresh = bpf_map_lookup_elem(&net_fresh, &addr);
	/* An address is used again: the file tells whether it is still the same socket. */
	owned = fresh && fresh->key.proc.tgid && fresh->inode == net_inode(sk);
	existed = !fresh || (fresh->key.proc.tgid && !owned);
	if (owned)
		key = fresh->key;
	else if (!call || !net_ours(&key, sk, existed ? net_guess_role(sk) : SONDE_ROLE_SERVER))
		return NULL;
	if (!existed) {
		ready = fresh->ready_ns;
		bpf_map_delete_elem(&net_fresh, &addr);
	}
	c = bpf_sk_storage_get(&net_conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(SONDE_CNT_LOST_NET_MEMORY);
		return NULL;
	}
	c->key = key;
	c->ready_ns = ready;
	c->flags = SONDE_NET_OPEN | (existed ? SONDE_NET_EXISTED : 0);
	tp = sk->__sk_common.skc_family == SONDE_AF_UNIX ? NULL : bpf_skc_to_tcp_sock(sk);
	if (tp) {
		c->flags |= SONDE_NET_TCP;
		if (existed)
			net_tcp(&c->base, tp);
	}
	row = owned ? NULL : net_row(&key);
	if (row) { /* owned ones were counted when they came */
		__sync_fetch_and_add(existed ? &row->existed : &row->opens, 1);
		net_open(row, bpf_ktime_get_ns());
	}
	return c;
}

#endif /* SONDE_NET_MEET_BPF_H */
