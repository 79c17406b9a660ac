/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proto.bpf.h - a protocol's place in the kernel: the pure parser wrapped in subprograms that are verified one by one.
 *
 * bpf/proto/<p>.bpf.h includes this, then its parser, and says:
 *
 *	BPF_PROTO_ROWS_NONE(<p>)     or a function <p>_rows() of its own: passes by runs of messages that only carry data
 *	BPF_PROTO_FIND_NONE(<p>)     or BPF_PROTO_FINDS(<p>) { }: tells the end of a reply when the place is lost
 *	BPF_PROTO(<p>)
 */
#ifndef SONDE_PROTO_BPF_H
#define SONDE_PROTO_BPF_H

#include "track.bpf.h"

/*
 * Describe one message in x->msg: enum sonde_parse. Who calls it acts on it (stream.bpf.h). Two subprograms, as the chain of
 * calls has 512 bytes of stack in all.
 */
#define BPF_PROTO_SIDE(name, side)                                                                                     \
	__noinline int name##_##side(struct conn *c, u32 at, u32 end)                                                  \
	{                                                                                                              \
		struct sonde_win *w = window();                                                                        \
		struct xfer *x = xfer_get();                                                                           \
                                                                                                                       \
		if (!c || !w || !x || at > end)                                                                        \
			return SONDE_PARSE_BAD;                                                                        \
		return sonde_##name##_##side(w, at, end - at, &c->st, &x->msg);                                        \
	}

#define BPF_PROTO(name)                                                                                                \
	BPF_PROTO_SIDE(name, client)                                                                                   \
	BPF_PROTO_SIDE(name, server)                                                                                   \
                                                                                                                       \
	/* enum sonde_detect for the data in the window, @total bytes on the wire */                                   \
	__noinline int name##_detect(struct conn *c, u32 total, u32 avail)                                             \
	{                                                                                                              \
		struct sonde_win *w = window();                                                                        \
                                                                                                                       \
		barrier_var(total); /* if unused, callers would not set it: the verifier sees that */                  \
		return c && w ? sonde_##name##_detect(w, total, avail, &c->st) : SONDE_DETECT_NO;                      \
	}                                                                                                              \
                                                                                                                       \
	/* 1: @total bytes that begin with @head may be this protocol; verified once, whatever the others say */       \
	__noinline u32 name##_plausible(u64 head, u32 total)                                                           \
	{                                                                                                              \
		barrier_var(total);                                                                                    \
		return sonde_##name##_plausible(head, total) ? 1 : 0;                                                  \
	}

/* Length of the run at @at, 0 if there is none. */
#define BPF_PROTO_ROWS_NONE(name)                                                                                      \
	static __always_inline int name##_rows(struct conn *c, u32 at, u32 end, u32 server)                            \
	{                                                                                                              \
		return 0;                                                                                              \
	}

/*
 * Whether what was just received ends with the end of all replies outstanding. A protocol of which that cannot be told is
 * found again when the client says something new: then everything asked before counts as lost.
 */
#define BPF_PROTO_FIND_NONE(name)                                                                                      \
	enum { name##_finds = 0 };                                                                                     \
	static __always_inline bool name##_find(struct xfer *x)                                                        \
	{                                                                                                              \
		return false;                                                                                          \
	}

#define BPF_PROTO_FINDS(name)                                                                                          \
	enum { name##_finds = 1 };                                                                                     \
	static __always_inline bool name##_find(struct xfer *x)

#endif /* SONDE_PROTO_BPF_H */
