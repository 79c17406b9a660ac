// SPDX-License-Identifier: GPL-2.0-only
/*
 * growth.c - growth for people: what processes have, what made it grow, in which mappings.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/growth.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "out/alloc.h"
#include "out/grid.h"
#include "out/gc.h"
#include "out/growth.h"
#include "out/leak.h"
#include "out/memory.h"
#include "out/out.h"
#include "out/text.h"
#include "out/view.h"

#define MAX_PROCESSES 10 /* lines about processes */
#define MAX_MAPPINGS 6 /* of a process, */
#define ALL_MAPPINGS 15 /* of all */
#define MAPPING_WIDTH 16

static const struct sonde_grid_column process_columns[] = {
	{ .title = "change", .style = SONDE_STYLE_BOLD },
	{ .title = "per s" },
	{ .title = "RSS" },
	{ .title = "start", .drop = 2 },
	{ .title = "peak" },
	{ .title = "anon", .drop = 1 },
	{ .title = "heap", .drop = 3 },
	{ .title = "file", .drop = 4 },
	{ .title = "shared", .drop = 8 },
	{ .title = "swap", .drop = 7 },
	{ .title = "huge", .drop = 6 },
	{ .title = "came", .drop = 5 },
	{ .title = "went", .drop = 5 },
	{ .title = "process", .left = true },
	{ .title = NULL },
};

static const struct sonde_grid_column columns[] = {
	{ .title = "share" },
	{ .title = "grown", .style = SONDE_STYLE_BOLD },
	{ .title = "given back" },
	{ .title = "mapped", .drop = 3 },
	{ .title = "touches", .drop = 4 },
	{ .title = "calls", .left = true, .drop = 5 },
	{ .title = "in", .left = true, .drop = 2 },
	{ .title = "who", .left = true, .drop = 1 },
	{ .title = "where", .left = true },
	{ .title = NULL },
};

static const struct sonde_grid_column mapping_columns[] = {
	{ .title = "grown", .style = SONDE_STYLE_BOLD },
	{ .title = "given back" },
	{ .title = "who", .left = true },
	{ .title = "mapping", .left = true },
	{ .title = NULL },
};

/* Nothing for nothing: most cells of a table would be 0B. */
static void bytes_cell(struct sonde_grid *grid, u64 bytes)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", bytes ? sonde_str_bytes(t, bytes) : "");
}

static void count_cell(struct sonde_grid *grid, u64 count)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", count ? sonde_str_count(t, count) : "");
}

static const char *signed_bytes(char out[SONDE_STR_SHORT + 1], double bytes)
{
	out[0] = bytes < 0 ? '-' : '+';
	sonde_str_bytes(out + 1, (u64)(bytes < 0 ? -bytes : bytes));
	return out;
}

static double change_of(const struct sonde_growth_process *process)
{
	return (double)process->now.rss - (double)process->start.rss;
}

static void add_process(struct sonde_grid *grid, const struct sonde_growth_process *process)
{
	char t[SONDE_STR_SHORT + 1];

	sonde_grid_cell(grid, "%s", signed_bytes(t, change_of(process)));
	sonde_grid_cell(grid, "%s", signed_bytes(t, process->slope));
	bytes_cell(grid, process->now.rss);
	bytes_cell(grid, process->start.rss);
	bytes_cell(grid, process->peak);
	bytes_cell(grid, process->now.anon);
	bytes_cell(grid, process->now.heap);
	bytes_cell(grid, process->now.file);
	bytes_cell(grid, process->now.shmem);
	bytes_cell(grid, process->now.swap);
	bytes_cell(grid, process->huge_now >= 0 ? (u64)process->huge_now : process->huge);
	bytes_cell(grid, process->grown);
	bytes_cell(grid, process->returned);
	sonde_grid_cell(grid, "%s[%u]%s", process->process, process->proc.tgid, process->end_ns ? " (ended)" : "");
}

/* "50 mmap, 2 munmap" */
static void calls_cell(struct sonde_grid *grid, const u64 calls[SONDE_GROWTH_CALLS])
{
	struct sonde_buf text = {};
	char t[SONDE_STR_SHORT];

	for (u32 i = 0; i < SONDE_GROWTH_CALLS; i++)
		if (calls[i])
			sonde_buf_printf(&text, "%s%s %s", text.len ? ", " : "", sonde_str_count(t, calls[i]),
					 sonde_growth_call_name((enum sonde_growth_call)i));
	sonde_grid_cell(grid, "%s", text.s ? text.s : "");
	sonde_buf_free(&text);
}

/* A file without its directories, and no longer than MAPPING_WIDTH. */
static void mapping_cell(struct sonde_grid *grid, const char *name)
{
	const char *slash = name[0] == '/' ? strrchr(name, '/') : NULL;
	struct sonde_buf text = {};

	name = slash ? slash + 1 : name;
	sonde_utf8_fit(&text, name, strlen(name), MAPPING_WIDTH);
	sonde_grid_cell(grid, "%s", text.s ? text.s : "");
	sonde_buf_free(&text);
}

static void add_row(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_growth_row *row, u64 whole)
{
	const struct sonde_growth_stat *stat = &row->stat;
	char t[SONDE_STR_SHORT + 1];

	if (row->grown)
		sonde_grid_cell(grid, "%.1f%%", 100.0 * (double)row->grown / (double)whole);
	else
		sonde_grid_cell(grid, "%s", "");
	bytes_cell(grid, row->grown);
	bytes_cell(grid, row->returned);
	if (stat->mapped || stat->unmapped)
		sonde_grid_cell(grid, "%s", signed_bytes(t, (double)stat->mapped - (double)stat->unmapped));
	else
		sonde_grid_cell(grid, "%s", "");
	count_cell(grid, stat->faults);
	calls_cell(grid, stat->calls);
	mapping_cell(grid, row->mapping);
	sonde_grid_cell(grid, "%s[%u]", row->process, row->pid);
	sonde_alloc_site_cell(grid, snapshot->profile, row->stack);
}

static void dim_line(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *line)
{
	sonde_text_style(buf, opts, SONDE_STYLE_DIM);
	if (opts->height) /* drawn in place: each line is one */
		sonde_utf8_fit(buf, line, strlen(line), opts->width);
	else
		sonde_buf_str(buf, line);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
}

static void headline(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	const struct sonde_growth *growth = snapshot->growth;
	char a[SONDE_STR_SHORT + 1], b[SONDE_STR_SHORT + 1];
	u64 came = 0, went = 0, seconds_ns = snapshot->duration_ns;
	struct sonde_buf line = {};
	double change = 0;

	for (size_t i = 0; i < growth->nr_processes; i++) {
		change += change_of(growth->process[i]);
		came += growth->process[i]->grown;
		went += growth->process[i]->returned;
	}
	sonde_buf_printf(&line, "sonde alloc: growth of %zu process%s in %s: %s", growth->nr_processes,
			 growth->nr_processes == 1 ? "" : "es", sonde_str_ns(a, seconds_ns), signed_bytes(b, change));
	sonde_buf_printf(&line, " (%s came, %s went)", sonde_str_bytes(a, came), sonde_str_bytes(b, went));
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	sonde_buf_free(&line);
	dim_line(buf, opts, "a function is where memory was touched first, not necessarily where it is kept: for that `sonde alloc -- "
			    "PROGRAM`, or --exact");
	sonde_buf_str(buf, "\n");
}

/* Processes that did nothing are left out where there are others. */
static size_t print_processes(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_growth *growth)
{
	struct sonde_grid grid = { .columns = process_columns };
	size_t nr = 0, left_out = 0;

	for (size_t i = 0; i < growth->nr_processes; i++) {
		const struct sonde_growth_process *process = growth->process[i];

		if (growth->nr_processes > 1 && !process->grown && !process->returned)
			continue;
		if (nr == MAX_PROCESSES) {
			left_out++;
			continue;
		}
		nr++;
		add_process(&grid, process);
	}
	if (nr)
		sonde_grid_print(&grid, opts, buf);
	if (left_out)
		sonde_buf_printf(buf, "... and %zu processes more\n", left_out);
	return nr + !!left_out;
}

static void print_mappings(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_growth *growth)
{
	struct sonde_grid grid = { .columns = mapping_columns };
	size_t nr = 0;

	for (size_t i = 0; i < growth->nr_processes && i < MAX_PROCESSES; i++) {
		const struct sonde_growth_process *process = growth->process[i];

		for (size_t k = 0; k < process->nr_mappings && k < MAX_MAPPINGS && nr < ALL_MAPPINGS; k++, nr++) {
			bytes_cell(&grid, process->mapping[k].grown);
			bytes_cell(&grid, process->mapping[k].returned);
			sonde_grid_cell(&grid, "%s[%u]", process->process, process->proc.tgid);
			sonde_grid_cell(&grid, "%s", process->mapping[k].name);
		}
	}
	if (!nr)
		return;
	sonde_buf_str(buf, "\nmappings that grew:\n");
	sonde_grid_print(&grid, opts, buf);
}

static void text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	const struct sonde_growth *growth = snapshot->growth;
	struct sonde_grid grid = { .columns = columns };
	size_t nr = opts->top && opts->top < growth->nr ? opts->top : growth->nr, lines, room;
	u64 whole = 0;

	headline(buf, opts, snapshot);
	lines = print_processes(buf, opts, growth) + sonde_gc_lines(snapshot);
	room = opts->height > 10 + lines ? opts->height - 10 - lines : 4;
	if (opts->height && nr > room)
		nr = room;
	sonde_buf_str(buf, "\n");
	for (size_t i = 0; i < growth->nr; i++)
		whole += growth->row[i].grown;
	for (size_t i = 0; i < nr && !snapshot->breakdowns; i++)
		add_row(&grid, snapshot, &growth->row[i], whole);
	if (snapshot->breakdowns)
		sonde_memory_text(buf, opts, snapshot, sonde_growth_grown(growth),
				  opts->height ? sonde_memory_rows(opts, room) : opts->top);
	else if (nr)
		sonde_grid_print(&grid, opts, buf);
	else
		sonde_buf_str(buf, "No memory was touched for the first time, and none was given back.\n");
	if (nr < growth->nr && !snapshot->breakdowns)
		sonde_buf_printf(buf, "... and %zu call sites more: --top %zu\n", growth->nr - nr, growth->nr);
	if (snapshot->growth_diff)
		sonde_alloc_diff_text(buf, opts, snapshot->growth_diff);
	if (!opts->height)
		print_mappings(buf, opts, growth);
	sonde_gc_text(buf, opts, snapshot);
	sonde_buf_str(buf, "\n");
	sonde_text_coverage(buf, opts, snapshot);
}

const struct sonde_out_view sonde_view_growth = {
	.what = "samples",
	.text = text,
	.json = sonde_growth_json,
};
