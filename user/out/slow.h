/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow.h - the parts of the slow-query report; only for out/.
 */
#ifndef SONDE_OUT_SLOW_H
#define SONDE_OUT_SLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_buf;
struct sonde_class;
struct sonde_digest;
struct sonde_hist;
struct sonde_json;
struct sonde_out_opts;
struct sonde_query;
struct sonde_slow;
struct sonde_snapshot;

/** sonde_slow_text - the slow-query report: all statements, ranked by total time */
void sonde_slow_text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf);

/** sonde_slow_line - one slow execution on a line; @mono_to_unix_ns: see struct sonde_snapshot */
void sonde_slow_line(const struct sonde_slow *slow, u64 mono_to_unix_ns, const struct sonde_out_opts *opts,
		     struct sonde_buf *buf);

/** sonde_slow_class - all that is known of the statement that has rank @rank */
void sonde_slow_class(const struct sonde_snapshot *snapshot, const struct sonde_digest *digest,
		      const struct sonde_class *class, size_t rank, const struct sonde_out_opts *opts,
		      struct sonde_buf *buf);

/** sonde_slow_hist - draw @hist, a line for each step of its non-empty range, indented by four */
void sonde_slow_hist(const struct sonde_hist *hist, struct sonde_buf *buf);

/** sonde_slow_time - local time of @unix_ns: "2026-11-30 14:05:07.123", or without the date */
void sonde_slow_time(struct sonde_buf *buf, u64 unix_ns, bool date);

/** sonde_slow_wrap - foreign text as lines of the report's width, indented by @indent */
void sonde_slow_wrap(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *s, size_t len,
		     size_t indent);

/** sonde_slow_json - a slow execution as an object; @key NULL: in a list */
void sonde_slow_json(struct sonde_json *json, const char *key, const struct sonde_slow *slow, u64 mono_to_unix_ns);

/** sonde_slow_json_line - the same as a document of its own on one line */
void sonde_slow_json_line(const struct sonde_slow *slow, u64 mono_to_unix_ns, const struct sonde_out_opts *opts,
			  struct sonde_buf *buf);

/** sonde_slow_json_spread - mean, deviation and examples of a statement of the final document */
void sonde_slow_json_spread(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			    const struct sonde_query *query);

/** sonde_slow_json_list - threshold, number and list of slow executions */
void sonde_slow_json_list(struct sonde_json *json, const struct sonde_snapshot *snapshot);

#endif /* SONDE_OUT_SLOW_H */
