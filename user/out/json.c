// SPDX-License-Identifier: GPL-2.0-only
/*
 * json.c - the machine's report: one document on one line, schema "sonde/1". Keys are only ever added.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "out/breakdown.h"
#include "out/json.h"
#include "out/jsonw.h"
#include "out/out.h"
#include "out/slow.h"
#include "out/view.h"

void sonde_json_summary(struct sonde_json *json, const char *key, const struct sonde_hist *hist)
{
	struct sonde_hist_summary sum;

	sonde_hist_summarize(hist, &sum);
	sonde_json_open(json, key, '{');
	sonde_json_u64(json, "min", sum.min_ns);
	sonde_json_u64(json, "p50", sum.p50_ns);
	sonde_json_u64(json, "p90", sum.p90_ns);
	sonde_json_u64(json, "p95", sum.p95_ns);
	sonde_json_u64(json, "p99", sum.p99_ns);
	sonde_json_u64(json, "max", sum.max_ns);
	sonde_json_u64(json, "sum", sum.sum_ns);
	sonde_json_close(json, '}');
}

/*
 * The buckets as OpenTelemetry's exponential histogram has them: counts[i] holds the durations in
 * (2^((offset+i)/8), 2^((offset+i+1)/8)] seconds. What is shorter than the first bucket is zero_count there, too.
 */
void sonde_json_histogram(struct sonde_json *json, const char *key, const struct sonde_hist *hist)
{
	u32 first = 1, last = SONDE_HIST_BUCKETS - 2;

	while (first <= last && !hist->bucket[first])
		first++;
	while (last >= first && !hist->bucket[last])
		last--;
	sonde_json_open(json, key, '{');
	sonde_json_u64(json, "scale", SONDE_HIST_SCALE);
	if (hist->bucket[0])
		sonde_json_u64(json, "zero_count", hist->bucket[0]);
	if (hist->bucket[SONDE_HIST_BUCKETS - 1])
		sonde_json_u64(json, "over_count", hist->bucket[SONDE_HIST_BUCKETS - 1]);
	sonde_json_s64(json, "offset", first <= last ? SONDE_HIST_MIN_K + (s64)first - 1 : 0);
	sonde_json_open(json, "counts", '[');
	for (u32 i = first; i <= last; i++)
		sonde_json_u64(json, NULL, hist->bucket[i]);
	sonde_json_close(json, ']');
	sonde_json_close(json, '}');
}

static void errors(struct sonde_json *json, const struct sonde_query *query)
{
	if (!query->errors)
		return;
	sonde_json_open(json, "errors_by_class", '{');
	for (u32 i = 0; i < SONDE_ERR_CLASSES; i++)
		if (query->error_class[i])
			sonde_json_u64(json, sonde_error_class_name(i), query->error_class[i]);
	sonde_json_close(json, '}');
	if (query->sqlstate[0])
		sonde_json_cstr(json, "sqlstate", query->sqlstate);
	if (query->code)
		sonde_json_u64(json, "error_code", query->code);
}

static const char *role_name(u8 role)
{
	return role == SONDE_ROLE_CLIENT ? "client" : role == SONDE_ROLE_SERVER ? "server" : "";
}

/* Traffic, times and histograms: the end of every row. */
static void measured(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_query *query)
{
	sonde_json_u64(json, "sent_bytes", query->sent_bytes);
	sonde_json_u64(json, "recv_bytes", query->recv_bytes);
	sonde_json_u64(json, "first_seen_unix_ns", query->first_seen_ns + snapshot->mono_to_unix_ns);
	sonde_json_u64(json, "last_seen_unix_ns", query->last_seen_ns + snapshot->mono_to_unix_ns);
	sonde_json_summary(json, "latency_ns", &query->done);
	sonde_json_summary(json, "first_byte_ns", &query->first);
	sonde_json_histogram(json, "latency_histogram", &query->done);
}

static void one_query(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_query *query)
{
	char id[24];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)query->id);
	sonde_json_open(json, NULL, '{');
	sonde_json_cstr(json, "id", id);
	sonde_json_cstr(json, "db_system", sonde_proto_system(query->proto));
	if (query->text)
		sonde_json_str(json, "text", query->text, query->text_len);
	else
		sonde_json_cstr(json, "text", "");
	sonde_json_cstr(json, "name", query->name);
	if (query->named || !query->text)
		sonde_json_bool(json, "text_known", false);
	if (query->partial)
		sonde_json_bool(json, "partial", true);
	if (query->waits)
		sonde_json_bool(json, "blocking", true);
	sonde_json_cstr(json, "role", role_name(query->role));
	sonde_json_u64(json, "pid", query->pid);
	sonde_json_cstr(json, "process", query->process);
	if (query->server[0])
		sonde_json_cstr(json, "server", query->server);
	if (query->database[0])
		sonde_json_cstr(json, "database", query->database);
	if (query->user[0])
		sonde_json_cstr(json, "user", query->user);
	sonde_json_u64(json, "count", query->count);
	sonde_json_u64(json, "errors", query->errors);
	errors(json, query);
	sonde_json_u64(json, "rows", query->rows);
	sonde_json_callers(json, snapshot, query);
	measured(json, snapshot, query);
	if (snapshot->slow_ns)
		sonde_slow_json_spread(json, snapshot, query);
	sonde_json_close(json, '}');
}

void sonde_json_endpoint(struct sonde_json *json, u64 id, u8 role, const char *text, u32 proto)
{
	const char *words = text ? text : "", *path = strchr(words, ' ');
	char digits[24];

	snprintf(digits, sizeof(digits), "%016llx", (unsigned long long)id);
	sonde_json_cstr(json, "id", digits);
	sonde_json_cstr(json, "role", role_name(role));
	sonde_json_str(json, "method", words, path ? (size_t)(path - words) : strlen(words));
	sonde_json_cstr(json, "path", path ? path + 1 : ""); /* CONNECT has none */
	sonde_json_cstr(json, "protocol", sonde_proto_system(proto));
	if (!text)
		sonde_json_bool(json, "text_known", false);
}

static void one_endpoint(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			 const struct sonde_query *query)
{
	double seconds = (double)snapshot->duration_ns / 1e9;

	sonde_json_open(json, NULL, '{');
	sonde_json_endpoint(json, query->id, query->role, query->text, query->proto);
	if (query->partial)
		sonde_json_bool(json, "partial", true);
	sonde_json_u64(json, "pid", query->pid);
	sonde_json_cstr(json, "process", query->process);
	if (query->server[0])
		sonde_json_cstr(json, "server", query->server);
	sonde_json_u64(json, "count", query->count);
	sonde_json_double(json, "rate", seconds > 0 ? (double)query->count / seconds : 0);
	sonde_json_u64(json, "errors_4xx", query->error_class[SONDE_HTTP_4XX]);
	sonde_json_u64(json, "errors_5xx", query->error_class[SONDE_HTTP_5XX]);
	if (query->code)
		sonde_json_u64(json, "last_error_status", query->code);
	measured(json, snapshot, query);
	sonde_breakdown_json(json, snapshot, query);
	sonde_json_close(json, '}');
}

static void by_kind(struct sonde_json *json, const struct sonde_snapshot *snapshot, const char *key,
		    enum sonde_counter_kind kind)
{
	sonde_json_open(json, key, '{');
	for (u32 i = 0; i < SONDE_CNT_MAX; i++)
		if (sonde_counter_info[i].kind == kind && snapshot->counter[i])
			sonde_json_u64(json, sonde_counter_info[i].name, snapshot->counter[i]);
	sonde_json_close(json, '}');
}

static void coverage(struct sonde_json *json, const struct sonde_snapshot *snapshot)
{
	struct sonde_coverage cov;

	sonde_snapshot_coverage(snapshot, &cov);
	sonde_json_open(json, "coverage", '{');
	sonde_json_u64(json, "seen", cov.seen);
	sonde_json_u64(json, "timed", cov.timed);
	sonde_json_u64(json, "attributed", cov.attributed);
	sonde_json_u64(json, "outstanding", cov.outstanding);
	by_kind(json, snapshot, "lost", SONDE_COUNTER_LOST);
	by_kind(json, snapshot, "doubt", SONDE_COUNTER_DOUBT);
	by_kind(json, snapshot, "work", SONDE_COUNTER_WORK);
	sonde_json_close(json, '}');
}

/* Statements or endpoints. */
static void rows(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts)
{
	bool http = snapshot->view == SONDE_VIEW_HTTP;
	struct sonde_query **row;
	size_t nr, nr_rows;

	row = sonde_snapshot_rows(snapshot, &nr_rows);
	nr = opts->top && opts->top < nr_rows ? opts->top : nr_rows;
	sonde_json_open(json, http ? "endpoints" : "queries", '[');
	for (size_t i = 0; i < nr; i++)
		(http ? one_endpoint : one_query)(json, snapshot, row[i]);
	sonde_json_close(json, ']');
	if (nr < nr_rows)
		sonde_json_u64(json, http ? "endpoints_left_out" : "queries_left_out", nr_rows - nr);
}

static void render(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	struct sonde_json json = { .buf = buf };

	sonde_json_open(&json, NULL, '{');
	sonde_json_cstr(&json, "schema", "sonde/1");
	sonde_json_cstr(&json, "version", SONDE_VERSION);
	sonde_json_cstr(&json, "command", opts->command);
	sonde_json_open(&json, "host", '{');
	sonde_json_cstr(&json, "name", snapshot->host.name);
	sonde_json_cstr(&json, "kernel", snapshot->host.kernel);
	sonde_json_cstr(&json, "arch", snapshot->host.arch);
	sonde_json_close(&json, '}');
	sonde_json_open(&json, "window", '{');
	sonde_json_u64(&json, "start_unix_ns", snapshot->start_unix_ns);
	sonde_json_u64(&json, "duration_ns", snapshot->duration_ns);
	sonde_json_bool(&json, "final", snapshot->final);
	sonde_json_close(&json, '}');
	if (snapshot->capture[0])
		sonde_json_cstr(&json, "capture", snapshot->capture);
	coverage(&json, snapshot);
	if (sonde_views[snapshot->view])
		sonde_views[snapshot->view]->json(&json, snapshot, opts);
	else
		rows(&json, snapshot, opts);
	if (snapshot->judged)
		sonde_json_findings(&json, snapshot, opts);
	if (snapshot->slow_ns)
		sonde_slow_json_list(&json, snapshot);
	sonde_json_close(&json, '}');
	sonde_buf_add(buf, "\n", 1);
}

const struct sonde_out sonde_out_json = {
	.name = "json",
	.render = render,
	.slow = sonde_slow_json_line,
};
