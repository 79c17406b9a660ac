// SPDX-License-Identifier: GPL-2.0-only
/*
 * leak_text.c - leaks for people: what grows, how fast, where, since when, and what to do.
 *
 *	LEAK  worker[1234]   +687MiB/h (450MiB to 924MiB)   confidence medium
 *	     at    keep_row rows.c:42 <- handle worker.c:88 <- main worker.c:120
 *	     kept  11.4MiB of 11.4MiB allocated there (100%), evenly over 54.8s; 22 survivors seen
 *	     old   the first survivor has 1.00KiB and is 58.9s old; of those older than 16.8s, 8.10MiB, none was freed
 *	     do    free what keep_row allocates ...
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/alloc.h"
#include "model/finding.h"
#include "model/leak_find.h"
#include "model/snapshot.h"
#include "out/leak.h"
#include "out/out.h"
#include "out/text.h"
#include "out/text_findings.h"

#define MOST_LINES 3u /* leaks where there is little room */
#define MAX_FRAMES 4

/* "687MiB/h"; what shrinks has a minus. */
static const char *slope(char out[SONDE_STR_SHORT + 8], double bytes)
{
	char t[SONDE_STR_SHORT];

	snprintf(out, SONDE_STR_SHORT + 8, "%s%s", bytes < 0 ? "-" : "",
		 sonde_str_bytes(t, (u64)((bytes < 0 ? -bytes : bytes) + 0.5)));
	return out;
}

static void title(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_finding *finding, bool place)
{
	const struct sonde_leak *leak = &finding->leak->leak;
	char a[SONDE_STR_SHORT + 8], b[SONDE_STR_SHORT + 8], c[SONDE_STR_SHORT + 8];
	struct sonde_buf text = {};

	sonde_buf_printf(&text, "%s[%u]", finding->process[0] ? finding->process : "?", finding->pid);
	if (place)
		sonde_buf_printf(&text, "  %s", finding->query);
	sonde_buf_printf(&text, "   +%s/h (%s to %s)", slope(a, leak->slope), slope(b, leak->slope_low),
			 slope(c, leak->slope_high));
	if (!place)
		sonde_buf_printf(&text, "   confidence %s", sonde_confidence_name(finding->confidence));
	sonde_text_style(buf, opts, SONDE_STYLE_BAD);
	sonde_buf_str(buf, sonde_finding_kind_title(finding->kind));
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_buf_str(buf, "  ");
	sonde_utf8_fit(buf, text.s ? text.s : "", text.len, opts->width > 14 ? opts->width - 6 : 8);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	buf->failed |= text.failed;
	sonde_buf_free(&text);
}

/* A line of a block, made with printf. */
static void part(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *label, struct sonde_buf *text)
{
	sonde_text_wrapped(buf, opts, label, text->s ? text->s : "");
	buf->failed |= text->failed;
	sonde_buf_cut(text, 0);
}

static void block(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_finding *finding)
{
	const struct sonde_leak_found *found = finding->leak;
	const struct sonde_leak *leak = &found->leak;
	char a[SONDE_STR_SHORT], b[SONDE_STR_SHORT], c[SONDE_STR_SHORT], d[SONDE_STR_SHORT + 8];
	struct sonde_buf text = {};

	title(buf, opts, finding, false);
	for (size_t i = 0; i < finding->nr_site && i < MAX_FRAMES; i++)
		sonde_buf_printf(&text, "%s%s", i ? " <- " : "", finding->site[i]);
	if (found->nr_paths > 1)
		sonde_buf_printf(&text, " (and %u other way%s)", found->nr_paths - 1, found->nr_paths > 2 ? "s" : "");
	part(buf, opts, "at", &text);
	sonde_buf_printf(&text, "%s of %s allocated there (%.3g%%), evenly over %s; %s survivors seen",
			 sonde_str_bytes(a, leak->live_bytes), sonde_str_bytes(b, found->stat.alloc_bytes),
			 found->stat.alloc_bytes ? 100.0 * (double)leak->live_bytes / (double)found->stat.alloc_bytes : 0,
			 sonde_str_ns(c, leak->span_ns), sonde_str_group(d, leak->samples));
	part(buf, opts, "kept", &text);
	sonde_buf_printf(&text, "the first survivor has %s and is %s old;", sonde_str_bytes(a, leak->oldest_size),
			 sonde_str_ns(b, leak->oldest_ns));
	sonde_buf_printf(&text, " of those older than %s, %s, ", sonde_str_ns(a, leak->old_ns),
			 sonde_str_bytes(b, leak->old_bytes));
	if (leak->freed_old > 0)
		sonde_buf_printf(&text, "%.2g%% were freed", 100 * leak->freed_old);
	else
		sonde_buf_str(&text, "none was freed");
	part(buf, opts, "old", &text);
	sonde_buf_str(&text, finding->suggestion);
	part(buf, opts, "do", &text);
	sonde_buf_free(&text);
}

/* Leaks come first among the findings. */
static size_t nr_leaks(const struct sonde_snapshot *snapshot)
{
	size_t nr = 0;

	while (nr < snapshot->nr_findings && snapshot->findings[nr]->leak)
		nr++;
	return nr;
}

/* "leaks: 1; growing: 2; ... (12 readings 5.00s apart)" */
static void summary(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	const struct sonde_alloc *alloc = snapshot->alloc;
	u64 nr[SONDE_VERDICTS] = {};
	struct sonde_buf line = {};
	char t[SONDE_STR_SHORT];

	for (size_t i = 0; i < alloc->nr; i++)
		nr[alloc->row[i].leak.verdict]++;
	if (alloc->nr_windows < SONDE_LEAK_WINDOWS) {
		sonde_buf_printf(&line, "leaks: not judged yet, that takes %u readings %s apart", SONDE_LEAK_WINDOWS,
				 sonde_str_ns(t, alloc->window_ns));
	} else {
		sonde_buf_printf(&line, "leaks: %zu", nr_leaks(snapshot));
		for (int v = SONDE_VERDICT_GROWING; v > SONDE_VERDICT_NONE; v--)
			if (nr[v])
				sonde_buf_printf(&line, ", %s: %llu", sonde_verdict_name((enum sonde_verdict)v),
						 (unsigned long long)nr[v]);
		if (nr[SONDE_VERDICT_NONE])
			sonde_buf_printf(&line, ", too few samples to tell: %llu", (unsigned long long)nr[SONDE_VERDICT_NONE]);
		sonde_buf_printf(&line, "; %llu readings %s apart", (unsigned long long)alloc->nr_windows,
				 sonde_str_ns(t, alloc->window_ns));
	}
	sonde_text_style(buf, opts, SONDE_STYLE_DIM);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	sonde_buf_free(&line);
}

unsigned int sonde_leak_lines(const struct sonde_snapshot *snapshot)
{
	size_t nr = nr_leaks(snapshot);

	return 2 + (nr < MOST_LINES ? (unsigned int)nr : MOST_LINES);
}

void sonde_leak_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	size_t most = nr_leaks(snapshot);

	if (!snapshot->alloc->window_ns)
		return;
	sonde_buf_str(buf, "\n");
	summary(buf, opts, snapshot);
	if (opts->top && most > opts->top)
		most = opts->top;
	if (opts->height && most > MOST_LINES)
		most = MOST_LINES;
	for (size_t i = 0; i < most; i++) {
		if (opts->height) {
			title(buf, opts, snapshot->findings[i], true);
			continue;
		}
		sonde_buf_str(buf, "\n");
		block(buf, opts, snapshot->findings[i]);
	}
}
