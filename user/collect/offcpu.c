// SPDX-License-Identifier: GPL-2.0-only
/*
 * offcpu.c - collects what threads wait for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/table.h"
#include "collect/counters.h"
#include "collect/map_each.h"
#include "collect/offcpu.h"
#include "collect/profile.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "model/strings.h"

/* One reading. @end_ns: when the last switch was seen. */
struct reading {
	const struct sonde_offcpu_maps *maps;
	struct sonde_strings *strings;
	struct sonde_offcpu *list;
	struct sonde_table running; /* by thread: its processor in @cpu, + 1 */
	struct sonde_off_cpu *cpu;
	struct sonde_table taken;
	u64 end_ns;
	u64 nr_waits;
};

static const char *name_of(const struct reading *reading, const struct sonde_proc *proc)
{
	char comm[SONDE_COMM_BYTES + 1] = "";
	struct sonde_proc_info info;

	if (proc->tgid && !bpf_map_lookup_elem(reading->maps->procs, proc, &info))
		memcpy(comm, info.comm, sizeof(info.comm));
	return sonde_strings_add(reading->strings, comm, strlen(comm));
}

/* Of a thread that lives; "" else. */
static const char *thread_name(const struct reading *reading, const struct sonde_off_key *key)
{
	struct sonde_off_task t;

	if (!key->tid || bpf_map_lookup_elem(reading->maps->tasks, &key->tid, &t) ||
	    memcmp(&t.proc, &key->proc, sizeof(t.proc)))
		return "";
	return sonde_strings_add(reading->strings, t.comm, strnlen(t.comm, sizeof(t.comm)));
}

/* Whether an entry was taken before: a walk that began anew meets it again. */
static bool taken(struct reading *reading, u64 id, int *err)
{
	*err = 0;
	if (sonde_table_get(&reading->taken, id))
		return true;
	*err = sonde_table_put(&reading->taken, id, reading);
	return *err != 0;
}

/* Time in run queues is its process's, waits have rows of their own. */
static int add(struct reading *reading, const struct sonde_off_key *key, const struct sonde_off_stat *stat, u64 open)
{
	struct sonde_offcpu_proc *proc;
	struct sonde_offcpu_row *row;

	reading->nr_waits += stat->count;
	if (key->reason == SONDE_WAIT_RUNNABLE) {
		proc = sonde_offcpu_proc(reading->list, &key->proc);
		if (proc)
			sonde_hist_merge(&proc->queued, &stat->hist);
		return proc ? 0 : -ENOMEM;
	}
	row = sonde_offcpu_row(reading->list);
	if (!row)
		return -ENOMEM;
	row->key = *key;
	row->stat = *stat;
	row->open = open;
	sonde_hist_tidy(&row->stat.hist);
	row->process = name_of(reading, &key->proc);
	row->waker = name_of(reading, &key->waker);
	row->thread = thread_name(reading, key);
	row->stack = key->stack ? sonde_profiler_find(reading->maps->profiler, &key->proc, key->stack) : 0;
	if (key->waker_stack)
		row->waker_stack = sonde_profiler_find(reading->maps->profiler, &key->waker, key->waker_stack);
	if (key->holder_stack)
		row->holder_stack = sonde_profiler_find(reading->maps->profiler, &key->proc, key->holder_stack);
	return row->process && row->waker && row->thread ? 0 : -ENOMEM;
}

static void forget_rows(void *ctx)
{
	struct reading *reading = ctx;

	reading->nr_waits = 0;
	while (reading->list->nr)
		free(reading->list->row[--reading->list->nr]);
	while (reading->list->nr_procs)
		free(reading->list->proc[--reading->list->nr_procs]);
}

static int take_row(void *ctx, const void *key, const void *value)
{
	const struct sonde_off_stat *stat = value;
	struct sonde_off_key own;

	memcpy(&own, key, sizeof(own));
	return stat->count ? add(ctx, &own, stat, 0) : 0; /* without: just made */
}

/* The wait that @t has been in since it left. */
static int add_open(struct reading *reading, const struct sonde_off_task *t, u32 tid, struct sonde_off_total *total)
{
	u64 until = t->wake_ns > t->out_ns ? t->wake_ns : reading->end_ns;
	struct sonde_off_stat stat = { .count = 1, .holder_tid = t->holder };
	struct sonde_off_key key = {
		.proc = t->proc,
		.stack = t->stack,
		.object = t->object,
		.holder_stack = t->holder_stack,
		.reason = t->reason,
		.held = !!t->holder,
		.tid = reading->list->by == SONDE_OFFCPU_BY_THREAD ? tid : 0,
	};

	if (!t->out_ns || t->out_ns >= reading->end_ns)
		return 0;
	if (t->reason == SONDE_WAIT_RUNNABLE) {
		total->queued_ns += reading->end_ns - t->out_ns;
		return 0;
	}
	if (until > reading->end_ns)
		until = reading->end_ns;
	total->blocked_ns += until - t->out_ns;
	total->queued_ns += reading->end_ns - until;
	if (until - t->out_ns < reading->list->min_ns)
		return 0;
	memcpy(stat.holder_comm, t->holder_comm, sizeof(stat.holder_comm));
	sonde_hist_add(&stat.hist, until - t->out_ns);
	return add(reading, &key, &stat, 1);
}

static int take_task(void *ctx, const void *key, const void *value)
{
	const struct sonde_off_task *t = value;
	struct reading *reading = ctx;
	struct sonde_off_total total = t->total;
	struct sonde_offcpu_proc *proc;
	size_t cpu;
	u32 tid;
	int err;

	memcpy(&tid, key, sizeof(tid));
	if (taken(reading, tid, &err))
		return err;
	cpu = (size_t)(uintptr_t)sonde_table_get(&reading->running, tid);
	if (cpu && reading->end_ns > reading->cpu[cpu - 1].since_ns)
		total.on_ns += reading->end_ns - reading->cpu[cpu - 1].since_ns;
	err = add_open(reading, t, tid, &total);
	proc = err ? NULL : sonde_offcpu_proc(reading->list, &t->proc);
	if (!proc)
		return err ? err : -ENOMEM;
	proc->nr_threads++;
	sonde_off_total_add(&proc->total, &total);
	return 0;
}

static int take_gone(void *ctx, const void *key, const void *value)
{
	struct reading *reading = ctx;
	struct sonde_offcpu_proc *proc;
	struct sonde_proc id;
	int err;

	memcpy(&id, key, sizeof(id));
	if (taken(reading, sonde_mix64((u64)id.tgid << 32 | id.start), &err))
		return err;
	proc = sonde_offcpu_proc(reading->list, &id);
	if (!proc)
		return -ENOMEM;
	sonde_off_total_add(&proc->total, value);
	return 0;
}

static int read_cpus(struct reading *reading)
{
	int nr = libbpf_num_possible_cpus();
	u32 zero = 0;

	reading->cpu = nr > 0 ? calloc((size_t)nr, sizeof(*reading->cpu)) : NULL;
	if (!reading->cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(reading->maps->cpus, &zero, reading->cpu))
		return -errno;
	for (int i = 0; i < nr; i++) {
		if (reading->cpu[i].since_ns > reading->end_ns)
			reading->end_ns = reading->cpu[i].since_ns;
		if (reading->cpu[i].tid && reading->cpu[i].since_ns &&
		    sonde_table_put(&reading->running, reading->cpu[i].tid, (void *)(uintptr_t)(i + 1)))
			return -ENOMEM;
	}
	return 0;
}

static int read_all(struct reading *reading, struct sonde_snapshot *snapshot)
{
	const struct sonde_offcpu_maps *maps = reading->maps;
	u64 lost;
	int err;

	err = read_cpus(reading);
	if (!err)
		err = sonde_map_each(maps->rows, sizeof(struct sonde_off_key), sizeof(struct sonde_off_stat), reading,
				     forget_rows, take_row);
	if (!err)
		err = sonde_map_each(maps->tasks, sizeof(u32), sizeof(struct sonde_off_task), reading, NULL,
				     take_task);
	if (!err)
		err = sonde_map_each(maps->gone, sizeof(struct sonde_proc), sizeof(struct sonde_off_total), reading,
				     NULL, take_gone);
	if (!err)
		err = sonde_counters_read(maps->counters, -1, snapshot->counter);
	for (size_t i = 0; i < reading->list->nr_procs && !err; i++) {
		struct sonde_offcpu_proc *proc = reading->list->proc[i];

		sonde_hist_tidy(&proc->queued);
		proc->process = name_of(reading, &proc->proc);
		err = proc->process ? 0 : -ENOMEM;
	}
	snapshot->counter[SONDE_CNT_EVENTS_MISSED] = maps->missed;
	lost = snapshot->counter[SONDE_CNT_LOST_OFF_ROWS];
	snapshot->counter[SONDE_CNT_ATTRIBUTED] = reading->nr_waits;
	snapshot->counter[SONDE_CNT_TIMED] = snapshot->counter[SONDE_CNT_SEEN] = reading->nr_waits + lost;
	sonde_offcpu_sort(reading->list);
	return err;
}

struct sonde_snapshot *sonde_offcpu_read(const struct sonde_offcpu_maps *maps, enum sonde_offcpu_by by, u64 min_ns,
					 int *err)
{
	struct reading reading = { .maps = maps, .strings = sonde_strings_new() };
	struct sonde_snapshot *snapshot = reading.strings ? sonde_snapshot_new(reading.strings) : NULL;

	*err = -ENOMEM;
	if (snapshot)
		snapshot->offcpu = reading.list = sonde_offcpu_new();
	sonde_strings_put(reading.strings); /* the snapshot has a reference */
	if (reading.list) {
		snapshot->view = SONDE_VIEW_OFFCPU;
		reading.list->by = by;
		reading.list->min_ns = min_ns;
		*err = read_all(&reading, snapshot);
	}
	sonde_table_free(&reading.running, NULL);
	sonde_table_free(&reading.taken, NULL);
	free(reading.cpu);
	if (!*err)
		return snapshot;
	sonde_snapshot_free(snapshot);
	return NULL;
}
