// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage.c - reads what the scheduler counts of processes.
 *
 * /proc/PID/task/TID/schedstat and status are of threads that live, /proc/PID/stat's ticks also of those that have ended. A process
 * that begins while it is watched begins with nothing; of one that was there before, the first look is what later ones are compared
 * with.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/table.h"
#include "collect/cgroup.h"
#include "collect/procfile.h"
#include "collect/usage.h"
#include "model/machine.h"

#define NS 1000000000ULL
#define LOOK_NS 100000000ULL /* time between two looks at least */
#define LOOK_SHARE 100 /* and one part in so many of the time is spent looking at most */

/*
 * A process. @ticks: that do not count; @from_ns: since when it is watched; @looked_ns: the last look at it, 0: none since then
 */
struct watched {
	struct sonde_usage_proc proc;
	u64 ticks;
	u64 from_ns;
	u64 looked_ns;
	bool followed;
	bool limited; /* it is known by how much, if at all */
};

struct sonde_usage_reader {
	struct sonde_table procs; /* by pid: struct watched */
	struct sonde_table threads; /* by process and thread: struct sonde_usage_thread */
	struct watched **list; /* all of them */
	size_t nr, room;
	struct sonde_cgroups *cgroups;
	u32 nr_cpus;
	u32 hz; /* ticks a second */
	u64 begin_ns;
	u64 begin_ticks; /* clock ticks since boot, as processes' starts */
	u64 next_ns;
};

/* A look at one process. @before: what it has used until now does not count. */
struct look {
	struct sonde_usage_reader *reader;
	struct watched *watched;
	bool before;
	u32 nr_threads;
	u32 nr_cpus;
	bool counted;
};

struct sonde_usage_reader *sonde_usage_reader_new(void)
{
	struct sonde_usage_reader *reader = calloc(1, sizeof(*reader));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), hz = sysconf(_SC_CLK_TCK);

	if (!reader)
		return NULL;
	reader->cgroups = sonde_cgroups_new("");
	if (!reader->cgroups) {
		free(reader);
		return NULL;
	}
	reader->nr_cpus = cpus > 0 ? (u32)cpus : 1;
	reader->hz = hz > 0 ? (u32)hz : 100;
	return reader;
}

void sonde_usage_reader_free(struct sonde_usage_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->nr; i++)
		free(reader->list[i]);
	free(reader->list);
	sonde_cgroups_free(reader->cgroups);
	sonde_table_free(&reader->procs, NULL);
	sonde_table_free(&reader->threads, free);
	free(reader);
}

static u64 thread_id(const struct sonde_usage_proc *proc, u32 tid)
{
	return sonde_mix64(proc->start) ^ ((u64)proc->pid << 32 | tid);
}

static int look_at_thread(void *ctx, u32 tid)
{
	struct look *look = ctx;
	struct sonde_usage_proc *proc = &look->watched->proc;
	struct sonde_usage_thread now = {}, *known;
	char path[64], text[8192]; /* masks of thousands of processors */
	u64 id = thread_id(proc, tid);
	u32 nr_cpus;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/schedstat", proc->pid, tid);
	if (!sonde_procfile_read(path, text, sizeof(text)))
		return 0;
	look->counted = sonde_usage_schedstat(&now, text) || look->counted;
	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", proc->pid, tid);
	if (!sonde_procfile_read(path, text, sizeof(text)))
		return 0;
	nr_cpus = sonde_usage_status(&now, text);
	if (nr_cpus > look->nr_cpus)
		look->nr_cpus = nr_cpus;
	look->nr_threads++;
	known = sonde_table_get(&look->reader->threads, id);
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known || sonde_table_put(&look->reader->threads, id, known)) {
			free(known);
			return -ENOMEM;
		}
	}
	if (!look->before)
		sonde_usage_since(&proc->sum, known, &now);
	*known = now;
	return 0;
}

/* Threads that have ended took along what they did since the last look: what the process itself is charged with is known. */
static void add_ended(const struct sonde_usage_reader *reader, struct watched *watched, u64 ticks)
{
	u64 tick_ns = NS / reader->hz, ns = ticks > watched->ticks ? (ticks - watched->ticks) * tick_ns : 0;

	if (ns > watched->proc.sum.cpu_ns + tick_ns)
		watched->proc.sum.cpu_ns = ns;
}

/* @stat: of this moment. */
static int look_at(struct sonde_usage_reader *reader, struct watched *watched, const struct sonde_machine_proc *stat,
		   bool before)
{
	struct look look = { .reader = reader, .watched = watched, .before = before };
	u64 now = sonde_clock_ns();
	char path[64];
	int err;

	memcpy(watched->proc.process, stat->comm, sizeof(watched->proc.process));
	snprintf(path, sizeof(path), "/proc/%u/task", watched->proc.pid);
	err = sonde_procfile_each(path, look_at_thread, &look);
	if (err || !look.nr_threads)
		return err;
	watched->proc.nr_threads = look.nr_threads;
	watched->proc.nr_cpus = look.nr_cpus && look.nr_cpus < reader->nr_cpus ? look.nr_cpus : reader->nr_cpus;
	watched->proc.uncounted = !look.counted;
	if (before) {
		watched->ticks = stat->ticks;
		watched->from_ns = now;
		return 0;
	}
	watched->looked_ns = now;
	if (!watched->limited)
		watched->proc.limit_milli = sonde_cgroups_cpu_limit(reader->cgroups, watched->proc.pid);
	watched->limited = true;
	add_ended(reader, watched, stat->ticks);
	return 0;
}

static bool read_stat(u32 pid, struct sonde_machine_proc *stat)
{
	char path[64], text[1024];

	*stat = (struct sonde_machine_proc){ .pid = pid };
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	return sonde_procfile_read(path, text, sizeof(text)) && sonde_machine_proc_stat(stat, text);
}

static struct watched *add(struct sonde_usage_reader *reader, const struct sonde_machine_proc *stat)
{
	size_t room = reader->room ? reader->room * 2 : 256;
	struct watched *watched, **more;

	if (reader->nr == reader->room) {
		more = realloc(reader->list, room * sizeof(*more));
		if (!more)
			return NULL;
		reader->list = more;
		reader->room = room;
	}
	watched = calloc(1, sizeof(*watched));
	if (!watched || sonde_table_put(&reader->procs, stat->pid, watched)) {
		free(watched);
		return NULL;
	}
	watched->proc.pid = stat->pid;
	watched->proc.start = stat->start;
	watched->proc.nr_procs = 1;
	watched->from_ns = reader->begin_ns;
	if (stat->start > reader->begin_ticks)
		watched->from_ns += (stat->start - reader->begin_ticks) * (NS / reader->hz);
	reader->list[reader->nr++] = watched;
	return watched;
}

static int begin_one(void *ctx, u32 pid)
{
	struct sonde_usage_reader *reader = ctx;
	struct sonde_machine_proc stat;
	struct watched *watched;

	if (sonde_table_get(&reader->procs, pid) || !read_stat(pid, &stat))
		return 0;
	watched = add(reader, &stat);
	return watched ? look_at(reader, watched, &stat, true) : -ENOMEM;
}

int sonde_usage_begin(struct sonde_usage_reader *reader, const pid_t *pids, size_t nr)
{
	struct timespec boot;
	int err = 0;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	reader->begin_ns = sonde_clock_ns();
	reader->begin_ticks = (u64)boot.tv_sec * reader->hz + (u64)boot.tv_nsec / (NS / reader->hz);
	if (!nr)
		return sonde_procfile_each("/proc", begin_one, reader);
	for (size_t i = 0; i < nr && !err; i++)
		err = begin_one(reader, (u32)pids[i]);
	return err;
}

/* Looks at process @watched, if it still is that one. */
static int look_again(struct sonde_usage_reader *reader, struct watched *watched)
{
	struct sonde_machine_proc stat;

	if (watched->proc.ended)
		return 0;
	if (read_stat(watched->proc.pid, &stat) && stat.start == watched->proc.start)
		return look_at(reader, watched, &stat, false);
	watched->proc.ended = true;
	watched->proc.nr_threads = 0;
	return 0;
}

int sonde_usage_follow(struct sonde_usage_reader *reader, pid_t pid)
{
	struct watched *watched = sonde_table_get(&reader->procs, (u32)pid);
	struct sonde_machine_proc stat;

	if (watched && watched->followed && !watched->proc.ended)
		return 0;
	if (!read_stat((u32)pid, &stat))
		return 0;
	if (!watched || watched->proc.start != stat.start) {
		if (watched)
			watched->proc.ended = true;
		watched = add(reader, &stat);
		if (!watched)
			return -ENOMEM;
		/* It was there, but was not looked at. */
		if (stat.start < reader->begin_ticks && look_at(reader, watched, &stat, true))
			return -ENOMEM;
	}
	watched->followed = true;
	return 0;
}

int sonde_usage_look(struct sonde_usage_reader *reader, bool all)
{
	u64 now = sonde_clock_ns(), spent;
	int err = 0;

	if (!all && now < reader->next_ns)
		return 0;
	for (size_t i = 0; i < reader->nr && !err; i++)
		if (reader->list[i]->followed)
			err = look_again(reader, reader->list[i]);
	spent = (sonde_clock_ns() - now) * LOOK_SHARE;
	reader->next_ns = now + (spent > LOOK_NS ? spent : LOOK_NS);
	return err;
}

struct sonde_usage *sonde_usage_get(const struct sonde_usage_reader *reader)
{
	struct sonde_usage *usage = sonde_usage_new();

	for (size_t i = 0; usage && i < reader->nr; i++) {
		struct sonde_usage_proc proc = reader->list[i]->proc;

		if (!reader->list[i]->looked_ns)
			continue;
		proc.wall_ns = reader->list[i]->looked_ns - reader->list[i]->from_ns;
		if (!sonde_usage_add(usage, &proc))
			continue;
		sonde_usage_free(usage);
		return NULL;
	}
	if (usage)
		sonde_usage_sort(usage);
	return usage;
}
