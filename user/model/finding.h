/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * finding.h - what a developer should do something about: rows of the kernel's map `findings` judged with what is known of
 * the statements' texts. Pure: no BPF, no stdio.
 */
#ifndef SONDE_MODEL_FINDING_H
#define SONDE_MODEL_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/scope.h"

struct sonde_gc_process;
struct sonde_leak_found;

/* Kinds, as DESIGN's findings name them; finding.def is the list ("n_plus_one", ...). */
enum sonde_finding_kind {
#define SONDE_FINDING(symbol, name, title) SONDE_FINDING_##symbol,
#include "finding.def"
#undef SONDE_FINDING
	SONDE_FINDING_KINDS,
};

enum sonde_confidence {
	SONDE_CONFIDENCE_LOW,
	SONDE_CONFIDENCE_MEDIUM,
	SONDE_CONFIDENCE_HIGH,
};

/**
 * struct sonde_finding - one finding; strings belong to the snapshot's pool, "" when not known
 * @id: stable: a hash of kind, scope kind and name, statement and process name, equal on every machine
 * @scope_name: "GET /orders/{id}", a comment's route; the process's name where there is none
 * @block: findings of one block are shown together: the statements that are repeated by turns for the same rows
 * @query, @parent: normalised texts; @parent NULL: none was seen
 * @with, @with_id: a write loop's read: the SELECT that goes before each write; NULL: none
 * @scopes: scopes it occurred in; @requests: scopes of that name in all (0: not known)
 * @calls: in all of them, and per scope @calls_min, @calls_median, @calls_max
 * @distinct: parameters per scope, on average; SONDE_SKETCH_MAX + 1: more than SONDE_SKETCH_MAX
 * @waste_ns, @share: time of the repeats, and its share of the scopes' time (0..1, < 0: not known)
 * @each_ns: time of one repeat on average
 * @site, @nr_site: call site, the application's frame first ("list_orders shop.c:142"); 0 frames: not known
 * @stack, @nr_stack: the whole stack that @site is of, innermost first: frames of the snapshot's @frames; the collector's
 * @lost_scopes: of @scopes, where something was lost
 * @leak: of a leak, which has no statement: @query is the place in the code (NULL: it is something else); owned
 * @gc: of a process that collects garbage much of its time: the snapshot's (NULL: it is something else)
 */
struct sonde_finding {
	u64 id;
	u64 block;
	enum sonde_finding_kind kind;
	enum sonde_confidence confidence;
	u8 scope; /* enum sonde_scope_kind */
	u8 proto; /* enum sonde_proto */
	u8 verb; /* enum sonde_sql_verb */
	bool partial; /* a part of the text is not known */
	const char *scope_name;
	const char *process;
	u32 pid;
	u32 nr_procs; /* processes that the finding stands for, @pid is the first */
	const char *server;
	const char *database;
	u64 query_id;
	const char *query;
	u64 parent_id;
	const char *parent;
	u64 with_id;
	u64 before_id; /* the read that repeats by turns with it; 0: none */
	const char *with;
	double parent_rows; /* of one execution */
	double parent_calls; /* per scope */
	u64 scopes;
	u64 requests;
	u64 calls;
	u32 calls_min, calls_median, calls_max;
	u32 distinct;
	u64 rows;
	u64 max_rows, max_bytes, max_ns;
	u64 waste_ns;
	u64 scope_ns;
	double share;
	u64 each_ns;
	const char **site;
	size_t nr_site;
	const u32 *stack;
	size_t nr_stack;
	const char *suggestion;
	u64 lost_scopes;
	u64 first_seen_ns, last_seen_ns; /* CLOCK_MONOTONIC */
	struct sonde_leak_found *leak;
	const struct sonde_gc_process *gc;
};

/** sonde_finding_kind_name - as JSON and options have it: "n_plus_one" */
const char *sonde_finding_kind_name(enum sonde_finding_kind kind);

/* Kinds (bits) that statements have. */
#define SONDE_FINDING_STATEMENTS ((1u << SONDE_FINDING_KINDS) - 1 - (1u << SONDE_FINDING_LEAK) - (1u << SONDE_FINDING_GC_TIME))

/** sonde_finding_kind_title - as people read it: "N+1" */
const char *sonde_finding_kind_title(enum sonde_finding_kind kind);

/** sonde_finding_single - whether each execution is a finding of @kind by itself: slow, large */
bool sonde_finding_single(enum sonde_finding_kind kind);

/** sonde_confidence_name - "low", "medium", "high" */
const char *sonde_confidence_name(enum sonde_confidence confidence);

/** sonde_scope_kind_name - as JSON has it: "request"; "none" for SONDE_SCOPE_NONE and what is no kind */
const char *sonde_scope_kind_name(u32 scope);

/** sonde_finding_merge_stat - add all of @more to @stat, as the kernel would have counted both in one row */
void sonde_finding_merge_stat(struct sonde_finding_stat *stat, const struct sonde_finding_stat *more);

/** sonde_finding_median - median of the calls per scope, from the row's buckets: exact below SONDE_CALLS_EXACT and where all scopes made as many */
u32 sonde_finding_median(const struct sonde_finding_stat *stat);

#endif /* SONDE_MODEL_FINDING_H */
