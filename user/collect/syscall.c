// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall.c - collects system calls: the pure half.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "collect/syscall.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "model/syscall_name.h"

struct row {
	struct sonde_syscall_key key;
	struct sonde_syscall_stat stat;
};

struct name {
	const char *comm;
	const char *cgroup;
};

struct sonde_sysc {
	struct sonde_strings *strings;
	struct sonde_table procs; /* tgid and start -> struct name */
	struct sonde_table threads; /* tid -> struct name */
	struct sonde_table counts; /* hash of a row's key -> u64, its calls at the previous snapshot */
	struct row *rows;
	size_t nr_rows;
	size_t room;
	struct sonde_syscall_errno *errors;
	u64 *error_counts;
	size_t nr_errors;
	size_t error_room;
	struct sonde_syscall_now *now;
	size_t nr_now;
	size_t now_room;
	u64 counter[SONDE_CNT_MAX];
	enum sonde_syscall_by by;
	u64 min_ns;
	u64 told;
};

struct sonde_sysc *sonde_sysc_new(void)
{
	struct sonde_sysc *sysc = calloc(1, sizeof(*sysc));

	if (sysc)
		sysc->strings = sonde_strings_new();
	if (sysc && sysc->strings)
		return sysc;
	free(sysc);
	return NULL;
}

void sonde_sysc_free(struct sonde_sysc *sysc)
{
	if (!sysc)
		return;
	sonde_table_free(&sysc->procs, free);
	sonde_table_free(&sysc->threads, free);
	sonde_table_free(&sysc->counts, free);
	sonde_strings_put(sysc->strings);
	free(sysc->rows);
	free(sysc->errors);
	free(sysc->error_counts);
	free(sysc->now);
	free(sysc);
}

void sonde_sysc_by(struct sonde_sysc *sysc, enum sonde_syscall_by by, u64 min_ns)
{
	sysc->by = by;
	sysc->min_ns = min_ns;
}

void sonde_sysc_begin(struct sonde_sysc *sysc)
{
	sysc->nr_rows = sysc->nr_errors = sysc->nr_now = 0;
}

/* Room for one more element of @bytes at *@list. */
static int grow(void **list, size_t nr, size_t *room, size_t bytes)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *more;

	if (nr < *room)
		return 0;
	more = realloc(*list, wanted * bytes);
	if (!more)
		return -ENOMEM;
	*list = more;
	*room = wanted;
	return 0;
}

int sonde_sysc_row(struct sonde_sysc *sysc, const struct sonde_syscall_key *key, const struct sonde_syscall_stat *stat)
{
	if (!stat->count)
		return 0; /* just made, its first call is being added */
	if (grow((void **)&sysc->rows, sysc->nr_rows, &sysc->room, sizeof(*sysc->rows)))
		return -ENOMEM;
	sysc->rows[sysc->nr_rows++] = (struct row){ .key = *key, .stat = *stat };
	return 0;
}

int sonde_sysc_error(struct sonde_sysc *sysc, const struct sonde_syscall_errno *key, u64 count)
{
	size_t room = sysc->error_room;

	if (grow((void **)&sysc->errors, sysc->nr_errors, &room, sizeof(*sysc->errors)) ||
	    grow((void **)&sysc->error_counts, sysc->nr_errors, &sysc->error_room, sizeof(u64)))
		return -ENOMEM;
	sysc->errors[sysc->nr_errors] = *key;
	sysc->error_counts[sysc->nr_errors++] = count;
	return 0;
}

int sonde_sysc_now(struct sonde_sysc *sysc, const struct sonde_syscall_call *call, u64 now_ns)
{
	if (grow((void **)&sysc->now, sysc->nr_now, &sysc->now_room, sizeof(*sysc->now)))
		return -ENOMEM;
	sysc->now[sysc->nr_now++] = (struct sonde_syscall_now){
		.call = *call,
		.since_ns = now_ns > call->start_ns ? now_ns - call->start_ns : 0,
	};
	return 0;
}

static u64 proc_key(const struct sonde_proc *proc)
{
	return (u64)proc->start << 32 | proc->tgid;
}

static int put_name(struct sonde_sysc *sysc, struct sonde_table *table, u64 key, const char *comm, const char *cgroup)
{
	struct name *name = sonde_table_get(table, key);

	if (!name) {
		name = calloc(1, sizeof(*name));
		if (!name)
			return -ENOMEM;
		if (sonde_table_put(table, key, name)) {
			free(name);
			return -ENOMEM;
		}
	}
	name->comm = sonde_strings_add(sysc->strings, comm, strlen(comm));
	name->cgroup = sonde_strings_add(sysc->strings, cgroup, strlen(cgroup));
	return name->comm && name->cgroup ? 0 : -ENOMEM;
}

int sonde_sysc_proc(struct sonde_sysc *sysc, const struct sonde_proc *proc, const char *comm, const char *cgroup)
{
	return put_name(sysc, &sysc->procs, proc_key(proc), comm, cgroup);
}

int sonde_sysc_thread(struct sonde_sysc *sysc, u32 tid, const char *comm)
{
	return put_name(sysc, &sysc->threads, tid, comm, "");
}

const char *sonde_sysc_process(const struct sonde_sysc *sysc, const struct sonde_proc *proc)
{
	const struct name *name = sonde_table_get(&sysc->procs, proc_key(proc));

	return name && name->comm ? name->comm : "";
}

int sonde_sysc_missing(struct sonde_sysc *sysc, void *ctx,
		       int (*proc)(struct sonde_sysc *sysc, void *ctx, const struct sonde_proc *proc),
		       int (*thread)(struct sonde_sysc *sysc, void *ctx, u32 pid, u32 tid))
{
	const struct sonde_proc *last = NULL;
	int err = 0;

	for (size_t i = 0; i < sysc->nr_rows + sysc->nr_now && !err; i++) {
		const struct sonde_syscall_key *key =
			i < sysc->nr_rows ? &sysc->rows[i].key : &sysc->now[i - sysc->nr_rows].call.key;

		if (!last || memcmp(last, &key->proc, sizeof(*last)))
			err = proc(sysc, ctx, &key->proc);
		last = &key->proc;
		if (!err && key->tid && !sonde_table_get(&sysc->threads, key->tid))
			err = thread(sysc, ctx, key->proc.tgid, key->tid);
	}
	return err;
}

void sonde_sysc_counters(struct sonde_sysc *sysc, const u64 counter[SONDE_CNT_MAX])
{
	memcpy(sysc->counter, counter, sizeof(sysc->counter));
}

void sonde_sysc_told(struct sonde_sysc *sysc, u64 told)
{
	sysc->told = told;
}

bool sonde_syscall_event(const void *event, size_t size, struct sonde_event_syscall *out)
{
	struct sonde_event head;

	if (size < sizeof(*out))
		return false;
	memcpy(&head, event, sizeof(head));
	if (head.type != SONDE_EVENT_SYSCALL)
		return false;
	memcpy(out, event, sizeof(*out));
	out->comm[sizeof(out->comm) - 1] = '\0';
	out->file.path[sizeof(out->file.path) - 1] = '\0';
	return true;
}

static u64 hash_of(const struct sonde_syscall_key *key)
{
	u64 word[2];

	memcpy(word, key, sizeof(word));
	return sonde_mix64(sonde_mix64(SONDE_FNV_BASIS ^ word[0]) ^ word[1]);
}

/* Calls since the previous snapshot. */
static int recent_calls(struct sonde_sysc *sysc, const struct row *row, u64 *recent)
{
	u64 key = hash_of(&row->key), *before = sonde_table_get(&sysc->counts, key);

	if (!before) {
		before = calloc(1, sizeof(*before));
		if (!before || sonde_table_put(&sysc->counts, key, before)) {
			free(before);
			return -ENOMEM;
		}
	}
	*recent = row->stat.count - *before;
	*before = row->stat.count;
	return 0;
}

static const char *call_name(struct sonde_sysc *sysc, u32 nr)
{
	const char *name = sonde_syscall_name(nr);
	char number[32];

	if (name)
		return name;
	snprintf(number, sizeof(number), "syscall_%u", nr);
	return sonde_strings_add(sysc->strings, number, strlen(number));
}

static const char *on_name(u32 kind)
{
	static const char *const names[SONDE_FILE_KIND_MAX] = {
#define SONDE_FILE_KIND(symbol, name) [SONDE_FILE_##symbol] = name,
		SONDE_FILE_KINDS(SONDE_FILE_KIND)
#undef SONDE_FILE_KIND
	};

	return kind < SONDE_FILE_KIND_MAX ? names[kind] : "";
}

static int fill_row(struct sonde_sysc *sysc, struct sonde_syscall *to, const struct row *row)
{
	const struct name *proc = sonde_table_get(&sysc->procs, proc_key(&row->key.proc));
	const struct name *thread = row->key.tid ? sonde_table_get(&sysc->threads, row->key.tid) : NULL;
	u32 what = sonde_syscall_what(row->key.nr);

	to->name = call_name(sysc, row->key.nr);
	to->on = on_name(row->key.on);
	to->nr = row->key.nr;
	to->pid = row->key.proc.tgid;
	to->tid = row->key.tid;
	to->waits = what & SONDE_SYSCALL_WAITS || (what & SONDE_SYSCALL_READS && row->key.on > SONDE_FILE_BLOCK);
	to->process = proc ? proc->comm : "";
	to->cgroup = proc ? proc->cgroup : "";
	to->thread = thread ? thread->comm : "";
	to->count = row->stat.count;
	to->errors = row->stat.errors;
	to->hist = row->stat.hist;
	sonde_hist_tidy(&to->hist);
	return to->name ? recent_calls(sysc, row, &to->recent) : -ENOMEM;
}

static int fill(struct sonde_sysc *sysc, struct sonde_syscalls *calls)
{
	struct sonde_table by_key = {};
	struct sonde_syscall *row;
	int err = 0;

	calls->by = sysc->by;
	calls->min_ns = sysc->min_ns;
	calls->told = sysc->told;
	for (size_t i = 0; i < sysc->nr_rows && !err; i++) {
		row = sonde_syscalls_row(calls);
		err = row ? fill_row(sysc, row, &sysc->rows[i]) : -ENOMEM;
		if (!err)
			err = sonde_table_put(&by_key, hash_of(&sysc->rows[i].key), row);
	}
	for (size_t i = 0; i < sysc->nr_errors && !err; i++) {
		row = sonde_table_get(&by_key, hash_of(&sysc->errors[i].row));
		if (row)
			err = sonde_syscall_add_error(row, sysc->errors[i].error, sysc->error_counts[i]);
	}
	sonde_table_free(&by_key, NULL);
	if (err || !sysc->nr_now)
		return err;
	calls->now = calloc(sysc->nr_now, sizeof(*calls->now));
	if (!calls->now)
		return -ENOMEM;
	for (size_t i = 0; i < sysc->nr_now; i++) {
		calls->now[i] = sysc->now[i];
		calls->now[i].process = sonde_sysc_process(sysc, &sysc->now[i].call.key.proc);
	}
	calls->nr_now = sysc->nr_now;
	return 0;
}

struct sonde_snapshot *sonde_sysc_snapshot(struct sonde_sysc *sysc)
{
	struct sonde_snapshot *snapshot = sonde_snapshot_new(sysc->strings);
	u64 lost;

	if (!snapshot)
		return NULL;
	snapshot->view = SONDE_VIEW_SYSCALL;
	memcpy(snapshot->counter, sysc->counter, sizeof(snapshot->counter));
	snapshot->syscalls = sonde_syscalls_new();
	if (!snapshot->syscalls || fill(sysc, snapshot->syscalls)) {
		sonde_snapshot_free(snapshot);
		return NULL;
	}
	sonde_syscalls_sort(snapshot->syscalls);
	lost = sysc->counter[SONDE_CNT_LOST_SYSCALL_ROWS];
	snapshot->counter[SONDE_CNT_ATTRIBUTED] = sonde_syscalls_count(snapshot->syscalls);
	snapshot->counter[SONDE_CNT_TIMED] = snapshot->counter[SONDE_CNT_ATTRIBUTED] + lost;
	snapshot->counter[SONDE_CNT_SEEN] =
		snapshot->counter[SONDE_CNT_TIMED] + sysc->nr_now + sysc->counter[SONDE_CNT_LOST_SYSCALL_MEMORY];
	return snapshot;
}
