// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_tables.c - the tables of recorded allocations: which columns are which members.
 */
#include "record/alloc_tables.h"

#include "model/profile.h"
#include "record/table.h"

#define COLUMN SONDE_COLUMN
#define TABLE SONDE_TABLE

/* The sums of a struct sonde_alloc_stat. */
#define STAT(of, stat)                                                                                                 \
	COLUMN("samples", U64, of, stat.samples), COLUMN("freed_samples", U64, of, stat.freed_samples),                \
		COLUMN("alloc_objects_1024ths", U64, of, stat.alloc_objects),                                          \
		COLUMN("alloc_bytes", U64, of, stat.alloc_bytes),                                                      \
		COLUMN("freed_objects_1024ths", U64, of, stat.freed_objects),                                          \
		COLUMN("freed_bytes", U64, of, stat.freed_bytes),                                                      \
		COLUMN("churn_objects_1024ths", U64, of, stat.churn_objects),                                          \
		COLUMN("churn_bytes", U64, of, stat.churn_bytes), COLUMN("alloc_var", U64, of, stat.alloc_var),        \
		COLUMN("live_var", U64, of, stat.live_var)

#define LEAK(of, leak)                                                                                                 \
	COLUMN("verdict", U32, of, leak.verdict), COLUMN("survivor_samples", U64, of, leak.samples),                   \
		COLUMN("slope", DOUBLE, of, leak.slope), COLUMN("slope_low", DOUBLE, of, leak.slope_low),              \
		COLUMN("slope_high", DOUBLE, of, leak.slope_high),                                                     \
		COLUMN("judged_live_bytes", U64, of, leak.live_bytes), COLUMN("oldest_ns", U64, of, leak.oldest_ns),   \
		COLUMN("oldest_bytes", U64, of, leak.oldest_size), COLUMN("old_ns", U64, of, leak.old_ns),             \
		COLUMN("old_bytes", U64, of, leak.old_bytes), COLUMN("old_freed_share", DOUBLE, of, leak.freed_old),   \
		COLUMN("span_ns", U64, of, leak.span_ns)

static const struct sonde_record_column run[] = {
	COLUMN("schema", TEXT, sonde_recorded_run, schema),
	COLUMN("command", TEXT, sonde_recorded_run, command),
	COLUMN("host", TEXT, sonde_recorded_run, host),
	COLUMN("kernel", TEXT, sonde_recorded_run, kernel),
	COLUMN("arch", TEXT, sonde_recorded_run, arch),
	COLUMN("start_unix_ns", U64, sonde_recorded_run, start_unix_ns),
	COLUMN("mono_to_unix_ns", U64, sonde_recorded_run, mono_to_unix_ns),
	COLUMN("duration_ns", U64, sonde_recorded_run, duration_ns),
	COLUMN("sampling_interval_bytes", U64, sonde_recorded_run, rate),
	SONDE_COLUMN_NEWER("mode", TEXT, sonde_recorded_run, mode),
	SONDE_COLUMN_NEWER("sampling_finer", U8, sonde_recorded_run, finer),
	SONDE_COLUMN_NEWER("gc_from_ns", U64, sonde_recorded_run, gc_from_ns),
	SONDE_COLUMN_NEWER("gc_to_ns", U64, sonde_recorded_run, gc_to_ns),
	COLUMN("window_ns", U64, sonde_recorded_run, window_ns),
	COLUMN("readings", U64, sonde_recorded_run, nr_windows),
	COLUMN("by_endpoint", U8, sonde_recorded_run, by_endpoint),
	COLUMN("exact", U64, sonde_recorded_run, exact.on),
	COLUMN("exact_stopped_ns", U64, sonde_recorded_run, exact.stopped_ns),
	COLUMN("exact_budget_ppm", U64, sonde_recorded_run, exact.budget_ppm),
	COLUMN("exact_predicted_ppm", U64, sonde_recorded_run, exact.predicted_ppm),
	COLUMN("exact_cost_ppm", U64, sonde_recorded_run, exact.cost_ppm),
	COLUMN("exact_calls", U64, sonde_recorded_run, exact.calls),
	COLUMN("exact_frees", U64, sonde_recorded_run, exact.frees),
	{},
};

static const struct sonde_record_column coverage[] = {
	COLUMN("name", TEXT, sonde_recorded_count, name),
	COLUMN("value", U64, sonde_recorded_count, value),
	{},
};

static const struct sonde_record_column function[] = {
	COLUMN("function", TEXT, sonde_frame, function), COLUMN("module", TEXT, sonde_frame, module),
	COLUMN("file", TEXT, sonde_frame, file),	 COLUMN("line", U32, sonde_frame, line),
	COLUMN("kind", U32, sonde_frame, kind),		 {},
};

static const struct sonde_record_column stack[] = {
	COLUMN("pid", U32, sonde_recorded_stack, pid),
	COLUMN("process", TEXT, sonde_recorded_stack, process),
	COLUMN("end", U32, sonde_recorded_stack, end),
	COLUMN("kernel_frames", U32, sonde_recorded_stack, nr_kernel),
	COLUMN("complete", U8, sonde_recorded_stack, complete),
	{},
};

static const struct sonde_record_column stack_frame[] = {
	COLUMN("stack", U64, sonde_recorded_frame, stack),
	COLUMN("function", U64, sonde_recorded_frame, frame),
	{},
};

static const struct sonde_record_column site[] = {
	COLUMN("stack", U64, sonde_recorded_site, stack),
	COLUMN("pid", U32, sonde_recorded_site, row.pid),
	COLUMN("process", TEXT, sonde_recorded_site, row.process),
	STAT(sonde_recorded_site, row.stat),
	COLUMN("live_bytes", U64, sonde_recorded_site, row.live_bytes),
	COLUMN("live_objects_1024ths", U64, sonde_recorded_site, row.live_objects),
	LEAK(sonde_recorded_site, row.leak),
	{},
};

static const struct sonde_record_column total[] = {
	COLUMN("pid", U32, sonde_alloc_total, proc.tgid),
	COLUMN("start", U32, sonde_alloc_total, proc.start),
	COLUMN("process", TEXT, sonde_alloc_total, process),
	STAT(sonde_alloc_total, stat),
	COLUMN("live_bytes", U64, sonde_alloc_total, live_bytes),
	COLUMN("live_objects_1024ths", U64, sonde_alloc_total, live_objects),
	COLUMN("peak_bytes", U64, sonde_alloc_total, peak_bytes),
	COLUMN("peak_ns", U64, sonde_alloc_total, peak_ns),
	{},
};

static const struct sonde_record_column histogram[] = {
	COLUMN("of", TEXT, sonde_recorded_bucket, of),
	COLUMN("row", U64, sonde_recorded_bucket, row),
	COLUMN("kind", TEXT, sonde_recorded_bucket, kind),
	COLUMN("bucket", U32, sonde_recorded_bucket, bucket),
	COLUMN("objects_1024ths", U64, sonde_recorded_bucket, objects),
	{},
};

static const struct sonde_record_column reading[] = {
	COLUMN("stack", U64, sonde_recorded_reading, stack),
	COLUMN("unix_ns", U64, sonde_recorded_reading, unix_ns),
	COLUMN("alloc_bytes", U64, sonde_recorded_reading, alloc_bytes),
	COLUMN("live_bytes", U64, sonde_recorded_reading, live_bytes),
	{},
};

static const struct sonde_record_column finding[] = {
	COLUMN("id", U64, sonde_recorded_finding, id),
	COLUMN("confidence", U32, sonde_recorded_finding, confidence),
	COLUMN("pid", U32, sonde_recorded_finding, pid),
	COLUMN("process", TEXT, sonde_recorded_finding, process),
	COLUMN("place", TEXT, sonde_recorded_finding, place),
	COLUMN("suggestion", TEXT, sonde_recorded_finding, suggestion),
	COLUMN("alloc_bytes", U64, sonde_recorded_finding, alloc_bytes),
	COLUMN("paths", U32, sonde_recorded_finding, paths),
	LEAK(sonde_recorded_finding, leak),
	COLUMN("first_seen_ns", U64, sonde_recorded_finding, first_seen_ns),
	COLUMN("last_seen_ns", U64, sonde_recorded_finding, last_seen_ns),
	{},
};

static const struct sonde_record_column finding_site[] = {
	COLUMN("finding", U64, sonde_recorded_line, finding),
	COLUMN("frame", TEXT, sonde_recorded_line, text),
	{},
};

static const struct sonde_record_column finding_reading[] = {
	COLUMN("finding", U64, sonde_recorded_line, finding),
	COLUMN("time_ns", U64, sonde_recorded_line, time_ns),
	COLUMN("live_bytes", U64, sonde_recorded_line, live_bytes),
	{},
};

#define MEMORY(of, memory)                                                                                             \
	COLUMN("samples", U64, of, memory.samples), COLUMN("objects_1024ths", U64, of, memory.objects),                \
		COLUMN("bytes", U64, of, memory.bytes), COLUMN("var", U64, of, memory.var)

static const struct sonde_record_column endpoint[] = {
	COLUMN("id", U64, sonde_breakdown, key.id),
	COLUMN("peer", U64, sonde_breakdown, key.peer),
	COLUMN("pid", U32, sonde_breakdown, key.proc.tgid),
	COLUMN("start", U32, sonde_breakdown, key.proc.start),
	COLUMN("protocol", U8, sonde_breakdown, key.proto),
	COLUMN("role", U8, sonde_breakdown, key.role),
	COLUMN("endpoint", TEXT, sonde_breakdown, text),
	COLUMN("process", TEXT, sonde_breakdown, process),
	COLUMN("server", TEXT, sonde_breakdown, server),
	COLUMN("requests", U64, sonde_breakdown, stat.count),
	COLUMN("shared_thread", U64, sonde_breakdown, stat.undivided[SONDE_UNDIVIDED_SHARED]),
	COLUMN("other_thread", U64, sonde_breakdown, stat.undivided[SONDE_UNDIVIDED_MOVED]),
	COLUMN("goroutine", U64, sonde_breakdown, stat.undivided[SONDE_UNDIVIDED_GOROUTINE]),
	MEMORY(sonde_breakdown, stat.memory),
	{},
};

static const struct sonde_record_column endpoint_site[] = {
	COLUMN("endpoint", U64, sonde_recorded_endpoint_site, endpoint),
	COLUMN("stack", U64, sonde_recorded_endpoint_site, stack),
	MEMORY(sonde_recorded_endpoint_site, memory),
	{},
};

TABLE(run, "recording", sonde_recorded_run, run);
TABLE(coverage, "coverage", sonde_recorded_count, coverage);
TABLE(function, "function", sonde_frame, function);
TABLE(stack, "stack", sonde_recorded_stack, stack);
TABLE(stack_frame, "stack_frame", sonde_recorded_frame, stack_frame);
TABLE(site, "allocation", sonde_recorded_site, site);
TABLE(total, "allocation_total", sonde_alloc_total, total);
TABLE(histogram, "histogram", sonde_recorded_bucket, histogram);
TABLE(reading, "reading", sonde_recorded_reading, reading);
TABLE(finding, "finding", sonde_recorded_finding, finding);
TABLE(finding_site, "finding_site", sonde_recorded_line, finding_site);
TABLE(finding_reading, "finding_reading", sonde_recorded_line, finding_reading);
TABLE(endpoint, "endpoint", sonde_breakdown, endpoint);
TABLE(endpoint_site, "endpoint_site", sonde_recorded_endpoint_site, endpoint_site);
