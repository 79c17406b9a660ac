/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc.h - reads what the kernel side counts of allocations, and joins it with the stacks.
 */
#ifndef SONDE_COLLECT_ALLOC_H
#define SONDE_COLLECT_ALLOC_H

#include "model/alloc.h"

struct sonde_profiler;
struct sonde_strings;

/** struct sonde_alloc_maps - file descriptors of maps (SONDE_MAP_*) */
struct sonde_alloc_maps {
	int sites;
	int procs;
};

/**
 * sonde_alloc_read - rows and totals into @out, an empty one but for its value and rate; sorted
 * @profiler: has read all stacks of @maps
 *
 * Rows of a process that have the same functions are one row. Returns 0 or -errno.
 */
int sonde_alloc_read(struct sonde_alloc *out, const struct sonde_alloc_maps *maps, struct sonde_profiler *profiler);

#endif /* SONDE_COLLECT_ALLOC_H */
