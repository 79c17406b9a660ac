// SPDX-License-Identifier: GPL-2.0-only
/*
 * profile.c - takes samples out of the kernel's map and turns their addresses into functions.
 *
 * An address is resolved once for each process: what it stands for is remembered.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/map_each.h"
#include "collect/profile.h"
#include "sonde/alloc_python.h"
#include "sonde/unwind.h"
#include "sym/kernel.h"
#include "sym/sym.h"

#define MAX_PLACES (1u << 20) /* addresses remembered */
#define MAX_STACK_FRAMES 1024 /* functions of a stack, inlined ones too */

/* What stands at an address: frames of the profile, innermost first. */
struct place {
	u32 nr;
	u32 frame[];
};

struct sonde_profiler {
	struct sonde_profile *profile;
	u64 scale;
	struct sonde_sym *sym;
	struct sonde_sym_stack resolved; /* of one address */
	struct sonde_kernel_syms *kernel;
	struct sonde_table places;
	bool (*skip)(const struct sonde_frame *frame); /* NULL: no frame is left out */
	struct sonde_table kept; /* by process and hash: index of the stack + 1 */
	const char *const *trim;
	bool keeps;
	int names; /* map of frames that are names, < 0: none */
	/* Of the read under way: */
	int fd;
	u32 round;
	bool all;
	u32 frame[MAX_STACK_FRAMES];
};

struct sonde_profiler *sonde_profiler_new(const char *type, const char *unit, u64 scale)
{
	struct sonde_profiler *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->scale = scale;
	p->names = -1;
	p->profile = sonde_profile_new(type, unit);
	p->sym = sonde_sym_new();
	p->kernel = sonde_kernel_syms_new(); /* now: it takes a capability that is given up */
	if (p->profile && p->sym)
		return p;
	sonde_profiler_free(p);
	return NULL;
}

void sonde_profiler_free(struct sonde_profiler *p)
{
	if (!p)
		return;
	sonde_profile_free(p->profile);
	sonde_sym_stack_free(&p->resolved);
	sonde_sym_free(p->sym);
	sonde_kernel_syms_free(p->kernel);
	sonde_table_free(&p->places, free);
	sonde_table_free(&p->kept, NULL);
	free(p);
}

/* A function nothing is known of is named by its module. */
static int unnamed(struct sonde_profile *profile, const struct sonde_sym_frame *from, struct sonde_frame *frame)
{
	const char *slash = from && from->module ? strrchr(from->module, '/') : NULL;
	char name[256];

	if (from && from->module && from->module[0] == '[')
		frame->function = from->module;
	else if (from && from->module)
		snprintf(name, sizeof(name), "[%s]", slash ? slash + 1 : from->module);
	else
		snprintf(name, sizeof(name), "[unknown]");
	if (!frame->function)
		frame->function = name;
	return sonde_profile_frame(profile, frame);
}

int sonde_profiler_frame(struct sonde_profile *profile, const struct sonde_sym_frame *from)
{
	struct sonde_frame frame = {
		.function = from->function,
		.module = from->module,
		.file = from->file,
		.line = from->line,
		.kind = from->inlined ? SONDE_FRAME_INLINED : SONDE_FRAME_USER,
	};

	if (from->module && !strcmp(from->module, "[jit]"))
		frame.kind = SONDE_FRAME_JIT;
	return frame.function ? sonde_profile_frame(profile, &frame) : unnamed(profile, from, &frame);
}

static struct place *new_place(u32 nr)
{
	struct place *place = malloc(sizeof(*place) + (nr ? nr : 1) * sizeof(place->frame[0]));

	if (place)
		place->nr = nr;
	return place;
}

/* @exact: the instruction itself, not where a call returns to. */
static struct place *resolve_user(struct sonde_profiler *p, u32 pid, u64 ip, bool exact)
{
	const u64 ips[2] = { 0, ip };
	struct place *place;

	if (sonde_sym_resolve(p->sym, (pid_t)pid, exact ? &ip : ips, exact ? 1 : 2, &p->resolved))
		return NULL;
	place = new_place((u32)p->resolved.nr);
	for (u32 i = 0; place && i < place->nr; i++) {
		int frame = sonde_profiler_frame(p->profile, &p->resolved.frame[i]);

		if (frame < 0) {
			free(place);
			return NULL;
		}
		place->frame[i] = (u32)frame;
	}
	return place;
}

/* A place where @frame stands alone. */
static struct place *place_with(struct sonde_profiler *p, const struct sonde_frame *frame)
{
	struct place *place = new_place(1);
	int index = place ? sonde_profile_frame(p->profile, frame) : -ENOMEM;

	if (index < 0) {
		free(place);
		return NULL;
	}
	place->frame[0] = (u32)index;
	return place;
}

/* A line of an interpreted program. */
static struct place *resolve_name(struct sonde_profiler *p, u64 name)
{
	struct sonde_frame frame = { .function = SONDE_PROFILE_PYTHON,
				     .module = SONDE_PROFILE_PYTHON,
				     .kind = SONDE_FRAME_JIT };
	struct sonde_alloc_name text = {};

	if (p->names >= 0 && !bpf_map_lookup_elem(p->names, &name, &text)) {
		text.file[sizeof(text.file) - 1] = text.function[sizeof(text.function) - 1] = '\0';
		frame.function = text.function[0] ? text.function : frame.function;
		frame.file = text.file;
		frame.line = text.line;
	}
	return place_with(p, &frame);
}

static struct place *resolve_kernel(struct sonde_profiler *p, u64 ip, bool exact)
{
	struct sonde_frame frame = { .module = "[kernel]", .kind = SONDE_FRAME_KERNEL };
	const char *module = "";
	char name[80];

	if (p->kernel)
		frame.function = sonde_kernel_syms_find(p->kernel, exact ? ip : ip - 1, &module);
	if (module[0]) {
		snprintf(name, sizeof(name), "[%s]", module);
		frame.module = name;
	}
	if (!frame.function)
		frame.function = "[kernel]";
	return place_with(p, &frame);
}

static const struct place *place_of(struct sonde_profiler *p, const struct sonde_sample_key *key, u64 process, u64 ip,
				    bool kernel, bool exact)
{
	u64 id = sonde_mix64(ip) ^ (kernel ? 0 : process) ^ exact;
	struct place *place = sonde_table_get(&p->places, id);

	if (place)
		return place;
	if (p->places.nr >= MAX_PLACES) {
		sonde_table_free(&p->places, free);
		p->places = (struct sonde_table){};
	}
	if (!kernel && sonde_alloc_is_name(ip))
		place = resolve_name(p, ip);
	else
		place = kernel ? resolve_kernel(p, ip, exact) : resolve_user(p, key->proc.tgid, ip, exact);
	if (!place)
		return NULL;
	if (!sonde_table_put(&p->places, id, place))
		return place;
	free(place);
	return NULL;
}

/* Functions that nobody calls. */
static bool is_first(const char *function)
{
	static const char *const first[] = {
		"main",		 "_start",    "__libc_start_main", "__libc_start_call_main",
		"start_thread",	 "clone",     "__clone",	   "clone3",
		"__clone3",	 "_dl_start", "runtime.goexit",	   "runtime.mstart",
		"runtime.rt0_go"
	};

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (!strcmp(function, first[i]))
			return true;
	return false;
}

/* Whether the stack ends where the dynamic linker begins: the only code of it that .eh_frame does not describe. */
static bool begins_in_linker(const struct sonde_profiler *p, const struct sonde_stack *stack)
{
	const char *module = stack->nr ? p->profile->frame[stack->frame[stack->nr - 1]].module : "",
		   *slash = strrchr(module, '/');

	return stack->end == SONDE_UNWIND_END_NO_ROW && slash && !strncmp(slash, "/ld-", 4);
}

/* A process's addresses mean something else once it executes another program, which changes its name as a rule. */
static u64 process_hash(const struct sonde_sample_key *key, const struct sonde_sample *sample)
{
	u64 hash = SONDE_FNV_BASIS;

	for (u32 i = 0; i < SONDE_COMM_BYTES && sample->comm[i]; i++)
		hash = sonde_fnv_byte(hash, (u8)sample->comm[i]);
	return sonde_mix64(hash ^ ((u64)key->proc.tgid << 32 | key->proc.start));
}

void sonde_profiler_names(struct sonde_profiler *p, int fd)
{
	p->names = fd;
}

void sonde_profiler_skip(struct sonde_profiler *p, bool (*skip)(const struct sonde_frame *frame))
{
	p->skip = skip;
}

static int push(struct sonde_profiler *p, struct sonde_stack *stack, const struct place *place)
{
	if (!place)
		return -ENOMEM;
	for (u32 i = 0; i < place->nr && stack->nr < MAX_STACK_FRAMES; i++) {
		if (!stack->nr && p->skip && p->skip(&p->profile->frame[place->frame[i]]))
			continue;
		p->frame[stack->nr++] = place->frame[i];
	}
	return 0;
}

static u64 kept_id(const struct sonde_proc *proc, u64 hash)
{
	return sonde_mix64(hash ^ sonde_mix64((u64)proc->tgid << 32 | proc->start));
}

/* Kernel functions that lead to the program that took the stack. */
static void trim_kernel(struct sonde_profiler *p, struct sonde_stack *stack)
{
	u32 from = 0;

	for (u32 i = 0; i < stack->nr; i++)
		for (const char *const *name = p->trim; *name; name++)
			if (!strcmp(p->profile->frame[p->frame[i]].function, *name))
				from = i + 1;
	memmove(p->frame, p->frame + from, (stack->nr - from) * sizeof(p->frame[0]));
	stack->nr -= from;
}

static int add_sample(struct sonde_profiler *p, const struct sonde_sample_key *key, const struct sonde_sample *sample)
{
	u32 nr_user = sonde_min_u32(sample->nr_user, SONDE_UNWIND_FRAMES);
	u32 nr_kernel = sonde_min_u32(sample->nr_kernel, SONDE_UNWIND_KERNEL_FRAMES);
	char process[SONDE_COMM_BYTES + 1] = "";
	struct sonde_stack stack = {
		.pid = key->proc.tgid,
		.end = sample->end < SONDE_UNWIND_END_MAX ? sample->end : SONDE_UNWIND_END_ODD,
		.process = process,
		.count = sample->count,
		.weight = sample->weight * p->scale,
		.frame = p->frame,
	};
	u64 hash = process_hash(key, sample);
	size_t index;
	int err = 0;

	memcpy(process, sample->comm, SONDE_COMM_BYTES);
	for (u32 i = 0; i < nr_kernel && !err; i++)
		err = push(p, &stack, place_of(p, key, hash, sample->ip[SONDE_UNWIND_FRAMES + 1 + i], true, !i));
	if (p->trim)
		trim_kernel(p, &stack);
	stack.nr_kernel = stack.nr;
	for (u32 i = 0; i < nr_user && !err; i++)
		err = push(p, &stack, place_of(p, key, hash, sample->ip[i], false, !i));
	if (err)
		return err;
	if (begins_in_linker(p, &stack))
		stack.end = SONDE_UNWIND_END_COMPLETE;
	stack.complete = stack.end == SONDE_UNWIND_END_COMPLETE ||
			 (stack.nr && is_first(p->profile->frame[p->frame[stack.nr - 1]].function));
	err = sonde_profile_put(p->profile, &stack, &index);
	if (!err && p->keeps)
		err = sonde_table_put(&p->kept, kept_id(&key->proc, key->hash), (void *)(uintptr_t)(index + 1));
	return err == -ENOSPC ? 0 : err; /* counted there */
}

static int take(void *ctx, const void *map_key, const void *value)
{
	const struct sonde_sample_key *key = map_key;
	struct sonde_profiler *p = ctx;

	if (key->round == p->round && !p->all)
		return 0;
	/* Gone: the walk has begun anew and met it before. */
	if (bpf_map_delete_elem(p->fd, key))
		return 0;
	return add_sample(p, key, value);
}

int sonde_profiler_read(struct sonde_profiler *p, int fd, u32 round, bool all)
{
	p->fd = fd;
	p->round = round;
	p->all = all;
	return sonde_map_each(fd, sizeof(struct sonde_sample_key), sizeof(struct sonde_sample), p, NULL, take);
}

void sonde_profiler_note(struct sonde_profiler *p, pid_t pid, bool now)
{
	if (now)
		sonde_sym_note_now(p->sym, pid);
	else
		sonde_sym_note(p->sym, pid);
}

struct sonde_profile *sonde_profiler_get(struct sonde_profiler *p)
{
	return p->profile;
}

void sonde_profiler_keep(struct sonde_profiler *p, const char *const *trim)
{
	p->keeps = true;
	p->trim = trim;
}

size_t sonde_profiler_find(const struct sonde_profiler *p, const struct sonde_proc *proc, u64 hash)
{
	return (size_t)(uintptr_t)sonde_table_get(&p->kept, kept_id(proc, hash));
}
