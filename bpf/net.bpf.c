// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.bpf.c - times what happens on the connections of traced processes: sends, receives, what waits in sockets.
 *
 * A connection's state hangs on its socket. What hooks in interrupts see concerns sockets that a process's own call has made
 * known; in between, a connection that nobody has accepted yet stands in a table by its socket's address. How connections are
 * made and accepted is in net_conn.bpf.c.
 */
#include "arch.bpf.h"
#include "net_meet.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define NET_RTT_NS 1000000 /* between two looks at the round-trip time */

const volatile struct sonde_net_config net_conf = {};

struct map_net_rows_def net_rows SEC(".maps");
struct map_net_zero_def net_zero SEC(".maps");
struct map_net_peers_def net_peers SEC(".maps");
struct map_net_fails_def net_fails SEC(".maps");
struct map_net_conns_def net_conns SEC(".maps");
struct map_net_fresh_def net_fresh SEC(".maps");
struct map_net_calls_def net_calls SEC(".maps");
struct map_net_totals_def net_totals SEC(".maps");

/* ---- sends and receives ---- */

/* A piece of a request. */
static __always_inline void net_ask(struct sonde_net_stat *row, struct sonde_net_conn *c, u64 now)
{
	if (!(c->flags & SONDE_NET_ASKED)) {
		c->begin_ns = now;
		c->flags = (c->flags | SONDE_NET_ASKED) & ~SONDE_NET_ANSWERED;
		__sync_fetch_and_add(&row->requests, 1);
		net_use(row, 1, now);
	}
	c->asked_ns = now;
}

/*
 * The turn has taken until @now: so it is told at once, and told anew with each further piece of the answer. Whether there will be
 * one nobody knows, and no hook tells of a unix socket's end.
 */
static __noinline int net_turn(struct sonde_net_stat *row, struct sonde_net_conn *c, u64 now)
{
	u32 was, is;

	if (!row || !c)
		return 0;
	if (!(c->flags & SONDE_NET_ANSWERED)) {
		c->flags |= SONDE_NET_ANSWERED;
		net_hist(&row->turn, now - c->begin_ns);
		return 0;
	}
	was = sonde_hist_bucket(c->answered_ns - c->begin_ns);
	is = sonde_hist_bucket(now - c->begin_ns);
	__sync_fetch_and_add(&row->turn.sum_ns, now - c->answered_ns);
	if (now - c->begin_ns > READ_ONCE(row->turn.max_ns))
		WRITE_ONCE(row->turn.max_ns, now - c->begin_ns);
	if (was != is && was < SONDE_HIST_BUCKETS && is < SONDE_HIST_BUCKETS) {
		__sync_fetch_and_add(&row->turn.bucket[is], 1);
		__sync_fetch_and_add(&row->turn.bucket[was], -1);
	}
	return 0;
}

/* A piece of an answer that was there at @came. Data that no request is known for is none. */
static __always_inline void net_answer(struct sonde_net_stat *row, struct sonde_net_conn *c, struct tcp_sock *tp,
				       u64 now, u64 came)
{
	if (c->flags & SONDE_NET_ASKED) {
		net_hist(&row->first, (came > c->asked_ns ? came : now) - c->asked_ns);
		net_unuse(row, c, now);
		net_turn(row, c, now);
		if (tp && now - c->rtt_ns >= NET_RTT_NS) {
			c->rtt_ns = now;
			net_rtt(row, tp);
		}
	} else if (c->flags & SONDE_NET_ANSWERED) {
		net_turn(row, c, now);
	}
	c->answered_ns = now;
}

/* Whether bytes are left in the socket that the process has not read. */
static __always_inline bool net_unread(struct sock *sk, struct tcp_sock *tp)
{
	u32 fin;

	if (!tp)
		return sk->sk_receive_queue.qlen > 0;
	fin = sk->sk_shutdown & NET_RCV_SHUTDOWN ? 1 : 0; /* has a number in the stream, too */
	return (s32)(tp->rcv_nxt - tp->copied_seq - fin) > 0;
}

static __always_inline bool net_stream(struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family, type = sk->sk_type;

	if (family == SONDE_AF_UNIX)
		return type == NET_STREAM || type == NET_SEQPACKET;
	return (family == SONDE_AF_INET || family == SONDE_AF_INET6) && type == NET_STREAM &&
	       sk->sk_protocol == NET_TCP && sk->__sk_common.skc_state != TCP_CLOSE;
}

static __always_inline struct sonde_net_conn *net_conn(struct sock *sk)
{
	struct sonde_net_conn *c;

	if (!READ_ONCE(active) || !net_stream(sk))
		return NULL;
	c = bpf_sk_storage_get(&net_conns, sk, 0, 0);
	if (SONDE_LIKELY(c))
		return c;
	return filter_rejected() ? NULL : net_meet(sk, true);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(net_send, struct sock *sk, int ret, int flags)
{
	struct sonde_net_conn *c = net_conn(sk);
	struct sonde_net_stat *row;
	struct tcp_sock *tp;
	u64 now;

	if (!c || (ret <= 0 && ret != -NET_EAGAIN))
		return 0;
	row = net_row(&c->key);
	if (!row)
		return 0;
	now = bpf_ktime_get_ns();
	if (ret < 0) {
		__sync_fetch_and_add(&row->full, 1);
		if (!c->full_ns)
			c->full_ns = now;
		return 0;
	}
	if (c->full_ns) {
		__sync_fetch_and_add(&row->full_wait_ns, now - c->full_ns);
		c->full_ns = 0;
	}
	__sync_fetch_and_add(&row->sends, 1);
	__sync_fetch_and_add(&row->out, ret);
	if (c->key.role == SONDE_ROLE_CLIENT) {
		net_ask(row, c, now);
	} else {
		tp = c->flags & SONDE_NET_TCP ? bpf_skc_to_tcp_sock(sk) : NULL;
		net_answer(row, c, tp, now, now);
	}
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(net_recv, struct sock *sk, int ret, int flags)
{
	struct sonde_net_stat *row;
	struct sonde_net_conn *c;
	struct tcp_sock *tp;
	u64 now, came;

	if (ret < 0 || flags & NET_MSG_PEEK)
		return 0;
	c = net_conn(sk);
	if (!c)
		return 0;
	if (!ret) {
		c->ready_ns = 0;
		return 0;
	}
	row = net_row(&c->key);
	if (!row)
		return 0;
	now = bpf_ktime_get_ns();
	came = c->ready_ns;
	tp = c->flags & SONDE_NET_TCP ? bpf_skc_to_tcp_sock(sk) : NULL;
	c->ready_ns = net_unread(sk, tp) ? now : 0;
	if (came && now > came)
		net_hist(&row->late, now - came);
	__sync_fetch_and_add(&row->receives, 1);
	__sync_fetch_and_add(&row->in, ret);
	if (c->key.role == SONDE_ROLE_CLIENT)
		net_answer(row, c, tp, now, came);
	else
		net_ask(row, c, now);
	return 0;
}

/* ---- bytes that come ---- */

/* A unix socket's connect has put the other end into the listener's queue, in the call of the process that connects. */
static __noinline int net_unix_queued(void)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct sonde_net_fresh fresh = {};
	struct file *file;
	struct socket *socket;
	struct unix_sock *u;
	u64 addr;

	if (REGS_NR(regs) != NR_connect || REGS_IS_COMPAT(regs))
		return 0;
	file = file_of(REGS_ARG0(regs));
	if (!file || file_kind(file) != SONDE_FILE_SOCKET)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	u = (void *)BPF_CORE_READ(socket, sk);
	addr = (u64)BPF_CORE_READ(u, peer);
	if (!addr)
		return 0;
	fresh.est_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&net_fresh, &addr, &fresh, BPF_ANY);
	return 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(net_ready, struct sock *sk)
{
	struct sonde_net_fresh *fresh;
	struct sonde_net_conn *c;
	u64 addr = (u64)sk;

	if (!READ_ONCE(active) || !net_stream(sk))
		return 0;
	if (sk->__sk_common.skc_state == TCP_LISTEN) {
		if (sk->__sk_common.skc_family == SONDE_AF_UNIX)
			net_unix_queued();
		return 0;
	}
	c = bpf_sk_storage_get(&net_conns, sk, 0, 0);
	if (c) {
		if (!c->ready_ns)
			c->ready_ns = bpf_ktime_get_ns();
		return 0;
	}
	fresh = bpf_map_lookup_elem(&net_fresh, &addr);
	if (fresh && !fresh->ready_ns)
		fresh->ready_ns = bpf_ktime_get_ns();
	return 0;
}

/* ---- connections that are open now ---- */

u32 net_walk = 0; /* number of the walk under way: several processes may have the same socket */

SEC("iter/task_file")
int net_iter(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct sonde_net_conn *c;
	struct socket *socket;
	struct tcp_sock *tp;

	if (!ctx->task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket || !socket->sk)
		return 0;
	c = bpf_sk_storage_get(&net_conns, socket->sk, 0, 0);
	if (!c || c->flags & SONDE_NET_CLOSED || c->walk == net_walk)
		return 0;
	c->walk = net_walk;
	tp = c->flags & SONDE_NET_TCP ? bpf_skc_to_tcp_sock(socket->sk) : NULL;
	if (tp) {
		net_tcp(&c->now, tp);
		c->srtt_us = tp->srtt_us >> 3;
		c->rttvar_us = tp->mdev_us >> 2;
	}
	bpf_seq_write(ctx->meta->seq, c, sizeof(*c));
	return 0;
}
