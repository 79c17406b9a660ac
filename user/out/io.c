// SPDX-License-Identifier: GPL-2.0-only
/*
 * io.c - input and output for people: files by total time, devices below.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/hist.h"
#include "model/io.h"
#include "model/snapshot.h"
#include "out/file_text.h"
#include "out/grid.h"
#include "out/json.h"
#include "out/jsonw.h"
#include "out/out.h"
#include "out/text.h"
#include "out/view.h"

static const struct sonde_grid_column columns[] = {
	{ .title = "total" },
	{ .title = "calls" },
	{ .title = "calls/s", .drop = 7 },
	{ .title = "bytes/s", .drop = 5 },
	{ .title = "p50", .drop = 4 },
	{ .title = "p95", .drop = 8 },
	{ .title = "p99", .drop = 3 },
	{ .title = "max" },
	{ .title = "from disk", .drop = 6 },
	{ .title = "errors", .style = SONDE_STYLE_BAD },
	{ .title = "op", .left = true, .style = SONDE_STYLE_BOLD },
	{ .title = "who", .left = true, .drop = 1 },
	{ .title = "device", .left = true, .drop = 2 },
	{ .title = "file", .left = true, .tail = true },
	{ .title = NULL },
};

static const struct sonde_grid_column disk_columns[] = {
	{ .title = "total" },
	{ .title = "requests" },
	{ .title = "req/s", .drop = 3 },
	{ .title = "bytes/s" },
	{ .title = "p50" },
	{ .title = "p95", .drop = 2 },
	{ .title = "p99" },
	{ .title = "max" },
	{ .title = "in use", .drop = 1 },
	{ .title = "errors", .style = SONDE_STYLE_BAD },
	{ .title = "op", .left = true, .style = SONDE_STYLE_BOLD },
	{ .title = "device", .left = true },
	{ .title = NULL },
};

static double seconds(u64 ns)
{
	return ns ? (double)ns / 1e9 : 1;
}

/* "12.3M": bytes a second, with powers of ten. */
static void rate_cell(struct sonde_grid *grid, u64 bytes, u64 ns)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", bytes ? sonde_str_rate(t, (double)bytes / seconds(ns)) : "");
}

static void time_cells(struct sonde_grid *grid, const struct sonde_hist *hist)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", sonde_str_ns(t, sonde_hist_quantile(hist, 0.5)));
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, sonde_hist_quantile(hist, 0.95)));
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, sonde_hist_quantile(hist, 0.99)));
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, hist->max_ns));
}

static void file_cell(struct sonde_grid *grid, const struct sonde_io_row *row)
{
	struct sonde_buf text = {};

	if (row->nr_files > 1)
		sonde_buf_printf(&text, "%u files", row->nr_files);
	else if (row->path.kind != SONDE_FILE_NONE)
		sonde_file_text(&text, &row->path);
	else
		sonde_buf_printf(&text, "inode %llu", (unsigned long long)row->key.file.inode);
	sonde_grid_cell(grid, "%s", text.s ? text.s : "");
	sonde_buf_free(&text);
}

/* What rows of files and of devices begin with. */
static void usage_cells(struct sonde_grid *grid, const struct sonde_hist *hist, u64 count, u64 bytes, u64 duration_ns)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", sonde_str_ns(t, hist->sum_ns));
	sonde_grid_cell(grid, "%s", sonde_str_count(t, count));
	sonde_grid_cell(grid, "%s", sonde_str_rate(t, (double)count / seconds(duration_ns)));
	rate_cell(grid, bytes, duration_ns);
	time_cells(grid, hist);
}

static void add_row(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_io_row *row)
{
	const struct sonde_io_stat *stat = &row->stat;
	char t[SONDE_STR_SHORT];

	usage_cells(grid, &stat->hist, stat->count, stat->bytes, snapshot->duration_ns);
	if (row->key.op == SONDE_IO_READ)
		sonde_grid_cell(grid, "%.0f%%", stat->count ? 100.0 * (double)stat->device / (double)stat->count : 0);
	else
		sonde_grid_cell(grid, "%s", "");
	sonde_grid_cell(grid, "%s", stat->errors ? sonde_str_count(t, stat->errors) : "");
	sonde_grid_cell(grid, "%s", sonde_io_op_name(row->key.op));
	if (row->nr_procs > 1)
		sonde_grid_cell(grid, "%s%s%u processes", row->process, row->process[0] ? ", " : "", row->nr_procs);
	else
		sonde_grid_cell(grid, "%s[%u]", row->process, row->key.proc.tgid);
	sonde_grid_cell(grid, "%s", row->device);
	file_cell(grid, row);
}

static void add_disk(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_io_disk *disk)
{
	const struct sonde_io_disk_stat *stat = &disk->stat;
	char t[SONDE_STR_SHORT];

	usage_cells(grid, &stat->hist, stat->count, stat->bytes, snapshot->duration_ns);
	/* Little's law: requests that the device has on average. */
	sonde_grid_cell(grid, "%s",
			sonde_str_rate(t, (double)stat->hist.sum_ns / 1e9 / seconds(snapshot->duration_ns)));
	sonde_grid_cell(grid, "%s", stat->errors ? sonde_str_count(t, stat->errors) : "");
	sonde_grid_cell(grid, "%s", disk->op == SONDE_IO_SYNC ? "flush" : sonde_io_op_name(disk->op));
	sonde_grid_cell(grid, "%s", disk->name);
}

static void headline(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	u64 count[SONDE_IO_OPS] = {}, total_ns = 0;
	struct sonde_buf line = {};
	char t[SONDE_STR_SHORT];

	for (size_t i = 0; i < snapshot->io->nr; i++) {
		const struct sonde_io_row *row = snapshot->io->row[i];

		total_ns += row->stat.hist.sum_ns;
		if (row->key.op < SONDE_IO_OPS)
			count[row->key.op] += row->stat.count;
	}
	sonde_buf_str(&line, "sonde io: ");
	sonde_str_many(&line, count[SONDE_IO_READ], "read");
	sonde_buf_str(&line, ", ");
	sonde_str_many(&line, count[SONDE_IO_WRITE], "write");
	sonde_buf_str(&line, ", ");
	sonde_str_many(&line, count[SONDE_IO_SYNC], "sync");
	sonde_buf_printf(&line, " of files in %s", sonde_str_ns(t, snapshot->duration_ns));
	sonde_buf_printf(&line, ", %s in them", sonde_str_ns(t, total_ns));
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	sonde_buf_free(&line);
}

static void text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	struct sonde_io *rows = sonde_io_group(snapshot->io);
	struct sonde_grid grid = { .columns = columns }, disks = { .columns = disk_columns };
	size_t nr, used = snapshot->io->nr_disks + 8;

	if (!rows) {
		buf->failed = true;
		return;
	}
	nr = opts->top && opts->top < rows->nr ? opts->top : rows->nr;
	if (opts->height && nr > (opts->height > used + 4 ? opts->height - used : 4))
		nr = opts->height > used + 4 ? opts->height - used : 4;
	headline(buf, opts, snapshot);
	sonde_buf_str(buf, "\n");
	for (size_t i = 0; i < nr; i++)
		add_row(&grid, snapshot, rows->row[i]);
	for (size_t i = 0; i < snapshot->io->nr_disks; i++)
		add_disk(&disks, snapshot, &snapshot->io->disk[i]);
	if (nr)
		sonde_grid_print(&grid, opts, buf);
	else
		sonde_buf_str(
			buf, "No file was read, written or synced: do -p, -c and --cgroup name a process that does?\n");
	if (nr < rows->nr)
		sonde_text_more(buf, rows->nr - nr, rows->nr);
	if (snapshot->io->nr_disks) {
		sonde_buf_str(buf, "\nblock devices, whoever used them:\n");
		sonde_grid_print(&disks, opts, buf);
	}
	sonde_buf_str(buf, "\n");
	sonde_text_coverage(buf, opts, snapshot);
	sonde_io_free(rows);
}

static void one(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_io_row *row)
{
	struct sonde_buf path = {};

	sonde_json_open(json, NULL, '{');
	sonde_json_cstr(json, "operation", sonde_io_op_name(row->key.op));
	sonde_json_u64(json, "pid", row->key.proc.tgid);
	sonde_json_cstr(json, "process", row->process);
	if (row->path.kind != SONDE_FILE_NONE)
		sonde_file_text(&path, &row->path);
	if (path.len)
		sonde_json_str(json, "path", path.s, path.len);
	sonde_json_u64(json, "inode", row->key.file.inode);
	sonde_json_cstr(json, "device", row->device);
	sonde_json_u64(json, "count", row->stat.count);
	sonde_json_double(json, "rate", (double)row->stat.count / seconds(snapshot->duration_ns));
	sonde_json_u64(json, "errors", row->stat.errors);
	sonde_json_u64(json, "bytes", row->stat.bytes);
	if (row->key.op == SONDE_IO_READ) {
		sonde_json_u64(json, "device_reads", row->stat.device);
		sonde_json_u64(json, "device_bytes", row->stat.device_bytes);
	}
	sonde_json_summary(json, "latency_ns", &row->stat.hist);
	sonde_json_histogram(json, "latency_histogram", &row->stat.hist);
	sonde_json_close(json, '}');
	sonde_buf_free(&path);
}

static void json_members(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			 const struct sonde_out_opts *opts)
{
	const struct sonde_io *io = snapshot->io;
	size_t nr = opts->top && opts->top < io->nr ? opts->top : io->nr;

	sonde_json_open(json, "files", '[');
	for (size_t i = 0; i < nr; i++)
		one(json, snapshot, io->row[i]);
	sonde_json_close(json, ']');
	if (nr < io->nr)
		sonde_json_u64(json, "files_left_out", io->nr - nr);
	sonde_json_open(json, "devices", '[');
	for (size_t i = 0; i < io->nr_disks; i++) {
		const struct sonde_io_disk *disk = &io->disk[i];

		sonde_json_open(json, NULL, '{');
		sonde_json_cstr(json, "device", disk->name);
		sonde_json_cstr(json, "operation", disk->op == SONDE_IO_SYNC ? "flush" : sonde_io_op_name(disk->op));
		sonde_json_u64(json, "count", disk->stat.count);
		sonde_json_u64(json, "errors", disk->stat.errors);
		sonde_json_u64(json, "bytes", disk->stat.bytes);
		sonde_json_summary(json, "latency_ns", &disk->stat.hist);
		sonde_json_histogram(json, "latency_histogram", &disk->stat.hist);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	if (io->min_ns)
		sonde_json_u64(json, "slow_calls_told", io->told);
}

const struct sonde_out_view sonde_view_io = {
	.what = "calls",
	.text = text,
	.json = json_members,
};
