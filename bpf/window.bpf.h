/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * window.bpf.h - the bytes of a send or receive, wherever they lie, brought into the window a piece at a time.
 *
 * Positions count from the first byte kept from the last time (map `carry`), if any, then on through the user
 * memory: one buffer, or up to IOV_MAX_READ pieces of a struct iovec array.
 */
#ifndef SONDE_WINDOW_BPF_H
#define SONDE_WINDOW_BPF_H

#include "conn.bpf.h"
#include "sql.bpf.h"

#define IOV_MAX_READ 32 /* pieces of a writev or sendmsg that are looked at in one window */
#define IOV_MAX_SKIP 256 /* pieces in one window's place that are passed by */
#define PIECE_BYTES SONDE_WIN_SLACK /* longest piece copied at once */

/* For functions that stand last in the longest chain of calls the kernel allows. */
static __always_inline struct sonde_win *window_leaf(void)
{
	u32 slot = 0;

	return bpf_map_lookup_elem(&win, &slot);
}

/*
 * This CPU's window. Not inlined: the kernel replaces each look-up by its own instructions, and moves the whole program for it; a
 * hundred of them were a quarter of the time that loading takes.
 */
static __noinline __attribute__((unused)) struct sonde_win *window(void)
{
	return window_leaf();
}

/* Passes by the pieces before byte @skip for good, as windows only move forward; returns what is left of @skip. */
static __always_inline u32 window_forward(struct xfer *x, u32 skip)
{
	for (u32 i = 0; i < IOV_MAX_SKIP && x->nr_iov; i++) {
		struct iovec v;

		if (bpf_probe_read_user(&v, sizeof(v), (void *)x->iov) || skip < v.iov_len)
			break;
		skip -= v.iov_len;
		x->iov_off += v.iov_len;
		x->iov += sizeof(v);
		x->nr_iov--;
	}
	return skip;
}

/*
 * Copies what the pieces hold from byte @skip on to @at in the window, at most @left bytes: memory behind what was
 * received may never have been touched, and cannot be read then. Returns the position behind the last byte.
 */
static __always_inline int window_gather(struct xfer *x, struct sonde_win *w, u32 at, u32 skip, u32 left)
{
	for (u32 i = 0; i < IOV_MAX_READ; i++) {
		struct iovec v;
		u64 len;

		if (i >= x->nr_iov || at >= SONDE_WIN_BYTES || !left)
			break;
		if (bpf_probe_read_user(&v, sizeof(v), (void *)(x->iov + i * sizeof(v))))
			return -1;
		len = v.iov_len;
		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		if (len > left)
			len = left;
		if (len > PIECE_BYTES)
			len = PIECE_BYTES; /* the rest is not reached: the window ends here */
		if (bpf_probe_read_user(&w->b[at & (SONDE_WIN_BYTES - 1)], len, v.iov_base + skip))
			return -1;
		at += len;
		left -= len;
		if (len + skip < v.iov_len)
			break;
		skip = 0;
	}
	return at < SONDE_WIN_BYTES ? at : SONDE_WIN_BYTES;
}

/** window_fill - make the window begin at position @off; 0, or -1 if the memory cannot be read */
__noinline int window_fill(u32 off)
{
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	u32 at = 0, user = 0, left;
	int end;

	if (!w || !x)
		return -1;
	if (!x->win_len) /* the first window of this send or receive */
		x->iov_off = 0;
	if (off < x->carry) {
		struct carry_key key = { .conn = x->conn, .server = x->server };
		struct carry *c = bpf_map_lookup_elem(&carry, &key);

		at = x->carry;
		if (!c || off || at > CARRY_BYTES)
			return -1;
		bpf_probe_read_kernel(w->b, at, c->b);
	} else {
		user = off - x->carry;
	}
	left = x->total - x->carry - user;
	if (x->buf) {
		/* Behind the kept bytes as much as goes in: the slack takes what does not. */
		if (left > SONDE_WIN_BYTES)
			left = SONDE_WIN_BYTES;
		if (at > CARRY_BYTES)
			return -1;
		if (bpf_probe_read_user(&w->b[at], left, (void *)(x->buf + user)))
			return -1;
		end = at + left < SONDE_WIN_BYTES ? at + left : SONDE_WIN_BYTES;
	} else {
		end = window_gather(x, w, at, window_forward(x, user - x->iov_off), left);
		if (end < 0)
			return -1;
	}
	x->win_off = off;
	x->win_len = end;
	return end > (int)at || !left ? 0 : -1;
}

/** window_keep - keep everything from the current position on for the next send or receive; returns its length or 0 */
__noinline u32 window_keep(void)
{
	struct carry_key key = {};
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	struct carry *c;
	u32 len, at;

	if (!w || !x)
		return 0;
	key.conn = x->conn;
	key.server = x->server;
	len = x->total - x->pos;
	at = x->pos - x->win_off;
	if (len > CARRY_BYTES || at + len > x->win_len)
		goto full;
	c = bpf_map_lookup_elem(&carry, &key);
	if (!c) {
		bpf_map_update_elem(&carry, &key, w, BPF_ANY);
		c = bpf_map_lookup_elem(&carry, &key);
		if (!c)
			goto full;
	}
	if (len > CARRY_BYTES)
		goto full;
	if (!bpf_probe_read_kernel(c->b, len, &w->b[at & (SONDE_WIN_BYTES - 1)]))
		return len;
full:
	count(SONDE_CNT_CARRY_FULL);
	return 0;
}

/* The parser's loops as subprograms of their own (proto.h): each is verified once. */
__noinline u64 window_scan_name(u32 pos)
{
	struct sonde_win *w = window();

	return w ? sonde_win_scan_name(w, pos) : (u64)SONDE_NAME_SCAN_NONE << 48;
}

__noinline u64 window_tail_number(u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_win_tail_number(w, end) : 0;
}

#define SCAN_TEXT_STEP 128u /* bytes looked at by one call: the verifier follows a loop's every way out of it */

__noinline u32 window_scan_step(u32 pos)
{
	struct sonde_win *w = window();

	return w ? sonde_win_scan_text(w, pos, SCAN_TEXT_STEP) : 0;
}

__noinline u32 window_scan_text(u32 pos, u32 max)
{
	u32 len = 0, n;

	for (u32 i = 0; i < SONDE_WIN_BYTES / SCAN_TEXT_STEP && len < max; i++) {
		n = window_scan_step(pos + len);
		len += n;
		if (n < SCAN_TEXT_STEP)
			break;
	}
	return len;
}

/** window_hash_text - sonde_win_hash_text() */
__noinline u64 window_hash_text(u32 pos, u32 len)
{
	struct sonde_win *w = window();

	return w ? sonde_win_hash_text(w, pos, len) : 0;
}

#undef SONDE_SCAN_NAME
#undef SONDE_SCAN_TEXT
#undef SONDE_TAIL_NUMBER
#define SONDE_SCAN_NAME(w, pos) window_scan_name(pos)
#define SONDE_SCAN_TEXT(w, pos, max) window_scan_text(pos, max)
#define SONDE_TAIL_NUMBER(w, end) window_tail_number(end)

#endif /* SONDE_WINDOW_BPF_H */
