/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_plain.bpf.h - where the plaintext of TLS joins the bytes of sockets. Included once, by socket.bpf.c.
 *
 * From Linux 6.0 on, uprobe programs can be preempted, and another program could use the CPU's scratch memory meanwhile. So
 * they switch preemption off, where the kernel has that and takes calls of subprograms then; elsewhere they mark the
 * memory as in use, and who finds it so gives up its piece of the stream.
 */
#ifndef SONDE_TLS_PLAIN_BPF_H
#define SONDE_TLS_PLAIN_BPF_H

#include "traffic.bpf.h"
#include "turn.bpf.h"

/* Take the scratch memory; 0, or -1 if it is in use. */
static __always_inline int tls_take(void)
{
	u64 *busy;

	if (tls_guard == SONDE_TLS_PREEMPT_OFF) {
		bpf_preempt_disable();
	} else if (tls_guard == SONDE_TLS_BUSY_MARK) {
		busy = tls_busy_get();
		if (!busy || __sync_lock_test_and_set(busy, 1))
			return -1;
	}
	return 0;
}

static __always_inline void tls_give(void)
{
	u64 *busy;

	if (tls_guard == SONDE_TLS_PREEMPT_OFF) {
		bpf_preempt_enable();
	} else if (tls_guard == SONDE_TLS_BUSY_MARK) {
		busy = tls_busy_get();
		if (busy)
			*busy = 0;
	}
}

/**
 * tls_plaintext - plaintext at the user's @buf went through a TLS object
 * @how: its length, and TLS_SENT (an argument more takes 8 bytes of stack that are not there)
 */
__noinline int tls_plaintext(struct tls_conn *tc, u64 buf, u64 how, u64 now)
{
	u32 sent = how >> 32; /* 1, or 0 */
	struct xfer *x;

	if (!tc)
		return 0;
	if (tls_take()) {
		count(SONDE_CNT_TLS_BUSY);
		if (tc->c.state == CONN_OPEN)
			stream_lost(&tc->c, sent != (tc->c.role == SONDE_ROLE_CLIENT));
		return 0;
	}
	x = xfer_get();
	if (x) {
		x->now = now;
		x->sk = tc->head.sk;
		x->buf = buf;
		x->iov = 0;
		x->nr_iov = 0;
		x->total = (u32)how;
		x->carry = 0;
		x->pos = 0;
		x->win_off = 0;
		x->win_len = 0;
		conn_bytes(&tc->c, sent);
		tls_flavour(tc);
		tc->head.outstanding = tc->c.tail - tc->c.head;
	}
	tls_give();
	return 0;
}

/** tls_end - a TLS object goes */
__noinline int tls_end(struct tls_conn *tc)
{
	if (!tc || tc->c.state != CONN_OPEN || tc->c.head == tc->c.tail || tls_take())
		return 0;
	conn_closed(&tc->c);
	tls_give();
	return 0;
}

/* Loaded alone, to find out whether this kernel takes calls of subprograms with preemption off (Linux 6.15). */
__noinline int tls_try_call(u32 n)
{
	u64 *busy = tls_busy_get();

	return busy ? *busy + n : 0;
}

SEC("uprobe")
int tls_try(struct pt_regs *ctx)
{
	int n;

	bpf_preempt_disable();
	n = tls_try_call(PT_REGS_PARM1(ctx));
	bpf_preempt_enable();
	return n & 1;
}

#endif /* SONDE_TLS_PLAIN_BPF_H */
