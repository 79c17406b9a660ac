// SPDX-License-Identifier: GPL-2.0-only
/*
 * offcpu.c - what threads wait for, for people: what became of processes' time, then waits by total time, each with where it waits
 *	      and who ends it.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/hist.h"
#include "model/offcpu.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/wait.h"
#include "out/grid.h"
#include "out/offcpu.h"
#include "out/out.h"
#include "out/text.h"
#include "out/view.h"

#define FRAMES_SHOWN 8 /* of a stack, innermost first */
#define PROCESSES_SHOWN 10

static const struct sonde_grid_column proc_columns[] = {
	{ .title = "on CPU" },
	{ .title = "used", .style = SONDE_STYLE_BOLD },
	{ .title = "in queue" },
	{ .title = "saturation", .style = SONDE_STYLE_BOLD },
	{ .title = "queue p99", .drop = 3 },
	{ .title = "max", .drop = 4 },
	{ .title = "blocked" },
	{ .title = "voluntary", .drop = 1 },
	{ .title = "involuntary", .drop = 2 },
	{ .title = "threads", .drop = 5 },
	{ .title = "process", .left = true },
	{ .title = NULL },
};

static void line(struct sonde_buf *buf, const struct sonde_out_opts *opts, struct sonde_buf *text,
		 enum sonde_style style)
{
	sonde_text_style(buf, opts, style);
	sonde_utf8_fit(buf, text->s ? text->s : "", text->len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	sonde_buf_cut(text, 0);
}

/* A stack takes two lines where one is not enough. */
static void lines(struct sonde_buf *buf, const struct sonde_out_opts *opts, struct sonde_buf *text)
{
	if (text->len)
		sonde_text_wrap(buf, opts, text->s, 10, 2);
	sonde_buf_cut(text, 0);
}

static void headline(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	struct sonde_off_total sum = {};
	struct sonde_buf text = {};
	char t[SONDE_STR_SHORT];

	for (size_t i = 0; i < snapshot->offcpu->nr_procs; i++)
		sonde_off_total_add(&sum, &snapshot->offcpu->proc[i]->total);
	sonde_buf_printf(&text, "sonde offcpu: %s blocked", sonde_str_ns(t, sum.blocked_ns));
	sonde_buf_printf(&text, ", %s in run queues", sonde_str_ns(t, sum.queued_ns));
	sonde_buf_printf(&text, ", %s on processors", sonde_str_ns(t, sum.on_ns));
	sonde_buf_printf(&text, ", in %s", sonde_str_ns(t, snapshot->duration_ns));
	line(buf, opts, &text, SONDE_STYLE_BOLD);
	sonde_buf_free(&text);
}

static void proc_row(struct sonde_grid *grid, const struct sonde_offcpu_proc *p, u64 duration_ns)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", sonde_str_ns(t, p->total.on_ns));
	sonde_grid_cell(grid, "%.1f%%", duration_ns ? 100.0 * (double)p->total.on_ns / (double)duration_ns : 0);
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, p->total.queued_ns));
	sonde_grid_cell(grid, "%.1f%%", 100 * sonde_offcpu_saturation(&p->total));
	sonde_grid_cell(grid, "%s", p->queued.max_ns ? sonde_str_ns(t, sonde_hist_quantile(&p->queued, 0.99)) : "");
	sonde_grid_cell(grid, "%s", p->queued.max_ns ? sonde_str_ns(t, p->queued.max_ns) : "");
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, p->total.blocked_ns));
	sonde_grid_cell(grid, "%s", sonde_str_count(t, p->total.voluntary));
	sonde_grid_cell(grid, "%s", sonde_str_count(t, p->total.involuntary));
	sonde_grid_cell(grid, "%s", p->nr_threads ? sonde_str_count(t, p->nr_threads) : "");
	if (p->nr_procs > 1)
		sonde_grid_cell(grid, "%s, %u processes", p->process, p->nr_procs);
	else
		sonde_grid_cell(grid, "%s[%u]", p->process, p->proc.tgid);
}

static void processes(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_offcpu *list,
		      u64 duration_ns)
{
	struct sonde_grid grid = { .columns = proc_columns };
	size_t nr = opts->top && opts->top < PROCESSES_SHOWN ? opts->top : PROCESSES_SHOWN;

	if (nr > list->nr_procs)
		nr = list->nr_procs;
	for (size_t i = 0; i < nr; i++)
		proc_row(&grid, list->proc[i], duration_ns);
	if (nr)
		sonde_grid_print(&grid, opts, buf);
	if (nr < list->nr_procs)
		sonde_buf_printf(buf, "... and %zu more\n", list->nr_procs - nr);
}

/* Frames without a name, which "[libc.so.6]" stands for, are one. */
static bool again(const struct sonde_profile *stacks, const struct sonde_stack *s, u32 i)
{
	const char *function = stacks->frame[s->frame[i]].function;

	return function[0] == '[' && !strcmp(function, stacks->frame[s->frame[i - 1]].function);
}

/* "fsync < save < main": what of the stack @index is the program's; the kernel's own where there is nothing else. */
static void stack_text(struct sonde_buf *buf, const struct sonde_profile *stacks, size_t index)
{
	const struct sonde_stack *s;
	u32 from, i, shown = 0;

	if (!index || !stacks) {
		sonde_buf_str(buf, "[unknown]");
		return;
	}
	s = &stacks->stack[index - 1];
	from = s->nr_kernel < s->nr ? s->nr_kernel : 0;
	for (i = from; i < s->nr && shown < FRAMES_SHOWN; i++) {
		if (i > from && again(stacks, s, i))
			continue;
		sonde_buf_printf(buf, "%s%s", shown++ ? " < " : "", stacks->frame[s->frame[i]].function);
	}
	if (i < s->nr)
		sonde_buf_str(buf, " < ...");
	if (!s->nr)
		sonde_buf_str(buf, "[unknown]");
}

/* Where in the kernel, for reasons that do not say it. */
static void kernel_text(struct sonde_buf *buf, const struct sonde_profile *stacks, const struct sonde_offcpu_row *row)
{
	const struct sonde_stack *s = row->stack && stacks ? &stacks->stack[row->stack - 1] : NULL;
	u32 shown = 0;

	if (!s || !s->nr_kernel || s->nr_kernel == s->nr)
		return;
	if (row->key.reason != SONDE_WAIT_DISK && row->key.reason != SONDE_WAIT_FILE &&
	    row->key.reason != SONDE_WAIT_FAULT && row->key.reason != SONDE_WAIT_OTHER)
		return;
	for (u32 i = 0; i < s->nr_kernel && shown < 4; i++) {
		const char *function = stacks->frame[s->frame[i]].function;

		if (!strcmp(function, "schedule") || !strcmp(function, "io_schedule"))
			continue;
		sonde_buf_printf(buf, "%s%s", shown++ ? " < " : "        in the kernel: ", function);
	}
}

/* Who had the lock: more than who ended the wait, and known of waits that have not ended. */
static void holder_text(struct sonde_buf *buf, const struct sonde_offcpu *list, const struct sonde_offcpu_row *row)
{
	if (!row->key.held)
		return;
	sonde_buf_printf(buf, "        held by thread %.*s[%u]", (int)sizeof(row->stat.holder_comm), row->stat.holder_comm,
			 row->stat.holder_tid);
	if (!row->key.holder_stack) {
		sonde_buf_str(buf, ", which was not seen waiting meanwhile");
		return;
	}
	sonde_buf_str(buf, ", waiting in: ");
	stack_text(buf, list->stacks, row->holder_stack);
}

static void waker_text(struct sonde_buf *buf, const struct sonde_offcpu *list, const struct sonde_offcpu_row *row)
{
	if (row->key.woken_by == SONDE_OFF_WAKER_INTERRUPT) {
		sonde_buf_str(buf, "        ended by an interrupt: a timer, a device, a packet");
		return;
	}
	if (row->key.woken_by != SONDE_OFF_WAKER_THREAD)
		return;
	sonde_buf_printf(buf, "        ended by %s[%u]", row->waker, row->key.waker.tgid);
	if (row->stat.waker_tid != row->key.waker.tgid)
		sonde_buf_printf(buf, " thread %.*s[%u]", (int)sizeof(row->stat.waker_comm), row->stat.waker_comm,
				 row->stat.waker_tid);
	sonde_buf_str(buf, ": ");
	stack_text(buf, list->stacks, row->waker_stack);
}

static void who(struct sonde_buf *buf, const struct sonde_offcpu *list, const struct sonde_offcpu_row *row)
{
	if (row->nr_procs > 1)
		sonde_buf_printf(buf, "%s, %u processes", row->process, row->nr_procs);
	else
		sonde_buf_printf(buf, "%s[%u]", row->process, row->key.proc.tgid);
	if (list->by == SONDE_OFFCPU_BY_THREAD)
		sonde_buf_printf(buf, " thread %s[%u]", row->thread, row->key.tid);
	if (row->key.object && row->nr_objects == 1 && list->by == SONDE_OFFCPU_BY_STACK)
		sonde_buf_printf(buf, ", futex 0x%llx", (unsigned long long)row->key.object);
	else if (row->nr_objects > 1 && row->key.reason == SONDE_WAIT_LOCK && list->by != SONDE_OFFCPU_BY_PROCESS)
		sonde_buf_printf(buf, ", %u futexes", row->nr_objects);
	if (row->open)
		sonde_buf_printf(buf, ", %llu still waiting", (unsigned long long)row->open);
}

static void one(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_offcpu *list,
		const struct sonde_offcpu_row *row)
{
	const struct sonde_hist *hist = &row->stat.hist;
	struct sonde_buf text = {};
	char t[SONDE_STR_SHORT];

	sonde_buf_printf(&text, "%8s", sonde_str_ns(t, hist->sum_ns));
	sonde_buf_printf(&text, " %8s", sonde_str_count(t, row->stat.count));
	sonde_buf_printf(&text, " %8s", sonde_str_ns(t, sonde_hist_quantile(hist, 0.5)));
	sonde_buf_printf(&text, " %8s", sonde_str_ns(t, sonde_hist_quantile(hist, 0.99)));
	sonde_buf_printf(&text, " %8s  ", sonde_str_ns(t, hist->max_ns));
	if (list->by != SONDE_OFFCPU_BY_PROCESS)
		sonde_buf_printf(&text, "%-10s  ", sonde_wait_name(row->key.reason));
	who(&text, list, row);
	line(buf, opts, &text, list->by == SONDE_OFFCPU_BY_STACK ? SONDE_STYLE_BOLD : SONDE_STYLE_NONE);
	if (list->by == SONDE_OFFCPU_BY_STACK) {
		sonde_buf_str(&text, "        ");
		stack_text(&text, list->stacks, row->stack);
		lines(buf, opts, &text);
		kernel_text(&text, list->stacks, row);
		if (text.len)
			line(buf, opts, &text, SONDE_STYLE_DIM);
		holder_text(&text, list, row);
		lines(buf, opts, &text);
		waker_text(&text, list, row);
		lines(buf, opts, &text);
	}
	sonde_buf_free(&text);
}

static void waits(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_offcpu *list)
{
	size_t each = list->by == SONDE_OFFCPU_BY_STACK ? 7 : 1, used = PROCESSES_SHOWN + 8;
	size_t nr = opts->top && opts->top < list->nr ? opts->top : list->nr;
	struct sonde_buf text = {};

	if (opts->height && nr > (opts->height > used + each ? (opts->height - used) / each : 1))
		nr = opts->height > used + each ? (opts->height - used) / each : 1;
	sonde_buf_printf(&text, "%8s %8s %8s %8s %8s  %swho", "blocked", "times", "p50", "p99", "max",
			 list->by == SONDE_OFFCPU_BY_PROCESS ? "" : "reason      ");
	line(buf, opts, &text, SONDE_STYLE_DIM);
	for (size_t i = 0; i < nr; i++)
		one(buf, opts, list, list->row[i]);
	if (nr < list->nr)
		sonde_text_more(buf, list->nr - nr, list->nr);
	sonde_buf_free(&text);
}

static void text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	struct sonde_offcpu *list = sonde_offcpu_group(snapshot->offcpu);

	if (!list) {
		buf->failed = true;
		return;
	}
	headline(buf, opts, snapshot);
	sonde_buf_str(buf, "\n");
	processes(buf, opts, list, snapshot->duration_ns);
	sonde_buf_str(buf, list->nr_procs ? "\n" : "");
	if (list->nr)
		waits(buf, opts, list);
	else
		sonde_buf_str(buf, "No thread was seen waiting: do -p, -c, --cgroup and --min leave any?\n");
	sonde_buf_str(buf, "\n");
	sonde_text_coverage(buf, opts, snapshot);
	sonde_offcpu_free(list);
}

const struct sonde_out_view sonde_view_offcpu = {
	.what = "waits",
	.text = text,
	.json = sonde_offcpu_json,
};
