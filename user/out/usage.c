// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage.c - how much processes use processors and wait for them: for people, and in the JSON document.
 */
#include <string.h>

#include "base/str.h"
#include "model/usage.h"
#include "out/grid.h"
#include "out/jsonw.h"
#include "out/out.h"
#include "out/text.h"
#include "out/usage.h"

static const struct sonde_grid_column columns[] = {
	{ .title = "used", .style = SONDE_STYLE_BOLD },
	{ .title = "of" },
	{ .title = "on CPU", .drop = 4 },
	{ .title = "in queue", .drop = 3 },
	{ .title = "waiting" },
	{ .title = "saturation", .style = SONDE_STYLE_BOLD },
	{ .title = "voluntary", .drop = 1 },
	{ .title = "involuntary", .drop = 2 },
	{ .title = "threads", .drop = 5 },
	{ .title = "process", .left = true },
	{ .title = NULL },
};

static void row(struct sonde_grid *grid, const struct sonde_usage_proc *p)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%.1f%%", 100 * sonde_usage_used(p));
	if (p->limit_milli && p->limit_milli < p->nr_cpus * 1000)
		sonde_grid_cell(grid, "%.3g CPUs", (double)p->limit_milli / 1000);
	else
		sonde_grid_cell(grid, "%u CPU%s", p->nr_cpus, p->nr_cpus == 1 ? "" : "s");
	sonde_grid_cell(grid, "%s", sonde_str_ns(t, p->sum.cpu_ns));
	sonde_grid_cell(grid, "%s", p->uncounted ? "" : sonde_str_ns(t, p->sum.queued_ns));
	if (p->uncounted)
		sonde_grid_cell(grid, "?");
	else
		sonde_grid_cell(grid, "%.1f%%", 100 * sonde_usage_waiting(p));
	if (p->uncounted)
		sonde_grid_cell(grid, "?");
	else
		sonde_grid_cell(grid, "%.1f%%", 100 * sonde_usage_saturation(p));
	sonde_grid_cell(grid, "%s", sonde_str_count(t, p->sum.voluntary));
	sonde_grid_cell(grid, "%s", sonde_str_count(t, p->sum.involuntary));
	sonde_grid_cell(grid, "%s", p->nr_threads ? sonde_str_count(t, p->nr_threads) : "");
	if (p->nr_procs > 1)
		sonde_grid_cell(grid, "%.*s (%u processes)", (int)sizeof(p->process), p->process, p->nr_procs);
	else
		sonde_grid_cell(grid, "%.*s (pid %u%s)", (int)sizeof(p->process), p->process, p->pid,
				p->ended ? ", ended" : "");
}

void sonde_usage_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_usage *usage, size_t top)
{
	struct sonde_usage *group = usage ? sonde_usage_group(usage) : NULL;
	struct sonde_grid grid = { .columns = columns };

	if (!group) {
		buf->failed = buf->failed || usage;
		return;
	}
	for (size_t i = 0; i < group->nr && i < top; i++)
		row(&grid, &group->proc[i]);
	if (group->nr) {
		sonde_text_style(buf, opts, SONDE_STYLE_DIM);
		sonde_buf_str(buf, "The scheduler's own count; waiting, and saturation, for want of a processor:\n");
		sonde_text_style(buf, opts, SONDE_STYLE_NONE);
		sonde_grid_print(&grid, opts, buf);
	}
	if (group->nr > top)
		sonde_buf_printf(buf, "... and %zu more\n", group->nr - top);
	sonde_usage_free(group);
}

void sonde_usage_json(struct sonde_json *json, const struct sonde_usage *usage)
{
	sonde_json_open(json, "scheduling", '[');
	for (size_t i = 0; usage && i < usage->nr; i++) {
		const struct sonde_usage_proc *p = &usage->proc[i];

		sonde_json_open(json, NULL, '{');
		sonde_json_u64(json, "pid", p->pid);
		sonde_json_str(json, "process", p->process, strnlen(p->process, sizeof(p->process)));
		sonde_json_u64(json, "threads", p->nr_threads);
		sonde_json_u64(json, "processors", p->nr_cpus);
		if (p->limit_milli)
			sonde_json_double(json, "cpu_limit", (double)p->limit_milli / 1000);
		sonde_json_bool(json, "ended", p->ended);
		sonde_json_u64(json, "watched_ns", p->wall_ns);
		sonde_json_u64(json, "on_cpu_ns", p->sum.cpu_ns);
		sonde_json_double(json, "utilisation", sonde_usage_used(p));
		if (!p->uncounted) {
			sonde_json_u64(json, "run_queue_ns", p->sum.queued_ns);
			sonde_json_double(json, "run_queue_load", sonde_usage_waiting(p));
			sonde_json_double(json, "saturation", sonde_usage_saturation(p));
		}
		sonde_json_u64(json, "voluntary_switches", p->sum.voluntary);
		sonde_json_u64(json, "involuntary_switches", p->sum.involuntary);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
}
