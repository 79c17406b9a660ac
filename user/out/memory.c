// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory.c - what inbound requests allocate or touch: for people a table of endpoints, in JSON an object of each.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/str.h"
#include "model/alloc.h"
#include "model/memory.h"
#include "model/snapshot.h"
#include "out/alloc.h"
#include "out/grid.h"
#include "out/json.h"
#include "out/jsonw.h"
#include "out/memory.h"
#include "out/out.h"
#include "out/text.h"

#define TOP_SITES 3 /* call sites of an endpoint that people are shown */
#define FEW                                                                                                            \
	12 /* samples below which an estimate is marked: its standard error is a third of it, and that is unsure itself */

static const struct sonde_grid_column alloc_columns[] = {
	{ .title = "share" },
	{ .title = "bytes/request", .style = SONDE_STYLE_BOLD },
	{ .title = "+-", .drop = 4, .style = SONDE_STYLE_DIM },
	{ .title = "objects/request", .drop = 2 },
	{ .title = "requests" },
	{ .title = "samples" },
	{ .title = "allocated", .drop = 3 },
	{ .title = "who", .left = true, .drop = 1 },
	{ .title = "endpoint", .left = true },
	{ .title = NULL },
};

static const struct sonde_grid_column growth_columns[] = {
	{ .title = "share" },
	{ .title = "touched/request", .style = SONDE_STYLE_BOLD },
	{ .title = "", .drop = 4 },
	{ .title = "", .drop = 2 },
	{ .title = "requests" },
	{ .title = "touches" },
	{ .title = "touched", .drop = 3 },
	{ .title = "who", .left = true, .drop = 1 },
	{ .title = "endpoint", .left = true },
	{ .title = NULL },
};

static const char *const why_not[SONDE_UNDIVIDED] = {
	[SONDE_UNDIVIDED_SHARED] = "shared their thread with other requests (an event loop)",
	[SONDE_UNDIVIDED_MOVED] = "were answered by another thread than the one that read them",
	[SONDE_UNDIVIDED_GOROUTINE] = "were handled by goroutines",
};

static double per(u64 n, u64 count)
{
	return count ? (double)n / (double)count : 0;
}

static bool is_sampled(const struct sonde_snapshot *snapshot)
{
	return snapshot->alloc && !snapshot->alloc->exact.on;
}

static void bytes_cell(struct sonde_grid *grid, double bytes, const char *mark)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s%s", sonde_str_bytes(t, (u64)(bytes + 0.5)), mark);
}

/* The numbers of a row, up to who it is; @requests: answered, with what they took told apart. Returns whether they are marked as unsure. */
static bool numbers(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_memory *memory,
		    u64 requests, u64 all_bytes)
{
	bool sampled = is_sampled(snapshot), few = sampled && requests && memory->samples < FEW;
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%.1f%%", 100 * per(memory->bytes, all_bytes));
	if (requests)
		bytes_cell(grid, per(memory->bytes, requests), few ? "?" : "");
	else
		sonde_grid_cell(grid, "%s", "");
	if (sampled && memory->bytes)
		sonde_grid_cell(grid, "%.0f%%", 100 * per(sonde_alloc_error(memory->var), memory->bytes));
	else
		sonde_grid_cell(grid, "%s", "");
	sonde_grid_cell(grid, "%s",
			requests && memory->objects
				? sonde_str_rate(t, per(memory->objects, requests) / SONDE_ALLOC_OBJECT)
				: "");
	return few;
}

static void ending(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_memory *memory)
{
	char t[SONDE_STR_SHORT];

	if (snapshot->alloc && snapshot->alloc->exact.on)
		sonde_grid_cell(grid, "%s", "");
	else
		sonde_grid_cell(grid, "%s", sonde_str_count(t, memory->samples));
	bytes_cell(grid, (double)memory->bytes, "");
}

/* Where most of it is allocated or touched. Returns as numbers() does. */
static bool places(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_breakdown *row,
		   u64 requests, u64 all_bytes)
{
	bool few = false;
	size_t nr;
	struct sonde_memory_site *site = sonde_memory_places(row, snapshot->profile, &nr);

	if (!site)
		grid->failed = true;
	for (size_t i = 0; site && i < nr && i < TOP_SITES; i++) {
		struct sonde_buf text = {};

		sonde_buf_str(&text, "    ");
		sonde_alloc_site_text(&text, snapshot->profile, site[i].stack);
		few |= numbers(grid, snapshot, &site[i].memory, requests, all_bytes);
		sonde_grid_cell(grid, "%s", "");
		ending(grid, snapshot, &site[i].memory);
		sonde_grid_cell(grid, "%s", "");
		sonde_grid_cell(grid, "%s", text.s ? text.s : "");
		sonde_buf_free(&text);
	}
	free(site);
	return few;
}

static bool endpoint(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_breakdown *row,
		     u64 all_bytes)
{
	u64 requests = sonde_memory_whole(&row->stat);
	char t[SONDE_STR_SHORT + 8];
	bool few;

	few = numbers(grid, snapshot, &row->stat.memory, requests, all_bytes);
	sonde_grid_cell(grid, "%s", sonde_str_group(t, requests));
	ending(grid, snapshot, &row->stat.memory);
	if (row->nr_procs > 1)
		sonde_grid_cell(grid, "%s[%u processes]", row->process, row->nr_procs);
	else
		sonde_grid_cell(grid, "%s[%u]", row->process, row->key.proc.tgid);
	sonde_grid_cell(grid, "%s", row->text ? row->text : "(its path was not seen)");
	return few | (requests && places(grid, snapshot, row, requests, all_bytes));
}

/* What is no request's, or not told apart. */
static void rest(struct sonde_grid *grid, const struct sonde_breakdowns *list, u64 all_bytes)
{
	u64 sum = 0;

	for (size_t i = 0; i < list->nr; i++)
		sum += list->row[i]->stat.memory.bytes;
	if (sum >= all_bytes)
		return;
	sonde_grid_cell(grid, "%.1f%%", 100 * per(all_bytes - sum, all_bytes));
	for (int i = 0; i < 5; i++)
		sonde_grid_cell(grid, "%s", "");
	bytes_cell(grid, (double)(all_bytes - sum), "");
	sonde_grid_cell(grid, "%s", "");
	sonde_grid_cell(grid, "(outside of these requests)");
}

static void notes(struct sonde_buf *buf, const struct sonde_breakdowns *list, bool few)
{
	u64 others[SONDE_UNDIVIDED] = {};
	char n[SONDE_STR_SHORT + 8];

	if (few)
		sonde_buf_printf(buf, "?: from fewer than %d samples\n", FEW);
	for (size_t i = 0; i < list->nr; i++)
		for (u32 why = 0; why < SONDE_UNDIVIDED; why++)
			others[why] += list->row[i]->stat.undivided[why];
	for (u32 why = 0; why < SONDE_UNDIVIDED; why++)
		if (others[why])
			sonde_buf_printf(buf, "%s request%s %s: not counted here\n", sonde_str_group(n, others[why]),
					 others[why] == 1 ? "" : "s", why_not[why]);
}

void sonde_memory_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot,
		       u64 all_bytes, size_t max_rows)
{
	struct sonde_breakdowns *group = sonde_breakdowns_group(snapshot->breakdowns);
	struct sonde_grid grid = { .columns = snapshot->alloc ? alloc_columns : growth_columns };
	bool few = false;
	size_t nr;

	if (!group) {
		buf->failed = true;
		return;
	}
	sonde_memory_sort(group);
	nr = max_rows && max_rows < group->nr ? max_rows : group->nr;
	for (size_t i = 0; i < nr; i++)
		few |= endpoint(&grid, snapshot, group->row[i], all_bytes);
	if (nr) {
		rest(&grid, group, all_bytes);
		sonde_grid_print(&grid, opts, buf);
	} else {
		sonde_buf_str(buf,
			      "No inbound request has been answered: there is nothing to tell apart by endpoint.\n");
	}
	if (nr < group->nr)
		sonde_buf_printf(buf, "... and %zu endpoints more: --top %zu\n", group->nr - nr, group->nr);
	notes(buf, group, few);
	sonde_breakdowns_free(group);
}

size_t sonde_memory_rows(const struct sonde_out_opts *opts, size_t lines)
{
	size_t rows = lines > 1 ? lines / 2 : 1;

	return opts->top && opts->top < rows ? opts->top : rows;
}

/* ---- JSON ---- */

static void sums(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_memory *memory)
{
	sonde_json_u64(json, snapshot->alloc ? "samples" : "touches", memory->samples);
	sonde_json_u64(json, snapshot->alloc ? "alloc_bytes" : "grown_bytes", memory->bytes);
	if (!snapshot->alloc)
		return;
	sonde_json_u64(json, "alloc_bytes_error", sonde_alloc_error(memory->var));
	sonde_json_u64(json, "alloc_objects", sonde_alloc_objects_of(memory->objects));
}

static void json_endpoint(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			  const struct sonde_breakdown *row, u64 all_bytes)
{
	u64 requests = sonde_memory_whole(&row->stat);
	const struct sonde_memory *memory = &row->stat.memory;

	sonde_json_open(json, NULL, '{');
	sonde_json_endpoint(json, row->key.id, row->key.role, row->text, row->key.proto);
	sonde_json_u64(json, "pid", row->key.proc.tgid);
	sonde_json_cstr(json, "process", row->process);
	if (row->server[0])
		sonde_json_cstr(json, "server", row->server);
	sonde_json_u64(json, "count", row->stat.count);
	sonde_json_open(json, snapshot->alloc ? "allocations" : "growth", '{');
	sonde_json_u64(json, "requests", requests);
	sums(json, snapshot, memory);
	sonde_json_double(json, "bytes_per_request", per(memory->bytes, requests));
	if (snapshot->alloc) {
		sonde_json_double(json, "bytes_per_request_error", per(sonde_alloc_error(memory->var), requests));
		sonde_json_double(json, "objects_per_request", per(memory->objects, requests) / SONDE_ALLOC_OBJECT);
	}
	sonde_json_double(json, "share", per(memory->bytes, all_bytes));
	sonde_json_open(json, "sites", '[');
	for (size_t i = 0; i < row->nr_sites; i++) {
		sonde_json_open(json, NULL, '{');
		sonde_alloc_json_site(json, snapshot->profile, row->site[i].stack);
		sums(json, snapshot, &row->site[i].memory);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	sonde_json_open(json, "undivided", '{');
	for (u32 i = 0; i < SONDE_UNDIVIDED; i++)
		if (row->stat.undivided[i])
			sonde_json_u64(json, sonde_undivided_name(i), row->stat.undivided[i]);
	sonde_json_close(json, '}');
	sonde_json_close(json, '}');
	sonde_json_close(json, '}');
}

void sonde_memory_json(struct sonde_json *json, const struct sonde_snapshot *snapshot,
		       const struct sonde_out_opts *opts, u64 all_bytes)
{
	const struct sonde_breakdowns *list = snapshot->breakdowns;
	size_t nr;

	if (!list)
		return;
	nr = opts->top && opts->top < list->nr ? opts->top : list->nr;
	sonde_json_open(json, "endpoints", '[');
	for (size_t i = 0; i < nr; i++)
		json_endpoint(json, snapshot, list->row[i], all_bytes);
	sonde_json_close(json, ']');
	if (nr < list->nr)
		sonde_json_u64(json, "endpoints_left_out", list->nr - nr);
}
