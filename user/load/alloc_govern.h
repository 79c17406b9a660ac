/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_govern.h - what watching every allocation costs: predicted from the rate of calls, and kept an eye on. Only for user/load.
 *
 * Costs are processor time that the traced threads spend for it: of probes, as they cost on this machine, and of programs.
 */
#ifndef SONDE_LOAD_ALLOC_GOVERN_H
#define SONDE_LOAD_ALLOC_GOVERN_H

#include <stdbool.h>

#include "load/load.h"
#include "sonde/alloc.h"

#define ALLOC_WINDOWS 8 /* in which the rate is measured, at most */

/** struct alloc_costs - nanoseconds of a hit; [1]: at a site that is single-stepped */
struct alloc_costs {
	double call[2]; /* of the probes alone */
	double free[2];
	double inner[2];
	double call_program; /* of the programs, without the stack */
	double free_program;
};

/** struct alloc_governor - @state: for the report; @walk_ns: of a stack; the rest is its own */
struct alloc_governor {
	struct sonde_bpf *skel;
	struct alloc_costs costs;
	double walk_ns;
	struct sonde_alloc_exact state;
	struct sonde_alloc_gauge begun, last;
	u64 begun_ns, last_ns, over_ns;
};

/** alloc_governor_calibrate - find @costs by probing functions of our own; where that fails what site.h says is taken */
void alloc_governor_calibrate(struct alloc_governor *g);

/**
 * alloc_governor_measure - predict the cost from a few windows of 10 ms, at @state.predicted_ppm
 * @put: probe the processes (true), take the probes out again; 0 or -errno
 * @text: "malloc 2,300/s, free 2,290/s: predicted 0.7 % of one CPU, budget 3 %"
 *
 * Ends early when it is far above the budget. Returns 0, or what @put did.
 */
int alloc_governor_measure(struct alloc_governor *g, int (*put)(void *ctx, bool in), void *ctx, char *text, size_t size);

/** alloc_governor_begin - tracing begins at @now (sonde_clock_ns()) */
void alloc_governor_begin(struct alloc_governor *g, u64 now);

/** alloc_governor_watch - once in a while: bring @state up to date; true: it costs more than the budget for too long */
bool alloc_governor_watch(struct alloc_governor *g, u64 now);

/** alloc_governor_end - the last look */
void alloc_governor_end(struct alloc_governor *g, u64 now);

#endif /* SONDE_LOAD_ALLOC_GOVERN_H */
