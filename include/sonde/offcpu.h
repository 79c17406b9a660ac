/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * offcpu.h - time that threads spend off their processor, as the kernel side adds it up: layout of the maps of `sonde offcpu`.
 *
 * A thread that leaves its processor is blocked until it is woken, then waits in the run queue until it has one again. One that
 * is preempted waits there only. Each part is counted apart.
 */
#ifndef SONDE_OFFCPU_H
#define SONDE_OFFCPU_H

#include "config.h"
#include "hist.h"
#include "key.h"
#include "wait.h"

/** enum sonde_off_waker - who ended a wait */
enum sonde_off_waker {
	SONDE_OFF_WAKER_NONE = 0, /* nobody was seen doing it */
	SONDE_OFF_WAKER_THREAD,
	SONDE_OFF_WAKER_INTERRUPT, /* a timer, a device, a packet */
};

/**
 * struct sonde_off_key - a row: waits of one kind
 * @stack, @waker_stack: sonde_sample_key.hash of the stack that waits, and of the one that ended it; 0: none was taken
 * @object: of a lock the futex's address
 * @holder_stack: where who held the lock waited meanwhile; 0: not known, or nowhere
 * @waker: the process that ended the wait
 * @tid: the thread, 0 unless threads have rows of their own
 * @reason: enum sonde_wait. RUNNABLE has two rows, by @woken_by: preempted (NONE), and woken, but not yet running (THREAD)
 * @woken_by: enum sonde_off_waker
 * @held: the lock said who held it
 */
struct sonde_off_key {
	struct sonde_proc proc;
	u64 stack;
	u64 waker_stack;
	u64 object;
	u64 holder_stack;
	struct sonde_proc waker;
	u32 tid;
	u8 reason;
	u8 woken_by;
	u8 held;
	u8 pad;
};

/** struct sonde_off_stat - its numbers; counters only grow; @waker_*, @holder_*: the threads that ended the last of them, and held its lock */
struct sonde_off_stat {
	u64 count;
	u32 waker_tid;
	u32 holder_tid;
	char waker_comm[SONDE_COMM_BYTES];
	char holder_comm[SONDE_COMM_BYTES];
	struct sonde_hist hist;
};

/**
 * struct sonde_off_total - what became of a thread's time, nanoseconds
 * @voluntary, @involuntary: times it left its processor blocked, and able to go on, as /proc/PID/status counts them
 */
struct sonde_off_total {
	u64 on_ns;
	u64 blocked_ns;
	u64 queued_ns;
	u64 voluntary;
	u64 involuntary;
};

/**
 * struct sonde_off_task - a thread, by its id
 * @out_ns: CLOCK_MONOTONIC when it left its processor; 0: it has one, or it is not known when
 * @wake_ns: when it was woken; 0: not yet
 * @seen_ns: when it was seen first
 * @left_ns: when it left last and @stack was taken
 * @waker_*: who did it
 * @holder_*: the thread of its process that holds the lock that it waits for, and where that waited meanwhile; 0: not known
 * @iowait: the kernel waits for a block device
 */
struct sonde_off_task {
	u64 out_ns;
	u64 wake_ns;
	u64 seen_ns;
	u64 left_ns;
	struct sonde_proc proc;
	u64 stack;
	u64 object;
	struct sonde_proc waker;
	u64 waker_stack;
	u64 holder_stack;
	u32 waker_tid;
	u8 reason;
	u8 woken_by;
	u8 iowait;
	u8 pad;
	u32 holder;
	u32 inner_tid; /* in the namespace of its process, 0: the machine's */
	char waker_comm[SONDE_COMM_BYTES];
	char holder_comm[SONDE_COMM_BYTES];
	char comm[SONDE_COMM_BYTES]; /* of the thread */
	struct sonde_off_total total;
};

/** struct sonde_off_cpu - who has a processor, and since when */
struct sonde_off_cpu {
	u64 since_ns; /* 0: since tracing began */
	u32 tid;
	u32 pad;
};

/**
 * struct sonde_off_current - the current task when a thread is woken
 * @exiting: it ends; @kthread: it is the kernel's own; @same: it is of the woken one's process
 * @in_call: it is in a system call, of @class (enum sonde_wait_class)
 * @kind: of class DESCRIPTOR what that is (enum sonde_file_kind)
 */
struct sonde_off_current {
	u8 exiting;
	u8 kthread;
	u8 same;
	u8 in_call;
	u8 class;
	u8 kind;
};

/**
 * sonde_off_may_wake - whether a thread that does @current can end a wait for @reason (enum sonde_wait) on its own behalf
 * @iowait: the kernel waits for a block device
 *
 * If it can not, an interrupt did that met it there.
 */
SONDE_INLINE bool sonde_off_may_wake(const struct sonde_off_current *current, u32 reason, bool iowait)
{
	u32 class = current->class;

	if (reason == SONDE_WAIT_SLEEP)
		return false;
	if (current->kthread)
		return true;
	if (iowait)
		return false;
	if (reason == SONDE_WAIT_FAULT)
		return current->same; /* the address space's lock */
	if (current->exiting)
		return true;
	if (!current->in_call)
		return false;
	switch (reason) {
	case SONDE_WAIT_LOCK:
		return class == SONDE_WAIT_CLASS_LOCK;
	case SONDE_WAIT_DISK:
		return class == SONDE_WAIT_CLASS_DISK;
	case SONDE_WAIT_FILE:
		return class == SONDE_WAIT_CLASS_DISK || class == SONDE_WAIT_CLASS_DESCRIPTOR ||
		       class == SONDE_WAIT_CLASS_FILE;
	case SONDE_WAIT_PIPE:
	case SONDE_WAIT_NETWORK:
		return class == SONDE_WAIT_CLASS_NETWORK ||
		       (class == SONDE_WAIT_CLASS_DESCRIPTOR && current->kind > SONDE_FILE_BLOCK);
	case SONDE_WAIT_CHILD: /* vfork() ends when the child runs its program */
		return class == SONDE_WAIT_CLASS_FILE;
	default:
		return true;
	}
}

/* include/uapi/linux/futex.h */
#define SONDE_FUTEX_CMD 0x7fu /* without PRIVATE and CLOCK_REALTIME */
#define SONDE_FUTEX_WAIT 0u
#define SONDE_FUTEX_LOCK_PI 6u
#define SONDE_FUTEX_WAIT_BITSET 9u
#define SONDE_FUTEX_LOCK_PI2 13u
#define SONDE_FUTEX_WAITERS 0x80000000u
#define SONDE_FUTEX_TID 0x3fffffffu

#define SONDE_LOCK_CONTENDED 2u /* glibc: locked, and others wait */
#define SONDE_LOCK_BUSY 16u /* EBUSY, in the place of an owner: musl's plain mutexes, which have none */

/** sonde_off_owned - whether a futex that is waited for with @op and @value may be a lock that says who holds it */
SONDE_INLINE bool sonde_off_owned(u32 op, u32 value)
{
	op &= SONDE_FUTEX_CMD;
	if (op == SONDE_FUTEX_LOCK_PI || op == SONDE_FUTEX_LOCK_PI2)
		return true;
	return (op == SONDE_FUTEX_WAIT || op == SONDE_FUTEX_WAIT_BITSET) &&
	       (value == SONDE_LOCK_CONTENDED || value & SONDE_FUTEX_WAITERS);
}

/**
 * sonde_off_owner - the thread that holds such a lock, as it says; 0: nobody. Others may have anything there
 * @word: at the futex; @third: 8 bytes further on, where glibc's pthread_mutex_t has its owner
 *
 * Priority inheriting, robust and musl's recursive mutexes have their owner in the word itself.
 */
SONDE_INLINE u32 sonde_off_owner(u32 op, u32 value, u32 word, u32 third)
{
	op &= SONDE_FUTEX_CMD;
	if (op == SONDE_FUTEX_LOCK_PI || op == SONDE_FUTEX_LOCK_PI2)
		return word & SONDE_FUTEX_TID;
	if (word != value)
		return 0; /* it was given back meanwhile */
	if (value == SONDE_LOCK_CONTENDED)
		return third;
	word &= SONDE_FUTEX_TID;
	return word == SONDE_LOCK_BUSY ? 0 : word;
}

_Static_assert(sizeof(struct sonde_off_key) == 56, "no holes");
_Static_assert(sizeof(struct sonde_off_task) == 4 * 8 + 8 + 2 * 8 + 8 + 2 * 8 + 2 * 8 + 3 * SONDE_COMM_BYTES + 40, "no holes");

#endif /* SONDE_OFFCPU_H */
