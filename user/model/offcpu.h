/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * offcpu.h - what threads wait for, and what became of processes' time, as a report shows it.
 */
#ifndef SONDE_MODEL_OFFCPU_H
#define SONDE_MODEL_OFFCPU_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/offcpu.h"

struct sonde_profile;
struct sonde_stack;

/* What the rows of a report for people stand for (--by); in all of them processes of one name are one. */
enum sonde_offcpu_by {
	SONDE_OFFCPU_BY_STACK = 0, /* process, reason, stack, and the stack that ended the wait */
	SONDE_OFFCPU_BY_REASON, /* process and reason */
	SONDE_OFFCPU_BY_PROCESS,
	SONDE_OFFCPU_BY_THREAD, /* thread and reason */
};

/**
 * struct sonde_offcpu_row - waits of one kind
 * @waker: name of the process that ended them, "" when it was none
 * @thread: name of the thread, "" unless @key.tid
 * @stack, @waker_stack, @holder_stack: index in the list's profile plus one, 0: not known
 * @nr_procs, @nr_objects: how many the row stands for
 * @open: of the waits, those that had not ended; they count as long as they had lasted
 */
struct sonde_offcpu_row {
	struct sonde_off_key key;
	const char *process;
	const char *waker;
	const char *thread;
	size_t stack;
	size_t waker_stack;
	size_t holder_stack;
	u32 nr_procs;
	u32 nr_objects;
	u64 open;
	struct sonde_off_stat stat;
};

/**
 * struct sonde_offcpu_proc - what became of a process's time
 * @nr_threads: that were seen at the end; @nr_procs: processes of the name (sonde_offcpu_group())
 * @queued: time in run queues, each time
 */
struct sonde_offcpu_proc {
	struct sonde_proc proc;
	const char *process;
	u32 nr_threads;
	u32 nr_procs;
	struct sonde_off_total total;
	struct sonde_hist queued;
};

/** struct sonde_offcpu - @stacks: the named stacks; the collector's, valid until it reads again */
struct sonde_offcpu {
	enum sonde_offcpu_by by;
	u64 min_ns;
	const struct sonde_profile *stacks;
	struct sonde_offcpu_row **row; /* greatest total time first; none of SONDE_WAIT_RUNNABLE */
	size_t nr, room;
	struct sonde_offcpu_proc **proc; /* most time in the run queue and on processors first */
	size_t nr_procs, proc_room;
};

struct sonde_offcpu *sonde_offcpu_new(void);
void sonde_offcpu_free(struct sonde_offcpu *list);

/** sonde_offcpu_row - append a row whose strings are ""; NULL when out of memory */
struct sonde_offcpu_row *sonde_offcpu_row(struct sonde_offcpu *list);

/** sonde_offcpu_proc - the process @proc, appended if it is new; NULL when out of memory */
struct sonde_offcpu_proc *sonde_offcpu_proc(struct sonde_offcpu *list, const struct sonde_proc *proc);

/** sonde_off_total_add - add @more to @to */
void sonde_off_total_add(struct sonde_off_total *to, const struct sonde_off_total *more);

/** sonde_offcpu_sort - rows and processes */
void sonde_offcpu_sort(struct sonde_offcpu *list);

/** sonde_offcpu_group - a new list with rows merged as @list->by says, and processes by name; NULL when out of memory */
struct sonde_offcpu *sonde_offcpu_group(const struct sonde_offcpu *list);

/**
 * sonde_offcpu_profile - blocked time by stack, the reason as innermost frame ("[lock]")
 *
 * In nanoseconds; to be freed by the caller. NULL when out of memory.
 */
struct sonde_profile *sonde_offcpu_profile(const struct sonde_offcpu *list);

/** sonde_offcpu_saturation - of the time that a process could have run the share that it waited for a processor, 0 to 1 */
double sonde_offcpu_saturation(const struct sonde_off_total *total);

#endif /* SONDE_MODEL_OFFCPU_H */
