/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown.h - what the time of inbound requests went into: for people below the table of endpoints, in JSON under each.
 */
#ifndef SONDE_OUT_BREAKDOWN_H
#define SONDE_OUT_BREAKDOWN_H

struct sonde_buf;
struct sonde_json;
struct sonde_out_opts;
struct sonde_query;
struct sonde_snapshot;

/** sonde_breakdown_text - a table for each endpoint, greatest total time first; nothing unless the snapshot has any */
void sonde_breakdown_text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts,
			  struct sonde_buf *buf);

/** sonde_breakdown_json - member "breakdown" of @endpoint's object, if there is one */
void sonde_breakdown_json(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			  const struct sonde_query *endpoint);

#endif /* SONDE_OUT_BREAKDOWN_H */
