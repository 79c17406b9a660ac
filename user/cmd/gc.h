/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gc.h - garbage collections beside the numbers of a mode of `sonde alloc`. Only for user/cmd.
 */
#ifndef SONDE_CMD_GC_H
#define SONDE_CMD_GC_H

#include "sonde/base.h"

struct sonde_gc;
struct sonde_load;
struct sonde_snapshot;

/** struct sonde_gc_run - of one run; zeroed memory is one that has not begun. @from_ns, @to_ns: CLOCK_MONOTONIC (0: not yet) */
struct sonde_gc_run {
	struct sonde_gc *gc;
	u64 from_ns;
	u64 to_ns;
};

/** sonde_gc_run_begin - the run begins now; sonde_gc_run_end - it is over, what follows only reads */
void sonde_gc_run_begin(struct sonde_gc_run *run);
void sonde_gc_run_end(struct sonde_gc_run *run);

/** sonde_gc_run_read - read the maps; 0 or -errno */
int sonde_gc_run_read(struct sonde_gc_run *run, const struct sonde_load *load);

/** sonde_gc_run_show - let @snapshot show what was read, with findings behind its own. 0 or -ENOMEM */
int sonde_gc_run_show(const struct sonde_gc_run *run, struct sonde_snapshot *snapshot);

void sonde_gc_run_free(struct sonde_gc_run *run);

#endif /* SONDE_CMD_GC_H */
