// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.c - writes allocations, or growth, into a recording.
 */
#include "record/alloc.h"

#include <errno.h>

#include "model/breakdown.h"
#include "model/finding.h"
#include "model/gc.h"
#include "model/leak_find.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "record/alloc_tables.h"
#include "record/gc.h"
#include "record/growth.h"

/* A recording under way; the first error is kept. */
struct writer {
	struct sonde_record *record;
	const struct sonde_snapshot *snapshot;
	int err;
};

static void create(struct writer *w, const struct sonde_record_table *table)
{
	if (!w->err)
		w->err = sonde_record_create(w->record, table);
}

static void put(struct writer *w, const struct sonde_record_table *table, const void *row)
{
	if (!w->err)
		w->err = sonde_record_put(w->record, table, row);
}

static void write_run(struct writer *w)
{
	const struct sonde_snapshot *snapshot = w->snapshot;
	const struct sonde_alloc *alloc = snapshot->alloc;
	struct sonde_recorded_run run = {
		.schema = SONDE_RECORD_SCHEMA,
		.command = "alloc",
		.host = snapshot->host.name,
		.kernel = snapshot->host.kernel,
		.arch = snapshot->host.arch,
		.start_unix_ns = snapshot->start_unix_ns,
		.mono_to_unix_ns = snapshot->mono_to_unix_ns,
		.duration_ns = snapshot->duration_ns,
		.mode = snapshot->growth ? "growth" : "allocations",
		.gc_from_ns = snapshot->gc ? snapshot->gc->from_ns : 0,
		.gc_to_ns = snapshot->gc ? snapshot->gc->to_ns : 0,
		.by_endpoint = snapshot->breakdowns != NULL,
	};

	if (alloc) {
		run.rate = alloc->rate;
		run.finer = alloc->finer;
		run.window_ns = alloc->window_ns;
		run.nr_windows = alloc->nr_windows;
		run.exact = alloc->exact;
	}
	create(w, &sonde_table_run);
	put(w, &sonde_table_run, &run);
	create(w, &sonde_table_coverage);
	for (u32 i = 0; i < SONDE_CNT_MAX; i++) {
		struct sonde_recorded_count count = { .name = sonde_counter_info[i].name,
						      .value = snapshot->counter[i] };

		if (count.value)
			put(w, &sonde_table_coverage, &count);
	}
}

static void write_stacks(struct writer *w)
{
	const struct sonde_profile *profile = w->snapshot->profile;

	create(w, &sonde_table_function);
	create(w, &sonde_table_stack);
	create(w, &sonde_table_stack_frame);
	for (size_t i = 0; i < profile->nr_frames; i++)
		put(w, &sonde_table_function, &profile->frame[i]);
	for (size_t i = 0; i < profile->nr_stacks; i++) {
		const struct sonde_stack *stack = &profile->stack[i];
		struct sonde_recorded_stack row = { .pid = stack->pid,
						    .process = stack->process,
						    .end = stack->end,
						    .nr_kernel = stack->nr_kernel,
						    .complete = stack->complete };

		put(w, &sonde_table_stack, &row);
	}
	for (size_t i = 0; i < profile->nr_stacks; i++) {
		for (u32 k = 0; k < profile->stack[i].nr; k++) {
			struct sonde_recorded_frame row = { .stack = i + 1, .frame = profile->stack[i].frame[k] + 1 };

			put(w, &sonde_table_stack_frame, &row);
		}
	}
}

static void write_histogram(struct writer *w, const char *of, u64 row, const char *kind, const u64 *hist, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		struct sonde_recorded_bucket bucket = {
			.of = of, .row = row, .kind = kind, .bucket = i, .objects = hist[i]
		};

		if (hist[i])
			put(w, &sonde_table_histogram, &bucket);
	}
}

static void write_histograms(struct writer *w, const char *of, u64 row, const struct sonde_alloc_stat *stat)
{
	write_histogram(w, of, row, "bytes", stat->size, SONDE_ALLOC_SIZES);
	write_histogram(w, of, row, "lifetime_us", stat->life, SONDE_ALLOC_LIVES);
}

static void write_sites(struct writer *w)
{
	const struct sonde_alloc *alloc = w->snapshot->alloc;

	create(w, &sonde_table_site);
	create(w, &sonde_table_total);
	create(w, &sonde_table_histogram);
	for (size_t i = 0; i < alloc->nr; i++) {
		struct sonde_recorded_site site = { .stack = (u64)(alloc->row[i].stack + 1), .row = alloc->row[i] };

		put(w, &sonde_table_site, &site);
		write_histograms(w, sonde_table_site.name, i + 1, &alloc->row[i].stat);
	}
	for (size_t i = 0; i < alloc->nr_totals; i++) {
		put(w, &sonde_table_total, &alloc->total[i]);
		write_histograms(w, sonde_table_total.name, i + 1, &alloc->total[i].stat);
	}
}

static void write_readings(struct writer *w)
{
	const struct sonde_alloc *alloc = w->snapshot->alloc;

	create(w, &sonde_table_reading);
	for (size_t i = 0; i < alloc->nr_series; i++) {
		const struct sonde_leak_series *series = &alloc->series[i];

		for (u32 k = 0; k < series->nr; k++) {
			struct sonde_recorded_reading row = { .stack = series->stack + 1,
							      .unix_ns =
								      series->time_ns[k] + w->snapshot->mono_to_unix_ns,
							      .alloc_bytes = series->alloc_bytes[k],
							      .live_bytes = series->live_bytes[k] };

			put(w, &sonde_table_reading, &row);
		}
	}
}

static void write_finding(struct writer *w, u64 number, const struct sonde_finding *finding)
{
	const struct sonde_leak_found *found = finding->leak;
	struct sonde_recorded_finding row = { .id = finding->id,
					      .confidence = finding->confidence,
					      .pid = finding->pid,
					      .process = finding->process,
					      .place = finding->query,
					      .suggestion = finding->suggestion,
					      .alloc_bytes = found->stat.alloc_bytes,
					      .paths = found->nr_paths,
					      .leak = found->leak,
					      .first_seen_ns = finding->first_seen_ns,
					      .last_seen_ns = finding->last_seen_ns };

	put(w, &sonde_table_finding, &row);
	for (size_t i = 0; i < finding->nr_site; i++) {
		struct sonde_recorded_line line = { .finding = number, .text = finding->site[i] };

		put(w, &sonde_table_finding_site, &line);
	}
	for (u32 i = 0; i < found->nr; i++) {
		struct sonde_recorded_line line = { .finding = number,
						    .time_ns = found->time_ns[i],
						    .live_bytes = found->live_bytes[i] };

		put(w, &sonde_table_finding_reading, &line);
	}
}

/* Leaks: those of garbage collections are made again of what is recorded of these. */
static void write_findings(struct writer *w)
{
	u64 number = 0;

	create(w, &sonde_table_finding);
	create(w, &sonde_table_finding_site);
	create(w, &sonde_table_finding_reading);
	for (size_t i = 0; i < w->snapshot->nr_findings; i++)
		if (w->snapshot->findings[i]->leak)
			write_finding(w, ++number, w->snapshot->findings[i]);
}

static void write_endpoints(struct writer *w)
{
	const struct sonde_breakdowns *list = w->snapshot->breakdowns;

	create(w, &sonde_table_endpoint);
	create(w, &sonde_table_endpoint_site);
	for (size_t i = 0; list && i < list->nr; i++) {
		put(w, &sonde_table_endpoint, list->row[i]);
		for (size_t k = 0; k < list->row[i]->nr_sites; k++) {
			struct sonde_recorded_endpoint_site row = { .endpoint = i + 1,
								    .stack = (u64)(list->row[i]->site[k].stack + 1),
								    .memory = list->row[i]->site[k].memory };

			put(w, &sonde_table_endpoint_site, &row);
		}
	}
}

int sonde_record_alloc(const struct sonde_snapshot *snapshot, const char *file)
{
	struct writer w = { .record = sonde_record_new(), .snapshot = snapshot };

	if (!w.record)
		return -ENOMEM;
	write_run(&w);
	write_stacks(&w);
	if (snapshot->growth) {
		if (!w.err)
			w.err = sonde_record_growth(w.record, snapshot->growth, snapshot->mono_to_unix_ns);
	} else {
		write_sites(&w);
		write_readings(&w);
		write_findings(&w);
	}
	write_endpoints(&w);
	if (!w.err)
		w.err = sonde_record_gc(w.record, snapshot->gc);
	if (!w.err)
		w.err = sonde_record_write(w.record, file);
	sonde_record_free(w.record);
	return w.err;
}
