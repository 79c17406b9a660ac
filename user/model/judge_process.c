// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge_process.c - requests of each process: who sends what, and statistics where statements cannot be put on requests.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "model/access.h"
#include "model/judge_parts.h"
#include "sonde/sql.h"

#define MIN_REQUESTS 20u /* fewer say nothing about the usual one */
#define DOUBT_PERCENT 2u

static bool same_proc(const struct sonde_proc *a, const struct sonde_proc *b)
{
	return a->tgid == b->tgid && a->start == b->start;
}

static struct sonde_requests *find(const struct sonde_requests_list *list, const struct sonde_proc *proc)
{
	for (size_t i = 0; i < list->nr; i++)
		if (same_proc(&list->process[i].proc, proc))
			return &list->process[i];
	return NULL;
}

int sonde_requests_list(const struct sonde_judge *judge, struct sonde_requests_list *list)
{
	struct sonde_requests *process, *more;

	*list = (struct sonde_requests_list){};
	for (size_t i = 0; i < judge->nr_callers; i++) {
		const struct sonde_caller_row *row = &judge->callers[i];

		if (row->key.id || row->key.scope >= SONDE_SCOPE_KINDS)
			continue;
		process = find(list, &row->key.proc);
		if (!process) {
			more = realloc(list->process, (list->nr + 1) * sizeof(*more));
			if (!more) {
				free(list->process);
				*list = (struct sonde_requests_list){};
				return -ENOMEM;
			}
			list->process = more;
			process = &more[list->nr++];
			*process = (struct sonde_requests){ .proc = row->key.proc, .process = row->process };
		}
		process->scopes[row->key.scope] += row->stat.scopes;
		process->sum_ns[row->key.scope] += row->stat.sum_ns;
	}
	for (size_t i = 0; i < list->nr; i++) {
		const u64 *scopes = list->process[i].scopes;
		u64 all = scopes[SONDE_SCOPE_COMMENT] + scopes[SONDE_SCOPE_REQUEST] + scopes[SONDE_SCOPE_ASYNC] +
			  scopes[SONDE_SCOPE_PROCESS];

		list->process[i].doubtful =
			scopes[SONDE_SCOPE_PROCESS] && scopes[SONDE_SCOPE_PROCESS] * 100 >= all * DOUBT_PERCENT;
	}
	return 0;
}

bool sonde_requests_doubtful(const struct sonde_requests_list *list, const struct sonde_proc *proc)
{
	const struct sonde_requests *process = find(list, proc);

	return process && process->doubtful;
}

u64 sonde_requests_of(const struct sonde_judge *judge, u32 scope, u64 name, const char *process)
{
	u64 scopes = 0;

	for (size_t i = 0; i < judge->nr_callers; i++) {
		const struct sonde_caller_row *row = &judge->callers[i];

		if (!row->key.id && row->key.scope == scope && row->key.name == name && !strcmp(row->process, process))
			scopes += row->stat.scopes;
	}
	return scopes;
}

static int by_query(const void *pa, const void *pb)
{
	const struct sonde_caller *a = pa, *b = pb;

	if (a->query_id != b->query_id)
		return a->query_id < b->query_id ? -1 : 1;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->calls != b->calls)
		return a->calls > b->calls ? -1 : 1;
	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	return strcmp(a->name, b->name);
}

int sonde_judge_callers(struct sonde_snapshot *snapshot, const struct sonde_judge *judge,
			const struct sonde_requests_list *list)
{
	struct sonde_caller *callers = calloc(judge->nr_callers + 1, sizeof(*callers)), *last;
	size_t nr = 0, kept = 0;
	bool partial;

	if (!callers)
		return -ENOMEM;
	for (size_t i = 0; i < judge->nr_callers; i++) {
		const struct sonde_caller_row *row = &judge->callers[i];
		bool guess = row->key.scope == SONDE_SCOPE_ASYNC && sonde_requests_doubtful(list, &row->key.proc);
		const char *name = NULL;

		if (!row->key.id)
			continue;
		if (row->key.name && !guess)
			name = judge->text(judge->ctx, row->key.name, &partial);
		callers[nr++] = (struct sonde_caller){ .query_id = row->key.id,
						       .pid = row->key.proc.tgid,
						       .scope = guess ? SONDE_SCOPE_PROCESS : row->key.scope,
						       .name = name ? name : "",
						       .process = row->process,
						       .scopes = row->stat.scopes,
						       .calls = row->stat.calls };
	}
	if (nr)
		qsort(callers, nr, sizeof(*callers), by_query);
	/* Rows whose names are not told are one. */
	for (size_t i = 0; i < nr; i++) {
		last = NULL;
		for (size_t j = kept; j-- > 0 && callers[j].query_id == callers[i].query_id &&
				      callers[j].pid == callers[i].pid && !last;)
			if (callers[j].scope == callers[i].scope && !strcmp(callers[j].name, callers[i].name))
				last = &callers[j];
		if (last) {
			last->scopes += callers[i].scopes;
			last->calls += callers[i].calls;
		} else {
			callers[kept++] = callers[i];
		}
	}
	if (kept)
		qsort(callers, kept, sizeof(*callers), by_query);
	snapshot->callers = callers;
	snapshot->nr_callers = kept;
	return 0;
}

/* One statement in all doubtful processes of one name. */
struct tally {
	const char *process;
	u64 id;
	u64 sketch[SONDE_SKETCH_WORDS];
};

static u32 distinct(const struct tally *tally)
{
	u32 bits = 0;

	for (u32 i = 0; i < SONDE_SKETCH_WORDS; i++)
		bits += (u32)__builtin_popcountll(tally->sketch[i]);
	return sonde_sketch_count(bits);
}

static bool is_doubtful(const struct sonde_requests_list *list, u32 pid, const char *name)
{
	for (size_t i = 0; i < list->nr; i++)
		if (list->process[i].doubtful && list->process[i].proc.tgid == pid &&
		    !strcmp(list->process[i].process, name))
			return true;
	return false;
}

static int judge_tally(struct sonde_snapshot *snapshot, const struct sonde_judge *judge,
		       const struct sonde_requests_list *list, const struct tally *tally)
{
	u64 requests = 0, requests_ns = 0, calls = 0, rows = 0, sum_ns = 0, each, id;
	const struct sonde_query *like = NULL;
	struct sonde_finding *finding;
	u32 wanted, nr_procs = 0;

	for (size_t i = 0; i < list->nr; i++) {
		const struct sonde_requests *process = &list->process[i];

		if (!process->doubtful || strcmp(process->process, tally->process))
			continue;
		requests += process->scopes[SONDE_SCOPE_ASYNC] + process->scopes[SONDE_SCOPE_PROCESS];
		requests_ns += process->sum_ns[SONDE_SCOPE_ASYNC] + process->sum_ns[SONDE_SCOPE_PROCESS];
		nr_procs++;
	}
	for (size_t i = 0; i < snapshot->nr_queries; i++) {
		const struct sonde_query *query = snapshot->queries[i];

		if (query->id != tally->id || query->role != SONDE_ROLE_CLIENT ||
		    strcmp(query->process, tally->process) || !is_doubtful(list, query->pid, query->process))
			continue;
		like = like ? like : query;
		calls += query->count;
		rows += query->rows;
		sum_ns += query->done.sum_ns;
	}
	if (!like || requests < MIN_REQUESTS)
		return 0;
	each = calls / requests;
	wanted = each / 2 > SONDE_SKETCH_MAX ? SONDE_SKETCH_MAX : (u32)(each / 2);
	if (each < judge->min_repeat || distinct(tally) < (wanted > 2 ? wanted : 2))
		return 0;
	id = sonde_judge_id(SONDE_FINDING_N_PLUS_ONE, SONDE_SCOPE_PROCESS, tally->process, tally->id, tally->process);
	if (sonde_judge_ignored(judge, id, tally->id, like->text))
		return 0;
	finding = sonde_snapshot_finding(snapshot);
	if (!finding)
		return -ENOMEM;
	finding->id = finding->block = id;
	finding->kind = SONDE_FINDING_N_PLUS_ONE;
	finding->confidence = SONDE_CONFIDENCE_LOW;
	finding->scope = SONDE_SCOPE_PROCESS;
	finding->proto = like->proto;
	finding->verb = sonde_proto_sql(like->proto) ? SONDE_SQL_SELECT : 0;
	finding->partial = like->partial || !like->text;
	finding->scope_name = finding->process = tally->process;
	finding->pid = like->pid;
	finding->nr_procs = nr_procs;
	finding->server = like->server;
	finding->database = like->database;
	finding->query_id = tally->id;
	finding->query = like->text ? like->text : "";
	finding->scopes = finding->requests = requests;
	finding->calls = calls;
	finding->calls_median = each > UINT32_MAX ? UINT32_MAX : (u32)each;
	finding->distinct = distinct(tally);
	finding->rows = rows;
	finding->waste_ns = (u64)((double)sum_ns * (double)(calls - requests) / (double)calls);
	finding->scope_ns = requests_ns;
	finding->each_ns = sum_ns / calls;
	finding->first_seen_ns = like->first_seen_ns;
	finding->last_seen_ns = like->last_seen_ns;
	return 0;
}

/* A read by its text: the kernel's rows of callers do not say what a statement does. */
static bool reads(const struct sonde_snapshot *snapshot, u64 id, u32 pid)
{
	for (size_t i = 0; i < snapshot->nr_queries; i++) {
		const struct sonde_query *query = snapshot->queries[i];
		bool select;

		if (query->id != id || query->pid != pid || !query->text || query->named)
			continue;
		select = sonde_proto_sql(query->proto) && !strncmp(query->text, "select", 6);
		return sonde_access(query->proto, select ? SONDE_SQL_SELECT : 0, query->text) == SONDE_ACCESS_READ &&
		       !sonde_access_catalog(query->proto, query->text) && sonde_access_data(query->proto, query->text);
	}
	return false;
}

int sonde_judge_process(struct sonde_snapshot *snapshot, const struct sonde_judge *judge,
			const struct sonde_requests_list *list)
{
	struct sonde_table index = {};
	int err = 0;

	for (size_t i = 0; i < judge->nr_callers && !err; i++) {
		const struct sonde_caller_row *row = &judge->callers[i];
		struct tally *tally;
		u64 key;

		if (!row->key.id || row->key.scope != SONDE_SCOPE_PROCESS ||
		    !sonde_requests_doubtful(list, &row->key.proc) || !reads(snapshot, row->key.id, row->key.proc.tgid))
			continue;
		key = sonde_judge_id(SONDE_FINDING_KINDS, SONDE_SCOPE_PROCESS, "", row->key.id, row->process);
		tally = sonde_table_get(&index, key);
		if (!tally) {
			tally = calloc(1, sizeof(*tally));
			if (!tally || sonde_table_put(&index, key, tally)) {
				free(tally);
				err = -ENOMEM;
				break;
			}
			tally->process = row->process;
			tally->id = row->key.id;
		}
		for (u32 w = 0; w < SONDE_SKETCH_WORDS; w++)
			tally->sketch[w] |= row->stat.sketch[w];
	}
	for (size_t i = 0; i < index.size && !err; i++)
		if (index.slots[i].value)
			err = judge_tally(snapshot, judge, list, index.slots[i].value);
	sonde_table_free(&index, free);
	return err;
}
