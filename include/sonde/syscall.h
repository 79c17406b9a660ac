/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * syscall.h - system calls as the kernel side counts and tells of them: layout of the maps and events of `sonde syscall`.
 */
#ifndef SONDE_SYSCALL_H
#define SONDE_SYSCALL_H

#include "config.h"
#include "event.h"
#include "file.h"
#include "hist.h"
#include "key.h"

#define SONDE_ERRNO_MAX 4095u /* results below 0 down to -4095 are errors (the kernel's MAX_ERRNO) */

/* What the kernel side has to know of a system call; the loader sets it for each number. */
#define SONDE_SYSCALL_TRACED 1u /* the user asked for it */
#define SONDE_SYSCALL_READS                                                                                            \
	2u /* argument 0 is a descriptor that is read from: whether it waits depends on what that is */
#define SONDE_SYSCALL_WRITES 4u /* argument 0 is a descriptor that is written to */
#define SONDE_SYSCALL_WAITS 8u /* waits for something to happen by intent */
#define SONDE_SYSCALL_FD 16u /* argument 0 is a descriptor, told of slow calls */
#define SONDE_SYSCALL_PATH0 32u /* argument 0 is a path, told of slow calls */
#define SONDE_SYSCALL_PATH1 64u /* argument 1 is */
#define SONDE_SYSCALL_TOLD 128u /* slow calls are told of, should they wait by intent */

/**
 * struct sonde_syscall_key - a row: calls of one kind by a process
 * @tid: the thread, 0 unless threads have rows of their own
 * @on: enum sonde_file_kind of what is read or written, 0 for other calls
 */
struct sonde_syscall_key {
	struct sonde_proc proc;
	u32 tid;
	u16 nr;
	u16 on;
};

/** struct sonde_syscall_stat - its numbers; counters only grow */
struct sonde_syscall_stat {
	u64 count;
	u64 errors;
	struct sonde_hist hist;
};

/** struct sonde_syscall_errno - errors of a row by number: key of a map whose value is the count (u64) */
struct sonde_syscall_errno {
	struct sonde_syscall_key row;
	u32 error;
	u32 pad;
};

/** struct sonde_syscall_call - a call under way, for each thread; also what the iterator over them returns */
struct sonde_syscall_call {
	u64 start_ns; /* 0: none */
	struct sonde_syscall_key key;
	u64 arg[6];
	u32 tid;
	u32 what; /* SONDE_SYSCALL_* */
};

/**
 * struct sonde_event_syscall - a call that took long
 * @key: its row, @tid the thread in any case
 * @result: as the kernel returned it
 * @file: what a descriptor stands for, or the path that was given (kind SONDE_FILE_NONE); nothing: neither
 */
struct sonde_event_syscall {
	struct sonde_event head;
	struct sonde_syscall_key key;
	u32 tid;
	u32 what;
	u64 start_ns;
	u64 took_ns;
	s64 result;
	u64 arg[6];
	char comm[SONDE_COMM_BYTES]; /* the thread's */
	struct sonde_file file;
};

_Static_assert(sizeof(struct sonde_syscall_key) == 16, "no holes");
_Static_assert(sizeof(struct sonde_syscall_errno) == 24, "no holes");
_Static_assert(sizeof(struct sonde_syscall_call) == 8 + 16 + 48 + 8, "no holes");
_Static_assert(sizeof(struct sonde_event_syscall) ==
		       16 + 16 + 8 + 24 + 48 + SONDE_COMM_BYTES + sizeof(struct sonde_file),
	       "no holes");

#endif /* SONDE_SYSCALL_H */
