/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * json.h - the parts of the machine's report; only for out/json*.c.
 */
#ifndef SONDE_OUT_JSON_H
#define SONDE_OUT_JSON_H

#include "sonde/base.h"

struct sonde_finding;
struct sonde_hist;
struct sonde_json;
struct sonde_out_opts;
struct sonde_query;
struct sonde_snapshot;

/** sonde_json_callers - member "callers" of @query, if anything is known of who sends it */
void sonde_json_callers(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			const struct sonde_query *query);

/** sonde_json_finding_begin - the object of a finding, and its first members, which every kind has */
void sonde_json_finding_begin(struct sonde_json *json, const struct sonde_finding *finding);

/** sonde_json_finding_end - the last members of the object of a finding, which every kind has, and its end */
void sonde_json_finding_end(struct sonde_json *json, const struct sonde_finding *finding,
			    const struct sonde_snapshot *snapshot);

/** sonde_json_findings - member "findings" of the document */
void sonde_json_findings(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			 const struct sonde_out_opts *opts);

/** sonde_json_endpoint - the first members of the object of an endpoint; @text: "GET /orders", NULL: not known */
void sonde_json_endpoint(struct sonde_json *json, u64 id, u8 role, const char *text, u32 proto);

/** sonde_json_summary - percentiles of @hist under @key */
void sonde_json_summary(struct sonde_json *json, const char *key, const struct sonde_hist *hist);

/** sonde_json_histogram - its buckets, as OpenTelemetry's exponential histogram has them */
void sonde_json_histogram(struct sonde_json *json, const char *key, const struct sonde_hist *hist);

#endif /* SONDE_OUT_JSON_H */
