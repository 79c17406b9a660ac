/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stacks.h - what commands do alike whose kernel side takes stacks: rounds of them, out of the map before processes are gone.
 */
#ifndef SONDE_CMD_STACKS_H
#define SONDE_CMD_STACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_load;
struct sonde_profiler;

/** struct sonde_stacks - the first member of such a source, which it is for; @profiler: owned by the source */
struct sonde_stacks {
	struct sonde_profiler *profiler;
	u64 round_ns; /* when the last round began (sonde_clock_ns()) */
	u32 round;
};

/** sonde_stacks_event - for .event of struct sonde_trace_source: remember what a process has mapped, it may be gone later */
void sonde_stacks_event(void *source, const void *data, size_t size);

/** sonde_stacks_every - for .every: ten times a second take the stacks of finished rounds. 0 or -errno */
int sonde_stacks_every(void *source, struct sonde_load *load);

/** sonde_stacks_read - take them now; @all: those of the round under way, too. 0 or -errno */
int sonde_stacks_read(struct sonde_stacks *stacks, const struct sonde_load *load, bool all);

#endif /* SONDE_CMD_STACKS_H */
