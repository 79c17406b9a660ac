// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_findings.c - the report for people: what to do something about, a block each.
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

#define INDENT 11 /* columns before a statement: "     50 x  " */
#define GAP 3 /* between the parts of a title */
#define MAX_BLOCK 8 /* findings of one block */
#define MAX_FRAMES 4
#define MAX_WRAPPED 4 /* lines of a suggestion */

/* Findings that are shown together. */
struct block {
	const struct sonde_finding *of[MAX_BLOCK];
	size_t nr;
};

struct list {
	const struct sonde_snapshot *snapshot; /* with findings */
	const struct sonde_snapshot *group; /* its rows, processes of one name in one */
	const struct sonde_out_opts *opts;
	bool processes; /* more than one name: say which */
};

/* A line made of parts that are kept whole: what does not fit goes to the next line. */
struct parts {
	struct sonde_buf *buf;
	unsigned int width;
	unsigned int column;
};

static void part(struct parts *parts, const char *text, size_t len)
{
	unsigned int columns = sonde_utf8_columns(text, len);

	if (parts->column + GAP + columns > parts->width && parts->column > INDENT) {
		sonde_buf_add(parts->buf, "\n", 1);
		sonde_buf_fill(parts->buf, ' ', INDENT);
		parts->column = INDENT;
	} else if (parts->column) {
		sonde_buf_fill(parts->buf, ' ', GAP);
		parts->column += GAP;
	}
	parts->column +=
		sonde_utf8_fit(parts->buf, text, len, parts->width > parts->column ? parts->width - parts->column : 1);
}

static const char *scopes_word(u8 scope, bool one)
{
	switch (scope) {
	case SONDE_SCOPE_COMMENT:
		return one ? "commented request" : "commented requests";
	case SONDE_SCOPE_REQUEST:
	case SONDE_SCOPE_PROCESS:
		return one ? "request" : "requests";
	case SONDE_SCOPE_TRANSACTION:
		return one ? "transaction" : "transactions";
	case SONDE_SCOPE_ASYNC:
		return one ? "async request" : "async requests";
	case SONDE_SCOPE_BURST:
		return one ? "burst" : "bursts";
	}
	return one ? "call" : "calls";
}

static void plus(struct sonde_buf *out, bool *more, u64 n)
{
	sonde_buf_printf(out, "%s%llu", *more ? " + " : "", (unsigned long long)n);
	*more = true;
}

/* "51 queries each (1 + 50)"; of one statement alone "12 queries each (5 to 80)". */
static void queries_each(struct sonde_buf *out, const struct block *block)
{
	const struct sonde_finding *first = block->of[0];
	u64 parent = first->parent_id ? (u64)(first->parent_calls + 0.5) : 0, sum = parent;
	bool alone = !parent && block->nr == 1 && !first->with, more = false;

	for (size_t i = 0; i < block->nr; i++)
		sum += (u64)block->of[i]->calls_median * (block->of[i]->with ? 2 : 1);
	sonde_buf_printf(out, "%s%llu %s each", first->scope == SONDE_SCOPE_PROCESS ? "about " : "",
			 (unsigned long long)sum,
			 alone && first->kind == SONDE_FINDING_WRITE_LOOP ? "writes" : "queries");
	if (alone) {
		if (first->calls_min < first->calls_max)
			sonde_buf_printf(out, " (%u to %u)", first->calls_min, first->calls_max);
		return;
	}
	sonde_buf_str(out, " (");
	if (parent)
		plus(out, &more, parent);
	for (size_t i = 0; i < block->nr; i++) {
		if (block->of[i]->with)
			plus(out, &more, block->of[i]->calls_median);
		plus(out, &more, block->of[i]->calls_median);
	}
	sonde_buf_str(out, ")");
}

static void percent(struct sonde_buf *out, double share)
{
	sonde_buf_printf(out,
			 share >= 0.1 || share <= 0 ? "%.0f%%"
			 : share >= 0.001	    ? "%.1f%%"
						    : "less than 0.1%%",
			 100 * share);
}

static void repeat_title(struct parts *parts, const struct block *block)
{
	const struct sonde_finding *first = block->of[0];
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];
	struct sonde_buf text = {};
	u64 waste = 0;

	sonde_buf_printf(&text, "%s %s", sonde_str_group(n, first->scopes),
			 scopes_word(first->scope, first->scopes == 1));
	if (first->requests > first->scopes)
		sonde_buf_printf(&text, " of %s", sonde_str_group(n, first->requests));
	part(parts, text.s ? text.s : "", text.len);
	sonde_buf_cut(&text, 0);
	queries_each(&text, block);
	part(parts, text.s ? text.s : "", text.len);
	sonde_buf_cut(&text, 0);
	for (size_t i = 0; i < block->nr; i++)
		waste += block->of[i]->waste_ns;
	sonde_buf_printf(&text, "waste %s", sonde_str_ns(t, waste));
	if (first->scope_ns) {
		double share = (double)waste / (double)first->scope_ns;

		sonde_buf_printf(&text, " of %s (", sonde_str_ns(t, first->scope_ns));
		percent(&text, share > 1 ? 1 : share);
		sonde_buf_str(&text, ")");
	}
	part(parts, text.s ? text.s : "", text.len);
	sonde_buf_free(&text);
}

/* Slow and large: executions by themselves. */
static void single_title(struct parts *parts, const struct sonde_finding *finding)
{
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];
	struct sonde_buf text = {};

	sonde_buf_printf(&text, "%s %s", sonde_str_group(n, finding->calls), finding->calls == 1 ? "call" : "calls");
	part(parts, text.s ? text.s : "", text.len);
	sonde_buf_cut(&text, 0);
	sonde_buf_printf(&text, "total %s", sonde_str_ns(t, finding->waste_ns));
	part(parts, text.s ? text.s : "", text.len);
	sonde_buf_cut(&text, 0);
	if (finding->kind == SONDE_FINDING_LARGE_RESULT) {
		sonde_buf_printf(&text, "up to %s rows", sonde_str_group(n, finding->max_rows));
		part(parts, text.s ? text.s : "", text.len);
		sonde_buf_cut(&text, 0);
		if (finding->max_bytes) {
			sonde_buf_printf(&text, "%.1f MB", (double)finding->max_bytes / 1e6);
			part(parts, text.s ? text.s : "", text.len);
		}
	} else {
		sonde_buf_printf(&text, "worst %s", sonde_str_ns(t, finding->max_ns));
		part(parts, text.s ? text.s : "", text.len);
	}
	sonde_buf_free(&text);
}

static void title(struct sonde_buf *buf, const struct list *list, const struct block *block)
{
	const struct sonde_finding *first = block->of[0];
	bool single = first->kind == SONDE_FINDING_SLOW_QUERY || first->kind == SONDE_FINDING_LARGE_RESULT;
	struct parts parts = { .buf = buf, .width = list->opts->width };
	const char *kind = sonde_finding_kind_title(first->kind);
	enum sonde_confidence confidence = first->confidence;
	struct sonde_buf text = {};

	sonde_text_style(buf, list->opts, single ? SONDE_STYLE_WARN : SONDE_STYLE_BAD);
	sonde_buf_str(buf, kind);
	sonde_text_style(buf, list->opts, SONDE_STYLE_BOLD);
	parts.column = (unsigned int)strlen(kind);
	sonde_buf_str(&text, first->scope_name[0] ? first->scope_name : "?");
	if (list->processes && strcmp(first->scope_name, first->process))
		sonde_buf_printf(&text, " (%s)", first->process[0] ? first->process : "?");
	sonde_buf_str(buf, "  ");
	parts.column += 2 + sonde_utf8_fit(buf, text.s ? text.s : "", text.len,
					   parts.width > parts.column + 2 ? parts.width - parts.column - 2 : 1);
	sonde_text_style(buf, list->opts, SONDE_STYLE_NONE);
	if (single)
		single_title(&parts, first);
	else
		repeat_title(&parts, block);
	sonde_buf_cut(&text, 0);
	for (size_t i = 1; i < block->nr; i++)
		if (block->of[i]->confidence < confidence)
			confidence = block->of[i]->confidence;
	if (!single) {
		sonde_buf_printf(&text, "confidence %s", sonde_confidence_name(confidence));
		if (first->scope == SONDE_SCOPE_PROCESS)
			sonde_buf_str(&text, " (statistics)");
		part(&parts, text.s ? text.s : "", text.len);
	}
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_free(&text);
}

/* "    50 x  select ...     p50 710us", as wide as the report. */
static void statement(struct sonde_buf *buf, const struct list *list, u64 times, const char *text, const char *note)
{
	unsigned int width = list->opts->width, columns = (unsigned int)strlen(note), room, used;
	char n[SONDE_STR_SHORT];

	room = width > INDENT + columns + 2 + 8 ? width - INDENT - (columns ? columns + 2 : 0) : 8;
	sonde_buf_printf(buf, "%7s x  ", sonde_str_count(n, times));
	used = INDENT + sonde_utf8_fit(buf, text, strlen(text), room);
	if (columns && used + 2 + columns <= width) {
		/* At one column for all statements of a wide report, behind the text in a narrow one. */
		unsigned int at = width > 100 ? 88 : used + 2;

		sonde_buf_fill(buf, ' ', at > used + 2 && at + columns <= width ? at - used : 2);
		sonde_text_style(buf, list->opts, SONDE_STYLE_DIM);
		sonde_buf_str(buf, note);
		sonde_text_style(buf, list->opts, SONDE_STYLE_NONE);
	}
	sonde_buf_add(buf, "\n", 1);
}

/* "p50 710us": of all calls of the statement by the program, or the mean of the repeats. */
static void typical(const struct list *list, u64 id, const struct sonde_finding *finding, u64 each_ns, char *out,
		    size_t size)
{
	char t[SONDE_STR_SHORT];

	out[0] = '\0';
	for (size_t i = 0; i < list->group->nr_queries; i++) {
		const struct sonde_query *query = list->group->queries[i];

		if (query->id != id || strcmp(query->process, finding->process) || query->role != SONDE_ROLE_CLIENT)
			continue;
		snprintf(out, size, "p50 %s", sonde_str_ns(t, sonde_hist_quantile(&query->done, 0.5)));
		return;
	}
	if (each_ns)
		snprintf(out, size, "mean %s", sonde_str_ns(t, each_ns));
}

static void statements(struct sonde_buf *buf, const struct list *list, const struct block *block)
{
	const struct sonde_finding *first = block->of[0];
	bool single = first->kind == SONDE_FINDING_SLOW_QUERY || first->kind == SONDE_FINDING_LARGE_RESULT;
	char note[48], n[SONDE_STR_SHORT];

	if (first->parent_id && !single) {
		snprintf(note, sizeof(note), "%s rows", sonde_str_rate(n, first->parent_rows));
		if (first->parent_rows >= 10 || first->parent_rows == (double)(u64)first->parent_rows)
			snprintf(note, sizeof(note), "%s rows", sonde_str_count(n, (u64)(first->parent_rows + 0.5)));
		statement(buf, list, (u64)(first->parent_calls + 0.5),
			  first->parent ? first->parent : "(its text was not seen)", note);
	}
	for (size_t i = 0; i < block->nr; i++) {
		const struct sonde_finding *finding = block->of[i];

		if (finding->with) {
			typical(list, finding->with_id, finding, 0, note, sizeof(note));
			statement(buf, list, finding->calls_median, finding->with, note);
		}
		typical(list, finding->query_id, finding, finding->each_ns, note, sizeof(note));
		statement(buf, list, single ? finding->calls : finding->calls_median,
			  finding->query[0] ? finding->query : "(its text was not seen)", note);
	}
}

/* Words of @text in lines, @label before the first; no more than MAX_WRAPPED lines. */
static void wrapped(struct sonde_buf *buf, const struct list *list, const char *label, const char *text)
{
	unsigned int width = list->opts->width, column = INDENT, lines = 1;
	bool first = true;

	sonde_buf_fill(buf, ' ', 5);
	sonde_text_style(buf, list->opts, SONDE_STYLE_BOLD);
	sonde_buf_printf(buf, "%-*s", INDENT - 5, label);
	sonde_text_style(buf, list->opts, SONDE_STYLE_NONE);
	while (*text) {
		size_t len = strcspn(text, " ");
		unsigned int columns = sonde_utf8_columns(text, len);

		if (!first && column + 1 + columns > (lines == MAX_WRAPPED ? width - 4 : width)) {
			if (lines == MAX_WRAPPED) {
				sonde_buf_str(buf, " ...");
				break;
			}
			sonde_buf_add(buf, "\n", 1);
			sonde_buf_fill(buf, ' ', INDENT);
			column = INDENT;
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

static void site(struct sonde_buf *buf, const struct list *list, const struct sonde_finding *finding)
{
	struct sonde_buf text = {};

	if (!finding->nr_site)
		return;
	for (size_t i = 0; i < finding->nr_site && i < MAX_FRAMES; i++)
		sonde_buf_printf(&text, "%s%s", i ? " <- " : "", finding->site[i]);
	wrapped(buf, list, "at", text.s ? text.s : "");
	sonde_buf_free(&text);
}

static void show(struct sonde_buf *buf, const struct list *list, const struct block *block)
{
	title(buf, list, block);
	statements(buf, list, block);
	for (size_t i = 0; i < block->nr; i++) {
		const struct sonde_finding *finding = block->of[i], *before = i ? block->of[i - 1] : NULL;

		if (!before || before->nr_site != finding->nr_site ||
		    (finding->nr_site && before->site[0] != finding->site[0]))
			site(buf, list, finding);
	}
	for (size_t i = 0; i < block->nr; i++)
		if (!i || strcmp(block->of[i]->suggestion, block->of[i - 1]->suggestion))
			wrapped(buf, list, "do", block->of[i]->suggestion);
	if (block->of[0]->lost_scopes) {
		struct sonde_buf text = {};
		char n[SONDE_STR_SHORT + 8];

		sonde_buf_printf(&text, "in %s of them something was lost: there may be more",
				 sonde_str_group(n, block->of[0]->lost_scopes));
		wrapped(buf, list, "note", text.s ? text.s : "");
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
static size_t collect(const struct sonde_snapshot *snapshot, size_t at, struct block *block)
{
	size_t end = at;

	block->nr = 0;
	while (end < snapshot->nr_findings && block->nr < MAX_BLOCK &&
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
	struct list list = { .snapshot = snapshot, .group = group, .opts = opts };
	size_t from = buf->len, shown = 0, before;
	struct block block;

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
	sonde_buf_printf(&line, " of %zu statements in %s", snapshot->nr_queries,
			 sonde_str_ns(t, snapshot->duration_ns));
	if (snapshot->capture[0])
		sonde_buf_printf(&line, " [%s]", snapshot->capture);
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_free(&line);
}
