// SPDX-License-Identifier: GPL-2.0-only
/*
 * rows.c - two readings become rows: what happened between them, or since the start, by process, statement, endpoint, call.
 *
 * A process gets its bytes from its statements and requests (add_query()), processors and run queue from /proc (add_machine()): what
 * measures them better fills the same members.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "model/finding.h"
#include "model/hist.h"
#include "model/machine.h"
#include "model/snapshot.h"
#include "model/syscall.h"
#include "top/top.h"

/* The rows under way. */
struct making {
	struct sonde_top_view *view;
	const struct sonde_top_state *state;
	const struct sonde_top_reading *now;
	const struct sonde_top_reading *before; /* NULL: totals */
	struct sonde_table index[SONDE_TOP_PAGES]; /* key -> 1 + number of the row */
	struct sonde_table pids; /* pid -> 1 + number of the row of PROCESSES */
	bool failed;
};

static u64 mix_text(u64 hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (u8)*text) * SONDE_FNV_PRIME;
	return sonde_mix64(hash);
}

static u64 mix(u64 hash, u64 value)
{
	return sonde_mix64(hash ^ value);
}

static u64 process_key(const struct making *making, const char *process, u32 pid)
{
	u64 key = mix_text(SONDE_FNV_BASIS, process);

	return (making->state->by_pid ? mix(key, pid) : key) | 1;
}

/* The row of @key on @page, made if need be; NULL when out of memory. */
static struct sonde_top_row *row_of(struct making *making, enum sonde_top_page page, u64 key)
{
	struct sonde_top_list *list = &making->view->list[page];
	size_t number = (size_t)(uintptr_t)sonde_table_get(&making->index[page], key);
	size_t room = list->room ? list->room * 2 : 64;
	struct sonde_top_row *more;

	if (number)
		return &list->row[number - 1];
	if (list->nr == list->room) {
		more = realloc(list->row, room * sizeof(*more));
		if (!more)
			goto err;
		list->row = more;
		list->room = room;
	}
	if (sonde_table_put(&making->index[page], key, (void *)(uintptr_t)(list->nr + 1)))
		goto err;
	list->row[list->nr] = (struct sonde_top_row){ .key = key, .process = "", .what = "" };
	return &list->row[list->nr++];
err:
	making->failed = true;
	return NULL;
}

static void add_hist(struct making *making, struct sonde_top_row *row, const struct sonde_hist *now, const struct sonde_hist *before)
{
	if (!row->hist)
		row->hist = calloc(1, sizeof(*row->hist));
	if (!row->hist) {
		making->failed = true;
		return;
	}
	if (!before) {
		sonde_hist_merge(row->hist, now);
		return;
	}
	for (u32 i = 0; i < SONDE_HIST_BUCKETS; i++)
		if (now->bucket[i] > before->bucket[i])
			row->hist->bucket[i] += now->bucket[i] - before->bucket[i];
	if (now->sum_ns > before->sum_ns)
		row->hist->sum_ns += now->sum_ns - before->sum_ns;
	/* The extremes of an interval are not known to more than a bucket, unless they are new. */
	if (now->max_ns > before->max_ns && now->max_ns > row->hist->max_ns)
		row->hist->max_ns = now->max_ns;
}

static u64 since(u64 now, u64 before)
{
	return now > before ? now - before : 0;
}

static void note_pid(struct sonde_top_row *row, const char *process, u32 pid)
{
	if (!row->nr_procs) {
		row->process = process;
		row->pid = pid;
		row->nr_procs = 1;
	} else if (row->pid != pid) {
		row->nr_procs++; /* corrected by count_procs() */
	}
}

/* The row of a process; found by its number, too. */
static struct sonde_top_row *process_row(struct making *making, const char *process, u32 pid)
{
	size_t known = (size_t)(uintptr_t)sonde_table_get(&making->pids, pid);
	struct sonde_top_row *row;

	if (known)
		return &making->view->list[SONDE_TOP_PROCESSES].row[known - 1];
	row = row_of(making, SONDE_TOP_PROCESSES, process_key(making, process, pid));
	if (!row)
		return NULL;
	note_pid(row, process, pid);
	if (sonde_table_put(&making->pids, pid, (void *)(uintptr_t)(row - making->view->list[SONDE_TOP_PROCESSES].row + 1)))
		making->failed = true;
	return row;
}

/* ---- statements and endpoints ---- */

static u64 query_key(const struct sonde_query *query)
{
	u64 key = mix(mix(SONDE_FNV_BASIS, query->id), (u64)query->proto << 8 | query->role);

	return mix_text(mix_text(mix_text(key, query->process), query->server), query->database);
}

static u64 query_pid_key(const struct sonde_query *query)
{
	return mix(query_key(query), query->pid) | 1;
}

static int index_queries(struct sonde_table *table, struct sonde_query *const *queries, size_t nr)
{
	int err = 0;

	for (size_t i = 0; i < nr && !err; i++)
		err = sonde_table_put(table, query_pid_key(queries[i]), queries[i]);
	return err;
}

static void add_query(struct making *making, enum sonde_top_page page, const struct sonde_query *now, const struct sonde_query *before)
{
	static const struct sonde_query none;
	struct sonde_top_row *row =
		row_of(making, page, (making->state->by_pid ? query_pid_key(now) : query_key(now)) | 1), *process;
	bool http = page == SONDE_TOP_ENDPOINTS;
	const struct sonde_query *was = before ? before : &none;
	u64 calls = since(now->count, was->count), time = since(now->done.sum_ns, was->done.sum_ns);
	u64 errors = http ? since(now->error_class[SONDE_HTTP_5XX], was->error_class[SONDE_HTTP_5XX]) : since(now->errors, was->errors);
	u64 sent = since(now->sent_bytes, was->sent_bytes), received = since(now->recv_bytes, was->recv_bytes);
	struct sonde_top_sums *sums = &making->view->sums;

	if (!row)
		return;
	note_pid(row, now->process, now->pid);
	if (!row->query)
		row->query = now;
	row->what = now->text ? now->text : now->name;
	row->calls += calls;
	row->time_ns += now->waits ? 0 : time;
	row->errors += errors;
	row->rows += since(now->rows, was->rows);
	row->sent += sent;
	row->received += received;
	row->requests_all += now->count;
	if (http)
		row->refused += since(now->error_class[SONDE_HTTP_4XX], was->error_class[SONDE_HTTP_4XX]);
	add_hist(making, row, &now->done, before ? &before->done : NULL);
	*(http ? &sums->requests : &sums->calls) += calls;
	*(http ? &sums->failed : &sums->errors) += errors;
	process = process_row(making, now->process, now->pid);
	if (!process)
		return;
	process->errors += errors;
	process->sent += sent;
	process->received += received;
	if (http) {
		process->requests += calls;
		return;
	}
	process->calls += calls;
	process->time_ns += now->waits ? 0 : time;
	sums->time_ns += now->waits ? 0 : time;
}

static void add_queries(struct making *making, enum sonde_top_page page)
{
	const struct sonde_snapshot *now = making->now->rows, *before = making->before ? making->before->rows : NULL;
	bool http = page == SONDE_TOP_ENDPOINTS;
	size_t nr = http ? now->nr_endpoints : now->nr_queries;
	struct sonde_query **query = http ? now->endpoints : now->queries;
	struct sonde_table known = {};

	if (before && index_queries(&known, http ? before->endpoints : before->queries,
				    http ? before->nr_endpoints : before->nr_queries))
		making->failed = true;
	for (size_t i = 0; i < nr; i++)
		add_query(making, page, query[i], before ? sonde_table_get(&known, query_pid_key(query[i])) : NULL);
	sonde_table_free(&known, NULL);
}

/* Statements that requests of an endpoint have sent, since the start: what is known of callers is no rate. */
static void add_callers(struct making *making)
{
	const struct sonde_snapshot *now = making->now->rows;
	const struct sonde_top_list *list = &making->view->list[SONDE_TOP_ENDPOINTS];
	struct sonde_table calls = {};

	for (size_t i = 0; i < now->nr_callers; i++) {
		const struct sonde_caller *caller = &now->callers[i];
		u64 key = mix_text(mix_text(SONDE_FNV_BASIS, caller->name), caller->process);
		u64 sum = (u64)(uintptr_t)sonde_table_get(&calls, key) + caller->calls;

		if (caller->name[0] && caller->calls && sonde_table_put(&calls, key, (void *)(uintptr_t)sum))
			making->failed = true;
	}
	for (size_t i = 0; i < list->nr; i++)
		list->row[i].queries = (u64)(uintptr_t)sonde_table_get(
			&calls, mix_text(mix_text(SONDE_FNV_BASIS, list->row[i].what), list->row[i].process));
	sonde_table_free(&calls, NULL);
}

/* ---- findings, since the start ---- */

static void add_findings(struct making *making)
{
	const struct sonde_snapshot *now = making->now->rows;

	for (size_t i = 0; i < now->nr_findings; i++) {
		const struct sonde_finding *finding = now->findings[i];
		struct sonde_top_row *row = row_of(making, SONDE_TOP_FINDINGS, mix(finding->id, finding->pid) | 1);

		if (!row)
			return;
		row->finding = finding;
		row->process = finding->process;
		row->pid = finding->pid;
		row->nr_procs = finding->nr_procs;
		row->what = finding->query ? finding->query : "";
		row->time_ns = finding->waste_ns;
		row->calls = finding->scopes;
	}
}

/* ---- system calls ---- */

static u64 call_key(const struct sonde_syscall *call)
{
	return mix_text(mix_text(mix(SONDE_FNV_BASIS, call->nr), call->on), call->process);
}

static void add_calls(struct making *making)
{
	const struct sonde_syscalls *now = making->now->calls ? making->now->calls->syscalls : NULL;
	const struct sonde_syscalls *before =
		making->before && making->before->calls ? making->before->calls->syscalls : NULL;
	struct sonde_table known = {};

	/* They were not counted at the beginning of the interval: what they have been since is not known. */
	if (making->before && !before)
		return;
	for (size_t i = 0; before && i < before->nr; i++)
		if (sonde_table_put(&known, mix(call_key(before->row[i]), before->row[i]->pid), before->row[i]))
			making->failed = true;
	for (size_t i = 0; now && i < now->nr; i++) {
		const struct sonde_syscall *call = now->row[i], *was;
		struct sonde_top_row *row;
		u64 key = call_key(call), calls;

		was = before ? sonde_table_get(&known, mix(key, call->pid)) : NULL;
		calls = since(call->count, was ? was->count : 0);
		if (!calls)
			continue;
		row = row_of(making, SONDE_TOP_SYSCALLS, (making->state->by_pid ? mix(key, call->pid) : key) | 1);
		if (!row)
			break;
		note_pid(row, call->process, call->pid);
		if (!row->call)
			row->call = call;
		row->what = call->name;
		row->calls += calls;
		row->errors += since(call->errors, was ? was->errors : 0);
		if (!call->waits)
			row->time_ns += since(call->hist.sum_ns, was ? was->hist.sum_ns : 0);
		add_hist(making, row, &call->hist, was ? &was->hist : NULL);
	}
	sonde_table_free(&known, NULL);
}

/* ---- processes ---- */

static u64 ticks_ns(const struct sonde_machine *machine, u64 ticks)
{
	return machine->ticks_per_s ? ticks * (1000000000ULL / machine->ticks_per_s) : 0;
}

/* @since: the reading that differences are taken to: totals count from the run's start, as those of statements do. */
static void add_machine(struct making *making, const struct sonde_machine *from)
{
	const struct sonde_machine *now = making->now->machine;
	struct sonde_top_sums *sums = &making->view->sums;

	sums->nr_cpus = now->nr_cpus;
	if (!from)
		return;
	sums->cpu_ns = ticks_ns(now, since(now->busy_ticks, from->busy_ticks));
	sums->received = since(now->received_bytes, from->received_bytes);
	sums->sent = since(now->sent_bytes, from->sent_bytes);
	for (size_t i = 0; i < now->nr; i++) {
		const struct sonde_machine_proc *proc = &now->procs[i], *was = sonde_machine_find(from, proc->pid);
		bool same = was && was->start == proc->start;
		u64 cpu = ticks_ns(now, since(proc->ticks, same ? was->ticks : 0));
		u64 wait = since(proc->wait_ns, same ? was->wait_ns : 0);
		struct sonde_top_row *row;

		sums->wait_ns += wait;
		if (!sonde_table_get(&making->pids, proc->pid) && (proc->kernel || making->state->narrow || !(cpu + wait)))
			continue;
		row = process_row(making, proc->comm, proc->pid);
		if (!row)
			return;
		row->cpu_ns += cpu;
		row->wait_ns += wait;
	}
}

/* How many processes a row stands for: each of a page's rows has noted every change of number, not every number. */
static void count_procs(struct making *making)
{
	struct sonde_top_list *list = &making->view->list[SONDE_TOP_PROCESSES];

	for (size_t i = 0; i < list->nr; i++)
		list->row[i].nr_procs = 0;
	for (size_t i = 0; i < making->pids.size; i++)
		if (making->pids.slots[i].value)
			list->row[(uintptr_t)making->pids.slots[i].value - 1].nr_procs++;
}

static void finish(struct making *making)
{
	for (size_t page = 0; page < SONDE_TOP_PAGES; page++) {
		struct sonde_top_list *list = &making->view->list[page];

		for (size_t i = 0; i < list->nr; i++) {
			if (!list->row[i].hist)
				continue;
			sonde_hist_tidy(list->row[i].hist);
			list->row[i].p99_ns = sonde_hist_quantile(list->row[i].hist, 0.99);
		}
	}
	count_procs(making);
}

int sonde_top_rows(struct sonde_top_view *view, const struct sonde_top_state *state, const struct sonde_top_reading *first,
		   const struct sonde_top_reading *before, const struct sonde_top_reading *now)
{
	const struct sonde_top_reading *from = state->totals ? first : before;
	struct making making = {
		.view = view,
		.state = state,
		.now = now,
		.before = state->totals ? NULL : before,
	};
	struct sonde_coverage coverage;

	view->now = now;
	view->sums.window_ns = from ? since(now->at_ns, from->at_ns) : now->rows ? now->rows->duration_ns : 0;
	if (now->rows) {
		add_queries(&making, SONDE_TOP_QUERIES);
		add_queries(&making, SONDE_TOP_ENDPOINTS);
		add_callers(&making);
		add_findings(&making);
		sonde_snapshot_coverage(now->rows, &coverage);
		view->sums.lost = coverage.lost;
		view->sums.doubts = coverage.doubts;
	}
	add_calls(&making);
	if (now->machine)
		add_machine(&making, from ? from->machine : NULL);
	finish(&making);
	for (size_t i = 0; i < SONDE_TOP_PAGES; i++)
		sonde_table_free(&making.index[i], NULL);
	sonde_table_free(&making.pids, NULL);
	return making.failed ? -ENOMEM : 0;
}
