// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc.c - garbage collections for people: pauses by process and kind, heaps, what takes too much of the time, what is not seen.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/finding.h"
#include "model/gc.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "out/gc.h"
#include "out/grid.h"
#include "out/out.h"
#include "out/slow.h"
#include "out/text.h"
#include "out/text_findings.h"

#define MOST_LINES 4u /* rows where there is little room */
#define OTHER_POOLS (16ULL << 20) /* bytes: pools that are no heap are shown from here on */
#define MOST_QUIET 3u /* processes that collect nothing are named up to so many */

static const struct sonde_grid_column columns[] = {
	{ .title = "share" },
	{ .title = "total" },
	{ .title = "pauses" },
	{ .title = "p50" },
	{ .title = "p95", .drop = 4 },
	{ .title = "p99", .drop = 5 },
	{ .title = "max", .style = SONDE_STYLE_BOLD },
	{ .title = "collected", .drop = 6 },
	{ .title = "heap before", .drop = 2 },
	{ .title = "after", .drop = 1 },
	{ .title = "freed", .drop = 3 },
	{ .title = "kind", .left = true },
	{ .title = "who", .left = true },
	{ .title = NULL },
};

static const struct sonde_grid_column pool_columns[] = {
	{ .title = "before" }, { .title = "after", .style = SONDE_STYLE_BOLD }, { .title = "committed" },
	{ .title = "most" },   { .title = "limit" },			       { .title = "collections", .drop = 1 },
	{ .title = "process" , .left = true }, { .title = "pool", .left = true }, { .title = NULL },
};

static void ns_cell(struct sonde_grid *grid, u64 ns)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", sonde_str_ns(t, ns));
}

static void bytes_cell(struct sonde_grid *grid, bool known, u64 bytes)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", known ? sonde_str_bytes(t, bytes) : "");
}

static void add_row(struct sonde_grid *grid, const struct sonde_gc_row *row)
{
	const struct sonde_gc_stat *stat = &row->stat;
	struct sonde_hist_summary sum;
	char t[SONDE_STR_SHORT];

	sonde_hist_summarize(&stat->pause, &sum);
	sonde_grid_cell(grid, "%.2f%%", 100 * row->share);
	ns_cell(grid, sum.sum_ns);
	sonde_grid_cell(grid, "%s", sonde_str_count(t, row->count));
	ns_cell(grid, sum.p50_ns);
	ns_cell(grid, sum.p95_ns);
	ns_cell(grid, sum.p99_ns);
	ns_cell(grid, sum.max_ns);
	sonde_grid_cell(grid, "%s", stat->collected ? sonde_str_count(t, stat->collected) : "");
	bytes_cell(grid, stat->before, stat->before);
	bytes_cell(grid, stat->after, stat->after);
	bytes_cell(grid, stat->sized, stat->freed);
	sonde_grid_cell(grid, "%s", sonde_gc_kind_name(row->kind));
	if (row->tid && row->tid != row->proc.tgid)
		sonde_grid_cell(grid, "%s[%u] thread %s[%u]", row->process, row->proc.tgid, stat->comm, row->tid);
	else
		sonde_grid_cell(grid, "%s[%u]", row->process, row->proc.tgid);
}

static void line(struct sonde_buf *buf, const struct sonde_out_opts *opts, struct sonde_buf *text, enum sonde_style style)
{
	sonde_text_style(buf, opts, style);
	sonde_utf8_fit(buf, text->s ? text->s : "", text->len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	buf->failed |= text->failed;
	sonde_buf_free(text);
}

static void headline(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_gc *gc)
{
	u64 pauses = 0, sum = 0, longest = 0;
	struct sonde_buf text = {};
	char t[SONDE_STR_SHORT];
	size_t nr = 0;

	for (size_t i = 0; i < gc->nr_processes; i++) {
		const struct sonde_gc_process *process = gc->process[i];

		nr += process->pauses > 0;
		pauses += process->pauses;
		sum += process->pause_ns;
		longest = process->pause.max_ns > longest ? process->pause.max_ns : longest;
	}
	sonde_buf_str(&text, "garbage collection: ");
	sonde_str_many(&text, pauses, "pause");
	if (pauses) {
		sonde_buf_printf(&text, " of %zu process%s, %s", nr, nr == 1 ? "" : "es", sonde_str_ns(t, sum));
		if (nr == 1)
			sonde_buf_printf(&text, " (%.2f%% of its time)", 100 * sonde_gc_share(gc->process[0]));
		sonde_buf_printf(&text, ", %s at most", sonde_str_ns(t, longest));
	}
	line(buf, opts, &text, SONDE_STYLE_BOLD);
}

/* What is left of Java's pools. */
static void pools(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_gc *gc)
{
	struct sonde_grid grid = { .columns = pool_columns };
	size_t nr = 0;

	for (size_t i = 0; i < gc->nr_pools; i++) {
		const struct sonde_gc_pool_row *row = &gc->pool[i];
		const struct sonde_gc_process *process = sonde_gc_find(gc, row->pid);
		char t[SONDE_STR_SHORT];

		if (!row->pool.heap && row->pool.after < OTHER_POOLS)
			continue;
		nr++;
		bytes_cell(&grid, true, row->pool.before);
		bytes_cell(&grid, true, row->pool.after);
		bytes_cell(&grid, true, row->pool.committed);
		bytes_cell(&grid, true, row->pool.peak);
		bytes_cell(&grid, (s64)row->pool.max > 0, row->pool.max);
		sonde_grid_cell(&grid, "%s", sonde_str_count(t, row->pool.collections));
		sonde_grid_cell(&grid, "%s[%u]", process ? process->process : "?", row->pid);
		sonde_grid_cell(&grid, "%s%s", row->name, row->pool.heap ? "" : " (no heap)");
	}
	if (!nr)
		return;
	sonde_buf_str(buf, "\npools at the last collection:\n");
	sonde_grid_print(&grid, opts, buf);
}

static void block(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_finding *finding)
{
	struct sonde_buf text = {};
	char a[SONDE_STR_SHORT], b[SONDE_STR_SHORT];

	sonde_text_style(buf, opts, SONDE_STYLE_BAD);
	sonde_buf_str(buf, sonde_finding_kind_title(finding->kind));
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_printf(&text, "  %s[%u]   %.1f%% of its time: %s of %s   confidence %s", finding->process, finding->pid,
			 100 * finding->share, sonde_str_ns(a, finding->waste_ns), sonde_str_ns(b, finding->scope_ns),
			 sonde_confidence_name(finding->confidence));
	line(buf, opts, &text, SONDE_STYLE_BOLD);
	if (!opts->height)
		sonde_text_wrapped(buf, opts, "do", finding->suggestion);
}

/* A sentence for each process that collects unseen, or not at all. */
static void quiet(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_gc *gc)
{
	size_t idle = 0;

	for (size_t i = 0; i < gc->nr_processes; i++)
		idle += !gc->process[i]->pauses && !sonde_gc_unseen(gc->process[i]);
	for (size_t i = 0; i < gc->nr_processes; i++) {
		const struct sonde_gc_process *process = gc->process[i];
		const char *why = sonde_gc_unseen(process);
		struct sonde_buf text = {};

		if (process->pauses || (!why && idle > MOST_QUIET))
			continue;
		sonde_buf_printf(&text, "%s[%u] runs %s: ", process->process, process->proc.tgid,
				 sonde_gc_runtime_name(process->runtime));
		if (why)
			sonde_buf_printf(&text, "its garbage collections are not seen: %s", why);
		else
			sonde_buf_printf(&text, "no garbage collection (by %s)", process->how);
		line(buf, opts, &text, SONDE_STYLE_DIM);
	}
}

unsigned int sonde_gc_lines(const struct sonde_snapshot *snapshot)
{
	const struct sonde_gc *gc = snapshot->gc;

	if (!gc || !gc->nr)
		return 0;
	return 3 + (gc->nr < MOST_LINES ? (unsigned int)gc->nr : MOST_LINES);
}

void sonde_gc_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	const struct sonde_gc *gc = snapshot->gc;
	struct sonde_grid grid = { .columns = columns };
	size_t nr;

	if (!gc || !gc->nr_processes || (opts->height && !gc->nr))
		return;
	nr = opts->top && opts->top < gc->nr ? opts->top : gc->nr;
	if (opts->height && nr > MOST_LINES)
		nr = MOST_LINES;
	sonde_buf_str(buf, "\n");
	if (gc->nr)
		headline(buf, opts, gc);
	for (size_t i = 0; i < nr; i++)
		add_row(&grid, &gc->row[i]);
	if (nr)
		sonde_grid_print(&grid, opts, buf);
	if (opts->height)
		return;
	if (nr < gc->nr)
		sonde_buf_printf(buf, "... and %zu kinds of pauses more: --top %zu\n", gc->nr - nr, gc->nr);
	pools(buf, opts, gc);
	if (gc->nr && gc->process[0]->pauses > 1) {
		sonde_buf_printf(buf, "\npauses of %s[%u]:\n", gc->process[0]->process, gc->process[0]->proc.tgid);
		sonde_slow_hist(&gc->process[0]->pause, buf);
	}
	for (size_t i = 0; i < snapshot->nr_findings; i++) {
		if (!snapshot->findings[i]->gc)
			continue;
		sonde_buf_str(buf, "\n");
		block(buf, opts, snapshot->findings[i]);
	}
	quiet(buf, opts, gc);
}
