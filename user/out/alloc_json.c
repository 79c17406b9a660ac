// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_json.c - allocations for programs: JSON, pprof.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "model/alloc.h"
#include "model/managed.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "out/alloc.h"
#include "out/gc.h"
#include "out/jsonw.h"
#include "out/leak.h"
#include "out/memory.h"
#include "out/out.h"
#include "out/profile.h"

/* Objects by powers of two: {"16": 12, ...}, the keys where buckets begin. */
static void histogram(struct sonde_json *json, const char *key, const u64 *hist, u32 nr, u64 unit)
{
	struct sonde_buf name = {};

	sonde_json_open(json, key, '{');
	for (u32 i = 0; i < nr; i++) {
		if (!hist[i])
			continue;
		sonde_buf_cut(&name, 0);
		sonde_buf_printf(&name, "%llu", (unsigned long long)(unit > 1 && !i ? 0 : unit << i));
		if (!name.failed)
			sonde_json_double(json, name.s, (double)hist[i] / SONDE_ALLOC_OBJECT);
	}
	sonde_json_close(json, '}');
	sonde_buf_free(&name);
}

static void numbers(struct sonde_json *json, const struct sonde_alloc_stat *stat, u64 live_bytes, u64 live_objects)
{
	sonde_json_u64(json, "samples", stat->samples);
	sonde_json_u64(json, "alloc_bytes", stat->alloc_bytes);
	sonde_json_u64(json, "alloc_bytes_error", sonde_alloc_error(stat->alloc_var));
	sonde_json_u64(json, "alloc_objects", sonde_alloc_objects_of(stat->alloc_objects));
	sonde_json_u64(json, "live_bytes", live_bytes);
	sonde_json_u64(json, "live_bytes_error", sonde_alloc_error(stat->live_var > 0 ? (u64)stat->live_var : 0));
	sonde_json_u64(json, "live_objects", sonde_alloc_objects_of(live_objects));
	sonde_json_u64(json, "churn_bytes", stat->churn_bytes);
	sonde_json_u64(json, "churn_objects", sonde_alloc_objects_of(stat->churn_objects));
	histogram(json, "objects_by_bytes", stat->size, SONDE_ALLOC_SIZES, 1);
	histogram(json, "objects_by_lifetime_ns", stat->life, SONDE_ALLOC_LIVES, 1000);
}

void sonde_alloc_json_site(struct sonde_json *json, const struct sonde_profile *profile, s64 index)
{
	const struct sonde_stack *stack = index >= 0 ? &profile->stack[index] : NULL;
	u32 at = stack && stack->nr ? sonde_alloc_site(profile, stack) : 0;

	if (stack && stack->nr) {
		const struct sonde_frame *frame = &profile->frame[stack->frame[at]];

		sonde_json_cstr(json, "function", frame->function);
		if (frame->file[0])
			sonde_json_cstr(json, "file", frame->file);
		if (frame->line)
			sonde_json_u64(json, "line", frame->line);
	}
	sonde_json_open(json, "site", '[');
	for (u32 i = 0; stack && i < stack->nr; i++)
		sonde_json_cstr(json, NULL, profile->frame[stack->frame[i]].function);
	sonde_json_close(json, ']');
}

void sonde_alloc_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts)
{
	const struct sonde_alloc *alloc = snapshot->alloc;
	size_t nr = opts->top && opts->top < alloc->nr ? opts->top : alloc->nr;
	u64 all_bytes = 0;

	for (size_t i = 0; i < alloc->nr; i++)
		all_bytes += alloc->row[i].stat.alloc_bytes;
	if (alloc->rate)
		sonde_json_u64(json, "sampling_interval_bytes", alloc->rate);
	if (alloc->window_ns) {
		sonde_json_open(json, "leak_readings", '{');
		sonde_json_u64(json, "count", alloc->nr_windows);
		sonde_json_u64(json, "window_ns", alloc->window_ns);
		sonde_json_close(json, '}');
	}
	if (alloc->exact.on)
		sonde_alloc_exact_json(json, snapshot);
	sonde_json_open(json, "allocation_totals", '[');
	for (size_t i = 0; i < alloc->nr_totals; i++) {
		const struct sonde_alloc_total *total = &alloc->total[i];
		const struct sonde_managed *runtime = sonde_managed_of(snapshot->profile, total->proc.tgid);

		sonde_json_open(json, NULL, '{');
		sonde_json_u64(json, "pid", total->proc.tgid);
		sonde_json_cstr(json, "process", total->process);
		if (runtime) {
			sonde_json_cstr(json, "runtime", runtime->name);
			if (runtime->hidden[0])
				sonde_json_cstr(json, "invisible", runtime->hidden);
		}
		numbers(json, &total->stat, total->live_bytes, total->live_objects);
		sonde_json_u64(json, "peak_bytes", total->peak_bytes);
		if (total->peak_ns)
			sonde_json_u64(json, "peak_unix_ns", total->peak_ns + snapshot->mono_to_unix_ns);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	sonde_json_open(json, "allocations", '[');
	for (size_t i = 0; i < nr; i++) {
		const struct sonde_alloc_row *row = &alloc->row[i];

		sonde_json_open(json, NULL, '{');
		sonde_json_u64(json, "pid", row->pid);
		sonde_json_cstr(json, "process", row->process);
		sonde_alloc_json_site(json, snapshot->profile, row->stack);
		numbers(json, &row->stat, row->live_bytes, row->live_objects);
		sonde_leak_json_row(json, row);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	if (nr < alloc->nr)
		sonde_json_u64(json, "allocations_left_out", alloc->nr - nr);
	sonde_memory_json(json, snapshot, opts, all_bytes);
	if (alloc->diff)
		sonde_alloc_diff_json(json, alloc->diff);
	sonde_gc_json(json, snapshot);
}

void sonde_alloc_pprof(const struct sonde_snapshot *snapshot, struct sonde_buf *buf)
{
	const struct sonde_alloc *alloc = snapshot->alloc;
	struct sonde_pprof_values values = { .nr = SONDE_ALLOC_VALUES, .shown = alloc->value, .period = alloc->rate };
	u64 *value = sonde_alloc_values(alloc, snapshot->profile);

	for (int v = 0; v < SONDE_ALLOC_VALUES; v++) {
		values.type[v] = sonde_alloc_value_name((enum sonde_alloc_value)v);
		values.unit[v] = sonde_alloc_value_unit((enum sonde_alloc_value)v);
	}
	values.value = value;
	if (value)
		sonde_profile_pprof(snapshot->profile, &values, snapshot->start_unix_ns, snapshot->duration_ns, buf);
	else
		buf->failed = true;
	free(value);
}
