// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.c - allocations for people: totals, call sites, how big objects are and how long they live.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/alloc.h"
#include "model/managed.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "out/alloc.h"
#include "out/gc.h"
#include "out/grid.h"
#include "out/leak.h"
#include "out/memory.h"
#include "out/out.h"
#include "out/text.h"
#include "out/view.h"

#define BARS 20 /* columns of a whole bar */
#define SMALL 0.005 /* shares of a histogram that are left out */

static const struct sonde_grid_column columns[] = {
	{ .title = "share" },
	{ .title = "bytes/s" },
	{ .title = "objects/s", .drop = 4 },
	{ .title = "allocated", .drop = 2 },
	{ .title = "+-", .drop = 5, .style = SONDE_STYLE_DIM },
	{ .title = "live", .style = SONDE_STYLE_BOLD },
	{ .title = "live objects", .drop = 6 },
	{ .title = "size", .drop = 3 },
	{ .title = "life p50", .drop = 7 },
	{ .title = "<1ms", .drop = 8 },
	{ .title = "verdict", .left = true, .drop = 2 },
	{ .title = "who", .left = true, .drop = 1 },
	{ .title = "where", .left = true },
	{ .title = NULL },
};

static const struct sonde_grid_column total_columns[] = {
	{ .title = "bytes/s" },
	{ .title = "objects/s", .drop = 2 },
	{ .title = "allocated" },
	{ .title = "live", .style = SONDE_STYLE_BOLD },
	{ .title = "peak" },
	{ .title = "samples", .drop = 1 },
	{ .title = "process", .left = true },
	{ .title = NULL },
};

static double percent(u64 part, u64 whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static u64 rate(u64 amount, u64 ns)
{
	return ns ? (u64)((double)amount * 1e9 / (double)ns + 0.5) : 0;
}

static void bytes_cell(struct sonde_grid *grid, u64 bytes)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", sonde_str_bytes(t, bytes));
}

static void count_cell(struct sonde_grid *grid, u64 count)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", sonde_str_count(t, count));
}

void sonde_alloc_site_text(struct sonde_buf *text, const struct sonde_profile *profile, s64 index)
{
	const struct sonde_stack *stack = index >= 0 ? &profile->stack[index] : NULL;
	u32 at;

	if (!stack || !stack->nr) {
		sonde_buf_str(text, "[unknown]");
		return;
	}
	at = sonde_alloc_site(profile, stack);
	for (u32 i = at; i < stack->nr && i <= at + SONDE_ALLOC_CALLERS; i++) {
		const struct sonde_frame *frame = &profile->frame[stack->frame[i]];
		const char *slash = strrchr(frame->file, '/');

		sonde_buf_printf(text, "%s%s", i > at ? " < " : "", frame->function);
		if (i == at && frame->line)
			sonde_buf_printf(text, " (%s:%u)", slash ? slash + 1 : frame->file, frame->line);
	}
}

void sonde_alloc_site_cell(struct sonde_grid *grid, const struct sonde_profile *profile, s64 index)
{
	struct sonde_buf text = {};

	sonde_alloc_site_text(&text, profile, index);
	sonde_grid_cell(grid, "%s", text.s ? text.s : "");
	sonde_buf_free(&text);
}

static void add_row(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_alloc_row *row,
		    u64 whole)
{
	const struct sonde_alloc_stat *stat = &row->stat;
	u64 error = sonde_alloc_error(stat->alloc_var), ns = snapshot->duration_ns;
	char t[SONDE_STR_SHORT];
	double life;

	sonde_grid_cell(grid, "%.1f%%", percent(sonde_alloc_value_of(row, snapshot->alloc->value), whole));
	bytes_cell(grid, rate(stat->alloc_bytes, ns));
	count_cell(grid, rate(sonde_alloc_objects_of(stat->alloc_objects), ns));
	bytes_cell(grid, stat->alloc_bytes);
	sonde_grid_cell(grid, "%.0f%%", percent(error, stat->alloc_bytes));
	bytes_cell(grid, row->live_bytes);
	count_cell(grid, sonde_alloc_objects_of(row->live_objects));
	bytes_cell(grid, stat->alloc_objects ? (u64)((double)stat->alloc_bytes * SONDE_ALLOC_OBJECT /
						     (double)stat->alloc_objects + 0.5) : 0);
	life = sonde_alloc_quantile(stat->life, SONDE_ALLOC_LIVES, 0.5);
	sonde_grid_cell(grid, "%s", stat->freed_samples && life > 0 ? sonde_str_ns(t, (u64)(life * 1000)) : "");
	sonde_grid_cell(grid, "%.0f%%", percent(stat->churn_bytes, stat->alloc_bytes));
	sonde_grid_cell(grid, "%s", sonde_verdict_name(row->leak.verdict));
	sonde_grid_cell(grid, "%s[%u]", row->process, row->pid);
	sonde_alloc_site_cell(grid, snapshot->profile, row->stack);
}

static void add_total(struct sonde_grid *grid, const struct sonde_snapshot *snapshot,
		      const struct sonde_alloc_total *total)
{
	bytes_cell(grid, rate(total->stat.alloc_bytes, snapshot->duration_ns));
	count_cell(grid, rate(sonde_alloc_objects_of(total->stat.alloc_objects), snapshot->duration_ns));
	bytes_cell(grid, total->stat.alloc_bytes);
	bytes_cell(grid, total->live_bytes);
	bytes_cell(grid, total->peak_bytes);
	count_cell(grid, total->stat.samples);
	sonde_grid_cell(grid, "%s[%u]", total->process, total->proc.tgid);
}

static void estimated(struct sonde_buf *line, const struct sonde_alloc *alloc, const struct sonde_alloc_total *all)
{
	char t[SONDE_STR_SHORT + 8];

	sonde_buf_printf(line, "estimated from %s samples", sonde_str_group(t, all->stat.samples));
	if (alloc->rate)
		sonde_buf_printf(line, ", one in %s or more%s", sonde_str_bytes(t, alloc->rate),
				 alloc->finer ? ", in less where there are few" : "");
	sonde_buf_printf(line, "; standard error %.1f%%",
			 percent(sonde_alloc_error(all->stat.alloc_var), all->stat.alloc_bytes));
}

static void headline(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot,
		     const struct sonde_alloc_total *all)
{
	u64 objects = sonde_alloc_objects_of(all->stat.alloc_objects);
	char a[SONDE_STR_SHORT + 8], b[SONDE_STR_SHORT];
	struct sonde_buf line = {};

	sonde_buf_printf(&line, "sonde alloc: %s in %s objects", sonde_str_bytes(a, all->stat.alloc_bytes),
			 sonde_str_count(b, objects));
	sonde_buf_printf(&line, " in %s", sonde_str_ns(a, snapshot->duration_ns));
	sonde_buf_printf(&line, ", %s/s", sonde_str_bytes(a, rate(all->stat.alloc_bytes, snapshot->duration_ns)));
	sonde_buf_printf(&line, "; %s live", sonde_str_bytes(a, all->live_bytes));
	if (snapshot->alloc->nr_totals == 1)
		sonde_buf_printf(&line, ", %s at most", sonde_str_bytes(a, all->peak_bytes));
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	sonde_buf_cut(&line, 0);
	if (snapshot->alloc->exact.on)
		sonde_alloc_exact_text(snapshot->alloc, &line);
	else
		estimated(&line, snapshot->alloc, all);
	sonde_text_style(buf, opts, SONDE_STYLE_DIM);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n\n");
	sonde_buf_free(&line);
}

/* Shares of a histogram, a bar each; @scale: of the label's unit, nanoseconds or bytes. */
static void histogram(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *title, const u64 *hist, u32 nr,
		      bool time)
{
	u64 sum = 0;

	for (u32 i = 0; i < nr; i++)
		sum += hist[i];
	if (!sum)
		return;
	sonde_buf_printf(buf, "\n%s\n", title);
	for (u32 i = 0; i < nr; i++) {
		double share = (double)hist[i] / (double)sum;
		u64 from = 1ULL << i;
		char t[SONDE_STR_SHORT];

		if (share < SMALL)
			continue;
		sonde_buf_printf(buf, "  %8s.. %5.1f%%  ", time ? sonde_str_ns(t, i ? from * 1000 : 0) : sonde_str_bytes(t, from),
				 share * 100);
		for (u32 k = 0; k < (u32)(share * BARS + 0.5); k++)
			sonde_buf_str(buf, opts->utf8 ? "\xe2\x96\x88" : "#");
		sonde_buf_str(buf, "\n");
	}
}

/* What is not seen of processes whose heap a runtime manages. */
static void runtimes(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	const struct sonde_managed *told = NULL;

	for (size_t i = 0; i < snapshot->alloc->nr_totals; i++) {
		const struct sonde_alloc_total *total = &snapshot->alloc->total[i];
		const struct sonde_managed *runtime = sonde_managed_of(snapshot->profile, total->proc.tgid);
		struct sonde_buf line = {};

		if (!runtime || !runtime->hidden[0] || runtime == told)
			continue;
		told = runtime;
		sonde_buf_printf(&line, "%s[%u] runs %s: %s", total->process, total->proc.tgid, runtime->name, runtime->hidden);
		sonde_buf_str(buf, "\n");
		sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
		sonde_buf_str(buf, "\n");
		sonde_buf_free(&line);
	}
}

static void nothing(struct sonde_buf *buf, const struct sonde_snapshot *snapshot)
{
	if (snapshot->alloc->exact.on) {
		sonde_buf_str(buf, "Nothing was allocated.\n");
		return;
	}
	sonde_buf_str(buf, "No allocation was sampled.\n");
	if (snapshot->final)
		sonde_buf_str(buf, "A sampled program allocates more than the sampling interval (--rate), is linked "
				   "dynamically to its C library, and does not drop LD_PRELOAD (setuid).\n");
}

static void text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	const struct sonde_alloc *alloc = snapshot->alloc;
	struct sonde_grid grid = { .columns = columns }, totals = { .columns = total_columns };
	struct sonde_alloc_total all = {};
	size_t nr = opts->top && opts->top < alloc->nr ? opts->top : alloc->nr, nr_totals = alloc->nr_totals;
	size_t taken = 12 + sonde_leak_lines(snapshot) + sonde_gc_lines(snapshot), room = opts->height > taken ? opts->height - taken : 4;
	size_t endpoints;
	u64 whole = 0;

	if (opts->height && nr_totals > room / 3)
		nr_totals = room / 3;
	room -= opts->height ? nr_totals : 0;
	endpoints = opts->height ? sonde_memory_rows(opts, room) : opts->top;
	if (opts->height && nr > room)
		nr = room;
	for (size_t i = 0; i < alloc->nr; i++) {
		sonde_alloc_add(&all.stat, &alloc->row[i].stat);
		all.live_bytes += alloc->row[i].live_bytes;
		whole += sonde_alloc_value_of(&alloc->row[i], alloc->value);
	}
	if (alloc->nr_totals == 1)
		all.peak_bytes = alloc->total[0].peak_bytes;
	headline(buf, opts, snapshot, &all);
	for (size_t i = 0; i < nr && !snapshot->breakdowns; i++)
		add_row(&grid, snapshot, &alloc->row[i], whole);
	for (size_t i = 0; i < nr_totals && alloc->nr_totals > 1; i++)
		add_total(&totals, snapshot, &alloc->total[i]);
	if (alloc->nr_totals > 1) {
		sonde_grid_print(&totals, opts, buf);
		sonde_buf_str(buf, "\n");
	}
	if (snapshot->breakdowns)
		sonde_memory_text(buf, opts, snapshot, all.stat.alloc_bytes, endpoints);
	else if (nr)
		sonde_grid_print(&grid, opts, buf);
	else
		nothing(buf, snapshot);
	if (nr < alloc->nr && !snapshot->breakdowns)
		sonde_buf_printf(buf, "... and %zu call sites more: --top %zu\n", alloc->nr - nr, alloc->nr);
	sonde_leak_text(buf, opts, snapshot);
	if (alloc->diff)
		sonde_alloc_diff_text(buf, opts, alloc->diff);
	if (!opts->height) {
		runtimes(buf, opts, snapshot);
		histogram(buf, opts, "objects by size:", all.stat.size, SONDE_ALLOC_SIZES, false);
		histogram(buf, opts, "freed objects by lifetime:", all.stat.life, SONDE_ALLOC_LIVES, true);
	}
	sonde_gc_text(buf, opts, snapshot);
	sonde_buf_str(buf, "\n");
	sonde_text_coverage(buf, opts, snapshot);
}

const struct sonde_out_view sonde_view_alloc = {
	.what = "samples",
	.text = text,
	.json = sonde_alloc_json,
};
