// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall.c - system calls for people: those that work by total time, those that wait below, errors, calls under way.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "model/syscall.h"
#include "model/syscall_name.h"
#include "out/grid.h"
#include "out/out.h"
#include "out/syscall.h"
#include "out/text.h"
#include "out/view.h"

#define MAX_ERRORS 10 /* lines */
#define MAX_NOW 5 /* lines of calls under way */
#define MIN_NOW_NS 1000000ULL /* shorter ones are the usual traffic */
#define WAIT_ROWS 8 /* unless --top says otherwise */

static const struct sonde_grid_column columns[] = {
	{ .title = "share" },
	{ .title = "total" },
	{ .title = "calls" },
	{ .title = "calls/s", .drop = 6 },
	{ .title = "now/s", .drop = 4 },
	{ .title = "p50", .drop = 3 },
	{ .title = "p95", .drop = 7 },
	{ .title = "p99", .drop = 2 },
	{ .title = "max", .drop = 1 },
	{ .title = "errors", .style = SONDE_STYLE_BAD },
	{ .title = "call", .left = true, .style = SONDE_STYLE_BOLD },
	{ .title = "who", .left = true },
	{ .title = NULL },
};

static double seconds(u64 ns)
{
	return ns ? (double)ns / 1e9 : 1;
}

static void who(struct sonde_grid *grid, const struct sonde_syscall *row, enum sonde_syscall_by by)
{
	const char *process = row->process[0] ? row->process : row->nr_procs > 1 ? "" : "?";

	if (by == SONDE_SYSCALL_BY_CGROUP)
		sonde_grid_cell(grid, "%s", row->cgroup[0] ? row->cgroup : "?");
	else if (by == SONDE_SYSCALL_BY_THREAD && row->tid == row->pid)
		sonde_grid_cell(grid, "%s[%u]", process, row->pid);
	else if (by == SONDE_SYSCALL_BY_THREAD)
		sonde_grid_cell(grid, "%s[%u] %s[%u]", process, row->pid, row->thread, row->tid);
	else if (row->nr_procs > 1)
		sonde_grid_cell(grid, "%s%s%u processes", process, process[0] ? ", " : "", row->nr_procs);
	else
		sonde_grid_cell(grid, "%s[%u]", process, row->pid);
}

static void add_row(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_syscall *row,
		    u64 total_ns)
{
	char t[SONDE_STR_SHORT];

	if (row->waits)
		sonde_grid_cell(grid, "waits");
	else
		sonde_grid_cell(grid, "%.0f%%", total_ns ? 100.0 * (double)row->hist.sum_ns / (double)total_ns : 0);
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, row->hist.sum_ns));
	sonde_grid_cell(grid, "%s", sonde_str_count(t, row->count));
	sonde_grid_cell(grid, "%s", sonde_str_rate(t, (double)row->count / seconds(snapshot->duration_ns)));
	if (snapshot->recent_ns && !snapshot->final)
		sonde_grid_cell(grid, "%s", sonde_str_rate(t, (double)row->recent / seconds(snapshot->recent_ns)));
	else
		sonde_grid_cell(grid, "%s", "");
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, sonde_hist_quantile(&row->hist, 0.5)));
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, sonde_hist_quantile(&row->hist, 0.95)));
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, sonde_hist_quantile(&row->hist, 0.99)));
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, row->hist.max_ns));
	sonde_grid_cell(grid, "%s", row->errors ? sonde_str_count(t, row->errors) : "");
	sonde_grid_cell(grid, "%s%s%s", row->name, row->on[0] ? " " : "", row->on);
	who(grid, row, snapshot->syscalls->by);
}

/* What the sums say of all rows. */
struct totals {
	u64 count, errors, work_ns;
	size_t nr_work, nr_wait;
};

static struct totals add_up(const struct sonde_syscalls *rows)
{
	struct totals sum = {};

	for (size_t i = 0; i < rows->nr; i++) {
		sum.count += rows->row[i]->count;
		sum.errors += rows->row[i]->errors;
		if (rows->row[i]->waits) {
			sum.nr_wait++;
		} else {
			sum.nr_work++;
			sum.work_ns += rows->row[i]->hist.sum_ns;
		}
	}
	return sum;
}

static void headline(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot,
		     const struct totals *sum)
{
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];
	struct sonde_buf line = {};

	sonde_buf_printf(&line, "sonde syscall: %s calls in %s", sonde_str_group(n, sum->count),
			 sonde_str_ns(t, snapshot->duration_ns));
	sonde_buf_printf(&line, ", %s/s", sonde_str_rate(t, (double)sum->count / seconds(snapshot->duration_ns)));
	sonde_buf_printf(&line, ", %s in calls that do not wait", sonde_str_ns(t, sum->work_ns));
	if (sum->errors)
		sonde_buf_printf(&line, ", %s errors", sonde_str_group(n, sum->errors));
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	sonde_buf_free(&line);
}

/* Which calls failed, and how. */
static void errors(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_syscalls *rows)
{
	size_t lines = 0, more = 0;

	for (size_t i = 0; i < rows->nr; i++) {
		const struct sonde_syscall *row = rows->row[i];
		struct sonde_buf line = {};
		char n[SONDE_STR_SHORT + 8];

		if (!row->nr_errors)
			continue;
		if (++lines > MAX_ERRORS) {
			more++;
			continue;
		}
		sonde_buf_printf(&line, "errors: %s%s%s", row->name, row->on[0] ? " " : "", row->on);
		if (row->process[0] && rows->by != SONDE_SYSCALL_BY_CALL)
			sonde_buf_printf(&line, " of %s", row->process);
		for (size_t e = 0; e < row->nr_errors; e++) {
			const char *name = sonde_errno_name(row->error[e].error);

			sonde_buf_printf(&line, "%s%s ", e ? ", " : ": ", sonde_str_group(n, row->error[e].count));
			if (name)
				sonde_buf_str(&line, name);
			else
				sonde_buf_printf(&line, "errno %u", row->error[e].error);
		}
		sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
		sonde_buf_str(buf, "\n");
		sonde_buf_free(&line);
	}
	if (more)
		sonde_buf_printf(buf, "errors: ... and of %zu more\n", more);
}

/* What has not come back yet: nothing else in the report shows it. */
static void under_way(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_syscalls *calls)
{
	size_t lines = 0, waiting = 0, more = 0;

	for (size_t i = 0; i < calls->nr_now; i++) {
		const struct sonde_syscall_now *now = &calls->now[i];
		struct sonde_buf line = {};
		char t[SONDE_STR_SHORT];

		if (now->call.what & SONDE_SYSCALL_WAITS) {
			waiting++;
			continue;
		}
		if (now->since_ns < MIN_NOW_NS)
			continue;
		if (++lines > MAX_NOW) {
			more++;
			continue;
		}
		sonde_buf_printf(&line, "in progress: for %s  %s[%u]  ", sonde_str_ns(t, now->since_ns), now->process,
				 now->call.tid);
		sonde_syscall_call_text(&line, now->call.key.nr, now->call.arg, NULL);
		sonde_text_style(buf, opts, SONDE_STYLE_WARN);
		sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
		sonde_text_style(buf, opts, SONDE_STYLE_NONE);
		sonde_buf_str(buf, "\n");
		sonde_buf_free(&line);
	}
	if (more)
		sonde_buf_printf(buf, "in progress: ... and %zu more\n", more);
	if (waiting)
		sonde_buf_printf(buf, "in progress: %zu that wait by intent\n", waiting);
}

static size_t nr_lines(const struct sonde_buf *buf)
{
	size_t lines = 0;

	for (size_t i = 0; i < buf->len; i++)
		lines += buf->s[i] == '\n';
	return lines;
}

/* How many rows of those that work and of those that wait are shown: of the height, a third is for the second kind. */
static void share_room(const struct sonde_out_opts *opts, const struct totals *sum, size_t used, size_t *work,
		       size_t *wait)
{
	size_t room;

	*work = opts->top && opts->top < sum->nr_work ? opts->top : sum->nr_work;
	*wait = sum->nr_wait > WAIT_ROWS && opts->top ? WAIT_ROWS : sum->nr_wait;
	if (!opts->height)
		return;
	room = opts->height > used + 4 ? opts->height - used : 4;
	if (*wait > room / 3)
		*wait = room / 3;
	if (*work > room - *wait)
		*work = room - *wait;
}

static void table(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot,
		  const struct sonde_syscalls *rows, const struct totals *sum, size_t used)
{
	struct sonde_grid grid = { .columns = columns };
	size_t work, wait, i, shown = 0;

	share_room(opts, sum, used, &work, &wait);
	for (i = 0; i < rows->nr; i++) {
		if (rows->row[i]->waits ? i - sum->nr_work >= wait : i >= work)
			continue;
		add_row(&grid, snapshot, rows->row[i], sum->work_ns);
		shown++;
	}
	sonde_grid_print(&grid, opts, buf);
	if (shown < rows->nr)
		sonde_text_more(buf, rows->nr - shown, rows->nr);
}

static void nothing(struct sonde_buf *buf, const struct sonde_snapshot *snapshot)
{
	char t[SONDE_STR_SHORT];

	if (!snapshot->final && snapshot->duration_ns < 3000000000ULL) {
		sonde_buf_str(buf, "Waiting for system calls.\n");
		return;
	}
	sonde_buf_printf(
		buf,
		"No system call completed in %s. What to check:\n"
		"  - Do -p, -c and --cgroup name a process that runs? Does -e name calls that it makes?\n"
		"  - A call that began before sonde is not counted: one that waits for long is not seen at all.\n",
		sonde_str_ns(t, snapshot->duration_ns));
}

static void text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	struct sonde_syscalls *rows = sonde_syscalls_group(snapshot->syscalls);
	struct sonde_buf below = {};
	struct totals sum;

	if (!rows) {
		buf->failed = true;
		return;
	}
	sum = add_up(rows);
	errors(&below, opts, rows);
	under_way(&below, opts, snapshot->syscalls);
	sonde_text_coverage(&below, opts, snapshot);
	headline(buf, opts, snapshot, &sum);
	if (rows->nr) {
		sonde_buf_str(buf, "\n");
		table(buf, opts, snapshot, rows, &sum, nr_lines(&below) + 5);
	} else {
		nothing(buf, snapshot);
	}
	sonde_buf_str(buf, "\n");
	sonde_buf_add(buf, below.s ? below.s : "", below.len);
	buf->failed |= below.failed;
	sonde_buf_free(&below);
	sonde_syscalls_free(rows);
}

const struct sonde_out_view sonde_view_syscalls = {
	.what = "system calls",
	.text = text,
	.json = sonde_syscalls_json,
};
