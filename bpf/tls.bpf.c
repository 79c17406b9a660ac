// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls.bpf.c - plaintext that processes write to and read from their TLS libraries, seen through uprobes.
 *
 * What a call has moved is known when it returns. Its bytes then take the way of those of a socket, as a connection of
 * their own (tls.bpf.h); which socket is below it the socket hooks find out (tls_tie.bpf.h).
 */
#define COUNT_PREEMPTIBLE
#include "site.bpf.h"
#include "tls.bpf.h"
#include "filter.bpf.h"
#include "go.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* What the stack pointer will be after the function has returned. */
static __always_inline u64 return_sp(struct pt_regs *ctx)
{
#ifdef __TARGET_ARCH_x86
	return PT_REGS_SP(ctx) + 8;
#else
	return PT_REGS_SP(ctx);
#endif
}

/* The socket of an object that reads first, presumed by what the thread has just received. */
static __noinline int presume(struct tls_conn *tc, struct tls_thread *t, u32 len)
{
	for (u32 i = 0; i < TLS_GOT; i++) {
		if (!t->got_len[i])
			return 0;
		if (!tls_fits(t->got_len[i], len))
			continue;
		tc->head.sk = t->got_sk;
		tc->head.sock = t->got_sock;
		tc->presumed = 1;
		t->got_sk = 0; /* once only: the socket may be gone later */
		return 0;
	}
	return 0;
}

/* Returns 0 if the return of the call is wanted. */
static __noinline int call_begins(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), sp = return_sp(ctx);
	u64 second = PT_REGS_PARM2(ctx), third = PT_REGS_PARM3(ctx);
	u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	u32 how = cookie & 0xff, d;
	struct tls_thread *t;
	struct tls_call *call;

	/* All are read: the verifier allows no computed offset into the registers. */
	barrier_var(second);
	barrier_var(third);
	barrier_var(fourth);
	barrier_var(fifth);
	if (!READ_ONCE(active) || filter_rejected())
		return 1;
	if (how == SONDE_TLS_TYPED && (u32)second != SONDE_TLS_APPLICATION_DATA)
		return 1;
	t = tls_thread_make(bpf_get_current_pid_tgid());
	if (!t)
		return 1;
	/* Frames at or below this one were left without a return (longjmp). */
	d = t->depth;
	for (u32 i = 0; i < TLS_FRAMES; i++) {
		if (!d || t->call[(d - 1) & (TLS_FRAMES - 1)].sp > sp)
			break;
		d--;
	}
	if (d >= TLS_FRAMES)
		return 1;
	call = &t->call[d & (TLS_FRAMES - 1)];
	call->obj = PT_REGS_PARM1(ctx);
	call->buf = how == SONDE_TLS_TYPED ? third : second;
	call->out = how == SONDE_TLS_OUT5 ? fifth : fourth;
	call->sp = sp;
	call->cookie = cookie;
	call->begin_ns = cookie & SONDE_TLS_SENT ? bpf_ktime_get_ns() : 0;
	t->depth = d + 1;
	return 0;
}

/* The connection of the object at @ptr of the current process, made if the process is traced. */
static __noinline struct tls_conn *conn_of(u64 ptr)
{
	struct sonde_tls_key key = { .ptr = ptr, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct tls_conn *tc = bpf_map_lookup_elem(&tls_conns, &key);

	if (tc)
		return tc;
	if (!filter_pass()) {
		filter_reject();
		return NULL;
	}
	return tls_conn_make(&key);
}

/* @len bytes of plaintext at @buf went through the object at @ptr. */
static __always_inline void plaintext(u64 ptr, struct tls_thread *t, u64 buf, u32 len, bool sent, u64 now)
{
	struct tls_conn *tc = conn_of(ptr);

	if (!tc || tc->c.state == CONN_IGNORED)
		return;
	if (t && sent) {
		t->wrote = tc->head.sock && !tc->presumed ? 0 : ptr;
		t->wrote_len = len;
	} else if (t && !tc->head.sock && t->got_sk) {
		presume(tc, t, len);
	}
	tls_plaintext(tc, buf, sent ? TLS_SENT | len : len, now);
}

/* The other end has said that nothing more will come; or (@gone) the object is given up. */
static __noinline int object_ends(u64 ptr, bool gone)
{
	struct sonde_tls_key key = { .ptr = ptr, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct tls_conn *tc = bpf_map_lookup_elem(&tls_conns, &key);

	if (!tc)
		return 0;
	tls_end(tc);
	if (gone)
		bpf_map_delete_elem(&tls_conns, &key);
	return 0;
}

static __always_inline int call_returns(struct pt_regs *ctx)
{
	u64 now = bpf_ktime_get_ns(), thread = bpf_get_current_pid_tgid(), sp = PT_REGS_SP(ctx), len;
	struct tls_thread *t = bpf_map_lookup_elem(&tls_threads, &thread);
	s32 rc = PT_REGS_RC(ctx);
	struct tls_call *call = NULL;
	u32 how, d;
	bool sent;

	if (!t)
		return 0;
	d = t->depth;
	for (u32 i = 0; i < TLS_FRAMES; i++) {
		struct tls_call *top = &t->call[(d - 1) & (TLS_FRAMES - 1)];

		if (!d || top->sp > sp)
			break;
		d--;
		if (top->sp == sp) {
			call = top;
			break;
		}
	}
	t->depth = d;
	if (!call || rc < 0)
		return 0;
	how = call->cookie & 0xff;
	sent = call->cookie & SONDE_TLS_SENT;
	if (!rc) {
		if (!sent && (how == SONDE_TLS_PLAIN || how == SONDE_TLS_TYPED))
			object_ends(call->obj, false);
		return 0;
	}
	len = rc;
	if ((how == SONDE_TLS_OUT4 || how == SONDE_TLS_OUT5) &&
	    bpf_probe_read_user(&len, sizeof(len), (void *)call->out)) {
		count(SONDE_CNT_READ_FAULT);
		return 0;
	}
	if (!len || len > 0x7fffffff)
		return 0;
	plaintext(call->obj, t, call->buf, len, sent, sent ? call->begin_ns : now);
	return 0;
}

/* Go's crypto/tls, register ABI: see user/load/go.h. */

#define GO_RECORD_MIN                                                                                                  \
	1024u /* crypto/tls cuts the first records shorter than a packet: only smaller ones tell their length */

struct map_tls_go_def tls_go SEC(".maps");

/* At one of the return instructions, before it is executed. */
static __always_inline int go_returns(struct pt_regs *ctx)
{
	u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(ctx), tgid = bpf_get_current_pid_tgid() >> 32;
	struct tls_go_key key = { .g = GO_G(ctx), .who = tgid << 1 | !!(cookie & SONDE_TLS_SENT) };
	struct tls_go_call *found = bpf_map_lookup_elem(&tls_go, &key), call;
	s64 n = GO_ARG1(ctx);

	if (!found)
		return 0;
	call = *found;
	bpf_map_delete_elem(&tls_go, &key);
	if (n > 0 && n < 0x7fffffff)
		plaintext(call.obj, NULL, call.buf, n, cookie & SONDE_TLS_SENT,
			  cookie & SONDE_TLS_SENT ? call.begin_ns : now);
	site_drop(); /* Go keeps frame pointers */
	return 0;
}

/* One program for both ends (uprobe session, Linux 6.13): at the return the instruction pointer is the caller's. */
SEC("uprobe")
int tls_both(struct pt_regs *ctx)
{
	if (PT_REGS_IP(ctx) != bpf_get_func_ip(ctx)) {
		call_returns(ctx);
		site_take(ctx, &site_both);
		return 0;
	}
	if (bpf_get_attach_cookie(ctx) & SONDE_TLS_GO_RETURN) {
		go_returns(ctx);
		return 1; /* this place has no return: never one on Go's stack */
	}
	return call_begins(ctx);
}

SEC("uprobe")
int tls_begin(struct pt_regs *ctx)
{
	call_begins(ctx);
	return 0;
}

SEC("uretprobe")
int tls_return(struct pt_regs *ctx)
{
	if (bpf_get_attach_cookie(ctx) & SONDE_TLS_GO_RETURN)
		return go_returns(ctx);
	call_returns(ctx);
	site_take(ctx, &site_probe);
	return 0;
}

/* The object goes. */
SEC("uprobe")
int tls_free(struct pt_regs *ctx)
{
	object_ends(PT_REGS_PARM1(ctx), true);
	return 0;
}

SEC("uprobe")
int tls_go_begin(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), thread = bpf_get_current_pid_tgid();
	struct tls_go_key key = { .g = GO_G(ctx), .who = thread >> 32 << 1 | !!(cookie & SONDE_TLS_SENT) };
	struct tls_go_call call = { .obj = GO_ARG1(ctx), .buf = GO_ARG2(ctx), .begin_ns = bpf_ktime_get_ns() };
	struct sonde_tls_key conn = { .ptr = call.obj, .tgid = thread >> 32 };
	struct tls_conn *tc;
	struct tls_thread *t;

	if (!READ_ONCE(active) || filter_rejected())
		return 0;
	bpf_map_update_elem(&tls_go, &key, &call, BPF_ANY);
	if (!(cookie & SONDE_TLS_SENT))
		return 0;
	/* It is sent before the call returns, on this thread as a rule: the record's length tells if so. */
	tc = bpf_map_lookup_elem(&tls_conns, &conn);
	if (tc && tc->head.sock && !tc->presumed)
		return 0;
	t = tls_thread_make(thread);
	if (!t)
		return 0;
	t->wrote = GO_ARG3(ctx) < GO_RECORD_MIN ? call.obj : 0;
	t->wrote_len = GO_ARG3(ctx);
	return 0;
}

SEC("uprobe")
int tls_go_close(struct pt_regs *ctx)
{
	object_ends(GO_ARG1(ctx), true);
	return 0;
}
