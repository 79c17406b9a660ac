// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc_json.c - garbage collections for programs.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/finding.h"
#include "model/gc.h"
#include "model/snapshot.h"
#include "out/gc.h"
#include "out/json.h"
#include "out/jsonw.h"

static void heap(struct sonde_json *json, bool before, u64 before_bytes, bool after, u64 after_bytes, u64 committed)
{
	sonde_json_open(json, "heap", '{');
	if (before)
		sonde_json_u64(json, "before_bytes", before_bytes);
	if (after)
		sonde_json_u64(json, "after_bytes", after_bytes);
	if (committed)
		sonde_json_u64(json, "committed_bytes", committed);
}

static void row_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_gc_row *row)
{
	const struct sonde_gc_stat *stat = &row->stat;

	sonde_json_open(json, NULL, '{');
	sonde_json_u64(json, "pid", row->proc.tgid);
	sonde_json_cstr(json, "process", row->process);
	if (row->tid) {
		sonde_json_u64(json, "tid", row->tid);
		sonde_json_cstr(json, "thread", stat->comm);
	}
	sonde_json_cstr(json, "runtime", sonde_gc_runtime_name(sonde_gc_kind_runtime(row->kind)));
	sonde_json_cstr(json, "kind", sonde_gc_kind_name(row->kind));
	sonde_json_u64(json, "count", row->count);
	sonde_json_double(json, "share", row->share);
	sonde_json_summary(json, "pause_ns", &stat->pause);
	sonde_json_histogram(json, "pause_histogram", &stat->pause);
	if (sonde_gc_kind_runtime(row->kind) == SONDE_GC_PYTHON)
		sonde_json_u64(json, "collected_objects", stat->collected);
	if (stat->before || stat->after) {
		heap(json, stat->before, stat->before, stat->after, stat->after, stat->committed);
		sonde_json_u64(json, "peak_bytes", stat->peak);
		if (stat->sized)
			sonde_json_u64(json, "freed_bytes", stat->freed);
		sonde_json_close(json, '}');
	}
	sonde_json_u64(json, "first_seen_unix_ns", stat->first_ns + snapshot->mono_to_unix_ns);
	sonde_json_u64(json, "last_seen_unix_ns", stat->last_ns + snapshot->mono_to_unix_ns);
	sonde_json_close(json, '}');
}

static void pools_json(struct sonde_json *json, const struct sonde_gc *gc, u32 pid)
{
	bool any = false;

	for (size_t i = 0; i < gc->nr_pools; i++) {
		const struct sonde_gc_pool *pool = &gc->pool[i].pool;

		if (gc->pool[i].pid != pid)
			continue;
		if (!any)
			sonde_json_open(json, "pools", '[');
		any = true;
		sonde_json_open(json, NULL, '{');
		sonde_json_cstr(json, "name", gc->pool[i].name);
		sonde_json_bool(json, "heap", pool->heap != 0);
		sonde_json_u64(json, "collections", pool->collections);
		sonde_json_u64(json, "before_bytes", pool->before);
		sonde_json_u64(json, "after_bytes", pool->after);
		sonde_json_u64(json, "committed_bytes", pool->committed);
		sonde_json_u64(json, "peak_bytes", pool->peak);
		if ((s64)pool->max > 0)
			sonde_json_u64(json, "max_bytes", pool->max);
		sonde_json_close(json, '}');
	}
	if (any)
		sonde_json_close(json, ']');
}

static void process_json(struct sonde_json *json, const struct sonde_gc *gc, const struct sonde_gc_process *process)
{
	const char *why = sonde_gc_unseen(process);

	sonde_json_open(json, NULL, '{');
	sonde_json_u64(json, "pid", process->proc.tgid);
	sonde_json_cstr(json, "process", process->process);
	sonde_json_cstr(json, "runtime", sonde_gc_runtime_name(process->runtime));
	sonde_json_bool(json, "seen", !why);
	if (why)
		sonde_json_cstr(json, "invisible", why);
	else if (process->how[0]) /* it may have ended before that was asked */
		sonde_json_cstr(json, "by", process->how);
	if (process->pauses) {
		sonde_json_u64(json, "pauses", process->pauses);
		sonde_json_u64(json, "collections", process->collections);
		sonde_json_u64(json, "watched_ns", process->span_ns);
		sonde_json_u64(json, "stopped_ns", process->stopped_ns);
		sonde_json_double(json, "share", sonde_gc_share(process));
		sonde_json_summary(json, "pause_ns", &process->pause);
		if (process->runtime == SONDE_GC_PYTHON)
			sonde_json_u64(json, "collected_objects", process->collected);
	}
	if (process->sized) {
		heap(json, process->before, process->before, process->after, process->after, process->committed);
		sonde_json_u64(json, "peak_bytes", process->peak);
		sonde_json_close(json, '}');
	}
	pools_json(json, gc, process->proc.tgid);
	sonde_json_close(json, '}');
}

void sonde_gc_json(struct sonde_json *json, const struct sonde_snapshot *snapshot)
{
	const struct sonde_gc *gc = snapshot->gc;

	if (!gc || !gc->nr_processes)
		return;
	sonde_json_open(json, "garbage_collection", '{');
	sonde_json_open(json, "processes", '[');
	for (size_t i = 0; i < gc->nr_processes; i++)
		process_json(json, gc, gc->process[i]);
	sonde_json_close(json, ']');
	sonde_json_open(json, "pauses", '[');
	for (size_t i = 0; i < gc->nr; i++)
		row_json(json, snapshot, &gc->row[i]);
	sonde_json_close(json, ']');
	sonde_json_close(json, '}');
}

void sonde_gc_json_finding(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_finding *finding)
{
	sonde_json_finding_begin(json, finding);
	sonde_json_u64(json, "pid", finding->pid);
	sonde_json_cstr(json, "process", finding->process);
	sonde_json_cstr(json, "runtime", sonde_gc_runtime_name(finding->gc->runtime));
	sonde_json_u64(json, "pauses", finding->gc->pauses);
	sonde_json_u64(json, "waste_ns", finding->waste_ns);
	sonde_json_u64(json, "scope_ns", finding->scope_ns);
	sonde_json_double(json, "share", finding->share);
	sonde_json_finding_end(json, finding, snapshot);
}
