// SPDX-License-Identifier: GPL-2.0-only
/*
 * growth_json.c - growth for programs: JSON, pprof.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "model/growth.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "out/alloc.h"
#include "out/gc.h"
#include "out/growth.h"
#include "out/jsonw.h"
#include "out/leak.h"
#include "out/memory.h"
#include "out/out.h"
#include "out/profile.h"

static void calls_json(struct sonde_json *json, const u64 calls[SONDE_GROWTH_CALLS])
{
	sonde_json_open(json, "calls", '{');
	for (u32 i = 0; i < SONDE_GROWTH_CALLS; i++)
		if (calls[i])
			sonde_json_u64(json, sonde_growth_call_name((enum sonde_growth_call)i), calls[i]);
	sonde_json_close(json, '}');
}

static void kinds_json(struct sonde_json *json, const char *key, const u64 bytes[SONDE_GROWTH_MEMBERS])
{
	sonde_json_open(json, key, '{');
	sonde_json_u64(json, "anonymous", bytes[SONDE_GROWTH_ANON]);
	sonde_json_u64(json, "file", bytes[SONDE_GROWTH_FILE]);
	sonde_json_u64(json, "shared", bytes[SONDE_GROWTH_SHMEM]);
	sonde_json_close(json, '}');
}

static void memory_json(struct sonde_json *json, const char *key, const struct sonde_growth_memory *memory)
{
	if (key)
		sonde_json_open(json, key, '{');
	sonde_json_u64(json, "rss_bytes", memory->rss);
	sonde_json_u64(json, "anonymous_bytes", memory->anon);
	sonde_json_u64(json, "file_bytes", memory->file);
	sonde_json_u64(json, "shared_bytes", memory->shmem);
	sonde_json_u64(json, "swap_bytes", memory->swap);
	sonde_json_u64(json, "heap_bytes", memory->heap);
	sonde_json_u64(json, "virtual_bytes", memory->vm);
	if (key)
		sonde_json_close(json, '}');
}

static void huge_json(struct sonde_json *json, const struct sonde_growth_process *process)
{
	sonde_json_open(json, "huge_pages", '{');
	sonde_json_u64(json, "grown_bytes", process->huge);
	if (process->huge_start >= 0)
		sonde_json_s64(json, "start_bytes", process->huge_start);
	if (process->huge_now >= 0)
		sonde_json_s64(json, "now_bytes", process->huge_now);
	sonde_json_close(json, '}');
}

static void process_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_growth_process *process)
{
	sonde_json_open(json, NULL, '{');
	sonde_json_u64(json, "pid", process->proc.tgid);
	sonde_json_cstr(json, "process", process->process);
	sonde_json_bool(json, "ended", process->end_ns != 0);
	memory_json(json, "start", &process->start);
	memory_json(json, "now", &process->now);
	sonde_json_u64(json, "peak_bytes", process->peak);
	if (process->peak_ns)
		sonde_json_u64(json, "peak_unix_ns", process->peak_ns + snapshot->mono_to_unix_ns);
	sonde_json_s64(json, "slope_bytes_per_s", (s64)process->slope);
	huge_json(json, process);
	sonde_json_u64(json, "grown_bytes", process->grown);
	sonde_json_u64(json, "returned_bytes", process->returned);
	sonde_json_u64(json, "touches", process->faults);
	sonde_json_u64(json, "mapped_bytes", process->mapped);
	sonde_json_u64(json, "unmapped_bytes", process->unmapped);
	calls_json(json, process->calls);
	sonde_json_open(json, "mappings", '[');
	for (size_t i = 0; i < process->nr_mappings; i++) {
		sonde_json_open(json, NULL, '{');
		sonde_json_cstr(json, "name", process->mapping[i].name);
		sonde_json_u64(json, "grown_bytes", process->mapping[i].grown);
		sonde_json_u64(json, "returned_bytes", process->mapping[i].returned);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	sonde_json_open(json, "series", '[');
	for (size_t i = 0; i < process->nr_points; i++) {
		sonde_json_open(json, NULL, '{');
		sonde_json_u64(json, "unix_ns", process->point[i].time_ns + snapshot->mono_to_unix_ns);
		memory_json(json, NULL, &process->point[i].memory);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	sonde_json_close(json, '}');
}

static void row_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_growth_row *row)
{
	sonde_json_open(json, NULL, '{');
	sonde_json_u64(json, "pid", row->pid);
	sonde_json_cstr(json, "process", row->process);
	sonde_alloc_json_site(json, snapshot->profile, row->stack);
	if (row->mapping[0])
		sonde_json_cstr(json, "mapping", row->mapping);
	sonde_json_u64(json, "samples", row->stat.samples);
	sonde_json_u64(json, "grown_bytes", row->grown);
	kinds_json(json, "grown_bytes_by_kind", row->stat.grown);
	sonde_json_u64(json, "returned_bytes", row->returned);
	kinds_json(json, "returned_bytes_by_kind", row->stat.returned);
	sonde_json_u64(json, "touches", row->stat.faults);
	sonde_json_u64(json, "huge_bytes", row->stat.huge);
	sonde_json_u64(json, "mapped_bytes", row->stat.mapped);
	sonde_json_u64(json, "unmapped_bytes", row->stat.unmapped);
	calls_json(json, row->stat.calls);
	sonde_json_close(json, '}');
}

void sonde_growth_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts)
{
	const struct sonde_growth *growth = snapshot->growth;
	size_t nr = opts->top && opts->top < growth->nr ? opts->top : growth->nr;

	sonde_json_open(json, "growth", '[');
	for (size_t i = 0; i < nr; i++)
		row_json(json, snapshot, &growth->row[i]);
	sonde_json_close(json, ']');
	if (nr < growth->nr)
		sonde_json_u64(json, "growth_left_out", growth->nr - nr);
	sonde_memory_json(json, snapshot, opts, sonde_growth_grown(growth));
	sonde_json_open(json, "memory", '[');
	for (size_t i = 0; i < growth->nr_processes; i++)
		process_json(json, snapshot, growth->process[i]);
	sonde_json_close(json, ']');
	if (snapshot->growth_diff)
		sonde_alloc_diff_json(json, snapshot->growth_diff);
	sonde_gc_json(json, snapshot);
}

void sonde_growth_pprof(const struct sonde_snapshot *snapshot, struct sonde_buf *buf)
{
	struct sonde_pprof_values values = { .nr = SONDE_GROWTH_VALUES };
	u64 *value = sonde_growth_values(snapshot->growth, snapshot->profile);

	for (u32 v = 0; v < SONDE_GROWTH_VALUES; v++) {
		values.type[v] = sonde_growth_value_name(v);
		values.unit[v] = sonde_growth_value_unit(v);
	}
	values.value = value;
	if (value)
		sonde_profile_pprof(snapshot->profile, &values, snapshot->start_unix_ns, snapshot->duration_ns, buf);
	else
		buf->failed = true;
	free(value);
}
