// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.bpf.c - times what happens on the connections of traced processes: connects, sends, receives, what waits in sockets, ends.
 *
 * A connection's state hangs on its socket. What hooks in interrupts see concerns sockets that a process's own call has made
 * known; in between, a connection that nobody has accepted yet stands in a table by its socket's address. How connections are
 * made and accepted is in net_conn.bpf.c.
 */
#include "arch.bpf.h"
#include "net.bpf.h"

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

/* ---- connections that become known ---- */

/* Which end of a connection that existed before the run: the listening end has a name, or the lower port. */
static __always_inline u32 net_guess_role(struct sock *sk)
{
	struct unix_sock *u = (void *)sk;

	if (sk->__sk_common.skc_family == SONDE_AF_UNIX)
		return BPF_CORE_READ(u, addr) ? SONDE_ROLE_SERVER : SONDE_ROLE_CLIENT;
	return sk->__sk_common.skc_num < bpf_ntohs(sk->__sk_common.skc_dport) ? SONDE_ROLE_SERVER : SONDE_ROLE_CLIENT;
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
static __always_inline void net_answer(struct sonde_net_stat *row, struct sonde_net_conn *c, struct tcp_sock *tp, u64 now,
				       u64 came)
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
	return (family == SONDE_AF_INET || family == SONDE_AF_INET6) && type == NET_STREAM && sk->sk_protocol == NET_TCP &&
	       sk->__sk_common.skc_state != NET_CLOSE;
}

static __always_inline struct sonde_net_conn *net_conn(struct sock *sk)
{
	struct sonde_net_conn *c;

	if (!READ_ONCE(active) || !net_stream(sk))
		return NULL;
	c = bpf_sk_storage_get(&net_conns, sk, 0, 0);
	return c ? c : net_meet(sk, true);
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

/* ---- ends ---- */

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
	if (newstate == NET_SYN_SENT) {
		net_connecting(sk);
		return 0;
	}
	if (newstate == NET_ESTABLISHED && oldstate == NET_SYN_RECV) {
		fresh.est_ns = bpf_ktime_get_ns();
		bpf_map_update_elem(&net_fresh, &addr, &fresh, BPF_ANY);
		return 0;
	}
	if (newstate != NET_ESTABLISHED && newstate != NET_FIN_WAIT1 && newstate != NET_LAST_ACK && newstate != NET_CLOSE)
		return 0;
	c = bpf_sk_storage_get(&net_conns, sk, 0, 0);
	if (!c && oldstate != NET_LISTEN && newstate != NET_ESTABLISHED)
		c = net_meet(sk, false);
	if (!c)
		return 0;
	if (newstate == NET_ESTABLISHED) {
		net_connected(sk, c);
	} else if (newstate == NET_CLOSE) {
		if (oldstate == NET_SYN_SENT)
			net_refused(sk, c);
		net_closed(sk, c, oldstate == NET_ESTABLISHED || oldstate == NET_CLOSE_WAIT);
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

/* ---- what interrupts see ---- */

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
	if (sk->__sk_common.skc_state == NET_LISTEN) {
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
