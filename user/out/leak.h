/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * leak.h - writers of verdicts on call sites, of findings that are leaks, and of what has changed since another run.
 */
#ifndef SONDE_OUT_LEAK_H
#define SONDE_OUT_LEAK_H

struct sonde_alloc_diff;
struct sonde_alloc_row;
struct sonde_buf;
struct sonde_finding;
struct sonde_json;
struct sonde_out_opts;
struct sonde_snapshot;

/** sonde_leak_text - how many call sites do what, and a block for each leak; on a terminal with little room a line */
void sonde_leak_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot);

/** sonde_leak_lines - how many lines sonde_leak_text() takes where there is little room */
unsigned int sonde_leak_lines(const struct sonde_snapshot *snapshot);

/** sonde_leak_json_row - verdict and slope of a call site, members of its object */
void sonde_leak_json_row(struct sonde_json *json, const struct sonde_alloc_row *row);

/** sonde_leak_json_finding - the finding, an object */
void sonde_leak_json_finding(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			     const struct sonde_finding *finding);

/** sonde_alloc_diff_text - what has changed since another run; @top: rows at most (0: all) */
void sonde_alloc_diff_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_alloc_diff *diff);

/** sonde_alloc_diff_json - key "changes" of a document */
void sonde_alloc_diff_json(struct sonde_json *json, const struct sonde_alloc_diff *diff);

#endif /* SONDE_OUT_LEAK_H */
