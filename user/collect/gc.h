/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gc.h - reads what the kernel side counts of garbage collections.
 */
#ifndef SONDE_COLLECT_GC_H
#define SONDE_COLLECT_GC_H

#include "model/gc.h"

/** struct sonde_gc_maps - file descriptors of maps (SONDE_MAP_*) */
struct sonde_gc_maps {
	int rows;
	int procs;
	int pools;
	int met;
};

/**
 * sonde_gc_read - all numbers into @gc, whose own are forgotten; the run lasts from @from_ns to @to_ns (CLOCK_MONOTONIC)
 *
 * Returns 0 or -errno.
 */
int sonde_gc_read(struct sonde_gc *gc, const struct sonde_gc_maps *maps, u64 from_ns, u64 to_ns);

#endif /* SONDE_COLLECT_GC_H */
