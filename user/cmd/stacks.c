// SPDX-License-Identifier: GPL-2.0-only
/*
 * stacks.c - rounds of stacks (stacks.h).
 */
#include "cmd/stacks.h"

#include "base/clock.h"
#include "collect/profile.h"
#include "load/load.h"
#include "sonde/event.h"

#define ROUND_NS 100000000ULL

void sonde_stacks_event(void *source, const void *data, size_t size)
{
	const struct sonde_event_proc *event = data;
	struct sonde_stacks *stacks = source;

	if (size >= sizeof(*event) && (event->head.type == SONDE_EVENT_SPACE || event->head.type == SONDE_EVENT_EXEC))
		sonde_profiler_note(stacks->profiler, (pid_t)event->tgid, event->begun);
}

int sonde_stacks_every(void *source, struct sonde_load *load)
{
	struct sonde_stacks *stacks = source;
	u64 now = sonde_clock_ns();
	int err;

	if (now - stacks->round_ns < ROUND_NS)
		return 0;
	err = sonde_stacks_read(stacks, load, false);
	stacks->round_ns = now;
	stacks->round = sonde_load_round(load);
	return err;
}

int sonde_stacks_read(struct sonde_stacks *stacks, const struct sonde_load *load, bool all)
{
	return sonde_profiler_read(stacks->profiler, sonde_load_map(load, SONDE_MAP_SAMPLES), stacks->round, all);
}
