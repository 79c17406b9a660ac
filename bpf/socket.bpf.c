// SPDX-License-Identifier: GPL-2.0-only
/*
 * socket.bpf.c - sees what traced processes send and receive on stream sockets, and turns it into statements.
 *
 * Two back ends for the same work: the socket layer's own tracepoints (sock_send_length, sock_recv_length; Linux
 * 6.3 and later), which fire for sockets only, or the exit of every system call. Both know the result and find the
 * buffer through the task's saved registers; the connection's state hangs on the socket, or lies in a hash.
 */
#include "stream.bpf.h"
#include "arch.bpf.h"
#include "filter.bpf.h"
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "GPL";

#define EAGAIN 11
#define EINTR 4
#define ERESTARTSYS 512
#define MSG_PEEK 2
#define SOCK_STREAM 1
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define MMSG_MAX 32 /* messages of one sendmmsg(2) that are looked at */
#define TRIES_EAGER 64 /* sends of an unknown connection that are all looked at; later one in 16 */

struct map_conns_def conns SEC(".maps");
struct map_conn_hash_def conn_hash SEC(".maps");
struct map_pipeline_def pipeline SEC(".maps");
struct map_prepared_def prepared SEC(".maps");
struct map_raw_texts_def raw_texts SEC(".maps");
struct map_carry_def carry SEC(".maps");
struct map_zero_conn_def zero_conn SEC(".maps");
struct map_xfer_def xfer SEC(".maps");

/* Number of connections seen on this CPU: part of their ids. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} conn_seq SEC(".maps");

/* Unix sockets name the listening end; for a client that is the peer's address. */
static __always_inline void peer_unix(struct sonde_peer *peer, struct sock *sk, u32 role)
{
	struct unix_sock *u = (void *)sk;
	struct unix_address *addr;
	char *path;

	if (role == SONDE_ROLE_CLIENT)
		u = (void *)BPF_CORE_READ(u, peer);
	addr = u ? BPF_CORE_READ(u, addr) : NULL;
	if (!addr)
		return;
	path = (char *)addr + bpf_core_field_offset(struct unix_address, name) + offsetof(struct sockaddr_un, sun_path);
	bpf_probe_read_kernel_str(peer->path, sizeof(peer->path), path);
	if (!peer->path[0] && BPF_CORE_READ(addr, len) > (int)offsetof(struct sockaddr_un, sun_path)) {
		peer->path[0] = '@'; /* abstract name */
		bpf_probe_read_kernel_str(peer->path + 1, sizeof(peer->path) - 1, path + 1);
	}
}

/* The server's address: the remote end for a client, the local end for a server. */
static __always_inline void peer_address(struct sonde_peer *peer, struct sock *sk, u32 role)
{
	u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct in6_addr addr6;

	peer->family = family;
	if (family == SONDE_AF_UNIX) {
		peer_unix(peer, sk, role);
		return;
	}
	if (role == SONDE_ROLE_CLIENT)
		peer->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	else
		peer->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	if (family == SONDE_AF_INET) {
		u32 addr = role == SONDE_ROLE_CLIENT ? BPF_CORE_READ(sk, __sk_common.skc_daddr) :
						       BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		__builtin_memcpy(peer->addr, &addr, sizeof(addr));
		return;
	}
	if (role == SONDE_ROLE_CLIENT)
		BPF_CORE_READ_INTO(&addr6, sk, __sk_common.skc_v6_daddr);
	else
		BPF_CORE_READ_INTO(&addr6, sk, __sk_common.skc_v6_rcv_saddr);
	__builtin_memcpy(peer->addr, &addr6, sizeof(addr6));
	if (!addr6.in6_u.u6_addr32[0] && !addr6.in6_u.u6_addr32[1] &&
	    addr6.in6_u.u6_addr32[2] == bpf_htonl(0xffff)) { /* IPv4 through an IPv6 socket */
		peer->family = SONDE_AF_INET;
		__builtin_memset(peer->addr, 0, sizeof(peer->addr));
		__builtin_memcpy(peer->addr, &addr6.in6_u.u6_addr32[3], 4);
	}
}

/* A look at the first bytes, before anything is copied: can a PostgreSQL client's message begin like this? */
static __always_inline bool conn_plausible(const struct xfer *x)
{
	u8 head[5];

	if (!x->buf) /* in pieces: looked at in the window */
		return true;
	if (x->total < sizeof(head) || bpf_probe_read_user(head, sizeof(head), (void *)x->buf))
		return false;
	return !head[0] ? !head[1] && !head[2] : sonde_pg_is_frontend(head[0]) && sonde_be32(head + 1) < SONDE_PG_MAX_MESSAGE;
}

/** conn_recognise - is this one of ours? Looks at what was just sent; fills the connection in */
__noinline int conn_recognise(struct conn *c, u32 role)
{
	struct xfer *x = xfer_get();
	int found;

	if (!c || !x)
		return 0;
	if (c->tries++ >= TRIES_EAGER && c->tries & 15 && !(c->fe_flags & CONN_FE_LOST))
		return 0;
	if (!conn_plausible(x))
		return 0;
	if (window_fill(0)) {
		count(SONDE_CNT_READ_FAULT);
		return 0;
	}
	found = pg_detect(x->total, x->win_len);
	if (found == SONDE_DETECT_NO)
		return 0;
	c->tries = 0;
	if (c->fe_flags & CONN_FE_LOST) { /* known already, only the place was lost */
		c->fe_flags &= ~CONN_FE_LOST;
		c->fe.skip = 0;
		c->fe.carry = 0;
		return 0;
	}
	c->proto = SONDE_PROTO_POSTGRESQL;
	c->role = role;
	if (found == SONDE_DETECT_OTHER || !(conf.roles & role)) {
		c->state = CONN_IGNORED;
		return 0;
	}
	if (found == SONDE_DETECT_TLS) {
		c->state = CONN_ASKED_TLS;
		return 0;
	}
	__builtin_memset(&x->peer, 0, sizeof(x->peer));
	peer_address(&x->peer, (struct sock *)x->sk, role);
	if (found == SONDE_DETECT_STARTUP) {
		pg_startup(x->total, &x->peer);
		c->fe.skip = x->total; /* this message is not like the others */
	}
	c->peer = agg_peer(&x->peer);
	c->state = CONN_OPEN;
	count(SONDE_CNT_CONNS);
	return 0;
}

/** conn_init - a connection seen for the first time */
static __always_inline void conn_init(struct conn *c)
{
	u32 zero = 0;
	u64 *seq = bpf_map_lookup_elem(&conn_seq, &zero);

	if (seq)
		c->id = (u64)(bpf_get_smp_processor_id() + 1) << 48 | ++*seq;
}

/* Answer to a TLS request: one byte. Yes: nothing to read from here on. No: the startup message follows in clear. */
static __always_inline void conn_tls_answer(struct conn *c, struct xfer *x)
{
	struct sonde_win *w = window();

	if (!w || window_fill(0))
		return;
	if (x->total == 1 && (sonde_win_u8(w, 0) == 'S' || sonde_win_u8(w, 0) == 'G')) {
		c->state = CONN_IGNORED;
		count(SONDE_CNT_UNREADABLE_TLS);
		return;
	}
	c->state = CONN_UNKNOWN;
}

/** conn_owner - another process uses the connection, because it is new or was handed over; -1 if it is not traced */
__noinline int conn_owner(struct conn *c)
{
	struct sonde_proc proc;

	if (!c || !filter_pass())
		return -1;
	task_proc(&proc);
	agg_proc(&proc);
	c->proc = proc;
	return 0;
}

/**
 * conn_data - what both back ends end in: xfer->total bytes went over the socket xfer->sk
 * @sent: direction
 */
__noinline int conn_data(struct conn *c, u32 sent)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct xfer *x = xfer_get();
	u32 server;

	if (!c || !x)
		return 0;
	if (SONDE_UNLIKELY(c->proc.tgid != tgid) && conn_owner(c))
		return 0;
	if (SONDE_UNLIKELY(c->state != CONN_OPEN)) {
		if (c->state == CONN_IGNORED)
			return 0;
		if (c->state == CONN_ASKED_TLS) {
			if (sent != (c->role == SONDE_ROLE_CLIENT)) {
				conn_tls_answer(c, x);
				return 0;
			}
			c->state = CONN_UNKNOWN; /* the client went on without waiting */
		}
		conn_recognise(c, sent ? SONDE_ROLE_CLIENT : SONDE_ROLE_SERVER);
		if (c->state != CONN_OPEN)
			return 0;
	}
	server = sent != (c->role == SONDE_ROLE_CLIENT);
	x->conn = c->id;
	x->server = server;
	if (SONDE_UNLIKELY(server && c->be_flags & CONN_BE_LOST)) {
		stream_find(c, x);
		return 0;
	}
	if (SONDE_UNLIKELY(!server && c->fe_flags & CONN_FE_LOST)) {
		conn_recognise(c, c->role);
		if (c->fe_flags & CONN_FE_LOST)
			return 0;
	}
	stream_run(c, x, server);
	return 0;
}

/** conn_closed - end of file or a broken connection: nothing outstanding will complete */
static __always_inline void conn_closed(struct conn *c)
{
	if (c->state == CONN_OPEN && c->head != c->tail)
		track_drop(c, 1, SONDE_CNT_LOST_CLOSED);
}

struct user_mmsghdr {
	struct user_msghdr hdr;
	u32 len;
	u32 pad;
};

/* Whether a message of sendmmsg(2) went out short: the kernel stops there. */
static __always_inline bool mmsg_short(const struct xfer *x, u32 ret)
{
	u64 sum = 0;

	for (u32 i = 0; i < IOV_MAX_READ && i < x->nr_iov; i++) {
		struct iovec v;

		if (bpf_probe_read_user(&v, sizeof(v), (void *)(x->iov + i * sizeof(v))))
			return true;
		sum += v.iov_len;
	}
	return ret < sum;
}

/**
 * xfer_locate - find the user memory of the system call @call that transferred @ret bytes
 *
 * Returns false if it is a call whose buffers cannot be seen (counted).
 */
static __always_inline bool xfer_locate(struct xfer *x, const struct call *call, struct conn *c, u32 ret)
{
	u64 nr = call->nr, arg = call->arg1;

	x->buf = 0;
	x->iov = 0;
	x->nr_iov = 0;
	x->total = ret;
	x->carry = 0;
	x->pos = 0;
	x->win_off = 0;
	x->win_len = 0;
	switch (nr) {
	case NR_write:
	case NR_read:
	case NR_sendto:
	case NR_recvfrom:
		x->buf = arg;
		break;
	case NR_writev:
	case NR_readv:
		x->iov = arg;
		x->nr_iov = call->arg2;
		break;
	case NR_sendmmsg:
		if (c->mmsg_vec != arg) {
			c->mmsg_vec = arg;
			c->mmsg_next = 0;
		}
		arg += c->mmsg_next * sizeof(struct user_mmsghdr);
		/* fallthrough */
	case NR_sendmsg:
	case NR_recvmsg:
		if (bpf_probe_read_user(&x->hdr, sizeof(x->hdr), (void *)arg)) {
			count(SONDE_CNT_READ_FAULT);
			return false;
		}
		x->iov = (u64)x->hdr.msg_iov;
		x->nr_iov = x->hdr.msg_iovlen;
		if (nr == NR_sendmmsg && (++c->mmsg_next >= call->arg2 || mmsg_short(x, ret)))
			c->mmsg_vec = 0;
		break;
	case NR_io_uring_enter:
		count(SONDE_CNT_UNPARSED_IO_URING);
		return false;
	default:
		count(SONDE_CNT_UNPARSED_SYSCALL);
		return false;
	}
	if (SONDE_UNLIKELY(call->compat)) {
		count(SONDE_CNT_UNPARSED_COMPAT);
		return false;
	}
	return true;
}

/* The place in a stream of which bytes went by unseen. */
static __always_inline void conn_missed(struct conn *c, bool sent)
{
	if (c->state == CONN_OPEN)
		stream_lost(c, sent != (c->role == SONDE_ROLE_CLIENT));
}

/* ---- back end 1: the socket layer's tracepoints ---- */

static __always_inline struct conn *sk_conn(struct sock *sk, bool sent)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, 0);
	u32 family, zero = 0;
	struct conn *init;

	if (SONDE_LIKELY(c))
		return c;
	if (!sent && !(conf.roles & SONDE_ROLE_SERVER)) /* a client begins by sending */
		return NULL;
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

	if (!READ_ONCE(active))
		return 0;
	if (ret <= 0) {
		if (ret == -EAGAIN || ret == -EINTR || ret == -ERESTARTSYS)
			return 0;
		c = bpf_sk_storage_get(&conns, sk, 0, 0);
		if (c && !(sent && !ret))
			conn_closed(c);
		return 0;
	}
	c = sk_conn(sk, sent);
	if (!c || c->state == CONN_IGNORED)
		return 0;
	x = xfer_get();
	if (!x)
		return 0;
	call_get(&x->call, (void *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	if (!xfer_locate(x, &x->call, c, ret)) {
		conn_missed(c, sent);
		return 0;
	}
	x->now = bpf_ktime_get_ns();
	x->sk = (u64)sk;
	conn_data(c, sent);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_send, struct sock *sk, int ret, int flags)
{
	return sk_event(sk, ret, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sk_recv, struct sock *sk, int ret, int flags)
{
	if (flags & MSG_PEEK)
		return 0;
	return sk_event(sk, ret, false);
}

/*
 * ---- kernels that preempt programs on tracepoints (about 7.0 and later) ----
 *
 * Two things change there. Two programs could meet in the scratch memory of a processor: so they work with preemption
 * off. And while a program of one task is preempted, the kernel skips that program for all other tasks on the
 * processor, without a word: so each hook has a second one, which does the work if the first was skipped. These are
 * programs of their own because older kernels know neither the function nor calls from such a section.
 */
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

/** struct turn - the last event of a task that the first program has dealt with */
struct turn {
	u64 sk;
	s64 ret;
	u32 done;
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct turn);
} turns SEC(".maps");

static __always_inline struct turn *turn_get(void)
{
	return bpf_task_storage_get(&turns, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* First program: leaves word that it was here. */
static __always_inline void turn_first(struct turn *t, u64 sk, s64 ret)
{
	if (!t)
		return;
	t->sk = sk;
	t->ret = ret;
	t->done = 1;
}

/* Second program: true if the first has dealt with this event. */
static __always_inline bool turn_was(struct turn *t, u64 sk, s64 ret)
{
	bool was = t && t->done && t->sk == sk && t->ret == ret;

	if (t)
		t->done = 0;
	return was;
}

static __always_inline int sk_first(struct sock *sk, int ret, bool sent)
{
	if (ret == -EAGAIN)
		return 0;
	bpf_preempt_disable();
	turn_first(turn_get(), (u64)sk + sent, ret);
	sk_event(sk, ret, sent);
	bpf_preempt_enable();
	return 0;
}

static __always_inline int sk_second(struct sock *sk, int ret, bool sent)
{
	/* Nearly always it was: then without a section whose end invites preemption. */
	if (ret == -EAGAIN || turn_was(turn_get(), (u64)sk + sent, ret))
		return 0;
	bpf_preempt_disable();
	sk_event(sk, ret, sent);
	bpf_preempt_enable();
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_send_1st, struct sock *sk, int ret, int flags)
{
	return sk_first(sk, ret, true);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sk_send_2nd, struct sock *sk, int ret, int flags)
{
	return sk_second(sk, ret, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sk_recv_1st, struct sock *sk, int ret, int flags)
{
	return flags & MSG_PEEK ? 0 : sk_first(sk, ret, false);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sk_recv_2nd, struct sock *sk, int ret, int flags)
{
	return flags & MSG_PEEK ? 0 : sk_second(sk, ret, false);
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

/* ---- back end 3: the exit of system calls ---- */

/** fd_socket - find the stream socket behind @fd of the current task: xfer->key; 0, or -1 if it is none */
__noinline int fd_socket(u32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct xfer *x = xfer_get();
	struct socket *socket;
	struct file **fds;
	struct file *file;

	if (!x || fd >= BPF_CORE_READ(fdt, max_fds))
		return -1;
	fds = BPF_CORE_READ(fdt, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), fds + fd) || !file)
		return -1;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return -1;
	socket = BPF_CORE_READ(file, private_data);
	if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return -1;
	x->key.ino = BPF_CORE_READ(file, f_inode, i_ino);
	x->key.sk = (u64)BPF_CORE_READ(socket, sk);
	return 0;
}

static __always_inline struct conn *hash_conn(struct sock_key *key, bool sent)
{
	struct conn *c = bpf_map_lookup_elem(&conn_hash, key), *init;
	struct sock *sk = (void *)key->sk;
	u32 family, zero = 0;

	if (c)
		return c;
	if (!sent && !(conf.roles & SONDE_ROLE_SERVER))
		return NULL;
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

static __always_inline int exit_event(struct bpf_raw_tracepoint_args *ctx)
{
	long ret = ctx->args[1];
	struct call *call;
	struct conn *c;
	struct xfer *x;
	bool sent;

	x = xfer_get();
	if (!x || bpf_probe_read_kernel(&x->regs, sizeof(x->regs), (void *)ctx->args[0]))
		return 0;
	call = &x->call;
	call_get(call, &x->regs);
	switch (call->nr) {
	case NR_write:
	case NR_sendto:
	case NR_writev:
	case NR_sendmsg:
	case NR_sendmmsg:
		sent = true;
		break;
	case NR_read:
	case NR_recvfrom:
	case NR_readv:
	case NR_recvmsg:
		sent = false;
		break;
	default:
		return 0;
	}
	if (!READ_ONCE(active) || ret == -EAGAIN || ret == -EINTR || ret == -ERESTARTSYS || !filter_pass())
		return 0;
	if (!sent && ret > 0) {
		if ((call->nr == NR_recvfrom && call->arg3 & MSG_PEEK) || (call->nr == NR_recvmsg && call->arg2 & MSG_PEEK))
			return 0;
	}
	if (fd_socket(call->arg0))
		return 0;
	if (ret <= 0) {
		c = bpf_map_lookup_elem(&conn_hash, &x->key);
		if (c && !(sent && !ret))
			conn_closed(c);
		return 0;
	}
	c = hash_conn(&x->key, sent);
	if (!c || c->state == CONN_IGNORED)
		return 0;
	x->now = bpf_ktime_get_ns();
	x->sk = x->key.sk;
	if (call->nr == NR_sendmmsg) { /* the result counts messages; each one's length stands in the array */
		u64 vec = call->arg1;

		c->mmsg_vec = 0;
		for (u32 i = 0; i < MMSG_MAX && i < ret; i++) {
			u32 len = 0;

			bpf_probe_read_user(&len, sizeof(len),
					    (void *)(vec + i * sizeof(struct user_mmsghdr) +
						     offsetof(struct user_mmsghdr, len)));
			if (!len || !xfer_locate(x, call, c, len))
				break;
			conn_data(c, sent);
		}
		if (ret > MMSG_MAX)
			conn_missed(c, sent);
		return 0;
	}
	if (!xfer_locate(x, call, c, ret)) {
		conn_missed(c, sent);
		return 0;
	}
	conn_data(c, sent);
	return 0;
}

SEC("raw_tp/sys_exit")
int sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return exit_event(ctx);
}

/* Only calls that move data are worth a turn: the others pass both programs in a few instructions. */
static __always_inline bool exit_matters(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (void *)ctx->args[0];
	u64 nr;

#if defined(__TARGET_ARCH_x86)
	nr = BPF_CORE_READ(regs, orig_ax);
#else
	nr = (u32)BPF_CORE_READ(regs, syscallno);
#endif
	return (long)ctx->args[1] != -EAGAIN &&
	       (nr == NR_write || nr == NR_read || nr == NR_sendto || nr == NR_recvfrom || nr == NR_writev ||
		nr == NR_readv || nr == NR_sendmsg || nr == NR_recvmsg || nr == NR_sendmmsg);
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
	return 0;
}
