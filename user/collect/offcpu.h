/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * offcpu.h - collects what threads wait for.
 */
#ifndef SONDE_COLLECT_OFFCPU_H
#define SONDE_COLLECT_OFFCPU_H

#include "model/offcpu.h"

struct sonde_profiler;
struct sonde_snapshot;

/** struct sonde_offcpu_maps - descriptors (SONDE_MAP_*), where stacks are named, and what the loader counts */
struct sonde_offcpu_maps {
	int rows;
	int tasks;
	int gone;
	int cpus;
	int procs;
	int counters;
	u64 missed;
	const struct sonde_profiler *profiler;
};

/**
 * sonde_offcpu_read - a snapshot of what was counted until now; NULL with *@err set
 *
 * Waits that have not ended, and threads on a processor, are counted up to the last switch that was seen.
 */
struct sonde_snapshot *sonde_offcpu_read(const struct sonde_offcpu_maps *maps, enum sonde_offcpu_by by, u64 min_ns,
					 int *err);

#endif /* SONDE_COLLECT_OFFCPU_H */
