/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * leak.h - readings of what lives, a window apart, of each call site: what verdicts on leaks are made of.
 */
#ifndef SONDE_COLLECT_LEAK_H
#define SONDE_COLLECT_LEAK_H

#include <stdbool.h>

#include "model/leak.h"

struct sonde_alloc;
struct sonde_leaks;
struct sonde_profiler;

/** struct sonde_leak_maps - file descriptors of maps (SONDE_MAP_*) */
struct sonde_leak_maps {
	int live;
	int procs;
};

/** sonde_leaks_new - read every @window_ns; NULL: out of memory */
struct sonde_leaks *sonde_leaks_new(u64 window_ns);

void sonde_leaks_free(struct sonde_leaks *leaks);

/** sonde_leaks_due - whether it is time for the next reading; the first call is when watching begins */
bool sonde_leaks_due(struct sonde_leaks *leaks);

/**
 * sonde_leaks_take - a reading: @alloc was read just now with @profiler
 *
 * Processes that have ended stay as they were read last: what they freed on their way out was not freed before.
 * In long runs readings become rarer, so that SONDE_LEAK_POINTS are enough. Returns 0 or -errno.
 */
int sonde_leaks_take(struct sonde_leaks *leaks, const struct sonde_leak_maps *maps, const struct sonde_alloc *alloc,
		     const struct sonde_profiler *profiler);

/** sonde_leaks_get - a series for each stack, valid until the next reading; *@nr is set */
const struct sonde_leak_series *sonde_leaks_get(const struct sonde_leaks *leaks, size_t *nr);

/** sonde_leaks_window - time between readings; *@nr: readings so far */
u64 sonde_leaks_window(const struct sonde_leaks *leaks, u64 *nr);

#endif /* SONDE_COLLECT_LEAK_H */
