// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc.c - garbage collections beside the numbers of a mode of `sonde alloc`.
 */
#include <errno.h>
#include <stddef.h>

#include "base/clock.h"
#include "cmd/gc.h"
#include "collect/gc.h"
#include "load/load.h"
#include "model/gc_judge.h"
#include "model/snapshot.h"

void sonde_gc_run_begin(struct sonde_gc_run *run)
{
	run->from_ns = sonde_clock_ns();
}

void sonde_gc_run_end(struct sonde_gc_run *run)
{
	run->to_ns = sonde_clock_ns();
}

int sonde_gc_run_read(struct sonde_gc_run *run, const struct sonde_load *load)
{
	struct sonde_gc_maps maps = {
		.rows = sonde_load_map(load, SONDE_MAP_GC_ROWS),
		.procs = sonde_load_map(load, SONDE_MAP_GC_PROCS),
		.pools = sonde_load_map(load, SONDE_MAP_GC_POOLS),
		.met = sonde_load_map(load, SONDE_MAP_GC_MET),
	};

	if (!run->gc)
		run->gc = sonde_gc_new();
	return run->gc ? sonde_gc_read(run->gc, &maps, run->from_ns, run->to_ns ?: sonde_clock_ns()) : -ENOMEM;
}

int sonde_gc_run_show(const struct sonde_gc_run *run, struct sonde_snapshot *snapshot)
{
	snapshot->gc = run->gc;
	snapshot->judged = true;
	return sonde_gc_judge(snapshot);
}

void sonde_gc_run_free(struct sonde_gc_run *run)
{
	sonde_gc_free(run->gc);
	run->gc = NULL;
}
