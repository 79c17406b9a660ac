// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall.c - system calls as a report shows them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "model/hist.h"
#include "model/syscall.h"

struct sonde_syscalls *sonde_syscalls_new(void)
{
	return calloc(1, sizeof(struct sonde_syscalls));
}

void sonde_syscalls_free(struct sonde_syscalls *calls)
{
	if (!calls)
		return;
	for (size_t i = 0; i < calls->nr; i++) {
		free(calls->row[i]->error);
		free(calls->row[i]);
	}
	free(calls->row);
	free(calls->now);
	free(calls);
}

struct sonde_syscall *sonde_syscalls_row(struct sonde_syscalls *calls)
{
	size_t room = calls->room ? calls->room * 2 : 64;
	struct sonde_syscall *row, **more;

	if (calls->nr == calls->room) {
		more = realloc(calls->row, room * sizeof(*more));
		if (!more)
			return NULL;
		calls->row = more;
		calls->room = room;
	}
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->name = row->on = row->process = row->thread = row->cgroup = "";
	row->nr_procs = 1;
	calls->row[calls->nr++] = row;
	return row;
}

int sonde_syscall_add_error(struct sonde_syscall *row, u32 error, u64 count)
{
	struct sonde_syscall_error *more;

	for (size_t i = 0; i < row->nr_errors; i++) {
		if (row->error[i].error == error) {
			row->error[i].count += count;
			return 0;
		}
	}
	more = realloc(row->error, (row->nr_errors + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	row->error = more;
	more[row->nr_errors++] = (struct sonde_syscall_error){ .error = error, .count = count };
	return 0;
}

static int by_time(const void *pa, const void *pb)
{
	const struct sonde_syscall *a = *(struct sonde_syscall *const *)pa, *b = *(struct sonde_syscall *const *)pb;
	int order = sonde_compare(a->waits, b->waits);

	if (!order)
		order = sonde_compare(b->hist.sum_ns, a->hist.sum_ns);
	if (!order)
		order = sonde_compare(b->count, a->count);
	if (!order)
		order = sonde_compare(a->pid, b->pid);
	if (!order)
		order = sonde_compare(a->tid, b->tid);
	return order ? order : sonde_compare(a->nr, b->nr);
}

static int by_since(const void *pa, const void *pb)
{
	const struct sonde_syscall_now *a = pa, *b = pb;
	int order = sonde_compare(!!(a->call.what & SONDE_SYSCALL_WAITS), !!(b->call.what & SONDE_SYSCALL_WAITS));

	return order ? order : sonde_compare(b->since_ns, a->since_ns);
}

static int by_error_count(const void *pa, const void *pb)
{
	const struct sonde_syscall_error *a = pa, *b = pb;
	int order = sonde_compare(b->count, a->count);

	return order ? order : sonde_compare(a->error, b->error);
}

void sonde_syscalls_sort(struct sonde_syscalls *calls)
{
	for (size_t i = 0; i < calls->nr; i++)
		if (calls->row[i]->nr_errors)
			qsort(calls->row[i]->error, calls->row[i]->nr_errors, sizeof(struct sonde_syscall_error),
			      by_error_count);
	if (calls->nr)
		qsort(calls->row, calls->nr, sizeof(*calls->row), by_time);
	if (calls->nr_now)
		qsort(calls->now, calls->nr_now, sizeof(*calls->now), by_since);
}

/* Whether two rows are one in a report that is grouped. */
static bool same(const struct sonde_syscall *a, const struct sonde_syscall *b, enum sonde_syscall_by by)
{
	if (a->nr != b->nr || strcmp(a->on, b->on))
		return false;
	switch (by) {
	case SONDE_SYSCALL_BY_CALL:
		return true;
	case SONDE_SYSCALL_BY_PROCESS:
		return !strcmp(a->process, b->process);
	case SONDE_SYSCALL_BY_CGROUP:
		return !strcmp(a->cgroup, b->cgroup);
	case SONDE_SYSCALL_BY_THREAD:
		break;
	}
	return a->pid == b->pid && a->tid == b->tid;
}

static int merge(struct sonde_syscall *to, const struct sonde_syscall *more)
{
	int err = 0;

	if (strcmp(to->process, more->process))
		to->process = ""; /* several */
	to->nr_procs += to->pid != more->pid;
	to->count += more->count;
	to->errors += more->errors;
	to->recent += more->recent;
	sonde_hist_merge(&to->hist, &more->hist);
	for (size_t i = 0; i < more->nr_errors && !err; i++)
		err = sonde_syscall_add_error(to, more->error[i].error, more->error[i].count);
	return err;
}

struct sonde_syscalls *sonde_syscalls_group(const struct sonde_syscalls *calls)
{
	struct sonde_syscalls *group = sonde_syscalls_new();
	struct sonde_syscall *row;

	if (!group)
		return NULL;
	group->by = calls->by;
	group->min_ns = calls->min_ns;
	group->told = calls->told;
	for (size_t i = 0; i < calls->nr; i++) {
		row = NULL;
		for (size_t j = 0; j < group->nr && !row; j++)
			if (same(group->row[j], calls->row[i], calls->by))
				row = group->row[j];
		if (!row) {
			row = sonde_syscalls_row(group);
			if (!row)
				goto err;
			*row = *calls->row[i];
			row->error = NULL;
			row->nr_errors = 0;
			row->count = row->errors = row->recent = 0;
			row->hist = (struct sonde_hist){};
		}
		if (merge(row, calls->row[i]))
			goto err;
	}
	for (size_t i = 0; i < group->nr; i++)
		sonde_hist_tidy(&group->row[i]->hist);
	sonde_syscalls_sort(group);
	return group;

err:
	sonde_syscalls_free(group);
	return NULL;
}

u64 sonde_syscalls_count(const struct sonde_syscalls *calls)
{
	u64 count = 0;

	for (size_t i = 0; i < calls->nr; i++)
		count += calls->row[i]->count;
	return count;
}
