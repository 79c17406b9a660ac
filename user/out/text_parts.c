// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_parts.c - the report for people: everything around the table.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/snapshot.h"
#include "out/out.h"
#include "out/text.h"
#include "out/view.h"

#define MAX_ERROR_LINES 5

void sonde_text_style(struct sonde_buf *buf, const struct sonde_out_opts *opts, enum sonde_style style)
{
	static const char *const codes[] = {
		[SONDE_STYLE_NONE] = "\033[0m",	  [SONDE_STYLE_BOLD] = "\033[1m",  [SONDE_STYLE_DIM] = "\033[2m",
		[SONDE_STYLE_BAD] = "\033[1;31m", [SONDE_STYLE_WARN] = "\033[33m",
	};

	if (opts->color)
		sonde_buf_str(buf, codes[style]);
}

static bool same_source(const struct sonde_query *a, const struct sonde_query *b)
{
	return a->proto == b->proto && a->role == b->role && !strcmp(a->process, b->process) &&
	       !strcmp(a->server, b->server) && !strcmp(a->database, b->database);
}

size_t sonde_text_source_of(const struct sonde_sources *sources, const struct sonde_query *query)
{
	for (size_t i = 0; i < sources->nr; i++)
		if (same_source(sources->source[i].like, query))
			return i + 1;
	return 0;
}

/* Whether a row before @end of the same source has the same process. */
static bool pid_known(struct sonde_query *const *rows, size_t end)
{
	const struct sonde_query *query = rows[end];

	for (size_t i = 0; i < end; i++)
		if (rows[i]->pid == query->pid && same_source(rows[i], query))
			return true;
	return false;
}

void sonde_text_sources(const struct sonde_snapshot *snapshot, struct sonde_sources *sources)
{
	const struct sonde_query *query;
	struct sonde_source *source;
	struct sonde_query **rows;
	size_t number, nr;

	*sources = (struct sonde_sources){};
	rows = sonde_snapshot_rows(snapshot, &nr);
	for (size_t i = 0; i < nr; i++) {
		query = rows[i];
		number = sonde_text_source_of(sources, query);
		if (!number && sources->nr == SONDE_MAX_SOURCES) {
			sources->left_out++;
			continue;
		}
		if (!number) {
			sources->source[sources->nr] = (struct sonde_source){ .like = query, .pid = query->pid };
			number = ++sources->nr;
		}
		source = &sources->source[number - 1];
		if (!pid_known(rows, i))
			source->nr_pids++;
	}
}

void sonde_text_source(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_source *source,
		       size_t number)
{
	const struct sonde_query *like = source->like;
	struct sonde_buf line = {};

	if (number)
		sonde_buf_printf(&line, "%3zu  ", number);
	sonde_buf_str(&line, like->process[0] ? like->process : "?");
	if (source->nr_pids > 1)
		sonde_buf_printf(&line, " (%u processes)", source->nr_pids);
	else
		sonde_buf_printf(&line, " (pid %u)", source->pid);
	sonde_buf_printf(&line, " %s %s", like->role == SONDE_ROLE_SERVER ? "serves" : "->",
			 sonde_proto_name(like->proto));
	if (like->database[0])
		sonde_buf_printf(&line, " %s", like->database);
	if (like->server[0])
		sonde_buf_printf(&line, " at %s", like->server);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_free(&line);
}

void sonde_text_bar(struct sonde_buf *buf, bool utf8, const struct sonde_hist *hist, u32 low, u32 high,
		    unsigned int cells)
{
	static const char *const blocks[] = { " ",	"\u2581", "\u2582", "\u2583", "\u2584",
					      "\u2585", "\u2586", "\u2587", "\u2588" };
	static const char *const ascii[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
	u64 cell[64] = {}, most = 1;
	u32 span = high - low + 1;

	if (cells > 64)
		cells = 64;
	for (u32 i = low; i <= high && i < SONDE_HIST_BUCKETS; i++)
		cell[(u64)(i - low) * cells / span] += hist->bucket[i];
	for (unsigned int i = 0; i < cells; i++)
		if (cell[i] > most)
			most = cell[i];
	/* What is there at all shows, however rare: the slow one in a thousand is what one looks for. */
	for (unsigned int i = 0; i < cells; i++) {
		u64 level = cell[i] ? 1 + cell[i] * 7 / most : 0;

		sonde_buf_str(buf, (utf8 ? blocks : ascii)[level]);
	}
}

void sonde_text_errors(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	bool http = snapshot->view == SONDE_VIEW_HTTP;
	struct sonde_query **rows;
	unsigned int lines = 0;
	size_t nr;

	rows = sonde_snapshot_rows(snapshot, &nr);
	for (size_t i = 0; i < nr; i++) {
		const struct sonde_query *query = rows[i];
		struct sonde_buf line = {};
		char n[SONDE_STR_SHORT + 8];
		bool first = true;

		if (!query->errors)
			continue;
		if (++lines > MAX_ERROR_LINES) {
			sonde_buf_str(buf, "errors: ... and more\n");
			break;
		}
		sonde_buf_printf(&line, "errors: %s%s:", query->name,
				 !http				    ? ""
				 : query->role == SONDE_ROLE_SERVER ? " (in)"
								    : " (out)");
		for (u32 class = 0; class < SONDE_ERR_CLASSES; class ++) {
			if (!query->error_class[class])
				continue;
			sonde_buf_printf(&line, "%s %s %s", first ? "" : ",",
					 sonde_str_group(n, query->error_class[class]),
					 http ? sonde_http_class_name(class) : sonde_error_class_name(class));
			first = false;
		}
		if (query->sqlstate[0] && query->code)
			sonde_buf_printf(&line, " (last %s, %u)", query->sqlstate, query->code);
		else if (query->sqlstate[0])
			sonde_buf_printf(&line, " (last %s)", query->sqlstate);
		else if (http && query->code)
			sonde_buf_printf(&line, " (last %u)", query->code);
		sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
		sonde_buf_add(buf, "\n", 1);
		sonde_buf_free(&line);
	}
}

static void percent(struct sonde_buf *buf, u64 part, u64 whole)
{
	double share = whole ? 100.0 * (double)part / (double)whole : 0;

	sonde_buf_printf(buf, share >= 10 ? "%.0f%%" : share >= 0.1 ? "%.1f%%" : "less than 0.1%%", share);
}

static void counters(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot,
		     enum sonde_counter_kind kind, const char *prefix, enum sonde_style style)
{
	struct sonde_buf text = {}, wrapped = {};
	char n[SONDE_STR_SHORT + 8];
	size_t styled;

	for (u32 i = 0; i < SONDE_CNT_MAX && !wrapped.failed && !text.failed; i++) {
		if (sonde_counter_info[i].kind != kind || !snapshot->counter[i])
			continue;
		sonde_buf_cut(&text, 0);
		sonde_buf_cut(&wrapped, 0);
		sonde_buf_printf(&text, "%s%s", prefix, sonde_str_group(n, snapshot->counter[i]));
		styled = text.len;
		sonde_buf_printf(&text, "  %s (%s)", sonde_counter_info[i].text, sonde_counter_info[i].name);
		if (text.failed)
			break;
		sonde_text_wrap(&wrapped, opts, text.s, 4, 0);
		sonde_text_style(buf, opts, style);
		sonde_buf_add(buf, wrapped.s, styled);
		sonde_text_style(buf, opts, SONDE_STYLE_NONE);
		sonde_buf_str(buf, wrapped.s + styled);
	}
	buf->failed |= text.failed || wrapped.failed;
	sonde_buf_free(&text);
	sonde_buf_free(&wrapped);
}

void sonde_text_coverage(struct sonde_buf *buf, const struct sonde_out_opts *opts,
			 const struct sonde_snapshot *snapshot)
{
	const char *what = sonde_views[snapshot->view]	       ? sonde_views[snapshot->view]->what
			   : snapshot->view == SONDE_VIEW_HTTP ? "requests"
							       : "statements";
	struct sonde_coverage cov;
	char seen[SONDE_STR_SHORT + 8], n[SONDE_STR_SHORT + 8];

	sonde_snapshot_coverage(snapshot, &cov);
	sonde_str_group(seen, cov.seen);
	sonde_buf_printf(buf, "coverage: %s %s seen", seen, what);
	if (cov.seen)
		sonde_buf_printf(buf, ", %s in the table",
				 cov.attributed == cov.seen ? "all" : sonde_str_group(n, cov.attributed));
	if (cov.outstanding)
		sonde_buf_printf(buf, ", %s not completed", sonde_str_group(n, cov.outstanding));
	if (cov.seen && !cov.lost)
		sonde_buf_str(buf, ", none lost");
	sonde_buf_add(buf, "\n", 1);
	if (cov.lost) {
		sonde_text_style(buf, opts, SONDE_STYLE_BAD);
		sonde_buf_printf(buf, "LOST: %s %s (", sonde_str_group(n, cov.lost), what);
		percent(buf, cov.lost, cov.seen);
		sonde_buf_str(buf, ") are missing from the numbers above:");
		sonde_text_style(buf, opts, SONDE_STYLE_NONE);
		sonde_buf_add(buf, "\n", 1);
		counters(buf, opts, snapshot, SONDE_COUNTER_LOST, "  ", SONDE_STYLE_BAD);
	}
	counters(buf, opts, snapshot, SONDE_COUNTER_DOUBT, "note: ", SONDE_STYLE_WARN);
}
