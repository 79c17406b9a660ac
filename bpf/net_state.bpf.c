// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_state.bpf.c - the life of TCP connections, as their state tells: connects, refusals, ends, resets.
 *
 * States change in a process's call or in an interrupt.
 */
#include "net_meet.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The process has ended its direction, or the connection is gone: it is nobody's to use. */
static __always_inline void net_leave(struct sonde_net_stat *row, struct sonde_net_conn *c, u64 now)
{
	if (!(c->flags & SONDE_NET_OPEN))
		return;
	c->flags &= ~SONDE_NET_OPEN;
	__sync_fetch_and_add(&row->closes, 1);
	net_use(row, 0, now);
	__sync_fetch_and_add(&row->open, -1);
}

static __noinline int net_closed(struct sock *sk, struct sonde_net_conn *c, bool aborted)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct sonde_net_tcp at_end = {};
	struct sonde_net_stat *row;
	u64 now = bpf_ktime_get_ns();

	row = c ? net_row(&c->key) : NULL;
	if (!row || !tp)
		return 0;
	if (aborted)
		__sync_fetch_and_add(&row->aborted, 1);
	net_unuse(row, c, now);
	net_leave(row, c, now);
	net_tcp(&at_end, tp);
	net_add_tcp(&row->tcp, &at_end, &c->base);
	net_rtt(row, tp);
	return 0;
}

static __always_inline void net_connected(struct sock *sk, struct sonde_net_conn *c)
{
	struct sonde_net_stat *row;
	u64 now = bpf_ktime_get_ns();

	if (net_conf.connections) /* has a port of its own now */
		c->key.peer = net_peer(sk, SONDE_ROLE_CLIENT);
	row = net_row(&c->key);
	if (!row)
		return;
	if (net_conf.connections)
		__sync_fetch_and_add(&row->attempts, 1);
	net_hist(&row->begin, now - c->start_ns);
	__sync_fetch_and_add(&row->opens, 1);
	net_open(row, now);
	c->flags |= SONDE_NET_OPEN;
}

static __always_inline void net_connecting(struct sock *sk)
{
	u64 thread = bpf_get_current_pid_tgid(), addr = (u64)sk;
	struct sonde_net_key key = {};
	struct sonde_net_call *call;
	struct sonde_net_stat *row;
	struct sonde_net_conn *c;

	if (!net_ours(&key, sk, SONDE_ROLE_CLIENT))
		return;
	call = bpf_map_lookup_elem(&net_calls, &thread);
	if (call && call->sk == addr)
		call->state = SONDE_NET_STARTED;
	row = net_row(&key);
	if (!row)
		return;
	if (!net_conf.connections) /* else told with its end */
		__sync_fetch_and_add(&row->attempts, 1);
	c = bpf_sk_storage_get(&net_conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(SONDE_CNT_LOST_NET_MEMORY);
		return;
	}
	__builtin_memset(c, 0, sizeof(*c)); /* the socket may have been connected before */
	c->key = key;
	c->flags = SONDE_NET_TCP;
	c->start_ns = bpf_ktime_get_ns();
}

/* Without an error in the socket either the process has closed it, or the kernel gives up in the call, which tells. */
static __always_inline void net_refused(struct sock *sk, struct sonde_net_conn *c)
{
	u64 thread = bpf_get_current_pid_tgid(), addr = (u64)sk;
	struct sonde_net_stat *row = net_conf.connections ? net_row(&c->key) : NULL;
	struct sonde_net_call *call;

	if (row)
		__sync_fetch_and_add(&row->attempts, 1);
	if (!sk->sk_err) {
		call = bpf_map_lookup_elem(&net_calls, &thread);
		if (call && call->sk == addr) {
			call->state = SONDE_NET_FAILED;
			return;
		}
	}
	net_fail(&c->key, sk->sk_err);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(net_state, struct sock *sk, int oldstate, int newstate)
{
	struct sonde_net_fresh fresh = {};
	struct sonde_net_stat *row;
	struct sonde_net_conn *c;
	u64 addr = (u64)sk;

	if (!READ_ONCE(active) || sk->sk_protocol != NET_TCP)
		return 0;
	if (newstate == TCP_SYN_SENT) {
		net_connecting(sk);
		return 0;
	}
	if (newstate == TCP_ESTABLISHED && oldstate == TCP_SYN_RECV) {
		fresh.est_ns = bpf_ktime_get_ns();
		bpf_map_update_elem(&net_fresh, &addr, &fresh, BPF_ANY);
		return 0;
	}
	if (newstate != TCP_ESTABLISHED && newstate != TCP_FIN_WAIT1 && newstate != TCP_LAST_ACK &&
	    newstate != TCP_CLOSE)
		return 0;
	c = bpf_sk_storage_get(&net_conns, sk, 0, 0);
	if (!c && oldstate != TCP_LISTEN && newstate != TCP_ESTABLISHED)
		c = net_meet(sk, false);
	if (!c)
		return 0;
	if (newstate == TCP_ESTABLISHED) {
		net_connected(sk, c);
	} else if (newstate == TCP_CLOSE) {
		if (oldstate == TCP_SYN_SENT)
			net_refused(sk, c);
		net_closed(sk, c, oldstate == TCP_ESTABLISHED || oldstate == TCP_CLOSE_WAIT);
		c->flags |= SONDE_NET_CLOSED;
	} else {
		row = net_row(&c->key);
		if (row) {
			net_leave(row, c, bpf_ktime_get_ns());
			if (sk->sk_shutdown & NET_RCV_SHUTDOWN)
				net_unuse(row, c, bpf_ktime_get_ns());
		}
	}
	return 0;
}

/* ---- resets ---- */

static __always_inline struct sonde_net_totals *net_total(void)
{
	u32 zero = 0;

	return READ_ONCE(active) ? bpf_map_lookup_elem(&net_totals, &zero) : NULL;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(net_reset_in, struct sock *sk)
{
	struct sonde_net_totals *totals = net_total();
	struct sonde_net_stat *row;
	struct sonde_net_conn *c;

	if (!totals)
		return 0;
	__sync_fetch_and_add(&totals->reset_in, 1);
	c = bpf_sk_storage_get(&net_conns, sk, 0, 0);
	if (!c || !(c->flags & SONDE_NET_OPEN)) /* a refused connect is told as such */
		return 0;
	row = net_row(&c->key);
	if (row)
		__sync_fetch_and_add(&row->reset_in, 1);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(net_reset_out, struct sock *sk)
{
	struct sonde_net_totals *totals = net_total();
	struct sonde_net_stat *row;
	struct sonde_net_conn *c;

	if (!totals)
		return 0;
	__sync_fetch_and_add(&totals->reset_out, 1);
	if (!sk) /* of no socket: nobody listens */
		return 0;
	c = bpf_sk_storage_get(&net_conns, sk, 0, 0);
	row = c ? net_row(&c->key) : NULL;
	if (row)
		__sync_fetch_and_add(&row->reset_out, 1);
	return 0;
}
