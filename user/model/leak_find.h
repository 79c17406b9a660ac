/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * leak_find.h - verdicts on all call sites of a snapshot, and findings of those that leak.
 */
#ifndef SONDE_MODEL_LEAK_FIND_H
#define SONDE_MODEL_LEAK_FIND_H

#include "model/leak.h"

struct sonde_snapshot;

/**
 * struct sonde_leak_found - what a finding of a leak has beside
 * @leak: the verdict; @stat: of the call site
 * @nr_paths: stacks that lead to it
 * @time_ns, @live_bytes: what lived at each of @nr readings (CLOCK_MONOTONIC)
 */
struct sonde_leak_found {
	struct sonde_leak leak;
	struct sonde_alloc_stat stat;
	u32 nr_paths;
	u32 nr;
	u64 time_ns[SONDE_LEAK_POINTS];
	u64 live_bytes[SONDE_LEAK_POINTS];
};

/**
 * sonde_leak_find - set the verdicts of @snapshot's allocations, which has its profile, and add its findings, fastest first
 * @series: a stack each
 *
 * Judged are stacks, and places in the code that several stacks lead to, whose samples count together. Returns 0 or -ENOMEM.
 */
int sonde_leak_find(struct sonde_snapshot *snapshot, const struct sonde_leak_series *series, size_t nr);

#endif /* SONDE_MODEL_LEAK_FIND_H */
