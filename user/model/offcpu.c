// SPDX-License-Identifier: GPL-2.0-only
/*
 * offcpu.c - what threads wait for, and what became of processes' time, as a report shows it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "base/table.h"
#include "model/hist.h"
#include "model/offcpu.h"
#include "model/profile.h"
#include "model/wait.h"

#define MAX_FRAMES 1025 /* of a stack with its reason */

struct sonde_offcpu *sonde_offcpu_new(void)
{
	return calloc(1, sizeof(struct sonde_offcpu));
}

void sonde_offcpu_free(struct sonde_offcpu *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->nr; i++)
		free(list->row[i]);
	for (size_t i = 0; i < list->nr_procs; i++)
		free(list->proc[i]);
	free(list->row);
	free(list->proc);
	free(list);
}

/* One more pointer to zeroed memory of @bytes at the end of *@all. */
static void *append(void ***all, size_t *nr, size_t *room, size_t bytes)
{
	size_t more = *room ? *room * 2 : 64;
	void **bigger, *made;

	if (*nr == *room) {
		bigger = realloc(*all, more * sizeof(*bigger));
		if (!bigger)
			return NULL;
		*all = bigger;
		*room = more;
	}
	made = calloc(1, bytes);
	if (made)
		(*all)[(*nr)++] = made;
	return made;
}

struct sonde_offcpu_row *sonde_offcpu_row(struct sonde_offcpu *list)
{
	struct sonde_offcpu_row *row = append((void ***)&list->row, &list->nr, &list->room, sizeof(*row));

	if (!row)
		return NULL;
	row->process = row->waker = row->thread = "";
	row->nr_procs = row->nr_objects = 1;
	return row;
}

struct sonde_offcpu_proc *sonde_offcpu_proc(struct sonde_offcpu *list, const struct sonde_proc *proc)
{
	struct sonde_offcpu_proc *made;

	for (size_t i = list->nr_procs; i-- > 0;)
		if (!memcmp(&list->proc[i]->proc, proc, sizeof(*proc)))
			return list->proc[i];
	made = append((void ***)&list->proc, &list->nr_procs, &list->proc_room, sizeof(*made));
	if (!made)
		return NULL;
	made->proc = *proc;
	made->process = "";
	made->nr_procs = 1;
	return made;
}

void sonde_off_total_add(struct sonde_off_total *to, const struct sonde_off_total *more)
{
	to->on_ns += more->on_ns;
	to->blocked_ns += more->blocked_ns;
	to->queued_ns += more->queued_ns;
	to->voluntary += more->voluntary;
	to->involuntary += more->involuntary;
}

static int by_time(const void *pa, const void *pb)
{
	const struct sonde_offcpu_row *a = *(struct sonde_offcpu_row *const *)pa;
	const struct sonde_offcpu_row *b = *(struct sonde_offcpu_row *const *)pb;
	int order = sonde_compare(b->stat.hist.sum_ns, a->stat.hist.sum_ns);

	return order ? order : memcmp(&a->key, &b->key, sizeof(a->key));
}

static int by_wanted(const void *pa, const void *pb)
{
	const struct sonde_offcpu_proc *a = *(struct sonde_offcpu_proc *const *)pa;
	const struct sonde_offcpu_proc *b = *(struct sonde_offcpu_proc *const *)pb;
	int order = sonde_compare(b->total.on_ns + b->total.queued_ns, a->total.on_ns + a->total.queued_ns);

	return order ? order : memcmp(&a->proc, &b->proc, sizeof(a->proc));
}

void sonde_offcpu_sort(struct sonde_offcpu *list)
{
	if (list->nr)
		qsort(list->row, list->nr, sizeof(*list->row), by_time);
	if (list->nr_procs)
		qsort(list->proc, list->nr_procs, sizeof(*list->proc), by_wanted);
}

static u64 hash_text(u64 hash, const char *s)
{
	for (; *s; s++)
		hash = sonde_fnv_byte(hash, (u8)*s);
	return sonde_mix64(hash);
}

/* Stacks of processes of one name are the same if their functions are. */
static u64 hash_stack(u64 hash, const struct sonde_profile *stacks, size_t stack)
{
	const struct sonde_stack *s;

	if (!stack || !stacks)
		return sonde_mix64(hash + 1);
	s = &stacks->stack[stack - 1];
	for (u32 i = 0; i < s->nr; i++)
		hash = sonde_mix64(hash ^ s->frame[i]);
	return hash;
}

/* What rows that become one have in common. */
static u64 identity(const struct sonde_offcpu *list, const struct sonde_offcpu_row *row)
{
	u64 hash = hash_text(SONDE_FNV_BASIS, row->process);

	if (list->by != SONDE_OFFCPU_BY_PROCESS)
		hash = sonde_mix64(hash ^ row->key.reason);
	if (list->by == SONDE_OFFCPU_BY_THREAD)
		hash = sonde_mix64(hash ^ ((u64)row->key.proc.tgid << 32 | row->key.tid));
	if (list->by != SONDE_OFFCPU_BY_STACK)
		return hash;
	hash = hash_stack(hash, list->stacks, row->stack);
	hash = hash_stack(hash_text(hash ^ row->key.woken_by, row->waker), list->stacks, row->waker_stack);
	if (row->key.held)
		hash = hash_stack(hash + 1, list->stacks, row->holder_stack);
	return hash;
}

static void merge(struct sonde_offcpu_row *to, const struct sonde_offcpu_row *more)
{
	to->nr_procs += !!memcmp(&to->key.proc, &more->key.proc, sizeof(to->key.proc));
	to->nr_objects += to->key.object != more->key.object;
	to->open += more->open;
	to->stat.count += more->stat.count;
	sonde_hist_merge(&to->stat.hist, &more->stat.hist);
}

static bool group_rows(const struct sonde_offcpu *list, struct sonde_offcpu *group)
{
	struct sonde_table rows = {};
	bool ok = true;

	for (size_t i = 0; i < list->nr && ok; i++) {
		u64 id = identity(list, list->row[i]);
		struct sonde_offcpu_row *row = sonde_table_get(&rows, id);

		if (row) {
			merge(row, list->row[i]);
			continue;
		}
		row = sonde_offcpu_row(group);
		if (row)
			*row = *list->row[i];
		ok = row && !sonde_table_put(&rows, id, row);
	}
	sonde_table_free(&rows, NULL);
	return ok;
}

static bool group_procs(const struct sonde_offcpu *list, struct sonde_offcpu *group)
{
	struct sonde_table names = {};
	bool ok = true;

	for (size_t i = 0; i < list->nr_procs && ok; i++) {
		const struct sonde_offcpu_proc *from = list->proc[i];
		u64 id = hash_text(SONDE_FNV_BASIS, from->process);
		struct sonde_offcpu_proc *to = sonde_table_get(&names, id);

		if (to) {
			to->nr_procs++;
			to->nr_threads += from->nr_threads;
			sonde_off_total_add(&to->total, &from->total);
			sonde_hist_merge(&to->queued, &from->queued);
			continue;
		}
		to = append((void ***)&group->proc, &group->nr_procs, &group->proc_room, sizeof(*to));
		if (to)
			*to = *from;
		ok = to && !sonde_table_put(&names, id, to);
	}
	sonde_table_free(&names, NULL);
	return ok;
}

struct sonde_offcpu *sonde_offcpu_group(const struct sonde_offcpu *list)
{
	struct sonde_offcpu *group = sonde_offcpu_new();

	if (!group)
		return NULL;
	group->by = list->by;
	group->min_ns = list->min_ns;
	group->stacks = list->stacks;
	if (!group_rows(list, group) || !group_procs(list, group)) {
		sonde_offcpu_free(group);
		return NULL;
	}
	for (size_t i = 0; i < group->nr; i++)
		sonde_hist_tidy(&group->row[i]->stat.hist);
	for (size_t i = 0; i < group->nr_procs; i++)
		sonde_hist_tidy(&group->proc[i]->queued);
	sonde_offcpu_sort(group);
	return group;
}

/* @from's frames as the profile's own, below the reason. Returns their number, < 0: no room. */
static int copy_frames(struct sonde_profile *profile, const struct sonde_offcpu *list,
		       const struct sonde_offcpu_row *row, u32 *frame)
{
	const struct sonde_stack *from = row->stack ? &list->stacks->stack[row->stack - 1] : NULL;
	const char *name = sonde_wait_name(row->key.reason);
	char reason[32] = "[";
	struct sonde_frame leaf = { .function = reason, .module = "", .kind = SONDE_FRAME_KERNEL };
	int index, nr = 0;
	size_t len;

	len = strnlen(name, sizeof(reason) - 3);
	memcpy(reason + 1, name, len);
	reason[len + 1] = ']';
	index = sonde_profile_frame(profile, &leaf);
	for (u32 i = 0; index >= 0 && nr < MAX_FRAMES; i++) {
		frame[nr++] = (u32)index;
		if (!from || i >= from->nr)
			break;
		index = sonde_profile_frame(profile, &list->stacks->frame[from->frame[i]]);
	}
	return index < 0 ? index : nr;
}

static bool add_row(struct sonde_profile *profile, const struct sonde_offcpu *list, const struct sonde_offcpu_row *row,
		    u32 *frame)
{
	const struct sonde_stack *from = row->stack ? &list->stacks->stack[row->stack - 1] : NULL;
	struct sonde_stack stack = {
		.pid = row->key.proc.tgid,
		.process = row->process,
		.count = row->stat.count,
		.weight = row->stat.hist.sum_ns,
		.frame = frame,
		.end = from ? from->end : SONDE_UNWIND_END_NO_SPACE,
		.complete = from && from->complete,
		.nr_kernel = (from ? from->nr_kernel : 0) + 1,
	};
	int nr = copy_frames(profile, list, row, frame);

	if (nr < 0)
		return false;
	stack.nr = (u32)nr;
	return sonde_profile_add(profile, &stack) != -ENOMEM; /* without room it is counted there */
}

struct sonde_profile *sonde_offcpu_profile(const struct sonde_offcpu *list)
{
	struct sonde_profile *profile = sonde_profile_new("blocked", "nanoseconds");
	u32 *frame = calloc(MAX_FRAMES + 1, sizeof(*frame));
	bool ok = profile && frame;

	for (size_t i = 0; i < list->nr && ok; i++)
		ok = add_row(profile, list, list->row[i], frame);
	free(frame);
	if (ok)
		return profile;
	sonde_profile_free(profile);
	return NULL;
}

double sonde_offcpu_saturation(const struct sonde_off_total *total)
{
	u64 wanted = total->on_ns + total->queued_ns;

	return wanted ? (double)total->queued_ns / (double)wanted : 0;
}
