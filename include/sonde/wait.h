/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wait.h - why a thread leaves its processor: reasons, and the decision from what the kernel knows at that moment.
 */
#ifndef SONDE_WAIT_H
#define SONDE_WAIT_H

#include "base.h"
#include "config.h"
#include "file.h"

/** enum sonde_wait - the reasons; wait.def says what each means */
enum sonde_wait {
#define SONDE_WAIT(symbol, name, text) SONDE_WAIT_##symbol,
#include "wait.def"
#undef SONDE_WAIT
	SONDE_WAITS
};

/* What a system call says of why it waits; a number's class is set by the loader. */
enum sonde_wait_class {
	SONDE_WAIT_CLASS_OTHER = 0,
	SONDE_WAIT_CLASS_LOCK,
	SONDE_WAIT_CLASS_SLEEP,
	SONDE_WAIT_CLASS_DISK,
	SONDE_WAIT_CLASS_FILE,
	SONDE_WAIT_CLASS_NETWORK,
	SONDE_WAIT_CLASS_CHILD,
	SONDE_WAIT_CLASS_DESCRIPTOR, /* what the descriptor in argument 0 stands for says it */
	SONDE_WAIT_CLASS_POLL, /* the first of the descriptors in argument 0, their number is argument 1 */
	SONDE_WAIT_CLASS_SELECT, /* any of the descriptors below argument 0 */
};

/* The kernel's task states (include/linux/sched.h): fixed since Linux 4.14. */
#define SONDE_TASK_INTERRUPTIBLE 0x1u
#define SONDE_TASK_UNINTERRUPTIBLE 0x2u
#define SONDE_TASK_STOPPED 0x4u
#define SONDE_TASK_TRACED 0x8u

/** struct sonde_wait_facts - what is known of a thread that leaves its processor */
struct sonde_wait_facts {
	u32 state; /* the kernel's, 0: it is runnable */
	u8 preempted; /* it did not ask for it, whatever its state */
	u8 in_call; /* it is in a system call */
	u8 iowait; /* the kernel waits for a block device on its behalf */
	u8 class; /* enum sonde_wait_class of the call */
	u8 kind; /* enum sonde_file_kind of its descriptor (DESCRIPTOR, POLL), 0: not known */
	u8 nothing; /* POLL, SELECT: there are no descriptors */
};

/** sonde_wait_of_kind - the reason to wait for what a descriptor stands for (enum sonde_file_kind) */
SONDE_INLINE u32 sonde_wait_of_kind(u32 kind)
{
	switch (kind) {
	case SONDE_FILE_REGULAR:
	case SONDE_FILE_DIRECTORY:
		return SONDE_WAIT_FILE;
	case SONDE_FILE_BLOCK:
		return SONDE_WAIT_DISK;
	case SONDE_FILE_SOCKET:
		return SONDE_WAIT_NETWORK;
	case SONDE_FILE_PIPE:
		return SONDE_WAIT_PIPE;
	default:
		return SONDE_WAIT_OTHER;
	}
}

/** sonde_wait_of_class - the reason by the system call alone (enum sonde_wait_class) and its descriptor's kind */
SONDE_INLINE u32 sonde_wait_of_class(const struct sonde_wait_facts *f)
{
	switch (f->class) {
	case SONDE_WAIT_CLASS_LOCK:
		return SONDE_WAIT_LOCK;
	case SONDE_WAIT_CLASS_SLEEP:
		return SONDE_WAIT_SLEEP;
	case SONDE_WAIT_CLASS_DISK:
		return SONDE_WAIT_DISK;
	case SONDE_WAIT_CLASS_FILE:
		return SONDE_WAIT_FILE;
	case SONDE_WAIT_CLASS_NETWORK:
		return SONDE_WAIT_NETWORK;
	case SONDE_WAIT_CLASS_CHILD:
		return SONDE_WAIT_CHILD;
	case SONDE_WAIT_CLASS_DESCRIPTOR:
		return sonde_wait_of_kind(f->kind);
	case SONDE_WAIT_CLASS_POLL:
		if (f->nothing)
			return SONDE_WAIT_SLEEP;
		return f->kind == SONDE_FILE_PIPE || f->kind == SONDE_FILE_CHAR ? sonde_wait_of_kind(f->kind) :
										   SONDE_WAIT_NETWORK;
	case SONDE_WAIT_CLASS_SELECT:
		return f->nothing ? SONDE_WAIT_SLEEP : SONDE_WAIT_NETWORK;
	default:
		return SONDE_WAIT_OTHER;
	}
}

/**
 * sonde_wait_reason - why the thread leaves its processor (enum sonde_wait)
 *
 * A thread outside of any system call that blocks does so in a page fault: that has the last word over what the fault waits
 * for. Inside of one, a wait for a block device is that whatever the call.
 */
SONDE_INLINE u32 sonde_wait_reason(const struct sonde_wait_facts *f)
{
	if (f->preempted || !f->state)
		return SONDE_WAIT_RUNNABLE;
	if (f->state & (SONDE_TASK_STOPPED | SONDE_TASK_TRACED))
		return SONDE_WAIT_STOPPED;
	if (!f->in_call)
		return SONDE_WAIT_FAULT;
	if (f->iowait)
		return SONDE_WAIT_DISK;
	return sonde_wait_of_class(f);
}

#endif /* SONDE_WAIT_H */
