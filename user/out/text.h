/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * text.h - the parts of the report for people; only for out/ and top/.
 */
#ifndef SONDE_OUT_TEXT_H
#define SONDE_OUT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_buf;
struct sonde_hist;
struct sonde_out_opts;
struct sonde_query;
struct sonde_snapshot;

enum sonde_style {
	SONDE_STYLE_NONE,
	SONDE_STYLE_BOLD,
	SONDE_STYLE_DIM,
	SONDE_STYLE_BAD,
	SONDE_STYLE_WARN,
};

/** sonde_text_style - switch to @style, back with SONDE_STYLE_NONE; nothing without colour */
void sonde_text_style(struct sonde_buf *buf, const struct sonde_out_opts *opts, enum sonde_style style);

#define SONDE_MAX_SOURCES 99 /* told apart by number in the table */

/** struct sonde_source - who talks to whom: a process name, a server and a database */
struct sonde_source {
	const struct sonde_query *like; /* a row of it */
	u32 pid;
	u32 nr_pids;
};

struct sonde_sources {
	struct sonde_source source[SONDE_MAX_SOURCES];
	size_t nr;
	size_t left_out; /* rows whose source had no room */
};

/** sonde_text_sources - the sources of all rows of @snapshot, which is not grouped */
void sonde_text_sources(const struct sonde_snapshot *snapshot, struct sonde_sources *sources);

/** sonde_text_source_of - number of @query's source, from 1; 0 if it had no room */
size_t sonde_text_source_of(const struct sonde_sources *sources, const struct sonde_query *query);

/** sonde_text_source - "python3 (pid 12) -> PostgreSQL shop at 127.0.0.1:5432", as wide as the report */
void sonde_text_source(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_source *source,
		       size_t number);

/** sonde_text_more - "... and 12 more rows: --top 52" */
void sonde_text_more(struct sonde_buf *buf, size_t left_out, size_t all);

/**
 * sonde_text_wrap - @text, one line of foreign text, broken at blanks so that it fits; it ends with a line feed
 * @hang: blanks before all lines but the first
 * @most: lines; the last is cut (0: as many as it takes)
 */
void sonde_text_wrap(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *text, unsigned int hang,
		     unsigned int most);

/** sonde_text_bar - @cells characters: how the observations of @hist lie between buckets @low and @high */
void sonde_text_bar(struct sonde_buf *buf, bool utf8, const struct sonde_hist *hist, u32 low, u32 high,
		    unsigned int cells);

/** sonde_text_errors - which statements failed, and how */
void sonde_text_errors(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot);

/** sonde_text_coverage - what the table leaves out, loud if that is more than nothing */
void sonde_text_coverage(struct sonde_buf *buf, const struct sonde_out_opts *opts,
			 const struct sonde_snapshot *snapshot);

/** sonde_text_empty - what to check when there is no row */
void sonde_text_empty(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot);

/**
 * sonde_text_findings - the findings of @snapshot, a block each
 * @group: sonde_snapshot_group() of it
 * @max_lines: as many as there is room for (0: any number); the last says what was left out
 */
void sonde_text_findings(struct sonde_buf *buf, const struct sonde_out_opts *opts,
			 const struct sonde_snapshot *snapshot, const struct sonde_snapshot *group, size_t max_lines);

/** sonde_text_findings_head - first line of a report that has only findings; @snapshot's rows are grouped */
void sonde_text_findings_head(struct sonde_buf *buf, const struct sonde_out_opts *opts,
			      const struct sonde_snapshot *snapshot);

#endif /* SONDE_OUT_TEXT_H */
