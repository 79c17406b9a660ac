/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps.h - processes and the executable files they have mapped.
 */
#ifndef SONDE_LOAD_MAPS_H
#define SONDE_LOAD_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sonde/base.h"

/** struct sonde_mapping - one executable mapping of a file */
struct sonde_mapping {
	u64 start;
	u64 end;
	u64 offset; /* into the file */
	u64 dev; /* as /proc writes it: major << 20 | minor */
	u64 inode;
	bool deleted;
	const char *path; /* as the process sees it; valid during the callback */
};

/** typedef of the callback; a value other than 0 ends the walk */
typedef int (*sonde_mapping_fn)(void *ctx, pid_t pid, const struct sonde_mapping *mapping);

/** sonde_maps_each - call @fn for every executable mapping of a file in process @pid; 0, -errno, or what @fn returned */
int sonde_maps_each(pid_t pid, sonde_mapping_fn fn, void *ctx);

/** sonde_maps_parse - read one line of /proc/PID/maps (changed in place); false if it is no executable mapping of a file */
bool sonde_maps_parse(char *line, struct sonde_mapping *mapping);

/**
 * sonde_maps_open - open the file behind a mapping, also when it lies in another mount namespace or was deleted
 *
 * Returns a file descriptor or -errno.
 */
int sonde_maps_open(pid_t pid, const struct sonde_mapping *mapping);

typedef int (*sonde_process_fn)(void *ctx, pid_t pid);

/** sonde_processes_each - call @fn for every process; a value other than 0 ends the walk */
int sonde_processes_each(sonde_process_fn fn, void *ctx);

#endif /* SONDE_LOAD_MAPS_H */
