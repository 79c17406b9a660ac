/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * locate.bpf.h - where in user memory the bytes lie that a system call transferred.
 */
#ifndef SONDE_LOCATE_BPF_H
#define SONDE_LOCATE_BPF_H

#include "conn.bpf.h"
#include "window.bpf.h"

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
 * xfer_locate - find the user memory of the system call xfer->call that transferred @ret bytes
 *
 * Returns 0, or the counter of the reason why they cannot be seen; xfer->total is right in either case.
 */
__noinline int xfer_locate(struct conn *c, u32 ret)
{
	struct xfer *x = xfer_get();
	const struct call *call;
	u64 nr, arg;

	if (!c || !x)
		return SONDE_CNT_HELPER_FAILED;
	call = &x->call;
	nr = call->nr;
	arg = call->arg1;

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
			return SONDE_CNT_READ_FAULT;
		}
		x->iov = (u64)x->hdr.msg_iov;
		x->nr_iov = x->hdr.msg_iovlen;
		if (nr == NR_sendmmsg && (++c->mmsg_next >= call->arg2 || mmsg_short(x, ret)))
			c->mmsg_vec = 0;
		break;
	case NR_io_uring_enter:
		return SONDE_CNT_UNPARSED_IO_URING;
	default:
		return SONDE_CNT_UNPARSED_SYSCALL;
	}
	return SONDE_UNLIKELY(call->compat) ? SONDE_CNT_UNPARSED_COMPAT : 0;
}

#endif /* SONDE_LOCATE_BPF_H */
