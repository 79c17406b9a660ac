// SPDX-License-Identifier: GPL-2.0-only
/*
 * json_findings.c - the machine's report: findings, and who sends a statement.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/finding.h"
#include "model/snapshot.h"
#include "out/gc.h"
#include "out/json.h"
#include "out/jsonw.h"
#include "out/leak.h"
#include "out/out.h"

static void id(struct sonde_json *json, const char *key, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)value);
	sonde_json_cstr(json, key, text);
}

void sonde_json_callers(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_query *query)
{
	const struct sonde_caller *caller;
	size_t nr;

	caller = sonde_snapshot_callers(snapshot, query->id, query->pid, &nr);
	if (!nr)
		return;
	sonde_json_open(json, "callers", '[');
	for (size_t i = 0; i < nr; i++) {
		sonde_json_open(json, NULL, '{');
		sonde_json_cstr(json, "scope", sonde_scope_kind_name(caller[i].scope));
		sonde_json_cstr(json, "name", caller[i].name);
		sonde_json_u64(json, "scopes", caller[i].scopes);
		sonde_json_u64(json, "calls", caller[i].calls);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
}

static void statements(struct sonde_json *json, const struct sonde_finding *finding)
{
	id(json, "query_id", finding->query_id);
	sonde_json_cstr(json, "query", finding->query);
	if (finding->partial)
		sonde_json_bool(json, "partial", true);
	if (finding->parent_id) {
		id(json, "parent_id", finding->parent_id);
		sonde_json_cstr(json, "parent", finding->parent ? finding->parent : "");
		sonde_json_double(json, "parent_rows", finding->parent_rows);
		sonde_json_double(json, "parent_calls", finding->parent_calls);
	}
	if (finding->with) {
		id(json, "with_id", finding->with_id);
		sonde_json_cstr(json, "with", finding->with);
	}
}

static void counts(struct sonde_json *json, const struct sonde_finding *finding)
{
	sonde_json_u64(json, "scopes", finding->scopes);
	if (finding->requests)
		sonde_json_u64(json, "requests", finding->requests);
	sonde_json_u64(json, "calls", finding->calls);
	sonde_json_open(json, "calls_per_scope", '{');
	if (finding->calls_max)
		sonde_json_u64(json, "min", finding->calls_min);
	sonde_json_u64(json, "median", finding->calls_median);
	if (finding->calls_max)
		sonde_json_u64(json, "max", finding->calls_max);
	sonde_json_close(json, '}');
	sonde_json_u64(json, "distinct_params",
		       finding->distinct > SONDE_SKETCH_MAX ? SONDE_SKETCH_MAX : finding->distinct);
	if (finding->distinct > SONDE_SKETCH_MAX)
		sonde_json_bool(json, "distinct_params_more", true);
	sonde_json_u64(json, "rows", finding->rows);
	if (finding->max_rows)
		sonde_json_u64(json, "max_rows", finding->max_rows);
	if (finding->max_bytes)
		sonde_json_u64(json, "max_bytes", finding->max_bytes);
	if (finding->max_ns)
		sonde_json_u64(json, "max_ns", finding->max_ns);
	sonde_json_u64(json, "waste_ns", finding->waste_ns);
	sonde_json_u64(json, "scope_ns", finding->scope_ns);
	if (finding->share >= 0)
		sonde_json_double(json, "share", finding->share);
	sonde_json_u64(json, "each_ns", finding->each_ns);
	sonde_json_u64(json, "lost_scopes", finding->lost_scopes);
}

void sonde_json_finding_begin(struct sonde_json *json, const struct sonde_finding *finding)
{
	sonde_json_open(json, NULL, '{');
	id(json, "id", finding->id);
	sonde_json_cstr(json, "kind", sonde_finding_kind_name(finding->kind));
	sonde_json_cstr(json, "confidence", sonde_confidence_name(finding->confidence));
	sonde_json_open(json, "scope", '{');
	sonde_json_cstr(json, "kind", sonde_scope_kind_name(finding->scope));
	sonde_json_cstr(json, "name", finding->scope_name);
	sonde_json_close(json, '}');
}

void sonde_json_finding_end(struct sonde_json *json, const struct sonde_finding *finding,
			    const struct sonde_snapshot *snapshot)
{
	if (finding->nr_site) {
		sonde_json_open(json, "site", '[');
		for (size_t i = 0; i < finding->nr_site; i++)
			sonde_json_cstr(json, NULL, finding->site[i]);
		sonde_json_close(json, ']');
	}
	sonde_json_cstr(json, "suggestion", finding->suggestion);
	sonde_json_u64(json, "first_seen_unix_ns", finding->first_seen_ns + snapshot->mono_to_unix_ns);
	sonde_json_u64(json, "last_seen_unix_ns", finding->last_seen_ns + snapshot->mono_to_unix_ns);
	sonde_json_close(json, '}');
}

static void one_finding(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			const struct sonde_finding *finding)
{
	sonde_json_finding_begin(json, finding);
	if (finding->block != finding->id)
		id(json, "block", finding->block);
	sonde_json_cstr(json, "db_system", sonde_proto_system(finding->proto));
	sonde_json_u64(json, "pid", finding->pid);
	sonde_json_u64(json, "processes", finding->nr_procs);
	sonde_json_cstr(json, "process", finding->process);
	if (finding->server[0])
		sonde_json_cstr(json, "server", finding->server);
	if (finding->database[0])
		sonde_json_cstr(json, "database", finding->database);
	statements(json, finding);
	counts(json, finding);
	sonde_json_finding_end(json, finding, snapshot);
}

void sonde_json_findings(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			 const struct sonde_out_opts *opts)
{
	size_t nr = opts->top && opts->top < snapshot->nr_findings ? opts->top : snapshot->nr_findings;

	sonde_json_open(json, "findings", '[');
	for (size_t i = 0; i < nr; i++) {
		const struct sonde_finding *finding = snapshot->findings[i];

		(finding->leak ? sonde_leak_json_finding : finding->gc ? sonde_gc_json_finding : one_finding)(json, snapshot, finding);
	}
	sonde_json_close(json, ']');
	if (nr < snapshot->nr_findings)
		sonde_json_u64(json, "findings_left_out", snapshot->nr_findings - nr);
}
