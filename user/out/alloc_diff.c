// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_diff.c - for people: what has changed since another run.
 */
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/alloc_diff.h"
#include "out/grid.h"
#include "out/leak.h"
#include "out/out.h"

/* What the columns show is either what is alive at the end of a run or what has grown during it. */
#define COLUMNS(amount)                                                                                                                    \
	{                                                                                                                                  \
		{ .title = amount " before", .drop = 3 },                                                                                  \
		{ .title = amount },                                                                                                       \
		{ .title = "change", .style = SONDE_STYLE_BOLD },                                                                          \
		{ .title = "+-", .drop = 5, .style = SONDE_STYLE_DIM },                                                                    \
		{ .title = "bytes/s before", .drop = 4 },                                                                                  \
		{ .title = "bytes/s" },                                                                                                    \
		{ .title = "change", .style = SONDE_STYLE_BOLD },                                                                          \
		{ .title = "+-", .drop = 6, .style = SONDE_STYLE_DIM },                                                                    \
		{ .title = "process", .left = true, .drop = 2 },                                                                           \
		{ .title = "where", .left = true },                                                                                        \
		{ .title = NULL },                                                                                                         \
	}

static const struct sonde_grid_column columns[] = COLUMNS("live");
static const struct sonde_grid_column grown_columns[] = COLUMNS("grown");

static void bytes(struct sonde_grid *grid, double value, bool sign)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s%s", !sign ? "" : value < 0 ? "-" : "+", sonde_str_bytes(t, (u64)(fabs(value) + 0.5)));
}

static void add_row(struct sonde_grid *grid, const struct sonde_alloc_diff *diff, const struct sonde_alloc_change *change)
{
	const char *slash = strrchr(change->file, '/');
	double rate[SONDE_RUNS];

	for (int run = 0; run < SONDE_RUNS; run++)
		rate[run] = diff->seconds[run] > 0 ? change->sum[run].alloc_bytes / diff->seconds[run] : 0;
	bytes(grid, change->sum[SONDE_RUN_BEFORE].live_bytes, false);
	bytes(grid, change->sum[SONDE_RUN_AFTER].live_bytes, false);
	bytes(grid, change->live, true);
	bytes(grid, change->live_error, false);
	bytes(grid, rate[SONDE_RUN_BEFORE], false);
	bytes(grid, rate[SONDE_RUN_AFTER], false);
	bytes(grid, change->rate, true);
	bytes(grid, change->rate_error, false);
	sonde_grid_cell(grid, "%s", change->process);
	if (change->line)
		sonde_grid_cell(grid, "%s (%s:%u)", change->function, slash ? slash + 1 : change->file, change->line);
	else
		sonde_grid_cell(grid, "%s", change->function[0] ? change->function : "[unknown]");
}

void sonde_alloc_diff_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_alloc_diff *diff)
{
	size_t sure = diff->nr - diff->nr_noise, nr = opts->top && opts->top < sure ? opts->top : sure;
	struct sonde_grid grid = { .columns = diff->grown ? grown_columns : columns };
	char a[SONDE_STR_SHORT], b[SONDE_STR_SHORT];

	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_buf_printf(buf, "\nsince the baseline (%s, then %s): %zu of %zu call sites have changed",
			 sonde_str_ns(a, (u64)(diff->seconds[SONDE_RUN_BEFORE] * 1e9)),
			 sonde_str_ns(b, (u64)(diff->seconds[SONDE_RUN_AFTER] * 1e9)), sure, diff->nr);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, diff->nr_noise ? "; what the others differ by may be chance\n" : "\n");
	for (size_t i = 0; i < nr; i++)
		add_row(&grid, diff, &diff->change[i]);
	if (nr)
		sonde_grid_print(&grid, opts, buf);
	if (nr < sure)
		sonde_buf_printf(buf, "... and %zu more: --top %zu\n", sure - nr, sure);
}
