// SPDX-License-Identifier: GPL-2.0-only
/*
 * text.c - the report for people: a table sorted by total time, as much of it as the width has room for.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "out/breakdown.h"
#include "out/out.h"
#include "out/slow.h"
#include "out/text.h"
#include "out/view.h"

#define MIN_STATEMENT 24 /* columns */
#define BAR_CELLS 12

#define DB (1u << SONDE_VIEW_DB)
#define HTTP (1u << SONDE_VIEW_HTTP)

/* Symbol, title, width, width of the report that the column appears from, views. */
#define COLUMNS(_)                                                                                                     \
	_(SHARE, "share", 5, 0, DB | HTTP)                                                                             \
	_(TOTAL, "total", 6, 0, DB | HTTP)                                                                             \
	_(CALLS, "calls", 6, 0, DB | HTTP)                                                                             \
	_(RATE, "calls/s", 7, 100, DB | HTTP)                                                                          \
	_(NOW, "now/s", 6, 0, DB | HTTP)                                                                               \
	_(FIRST, "first", 6, 100, HTTP)                                                                                \
	_(P50, "p50", 6, 0, DB | HTTP)                                                                                 \
	_(P90, "p90", 6, 120, HTTP)                                                                                    \
	_(P95, "p95", 6, 0, DB | HTTP)                                                                                 \
	_(P99, "p99", 6, 100, DB | HTTP)                                                                               \
	_(MAX, "max", 6, 0, DB | HTTP)                                                                                 \
	_(ROWS, "rows/call", 9, 120, DB)                                                                               \
	_(ERRORS, "errors", 6, 0, DB)                                                                                  \
	_(4XX, "4xx", 5, 0, HTTP)                                                                                      \
	_(5XX, "5xx", 5, 0, HTTP)                                                                                      \
	_(BAR, "", BAR_CELLS, 140, DB | HTTP)                                                                          \
	_(SOURCE, "src", 3, 0, DB | HTTP)                                                                              \
	_(ROLE, "role", 4, 0, HTTP)

enum column {
#define COLUMN(symbol, title, width, from, views) COL_##symbol,
	COLUMNS(COLUMN)
#undef COLUMN
		COL_MAX_ID,
};

static const struct {
	const char *title;
	unsigned int width;
	unsigned int from;
	unsigned int views;
} columns[COL_MAX_ID] = {
#define COLUMN(symbol, title, width, from, views) [COL_##symbol] = { title, width, from, views },
	COLUMNS(COLUMN)
#undef COLUMN
};

/* What all rows have in common. */
struct table {
	const struct sonde_snapshot *rows;
	struct sonde_query **row; /* of them, those of the view */
	size_t nr;
	const struct sonde_out_opts *opts;
	const struct sonde_sources *sources;
	struct sonde_query total;
	bool shown[COL_MAX_ID];
	unsigned int statement; /* width of the last column */
	u32 low, high; /* buckets that the bars span */
};

static void add_up(struct table *table)
{
	struct sonde_query *total = &table->total;
	bool any = false;

	for (size_t i = 0; i < table->nr; i++) {
		const struct sonde_query *query = table->row[i];

		total->count += query->count;
		total->errors += query->errors;
		total->rows += query->rows;
		total->recent += query->recent;
		for (u32 class = 0; class < SONDE_ERR_CLASSES; class ++)
			total->error_class[class] += query->error_class[class];
		if (query->waits)
			continue; /* nothing took that long */
		sonde_hist_merge(&total->done, &query->done);
		sonde_hist_merge(&total->first, &query->first);
	}
	sonde_hist_tidy(&total->done);
	sonde_hist_tidy(&total->first);
	for (u32 i = 0; i < SONDE_HIST_BUCKETS; i++) {
		if (!total->done.bucket[i])
			continue;
		if (!any)
			table->low = i;
		any = true;
		table->high = i;
	}
	/* A bar of less than an octave would make noise look like a spread. */
	if (table->high < table->low + BAR_CELLS - 1)
		table->high = table->low + BAR_CELLS - 1;
}

static void choose_columns(struct table *table)
{
	/* What goes first when there is not enough room: share and total say the same, total and calls stay. */
	static const enum column dispensable[] = { COL_BAR,   COL_ROWS, COL_P90, COL_P99, COL_RATE, COL_FIRST,
						   COL_SHARE, COL_NOW,	COL_MAX, COL_P50, COL_P95,  COL_ROLE };
	unsigned int used = 2; /* the blanks before the statement */

	for (u32 i = 0; i < COL_MAX_ID; i++) {
		bool has = true;

		if (i == COL_ERRORS)
			has = table->total.errors;
		if (i == COL_4XX || i == COL_5XX)
			has = table->total.error_class[i == COL_4XX ? SONDE_HTTP_4XX : SONDE_HTTP_5XX];
		if (i == COL_NOW)
			has = table->rows->recent_ns && !table->rows->final;
		if (i == COL_SOURCE)
			has = table->sources->nr > 1;
		table->shown[i] =
			has && table->opts->width >= columns[i].from && columns[i].views & 1u << table->rows->view;
		if (table->shown[i])
			used += columns[i].width + 1;
	}
	for (size_t i = 0; i < sizeof(dispensable) / sizeof(dispensable[0]); i++) {
		enum column column = dispensable[i];

		if (used + MIN_STATEMENT <= table->opts->width)
			break;
		if (table->shown[column])
			used -= columns[column].width + 1;
		table->shown[column] = false;
	}
	table->statement = table->opts->width > used + 8 ? table->opts->width - used : 8;
}

static double seconds(u64 ns)
{
	return ns ? (double)ns / 1e9 : 1;
}

static void cell(const struct table *table, const struct sonde_query *query, enum column column,
		 char out[SONDE_STR_SHORT], struct sonde_buf *share)
{
	double total = (double)table->total.done.sum_ns;

	out[0] = '\0';
	switch (column) {
	case COL_SHARE:
		if (query->waits)
			sonde_buf_str(share, "waits");
		else
			sonde_buf_printf(share, "%.0f%%", total > 0 ? 100 * (double)query->done.sum_ns / total : 0);
		break;
	case COL_TOTAL:
		sonde_str_ns(out, query->done.sum_ns);
		break;
	case COL_CALLS:
		sonde_str_count(out, query->count);
		break;
	case COL_RATE:
		sonde_str_rate(out, (double)query->count / seconds(table->rows->duration_ns));
		break;
	case COL_NOW:
		sonde_str_rate(out, (double)query->recent / seconds(table->rows->recent_ns));
		break;
	case COL_P50:
		sonde_str_ns(out, sonde_hist_quantile(&query->done, 0.5));
		break;
	case COL_FIRST:
		sonde_str_ns(out, sonde_hist_quantile(&query->first, 0.5));
		break;
	case COL_P90:
		sonde_str_ns(out, sonde_hist_quantile(&query->done, 0.9));
		break;
	case COL_P95:
		sonde_str_ns(out, sonde_hist_quantile(&query->done, 0.95));
		break;
	case COL_P99:
		sonde_str_ns(out, sonde_hist_quantile(&query->done, 0.99));
		break;
	case COL_MAX:
		sonde_str_ns(out, query->done.max_ns);
		break;
	case COL_ROWS:
		sonde_str_rate(out, query->count ? (double)query->rows / (double)query->count : 0);
		break;
	case COL_ERRORS:
		if (query->errors)
			sonde_str_count(out, query->errors);
		break;
	case COL_4XX:
		if (query->error_class[SONDE_HTTP_4XX])
			sonde_str_count(out, query->error_class[SONDE_HTTP_4XX]);
		break;
	case COL_5XX:
		if (query->error_class[SONDE_HTTP_5XX])
			sonde_str_count(out, query->error_class[SONDE_HTTP_5XX]);
		break;
	case COL_ROLE:
		if (query != &table->total)
			snprintf(out, SONDE_STR_SHORT, "%s", query->role == SONDE_ROLE_SERVER ? "in" : "out");
		break;
	case COL_BAR:
	case COL_SOURCE:
	case COL_MAX_ID:
		break;
	}
}

static void right(struct sonde_buf *buf, const char *s, unsigned int width)
{
	sonde_buf_printf(buf, " %*s", (int)width, s);
}

/* Numbers of one row, up to the blanks before the statement. */
static void numbers(struct sonde_buf *buf, const struct table *table, const struct sonde_query *query)
{
	for (u32 i = 0; i < COL_MAX_ID; i++) {
		struct sonde_buf wide = {};
		char text[SONDE_STR_SHORT];

		if (!table->shown[i])
			continue;
		cell(table, query, i, text, &wide);
		if (i == COL_BAR) {
			sonde_buf_add(buf, " ", 1);
			sonde_text_bar(buf, table->opts->utf8, &query->done, table->low, table->high, BAR_CELLS);
		} else if (i == COL_SOURCE) {
			size_t number = query == &table->total ? 0 : sonde_text_source_of(table->sources, query);

			sonde_buf_printf(buf, number ? " %3zu" : "    ", number);
		} else if ((i == COL_ERRORS || i == COL_4XX || i == COL_5XX) && text[0]) {
			sonde_text_style(buf, table->opts, i == COL_4XX ? SONDE_STYLE_WARN : SONDE_STYLE_BAD);
			right(buf, text, columns[i].width);
			sonde_text_style(buf, table->opts, SONDE_STYLE_NONE);
		} else {
			right(buf, wide.s ? wide.s : text, columns[i].width);
		}
		sonde_buf_free(&wide);
	}
	sonde_buf_add(buf, "  ", 2);
}

/* The text if it fits; else the short name, which says what a cut text may not, and as much text as there is room for. */
static void statement(struct sonde_buf *buf, const struct table *table, const struct sonde_query *query)
{
	unsigned int used, room = table->statement;
	const char *text = query->text ? query->text : "(its text was not seen)";
	size_t len = query->text ? query->text_len : strlen(text);

	if (query->text && sonde_utf8_columns(text, len) <= room) {
		sonde_utf8_clean(buf, text, len);
		sonde_buf_add(buf, "\n", 1);
		return;
	}
	if (query->text && table->rows->view == SONDE_VIEW_HTTP) {
		sonde_utf8_fit(buf, text, len, room);
		sonde_buf_add(buf, "\n", 1);
		return;
	}
	sonde_text_style(buf, table->opts, SONDE_STYLE_BOLD);
	used = sonde_utf8_fit(buf, query->name, strlen(query->name), room);
	sonde_text_style(buf, table->opts, SONDE_STYLE_NONE);
	if (used + 2 + 12 <= room && !query->named) {
		sonde_text_style(buf, table->opts, SONDE_STYLE_DIM);
		sonde_buf_str(buf, used ? ": " : "");
		sonde_utf8_fit(buf, text, len, room - used - 2);
		sonde_text_style(buf, table->opts, SONDE_STYLE_NONE);
	}
	sonde_buf_add(buf, "\n", 1);
}

/* A bound of a bar in at most five characters: it marks a place, three digits would be noise. */
static void bound(char out[SONDE_STR_SHORT], double ns)
{
	u64 unit = ns < 999.5 ? 1 : ns < 999500 ? 1000 : ns < 999500000 ? 1000000 : 1000000000;

	snprintf(out, SONDE_STR_SHORT, "%.0f%s", ns / (double)unit,
		 unit == 1	   ? "ns"
		 : unit == 1000	   ? "us"
		 : unit == 1000000 ? "ms"
				   : "s");
}

/* The bars' scale in the place of a title: "24us...387ms". */
static void scale(struct sonde_buf *buf, const struct table *table)
{
	bool open = table->high >= SONDE_HIST_BUCKETS - 1;
	char low[SONDE_STR_SHORT], high[SONDE_STR_SHORT];

	bound(low, table->low ? sonde_hist_upper_ns(table->low - 1) : 0);
	bound(high, open ? (double)table->total.done.max_ns : sonde_hist_upper_ns(table->high));
	sonde_buf_printf(buf, " %s", low);
	if (strlen(low) + strlen(high) < BAR_CELLS)
		sonde_buf_fill(buf, '.', BAR_CELLS - strlen(low) - strlen(high));
	sonde_buf_str(buf, high);
}

static void titles(struct sonde_buf *buf, const struct table *table)
{
	sonde_text_style(buf, table->opts, SONDE_STYLE_BOLD);
	for (u32 i = 0; i < COL_MAX_ID; i++) {
		if (!table->shown[i])
			continue;
		if (i == COL_BAR)
			scale(buf, table);
		else
			right(buf, columns[i].title, columns[i].width);
	}
	sonde_buf_str(buf, table->rows->view == SONDE_VIEW_HTTP ? "  endpoint" : "  statement");
	sonde_text_style(buf, table->opts, SONDE_STYLE_NONE);
	sonde_buf_add(buf, "\n", 1);
}

/* The report's first line. */
static void headline(struct sonde_buf *buf, const struct table *table)
{
	const struct sonde_snapshot *rows = table->rows;
	bool http = rows->view == SONDE_VIEW_HTTP;
	struct sonde_buf line = {};
	char t[SONDE_STR_SHORT];

	sonde_buf_printf(&line, "sonde %s: ", table->opts->command);
	sonde_str_many(&line, table->total.count, http ? "request" : "call");
	sonde_buf_str(&line, http ? " to " : " of ");
	sonde_str_many(&line, table->nr, http ? "endpoint" : "statement");
	sonde_buf_printf(&line, " in %s", sonde_str_ns(t, rows->duration_ns));
	sonde_buf_printf(&line, ", %s/s", sonde_str_rate(t, (double)table->total.count / seconds(rows->duration_ns)));
	if (table->total.errors) {
		sonde_buf_str(&line, ", ");
		sonde_str_many(&line, table->total.errors, "error");
	}
	if (rows->capture[0])
		sonde_buf_printf(&line, " [%s]", rows->capture);
	sonde_text_style(buf, table->opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, table->opts->width);
	sonde_text_style(buf, table->opts, SONDE_STYLE_NONE);
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_free(&line);
}

static void source_lines(struct sonde_buf *buf, const struct table *table)
{
	const struct sonde_sources *sources = table->sources;
	size_t most = table->opts->height ? 1 + table->opts->height / 6 : SONDE_MAX_SOURCES;

	for (size_t i = 0; i < sources->nr && i < most; i++)
		sonde_text_source(buf, table->opts, &sources->source[i], sources->nr > 1 ? i + 1 : 0);
	if (sources->nr > most)
		sonde_buf_printf(buf, "     ... and %zu more\n", sources->nr - most);
}

static size_t nr_lines(const struct sonde_buf *buf)
{
	size_t lines = 0;

	for (size_t i = 0; i < buf->len; i++)
		lines += buf->s[i] == '\n';
	return lines;
}

static void body(struct sonde_buf *buf, const struct table *table, size_t lines_below)
{
	const struct sonde_out_opts *opts = table->opts;
	size_t nr = table->nr, fixed;
	char n[SONDE_STR_SHORT + 8];
	u64 rest_ns = 0;

	if (opts->top && nr > opts->top)
		nr = opts->top;
	if (opts->height) {
		fixed = nr_lines(buf) + lines_below + 4; /* titles, total, left out, the last line stays empty */
		if (nr + fixed > opts->height)
			nr = opts->height > fixed ? opts->height - fixed : 1;
	}
	titles(buf, table);
	for (size_t i = 0; i < nr; i++) {
		numbers(buf, table, table->row[i]);
		statement(buf, table, table->row[i]);
	}
	for (size_t i = nr; i < table->nr; i++)
		rest_ns += table->row[i]->waits ? 0 : table->row[i]->done.sum_ns;
	numbers(buf, table, &table->total);
	sonde_buf_str(buf, "total\n");
	if (nr < table->nr)
		sonde_buf_printf(buf, "%s %s left out, %.1f%% of the time (--top shows more)\n",
				 sonde_str_group(n, table->nr - nr),
				 table->rows->view == SONDE_VIEW_HTTP ? "endpoints" : "statements",
				 100 * (double)rest_ns /
					 (double)(table->total.done.sum_ns ? table->total.done.sum_ns : 1));
}

static void render_findings(const struct sonde_snapshot *snapshot, const struct sonde_snapshot *group,
			    const struct table *table, const struct sonde_buf *below, struct sonde_buf *buf)
{
	const struct sonde_out_opts *opts = table->opts;
	size_t used;

	sonde_text_findings_head(buf, opts, snapshot);
	source_lines(buf, table);
	if (!snapshot->nr_findings)
		return;
	sonde_buf_add(buf, "\n", 1);
	used = nr_lines(buf) + nr_lines(below) + 2; /* a blank line, the last line stays empty */
	sonde_text_findings(buf, opts, snapshot, group,
			    !opts->height	      ? 0
			    : opts->height > used + 1 ? opts->height - used
						      : 1);
}

/* The table, and the findings below it: in a report of limited height they get a third of it. */
static void render_rows(const struct sonde_snapshot *snapshot, const struct sonde_snapshot *group,
			const struct table *table, size_t lines_below, struct sonde_buf *buf)
{
	const struct sonde_out_opts *opts = table->opts;
	struct sonde_buf findings = {};

	if (snapshot->nr_findings) {
		sonde_text_findings(&findings, opts, snapshot, group, opts->height ? opts->height / 3 : 0);
		sonde_buf_add(&findings, "\n", 1);
	}
	source_lines(buf, table);
	sonde_buf_add(buf, "\n", 1);
	body(buf, table, lines_below + nr_lines(&findings) + 1);
	if (findings.len) {
		sonde_buf_add(buf, "\n", 1);
		sonde_buf_add(buf, findings.s, findings.len - 1);
	}
	buf->failed = buf->failed || findings.failed;
	sonde_buf_free(&findings);
}

static void render_table(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts,
			 struct sonde_buf *buf)
{
	struct sonde_snapshot *group = sonde_snapshot_group(snapshot);
	struct table table = { .rows = group, .opts = opts };
	struct sonde_buf below = {}, divided = {};
	struct sonde_sources sources;

	if (!group) {
		buf->failed = true;
		return;
	}
	table.row = sonde_snapshot_rows(group, &table.nr);
	sonde_text_sources(snapshot, &sources);
	table.sources = &sources;
	add_up(&table);
	choose_columns(&table);
	if (!snapshot->only_findings)
		sonde_text_errors(&below, opts, group);
	sonde_text_coverage(&below, opts, group);
	if (table.nr && snapshot->only_findings) {
		render_findings(snapshot, group, &table, &below, buf);
	} else {
		headline(buf, &table);
		sonde_breakdown_text(snapshot, opts, &divided);
		if (table.nr)
			render_rows(snapshot, group, &table, nr_lines(&below) + nr_lines(&divided), buf);
		else
			sonde_text_empty(buf, opts, group);
	}
	sonde_buf_add(buf, divided.s ? divided.s : "", divided.len);
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_add(buf, below.s ? below.s : "", below.len);
	buf->failed = buf->failed || below.failed || divided.failed;
	sonde_buf_free(&divided);
	sonde_buf_free(&below);
	sonde_snapshot_free(group);
}

static void render(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	if (sonde_views[snapshot->view])
		sonde_views[snapshot->view]->text(snapshot, opts, buf);
	else if (opts->slow)
		sonde_slow_text(snapshot, opts, buf);
	else
		render_table(snapshot, opts, buf);
}

const struct sonde_out sonde_out_text = {
	.name = "text",
	.render = render,
	.slow = sonde_slow_line,
	.people = true,
};
