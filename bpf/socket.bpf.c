// SPDX-License-Identifier: GPL-2.0-only
/*
 * socket.bpf.c - sees what traced processes send and receive on stream sockets, and turns it into statements.
 *
 * Back ends for the same work: the socket layer's own tracepoints (sock_send_length, sock_recv_length; Linux 6.3 and
 * later), its functions (socket_func.bpf.h), which like them fire for sockets only, or the exit of every system call.
 * All know the result and find the buffer through the task's saved registers; the connection's state hangs on the
 * socket, or lies in a hash.
 */
#include "socket.bpf.h"
#include "site.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define MMSG_MAX 32 /* messages of one sendmmsg(2) that are looked at */

struct map_conns_def conns SEC(".maps");
struct map_conn_hash_def conn_hash SEC(".maps");
struct map_pipeline_def pipeline SEC(".maps");
struct map_prepared_def prepared SEC(".maps");
struct map_raw_texts_def raw_texts SEC(".maps");
struct map_carry_def carry SEC(".maps");
struct map_zero_conn_def zero_conn SEC(".maps");
struct map_xfer_def xfer SEC(".maps");
struct map_slow_examples_def slow_examples SEC(".maps");
struct map_slow_texts_def slow_texts SEC(".maps");
struct map_tls_conns_def tls_conns SEC(".maps");
struct map_zero_tls_def zero_tls SEC(".maps");
struct map_tls_threads_def tls_threads SEC(".maps");
struct map_tls_busy_def tls_busy SEC(".maps");
struct map_bd_threads_def bd_threads SEC(".maps");
struct map_bd_zero_def bd_zero SEC(".maps");
struct map_bd_open_def bd_open SEC(".maps");
struct map_bd_zero_open_def bd_zero_open SEC(".maps");
struct map_bd_socks_def bd_socks SEC(".maps");
struct map_bd_ports_def bd_ports SEC(".maps");
struct map_bd_runs_def bd_runs SEC(".maps");
struct map_bd_speaks_def bd_speaks SEC(".maps");
struct map_bd_rows_def bd_rows SEC(".maps");
struct map_bd_deps_def bd_deps SEC(".maps");
struct map_bd_sites_def bd_sites SEC(".maps");
struct map_bd_zero_row_def bd_zero_row SEC(".maps");
struct map_site_wants_def site_wants SEC(".maps");
struct map_site_progs_def site_probe SEC(".maps");
struct map_site_progs_def site_both SEC(".maps");
struct map_site_progs_def site_func SEC(".maps");
#define SONDE_SOCKET_SEND(name, function) struct map_site_progs_def fx_site_##name SEC(".maps");
#define SONDE_SOCKET_RECV(name, function) SONDE_SOCKET_SEND(name, function)
#define SONDE_SOCKET_SEND_AS(name, function, other)
#define SONDE_SOCKET_RECV_AS(name, function, other)
#include "sonde/socket_func.def"

/* ---- back end 1: the socket layer's tracepoints ---- */

/*
 * The work is one program for both hooks, reached by a tail call from a short one on each: so the kernel verifies it
 * once, which is most of the time that loading takes. Both hooks have the same arguments, as such calls demand.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, u32);
} sk_work SEC(".maps"); /* 0: sk_data or sk_data_turn, 1: uw_site, put there by the loader */

/* Which hook called: for the program behind the tail call, which the same processor runs at once. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} sk_sent SEC(".maps");

static __always_inline int sk_hook(void *ctx, int ret, u32 sent)
{
	u32 zero = 0, *to;

	if (!READ_ONCE(active) || ret == -EAGAIN)
		return 0;
	to = bpf_map_lookup_elem(&sk_sent, &zero);
	if (!to)
		return 0;
	*to = sent;
	bpf_tail_call(ctx, &sk_work, 0);
	count(SONDE_CNT_HELPER_FAILED);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_data, struct sock *sk, int ret, int flags)
{
	u32 zero = 0, *sent = bpf_map_lookup_elem(&sk_sent, &zero);

	if (!sent)
		return 0;
	sk_event(sk, ret, *sent);
	if (site_wanted())
		bpf_tail_call(ctx, &sk_work, 1);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_send, struct sock *sk, int ret, int flags)
{
	return sk_hook(ctx, ret, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sk_recv, struct sock *sk, int ret, int flags)
{
	return flags & MSG_PEEK ? 0 : sk_hook(ctx, ret, false);
}

/*
 * A process that closes a connection (close(2), shutdown(2)) receives nothing more on it: no receive hook tells the end then. These two changes
 * of state happen in its own call, so the scratch memory is free; others happen in interrupts.
 */
static __always_inline void sk_closing(struct sock *sk)
{
	struct conn *c = READ_ONCE(active) ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;

	/* shutdown(2) of its own direction: the answer is still to come, or to be read. close(2) would have thrown that away. */
	if (c && c->role == SONDE_ROLE_CLIENT && (!(sk->sk_shutdown & RCV_SHUTDOWN) || sk->sk_receive_queue.qlen))
		return;
	if (c)
		conn_closed(c);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sk_shut, struct sock *sk, int oldstate, int newstate)
{
	if (newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK)
		sk_closing(sk);
	return 0;
}

/* ---- the same in turns ---- */

static __always_inline int sk_turn(void *ctx, struct sock *sk, int ret, bool sent, bool second)
{
	struct turn *t;

	if (!READ_ONCE(active) || ret == -EAGAIN)
		return 0;
	t = turn_get();
	if (!t)
		return 0;
	if (second && turn_was(t, (u64)sk + sent, ret))
		return 0;
	t->sent = sent;
	t->second = second;
	bpf_tail_call(ctx, &sk_work, 0);
	count(SONDE_CNT_HELPER_FAILED);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_data_turn, struct sock *sk, int ret, int flags)
{
	struct turn *t = turn_get();

	if (!t)
		return 0;
	bpf_preempt_disable();
	if (!t->second)
		turn_first(t, (u64)sk + t->sent, ret);
	sk_event(sk, ret, t->sent);
	bpf_preempt_enable();
	if (site_wanted())
		bpf_tail_call(ctx, &sk_work, 1);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_send_1st, struct sock *sk, int ret, int flags)
{
	return sk_turn(ctx, sk, ret, true, false);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_send_2nd, struct sock *sk, int ret, int flags)
{
	return sk_turn(ctx, sk, ret, true, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sk_recv_1st, struct sock *sk, int ret, int flags)
{
	return flags & MSG_PEEK ? 0 : sk_turn(ctx, sk, ret, false, false);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sk_recv_2nd, struct sock *sk, int ret, int flags)
{
	return flags & MSG_PEEK ? 0 : sk_turn(ctx, sk, ret, false, true);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sk_shut_1st, struct sock *sk, int oldstate, int newstate)
{
	if (newstate != TCP_FIN_WAIT1 && newstate != TCP_LAST_ACK)
		return 0;
	bpf_preempt_disable();
	sk_closing(sk);
	bpf_preempt_enable();
	return 0;
}

/* 0 not run yet, 1 a tracepoint's programs run with preemption off, 2 they can be preempted. */
u32 preempt_state;

#if defined(__TARGET_ARCH_x86)
extern const int __preempt_count __ksym __weak; /* a variable of its own before 6.2 and from 6.15 on */
#endif

/* Finds out: the loader attaches it for one send of its own. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(probe_preempt, struct sock *sk, int ret, int flags)
{
	u32 depth = 1;

	if (bpf_get_current_pid_tgid() >> 32 != conf.self)
		return 0;
#if defined(__TARGET_ARCH_x86)
	if (&__preempt_count) {
		const int *count = bpf_this_cpu_ptr(&__preempt_count);

		depth = *count & 0x7fffffff; /* the top bit says, inverted, that a reschedule is due */
	}
#elif defined(__TARGET_ARCH_arm64)
	depth = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_info.preempt.count);
#endif
	preempt_state = depth ? 1 : 2;
	return 0;
}

/* The same hooks with nothing on them: what the kernel charges for being called at all (cost measurements). */
SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_send_empty, struct sock *sk, int ret, int flags)
{
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sk_recv_empty, struct sock *sk, int ret, int flags)
{
	return 0;
}

/* ---- back end 4: the exit of system calls ---- */

/** fd_socket - find the stream socket behind @fd of the current task: @key; 0, or -1 if it is none */
__noinline int fd_socket(u32 fd, struct sock_key *key)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct socket *socket;
	struct file **fds;
	struct file *file;

	if (!key || fd >= BPF_CORE_READ(fdt, max_fds))
		return -1;
	fds = BPF_CORE_READ(fdt, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), fds + fd) || !file)
		return -1;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return -1;
	socket = BPF_CORE_READ(file, private_data);
	if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return -1;
	key->ino = BPF_CORE_READ(file, f_inode, i_ino);
	key->sk = (u64)BPF_CORE_READ(socket, sk);
	return 0;
}

/* Number of the system call that ends, and its first argument, with no scratch memory. */
static __always_inline u64 exit_nr(struct bpf_raw_tracepoint_args *ctx, u64 *fd)
{
	struct pt_regs *regs = (void *)ctx->args[0];

	*fd = PT_REGS_PARM1_CORE_SYSCALL(regs);
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, orig_ax);
#else
	return (u32)BPF_CORE_READ(regs, syscallno);
#endif
}

static __always_inline bool call_sends(u64 nr)
{
	return nr == NR_write || nr == NR_sendto || nr == NR_writev || nr == NR_sendmsg || nr == NR_sendmmsg;
}

static __always_inline bool call_receives(u64 nr)
{
	return nr == NR_read || nr == NR_recvfrom || nr == NR_readv || nr == NR_recvmsg;
}

/* The scratch memory is in use: a call that moved data of a connection that matters is a hole in its stream. */
static __noinline int exit_left_out(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock_key key = {};
	struct conn *c;
	u64 nr, fd;
	bool sent;

	if (!READ_ONCE(active) || (long)ctx->args[1] <= 0)
		return 0;
	nr = exit_nr(ctx, &fd);
	sent = call_sends(nr);
	if ((!sent && !call_receives(nr)) || !filter_pass() || fd_socket(fd, &key))
		return 0;
	c = bpf_map_lookup_elem(&conn_hash, &key);
	if (!c || conn_ignored(c))
		return 0;
	count(SONDE_CNT_TLS_BUSY);
	if (c->state == CONN_OPEN)
		stream_lost(c, sent != (c->role == SONDE_ROLE_CLIENT));
	return 0;
}

static __always_inline void exit_event(struct bpf_raw_tracepoint_args *ctx)
{
	long ret = ctx->args[1];
	struct call *call;
	struct conn *c;
	struct xfer *x;
	bool sent;
	u32 reason;

	if (tls_in_the_way()) {
		exit_left_out(ctx);
		return;
	}
	x = xfer_get();
	if (!x || bpf_probe_read_kernel(&x->regs, sizeof(x->regs), (void *)ctx->args[0]))
		return;
	call = &x->call;
	call_get(call, &x->regs);
	sent = call_sends(call->nr);
	if (!sent && !call_receives(call->nr))
		return;
	if (!READ_ONCE(active) || ret == -EAGAIN || ret == -EINTR || ret == -ERESTARTSYS || !filter_pass())
		return;
	if (!sent && ret > 0) {
		if ((call->nr == NR_recvfrom && call->arg3 & MSG_PEEK) ||
		    (call->nr == NR_recvmsg && call->arg2 & MSG_PEEK))
			return;
	}
	if (fd_socket(call->arg0, &x->key))
		return;
	if (ret <= 0) {
		c = bpf_map_lookup_elem(&conn_hash, &x->key);
		if (c && !sent)
			conn_said_all(c);
		if (c && !(sent && !ret))
			conn_closed(c);
		return;
	}
	c = hash_conn(&x->key, sent);
	if (bd_conf.on && (!c || c->state == CONN_IGNORED))
		bd_unread(c, sent);
	if (!c || conn_ignored(c))
		return;
	x->now = bpf_ktime_get_ns();
	x->sk = x->key.sk;
	if (call->nr == NR_sendmmsg) { /* the result counts messages; each one's length stands in the array */
		u64 vec = call->arg1;

		c->mmsg_vec = 0;
		for (u32 i = 0; i < MMSG_MAX && i < ret; i++) {
			u32 len = 0;

			bpf_probe_read_user(
				&len, sizeof(len),
				(void *)(vec + i * sizeof(struct user_mmsghdr) + offsetof(struct user_mmsghdr, len)));
			if (!len || xfer_locate(c, len))
				break;
			conn_data(c, sent);
		}
		if (ret > MMSG_MAX && c->state == CONN_OPEN)
			stream_lost(c, sent != (c->role == SONDE_ROLE_CLIENT));
		return;
	}
	reason = xfer_locate(c, ret);
	if (reason) {
		if (!conn_unread(c, x, sent))
			count(reason);
		return;
	}
	conn_data(c, sent);
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} exit_site SEC(".maps"); /* uw_site_exit, put there by the loader */

SEC("raw_tp/sys_exit")
int sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	exit_event(ctx);
	if (site_wanted())
		bpf_tail_call(ctx, &exit_site, 0);
	return 0;
}

/* Only calls that move data are worth a turn: the others pass both programs in a few instructions. */
static __always_inline bool exit_matters(struct bpf_raw_tracepoint_args *ctx)
{
	u64 fd, nr = exit_nr(ctx, &fd);

	return (long)ctx->args[1] != -EAGAIN && (call_sends(nr) || call_receives(nr));
}

SEC("raw_tp/sys_exit")
int sys_exit_1st(struct bpf_raw_tracepoint_args *ctx)
{
	if (!exit_matters(ctx))
		return 0;
	bpf_preempt_disable();
	turn_first(turn_get(), ctx->args[0], ctx->args[1]);
	exit_event(ctx);
	bpf_preempt_enable();
	if (site_wanted())
		bpf_tail_call(ctx, &exit_site, 0);
	return 0;
}

SEC("raw_tp/sys_exit")
int sys_exit_2nd(struct bpf_raw_tracepoint_args *ctx)
{
	if (!exit_matters(ctx) || turn_was(turn_get(), ctx->args[0], ctx->args[1]))
		return 0;
	bpf_preempt_disable();
	exit_event(ctx);
	bpf_preempt_enable();
	if (site_wanted())
		bpf_tail_call(ctx, &exit_site, 0);
	return 0;
}

#include "socket_func.bpf.h"
