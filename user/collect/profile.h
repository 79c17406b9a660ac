/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * profile.h - takes samples out of the kernel's map and turns their addresses into functions.
 */
#ifndef SONDE_COLLECT_PROFILE_H
#define SONDE_COLLECT_PROFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "model/profile.h"

struct sonde_profiler;
struct sonde_sym_frame;

/** sonde_profiler_new - stacks of @type weighing @unit (model/profile.h), @scale of them a unit of the kernel's weight */
struct sonde_profiler *sonde_profiler_new(const char *type, const char *unit, u64 scale);

void sonde_profiler_free(struct sonde_profiler *profiler);

/**
 * sonde_profiler_read - take the samples of finished rounds out of map @fd
 * @round: that under way; @all: nothing is sampled any more, take this one too
 *
 * Processes are best looked at while they live. Returns 0 or -errno.
 */
int sonde_profiler_read(struct sonde_profiler *profiler, int fd, u32 round, bool all);

/**
 * sonde_profiler_note - process @pid has executed or mapped something: remember what, it may be gone when it is read
 * @now: however little time has passed since the last look
 */
void sonde_profiler_note(struct sonde_profiler *p, pid_t pid, bool now);

/** sonde_profiler_names - frames that are names (sonde/alloc_python.h) stand in map @fd; < 0: there are none */
void sonde_profiler_names(struct sonde_profiler *p, int fd);

/** sonde_profiler_skip - leave out frames that @skip says yes to, as long as they are the innermost */
void sonde_profiler_skip(struct sonde_profiler *profiler, bool (*skip)(const struct sonde_frame *frame));

/**
 * sonde_profiler_keep - from now on remember stacks by hash, for numbers that are kept elsewhere
 * @trim: names of kernel functions, ending with NULL (static): frames up to the last of them are how it came to be taken, no part of the
 *	  stack; NULL: none
 */
void sonde_profiler_keep(struct sonde_profiler *p, const char *const *trim);

/** sonde_profiler_find - index + 1 of the stack of @proc whose sample had @hash, 0: none was kept */
size_t sonde_profiler_find(const struct sonde_profiler *p, const struct sonde_proc *proc, u64 hash);

/** sonde_profiler_frame - the index in @profile of what @from names, by its module where it has no name. < 0: -ENOMEM or -ENOSPC */
int sonde_profiler_frame(struct sonde_profile *profile, const struct sonde_sym_frame *from);

/** sonde_profiler_get - all that was read so far; the profiler's own, changed by the next read */
struct sonde_profile *sonde_profiler_get(struct sonde_profiler *profiler);

#endif /* SONDE_COLLECT_PROFILE_H */
