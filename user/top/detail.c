// SPDX-License-Identifier: GPL-2.0-only
/*
 * detail.c - all that is known of one row: numbers, distribution, who sends it, what is wrong with it, where in the code.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/finding.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "out/out.h"
#include "out/text.h"
#include "top/screen.h"

#define TEXT_LINES 12 /* of a statement */
#define MAX_LISTED 12

static const struct sonde_top_row *row_of(const struct sonde_top_view *view, enum sonde_top_page page, u64 key)
{
	for (size_t i = 0; i < view->list[page].nr; i++)
		if (view->list[page].row[i].key == key)
			return &view->list[page].row[i];
	return NULL;
}

static void title(struct sonde_top_screen *text, const char *what)
{
	sonde_top_new_line(text);
	sonde_top_new_line(text);
	sonde_top_put(text, SONDE_TOP_HEAD, 0, false, what);
}

/* Text of the report for people, in lines. */
static void put_lines(struct sonde_top_screen *text, const struct sonde_buf *lines)
{
	char line[1024];

	text->failed |= lines->failed;
	for (const char *at = lines->s; at && *at;) {
		size_t len = strcspn(at, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, at);
		sonde_top_new_line(text);
		sonde_top_put(text, SONDE_TOP_PLAIN, 0, false, line);
		at += len + (at[len] == '\n');
	}
}

/* ---- findings ---- */

static void put_site(struct sonde_top_screen *text, const struct sonde_finding *finding)
{
	title(text, "CALL SITE");
	for (size_t i = 0; i < finding->nr_site; i++) {
		sonde_top_new_line(text);
		sonde_top_say(text, i ? SONDE_TOP_PLAIN : SONDE_TOP_BOLD, "  %s%s", i ? "<- " : "", finding->site[i]);
	}
	if (finding->nr_site)
		return;
	sonde_top_new_line(text);
	sonde_top_say(text, SONDE_TOP_DIM, "  not known: the process has ended, or its frames cannot be followed");
}

/* As `sonde nplus1` puts it: the same words. */
static void put_findings(struct sonde_top_screen *text, const struct sonde_snapshot *rows, struct sonde_finding **finding, size_t nr)
{
	struct sonde_snapshot one = *rows, *group = sonde_snapshot_group(rows);
	struct sonde_out_opts opts = { .command = "top", .width = text->width > 40 ? text->width : 40, .utf8 = text->utf8 };
	struct sonde_buf lines = {};

	if (!group) {
		text->failed = true;
		return;
	}
	one.findings = finding;
	one.nr_findings = nr;
	sonde_text_findings(&lines, &opts, &one, group, 0);
	put_lines(text, &lines);
	sonde_buf_free(&lines);
	sonde_snapshot_free(group);
}

/* Findings about statement @id, or in requests called @scope, of a process. */
static void put_related(struct sonde_top_screen *text, const struct sonde_top_view *view, u64 id, const char *scope, const char *process)
{
	const struct sonde_snapshot *rows = view->now->rows;
	struct sonde_finding *of[MAX_LISTED], *sited = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < rows->nr_findings && nr < MAX_LISTED; i++) {
		struct sonde_finding *finding = rows->findings[i];
		bool about = scope ? !strcmp(finding->scope_name, scope)
				   : finding->query_id == id || finding->parent_id == id || finding->with_id == id;

		if (!about || strcmp(finding->process, process) != 0)
			continue;
		of[nr++] = finding;
		if (!scope && !sited && finding->query_id == id && finding->nr_site)
			sited = finding;
	}
	title(text, "FINDINGS");
	if (nr)
		put_findings(text, rows, of, nr);
	else
		sonde_top_wrap(text, SONDE_TOP_DIM, 2, 3, NULL,
			       scope ? "none" : "none; the place in the code is looked up for statements with a finding only");
	if (sited)
		put_site(text, sited);
}

/* ---- statements and endpoints ---- */

static void put_numbers(struct sonde_top_screen *text, const struct sonde_top_state *state, const struct sonde_top_view *view,
			const struct sonde_top_row *row)
{
	char cell[SONDE_TOP_COLUMNS_MAX][32], t[SONDE_STR_SHORT];
	const struct sonde_top_column *column[SONDE_TOP_COLUMNS_MAX];
	size_t nr = sonde_top_columns(state->detail_page, column);

	title(text, state->totals ? "SINCE THE START" : "IN THE LAST INTERVAL");
	sonde_top_new_line(text);
	for (size_t i = 0; i < nr; i++) {
		if (column[i]->form == SONDE_TOP_FORM_TEXT)
			continue;
		sonde_top_cell(cell[i], row, column[i], state->totals, view->sums.window_ns);
		sonde_top_say(text, SONDE_TOP_DIM, "  %s ", column[i]->title[state->totals]);
		sonde_top_say(text, SONDE_TOP_PLAIN, "%s", cell[i]);
	}
	sonde_top_new_line(text);
	if (row->calls && row->sent + row->received) {
		sonde_top_say(text, SONDE_TOP_DIM, "  BYTES sent ");
		sonde_top_say(text, SONDE_TOP_PLAIN, "%s", sonde_str_rate(t, (double)row->sent / (double)row->calls));
		sonde_top_say(text, SONDE_TOP_DIM, "  received ");
		sonde_top_say(text, SONDE_TOP_PLAIN, "%s", sonde_str_rate(t, (double)row->received / (double)row->calls));
		sonde_top_say(text, SONDE_TOP_DIM, "  each");
	}
	if (row->query->sqlstate[0])
		sonde_top_say(text, SONDE_TOP_BAD, "  last error %s", row->query->sqlstate);
}

static void put_times(struct sonde_top_screen *text, const struct sonde_top_row *row)
{
	struct sonde_hist_summary sum;
	struct sonde_buf bar = {};
	char a[5][SONDE_STR_SHORT];
	u32 low = 0, high = 0;

	if (!row->hist || !row->calls)
		return;
	sonde_hist_summarize(row->hist, &sum);
	title(text, "TIME OF ONE");
	sonde_top_new_line(text);
	sonde_top_say(text, SONDE_TOP_PLAIN, "  p50 %s  p90 %s  p95 %s  p99 %s  max %s", sonde_str_ns(a[0], sum.p50_ns),
		      sonde_str_ns(a[1], sum.p90_ns), sonde_str_ns(a[2], sum.p95_ns), sonde_str_ns(a[3], sum.p99_ns),
		      sonde_str_ns(a[4], sum.max_ns));
	for (u32 i = 0; i < SONDE_HIST_BUCKETS; i++) {
		if (!row->hist->bucket[i] || row->calls < 2)
			continue;
		low = high ? low : i;
		high = i + 1;
	}
	if (!high)
		return;
	sonde_text_bar(&bar, text->utf8, row->hist, low, high - 1, text->width > 44 ? 24 : 8);
	sonde_top_new_line(text);
	if (bar.s && !bar.failed)
		sonde_top_say(text, SONDE_TOP_PLAIN, "  %s [%s] %s", sonde_str_ns(a[0], sum.min_ns), bar.s, sonde_str_ns(a[1], sum.max_ns));
	sonde_buf_free(&bar);
}

/* Requests that send statement @query. */
static void put_senders(struct sonde_top_screen *text, const struct sonde_snapshot *rows, const struct sonde_query *query)
{
	char a[SONDE_STR_SHORT], b[SONDE_STR_SHORT];
	size_t nr = 0;

	for (size_t i = 0; i < rows->nr_callers && nr < MAX_LISTED; i++) {
		const struct sonde_caller *caller = &rows->callers[i];

		if (caller->query_id != query->id || strcmp(caller->process, query->process) != 0 || !caller->name[0] || !caller->scopes)
			continue;
		if (!nr++)
			title(text, "SENT BY, SINCE THE START");
		sonde_top_new_line(text);
		sonde_top_say(text, SONDE_TOP_PLAIN, "  %5s a request x %s  %s",
			      sonde_str_rate(a, (double)caller->calls / (double)caller->scopes), sonde_str_count(b, caller->scopes),
			      caller->name);
	}
}

/* Statements that requests of endpoint @query send. */
static void put_sent(struct sonde_top_screen *text, const struct sonde_snapshot *rows, const struct sonde_query *endpoint)
{
	char a[SONDE_STR_SHORT];
	size_t nr = 0;

	for (size_t i = 0; i < rows->nr_queries && nr < MAX_LISTED; i++) {
		const struct sonde_query *query = rows->queries[i];
		const struct sonde_caller *caller;
		size_t callers;

		caller = sonde_snapshot_callers(rows, query->id, query->pid, &callers);
		for (; callers && query->pid == endpoint->pid && nr < MAX_LISTED; callers--, caller++) {
			if (!endpoint->text || strcmp(caller->name, endpoint->text) != 0 || !caller->scopes)
				continue;
			if (!nr++)
				title(text, "ITS STATEMENTS, SINCE THE START");
			sonde_top_new_line(text);
			sonde_top_say(text, SONDE_TOP_PLAIN, "  %5s a request  %s",
				      sonde_str_rate(a, (double)caller->calls / (double)caller->scopes),
				      query->text ? query->text : query->name);
		}
	}
}

static void put_query(struct sonde_top_screen *text, const struct sonde_top_state *state, const struct sonde_top_view *view,
		      const struct sonde_top_row *row)
{
	const struct sonde_query *query = row->query;
	bool http = state->detail_page == SONDE_TOP_ENDPOINTS;

	sonde_top_new_line(text);
	sonde_top_say(text, SONDE_TOP_HEAD, "%s %016llx", http ? "ENDPOINT" : "QUERY", (unsigned long long)query->id);
	sonde_top_wrap(text, SONDE_TOP_BOLD, 2, TEXT_LINES, NULL, row->what);
	if (query->partial)
		sonde_top_say(text, SONDE_TOP_DIM, " (only its beginning is known)");
	sonde_top_new_line(text);
	sonde_top_say(text, SONDE_TOP_PLAIN, row->nr_procs > 1 ? "  %s x%u" : "  %s[%u]", row->process,
		      row->nr_procs > 1 ? row->nr_procs : row->pid);
	sonde_top_say(text, SONDE_TOP_PLAIN, http ? "  %s at %s" : "  %s %s%sat %s", sonde_proto_name(query->proto),
		      http ? query->server : query->database, query->database[0] ? " " : "", query->server);
	put_numbers(text, state, view, row);
	put_times(text, row);
	if (http) {
		put_sent(text, view->now->rows, query);
		put_related(text, view, 0, query->text ? query->text : "", row->process);
	} else {
		put_senders(text, view->now->rows, query);
		put_related(text, view, query->id, NULL, row->process);
	}
}

void sonde_top_detail(struct sonde_top_screen *text, const struct sonde_top_state *state, const struct sonde_top_view *view)
{
	const struct sonde_top_row *row = row_of(view, state->detail_page, state->detail);
	struct sonde_finding *finding;

	if (!row || !view->now->rows) {
		sonde_top_new_line(text);
		sonde_top_say(text, SONDE_TOP_DIM, "it is gone (Esc: back)");
		return;
	}
	if (state->detail_page != SONDE_TOP_FINDINGS) {
		put_query(text, state, view, row);
		return;
	}
	finding = (struct sonde_finding *)row->finding;
	put_findings(text, view->now->rows, &finding, 1);
	if (finding->query) {
		title(text, "QUERY");
		sonde_top_wrap(text, SONDE_TOP_BOLD, 2, TEXT_LINES, NULL, finding->query);
	}
	put_site(text, finding);
}
