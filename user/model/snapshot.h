/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * snapshot.h - everything a report is made of: numbers at one moment, immutable once built.
 *
 * Live or read from a recording, all that is printed, exported and compared comes from one of these.
 */
#ifndef SONDE_MODEL_SNAPSHOT_H
#define SONDE_MODEL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/key.h"

struct sonde_alloc;
struct sonde_alloc_diff;
struct sonde_breakdowns;
struct sonde_finding;
struct sonde_gc;
struct sonde_growth;
struct sonde_io;
struct sonde_net;
struct sonde_offcpu;
struct sonde_profile;
struct sonde_slow_plan;
struct sonde_slow;
struct sonde_strings;
struct sonde_syscalls;

/**
 * struct sonde_query - one statement of one process to one server and database; or an endpoint, asked or served
 * @id: the statement's id
 * @text: normalised text (@text_len bytes, NUL-terminated); NULL: not known
 * @name: short name; never NULL
 * @named: the text was never seen; @text and @name are "stmt <name>"
 * @partial: only the beginning of the statement
 * @waits: by intent (BLPOP, SUBSCRIBE): its time is in no sum of times, it stands behind the others
 * @nr_procs: how many processes the row stands for (sonde_snapshot_group()), @pid is the first
 * @server: "127.0.0.1:5432", a path, or "" when not known; the other strings are "" when not known, too
 * @sqlstate: the last error's, NUL-terminated, "" without one
 * @code: the last error's number (HTTP: status), 0 without one
 * @error_class: by enum sonde_error_class; of an endpoint by enum sonde_http_class
 * @recent: calls since the previous snapshot of this run
 */
struct sonde_query {
	u64 id;
	const char *text;
	size_t text_len;
	const char *name;
	const char *process;
	const char *server;
	const char *database;
	const char *user;
	u64 cgroup;
	u32 pid;
	u32 nr_procs;
	u8 proto; /* enum sonde_proto */
	u8 role; /* enum sonde_role */
	bool named;
	bool partial;
	bool waits;
	char sqlstate[6];
	u32 code;
	u64 count;
	u64 errors;
	u64 rows;
	u64 sent_bytes;
	u64 recv_bytes;
	u64 first_seen_ns; /* CLOCK_MONOTONIC, like @last_seen_ns */
	u64 last_seen_ns;
	u64 recent;
	u32 error_class[SONDE_ERR_CLASSES];
	struct sonde_hist done;
	struct sonde_hist first;
};

/**
 * struct sonde_caller - that a statement is sent by requests of one name
 * @name: "GET /orders"; "" when not known, and for requests whose statements cannot be told apart (SONDE_SCOPE_PROCESS)
 * @scopes: such requests that sent it, @calls: how often in all
 */
struct sonde_caller {
	u64 query_id;
	u32 pid;
	u32 scope; /* enum sonde_scope_kind */
	const char *name;
	const char *process;
	u64 scopes;
	u64 calls;
};

struct sonde_host {
	char name[65];
	char kernel[65];
	char arch[65];
};

/**
 * struct sonde_snapshot - all numbers since the start of a run
 * @mono_to_unix_ns: add to a CLOCK_MONOTONIC time to get nanoseconds since 1970
 * @recent_ns: how long ago the previous snapshot was (0: there was none)
 * @final: the run is over
 * @capture: how it was captured ("tracepoint"), "" when there is nothing to choose
 * @view: what the command shows: statements or endpoints
 * @queries: statements, sorted by total time, greatest first, those that wait behind the others
 * @slow: slow executions that were kept, slowest first; @slow_total: how many were told of (sonde_snapshot_group() leaves them out)
 * @plans: what databases said of slow statements
 * @endpoints: the same of HTTP; their text is "METHOD /path/pattern"
 * @findings: what should be done something about, greatest waste first; those of one block stand together
 * @callers: by statement, process, then calls, greatest first
 * @judged: findings were looked for
 * @only_findings: people are shown nothing but them
 * @profile: stacks (NULL: it is about something else); the collector's, valid until it reads again
 */
struct sonde_snapshot {
	struct sonde_host host;
	u64 start_unix_ns;
	u64 mono_to_unix_ns;
	u64 duration_ns;
	u64 recent_ns;
	bool final;
	const char *capture;
	enum sonde_view view;
	u64 counter[SONDE_CNT_MAX];
	struct sonde_query **queries;
	size_t nr_queries;
	size_t room; /* of @queries */
	struct sonde_query **endpoints;
	size_t nr_endpoints;
	size_t endpoint_room; /* of @endpoints */
	struct sonde_finding **findings;
	size_t nr_findings;
	size_t finding_room; /* of @findings */
	struct sonde_caller *callers;
	size_t nr_callers;
	bool judged;
	bool only_findings;
	struct sonde_slow *slow;
	size_t nr_slow;
	u64 slow_total;
	u64 slow_ns; /* from when on an execution is slow; 0: not asked for */
	struct sonde_slow_plan *plans;
	size_t nr_plans;
	struct sonde_alloc *alloc; /* of view ALLOC; owned. Its stacks are in @profile */
	struct sonde_breakdowns *breakdowns; /* of inbound requests (NULL: not asked for); owned */
	const struct sonde_gc *gc; /* beside ALLOC and GROWTH (NULL: none known); the collector's, valid until it reads again */
	const struct sonde_growth *growth; /* of view GROWTH; the collector's, valid until it reads again. Its stacks are in @profile */
	const struct sonde_alloc_diff *growth_diff; /* what has changed since another run (NULL: not asked for); not owned */
	struct sonde_io *io; /* of view IO; owned */
	struct sonde_net *net; /* of view NET; owned */
	struct sonde_offcpu *offcpu; /* of view OFFCPU; owned */
	struct sonde_syscalls *syscalls; /* of view SYSCALL; owned */
	struct sonde_usage *usage; /* of view CPU; owned */
	const struct sonde_profile *profile;
	const struct sonde_profile *frames; /* of the findings' stacks; the collector's, as long as that lives */
	struct sonde_strings *strings; /* owns what the pointers above point to */
};

/** sonde_snapshot_new - an empty snapshot whose strings live in @strings (a reference is taken) */
struct sonde_snapshot *sonde_snapshot_new(struct sonde_strings *strings);

/** sonde_snapshot_free - (NULL is fine) */
void sonde_snapshot_free(struct sonde_snapshot *snapshot);

/** sonde_snapshot_query - append a zeroed row; its strings are "" and its name too. NULL when out of memory */
struct sonde_query *sonde_snapshot_query(struct sonde_snapshot *snapshot);

/** sonde_snapshot_endpoint - the same for an endpoint */
struct sonde_query *sonde_snapshot_endpoint(struct sonde_snapshot *snapshot);

/** sonde_snapshot_finding - append a zeroed finding; its strings are "", those that may be NULL are. NULL when out of memory */
struct sonde_finding *sonde_snapshot_finding(struct sonde_snapshot *snapshot);

/** sonde_snapshot_callers - who sends statement @id of process @pid; *@nr is set to their number */
const struct sonde_caller *sonde_snapshot_callers(const struct sonde_snapshot *snapshot, u64 id, u32 pid, size_t *nr);

/** sonde_snapshot_rows - the rows of the snapshot's view; *@nr is set to their number */
struct sonde_query **sonde_snapshot_rows(const struct sonde_snapshot *snapshot, size_t *nr);

/** sonde_snapshot_sort - rows by total time, then calls, then id */
void sonde_snapshot_sort(struct sonde_snapshot *snapshot);

/**
 * sonde_snapshot_group - a new snapshot where processes of one name share their rows
 *
 * Sixteen workers of one server are one program to its owner. Rows are merged that agree in statement, protocol,
 * role, server, database and process name. Findings and callers stay with @snapshot. NULL when out of memory.
 */
struct sonde_snapshot *sonde_snapshot_group(const struct sonde_snapshot *snapshot);

/** sonde_query_merge - add the numbers of @more to @to; its histograms are not tidied */
void sonde_query_merge(struct sonde_query *to, const struct sonde_query *more);

/** sonde_proto_system - OpenTelemetry's db.system.name of a protocol; "" for an unknown one */
const char *sonde_proto_system(u32 proto);

/** sonde_proto_name - a protocol's name for people; "?" for an unknown one */
const char *sonde_proto_name(u32 proto);

/** sonde_proto_view - which command shows a protocol */
enum sonde_view sonde_proto_view(u32 proto);

/** sonde_proto_sql - whether its statements are SQL; those of the others are labels (sonde/label.h) */
bool sonde_proto_sql(u32 proto);

/** sonde_error_class_name - short name of an enum sonde_error_class, as JSON has it */
const char *sonde_error_class_name(u32 class);

/** sonde_http_class_name - the same of an enum sonde_http_class */
const char *sonde_http_class_name(u32 class);

enum sonde_counter_kind {
	SONDE_COUNTER_SEEN,
	SONDE_COUNTER_LOST,
	SONDE_COUNTER_DOUBT,
	SONDE_COUNTER_WORK,
};

struct sonde_counter_info {
	const char *name;
	enum sonde_counter_kind kind;
	const char *text;
};

/** sonde_counter_info - name, kind and meaning of each counter, indexed by enum sonde_counter */
extern const struct sonde_counter_info sonde_counter_info[SONDE_CNT_MAX];

/** struct sonde_coverage - what became of all statements */
struct sonde_coverage {
	u64 seen;
	u64 timed;
	u64 attributed;
	u64 lost; /* all reasons */
	u64 outstanding; /* sent, not completed yet */
	u64 doubts; /* things that could not be read or kept */
};

void sonde_snapshot_coverage(const struct sonde_snapshot *snapshot, struct sonde_coverage *out);

#endif /* SONDE_MODEL_SNAPSHOT_H */
