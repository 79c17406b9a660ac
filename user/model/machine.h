/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine.h - what the kernel says of a machine and its processes at one moment: processors, run queue, network. Pure: takes
 *	       the text of files below /proc.
 */
#ifndef SONDE_MODEL_MACHINE_H
#define SONDE_MODEL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"
#include "sonde/key.h"

/**
 * struct sonde_machine_proc - a process; times since it began
 * @start: clock ticks since boot: with @pid what makes a process the same one
 * @ticks: clock ticks on processors, of threads that have ended, too (/proc/PID/stat)
 * @wait_ns: time that its threads, those that live, were ready to run but had no processor (/proc/PID/task/TID/schedstat)
 * @threads: how many it has
 * @kernel: a thread of the kernel's
 */
struct sonde_machine_proc {
	u32 pid;
	u32 threads;
	u64 start;
	u64 ticks;
	u64 wait_ns;
	bool kernel;
	char comm[SONDE_COMM_BYTES];
};

/**
 * struct sonde_machine - a reading
 * @at_ns: CLOCK_MONOTONIC
 * @nr_cpus: processors in use
 * @ticks_per_s: clock ticks a second
 * @busy_ticks, @all_ticks: of all processors since boot; waiting for a disk is not busy
 * @received_bytes, @sent_bytes: by network interfaces, but for the loopback
 * @procs: by @pid
 */
struct sonde_machine {
	u64 at_ns;
	u32 nr_cpus;
	u32 ticks_per_s;
	u64 busy_ticks;
	u64 all_ticks;
	u64 received_bytes;
	u64 sent_bytes;
	struct sonde_machine_proc *procs;
	size_t nr;
	size_t room;
};

/** sonde_machine_free - (NULL is fine) */
void sonde_machine_free(struct sonde_machine *machine);

/** sonde_machine_add - append a zeroed process; NULL when out of memory */
struct sonde_machine_proc *sonde_machine_add(struct sonde_machine *machine);

/** sonde_machine_sort - processes by pid */
void sonde_machine_sort(struct sonde_machine *machine);

/** sonde_machine_find - process @pid of a sorted reading, or NULL */
const struct sonde_machine_proc *sonde_machine_find(const struct sonde_machine *machine, u32 pid);

/** sonde_machine_proc_stat - take the text of /proc/PID/stat; false if it is none (@proc->pid stays as it is) */
bool sonde_machine_proc_stat(struct sonde_machine_proc *proc, const char *text);

/** sonde_machine_schedstat - nanoseconds of waiting for a processor in the text of a task's schedstat file; 0 if it is none */
u64 sonde_machine_schedstat(const char *text);

/** sonde_machine_cpus - take the text of /proc/stat: processors and their ticks */
void sonde_machine_cpus(struct sonde_machine *machine, const char *text);

/** sonde_machine_net - take the text of /proc/net/dev */
void sonde_machine_net(struct sonde_machine *machine, const char *text);

#endif /* SONDE_MODEL_MACHINE_H */
