// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge.c - rows of the kernel's map `findings` become findings.
 *
 * First the rows of one statement in scopes of one name are put together, over all workers of one name and over all
 * classes: whether a request had 20 or 30 customers among 50 orders makes one class or the other of it, and one finding.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/table.h"
#include "model/access.h"
#include "model/ignore.h"
#include "model/judge_parts.h"
#include "model/strings.h"
#include "model/suggest.h"
#include "sonde/sql.h"

#define CLASSES (SONDE_FOUND_LARGE + 1)
#define MANY_SCOPES 3u /* what happens in so many scopes is no accident */

/* Rows of one class, added up. */
struct sum {
	struct sonde_finding_stat stat;
	const struct sonde_finding_row *site; /* has the call site of most scopes */
	const struct sonde_finding_row *stack; /* the same of stacks, which need not have an application's frame */
};

/* One statement in scopes of one name. */
struct group {
	const struct sonde_finding_row *row; /* the first; the others are like it */
	u8 scope;
	const char *scope_name;
	const char *query;
	bool partial;
	enum sonde_access access;
	u32 pid; /* the last, to count them */
	u32 nr_procs;
	struct sum sum[CLASSES];
};

struct judging {
	struct sonde_snapshot *snapshot;
	const struct sonde_judge *judge;
	struct sonde_requests_list requests;
	struct sonde_table index; /* sonde_judge_id() of the group -> struct group */
	struct group **groups;
	size_t nr_groups;
	size_t room;
};

u64 sonde_judge_id(enum sonde_finding_kind kind, u32 scope, const char *scope_name, u64 query_id, const char *process)
{
	const char *const parts[] = { sonde_finding_kind_name(kind), sonde_scope_kind_name(scope), scope_name,
				      process };
	u64 hash = SONDE_FNV_BASIS;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (const char *p = parts[i]; *p; p++)
			hash = sonde_fnv_byte(hash, (u8)*p);
		hash = sonde_fnv_byte(hash, 0);
	}
	for (u32 i = 0; i < 64; i += 8)
		hash = sonde_fnv_byte(hash, (u8)(query_id >> i));
	hash = sonde_mix64(hash);
	return hash ? hash : 1;
}

bool sonde_judge_ignored(const struct sonde_judge *judge, u64 id, u64 query_id, const char *query)
{
	return sonde_ignore_has(judge->ignore, id, query_id, query);
}

static bool is_repeat(u32 class)
{
	return class < SONDE_FOUND_SLOW;
}

/* Whether the row is about the program's own data and can become a finding at all. */
static bool is_judged(const struct sonde_finding_key *key, const char *query, enum sonde_access access, u8 scope)
{
	if (!key->class || key->class >= CLASSES)
		return false;
	if (query && sonde_access_catalog(key->proto, query))
		return false;
	if (!is_repeat(key->class))
		return true; /* slow is slow, whatever it does */
	if (scope == SONDE_SCOPE_PROCESS || scope == SONDE_SCOPE_NONE || access == SONDE_ACCESS_NONE)
		return false;
	/* Without a server there is no way to save: a transaction with one prepared statement is how SQLite wants it. */
	if (access == SONDE_ACCESS_WRITE && key->proto == SONDE_PROTO_SQLITE && scope == SONDE_SCOPE_TRANSACTION)
		return false;
	return !query || sonde_access_data(key->proto, query);
}

static struct group *new_group(struct judging *judging, u64 id, const struct sonde_finding_row *row)
{
	size_t room = judging->room ? judging->room * 2 : 32;
	struct group *group, **more;

	if (judging->nr_groups == judging->room) {
		more = realloc(judging->groups, room * sizeof(*more));
		if (!more)
			return NULL;
		judging->groups = more;
		judging->room = room;
	}
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	if (sonde_table_put(&judging->index, id, group)) {
		free(group);
		return NULL;
	}
	group->row = row;
	judging->groups[judging->nr_groups++] = group;
	return group;
}

static void add_row(struct group *group, const struct sonde_finding_row *row)
{
	struct sum *sum = &group->sum[row->key.class];

	if (row->nr_site && (!sum->site || row->stat.same_stack > sum->site->stat.same_stack))
		sum->site = row;
	if (row->nr_stack && (!sum->stack || row->stat.same_stack > sum->stack->stat.same_stack))
		sum->stack = row;
	sonde_finding_merge_stat(&sum->stat, &row->stat);
	group->nr_procs += row->key.proc.tgid != group->pid;
	group->pid = row->key.proc.tgid;
}

static int take_row(struct judging *judging, const struct sonde_finding_row *row)
{
	const struct sonde_judge *judge = judging->judge;
	const struct sonde_finding_key *key = &row->key;
	bool partial = false, name_partial;
	const char *query = judge->text(judge->ctx, key->id, &partial), *name = NULL;
	enum sonde_access access = sonde_access(key->proto, key->verb, query);
	u8 scope = key->scope;
	struct group *group;
	u64 id;

	if (scope == SONDE_SCOPE_ASYNC && sonde_requests_doubtful(&judging->requests, &key->proc)) {
		if (is_repeat(key->class))
			return 0;
		scope = SONDE_SCOPE_PROCESS; /* it was slow; which request it was of is a guess */
	}
	if (!row->stat.scopes || !is_judged(key, query, access, scope))
		return 0;
	if (key->name && scope != SONDE_SCOPE_PROCESS)
		name = judge->text(judge->ctx, key->name, &name_partial);
	if (!name)
		name = row->process;
	id = sonde_judge_id(SONDE_FINDING_KINDS, scope, name, key->id, row->process);
	group = sonde_table_get(&judging->index, id);
	if (!group) {
		group = new_group(judging, id, row);
		if (!group)
			return -ENOMEM;
		group->scope = scope;
		group->scope_name = name;
		group->query = query;
		group->partial = partial;
		group->access = access;
	}
	add_row(group, row);
	return 0;
}

static enum sonde_confidence confidence(const struct group *group, const struct sum *sum, bool low)
{
	const struct sonde_finding_stat *stat = &sum->stat;
	bool told = group->scope == SONDE_SCOPE_COMMENT || group->scope == SONDE_SCOPE_REQUEST ||
		    group->scope == SONDE_SCOPE_TRANSACTION || group->scope == SONDE_SCOPE_ASYNC;
	bool rows = stat->parents && stat->rows_match * 2 >= stat->parents && stat->parents * 2 >= stat->scopes;
	bool place = sum->site && stat->same_stack * 2 >= stat->scopes;

	if (low)
		return SONDE_CONFIDENCE_LOW;
	if (!told || stat->lost * 2 > stat->scopes || !(rows || place || stat->scopes >= MANY_SCOPES))
		return SONDE_CONFIDENCE_MEDIUM;
	return SONDE_CONFIDENCE_HIGH;
}

/*
 * A burst is what one connection did without a second of rest: a program's endless loop may be one. So its repeats count only where
 * they go through the rows of a read: rows enough, and for each time it was read enough calls, but no more than rows (and one).
 */
static bool goes_through_rows(const struct sonde_finding_stat *stat, u32 min_repeat)
{
	double rows, calls;

	if (!stat->parent_calls || stat->parents * 2 < stat->scopes)
		return false;
	rows = (double)stat->parent_rows / (double)stat->parent_calls;
	calls = (double)stat->calls * (double)stat->parents / (double)stat->scopes / (double)stat->parent_calls;
	return rows >= min_repeat && calls >= min_repeat && calls <= rows + 1;
}

static void numbers(struct sonde_finding *finding, const struct sonde_finding_stat *stat, bool repeat)
{
	u64 repeats = repeat ? stat->calls - stat->scopes : stat->calls;

	finding->scopes = stat->scopes;
	finding->calls = stat->calls;
	finding->calls_min = stat->calls_min;
	finding->calls_max = stat->calls_max;
	finding->calls_median = sonde_finding_median(stat);
	finding->distinct = (u32)((stat->distinct + stat->scopes / 2) / stat->scopes);
	if (finding->distinct >= SONDE_SKETCH_MAX && stat->distinct_max > SONDE_SKETCH_MAX)
		finding->distinct = SONDE_SKETCH_MAX + 1;
	finding->rows = stat->rows;
	finding->max_rows = stat->max_rows;
	finding->max_bytes = stat->max_bytes;
	finding->max_ns = stat->max_ns;
	finding->waste_ns = stat->waste_ns;
	finding->scope_ns = stat->scope_ns;
	finding->each_ns = repeats && stat->calls >= repeats ? stat->waste_ns / repeats : 0;
	finding->lost_scopes = stat->lost;
	finding->first_seen_ns = stat->first_seen_ns;
	finding->last_seen_ns = stat->last_seen_ns;
}

static int set_site(struct sonde_finding *finding, const struct sum *sum)
{
	const struct sonde_finding_row *row = sum->site, *stack = row && row->nr_stack ? row : sum->stack;

	if (stack) {
		finding->stack = stack->stack;
		finding->nr_stack = stack->nr_stack;
	}
	if (!row)
		return 0;
	finding->site = calloc(row->nr_site, sizeof(*finding->site));
	if (!finding->site)
		return -ENOMEM;
	memcpy(finding->site, row->site, row->nr_site * sizeof(*finding->site));
	finding->nr_site = row->nr_site;
	return 0;
}

static int emit(struct judging *judging, const struct group *group, enum sonde_finding_kind kind, const struct sum *sum,
		bool low)
{
	const struct sonde_judge *judge = judging->judge;
	const struct sonde_finding_row *row = group->row;
	const struct sonde_finding_stat *stat = &sum->stat;
	bool repeat = !sonde_finding_single(kind), partial;
	struct sonde_finding *finding;
	u64 id;

	if (!stat->scopes)
		return 0;
	if (repeat && group->scope == SONDE_SCOPE_BURST &&
	    (kind == SONDE_FINDING_REDUNDANT_QUERY || !goes_through_rows(stat, judge->min_repeat)))
		return 0;
	id = sonde_judge_id(kind, group->scope, group->scope_name, row->key.id, row->process);
	if (sonde_judge_ignored(judge, id, row->key.id, group->query))
		return 0;
	finding = sonde_snapshot_finding(judging->snapshot);
	if (!finding)
		return -ENOMEM;
	finding->id = finding->block = id;
	finding->kind = kind;
	finding->confidence = repeat ? confidence(group, sum, low) : SONDE_CONFIDENCE_HIGH;
	finding->scope = group->scope;
	finding->proto = row->key.proto;
	finding->verb = row->key.verb;
	finding->partial = group->partial || !group->query;
	finding->scope_name = group->scope_name;
	finding->process = row->process;
	finding->pid = row->key.proc.tgid;
	finding->nr_procs = group->nr_procs;
	finding->server = row->server;
	finding->database = row->database;
	finding->query_id = row->key.id;
	finding->query = group->query ? group->query : "";
	numbers(finding, stat, repeat);
	finding->before_id = repeat ? stat->before : 0;
	if (repeat && stat->parent) {
		finding->parent_id = stat->parent;
		finding->parent = judge->text(judge->ctx, stat->parent, &partial);
		finding->parent_rows = stat->parent_calls ? (double)stat->parent_rows / (double)stat->parent_calls : 0;
		finding->parent_calls = stat->parents ? (double)stat->parent_calls / (double)stat->parents : 0;
	}
	if (group->scope != SONDE_SCOPE_PROCESS)
		finding->requests = sonde_requests_of(judge, group->scope, row->key.name, row->process);
	return set_site(finding, sum);
}

static void add_sum(struct sum *to, const struct sum *more)
{
	if (more->site && (!to->site || more->site->stat.same_stack > to->site->stat.same_stack))
		to->site = more->site;
	if (more->stack && (!to->stack || more->stack->stat.same_stack > to->stack->stat.same_stack))
		to->stack = more->stack;
	sonde_finding_merge_stat(&to->stat, &more->stat);
}

/* Reads that repeat: with other parameters it is an N+1, with the same ones redundant. */
static int judge_reads(struct judging *judging, struct group *group)
{
	struct sum *many = &group->sum[SONDE_FOUND_DISTINCT], *some = &group->sum[SONDE_FOUND_SOME];
	struct sum *same = &group->sum[SONDE_FOUND_SAME], *unknown = &group->sum[SONDE_FOUND_UNKNOWN];
	const struct sonde_finding_stat *stat = &unknown->stat;
	bool place = some->site && some->stat.same_stack * 2 >= some->stat.scopes, low = false;
	int err;

	if (some->stat.scopes && (place || many->stat.scopes >= some->stat.scopes))
		add_sum(many, some);
	else
		add_sum(same, some);
	if (stat->scopes) {
		bool rows = stat->parents && stat->rows_match * 2 >= stat->parents && stat->parents * 2 >= stat->scopes;

		low = !many->stat.scopes;
		if (!low || rows)
			add_sum(many, unknown);
	}
	err = emit(judging, group, SONDE_FINDING_N_PLUS_ONE, many, low);
	return err ? err : emit(judging, group, SONDE_FINDING_REDUNDANT_QUERY, same, false);
}

/* Writes that repeat, one row at a time; what writes many rows is a batch already. */
static int judge_writes(struct judging *judging, struct group *group)
{
	struct sum all = {};

	for (u32 class = SONDE_FOUND_DISTINCT; class < SONDE_FOUND_SLOW; class ++)
		add_sum(&all, &group->sum[class]);
	if (all.stat.rows > all.stat.calls)
		return 0;
	return emit(judging, group, SONDE_FINDING_WRITE_LOOP, &all, false);
}

static int judge_group(struct judging *judging, struct group *group)
{
	int err = 0;

	if (group->access == SONDE_ACCESS_READ)
		err = judge_reads(judging, group);
	else if (group->access == SONDE_ACCESS_WRITE)
		err = judge_writes(judging, group);
	if (!err)
		err = emit(judging, group, SONDE_FINDING_SLOW_QUERY, &group->sum[SONDE_FOUND_SLOW], false);
	if (!err)
		err = emit(judging, group, SONDE_FINDING_LARGE_RESULT, &group->sum[SONDE_FOUND_LARGE], false);
	return err;
}

static int finish(struct sonde_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->nr_findings; i++) {
		struct sonde_finding *finding = snapshot->findings[i];
		struct sonde_buf text = {};
		double share = finding->scope_ns ? (double)finding->waste_ns / (double)finding->scope_ns : -1;

		finding->share = share > 1 ? 1 : share; /* statements of one scope may run side by side */
		sonde_suggest(finding, &text);
		finding->suggestion =
			text.failed || !text.s ? NULL : sonde_strings_add(snapshot->strings, text.s, text.len);
		sonde_buf_free(&text);
		if (!finding->suggestion)
			return -ENOMEM;
	}
	return 0;
}

int sonde_judge(struct sonde_snapshot *snapshot, const struct sonde_judge *judge)
{
	struct judging judging = { .snapshot = snapshot, .judge = judge };
	int err = sonde_requests_list(judge, &judging.requests);

	for (size_t i = 0; i < judge->nr_rows && !err; i++)
		err = take_row(&judging, &judge->rows[i]);
	for (size_t i = 0; i < judging.nr_groups && !err; i++)
		err = judge_group(&judging, judging.groups[i]);
	if (!err)
		err = sonde_judge_process(snapshot, judge, &judging.requests);
	if (!err)
		err = sonde_judge_callers(snapshot, judge, &judging.requests);
	if (!err)
		err = sonde_judge_relate(snapshot);
	if (!err)
		err = finish(snapshot);
	snapshot->judged = true;
	for (size_t i = 0; i < judging.nr_groups; i++)
		free(judging.groups[i]);
	free(judging.groups);
	free(judging.requests.process);
	sonde_table_free(&judging.index, NULL);
	return err;
}
