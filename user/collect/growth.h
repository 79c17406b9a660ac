/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * growth.h - reads what the kernel side counts of growth, follows processes over time, and joins it with stacks and mappings.
 */
#ifndef SONDE_COLLECT_GROWTH_H
#define SONDE_COLLECT_GROWTH_H

#include <stdbool.h>

#include "model/growth.h"

struct sonde_grower;
struct sonde_profiler;
struct sonde_strings;

/** struct sonde_growth_maps - file descriptors of maps (SONDE_MAP_*) */
struct sonde_growth_maps {
	int sites;
	int procs;
	int cpus;
	int chunks;
};

/** sonde_grower_new - a collector whose names live in @strings (a reference is taken); NULL: out of memory */
struct sonde_grower *sonde_grower_new(struct sonde_strings *strings);

/** sonde_grower_free - (NULL is fine) */
void sonde_grower_free(struct sonde_grower *grower);

/**
 * sonde_grower_look - see how much processes have, and which of their mappings have grown; a few times a second
 * @round: that under way (struct sonde_sample_key); @all: take it, too
 *
 * Mappings have names only while their process lives. Returns 0 or -errno.
 */
int sonde_grower_look(struct sonde_grower *grower, const struct sonde_growth_maps *maps, u32 round, bool all);

/** sonde_grower_read - call sites, sorted, beside what sonde_grower_look() has seen; @profiler has read all stacks. 0 or -errno */
int sonde_grower_read(struct sonde_grower *grower, const struct sonde_growth_maps *maps, struct sonde_profiler *profiler);

/** sonde_grower_finish - the last look is done: what only processes that live can tell */
void sonde_grower_finish(struct sonde_grower *grower);

/** sonde_grower_get - the collector's own, changed by the next look or read */
struct sonde_growth *sonde_grower_get(struct sonde_grower *grower);

#endif /* SONDE_COLLECT_GROWTH_H */
