// SPDX-License-Identifier: GPL-2.0-only
/*
 * profile.c - stacks with weights.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/profile.h"
#include "model/strings.h"

#define MAX_FRAMES (1u << 20)
#define MAX_STACKS (1u << 18)

struct sonde_profile *sonde_profile_new(const char *type, const char *unit)
{
	struct sonde_profile *profile = calloc(1, sizeof(*profile));

	if (!profile)
		return NULL;
	profile->type = type;
	profile->unit = unit;
	profile->strings = sonde_strings_new();
	if (profile->strings)
		return profile;
	free(profile);
	return NULL;
}

void sonde_profile_free(struct sonde_profile *profile)
{
	if (!profile)
		return;
	for (size_t i = 0; i < profile->nr_stacks; i++)
		free((u32 *)profile->stack[i].frame);
	free(profile->stack);
	free(profile->frame);
	sonde_table_free(&profile->frames, NULL);
	sonde_table_free(&profile->stacks, NULL);
	sonde_strings_put(profile->strings);
	free(profile);
}

static const char *keep(struct sonde_profile *profile, const char *s)
{
	return sonde_strings_add(profile->strings, s ? s : "", s ? strlen(s) : 0);
}

/* Room for one more of @bytes in *@list. */
static bool more(void **list, size_t nr, size_t *room, size_t bytes)
{
	size_t cap = *room ? *room * 2 : 256;
	void *bigger;

	if (nr < *room)
		return true;
	bigger = realloc(*list, cap * bytes);
	if (!bigger)
		return false;
	*list = bigger;
	*room = cap;
	return true;
}

/* Strings of one pool: equal ones are one. */
static bool same_frame(const struct sonde_frame *a, const struct sonde_frame *b)
{
	return a->function == b->function && a->module == b->module && a->file == b->file && a->line == b->line &&
	       a->kind == b->kind;
}

int sonde_profile_frame(struct sonde_profile *profile, const struct sonde_frame *frame)
{
	struct sonde_frame own = *frame;
	u64 hash;
	void *at;

	own.function = keep(profile, frame->function);
	own.module = keep(profile, frame->module);
	own.file = keep(profile, frame->file);
	if (!own.function || !own.module || !own.file)
		return -ENOMEM;
	hash = sonde_mix64((u64)(uintptr_t)own.function ^ sonde_mix64((u64)(uintptr_t)own.module));
	hash = sonde_mix64(hash ^ (u64)(uintptr_t)own.file ^ sonde_mix64((u64)own.line << 8 | own.kind));
	for (; (at = sonde_table_get(&profile->frames, hash)); hash++)
		if (same_frame(&profile->frame[(uintptr_t)at - 1], &own))
			return (int)((uintptr_t)at - 1);
	if (profile->nr_frames >= MAX_FRAMES)
		return -ENOSPC;
	if (!more((void **)&profile->frame, profile->nr_frames, &profile->frame_room, sizeof(own)) ||
	    sonde_table_put(&profile->frames, hash, (void *)(uintptr_t)(profile->nr_frames + 1)))
		return -ENOMEM;
	profile->frame[profile->nr_frames] = own;
	return (int)profile->nr_frames++;
}

static bool same_stack(const struct sonde_stack *a, const struct sonde_stack *b)
{
	return a->pid == b->pid && a->process == b->process && a->end == b->end && a->complete == b->complete &&
	       a->nr == b->nr && a->nr_kernel == b->nr_kernel &&
	       !memcmp(a->frame, b->frame, a->nr * sizeof(a->frame[0]));
}

static int add_new(struct sonde_profile *profile, const struct sonde_stack *stack, u64 hash)
{
	u32 *frame;

	if (profile->nr_stacks >= MAX_STACKS)
		return -ENOSPC;
	frame = malloc((stack->nr ? stack->nr : 1) * sizeof(*frame));
	if (!frame || !more((void **)&profile->stack, profile->nr_stacks, &profile->stack_room, sizeof(*stack)) ||
	    sonde_table_put(&profile->stacks, hash, (void *)(uintptr_t)(profile->nr_stacks + 1))) {
		free(frame);
		return -ENOMEM;
	}
	if (stack->nr)
		memcpy(frame, stack->frame, stack->nr * sizeof(*frame));
	profile->stack[profile->nr_stacks] = *stack;
	profile->stack[profile->nr_stacks++].frame = frame;
	return 0;
}

int sonde_profile_put(struct sonde_profile *profile, const struct sonde_stack *stack, size_t *index)
{
	struct sonde_stack own = *stack, *found;
	u64 hash;
	void *at;
	int err;

	own.process = keep(profile, stack->process);
	if (!own.process)
		return -ENOMEM;
	hash = sonde_mix64((u64)own.pid << 32 ^ (u64)(uintptr_t)own.process);
	for (u32 i = 0; i < own.nr; i++)
		hash = sonde_mix64(hash ^ own.frame[i]);
	for (; (at = sonde_table_get(&profile->stacks, hash)); hash++) {
		*index = (uintptr_t)at - 1;
		found = &profile->stack[*index];
		if (same_stack(found, &own)) {
			found->count += own.count;
			found->weight += own.weight;
			goto out;
		}
	}
	*index = profile->nr_stacks;
	err = add_new(profile, &own, hash);
	if (err) {
		profile->nr_lost += own.count;
		return err;
	}
out:
	profile->count += own.count;
	profile->weight += own.weight;
	return 0;
}

int sonde_profile_add(struct sonde_profile *profile, const struct sonde_stack *stack)
{
	size_t index;

	return sonde_profile_put(profile, stack, &index);
}

void sonde_profile_share(const struct sonde_profile *profile, struct sonde_profile_share *out)
{
	*out = (struct sonde_profile_share){};
	for (size_t i = 0; i < profile->nr_stacks; i++) {
		const struct sonde_stack *stack = &profile->stack[i];

		out->end[stack->end] += stack->weight;
		if (stack->end == SONDE_UNWIND_END_NO_USER)
			continue;
		out->user += stack->weight;
		if (stack->complete)
			out->complete += stack->weight;
	}
}

/* A function's place among those of a profile: by name and module alone. */
static struct sonde_profile_function *function_of(struct sonde_profile_function *list, size_t *nr,
						  struct sonde_table *table, const struct sonde_frame *frame)
{
	u64 key = sonde_mix64((u64)(uintptr_t)frame->function ^ sonde_mix64((u64)(uintptr_t)frame->module));
	void *at;

	for (; (at = sonde_table_get(table, key)); key++) {
		struct sonde_profile_function *f = &list[(uintptr_t)at - 1];

		if (f->function == frame->function && f->module == frame->module)
			return f;
	}
	if (sonde_table_put(table, key, (void *)(uintptr_t)(*nr + 1)))
		return NULL;
	list[*nr] = (struct sonde_profile_function){ .function = frame->function, .module = frame->module };
	return &list[(*nr)++];
}

static int by_self(const void *a, const void *b)
{
	const struct sonde_profile_function *x = a, *y = b;

	if (x->self != y->self)
		return x->self < y->self ? 1 : -1;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return strcmp(x->function, y->function);
}

struct sonde_profile_function *sonde_profile_functions(const struct sonde_profile *profile, size_t *nr)
{
	struct sonde_profile_function *list, *f;
	struct sonde_table table = {};
	size_t *last; /* stack + 1 that counted the function last: recursion counts once */
	u32 *index;
	bool failed = false;

	*nr = 0;
	list = calloc(profile->nr_frames + 1, sizeof(*list));
	last = calloc(profile->nr_frames + 1, sizeof(*last));
	index = malloc((profile->nr_frames + 1) * sizeof(*index));
	for (size_t i = 0; list && last && index && i < profile->nr_frames && !failed; i++) {
		f = function_of(list, nr, &table, &profile->frame[i]);
		failed = !f;
		index[i] = f ? (u32)(f - list) : 0;
	}
	for (size_t i = 0; list && last && index && !failed && i < profile->nr_stacks; i++) {
		const struct sonde_stack *stack = &profile->stack[i];

		for (u32 j = 0; j < stack->nr; j++) {
			u32 at = index[stack->frame[j]];

			if (!j)
				list[at].self += stack->weight;
			if (last[at] != i + 1)
				list[at].total += stack->weight;
			last[at] = i + 1;
		}
	}
	sonde_table_free(&table, NULL);
	if (!list || !last || !index || failed) {
		free(list);
		list = NULL;
		*nr = 0;
	} else {
		qsort(list, *nr, sizeof(*list), by_self);
	}
	free(last);
	free(index);
	return list;
}

static int by_weight(const void *a, const void *b)
{
	const struct sonde_profile_process *x = a, *y = b;
	u64 of_x = x->user + x->kernel, of_y = y->user + y->kernel;

	return of_x < of_y ? 1 : of_x > of_y ? -1 : strcmp(x->process, y->process);
}

struct sonde_profile_process *sonde_profile_processes(const struct sonde_profile *profile, size_t *nr)
{
	struct sonde_profile_process *list = calloc(profile->nr_stacks + 1, sizeof(*list));
	struct sonde_table names = {}, pids = {};

	*nr = 0;
	for (size_t i = 0; list && i < profile->nr_stacks; i++) {
		const struct sonde_stack *stack = &profile->stack[i];
		u64 key = (u64)(uintptr_t)stack->process, pid = sonde_mix64(key) ^ stack->pid;
		uintptr_t at = (uintptr_t)sonde_table_get(&names, key);

		if (!at) {
			list[*nr] = (struct sonde_profile_process){ .process = stack->process, .pid = stack->pid };
			at = ++*nr;
			sonde_table_put(&names, key, (void *)at);
		}
		if (!sonde_table_get(&pids, pid)) {
			sonde_table_put(&pids, pid, (void *)1);
			list[at - 1].nr++;
		}
		list[at - 1].count += stack->count;
		*(stack->nr_kernel ? &list[at - 1].kernel : &list[at - 1].user) += stack->weight;
	}
	sonde_table_free(&names, NULL);
	sonde_table_free(&pids, NULL);
	if (list)
		qsort(list, *nr, sizeof(*list), by_weight);
	return list;
}

const char *sonde_unwind_end_name(u32 end)
{
	static const char *const names[] = {
#define SONDE_UNWIND_END(symbol, name, text) name,
#include "sonde/unwind.def"
#undef SONDE_UNWIND_END
	};

	return end < SONDE_UNWIND_END_MAX ? names[end] : "";
}

const char *sonde_unwind_end_text(u32 end)
{
	static const char *const texts[] = {
#define SONDE_UNWIND_END(symbol, name, text) text,
#include "sonde/unwind.def"
#undef SONDE_UNWIND_END
	};

	return end < SONDE_UNWIND_END_MAX ? texts[end] : "";
}
