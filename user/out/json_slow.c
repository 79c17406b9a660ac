// SPDX-License-Identifier: GPL-2.0-only
/*
 * json_slow.c - the machine's report: slow executions. Keys are only ever added.
 */
#include <stdio.h>

#include "base/buf.h"
#include "model/finding.h"
#include "model/hist.h"
#include "model/slow.h"
#include "model/snapshot.h"
#include "out/jsonw.h"
#include "out/out.h"
#include "out/slow.h"

static void not_empty(struct sonde_json *json, const char *key, const char *value)
{
	if (value[0])
		sonde_json_cstr(json, key, value);
}

static void example(struct sonde_json *json, const struct sonde_slow *slow)
{
	if (!slow->example)
		return;
	sonde_json_str(json, "example", slow->example, slow->example_len);
	sonde_json_bool(json, "example_complete", slow->example_whole);
}

static void members(struct sonde_json *json, const struct sonde_slow *slow, u64 mono_to_unix_ns)
{
	char id[24];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)slow->id);
	sonde_json_u64(json, "start_unix_ns", slow->start_ns + mono_to_unix_ns);
	sonde_json_u64(json, "duration_ns", slow->done_ns);
	sonde_json_u64(json, "first_byte_ns", slow->first_ns);
	sonde_json_cstr(json, "id", id);
	sonde_json_cstr(json, "db_system", sonde_proto_system(slow->proto));
	if (slow->text)
		sonde_json_str(json, "text", slow->text, slow->text_len);
	else
		sonde_json_cstr(json, "text", "");
	sonde_json_cstr(json, "name", slow->name);
	sonde_json_cstr(json, "role", slow->role == SONDE_ROLE_SERVER ? "server" : "client");
	sonde_json_u64(json, "pid", slow->pid);
	sonde_json_u64(json, "tid", slow->tid);
	sonde_json_cstr(json, "process", slow->process);
	not_empty(json, "server", slow->server);
	not_empty(json, "database", slow->database);
	not_empty(json, "user", slow->user);
	if (slow->scope) {
		sonde_json_open(json, "scope", '{');
		sonde_json_cstr(json, "kind", sonde_scope_kind_name(slow->scope));
		sonde_json_cstr(json, "name", slow->scope_name);
		sonde_json_close(json, '}');
	}
	sonde_json_u64(json, "rows", slow->rows);
	sonde_json_u64(json, "bytes", slow->bytes);
	if (slow->failed) {
		sonde_json_bool(json, "failed", true);
		not_empty(json, "sqlstate", slow->sqlstate);
		if (slow->code)
			sonde_json_u64(json, "error_code", slow->code);
	}
	example(json, slow);
}

void sonde_slow_json(struct sonde_json *json, const char *key, const struct sonde_slow *slow, u64 mono_to_unix_ns)
{
	sonde_json_open(json, key, '{');
	members(json, slow, mono_to_unix_ns);
	sonde_json_close(json, '}');
}

void sonde_slow_json_line(const struct sonde_slow *slow, u64 mono_to_unix_ns, const struct sonde_out_opts *opts,
			  struct sonde_buf *buf)
{
	struct sonde_json json = { .buf = buf };

	sonde_json_open(&json, NULL, '{');
	sonde_json_cstr(&json, "schema", "sonde/1");
	sonde_json_cstr(&json, "command", opts->command);
	sonde_json_cstr(&json, "event", "slow");
	members(&json, slow, mono_to_unix_ns);
	sonde_json_close(&json, '}');
	sonde_buf_add(buf, "\n", 1);
}

/* Whether @slow is an execution that the row counts. */
static bool is_of(const struct sonde_slow *slow, const struct sonde_query *query)
{
	return slow->id == query->id && slow->proto == query->proto && slow->role == query->role &&
	       slow->pid == query->pid && slow->example;
}

void sonde_slow_json_spread(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			    const struct sonde_query *query)
{
	double mean = query->count ? (double)query->done.sum_ns / (double)query->count : 0;
	double stddev = sonde_hist_stddev(&query->done);
	bool any = false;

	sonde_json_double(json, "mean_ns", mean);
	sonde_json_double(json, "stddev_ns", stddev);
	sonde_json_double(json, "variance_ns2", stddev * stddev);
	sonde_json_double(json, "variance_to_mean_s", mean > 0 ? stddev * stddev / mean / 1e9 : 0);
	for (size_t i = 0; i < snapshot->nr_slow; i++) {
		if (!is_of(&snapshot->slow[i], query))
			continue;
		if (!any)
			sonde_json_open(json, "examples", '[');
		any = true;
		sonde_json_open(json, NULL, '{');
		sonde_json_u64(json, "duration_ns", snapshot->slow[i].done_ns);
		example(json, &snapshot->slow[i]);
		sonde_json_close(json, '}');
	}
	if (any)
		sonde_json_close(json, ']');
	for (size_t i = 0; i < snapshot->nr_plans; i++) {
		if (snapshot->plans[i].id != query->id)
			continue;
		sonde_json_cstr(json, "plan", snapshot->plans[i].text);
		not_empty(json, "advice", snapshot->plans[i].advice);
		break;
	}
}

void sonde_slow_json_list(struct sonde_json *json, const struct sonde_snapshot *snapshot)
{
	sonde_json_u64(json, "slow_threshold_ns", snapshot->slow_ns);
	sonde_json_u64(json, "slow_count", snapshot->slow_total + snapshot->counter[SONDE_CNT_SLOW_DROPPED]);
	sonde_json_open(json, "slow", '[');
	for (size_t i = 0; i < snapshot->nr_slow; i++)
		sonde_slow_json(json, NULL, &snapshot->slow[i], snapshot->mono_to_unix_ns);
	sonde_json_close(json, ']');
}
