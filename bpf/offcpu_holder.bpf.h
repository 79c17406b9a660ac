/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * offcpu_holder.bpf.h - who holds the lock that a thread goes to sleep on, as the lock itself says. Only for offcpu.bpf.c.
 *
 * What is read is a guess until the thread that it names turns out to be one of the same process: other locks have other things
 * there.
 */
#ifndef SONDE_OFFCPU_HOLDER_BPF_H
#define SONDE_OFFCPU_HOLDER_BPF_H

#include "arch.bpf.h"
#include "sonde.bpf.h"
#include "sonde/offcpu.h"

/* Preallocated, as all of offcpu.bpf.c. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, struct sonde_off_task);
} off_tasks SEC(".maps");

/* Threads in containers, where locks have the ids that threads have there: process << 32 | that id -> the machine's id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, u64);
	__type(value, u32);
} off_inner SEC(".maps");

/* The id of the thread of @pid in its own namespace; 0: that is the machine's. */
static __always_inline u32 off_inner_tid(struct pid *pid)
{
	u32 level = pid ? BPF_CORE_READ(pid, level) : 0, tid = 0;
	u64 at;

	if (!level)
		return 0;
	at = (u64)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid) +
	     bpf_core_field_offset(struct upid, nr);
	bpf_probe_read_kernel(&tid, sizeof(tid), (void *)at);
	return tid;
}

/** off_inner_add - @t is new: thread @tid, whose struct pid is at @pid. Returns 0 */
__noinline int off_inner_add(struct sonde_off_task *t, u64 pid, u32 tid)
{
	u64 key;

	if (!t)
		return 0;
	t->inner_tid = off_inner_tid((struct pid *)pid);
	key = (u64)t->proc.tgid << 32 | t->inner_tid;
	if (t->inner_tid)
		bpf_map_update_elem(&off_inner, &key, &tid, BPF_ANY);
	return 0;
}

/** off_inner_del - thread @inner_tid of process @tgid is gone. Returns 0 */
__noinline int off_inner_del(u32 tgid, u32 inner_tid)
{
	u64 key = (u64)tgid << 32 | inner_tid;

	if (inner_tid)
		bpf_map_delete_elem(&off_inner, &key);
	return 0;
}

/* The lock at @futex: its first word, and the one that glibc's mutexes keep their owner in. */
static __always_inline u32 off_owner(u64 futex, u32 op, u32 value)
{
	u32 word[3] = {};

	if (!sonde_off_owned(op, value))
		return 0;
	/* The first word alone where the lock ends with its page. */
	if (bpf_probe_read_user(word, sizeof(word), (void *)futex) &&
	    bpf_probe_read_user(word, sizeof(word[0]), (void *)futex))
		return 0;
	return sonde_off_owner(op, value, word[0], word[2]);
}

/* Futex @futex is waited for: who holds it, if it says so. */
static __always_inline void off_holder(struct sonde_off_task *t, u64 futex, u32 op, u32 value)
{
	u32 owner = off_owner(futex, op, value), *outer;
	u64 key = (u64)t->proc.tgid << 32 | owner;
	struct sonde_off_task *holder;

	if (!owner)
		return;
	if (t->inner_tid) {
		outer = bpf_map_lookup_elem(&off_inner, &key);
		if (!outer)
			return;
		owner = *outer;
	}
	holder = bpf_map_lookup_elem(&off_tasks, &owner);
	if (!holder || holder->proc.tgid != t->proc.tgid || holder->proc.start != t->proc.start)
		return;
	t->holder = owner;
	__builtin_memcpy(t->holder_comm, holder->comm, sizeof(t->holder_comm));
	if (holder->out_ns && holder->reason != SONDE_WAIT_RUNNABLE)
		t->holder_stack = holder->stack;
}

/** off_lock - thread @t, the current one, goes to sleep in system call @nr: if it is for a lock, on which, and who has it. Returns 0 */
__noinline int off_lock(struct sonde_off_task *t, u64 nr, u64 futex, u32 op, u32 value)
{
	if (!t)
		return 0;
	t->object = 0;
	t->holder = 0;
	t->holder_stack = 0;
	if (t->reason != SONDE_WAIT_LOCK)
		return 0;
	t->object = futex;
	if (nr == NR_futex)
		off_holder(t, futex, op, value);
	return 0;
}

/* Thread @t is woken: where its lock's holder waited itself since @t went to sleep. */
static __always_inline void off_holder_left(struct sonde_off_task *t)
{
	u32 tid = t->holder;
	struct sonde_off_task *holder;

	if (!tid || t->holder_stack)
		return;
	holder = bpf_map_lookup_elem(&off_tasks, &tid);
	if (holder && holder->left_ns > t->out_ns)
		t->holder_stack = holder->stack;
}

#endif /* SONDE_OFFCPU_HOLDER_BPF_H */
