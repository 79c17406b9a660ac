/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * profile.h - stacks with weights, whatever they weigh: time on a processor, time blocked, bytes, waste.
 *
 * What all writers of stacks (tables, folded text, flame graphs, pprof) read, and nothing else.
 */
#ifndef SONDE_MODEL_PROFILE_H
#define SONDE_MODEL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/table.h"
#include "sonde/unwind.h"

/** enum sonde_frame_kind - whose code a frame is; the colour of a flame graph */
enum sonde_frame_kind {
	SONDE_FRAME_USER,
	SONDE_FRAME_KERNEL,
	SONDE_FRAME_INLINED, /* into the frame below */
	SONDE_FRAME_JIT, /* made at run time, or interpreted */
	SONDE_FRAME_LABEL, /* nobody's: what the functions beside it work for, an endpoint or a statement */
};

#define SONDE_PROFILE_PYTHON "[python]" /* module of a line that is interpreted */

/**
 * struct sonde_frame - one function of a stack
 * @function: never NULL; "[libfoo.so]" where only the module is known, "[unknown]" where nothing is
 * @module: path of the file, "[kernel]", "[jit]", SONDE_PROFILE_PYTHON, "" when not known
 * @file, @line: in the source; "" and 0 when not known
 */
struct sonde_frame {
	const char *function;
	const char *module;
	const char *file;
	u32 line;
	u32 kind; /* enum sonde_frame_kind */
};

/**
 * struct sonde_stack - one stack of one process
 * @frame: indices into sonde_profile.frame, innermost first
 * @nr_kernel: how many of them are the kernel's
 * @end: enum sonde_unwind_end
 * @complete: it reaches the first function of the thread, or is the kernel's alone
 */
struct sonde_stack {
	u32 pid;
	u32 nr;
	u32 nr_kernel;
	u8 end;
	bool complete;
	const char *process;
	u64 count;
	u64 weight;
	const u32 *frame;
};

/**
 * struct sonde_profile - stacks
 * @type, @unit: what weights are: "cpu" in "nanoseconds"
 * @counted: what is counted (static storage); NULL: samples
 * @hz: samples a second and processor (0: every event is there)
 * @nr_lost: samples that found no room here
 */
struct sonde_profile {
	const char *type;
	const char *unit;
	const char *counted;
	u32 hz;
	struct sonde_frame *frame;
	size_t nr_frames, frame_room;
	struct sonde_stack *stack;
	size_t nr_stacks, stack_room;
	u64 count;
	u64 weight;
	u64 nr_lost;
	struct sonde_table frames, stacks; /* by content: index + 1 */
	struct sonde_strings *strings;
};

/** sonde_profile_new - NULL: no memory; @type and @unit: static storage */
struct sonde_profile *sonde_profile_new(const char *type, const char *unit);

/** sonde_profile_free - (NULL is fine) */
void sonde_profile_free(struct sonde_profile *profile);

/** sonde_profile_frame - the index of a frame like @frame (its strings are copied); < 0: -ENOMEM or -ENOSPC */
int sonde_profile_frame(struct sonde_profile *profile, const struct sonde_frame *frame);

/** sonde_profile_add - add @stack's count and weight to the one like it; its strings and frames are copied. 0 or -errno */
int sonde_profile_add(struct sonde_profile *profile, const struct sonde_stack *stack);

/** sonde_profile_put - the same; *@index is set to that stack's place */
int sonde_profile_put(struct sonde_profile *profile, const struct sonde_stack *stack, size_t *index);

/**
 * struct sonde_profile_share - what of a profile is whole
 * @user: weight of stacks with a user part; @complete: of those, that of complete ones
 * @end: weight by enum sonde_unwind_end
 */
struct sonde_profile_share {
	u64 user;
	u64 complete;
	u64 end[SONDE_UNWIND_END_MAX];
};

void sonde_profile_share(const struct sonde_profile *profile, struct sonde_profile_share *out);

/** struct sonde_profile_function - @self: weight of stacks it is the innermost of; @total: of those it is in */
struct sonde_profile_function {
	const char *function;
	const char *module;
	u64 self;
	u64 total;
};

/** sonde_profile_functions - by self, greatest first; *@nr is set. To be freed; NULL: none, or no memory */
struct sonde_profile_function *sonde_profile_functions(const struct sonde_profile *profile, size_t *nr);

/** struct sonde_profile_process - @user, @kernel: weight by where it was */
struct sonde_profile_process {
	const char *process;
	u32 pid; /* the first of them */
	u32 nr; /* processes of this name */
	u64 count;
	u64 user;
	u64 kernel;
};

/** sonde_profile_processes - by weight, greatest first; *@nr is set. To be freed; NULL: none, or no memory */
struct sonde_profile_process *sonde_profile_processes(const struct sonde_profile *profile, size_t *nr);

/** sonde_unwind_end_name - a word for JSON; sonde_unwind_end_text - a sentence for people */
const char *sonde_unwind_end_name(u32 end);
const char *sonde_unwind_end_text(u32 end);

#endif /* SONDE_MODEL_PROFILE_H */
