// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_finding_title.c - the report for people: the first line of a finding, what it is and what it costs.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/finding.h"
#include "out/out.h"
#include "out/text.h"
#include "out/text_findings.h"

#define GAP 3 /* between the parts of a title */

/* A line made of parts that are kept whole: what does not fit goes to the next line. */
struct parts {
	struct sonde_buf *buf;
	unsigned int width;
	unsigned int column;
};

static void part(struct parts *parts, const char *text, size_t len)
{
	unsigned int columns = sonde_utf8_columns(text, len);

	if (parts->column + GAP + columns > parts->width && parts->column > SONDE_TEXT_INDENT) {
		sonde_buf_add(parts->buf, "\n", 1);
		sonde_buf_fill(parts->buf, ' ', SONDE_TEXT_INDENT);
		parts->column = SONDE_TEXT_INDENT;
	} else if (parts->column) {
		sonde_buf_fill(parts->buf, ' ', GAP);
		parts->column += GAP;
	}
	parts->column +=
		sonde_utf8_fit(parts->buf, text, len, parts->width > parts->column ? parts->width - parts->column : 1);
}

const char *sonde_text_scopes(u8 scope, bool one)
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
static void queries_each(struct sonde_buf *out, const struct sonde_text_block *block)
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

static void repeat_title(struct parts *parts, const struct sonde_text_block *block)
{
	const struct sonde_finding *first = block->of[0];
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];
	struct sonde_buf text = {};
	u64 waste = 0;

	sonde_buf_str(&text, sonde_str_group(n, first->scopes));
	if (first->requests > first->scopes)
		sonde_buf_printf(&text, " of %s", sonde_str_group(n, first->requests));
	sonde_buf_printf(&text, " %s", sonde_text_scopes(first->scope, first->scopes == 1 && first->requests <= 1));
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

void sonde_text_finding_title(struct sonde_buf *buf, const struct sonde_out_opts *opts,
			      const struct sonde_text_block *block, bool processes)
{
	const struct sonde_finding *first = block->of[0];
	bool single = sonde_finding_single(first->kind);
	struct parts parts = { .buf = buf, .width = opts->width };
	const char *kind = sonde_finding_kind_title(first->kind);
	enum sonde_confidence confidence = first->confidence;
	struct sonde_buf text = {};

	sonde_text_style(buf, opts, single ? SONDE_STYLE_WARN : SONDE_STYLE_BAD);
	sonde_buf_str(buf, kind);
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	parts.column = (unsigned int)strlen(kind);
	sonde_buf_str(&text, first->scope_name[0] ? first->scope_name : "?");
	if (processes && strcmp(first->scope_name, first->process))
		sonde_buf_printf(&text, " (%s)", first->process[0] ? first->process : "?");
	sonde_buf_str(buf, "  ");
	parts.column += 2 + sonde_utf8_fit(buf, text.s ? text.s : "", text.len,
					   parts.width > parts.column + 2 ? parts.width - parts.column - 2 : 1);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
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
