/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * socket_func.bpf.h - what traced processes send and receive, seen at the socket layer's functions: for kernels without
 * its tracepoints (before Linux 6.3). Included once, by socket.bpf.c.
 *
 * On fexit, which gives arguments and result at once, or on a pair of kprobes, where the kernel has no trampolines. From
 * kprobes socket storage is out of reach, so connections lie in the hash of the system call back end there.
 */
#ifndef SONDE_SOCKET_FUNC_BPF_H
#define SONDE_SOCKET_FUNC_BPF_H

#include "site.bpf.h"
#include "socket.bpf.h"

/* ---- back end 2: fexit ---- */

/* Bytes whose buffer nobody can see: sendfile(2) of old. */
static __always_inline int sk_unseen(struct sock *sk, int ret)
{
	struct conn *c = ret > 0 && READ_ONCE(active) ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
	struct xfer *x = xfer_get();

	if (!c || !x || conn_ignored(c))
		return 0;
	if (tls_in_the_way()) {
		stream_lost(c, c->role != SONDE_ROLE_CLIENT);
		count(SONDE_CNT_TLS_BUSY);
		return 0;
	}
	x->now = bpf_ktime_get_ns();
	x->total = ret;
	if (!conn_unread(c, x, true))
		count(SONDE_CNT_UNPARSED_SYSCALL);
	return 0;
}

/* Element 0: the program for functions of one prototype; the kernel takes no others. Filled by the loader. */
struct map_fx_tail_def {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
};

struct map_fx_tail_def fx_tail_send SEC(".maps");
struct map_fx_tail_def fx_tail_recv SEC(".maps");

#define FX_ARGS_SEND struct socket *sock, struct msghdr *msg, size_t size, int ret
#define FX_ARGS_RECV struct socket *sock, struct msghdr *msg, size_t size, int flags, int ret

#define SONDE_SOCKET_SEND(name, function)                                                                              \
	SEC("fexit/" #function)                                                                                        \
	int BPF_PROG(fx_##name, FX_ARGS_SEND)                                                                          \
	{                                                                                                              \
		struct sock *sk = sock->sk;                                                                            \
                                                                                                                       \
		if (!sk || !READ_ONCE(active) || ret == -EAGAIN)                                                       \
			return 0;                                                                                      \
		sk_event(sk, ret, true);                                                                               \
		site_take(ctx, &fx_site_##name);                                                                       \
		return 0;                                                                                              \
	}
#define SONDE_SOCKET_RECV(name, function)                                                                              \
	SEC("fexit/" #function)                                                                                        \
	int BPF_PROG(fx_##name, FX_ARGS_RECV)                                                                          \
	{                                                                                                              \
		struct sock *sk = sock->sk;                                                                            \
                                                                                                                       \
		if (!sk || !READ_ONCE(active) || ret == -EAGAIN || flags & MSG_PEEK)                                   \
			return 0;                                                                                      \
		sk_event(sk, ret, false);                                                                              \
		site_take(ctx, &fx_site_##name);                                                                       \
		return 0;                                                                                              \
	}
#define SONDE_SOCKET_SEND_AS(name, function, other)                                                                    \
	SEC("fexit/" #function)                                                                                        \
	int BPF_PROG(fx_##name, FX_ARGS_SEND)                                                                          \
	{                                                                                                              \
		if (READ_ONCE(active) && ret != -EAGAIN)                                                               \
			bpf_tail_call(ctx, &fx_tail_send, 0);                                                          \
		return 0;                                                                                              \
	}
#define SONDE_SOCKET_RECV_AS(name, function, other)                                                                    \
	SEC("fexit/" #function)                                                                                        \
	int BPF_PROG(fx_##name, FX_ARGS_RECV)                                                                          \
	{                                                                                                              \
		if (READ_ONCE(active) && ret != -EAGAIN)                                                               \
			bpf_tail_call(ctx, &fx_tail_recv, 0);                                                          \
		return 0;                                                                                              \
	}
#define SONDE_SOCKET_PAGE(name, function)                                                                              \
	SEC("fexit/" #function)                                                                                        \
	int BPF_PROG(fx_##name, struct socket *sock, struct page *page, int offset, size_t size, int flags, int ret)   \
	{                                                                                                              \
		struct sock *sk = sock->sk;                                                                            \
                                                                                                                       \
		return sk ? sk_unseen(sk, ret) : 0;                                                                    \
	}
#include "sonde/socket_func.def"

/* ---- back end 3: a kprobe that notes the socket, and one on the return that knows the result ---- */

/** struct func_call - the send or receive that a thread is in */
struct func_call {
	struct sock_key key;
	u64 sent;
};

/* Thread -> its call. LRU: the return of a call can be missed, and the thread end. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct func_call);
} func_calls SEC(".maps");

/*
 * The kernel notes the returns of a few calls of a function at a time only (max(10, 2 * processors)), and drops the
 * others without a word. Then the thread's next call finds its last one still there.
 */
static __always_inline void func_missed(struct func_call *call)
{
	struct conn *c = bpf_map_lookup_elem(&conn_hash, &call->key);

	count(SONDE_CNT_EVENTS_MISSED);
	if (c && c->state == CONN_OPEN && !tls_in_the_way())
		stream_lost(c, (call->sent & 1) != (c->role == SONDE_ROLE_CLIENT));
}

static __always_inline int func_enter(struct socket *sock, u64 sent, bool peek)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct func_call call = {}, *last;

	if (!READ_ONCE(active) || filter_rejected())
		return 0;
	last = bpf_map_lookup_elem(&func_calls, &thread);
	if (SONDE_UNLIKELY(last)) {
		func_missed(last);
		bpf_map_delete_elem(&func_calls, &thread);
	}
	if (peek || BPF_CORE_READ(sock, type) != SOCK_STREAM)
		return 0;
	if (!filter_pass()) {
		filter_reject();
		return 0;
	}
	call.key.sk = (u64)BPF_CORE_READ(sock, sk);
	call.key.ino = BPF_CORE_READ((struct socket_alloc *)sock, vfs_inode.i_ino);
	call.sent = sent;
	if (bpf_map_update_elem(&func_calls, &thread, &call, BPF_ANY))
		count(SONDE_CNT_EVENTS_MISSED);
	return 0;
}

SEC("kprobe")
int kp_send(struct pt_regs *ctx)
{
	return func_enter((void *)PT_REGS_PARM1(ctx), 1, false);
}

SEC("kprobe")
int kp_recv(struct pt_regs *ctx)
{
	return func_enter((void *)PT_REGS_PARM1(ctx), 0, PT_REGS_PARM4(ctx) & MSG_PEEK);
}

static __always_inline void func_return(struct func_call *call, int ret)
{
	struct sock *sk = (void *)call->key.sk;
	bool sent = call->sent & 1;
	struct conn *c;
	struct xfer *x;
	u32 reason;

	if (ret <= 0) {
		if (ret == -EAGAIN || ret == -EINTR || ret == -ERESTARTSYS)
			return;
		c = bpf_map_lookup_elem(&conn_hash, &call->key);
		if (!c || (sent && !ret))
			return;
		if (!sent)
			conn_said_all(c);
		/* As in sk_event(): its close tells the end. */
		if (!ret && c->role == SONDE_ROLE_SERVER &&
		    BPF_CORE_READ(sk, __sk_common.skc_family) != SONDE_AF_UNIX)
			return;
		conn_closed(c);
		return;
	}
	c = hash_conn(&call->key, sent);
	if (bd_conf.on && (!c || c->state == CONN_IGNORED))
		bd_unread(c, sent);
	if (!c || conn_ignored(c))
		return;
	if (tls_in_the_way()) {
		count(SONDE_CNT_TLS_BUSY);
		if (c->state == CONN_OPEN)
			stream_lost(c, sent != (c->role == SONDE_ROLE_CLIENT));
		return;
	}
	x = xfer_get();
	if (!x)
		return;
	call_get(&x->call, (void *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	x->now = bpf_ktime_get_ns();
	x->sk = (u64)sk;
	reason = xfer_locate(c, ret);
	if (!reason)
		conn_data(c, sent);
	else if (!conn_unread(c, x, sent))
		count(reason);
}

SEC("kretprobe")
int kp_return(struct pt_regs *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct func_call *call = bpf_map_lookup_elem(&func_calls, &thread);

	if (!call)
		return 0;
	func_return(call, PT_REGS_RC(ctx));
	bpf_map_delete_elem(&func_calls, &thread);
	site_take(ctx, &site_func);
	return 0;
}

/* As sk_shut, for connections in the hash. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(kp_shut, struct sock *sk, int oldstate, int newstate)
{
	struct sock_key key = { .sk = (u64)sk };
	struct socket *sock;
	struct conn *c;

	if (!READ_ONCE(active) || (newstate != TCP_FIN_WAIT1 && newstate != TCP_LAST_ACK))
		return 0;
	sock = sk->sk_socket;
	if (!sock)
		return 0;
	key.ino = BPF_CORE_READ((struct socket_alloc *)sock, vfs_inode.i_ino);
	c = bpf_map_lookup_elem(&conn_hash, &key);
	if (!c)
		return 0;
	if (c->role == SONDE_ROLE_CLIENT && (!(sk->sk_shutdown & RCV_SHUTDOWN) || sk->sk_receive_queue.qlen))
		return 0;
	conn_closed(c);
	return 0;
}

#endif /* SONDE_SOCKET_FUNC_BPF_H */
