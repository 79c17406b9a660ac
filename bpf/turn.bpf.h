/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * turn.bpf.h - two programs on one hook that take turns, for kernels that preempt programs on tracepoints (from about 7.0).
 *
 * Two things change there. Two programs could meet in the scratch memory of a processor: so they work with preemption
 * off. And while a program of one task is preempted, the kernel skips that program for all other tasks on the
 * processor, without a word: so each hook has a second one, which does the work if the first was skipped. These are
 * programs of their own because older kernels know neither the function nor calls from such a section.
 */
#ifndef SONDE_TURN_BPF_H
#define SONDE_TURN_BPF_H

#include "sonde.bpf.h"

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

/**
 * struct turn - the last event of a task that the first program has dealt with
 * @sent, @second: which of the programs has called the one that does the work
 */
struct turn {
	u64 sk;
	s64 ret;
	u32 done;
	u8 sent;
	u8 second;
	u8 pad[2];
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

#endif /* SONDE_TURN_BPF_H */
