/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usage.h - how much processes use processors and wait for them, as the scheduler itself counts it. Pure: takes the text of files
 *	     below /proc.
 */
#ifndef SONDE_MODEL_USAGE_H
#define SONDE_MODEL_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"
#include "sonde/key.h"

/** struct sonde_usage_thread - a thread since it began: time on processors and in their queues, and how often it left one */
struct sonde_usage_thread {
	u64 cpu_ns;
	u64 queued_ns;
	u64 voluntary;
	u64 involuntary;
};

/**
 * struct sonde_usage_proc - a process while it was watched
 * @start: clock ticks since boot: with @pid what makes a process the same one
 * @nr_procs: processes that the row stands for; @nr_threads: of those that live
 * @nr_cpus: processors that it may run on
 * @limit_milli: of that many thousandths of a processor its control group lets it use the time; 0: as many as there are
 * @ended: it did, before the run
 * @uncounted: the kernel does not tell of its time in queues
 * @wall_ns: how long it was watched: of the run what it lived, to the last look at it
 * @sum: of all its threads, meanwhile
 */
struct sonde_usage_proc {
	u32 pid;
	u32 nr_procs;
	u32 nr_threads;
	u32 nr_cpus;
	u32 limit_milli;
	u64 start;
	bool ended;
	bool uncounted;
	char process[SONDE_COMM_BYTES];
	u64 wall_ns;
	struct sonde_usage_thread sum;
};

/** struct sonde_usage - processes, most time on processors first */
struct sonde_usage {
	struct sonde_usage_proc *proc;
	size_t nr, room;
};

struct sonde_usage *sonde_usage_new(void);
void sonde_usage_free(struct sonde_usage *usage);

/** sonde_usage_add - append a copy of @proc; 0 or -ENOMEM */
int sonde_usage_add(struct sonde_usage *usage, const struct sonde_usage_proc *proc);

void sonde_usage_sort(struct sonde_usage *usage);

/** sonde_usage_group - a new list in which processes of one name are one; NULL when out of memory */
struct sonde_usage *sonde_usage_group(const struct sonde_usage *usage);

/** sonde_usage_used - processors that were in use on average; sonde_usage_waiting: threads that waited for one, on average */
double sonde_usage_used(const struct sonde_usage_proc *proc);
double sonde_usage_waiting(const struct sonde_usage_proc *proc);

/** sonde_usage_saturation - of the time that it could have run the share that it waited for a processor, 0 to 1 */
double sonde_usage_saturation(const struct sonde_usage_proc *proc);

/** sonde_usage_schedstat - take the text of a task's schedstat file; false: it is none, or the kernel does not count */
bool sonde_usage_schedstat(struct sonde_usage_thread *thread, const char *text);

/** sonde_usage_status - take the text of a task's status file: switches, and the processors it may run on (0: not told) */
u32 sonde_usage_status(struct sonde_usage_thread *thread, const char *text);

/** sonde_usage_since - add to @sum what a thread did between @before and @now; a thread id that is used again begins anew */
void sonde_usage_since(struct sonde_usage_thread *sum, const struct sonde_usage_thread *before,
		       const struct sonde_usage_thread *now);

#endif /* SONDE_MODEL_USAGE_H */
