/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * offcpu_stack.bpf.h - stacks of threads that wait, and of those that end it: walked once, recognised afterwards. Only for
 *			offcpu.bpf.c.
 */
#ifndef SONDE_OFFCPU_STACK_BPF_H
#define SONDE_OFFCPU_STACK_BPF_H

#include "agg.bpf.h"
#include "unwind.bpf.h"
#include "wait.bpf.h"
#include "sonde/offcpu.h"

/* Names of the current process and thread: with each stack that is new, as either may change. */
static __always_inline void off_names(struct sonde_off_task *t, const struct sonde_proc *proc)
{
	agg_proc_now(proc);
	if (t)
		bpf_get_current_comm(t->comm, sizeof(t->comm));
}

/*
 * The last stack of a thread, of each kind, that was left to user space. Walking up a stack takes the better part of what a switch
 * costs; a thread that waits time and again mostly does so at the same place. It is the same stack if it begins at the same
 * instruction and stack pointer and the same return addresses stand in the same places: each of them says where the next one is.
 */
#define LAST_FRAMES 64u
#define LAST_WORDS 512u /* of the stack */
#define LAST_SLOTS 4096u

struct off_last {
	u64 ip, sp, bp;
	u64 stack; /* what it was left as; 0: nothing */
	u64 salt;
	u32 tid;
	u32 round;
	u32 nr; /* return addresses */
	u32 words; /* from the stack pointer to the outermost one */
	u16 at[LAST_FRAMES]; /* words above the stack pointer */
	u64 address[LAST_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LAST_SLOTS);
	__type(key, u32);
	__type(value, struct off_last);
} off_lasts SEC(".maps");

struct off_words {
	u64 word[LAST_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct off_words);
} off_stack SEC(".maps");

static __always_inline struct off_last *off_last(u32 tid, bool waker)
{
	u32 slot = (tid * 2 + waker) & (LAST_SLOTS - 1);

	return bpf_map_lookup_elem(&off_lasts, &slot);
}

/* Whether the stack that @w is about to walk is @last. */
static __always_inline bool off_same(const struct off_last *last, const struct unwind_walk *w, u32 tid, u64 salt)
{
	struct off_words *stack;
	u32 zero = 0, bytes;

	if (last->tid != tid || last->round != uw_round || !last->stack || last->salt != salt || last->ip != w->ip ||
	    last->sp != w->sp || last->bp != w->bp)
		return false;
	stack = bpf_map_lookup_elem(&off_stack, &zero);
	bytes = last->words * sizeof(u64);
	if (!stack || bytes > sizeof(*stack) || bpf_probe_read_user(stack, bytes, (void *)w->sp))
		return false;
	for (u32 i = 0; i < LAST_FRAMES && i < last->nr; i++)
		if (stack->word[last->at[i] & (LAST_WORDS - 1)] != last->address[i])
			return false;
	return true;
}

/** off_remember - the stack that was walked in UNWIND_SLOT_HOOK, left as @stack, is the last of thread @tid. Returns 0 */
__noinline int off_remember(u32 tid, bool waker, u64 stack, u64 salt, u64 sp)
{
	struct unwind_walk *w = unwind_walk(UNWIND_SLOT_HOOK);
	struct off_last *last = off_last(tid, waker);
	u32 nr;

	if (!w || !last)
		return 0;
	last->stack = 0;
	nr = w->sample.nr_user;
	if (!w->plain || !nr || nr > LAST_FRAMES ||
	    (w->sample.end != SONDE_UNWIND_END_COMPLETE && w->sample.end != SONDE_UNWIND_END_NO_ROW))
		return 0;
	nr--;
	for (u32 i = 0; i < LAST_FRAMES - 1 && i < nr; i++) {
		u64 at = (w->at[i + 1] - sp) / sizeof(u64);

		if (at >= LAST_WORDS)
			return 0;
		last->at[i] = at;
		last->address[i] = w->sample.ip[i + 1];
		last->words = at + 1;
	}
	if (!nr)
		return 0;
	last->nr = nr;
	last->tid = tid;
	last->salt = salt;
	last->round = uw_round;
	last->stack = stack;
	return 0;
}

/*
 * Leaves the stack that was taken to user space, unless that has been done in this round. The kernel's part is taken here: of
 * waits with one user stack, system call and reason it is the first's. True: it is new.
 */
static __always_inline bool off_keep(void *ctx, struct unwind_walk *w, const struct sonde_proc *proc, u64 hash)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sonde_sample_key key = { .proc = *proc, .hash = hash, .round = uw_round };
	long bytes;

	if (bpf_map_lookup_elem(&uw_samples, &key))
		return false;
	bytes = bpf_get_stack(ctx, &w->sample.ip[SONDE_UNWIND_FRAMES + 1], SONDE_UNWIND_KERNEL_FRAMES * sizeof(u64), 0);
	w->sample.nr_kernel = bytes > 0 ? bytes / sizeof(u64) : 0;
	w->sample.count = 0;
	w->sample.weight = 0;
	BPF_CORE_READ_STR_INTO(&w->sample.comm, task, group_leader, comm);
	if (!bpf_map_update_elem(&uw_samples, &key, &w->sample, BPF_NOEXIST))
		return true;
	if (!bpf_map_lookup_elem(&uw_samples, &key)) /* no other thread was first: there is no room */
		count(SONDE_CNT_LOST_STACKS);
	return false;
}

/**
 * off_take - what the current task's stack is called; it is left to user space
 * @proc: its process; @t: the thread, NULL if that is not traced
 * @salt: makes stacks of different waits different ones; 0: of who wakes
 */
static __always_inline u64 off_take(void *ctx, const struct sonde_proc *proc, struct sonde_off_task *t, u64 salt)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct unwind_walk *w = unwind_walk(UNWIND_SLOT_HOOK);
	struct off_last *last = NULL;
	u32 tid = task->pid;
	u64 stack, ip, sp, bp;

	if (!w)
		return 0;
	if (task->flags & WAIT_KTHREAD) {
		w->hash = SONDE_FNV_BASIS;
		w->sample.nr_user = 0;
		w->sample.end = SONDE_UNWIND_END_NO_USER;
	} else {
		unwind_from_regs(w, (struct pt_regs *)bpf_task_pt_regs(task));
		last = off_last(tid, !salt);
		if (last && off_same(last, w, tid, salt))
			return last->stack;
		ip = w->ip;
		sp = w->sp;
		bp = w->bp;
		unwind_user(UNWIND_SLOT_HOOK);
	}
	stack = sonde_mix64(w->hash ^ salt);
	if (off_keep(ctx, w, proc, stack))
		off_names(t, proc);
	if (last) {
		last->ip = ip;
		last->sp = sp;
		last->bp = bp;
		off_remember(tid, !salt, stack, salt, sp);
	}
	return stack;
}

#endif /* SONDE_OFFCPU_STACK_BPF_H */
