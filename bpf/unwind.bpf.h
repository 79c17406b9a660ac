/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unwind.bpf.h - taking user stacks with the tables that user space makes from .eh_frame, and adding samples up.
 */
#ifndef SONDE_UNWIND_BPF_H
#define SONDE_UNWIND_BPF_H

#include "sonde.bpf.h"
#include "sonde/unwind.h"

/* Who takes a stack has a slot of its own of each CPU's memory: one may interrupt the other. */
#define UNWIND_SLOT_SAMPLE 0 /* the profiler's interrupt */
#define UNWIND_SLOT_HOOK 1 /* tracepoints */
#define UNWIND_SLOT_PROBE 2 /* uprobes, the first of those that unwind_take() gives out */
#define UNWIND_SLOTS 6

/**
 * struct unwind_walk - a walk, and the sample that it fills
 * @ip, @sp, @bp: registers of the frame it is at
 * @space: what the process has mapped
 * @hash: of the addresses so far
 * @compat: a 32-bit program's: there are no tables for these
 * @taken: by unwind_take()
 * @plain: all return addresses were found where @at says, that of frame i + 1 at @at[i + 1]
 * @by_bp: some frame was found by the frame pointer
 * @exact: @ip is an instruction to be executed, not one that a call returns to
 */
struct unwind_walk {
	u64 ip, sp, bp;
	u64 hash;
	struct sonde_unwind_space space;
	u32 taken;
	u32 exact;
	u16 over;
	u16 compat;
	u32 by_bp;
	u64 at[SONDE_UNWIND_FRAMES + 1];
	u64 plain;
	struct sonde_sample sample;
};

struct map_uw_walks_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, UNWIND_SLOTS);
	__type(key, u32);
	__type(value, struct unwind_walk);
};

/* Samples, until user space takes them. Preallocated: programs of perf events may use no other map before Linux 6.2. */
struct map_uw_samples_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct sonde_sample_key);
	__type(value, struct sonde_sample);
};

extern struct map_uw_walks_def uw_walks SEC(".maps");
extern struct map_uw_samples_def uw_samples SEC(".maps");

/* struct sonde_sample_key.round of samples that are taken now */
extern u32 uw_round;

static __always_inline struct unwind_walk *unwind_walk(u32 slot)
{
	return bpf_map_lookup_elem(&uw_walks, &slot);
}

/**
 * unwind_take - a slot for a program on a uprobe: another may preempt it on its processor and take a stack, too
 *
 * Returns the slot, or 0 if all are taken. To be given back with unwind_give(). A call, so that the verifier does not follow each slot.
 */
u32 unwind_take(void);

static __always_inline void unwind_give(u32 slot)
{
	struct unwind_walk *w = unwind_walk(slot);

	if (w)
		__sync_lock_test_and_set(&w->taken, 0);
}

/* Where the user code of the current task stands, from its saved registers. */
static __always_inline void unwind_from_regs(struct unwind_walk *w, const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	w->ip = regs->ip;
	w->sp = regs->sp;
	w->bp = regs->bp;
	w->compat = (regs->cs & 0xffff) == 0x23; /* __USER32_CS */
#elif defined(__TARGET_ARCH_arm64)
	w->ip = regs->pc;
	w->sp = regs->sp;
	w->bp = regs->regs[29];
	w->compat = 0;
#endif
}

/**
 * unwind_user - walk up from the registers in the walk of @slot; its sample's user part is filled
 *
 * The innermost address is the instruction itself, the others are return addresses. Returns 0.
 */
int unwind_user(u32 slot);

/** unwind_count - add the sample of @slot, worth @weight, to those of its process; @tid 0: whatever thread it is. Returns 0 */
int unwind_count(u32 slot, u32 tid, u64 weight);

#endif /* SONDE_UNWIND_BPF_H */
