// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown.c - what the time of inbound requests went into: for people below the table of endpoints, in JSON under each.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/breakdown.h"
#include "model/snapshot.h"
#include "model/wait.h"
#include "out/breakdown.h"
#include "out/grid.h"
#include "out/jsonw.h"
#include "out/out.h"
#include "out/text.h"

#define TOP_DEPS 5 /* statements, and requests, of an endpoint that people are shown */
#define TOP_ENDPOINTS 10

static const struct sonde_grid_column columns[] = {
	{ .title = "mean" },
	{ .title = "share" },
	{ .title = "per request", .drop = 1 },
	{ .title = "part", .left = true },
	{ .title = NULL },
};

static double per(u64 n, u64 count)
{
	return count ? (double)n / (double)count : 0;
}

static void share(struct sonde_grid *grid, u64 ns, u64 total_ns)
{
	double percent = 100 * per(ns, total_ns);

	sonde_grid_cell(grid, percent >= 9.95 ? "%.0f%%" : "%.1f%%", percent);
}

static void times(struct sonde_grid *grid, const struct sonde_breakdown *row, u64 ns, u64 total_ns)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", sonde_str_ns(t, row->stat.count ? ns / row->stat.count : 0));
	share(grid, ns, total_ns);
}

/* What is waited for most, below the part that it belongs to. */
static void deps(struct sonde_grid *grid, const struct sonde_breakdown *row, u32 kind, u64 total_ns)
{
	u64 left_ns = 0, left = 0;
	char t[SONDE_STR_SHORT];
	size_t shown = 0;

	for (size_t i = 0; i < row->nr_deps; i++) {
		const struct sonde_dep *dep = &row->dep[i];

		if (dep->kind != kind)
			continue;
		if (shown++ >= TOP_DEPS || !dep->id) {
			left_ns += dep->stat.ns;
			left += dep->stat.calls;
			continue;
		}
		times(grid, row, dep->stat.ns, total_ns);
		sonde_grid_cell(grid, "%sx", sonde_str_rate(t, per(dep->stat.calls, row->stat.count)));
		if (dep->text)
			sonde_grid_cell(grid, "    %s", dep->text);
		else
			sonde_grid_cell(grid, "    id %016llx", (unsigned long long)dep->id);
	}
	if (!left && !left_ns)
		return;
	times(grid, row, left_ns, total_ns);
	sonde_grid_cell(grid, "%sx", sonde_str_rate(t, per(left, row->stat.count)));
	sonde_grid_cell(grid, "    others");
}

static bool is_other(u32 reason)
{
	switch (reason) {
	case SONDE_WAIT_RUNNABLE:
	case SONDE_WAIT_LOCK:
	case SONDE_WAIT_DISK:
	case SONDE_WAIT_FILE:
	case SONDE_WAIT_NETWORK:
	case SONDE_WAIT_SLEEP:
		return false;
	}
	return true;
}

/* Where it waits, if the part is made of several reasons. */
static void reasons(struct sonde_grid *grid, const struct sonde_breakdown *row, u32 part, u64 total_ns)
{
	for (u32 i = 0; i < SONDE_WAITS; i++) {
		bool of = part == SONDE_PART_FILE ? i == SONDE_WAIT_DISK || i == SONDE_WAIT_FILE : is_other(i);

		if (!of || !row->stat.wait_ns[i])
			continue;
		times(grid, row, row->stat.wait_ns[i], total_ns);
		sonde_grid_cell(grid, "%s", "");
		sonde_grid_cell(grid, "    %s: %s", sonde_wait_name(i), sonde_wait_text(i));
	}
}

static void table(const struct sonde_breakdown *row, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	struct sonde_grid grid = { .columns = columns };
	u64 part[SONDE_PARTS], total_ns = sonde_breakdown_parts(&row->stat, part);

	for (u32 i = 0; i < SONDE_PARTS; i++) {
		if (!part[i])
			continue;
		times(&grid, row, part[i], total_ns);
		sonde_grid_cell(&grid, "%s", "");
		sonde_grid_cell(&grid, "%s", sonde_part_people(i));
		if (i == SONDE_PART_DATABASE)
			deps(&grid, row, SONDE_DEP_DATABASE, total_ns);
		else if (i == SONDE_PART_HTTP)
			deps(&grid, row, SONDE_DEP_HTTP, total_ns);
		else if (i == SONDE_PART_FILE || i == SONDE_PART_OTHER)
			reasons(&grid, row, i, total_ns);
	}
	times(&grid, row, total_ns, total_ns);
	sonde_grid_cell(&grid, "%s", "");
	sonde_grid_cell(&grid, "the whole request");
	sonde_grid_print(&grid, opts, buf);
}

/* What cannot be told, and why. */
static void notes(const struct sonde_breakdown *row, struct sonde_buf *buf)
{
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];

	if (row->stat.loops)
		sonde_buf_printf(buf,
				 "%s of them, %s, shared their thread with others (an event loop): divided by the "
				 "order of reads and writes\n",
				 sonde_str_group(n, row->stat.loops), sonde_str_ns(t, row->stat.loops_ns));
	if (row->stat.unsure)
		sonde_buf_printf(buf,
				 "%s of these while requests waited for timers, or others of what is not seen: who "
				 "sent what is not sure\n",
				 sonde_str_group(n, row->stat.unsure));
	for (u32 i = 0; i < SONDE_UNDIVIDED; i++)
		if (row->stat.undivided[i])
			sonde_buf_printf(buf, "%s of them, %s, %s\n", sonde_str_group(n, row->stat.undivided[i]),
					 sonde_str_ns(t, row->stat.undivided_ns[i]), sonde_undivided_text(i));
}

static void endpoint(const struct sonde_breakdown *row, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	const char *text = row->text ? row->text : "(its path was not seen)";
	char n[SONDE_STR_SHORT + 8];

	sonde_buf_str(buf, "\n");
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, text, strlen(text), opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_printf(buf, "  %s request%s to ", sonde_str_group(n, row->stat.count),
			 row->stat.count == 1 ? "" : "s");
	sonde_utf8_clean(buf, row->process, strlen(row->process));
	if (row->nr_procs > 1)
		sonde_buf_printf(buf, ", %u processes\n", row->nr_procs);
	else
		sonde_buf_printf(buf, "[%u]\n", row->key.proc.tgid);
	table(row, opts, buf);
	notes(row, buf);
}

void sonde_breakdown_text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts,
			  struct sonde_buf *buf)
{
	size_t top = opts->top && opts->top < TOP_ENDPOINTS ? opts->top : TOP_ENDPOINTS;
	struct sonde_breakdowns *group;

	if (!snapshot->breakdowns)
		return;
	group = sonde_breakdowns_group(snapshot->breakdowns);
	if (!group) {
		buf->failed = true;
		return;
	}
	if (opts->height && top > 1)
		top = 1; /* while it runs: the one that takes the most time */
	for (size_t i = 0; i < group->nr && i < top; i++)
		endpoint(group->row[i], opts, buf);
	if (!group->nr)
		sonde_buf_str(buf, "\nNo inbound request has been answered: there is no time to divide.\n");
	sonde_breakdowns_free(group);
}

static void json_deps(struct sonde_json *json, const struct sonde_breakdown *row, const char *key, u32 kind)
{
	char id[24];

	sonde_json_open(json, key, '[');
	for (size_t i = 0; i < row->nr_deps; i++) {
		const struct sonde_dep *dep = &row->dep[i];

		if (dep->kind != kind)
			continue;
		sonde_json_open(json, NULL, '{');
		snprintf(id, sizeof(id), "%016llx", (unsigned long long)dep->id);
		if (dep->id)
			sonde_json_cstr(json, "id", id);
		else
			sonde_json_bool(json, "others", true);
		if (kind == SONDE_DEP_DATABASE && dep->id)
			sonde_json_cstr(json, "db_system", sonde_proto_system(dep->proto));
		sonde_json_cstr(json, "text", dep->text ? dep->text : "");
		sonde_json_u64(json, "count", dep->stat.calls);
		sonde_json_u64(json, "requests", dep->stat.requests);
		sonde_json_double(json, "per_request", per(dep->stat.calls, row->stat.count));
		sonde_json_u64(json, "wait_ns", dep->stat.ns);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
}

static void json_parts(struct sonde_json *json, const u64 part[SONDE_PARTS], u64 total_ns, u64 count)
{
	char name[32];

	for (u32 i = 0; i < SONDE_PARTS; i++) {
		snprintf(name, sizeof(name), "%s_ns", sonde_part_name(i));
		sonde_json_u64(json, name, part[i]);
	}
	sonde_json_open(json, "mean_ns", '{');
	for (u32 i = 0; i < SONDE_PARTS; i++)
		sonde_json_u64(json, sonde_part_name(i), count ? part[i] / count : 0);
	sonde_json_u64(json, "total", count ? total_ns / count : 0);
	sonde_json_close(json, '}');
	sonde_json_open(json, "share", '{');
	for (u32 i = 0; i < SONDE_PARTS; i++)
		sonde_json_double(json, sonde_part_name(i), per(part[i], total_ns));
	sonde_json_close(json, '}');
}

void sonde_breakdown_json(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			  const struct sonde_query *endpoint)
{
	const struct sonde_breakdown *row =
		snapshot->breakdowns ? sonde_breakdowns_find(snapshot->breakdowns, endpoint) : NULL;
	u64 part[SONDE_PARTS], total_ns;

	if (!row)
		return;
	total_ns = sonde_breakdown_parts(&row->stat, part);
	sonde_json_open(json, "breakdown", '{');
	sonde_json_u64(json, "count", row->stat.count);
	sonde_json_u64(json, "total_ns", total_ns);
	json_parts(json, part, total_ns, row->stat.count);
	sonde_json_open(json, "waits_ns", '{');
	for (u32 i = 0; i < SONDE_WAITS; i++)
		if (i != SONDE_WAIT_NETWORK && row->stat.wait_ns[i])
			sonde_json_u64(json, sonde_wait_name(i), row->stat.wait_ns[i]);
	sonde_json_close(json, '}');
	sonde_json_open(json, "event_loop", '{');
	sonde_json_u64(json, "count", row->stat.loops);
	sonde_json_u64(json, "total_ns", row->stat.loops_ns);
	sonde_json_u64(json, "unsure", row->stat.unsure);
	sonde_json_close(json, '}');
	json_deps(json, row, "queries", SONDE_DEP_DATABASE);
	json_deps(json, row, "requests", SONDE_DEP_HTTP);
	sonde_json_open(json, "undivided", '{');
	for (u32 i = 0; i < SONDE_UNDIVIDED; i++) {
		if (!row->stat.undivided[i])
			continue;
		sonde_json_open(json, sonde_undivided_name(i), '{');
		sonde_json_u64(json, "count", row->stat.undivided[i]);
		sonde_json_u64(json, "total_ns", row->stat.undivided_ns[i]);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, '}');
	sonde_json_close(json, '}');
}
