// SPDX-License-Identifier: GPL-2.0-only
/*
 * leak_json.c - leaks for programs.
 */
#include "base/buf.h"
#include "model/alloc.h"
#include "model/alloc_diff.h"
#include "model/finding.h"
#include "model/leak_find.h"
#include "model/snapshot.h"
#include "out/json.h"
#include "out/jsonw.h"
#include "out/leak.h"

static void slope(struct sonde_json *json, const struct sonde_leak *leak)
{
	sonde_json_open(json, "slope_bytes_per_hour", '{');
	sonde_json_double(json, "estimate", leak->slope);
	sonde_json_double(json, "low", leak->slope_low);
	sonde_json_double(json, "high", leak->slope_high);
	sonde_json_close(json, '}');
}

static void survivors(struct sonde_json *json, const struct sonde_leak *leak)
{
	sonde_json_u64(json, "survivor_samples", leak->samples);
	if (!leak->samples)
		return;
	sonde_json_u64(json, "oldest_ns", leak->oldest_ns);
	sonde_json_u64(json, "oldest_bytes", leak->oldest_size);
	sonde_json_u64(json, "old_ns", leak->old_ns);
	sonde_json_u64(json, "old_bytes", leak->old_bytes);
	sonde_json_double(json, "old_freed_share", leak->freed_old);
}

void sonde_leak_json_row(struct sonde_json *json, const struct sonde_alloc_row *row)
{
	if (row->leak.verdict == SONDE_VERDICT_NONE)
		return;
	sonde_json_cstr(json, "verdict", sonde_verdict_name(row->leak.verdict));
	slope(json, &row->leak);
	survivors(json, &row->leak);
}

void sonde_leak_json_finding(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			     const struct sonde_finding *finding)
{
	const struct sonde_leak_found *found = finding->leak;

	sonde_json_finding_begin(json, finding);
	sonde_json_u64(json, "pid", finding->pid);
	sonde_json_cstr(json, "process", finding->process);
	slope(json, &found->leak);
	sonde_json_u64(json, "alloc_bytes", found->stat.alloc_bytes);
	sonde_json_u64(json, "live_bytes", found->leak.live_bytes);
	sonde_json_u64(json, "span_ns", found->leak.span_ns);
	survivors(json, &found->leak);
	sonde_json_u64(json, "paths", found->nr_paths);
	sonde_json_open(json, "readings", '[');
	for (u32 i = 0; i < found->nr; i++) {
		sonde_json_open(json, NULL, '{');
		sonde_json_u64(json, "unix_ns", found->time_ns[i] + snapshot->mono_to_unix_ns);
		sonde_json_u64(json, "live_bytes", found->live_bytes[i]);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	sonde_json_finding_end(json, finding, snapshot);
}

static void sums(struct sonde_json *json, const char *key, const struct sonde_alloc_diff *diff, const struct sonde_alloc_change *change,
		 enum sonde_alloc_run run)
{
	const struct sonde_alloc_sum *sum = &change->sum[run];
	double per_second = diff->seconds[run] > 0 ? sum->alloc_bytes / diff->seconds[run] : 0;

	sonde_json_open(json, key, '{');
	sonde_json_double(json, diff->grown ? "grown_bytes" : "alloc_bytes", sum->alloc_bytes);
	sonde_json_double(json, diff->grown ? "grown_bytes_per_second" : "alloc_bytes_per_second", per_second);
	if (!diff->grown)
		sonde_json_double(json, "live_bytes", sum->live_bytes);
	sonde_json_close(json, '}');
}

void sonde_alloc_diff_json(struct sonde_json *json, const struct sonde_alloc_diff *diff)
{
	sonde_json_open(json, "changes", '[');
	for (size_t i = 0; i < diff->nr; i++) {
		const struct sonde_alloc_change *change = &diff->change[i];

		sonde_json_open(json, NULL, '{');
		sonde_json_cstr(json, "process", change->process);
		if (change->function[0])
			sonde_json_cstr(json, "function", change->function);
		if (change->file[0])
			sonde_json_cstr(json, "file", change->file);
		if (change->line)
			sonde_json_u64(json, "line", change->line);
		sonde_json_bool(json, "chance", i + diff->nr_noise >= diff->nr);
		sonde_json_double(json, diff->grown ? "grown_bytes_change" : "live_bytes_change", change->live);
		sonde_json_double(json, diff->grown ? "grown_bytes_error" : "live_bytes_error", change->live_error);
		sonde_json_double(json, diff->grown ? "grown_bytes_per_second_change" : "alloc_bytes_per_second_change", change->rate);
		sonde_json_double(json, diff->grown ? "grown_bytes_per_second_error" : "alloc_bytes_per_second_error",
				  change->rate_error);
		sums(json, "before", diff, change, SONDE_RUN_BEFORE);
		sums(json, "after", diff, change, SONDE_RUN_AFTER);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
}
