// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc.c - garbage collections in recordings: what was counted, from which sums by process and findings are made again.
 */
#include "record/gc.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "model/gc.h"
#include "model/hist.h"
#include "record/table.h"

/* Table gc: pauses of one kind. @pause_min_ns: shortest. Times are CLOCK_MONOTONIC. */
struct sonde_recorded_gc {
	u32 pid, start, tid;
	const char *thread;
	const char *runtime;
	const char *kind;
	u64 pauses;
	u64 pause_ns, pause_min_ns, pause_max_ns;
	struct sonde_gc_stat stat;
};

/* Table gc_pause: a bucket of the histogram of a row of gc, by its rowid. */
struct sonde_recorded_gc_pause {
	u64 gc;
	u32 bucket;
	u32 pauses;
};

/* Table gc_process: one that has a runtime mapped, collect or not; @sight: enum sonde_gc_sight. */
struct sonde_recorded_gc_process {
	u32 pid, start;
	const char *process;
	const char *runtime;
	const char *how;
	u32 sight;
	u64 begin_ns, end_ns;
};

/* Table gc_pool: a part of a Java process's memory. */
struct sonde_recorded_gc_pool {
	u32 pid;
	const char *name;
	struct sonde_gc_pool pool;
};

static const struct sonde_record_column gc_columns[] = {
	SONDE_COLUMN("pid", U32, sonde_recorded_gc, pid),
	SONDE_COLUMN("start", U32, sonde_recorded_gc, start),
	SONDE_COLUMN("tid", U32, sonde_recorded_gc, tid),
	SONDE_COLUMN("thread", TEXT, sonde_recorded_gc, thread),
	SONDE_COLUMN("runtime", TEXT, sonde_recorded_gc, runtime),
	SONDE_COLUMN("kind", TEXT, sonde_recorded_gc, kind),
	SONDE_COLUMN("pauses", U64, sonde_recorded_gc, pauses),
	SONDE_COLUMN("pause_ns", U64, sonde_recorded_gc, pause_ns),
	SONDE_COLUMN("pause_min_ns", U64, sonde_recorded_gc, pause_min_ns),
	SONDE_COLUMN("pause_max_ns", U64, sonde_recorded_gc, pause_max_ns),
	SONDE_COLUMN("collected_objects", U64, sonde_recorded_gc, stat.collected),
	SONDE_COLUMN("sized_pauses", U64, sonde_recorded_gc, stat.sized),
	SONDE_COLUMN("freed_bytes", U64, sonde_recorded_gc, stat.freed),
	SONDE_COLUMN("before_bytes", U64, sonde_recorded_gc, stat.before),
	SONDE_COLUMN("after_bytes", U64, sonde_recorded_gc, stat.after),
	SONDE_COLUMN("committed_bytes", U64, sonde_recorded_gc, stat.committed),
	SONDE_COLUMN("peak_bytes", U64, sonde_recorded_gc, stat.peak),
	SONDE_COLUMN("first_ns", U64, sonde_recorded_gc, stat.first_ns),
	SONDE_COLUMN("last_ns", U64, sonde_recorded_gc, stat.last_ns),
	{},
};

static const struct sonde_record_column pause_columns[] = {
	SONDE_COLUMN("gc", U64, sonde_recorded_gc_pause, gc),
	SONDE_COLUMN("bucket", U32, sonde_recorded_gc_pause, bucket),
	SONDE_COLUMN("pauses", U32, sonde_recorded_gc_pause, pauses),
	{},
};

static const struct sonde_record_column process_columns[] = {
	SONDE_COLUMN("pid", U32, sonde_recorded_gc_process, pid),
	SONDE_COLUMN("start", U32, sonde_recorded_gc_process, start),
	SONDE_COLUMN("process", TEXT, sonde_recorded_gc_process, process),
	SONDE_COLUMN("runtime", TEXT, sonde_recorded_gc_process, runtime),
	SONDE_COLUMN("how", TEXT, sonde_recorded_gc_process, how),
	SONDE_COLUMN("sight", U32, sonde_recorded_gc_process, sight),
	SONDE_COLUMN("begin_ns", U64, sonde_recorded_gc_process, begin_ns),
	SONDE_COLUMN("end_ns", U64, sonde_recorded_gc_process, end_ns),
	{},
};

static const struct sonde_record_column pool_columns[] = {
	SONDE_COLUMN("pid", U32, sonde_recorded_gc_pool, pid),
	SONDE_COLUMN("name", TEXT, sonde_recorded_gc_pool, name),
	SONDE_COLUMN("heap", U64, sonde_recorded_gc_pool, pool.heap),
	SONDE_COLUMN("collections", U64, sonde_recorded_gc_pool, pool.collections),
	SONDE_COLUMN("before_bytes", U64, sonde_recorded_gc_pool, pool.before),
	SONDE_COLUMN("after_bytes", U64, sonde_recorded_gc_pool, pool.after),
	SONDE_COLUMN("committed_bytes", U64, sonde_recorded_gc_pool, pool.committed),
	SONDE_COLUMN("max_bytes", U64, sonde_recorded_gc_pool, pool.max),
	SONDE_COLUMN("peak_bytes", U64, sonde_recorded_gc_pool, pool.peak),
	{},
};

static SONDE_TABLE_NEWER(gc, "gc", sonde_recorded_gc, gc_columns);
static SONDE_TABLE_NEWER(gc_pause, "gc_pause", sonde_recorded_gc_pause, pause_columns);
static SONDE_TABLE_NEWER(gc_process, "gc_process", sonde_recorded_gc_process, process_columns);
static SONDE_TABLE_NEWER(gc_pool, "gc_pool", sonde_recorded_gc_pool, pool_columns);

/* ---- written ---- */

static int put_row(struct sonde_record *record, u64 number, const struct sonde_gc_row *row)
{
	const struct sonde_hist *pause = &row->stat.pause;
	struct sonde_recorded_gc to = { .pid = row->proc.tgid,
					.start = row->proc.start,
					.tid = row->tid,
					.thread = row->stat.comm,
					.runtime = sonde_gc_runtime_name(sonde_gc_kind_runtime(row->kind)),
					.kind = sonde_gc_kind_name(row->kind),
					.pauses = row->count,
					.pause_ns = pause->sum_ns,
					.pause_min_ns = pause->min_ns ? pause->min_ns - 1 : 0,
					.pause_max_ns = pause->max_ns,
					.stat = row->stat };
	int err = sonde_record_put(record, &sonde_table_gc, &to);

	for (u32 i = 0; i < SONDE_HIST_BUCKETS && !err; i++) {
		struct sonde_recorded_gc_pause bucket = { .gc = number, .bucket = i, .pauses = pause->bucket[i] };

		if (bucket.pauses)
			err = sonde_record_put(record, &sonde_table_gc_pause, &bucket);
	}
	return err;
}

static int put_process(struct sonde_record *record, const struct sonde_gc_process *process)
{
	struct sonde_recorded_gc_process to = { .pid = process->proc.tgid,
						.start = process->proc.start,
						.process = process->process,
						.runtime = sonde_gc_runtime_name(process->runtime),
						.how = process->how,
						.sight = process->sight,
						.begin_ns = process->begin_ns,
						.end_ns = process->end_ns };

	return sonde_record_put(record, &sonde_table_gc_process, &to);
}

int sonde_record_gc(struct sonde_record *record, const struct sonde_gc *gc)
{
	static const struct sonde_record_table *const tables[] = { &sonde_table_gc, &sonde_table_gc_pause, &sonde_table_gc_process,
								   &sonde_table_gc_pool };
	u64 number = 0;
	int err = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !err; i++)
		err = sonde_record_create(record, tables[i]);
	for (size_t i = 0; gc && i < gc->nr && !err; i++)
		if (gc->row[i].kind < SONDE_GC_KINDS)
			err = put_row(record, ++number, &gc->row[i]);
	for (size_t i = 0; gc && i < gc->nr_processes && !err; i++)
		err = put_process(record, gc->process[i]);
	for (size_t i = 0; gc && i < gc->nr_pools && !err; i++) {
		struct sonde_recorded_gc_pool to = { .pid = gc->pool[i].pid, .name = gc->pool[i].name, .pool = gc->pool[i].pool };

		err = sonde_record_put(record, &sonde_table_gc_pool, &to);
	}
	return err;
}

/* ---- read ---- */

/* As much of @from as there is room for. */
static void copy(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	memcpy(to, from ? from : "", len);
	to[len] = '\0';
}

static int take_row(void *ctx, const void *recorded)
{
	const struct sonde_recorded_gc *from = recorded;
	u32 runtime = from->runtime ? sonde_gc_runtime_find(from->runtime) : SONDE_GC_RUNTIMES;
	u32 kind = from->kind ? sonde_gc_kind_find(runtime, from->kind) : SONDE_GC_KINDS;
	struct sonde_gc_row *row;

	if (kind == SONDE_GC_KINDS)
		return -EPROTO;
	row = sonde_gc_row(ctx);
	if (!row)
		return -ENOMEM;
	row->proc = (struct sonde_proc){ .tgid = from->pid, .start = from->start };
	row->tid = from->tid;
	row->kind = kind;
	row->stat = from->stat;
	copy(row->stat.comm, sizeof(row->stat.comm), from->thread);
	row->stat.pause.sum_ns = from->pause_ns;
	row->stat.pause.min_ns = from->pauses ? from->pause_min_ns + 1 : 0;
	row->stat.pause.max_ns = from->pause_max_ns;
	return 0;
}

static int take_pause(void *ctx, const void *recorded)
{
	const struct sonde_recorded_gc_pause *from = recorded;
	struct sonde_gc *gc = ctx;

	if (from->gc - 1 >= gc->nr || from->bucket >= SONDE_HIST_BUCKETS)
		return -EPROTO;
	gc->row[from->gc - 1].stat.pause.bucket[from->bucket] = from->pauses;
	return 0;
}

static int take_process(void *ctx, const void *recorded)
{
	const struct sonde_recorded_gc_process *from = recorded;
	struct sonde_proc proc = { .tgid = from->pid, .start = from->start };
	u32 runtime = from->runtime ? sonde_gc_runtime_find(from->runtime) : SONDE_GC_RUNTIMES;
	struct sonde_gc_process *process;

	if (runtime == SONDE_GC_RUNTIMES || from->sight >= SONDE_GC_SIGHTS)
		return -EPROTO;
	process = sonde_gc_process(ctx, &proc);
	if (!process)
		return -ENOMEM;
	process->runtime = runtime;
	process->sight = from->sight;
	copy(process->process, sizeof(process->process), from->process);
	copy(process->how, sizeof(process->how), from->how);
	process->begin_ns = from->begin_ns;
	process->end_ns = from->end_ns;
	return 0;
}

static int take_pool(void *ctx, const void *recorded)
{
	const struct sonde_recorded_gc_pool *from = recorded;
	struct sonde_gc_pool_row *row = sonde_gc_pool_row(ctx);

	if (!row)
		return -ENOMEM;
	row->pid = from->pid;
	copy(row->name, sizeof(row->name), from->name);
	row->pool = from->pool;
	return 0;
}

int sonde_record_gc_read(struct sonde_record *record, struct sonde_gc *gc)
{
	int err = sonde_record_each(record, &sonde_table_gc, gc, take_row);

	if (!err)
		err = sonde_record_each(record, &sonde_table_gc_pause, gc, take_pause);
	if (!err)
		err = sonde_record_each(record, &sonde_table_gc_process, gc, take_process);
	if (!err)
		err = sonde_record_each(record, &sonde_table_gc_pool, gc, take_pool);
	return err;
}
