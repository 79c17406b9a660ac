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

/** sonde_profiler_note - process @pid has executed or mapped something: remember what, it may be gone when it is read */
void sonde_profiler_note(struct sonde_profiler *p, pid_t pid);

/** sonde_profiler_skip - leave out frames that @skip says yes to, as long as they are the innermost */
void sonde_profiler_skip(struct sonde_profiler *profiler, bool (*skip)(const struct sonde_frame *frame));

/** sonde_profiler_site - index in the profile of the stack that the kernel calls @hash in @proc; -1: it was not told */
s64 sonde_profiler_site(const struct sonde_profiler *profiler, const struct sonde_proc *proc, u64 hash);

/** sonde_profiler_get - all that was read so far; the profiler's own, changed by the next read */
struct sonde_profile *sonde_profiler_get(struct sonde_profiler *profiler);

#endif /* SONDE_COLLECT_PROFILE_H */
