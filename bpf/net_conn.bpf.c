// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_conn.bpf.c - connections that are made and accepted, as system calls: what connects of unix sockets take, why connects fail at
 *		    once, how long established connections wait for accept().
 *
 * The kernel's tracepoints of these calls alone: all other calls pass by.
 */
#include "arch.bpf.h"
#include "net.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* ---- connect ---- */

/* The socket behind descriptor @fd of the current task if it is one of streams, else NULL. */
static __always_inline struct socket *net_socket(u64 fd)
{
	struct file *file = file_of(fd);
	struct socket *socket;
	u16 type, family;

	if (!file || file_kind(file) != SONDE_FILE_SOCKET)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	type = BPF_CORE_READ(socket, type);
	family = BPF_CORE_READ(socket, sk, __sk_common.skc_family);
	if (family == SONDE_AF_UNIX)
		return type == NET_STREAM || type == NET_SEQPACKET ? socket : NULL;
	if (family != SONDE_AF_INET && family != SONDE_AF_INET6)
		return NULL;
	return type == NET_STREAM && BPF_CORE_READ(socket, sk, sk_protocol) == NET_TCP ? socket : NULL;
}

static __always_inline bool net_mine(void)
{
	return READ_ONCE(active) && !filter_rejected() && filter_pass();
}

SEC("tp/syscalls/sys_enter_connect")
int net_connect(struct trace_event_raw_sys_enter *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sonde_net_call call = {};
	struct socket *socket;

	if (!net_mine())
		return 0;
	socket = net_socket(ctx->args[0]);
	if (!socket || BPF_CORE_READ(socket, state) != SS_UNCONNECTED) /* else: asks how it went */
		return 0;
	call.start_ns = bpf_ktime_get_ns();
	call.sk = (u64)BPF_CORE_READ(socket, sk);
	call.family = BPF_CORE_READ(socket, sk, __sk_common.skc_family);
	call.addr = ctx->args[1];
	if (bpf_map_update_elem(&net_calls, &thread, &call, BPF_ANY))
		count(SONDE_CNT_LOST_NET_MEMORY);
	return 0;
}

/* The address that a connect was asked for; its socket has none. */
static __noinline u64 net_asked_peer(const struct sonde_net_call *call)
{
	struct sonde_net_peer peer = { .family = call->family };
	u16 port = 0;

	if (call->family == SONDE_AF_UNIX) {
		char *path = (char *)call->addr + offsetof(struct sockaddr_un, sun_path);

		bpf_probe_read_user_str(peer.path, 108, path);
		if (!peer.path[0]) {
			peer.path[0] = '@';
			bpf_probe_read_user_str(peer.path + 1, 107, path + 1);
		}
		return net_peer_id(&peer);
	}
	bpf_probe_read_user(&port, sizeof(port), (char *)call->addr + offsetof(struct sockaddr_in, sin_port));
	peer.port = bpf_ntohs(port);
	if (call->family == SONDE_AF_INET) {
		bpf_probe_read_user(peer.addr, 4, (char *)call->addr + offsetof(struct sockaddr_in, sin_addr));
	} else {
		bpf_probe_read_user(peer.addr, 16, (char *)call->addr + offsetof(struct sockaddr_in6, sin6_addr));
		net_unmap(&peer);
	}
	return net_peer_id(&peer);
}

static __always_inline void net_call_failed(const struct sonde_net_call *call, u32 error)
{
	struct sonde_net_key key = { .role = SONDE_ROLE_CLIENT };
	struct sonde_net_stat *row;

	key.peer = net_asked_peer(call);
	task_proc(&key.proc);
	agg_proc(&key.proc);
	row = net_row(&key);
	if (!row)
		return;
	if (call->state == SONDE_NET_CALLED)
		__sync_fetch_and_add(&row->attempts, 1);
	net_fail(&key, error);
}

static __always_inline void net_unix_connected(const struct sonde_net_call *call)
{
	struct sock *sk = (void *)call->sk;
	struct sonde_net_fresh fresh = {};
	struct sonde_net_stat *row;
	u64 addr = call->sk;

	net_key(&fresh.key, sk, SONDE_ROLE_CLIENT);
	row = net_row(&fresh.key);
	if (!row)
		return;
	__sync_fetch_and_add(&row->attempts, 1);
	__sync_fetch_and_add(&row->opens, 1);
	net_hist(&row->begin, bpf_ktime_get_ns() - call->start_ns);
	fresh.inode = net_inode(sk);
	bpf_map_update_elem(&net_fresh, &addr, &fresh, BPF_ANY);
}

SEC("tp/syscalls/sys_exit_connect")
int net_connect_end(struct trace_event_raw_sys_exit *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sonde_net_call *found, call;
	long ret = ctx->ret;

	found = bpf_map_lookup_elem(&net_calls, &thread);
	if (!found)
		return 0;
	call = *found;
	bpf_map_delete_elem(&net_calls, &thread);
	if (!READ_ONCE(active))
		return 0;
	if (!ret && call.family == SONDE_AF_UNIX)
		net_unix_connected(&call);
	else if (ret < 0 && ret != -NET_EINPROGRESS && call.state != SONDE_NET_STARTED)
		net_call_failed(&call, -ret);
	return 0;
}

/* ---- accept ---- */

static __always_inline void net_listener(struct sock *sk, const struct sonde_net_fresh *fresh, u64 now)
{
	struct sonde_net_key key = {};
	struct sonde_net_stat *row;
	u64 queued;

	net_key(&key, sk, SONDE_NET_LISTENER);
	row = net_row(&key);
	if (!row)
		return;
	__sync_fetch_and_add(&row->accepts, 1);
	if (fresh && fresh->est_ns && now > fresh->est_ns)
		net_hist(&row->begin, now - fresh->est_ns);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == SONDE_AF_UNIX)
		queued = BPF_CORE_READ(sk, sk_receive_queue.qlen);
	else
		queued = BPF_CORE_READ(sk, sk_ack_backlog);
	queued++; /* the one that was just taken out */
	if (queued > row->backlog_max)
		row->backlog_max = queued;
	row->backlog_limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	row->drops = BPF_CORE_READ(sk, sk_drops.counter);
}

static __noinline int net_accepted(long fd)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct sonde_net_fresh fresh = {}, *found;
	u64 now = bpf_ktime_get_ns(), addr;
	struct socket *socket, *listener;
	struct sonde_net_stat *row;
	struct sock *sk;

	if (fd < 0 || !net_mine() || REGS_IS_COMPAT(regs))
		return 0;
	socket = net_socket(fd);
	listener = net_socket(REGS_ARG0(regs));
	if (!socket || !listener)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	addr = (u64)sk;
	found = bpf_map_lookup_elem(&net_fresh, &addr);
	if (found && found->key.proc.tgid) /* of another socket that was at this address */
		found = NULL;
	net_listener(BPF_CORE_READ(listener, sk), found, now);
	if (found)
		fresh = *found;
	net_key(&fresh.key, sk, SONDE_ROLE_SERVER);
	row = net_row(&fresh.key);
	if (!row)
		return 0;
	__sync_fetch_and_add(&row->opens, 1);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != SONDE_AF_UNIX)
		net_open(row, now);
	fresh.inode = net_inode(sk);
	bpf_map_update_elem(&net_fresh, &addr, &fresh, BPF_ANY);
	return 0;
}

SEC("tp/syscalls/sys_exit_accept")
int net_accept(struct trace_event_raw_sys_exit *ctx)
{
	return net_accepted(ctx->ret);
}

SEC("tp/syscalls/sys_exit_accept4")
int net_accept4(struct trace_event_raw_sys_exit *ctx)
{
	return net_accepted(ctx->ret);
}
