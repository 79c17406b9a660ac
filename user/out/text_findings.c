// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_findings.c - the report for people: what to do something about, a block each. Several statements that are repeated for
 * the same rows share a block; below each stands where it comes from and what would do instead.
 *
 *	N+1  GET /orders   200 requests   51 queries each (1 + 50)   waste 38.2ms of 41.0ms (93%)   confidence high
 *	      1 x  select id, total, customer_id from orders order by id desc limit ?     50 rows
 *	     50 x  select name from customers where id = ?                               p50 710us
 *	      at   list_orders shop.c:142 <- handle http.c:88
 *	      do   one query: select id, name from customers where id in (...), or join: ...
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/finding.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "out/out.h"
#include "out/text.h"
#include "out/text_findings.h"

#define NOTE_COLUMNS 12 /* behind a statement */
#define MAX_FRAMES 4
#define MAX_WRAPPED 4 /* lines of a suggestion */

struct list {
	const struct sonde_snapshot *group; /* its rows, processes of one name in one */
	const struct sonde_out_opts *opts;
	bool processes; /* more than one name: say which */
};

void sonde_text_wrapped(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *label, const char *text)
{
	unsigned int width = opts->width, column = SONDE_TEXT_INDENT, lines = 1;
	bool first = true;

	sonde_buf_fill(buf, ' ', 5);
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_buf_printf(buf, "%-*s", SONDE_TEXT_INDENT - 5, label);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	while (*text) {
		size_t len = strcspn(text, " ");
		unsigned int columns = sonde_utf8_columns(text, len);

		if (!first && column + 1 + columns > (lines == MAX_WRAPPED ? width - 4 : width)) {
			if (lines == MAX_WRAPPED) {
				sonde_buf_str(buf, " ...");
				break;
			}
			sonde_buf_add(buf, "\n", 1);
			sonde_buf_fill(buf, ' ', SONDE_TEXT_INDENT);
			column = SONDE_TEXT_INDENT;
			lines++;
		} else if (!first) {
			sonde_buf_add(buf, " ", 1);
			column++;
		}
		column += sonde_utf8_fit(buf, text, len, width > column ? width - column : 1);
		text += len;
		text += strspn(text, " ");
		first = false;
	}
	sonde_buf_add(buf, "\n", 1);
}

/* The application's own function, and as many of its callers as the line has room for. */
static void site(struct sonde_buf *buf, const struct list *list, const struct sonde_finding *finding)
{
	unsigned int width = list->opts->width, room = width > SONDE_TEXT_INDENT ? width - SONDE_TEXT_INDENT : 1;
	struct sonde_buf text = {};

	if (!finding->nr_site)
		return;
	for (size_t i = 0; i < finding->nr_site && i < MAX_FRAMES; i++) {
		size_t before = text.len;

		sonde_buf_printf(&text, "%s%s", i ? " <- " : "", finding->site[i]);
		if (i && !text.failed && sonde_utf8_columns(text.s, text.len) > room) {
			sonde_buf_cut(&text, before);
			break;
		}
	}
	sonde_text_wrapped(buf, list->opts, "at", text.s ? text.s : "");
	sonde_buf_free(&text);
}

/* One line of a block: "     50 x  select ...     p50 710us". */
struct line {
	u64 times;
	const char *text;
	char note[NOTE_COLUMNS + 1];
	const struct sonde_finding *of; /* the finding that is about it, or NULL */
};

/* As wide as the report; the notes stand behind the longest text. */
static void lines(struct sonde_buf *buf, const struct list *list, const struct line *line, size_t nr)
{
	unsigned int width = list->opts->width, room, longest = 0, columns;
	char n[SONDE_STR_SHORT];

	room = width > SONDE_TEXT_INDENT + NOTE_COLUMNS + 2 + 8 ? width - SONDE_TEXT_INDENT - NOTE_COLUMNS - 2 : 8;
	for (size_t i = 0; i < nr; i++) {
		columns = sonde_utf8_columns(line[i].text, strlen(line[i].text));
		longest = columns > longest ? columns : longest;
	}
	longest = longest > room ? room : longest;
	for (size_t i = 0; i < nr; i++) {
		sonde_buf_printf(buf, "%7s x  ", sonde_str_count(n, line[i].times));
		columns = sonde_utf8_fit(buf, line[i].text, strlen(line[i].text), longest);
		if (line[i].note[0]) {
			sonde_buf_fill(buf, ' ', longest - columns + 2);
			sonde_text_style(buf, list->opts, SONDE_STYLE_DIM);
			sonde_buf_str(buf, line[i].note);
			sonde_text_style(buf, list->opts, SONDE_STYLE_NONE);
		}
		sonde_buf_add(buf, "\n", 1);
		if (line[i].of) {
			site(buf, list, line[i].of);
			sonde_text_wrapped(buf, list->opts, "do", line[i].of->suggestion);
		}
	}
}

/* "p50 710us": of all calls of the statement by the program, or the mean of the repeats. */
static void typical(struct line *line, const struct list *list, u64 id, const struct sonde_finding *finding,
		    u64 each_ns)
{
	char t[SONDE_STR_SHORT];

	for (size_t i = 0; i < list->group->nr_queries; i++) {
		const struct sonde_query *query = list->group->queries[i];

		if (query->id != id || strcmp(query->process, finding->process) || query->role != SONDE_ROLE_CLIENT)
			continue;
		snprintf(line->note, sizeof(line->note), "p50 %s",
			 sonde_str_ns(t, sonde_hist_quantile(&query->done, 0.5)));
		return;
	}
	if (each_ns)
		snprintf(line->note, sizeof(line->note), "mean %s", sonde_str_ns(t, each_ns));
}

static void rows(struct line *line, double nr)
{
	char n[SONDE_STR_SHORT];

	if (nr >= 10 || nr == (double)(u64)nr)
		sonde_str_count(n, (u64)(nr + 0.5));
	else
		sonde_str_rate(n, nr);
	snprintf(line->note, sizeof(line->note), "%.7s rows", n);
}

static void statements(struct sonde_buf *buf, const struct list *list, const struct sonde_text_block *block)
{
	static const char unknown[] = "(its text was not seen)";
	const struct sonde_finding *first = block->of[0];
	struct line line[1 + 2 * SONDE_TEXT_BLOCK] = {};
	size_t nr = 0;

	if (first->parent_id && !sonde_finding_single(first->kind)) {
		line[nr].times = (u64)(first->parent_calls + 0.5);
		line[nr].text = first->parent ? first->parent : unknown;
		rows(&line[nr++], first->parent_rows);
	}
	for (size_t i = 0; i < block->nr; i++) {
		const struct sonde_finding *finding = block->of[i];

		if (finding->with) {
			line[nr].times = finding->calls_median;
			line[nr].text = finding->with;
			typical(&line[nr++], list, finding->with_id, finding, 0);
		}
		line[nr].times = sonde_finding_single(finding->kind) ? finding->calls : finding->calls_median;
		line[nr].text = finding->query[0] ? finding->query : unknown;
		line[nr].of = finding;
		typical(&line[nr++], list, finding->query_id, finding, finding->each_ns);
	}
	lines(buf, list, line, nr);
}

static void show(struct sonde_buf *buf, const struct list *list, const struct sonde_text_block *block)
{
	sonde_text_finding_title(buf, list->opts, block, list->processes);
	statements(buf, list, block);
	if (block->of[0]->lost_scopes) {
		struct sonde_buf text = {};
		char n[SONDE_STR_SHORT + 8];

		sonde_buf_printf(&text, "in %s of the %s something was lost: there may be more",
				 sonde_str_group(n, block->of[0]->lost_scopes),
				 sonde_text_scopes(block->of[0]->scope, false));
		sonde_text_wrapped(buf, list->opts, "note", text.s ? text.s : "");
		sonde_buf_free(&text);
	}
}

static size_t nr_lines(const struct sonde_buf *buf, size_t from)
{
	size_t lines = 0;

	for (size_t i = from; i < buf->len; i++)
		lines += buf->s[i] == '\n';
	return lines;
}

/* Findings @at and those of its block behind it; returns the next. */
static size_t collect(const struct sonde_snapshot *snapshot, size_t at, struct sonde_text_block *block)
{
	size_t end = at;

	block->nr = 0;
	while (end < snapshot->nr_findings && block->nr < SONDE_TEXT_BLOCK &&
	       snapshot->findings[end]->block == snapshot->findings[at]->block)
		block->of[block->nr++] = snapshot->findings[end++];
	return end;
}

static bool several_processes(const struct sonde_snapshot *snapshot)
{
	for (size_t i = 1; i < snapshot->nr_findings; i++)
		if (strcmp(snapshot->findings[i]->process, snapshot->findings[0]->process))
			return true;
	return false;
}

void sonde_text_findings(struct sonde_buf *buf, const struct sonde_out_opts *opts,
			 const struct sonde_snapshot *snapshot, const struct sonde_snapshot *group, size_t max_lines)
{
	struct list list = { .group = group, .opts = opts };
	size_t from = buf->len, shown = 0, before;
	struct sonde_text_block block;

	list.processes = several_processes(snapshot);
	while (shown < snapshot->nr_findings) {
		size_t next = collect(snapshot, shown, &block);

		before = buf->len;
		if ((opts->top && shown >= opts->top) || buf->failed)
			break;
		if (shown)
			sonde_buf_add(buf, "\n", 1);
		show(buf, &list, &block);
		if (max_lines && nr_lines(buf, from) + (next < snapshot->nr_findings ? 1 : 0) > max_lines) {
			sonde_buf_cut(buf, before);
			break;
		}
		shown = next;
	}
	if (shown < snapshot->nr_findings)
		sonde_buf_printf(buf, "%s%zu %sfinding%s left out%s\n", shown ? "... " : "",
				 snapshot->nr_findings - shown, shown ? "more " : "",
				 snapshot->nr_findings - shown == 1 ? "" : "s",
				 max_lines ? " (the final report has all)" : " (--top shows more)");
}

void sonde_text_findings_head(struct sonde_buf *buf, const struct sonde_out_opts *opts,
			      const struct sonde_snapshot *snapshot)
{
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];
	struct sonde_buf line = {};
	u64 calls = 0;

	for (size_t i = 0; i < snapshot->nr_queries; i++)
		calls += snapshot->queries[i]->count;
	sonde_buf_printf(&line, "sonde %s: ", opts->command);
	if (snapshot->nr_findings)
		sonde_buf_printf(&line, "%s finding%s", sonde_str_group(n, snapshot->nr_findings),
				 snapshot->nr_findings == 1 ? "" : "s");
	else
		sonde_buf_str(&line, "no finding");
	sonde_buf_printf(&line, " in %s calls", sonde_str_group(n, calls));
	sonde_buf_printf(&line, " of %zu statement%s in %s", snapshot->nr_queries, snapshot->nr_queries == 1 ? "" : "s",
			 sonde_str_ns(t, snapshot->duration_ns));
	if (snapshot->capture[0])
		sonde_buf_printf(&line, " [%s]", snapshot->capture);
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_free(&line);
}
