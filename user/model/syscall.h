/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * syscall.h - system calls as a report shows them.
 */
#ifndef SONDE_MODEL_SYSCALL_H
#define SONDE_MODEL_SYSCALL_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/syscall.h"

/* What the rows of a report for people stand for (--by). */
enum sonde_syscall_by {
	SONDE_SYSCALL_BY_PROCESS = 0, /* a call by processes of one name */
	SONDE_SYSCALL_BY_CALL, /* a call, whoever makes it */
	SONDE_SYSCALL_BY_THREAD, /* a call by a thread */
	SONDE_SYSCALL_BY_CGROUP, /* a call by processes of a cgroup */
};

struct sonde_syscall_error {
	u32 error;
	u64 count;
};

/**
 * struct sonde_syscall - one call of one process (or thread, or what the report groups by)
 * @name: "read"; @on: "socket", what is read or written, "" for other calls
 * @process, @thread: names, "" when not known; @cgroup: path below the mount, or "id 123"
 * @pid: of one process, @nr_procs: how many the row stands for; @tid: 0 without --by thread
 * @waits: by intent: its time is in no share
 * @recent: calls since the previous snapshot
 * @error: by count, greatest first
 */
struct sonde_syscall {
	const char *name;
	const char *on;
	const char *process;
	const char *thread;
	const char *cgroup;
	u32 nr;
	u32 pid;
	u32 tid;
	u32 nr_procs;
	bool waits;
	u64 count;
	u64 errors;
	u64 recent;
	struct sonde_syscall_error *error;
	size_t nr_errors;
	struct sonde_hist hist;
};

/** struct sonde_syscall_now - a call under way when the numbers were read */
struct sonde_syscall_now {
	const char *process;
	struct sonde_syscall_call call;
	u64 since_ns; /* how long */
};

/** struct sonde_syscalls - all of them; strings belong to the snapshot's pool */
struct sonde_syscalls {
	enum sonde_syscall_by by;
	struct sonde_syscall **row; /* sorted: those that wait behind the others, then by total time */
	size_t nr;
	size_t room;
	struct sonde_syscall_now *now; /* longest first */
	size_t nr_now;
	u64 min_ns; /* from when on a call was told of (0: not asked for) */
	u64 told; /* how many were */
};

struct sonde_syscalls *sonde_syscalls_new(void);
void sonde_syscalls_free(struct sonde_syscalls *calls);

/** sonde_syscalls_row - append a zeroed row with empty strings; NULL when out of memory */
struct sonde_syscall *sonde_syscalls_row(struct sonde_syscalls *calls);

/** sonde_syscall_add_error - @count more of @error. Returns 0 or -ENOMEM */
int sonde_syscall_add_error(struct sonde_syscall *row, u32 error, u64 count);

/** sonde_syscalls_sort - as @row is described; the calls under way, and the errors of each row, too */
void sonde_syscalls_sort(struct sonde_syscalls *calls);

/** sonde_syscalls_group - a new list whose rows are merged as @calls->by says; NULL when out of memory. Calls under way stay */
struct sonde_syscalls *sonde_syscalls_group(const struct sonde_syscalls *calls);

/** sonde_syscalls_count - calls in all rows */
u64 sonde_syscalls_count(const struct sonde_syscalls *calls);

#endif /* SONDE_MODEL_SYSCALL_H */
