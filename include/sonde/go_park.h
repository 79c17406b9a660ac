/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * go_park.h - why a goroutine is parked: what the loader tells the kernel side of a Go program's code, and how that is read.
 *
 * Who parks a goroutine calls runtime.gopark(), which leaves where it stands in the goroutine's runtime.g (gobuf, by mcall(); offsets
 * from src/runtime/runtime2.go, the same from Go 1.17 to 1.27 but for the frame pointer). From there frame pointers lead to who called:
 * the compiler makes them on amd64 and arm64.
 *
 * Pure: the same in the kernel and in tests.
 */
#ifndef SONDE_GO_PARK_H
#define SONDE_GO_PARK_H

#include "base.h"

/* What a function says of a goroutine that is parked in it. */
enum sonde_go_kind {
	SONDE_GO_NONE = 0,
	SONDE_GO_PARKS, /* the one that parks */
	SONDE_GO_PASSES, /* its caller says it */
	SONDE_GO_SLEEP,
	SONDE_GO_CHANNEL, /* for other goroutines, or a timer's channel */
	SONDE_GO_NETWORK, /* for a descriptor */
	SONDE_GO_LOCK, /* a semaphore: a lock, unless its caller says otherwise */
	SONDE_GO_GROUP, /* for other goroutines, on a semaphore */
};

enum {
#define SONDE_GO_FN(symbol, name, kind) SONDE_GO_FN_##symbol,
#include "go_park.def"
#undef SONDE_GO_FN
	SONDE_GO_FNS,
};

/**
 * struct sonde_go_code - a function's code
 * @from: distance of its first byte from the probe on runtime.execute(), modulo 2^64
 * @bytes: 0 if the program does not have it
 */
struct sonde_go_code {
	u64 from;
	u64 bytes;
};

/** struct sonde_go_parks - the functions of go_park.def in one program */
struct sonde_go_parks {
	struct sonde_go_code fn[SONDE_GO_FNS];
};

#define SONDE_GO_GOBUF 56 /* offset of sched in runtime.g */

/**
 * struct sonde_gobuf - where a goroutine goes on, as it was up to Go 1.24
 * @lr_or_bp: 0 there while the goroutine is parked; later versions have @ret_or_lr for both, and the frame pointer here
 */
struct sonde_gobuf {
	u64 sp;
	u64 pc;
	u64 g;
	u64 ctxt;
	u64 ret_or_lr;
	u64 lr_or_bp;
	u64 bp;
};

/** struct sonde_go_frame - what a frame pointer points to */
struct sonde_go_frame {
	u64 bp;
	u64 ret;
};

#define SONDE_GO_FRAME_MAX 4096u /* bytes that the frames in question are above the stack pointer, at most */

/** sonde_go_kind_of - of the function that the code at distance @at from the probe belongs to */
SONDE_INLINE u32 sonde_go_kind_of(const struct sonde_go_parks *parks, u64 at)
{
	u32 found = SONDE_GO_NONE;

#define SONDE_GO_FN(symbol, name, kind)                                                                                \
	if (at - parks->fn[SONDE_GO_FN_##symbol].from < parks->fn[SONDE_GO_FN_##symbol].bytes)                         \
		found = SONDE_GO_##kind;
#include "go_park.def"
#undef SONDE_GO_FN
	return found;
}

/** sonde_go_is_frame - whether @bp can be a frame pointer of a goroutine whose stack pointer is @sp (on arm64 it is 8 below that) */
SONDE_INLINE bool sonde_go_is_frame(u64 bp, u64 sp)
{
	return bp + 16 - sp < SONDE_GO_FRAME_MAX;
}

/** sonde_go_bp - the frame pointer in @buf */
SONDE_INLINE u64 sonde_go_bp(const struct sonde_gobuf *buf)
{
	return sonde_go_is_frame(buf->lr_or_bp, buf->sp) ? buf->lr_or_bp : buf->bp;
}

#endif /* SONDE_GO_PARK_H */
