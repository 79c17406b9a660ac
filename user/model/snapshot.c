// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot.c - numbers at one moment.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "model/alloc.h"
#include "model/breakdown.h"
#include "model/finding.h"
#include "model/hist.h"
#include "model/io.h"
#include "model/net.h"
#include "model/offcpu.h"
#include "model/slow.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "model/syscall.h"
#include "model/usage.h"
#include "sonde/sql.h"

const struct sonde_counter_info sonde_counter_info[SONDE_CNT_MAX] = {
#define SONDE_COUNTER(symbol, json, kind, meaning) [SONDE_CNT_##symbol] = { json, SONDE_COUNTER_##kind, meaning },
#include "sonde/counter.def"
#undef SONDE_COUNTER
};

static const struct {
	const char *system;
	const char *name;
	enum sonde_view view;
	bool sql;
} protos[SONDE_PROTO_MAX] = {
#define SONDE_PROTO(id, symbol, otel, people, view, dialect)                                                           \
	[id] = { otel, people, SONDE_VIEW_##view, (dialect) != SONDE_SQL_NONE },
#include "sonde/proto.def"
};

static const char *const error_classes[SONDE_ERR_CLASSES] = {
	[SONDE_ERR_OTHER] = "other",	   [SONDE_ERR_SYNTAX] = "syntax",	  [SONDE_ERR_CONSTRAINT] = "constraint",
	[SONDE_ERR_DATA] = "data",	   [SONDE_ERR_ROLLBACK] = "rollback",	  [SONDE_ERR_CANCEL] = "cancel",
	[SONDE_ERR_RESOURCE] = "resource", [SONDE_ERR_CONNECTION] = "connection",
};

const char *sonde_proto_system(u32 proto)
{
	return proto < SONDE_PROTO_MAX && protos[proto].system ? protos[proto].system : "";
}

const char *sonde_proto_name(u32 proto)
{
	return proto < SONDE_PROTO_MAX && protos[proto].name ? protos[proto].name : "?";
}

enum sonde_view sonde_proto_view(u32 proto)
{
	return proto < SONDE_PROTO_MAX ? protos[proto].view : SONDE_VIEW_DB;
}

bool sonde_proto_sql(u32 proto)
{
	return proto < SONDE_PROTO_MAX && protos[proto].sql && protos[proto].view == SONDE_VIEW_DB;
}

const char *sonde_http_class_name(u32 class)
{
	return class == SONDE_HTTP_4XX ? "4xx" : class == SONDE_HTTP_5XX ? "5xx" : "broken";
}

const char *sonde_error_class_name(u32 class)
{
	return class < SONDE_ERR_CLASSES ? error_classes[class] : error_classes[SONDE_ERR_OTHER];
}

struct sonde_snapshot *sonde_snapshot_new(struct sonde_strings *strings)
{
	struct sonde_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	snapshot->strings = sonde_strings_get(strings);
	snapshot->capture = "";
	return snapshot;
}

void sonde_snapshot_free(struct sonde_snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->nr_queries; i++)
		free(snapshot->queries[i]);
	for (size_t i = 0; i < snapshot->nr_endpoints; i++)
		free(snapshot->endpoints[i]);
	for (size_t i = 0; i < snapshot->nr_findings; i++) {
		free(snapshot->findings[i]->site);
		free(snapshot->findings[i]->leak);
		free(snapshot->findings[i]);
	}
	free(snapshot->queries);
	free(snapshot->endpoints);
	free(snapshot->findings);
	free(snapshot->callers);
	sonde_slow_free(snapshot->slow, snapshot->nr_slow);
	sonde_slow_plans_free(snapshot->plans, snapshot->nr_plans);
	sonde_alloc_free(snapshot->alloc);
	sonde_breakdowns_free(snapshot->breakdowns);
	sonde_io_free(snapshot->io);
	sonde_net_free(snapshot->net);
	sonde_offcpu_free(snapshot->offcpu);
	sonde_syscalls_free(snapshot->syscalls);
	sonde_usage_free(snapshot->usage);
	sonde_strings_put(snapshot->strings);
	free(snapshot);
}

/* Appends a row to one of the two lists. */
static struct sonde_query *append(struct sonde_query ***rows, size_t *nr, size_t *room)
{
	size_t wanted = *room ? *room * 2 : 32;
	struct sonde_query *query, **more;

	if (*nr == *room) {
		more = realloc(*rows, wanted * sizeof(*more));
		if (!more)
			return NULL;
		*rows = more;
		*room = wanted;
	}
	query = calloc(1, sizeof(*query));
	if (!query)
		return NULL;
	query->name = query->process = query->server = query->database = query->user = "";
	query->nr_procs = 1;
	(*rows)[(*nr)++] = query;
	return query;
}

struct sonde_query *sonde_snapshot_query(struct sonde_snapshot *snapshot)
{
	return append(&snapshot->queries, &snapshot->nr_queries, &snapshot->room);
}

struct sonde_query *sonde_snapshot_endpoint(struct sonde_snapshot *snapshot)
{
	return append(&snapshot->endpoints, &snapshot->nr_endpoints, &snapshot->endpoint_room);
}

struct sonde_finding *sonde_snapshot_finding(struct sonde_snapshot *snapshot)
{
	size_t room = snapshot->finding_room ? snapshot->finding_room * 2 : 16;
	struct sonde_finding *finding, **more;

	if (snapshot->nr_findings == snapshot->finding_room) {
		more = realloc(snapshot->findings, room * sizeof(*more));
		if (!more)
			return NULL;
		snapshot->findings = more;
		snapshot->finding_room = room;
	}
	finding = calloc(1, sizeof(*finding));
	if (!finding)
		return NULL;
	finding->scope_name = finding->process = finding->server = finding->database = "";
	finding->query = finding->suggestion = "";
	finding->nr_procs = 1;
	snapshot->findings[snapshot->nr_findings++] = finding;
	return finding;
}

const struct sonde_caller *sonde_snapshot_callers(const struct sonde_snapshot *snapshot, u64 id, u32 pid, size_t *nr)
{
	size_t low = 0, high = snapshot->nr_callers;
	const struct sonde_caller *caller;

	while (low < high) {
		caller = &snapshot->callers[low + (high - low) / 2];
		if (caller->query_id < id || (caller->query_id == id && caller->pid < pid))
			low += (high - low) / 2 + 1;
		else
			high = low + (high - low) / 2;
	}
	caller = &snapshot->callers[low];
	for (*nr = 0; low + *nr < snapshot->nr_callers && caller[*nr].query_id == id && caller[*nr].pid == pid;)
		++*nr;
	return *nr ? caller : NULL;
}

struct sonde_query **sonde_snapshot_rows(const struct sonde_snapshot *snapshot, size_t *nr)
{
	bool http = snapshot->view == SONDE_VIEW_HTTP;

	*nr = http ? snapshot->nr_endpoints : snapshot->nr_queries;
	return http ? snapshot->endpoints : snapshot->queries;
}

static int by_total_time(const void *pa, const void *pb)
{
	const struct sonde_query *a = *(struct sonde_query *const *)pa, *b = *(struct sonde_query *const *)pb;
	int order = sonde_compare(a->waits, b->waits);

	if (!order)
		order = sonde_compare(b->done.sum_ns, a->done.sum_ns);
	if (!order)
		order = sonde_compare(b->count, a->count);
	if (!order)
		order = sonde_compare(a->id, b->id);
	return order ? order : sonde_compare(a->pid, b->pid);
}

void sonde_snapshot_sort(struct sonde_snapshot *snapshot)
{
	if (snapshot->nr_queries)
		qsort(snapshot->queries, snapshot->nr_queries, sizeof(*snapshot->queries), by_total_time);
	if (snapshot->nr_endpoints)
		qsort(snapshot->endpoints, snapshot->nr_endpoints, sizeof(*snapshot->endpoints), by_total_time);
}

/* Orders rows so that those of one group are neighbours, processes in order. */
static int by_group(const void *pa, const void *pb)
{
	const struct sonde_query *a = *(struct sonde_query *const *)pa, *b = *(struct sonde_query *const *)pb;
	int order = sonde_compare(a->id, b->id);

	if (!order)
		order = sonde_compare(a->waits, b->waits);
	if (!order)
		order = sonde_compare(a->proto, b->proto);
	if (!order)
		order = sonde_compare(a->role, b->role);
	if (!order)
		order = strcmp(a->process, b->process);
	if (!order)
		order = strcmp(a->server, b->server);
	if (!order)
		order = strcmp(a->database, b->database);
	return order;
}

static int by_group_and_pid(const void *pa, const void *pb)
{
	int order = by_group(pa, pb);

	return order ? order
		     : sonde_compare((*(struct sonde_query *const *)pa)->pid, (*(struct sonde_query *const *)pb)->pid);
}

static void merge(struct sonde_query *to, const struct sonde_query *more)
{
	to->count += more->count;
	to->errors += more->errors;
	to->rows += more->rows;
	to->sent_bytes += more->sent_bytes;
	to->recv_bytes += more->recv_bytes;
	to->recent += more->recent;
	for (u32 i = 0; i < SONDE_ERR_CLASSES; i++)
		to->error_class[i] += more->error_class[i];
	if (more->first_seen_ns && (!to->first_seen_ns || more->first_seen_ns < to->first_seen_ns))
		to->first_seen_ns = more->first_seen_ns;
	if (more->sqlstate[0] && (!to->sqlstate[0] || more->last_seen_ns > to->last_seen_ns))
		memcpy(to->sqlstate, more->sqlstate, sizeof(to->sqlstate));
	if (more->code && (!to->code || more->last_seen_ns > to->last_seen_ns))
		to->code = more->code;
	if (more->last_seen_ns > to->last_seen_ns)
		to->last_seen_ns = more->last_seen_ns;
	if (!to->text && more->text) {
		to->text = more->text;
		to->text_len = more->text_len;
		to->name = more->name;
	}
	sonde_hist_merge(&to->done, &more->done);
	sonde_hist_merge(&to->first, &more->first);
}

void sonde_query_merge(struct sonde_query *to, const struct sonde_query *more)
{
	merge(to, more);
}

/* Adds @nr rows, merged, with @append_row. Returns 0 or -1 when out of memory. */
static int group_rows(struct sonde_snapshot *group, struct sonde_query *const *from, size_t nr,
		      struct sonde_query *(*append_row)(struct sonde_snapshot *snapshot))
{
	struct sonde_query **rows = calloc(nr + 1, sizeof(*rows)), *row = NULL;
	u32 pid = 0;

	if (!rows)
		return -1;
	if (nr) {
		memcpy(rows, from, nr * sizeof(*rows));
		qsort(rows, nr, sizeof(*rows), by_group_and_pid);
	}
	for (size_t i = 0; i < nr; i++) {
		if (!row || by_group(&rows[i - 1], &rows[i])) {
			row = append_row(group);
			if (!row)
				break;
			*row = *rows[i];
		} else {
			merge(row, rows[i]);
			row->nr_procs += rows[i]->pid != pid;
		}
		pid = rows[i]->pid;
	}
	free(rows);
	return nr && !row ? -1 : 0;
}

struct sonde_snapshot *sonde_snapshot_group(const struct sonde_snapshot *snapshot)
{
	struct sonde_snapshot *group = sonde_snapshot_new(snapshot->strings);

	if (!group)
		return NULL;
	group->host = snapshot->host;
	group->start_unix_ns = snapshot->start_unix_ns;
	group->mono_to_unix_ns = snapshot->mono_to_unix_ns;
	group->duration_ns = snapshot->duration_ns;
	group->recent_ns = snapshot->recent_ns;
	group->final = snapshot->final;
	group->capture = snapshot->capture;
	group->view = snapshot->view;
	group->judged = snapshot->judged;
	group->only_findings = snapshot->only_findings;
	memcpy(group->counter, snapshot->counter, sizeof(group->counter));
	if (group_rows(group, snapshot->queries, snapshot->nr_queries, sonde_snapshot_query) ||
	    group_rows(group, snapshot->endpoints, snapshot->nr_endpoints, sonde_snapshot_endpoint)) {
		sonde_snapshot_free(group);
		return NULL;
	}
	sonde_snapshot_sort(group);
	return group;
}

void sonde_snapshot_coverage(const struct sonde_snapshot *snapshot, struct sonde_coverage *out)
{
	const u64 *counter = snapshot->counter;

	*out = (struct sonde_coverage){
		.seen = counter[SONDE_CNT_SEEN],
		.timed = counter[SONDE_CNT_TIMED],
		.attributed = counter[SONDE_CNT_ATTRIBUTED],
	};
	for (u32 i = 0; i < SONDE_CNT_MAX; i++) {
		if (sonde_counter_info[i].kind == SONDE_COUNTER_LOST)
			out->lost += counter[i];
		if (sonde_counter_info[i].kind == SONDE_COUNTER_DOUBT)
			out->doubts += counter[i];
	}
	if (out->seen > out->attributed + out->lost)
		out->outstanding = out->seen - out->attributed - out->lost;
}
