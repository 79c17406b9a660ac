// SPDX-License-Identifier: GPL-2.0-only
/*
 * machine.c - reads what /proc says of the machine and its processes.
 *
 * /proc/PID/stat of every process, a few microseconds each; the schedstat files of its threads only where it has used a processor since
 * the reading before: who has not run has hardly waited either, and what it did wait shows as soon as it runs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/machine.h"
#include "collect/procfile.h"

#define MAX_BYTES (1u << 20) /* of a file: /proc/stat of a thousand processors has 300 KB */

struct threads {
	struct sonde_machine_proc *proc;
	u64 wait_ns;
};

static int read_thread(void *ctx, u32 tid)
{
	struct threads *threads = ctx;
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/schedstat", threads->proc->pid, tid);
	if (sonde_procfile_read(path, text, sizeof(text)))
		threads->wait_ns += sonde_machine_schedstat(text);
	return 0;
}

static void read_waiting(struct sonde_machine_proc *proc)
{
	struct threads threads = { .proc = proc };
	char path[64];

	if (proc->threads == 1) {
		read_thread(&threads, proc->pid);
	} else {
		snprintf(path, sizeof(path), "/proc/%u/task", proc->pid);
		sonde_procfile_each(path, read_thread, &threads);
	}
	proc->wait_ns = threads.wait_ns;
}

struct reading {
	struct sonde_machine *machine;
	const struct sonde_machine *before;
};

static int read_proc(void *ctx, u32 pid)
{
	const struct reading *reading = ctx;
	const struct sonde_machine_proc *was = sonde_machine_find(reading->before, pid);
	struct sonde_machine_proc one = { .pid = pid }, *proc;
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (!sonde_procfile_read(path, text, sizeof(text)) || !sonde_machine_proc_stat(&one, text))
		return 0;
	proc = sonde_machine_add(reading->machine);
	if (!proc)
		return -ENOMEM;
	*proc = one;
	if (was && was->start == proc->start && was->ticks == proc->ticks)
		proc->wait_ns = was->wait_ns;
	else
		read_waiting(proc);
	/* Threads that have ended have taken their waiting along. */
	if (was && was->start == proc->start && proc->wait_ns < was->wait_ns)
		proc->wait_ns = was->wait_ns;
	return 0;
}

struct sonde_machine *sonde_machine_read(const struct sonde_machine *before)
{
	struct reading reading = { .machine = calloc(1, sizeof(*reading.machine)), .before = before };
	struct sonde_machine *machine = reading.machine;
	char *text = malloc(MAX_BYTES);

	if (!machine || !text)
		goto err_free;
	machine->at_ns = sonde_clock_ns();
	machine->ticks_per_s = (u32)sysconf(_SC_CLK_TCK);
	if (sonde_procfile_read("/proc/stat", text, MAX_BYTES))
		sonde_machine_cpus(machine, text);
	if (sonde_procfile_read("/proc/net/dev", text, MAX_BYTES))
		sonde_machine_net(machine, text);
	if (sonde_procfile_each("/proc", read_proc, &reading))
		goto err_free;
	sonde_machine_sort(machine);
	free(text);
	return machine;

err_free:
	free(text);
	sonde_machine_free(machine);
	return NULL;
}
