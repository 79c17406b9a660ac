/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unwind.h - how callers are found without frame pointers: rows made from .eh_frame, and what they mean (x86-64).
 *
 * A table is an array of rows sorted by address. A row says, for the instructions from its address to the next row's, where the
 * frame begins (the CFA, canonical frame address: the stack pointer before the call) and where the caller's frame pointer
 * lies. The return address stands below the CFA. On arm64 programs keep frame pointers: there are no tables there.
 */
#ifndef SONDE_UNWIND_H
#define SONDE_UNWIND_H

#include "base.h"
#include "key.h"

/** enum sonde_unwind_kind - what a row says; offsets are words of 8 bytes */
enum sonde_unwind_kind {
	SONDE_UNWIND_NONE, /* no function is here */
	SONDE_UNWIND_SP, /* CFA = stack pointer + @cfa */
	SONDE_UNWIND_BP, /* CFA = frame pointer + @cfa */
	SONDE_UNWIND_PLT, /* CFA = stack pointer + 8, and 8 more from byte @cfa of each 16-byte entry on */
	SONDE_UNWIND_AT_SP, /* CFA = word at stack pointer + @cfa (15 bits, signed), SONDE_UNWIND_AT_PLUS: and 8 more */
	SONDE_UNWIND_AT_BP, /* the same from the frame pointer */
	SONDE_UNWIND_SIGNAL, /* all registers stand in the signal frame at the stack pointer */
	SONDE_UNWIND_OUTERMOST, /* nobody called this function: _start, clone() */
	SONDE_UNWIND_ODD, /* a rule that is none of these */
};

#define SONDE_UNWIND_KIND 0x0f
#define SONDE_UNWIND_BP_LOST 0x10 /* the caller's frame pointer cannot be told */
#define SONDE_UNWIND_BP_AT_BP 0x20 /* it lies at frame pointer + @bp, not at CFA + @bp */
#define SONDE_UNWIND_AT_PLUS 0x8000u

/** struct sonde_unwind_row - @pc: from the table's beginning; @kind: enum sonde_unwind_kind and flags; @bp 0: unchanged */
struct sonde_unwind_row {
	u32 pc;
	u16 cfa;
	s8 bp;
	u8 kind;
};

/**
 * struct sonde_unwind_map - executable memory of a process
 * @bias: an address less this is the address in the table
 * @first, @nr: its table among all rows; @nr 0: it has none, frame pointers are followed
 */
struct sonde_unwind_map {
	u64 start;
	u64 end;
	u64 bias;
	u32 first;
	u32 nr;
};

/** struct sonde_unwind_space - the mappings of a process among those of all, sorted by address */
struct sonde_unwind_space {
	u32 first;
	u32 nr;
};

#define SONDE_UNWIND_ROWS_LOG2 22 /* rows of all tables at most, 8 bytes each */
#define SONDE_UNWIND_MAPS_LOG2 16 /* mappings of all processes at most */
#define SONDE_UNWIND_SPACES 16384 /* processes */

#define SONDE_UNWIND_FRAMES 127u /* addresses of a user stack that are kept */
#define SONDE_UNWIND_KERNEL_FRAMES 64u

/** enum sonde_unwind_end - why a walk ended; unwind.def says it in words */
enum sonde_unwind_end {
#define SONDE_UNWIND_END(symbol, name, text) SONDE_UNWIND_END_##symbol,
#include "unwind.def"
#undef SONDE_UNWIND_END
	SONDE_UNWIND_END_MAX
};

/** struct sonde_sample_key - @round: user space takes the samples of a round once the next one has begun */
struct sonde_sample_key {
	struct sonde_proc proc;
	u64 hash; /* of the addresses */
	u32 round;
	u32 tid; /* 0: threads are not told apart */
};

/**
 * struct sonde_sample - one stack, and how much of it there was
 * @weight: samples, or nanoseconds, as its source counts
 * @ip: user addresses from the innermost on, then kernel addresses from @ip[SONDE_UNWIND_FRAMES + 1] on
 */
struct sonde_sample {
	u64 count;
	u64 weight;
	u16 nr_user;
	u16 nr_kernel;
	u8 end; /* enum sonde_unwind_end */
	u8 pad[3];
	char comm[SONDE_COMM_BYTES]; /* of the process */
	u64 ip[SONDE_UNWIND_FRAMES + 1 + SONDE_UNWIND_KERNEL_FRAMES];
};

_Static_assert(sizeof(struct sonde_unwind_row) == 8, "no holes");
_Static_assert(sizeof(struct sonde_unwind_map) == 32, "no holes");
_Static_assert(sizeof(struct sonde_sample_key) == 24, "no holes");
_Static_assert(sizeof(struct sonde_sample) == 40 + 8 * (SONDE_UNWIND_FRAMES + 1 + SONDE_UNWIND_KERNEL_FRAMES),
	       "no holes");

#endif /* SONDE_UNWIND_H */
