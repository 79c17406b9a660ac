/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite_attach.h - attaching SQLite's programs to one binary. Only for user/load/sqlite.c.
 */
#ifndef SONDE_LOAD_SQLITE_ATTACH_H
#define SONDE_LOAD_SQLITE_ATTACH_H

#include <sys/types.h>

#include "load/sqlite.h"
#include "load/sqlite_bin.h"

/** struct sqlite_binary - a binary with SQLite in it, open as @fd, and what is attached to it */
struct sqlite_binary {
	struct sonde_sqlite_bin pub;
	struct sqlite_plan plan;
	int fd;
	struct sonde_uprobe *probes;
};

/**
 * sqlite_binary_attach - attach all that is planned, for one process or (@pid 0) for all
 *
 * Functions that cannot be probed are marked in @b->pub.site. Returns 0, or -errno if sqlite3_step() is one of them.
 */
int sqlite_binary_attach(struct sonde_bpf *skel, struct sqlite_binary *b, pid_t pid);

/** sqlite_calibrate - measure what the probes add to the durations that they measure, and tell the programs */
void sqlite_calibrate(struct sonde_bpf *skel);

#endif /* SONDE_LOAD_SQLITE_ATTACH_H */
