// SPDX-License-Identifier: GPL-2.0-only
/*
 * leak.c - readings of what lives.
 *
 * Each object that lives is read with the time of its birth, so that one reading tells what is left of every window before it;
 * the sums by site of earlier readings tell what has gone since.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/table.h"
#include "collect/leak.h"
#include "collect/map_each.h"
#include "collect/profile.h"
#include "model/alloc.h"

#define COST 50 /* a reading takes no more than so small a part of the time */

/* A process that was met: @epoch: programs it has executed. */
struct process {
	u64 begin_ns;
	u32 epoch;
	bool ended;
};

struct sonde_leaks {
	u64 window_ns;
	u64 last_ns, next_ns;
	u64 readings;
	u64 time_ns[SONDE_LEAK_POINTS];
	u32 nr_points;
	struct sonde_leak_series *series;
	struct sonde_leak_series *before; /* each as it was a reading before */
	size_t nr, room;
	struct sonde_table index; /* by stack: place in @series + 1 */
	struct sonde_table processes; /* by pid: struct process */
	/* Of the reading under way: */
	const struct sonde_profiler *profiler;
	u64 now_ns;
};

struct sonde_leaks *sonde_leaks_new(u64 window_ns)
{
	struct sonde_leaks *leaks = calloc(1, sizeof(*leaks));

	if (!leaks)
		return NULL;
	leaks->window_ns = window_ns;
	return leaks;
}

void sonde_leaks_free(struct sonde_leaks *leaks)
{
	if (!leaks)
		return;
	free(leaks->series);
	free(leaks->before);
	sonde_table_free(&leaks->index, NULL);
	sonde_table_free(&leaks->processes, free);
	free(leaks);
}

bool sonde_leaks_due(struct sonde_leaks *leaks)
{
	u64 now = sonde_clock_ns();

	if (!leaks->next_ns) {
		leaks->last_ns = now;
		leaks->next_ns = now + leaks->window_ns;
	}
	return now >= leaks->next_ns;
}

static void thin_out_series(struct sonde_leak_series *series)
{
	for (u32 i = 0; 2 * i < series->nr; i++) {
		series->live_bytes[i] = series->live_bytes[2 * i];
		series->alloc_bytes[i] = series->alloc_bytes[2 * i];
	}
	series->nr = (series->nr + 1) / 2;
}

/* Every second reading is forgotten; the first of all is kept. */
static void thin_out(struct sonde_leaks *leaks)
{
	for (u32 i = 0; 2 * i < leaks->nr_points; i++)
		leaks->time_ns[i] = leaks->time_ns[2 * i];
	for (size_t s = 0; s < leaks->nr; s++) {
		thin_out_series(&leaks->series[s]);
		thin_out_series(&leaks->before[s]);
	}
	leaks->nr_points = (leaks->nr_points + 1) / 2;
	leaks->window_ns *= 2;
}

static struct process *process_of(struct sonde_leaks *leaks, u32 pid)
{
	struct process *process = sonde_table_get(&leaks->processes, pid);

	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (process && sonde_table_put(&leaks->processes, pid, process)) {
		free(process);
		return NULL;
	}
	if (process)
		process->begin_ns = leaks->last_ns; /* it was not there then */
	return process;
}

/*
 * Process @pid has ended. Where half of what had lived went with the last reading, that met it on its way out, freeing what it had kept:
 * what counts is how it was before.
 */
static void end_process(struct sonde_leaks *leaks, u32 pid)
{
	u64 last = 0, before = 0;

	for (size_t i = 0; i < leaks->nr; i++) {
		const struct sonde_leak_series *series = &leaks->series[i], *was = &leaks->before[i];

		if (series->pid != pid || !was->nr || !series->nr)
			continue;
		last += series->live_bytes[series->nr - 1];
		before += was->live_bytes[was->nr - 1];
	}
	for (size_t i = 0; i < leaks->nr && last < before / 2; i++)
		if (leaks->series[i].pid == pid && leaks->before[i].nr)
			leaks->series[i] = leaks->before[i];
}

static int take_process(void *ctx, const void *key, const void *value)
{
	const struct sonde_alloc_proc *proc = value;
	struct sonde_leaks *leaks = ctx;
	struct process *process;
	struct sonde_proc id;

	memcpy(&id, key, sizeof(id));
	process = process_of(leaks, id.tgid);
	if (!process)
		return -ENOMEM;
	process->epoch = proc->epoch;
	if (!process->ended && kill((pid_t)id.tgid, 0) && errno == ESRCH) {
		process->ended = true;
		end_process(leaks, id.tgid);
	}
	return 0;
}

static struct sonde_leak_series *series_of(struct sonde_leaks *leaks, size_t stack, u32 pid)
{
	uintptr_t at = (uintptr_t)sonde_table_get(&leaks->index, stack);
	size_t room = leaks->room ? leaks->room * 2 : 64;
	struct sonde_leak_series *more;

	if (at)
		return &leaks->series[at - 1];
	if (leaks->nr == leaks->room) {
		more = realloc(leaks->series, room * sizeof(*more));
		if (!more)
			return NULL;
		leaks->series = more;
		more = realloc(leaks->before, room * sizeof(*more));
		if (!more)
			return NULL;
		leaks->before = more;
		leaks->room = room;
	}
	if (sonde_table_put(&leaks->index, stack, (void *)(uintptr_t)(leaks->nr + 1)))
		return NULL;
	leaks->series[leaks->nr] = (struct sonde_leak_series){ .stack = stack, .pid = pid, .time_ns = leaks->time_ns };
	leaks->before[leaks->nr] = leaks->series[leaks->nr];
	return &leaks->series[leaks->nr++];
}

static int take_row(struct sonde_leaks *leaks, const struct sonde_alloc_row *row)
{
	struct process *process = process_of(leaks, row->pid);
	struct sonde_leak_series *series;

	if (!process)
		return -ENOMEM;
	if (process->ended)
		return 0;
	series = series_of(leaks, (size_t)row->stack, row->pid);
	if (!series)
		return -ENOMEM;
	leaks->before[series - leaks->series] = *series;
	series->time = (struct sonde_leak_time){ .begin_ns = process->begin_ns,
						 .now_ns = leaks->now_ns,
						 .window_ns = leaks->window_ns };
	series->stat = row->stat;
	series->nr = leaks->nr_points;
	series->live_bytes[series->nr - 1] = row->live_bytes;
	series->alloc_bytes[series->nr - 1] = row->stat.alloc_bytes;
	return 0;
}

static void forget_living(void *ctx)
{
	struct sonde_leaks *leaks = ctx;

	for (size_t i = 0; i < leaks->nr; i++)
		if (leaks->series[i].time.now_ns == leaks->now_ns)
			leaks->series[i].living = (struct sonde_leak_living){};
}

static int take_live(void *ctx, const void *key, const void *value)
{
	struct sonde_leaks *leaks = ctx;
	struct sonde_leak_series *series;
	struct sonde_alloc_live live;
	struct process *process;
	size_t stack;
	uintptr_t at;

	(void)key;
	memcpy(&live, value, sizeof(live));
	process = sonde_table_get(&leaks->processes, live.site.proc.tgid);
	stack = sonde_profiler_find(leaks->profiler, &live.site.proc, live.site.hash);
	if (!process || process->epoch != live.site.epoch || !stack)
		return 0;
	at = (uintptr_t)sonde_table_get(&leaks->index, stack - 1);
	series = at ? &leaks->series[at - 1] : NULL;
	if (series && series->time.now_ns == leaks->now_ns && live.time_ns < leaks->now_ns)
		sonde_leak_live(&series->living, &series->time, live.time_ns, live.size, live.bytes);
	return 0;
}

int sonde_leaks_take(struct sonde_leaks *leaks, const struct sonde_leak_maps *maps, const struct sonde_alloc *alloc,
		     const struct sonde_profiler *profiler)
{
	u64 cost;
	int err;

	if (leaks->nr_points == SONDE_LEAK_POINTS)
		thin_out(leaks);
	leaks->profiler = profiler;
	leaks->now_ns = sonde_clock_ns();
	leaks->time_ns[leaks->nr_points++] = leaks->now_ns;
	leaks->readings++;
	err = sonde_map_each(maps->procs, sizeof(struct sonde_proc), sizeof(struct sonde_alloc_proc), leaks, NULL,
			     take_process);
	for (size_t i = 0; i < alloc->nr && !err; i++)
		if (alloc->row[i].stack >= 0)
			err = take_row(leaks, &alloc->row[i]);
	if (!err)
		err = sonde_map_each(maps->live, sizeof(struct sonde_alloc_object), sizeof(struct sonde_alloc_live), leaks,
				     forget_living, take_live);
	leaks->last_ns = leaks->now_ns;
	cost = (sonde_clock_ns() - leaks->now_ns) * COST;
	leaks->next_ns = leaks->now_ns + (cost > leaks->window_ns ? cost : leaks->window_ns);
	return err;
}

const struct sonde_leak_series *sonde_leaks_get(const struct sonde_leaks *leaks, size_t *nr)
{
	*nr = leaks->nr;
	return leaks->series;
}

u64 sonde_leaks_window(const struct sonde_leaks *leaks, u64 *nr)
{
	*nr = leaks->readings;
	return leaks->window_ns;
}
