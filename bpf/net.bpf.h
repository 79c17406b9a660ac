/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * net.bpf.h - connections of stream sockets: maps, rows, who is at the other end, what TCP keeps of them.
 */
#ifndef SONDE_NET_BPF_H
#define SONDE_NET_BPF_H

#include <bpf/bpf_endian.h>

#include "agg.bpf.h"
#include "file.bpf.h"
#include "filter.bpf.h"
#include "sonde/net.h"

#define NET_STREAM 1 /* SOCK_STREAM */
#define NET_SEQPACKET 5
#define NET_TCP 6 /* IPPROTO_TCP */
#define NET_RCV_SHUTDOWN 1
#define NET_MSG_PEEK 2
#define NET_EAGAIN 11
#define NET_EINPROGRESS 115

extern const volatile struct sonde_net_config net_conf;

struct map_net_rows_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_net_key);
	__type(value, struct sonde_net_stat);
};
extern struct map_net_rows_def net_rows SEC(".maps");

struct map_net_zero_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_net_stat);
};
extern struct map_net_zero_def net_zero SEC(".maps");

struct map_net_peers_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct sonde_net_peer);
};
extern struct map_net_peers_def net_peers SEC(".maps");

struct map_net_fails_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_net_fail);
	__type(value, u64);
};
extern struct map_net_fails_def net_fails SEC(".maps");

struct map_net_conns_def {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_net_conn);
};
extern struct map_net_conns_def net_conns SEC(".maps");

struct map_net_fresh_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64); /* struct sock */
	__type(value, struct sonde_net_fresh);
};
extern struct map_net_fresh_def net_fresh SEC(".maps");

struct map_net_calls_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64); /* thread */
	__type(value, struct sonde_net_call);
};
extern struct map_net_calls_def net_calls SEC(".maps");

struct map_net_totals_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_net_totals);
};
extern struct map_net_totals_def net_totals SEC(".maps");

/* Kept apart from its callers, which are many. */
static __noinline int net_hist(struct sonde_hist *h, u64 ns)
{
	if (h)
		hist_add(h, ns, sonde_hist_bucket(ns));
	return 0;
}

/* The row of @key, made if it is new; NULL, counted, when there is no room. */
static __always_inline struct sonde_net_stat *net_row(const struct sonde_net_key *key)
{
	struct sonde_net_stat *row = bpf_map_lookup_elem(&net_rows, key), *zero;
	u32 z = 0;

	if (SONDE_LIKELY(row))
		return row;
	zero = bpf_map_lookup_elem(&net_zero, &z);
	if (zero)
		bpf_map_update_elem(&net_rows, key, zero, BPF_NOEXIST);
	row = bpf_map_lookup_elem(&net_rows, key);
	if (!row)
		count(SONDE_CNT_LOST_NET_ROWS);
	return row;
}

/* One request more (+1) or less (-1) under way: what has been until now is added up. */
static __always_inline void net_use(struct sonde_net_stat *row, s64 change, u64 now)
{
	u64 level = __sync_fetch_and_add(&row->use, change), since = __sync_lock_test_and_set(&row->use_at_ns, now),
	    open;

	if (!since || now <= since || level >= 1ULL << 62) /* first, or processors out of step */
		return;
	open = READ_ONCE(row->open);
	if (open && level >= open)
		__sync_fetch_and_add(&row->full_ns, now - since);
	if (level >= SONDE_NET_LEVELS)
		level = SONDE_NET_LEVELS - 1;
	__sync_fetch_and_add(&row->level_ns[level], now - since);
}

/* Numbers of connections: a change of them bears on the time that all are in use. */
static __always_inline void net_open(struct sonde_net_stat *row, u64 now)
{
	u64 open = __sync_fetch_and_add(&row->open, 1) + 1;

	net_use(row, 0, now);
	if (open > READ_ONCE(row->open_max))
		WRITE_ONCE(row->open_max, open);
}

static __always_inline void net_fail(const struct sonde_net_key *key, u32 error)
{
	struct sonde_net_fail fail = { .row = *key, .error = error };
	u64 *n = bpf_map_lookup_elem(&net_fails, &fail), one = 1;

	if (!n) {
		if (!bpf_map_update_elem(&net_fails, &fail, &one, BPF_NOEXIST))
			return;
		n = bpf_map_lookup_elem(&net_fails, &fail); /* another processor was first, or there is no room */
	}
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		count(SONDE_CNT_NET_FULL);
}

static __always_inline u64 net_peer_id(const struct sonde_net_peer *peer)
{
	const u64 *word = (const void *)peer;
	u64 id = SONDE_FNV_BASIS;

	for (u32 i = 0; i < sizeof(*peer) / 8; i++)
		/* Its maker zeroed all of it. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		id = sonde_mix64(id ^ word[i]);
	if (!bpf_map_lookup_elem(&net_peers, &id) && bpf_map_update_elem(&net_peers, &id, peer, BPF_ANY))
		count(SONDE_CNT_NET_FULL);
	return id;
}

static __always_inline void net_unix_path(char *path, struct unix_address *addr)
{
	char *name = (char *)addr + bpf_core_field_offset(struct unix_address, name) +
		     offsetof(struct sockaddr_un, sun_path);

	if (!addr)
		return;
	bpf_probe_read_kernel_str(path, 108, name);
	if (!path[0] && BPF_CORE_READ(addr, len) > (int)offsetof(struct sockaddr_un, sun_path)) {
		path[0] = '@';
		bpf_probe_read_kernel_str(path + 1, 107, name + 1);
	}
}

static __always_inline u64 net_inode(struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	struct socket_alloc *alloc = (void *)socket - bpf_core_field_offset(struct socket_alloc, socket);

	return socket ? BPF_CORE_READ(alloc, vfs_inode.i_ino) : 0;
}

/* IPv4 through an IPv6 socket is IPv4. */
static __always_inline void net_unmap(struct sonde_net_peer *peer)
{
	const u32 *word = (const u32 *)peer->addr, *other = (const u32 *)peer->other;
	bool mapped = !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);

	if (mapped) {
		peer->family = SONDE_AF_INET;
		__builtin_memcpy(peer->addr, peer->addr + 12, 4);
		__builtin_memset(peer->addr + 4, 0, 12);
		if (!other[0] && !other[1] && other[2] == bpf_htonl(0xffff)) {
			__builtin_memcpy(peer->other, peer->other + 12, 4);
			__builtin_memset(peer->other + 4, 0, 12);
		}
	}
}

static __always_inline void net_peer_inet(struct sonde_net_peer *peer, struct sock *sk, u32 role)
{
	u16 local = BPF_CORE_READ(sk, __sk_common.skc_num),
	    remote = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	bool v4 = peer->family == SONDE_AF_INET, client = role == SONDE_ROLE_CLIENT;
	/* A listener has nobody at the other end; of a client that end is known: itself. */
	bool other = role == SONDE_ROLE_SERVER || (client && net_conf.connections);
	u8 *far = client ? peer->addr : peer->other, *near = client ? peer->other : peer->addr;

	peer->port = client ? remote : local;
	if (net_conf.connections && role != SONDE_NET_LISTENER)
		peer->other_port = client ? local : remote;
	if (v4) {
		if (client || other)
			bpf_core_read(far, 4, &sk->__sk_common.skc_daddr);
		if (!client || other)
			bpf_core_read(near, 4, &sk->__sk_common.skc_rcv_saddr);
		return;
	}
	if (client || other)
		bpf_core_read(far, 16, &sk->__sk_common.skc_v6_daddr);
	if (!client || other)
		bpf_core_read(near, 16, &sk->__sk_common.skc_v6_rcv_saddr);
	net_unmap(peer);
}

/* Id of the addresses of @sk, which are remembered. */
static __noinline u64 net_peer(struct sock *sk, u32 role)
{
	struct sonde_net_peer peer = {};
	struct unix_sock *u = (void *)sk;

	peer.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (peer.family != SONDE_AF_UNIX) {
		net_peer_inet(&peer, sk, role);
		return net_peer_id(&peer);
	}
	if (net_conf.connections && role != SONDE_NET_LISTENER)
		peer.inode = net_inode(sk);
	if (role == SONDE_ROLE_CLIENT)
		u = (void *)BPF_CORE_READ(u, peer);
	if (u)
		net_unix_path(peer.path, BPF_CORE_READ(u, addr));
	return net_peer_id(&peer);
}

static __always_inline void net_key(struct sonde_net_key *key, struct sock *sk, u32 role)
{
	key->role = role;
	key->peer = net_peer(sk, role);
	task_proc(&key->proc);
	agg_proc(&key->proc);
}

/* What TCP has counted, of a socket that lives. The clocks of what holds it up run in jiffies. */
static __always_inline void net_tcp(struct sonde_net_tcp *out, struct tcp_sock *tp)
{
	/* Every size of the field is read. NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
	u32 type = BPF_CORE_READ_BITFIELD(tp, chrono_type), since = (u32)bpf_jiffies64() - tp->chrono_start;

	out->segs_out = tp->data_segs_out;
	out->retrans = tp->total_retrans;
	out->bytes_retrans = tp->bytes_retrans;
	out->bytes_acked = tp->bytes_acked;
	out->bytes_received = tp->bytes_received;
	out->busy = tp->chrono_stat[0] + (type == 1 ? since : 0);
	out->rwnd = tp->chrono_stat[1] + (type == 2 ? since : 0);
	out->sndbuf = tp->chrono_stat[2] + (type == 3 ? since : 0);
	/* The kernel counts one at a time: who is held up is busy, too. */
	out->busy += out->rwnd + out->sndbuf;
}

static __always_inline void net_rtt(struct sonde_net_stat *row, struct tcp_sock *tp)
{
	u32 srtt = tp->srtt_us >> 3;

	if (!srtt)
		return;
	__sync_fetch_and_add(&row->rttvar_us, tp->mdev_us >> 2);
	net_hist(&row->rtt, (u64)srtt * 1000);
}

static __always_inline void net_add_tcp(struct sonde_net_tcp *to, const struct sonde_net_tcp *now,
					const struct sonde_net_tcp *base)
{
	__sync_fetch_and_add(&to->segs_out, now->segs_out - base->segs_out);
	__sync_fetch_and_add(&to->retrans, now->retrans - base->retrans);
	__sync_fetch_and_add(&to->bytes_retrans, now->bytes_retrans - base->bytes_retrans);
	__sync_fetch_and_add(&to->bytes_acked, now->bytes_acked - base->bytes_acked);
	__sync_fetch_and_add(&to->bytes_received, now->bytes_received - base->bytes_received);
	__sync_fetch_and_add(&to->busy, now->busy - base->busy);
	__sync_fetch_and_add(&to->rwnd, now->rwnd - base->rwnd);
	__sync_fetch_and_add(&to->sndbuf, now->sndbuf - base->sndbuf);
}

/* Nobody waits for an answer any more. */
static __always_inline void net_unuse(struct sonde_net_stat *row, struct sonde_net_conn *c, u64 now)
{
	if (!(c->flags & SONDE_NET_ASKED))
		return;
	c->flags &= ~SONDE_NET_ASKED;
	net_use(row, -1, now);
}

#endif /* SONDE_NET_BPF_H */
