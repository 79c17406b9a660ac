/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cgroup.h - reads what control groups let processes use.
 */
#ifndef SONDE_COLLECT_CGROUP_H
#define SONDE_COLLECT_CGROUP_H

#include "sonde/base.h"

struct sonde_cgroups;

/**
 * sonde_cgroups_new - find the hierarchies that are mounted
 * @top: directory that all paths are below: "", or a tree of a test
 *
 * NULL when out of memory.
 */
struct sonde_cgroups *sonde_cgroups_new(const char *top);

/** sonde_cgroups_free - (NULL is fine) */
void sonde_cgroups_free(struct sonde_cgroups *cgroups);

/** sonde_cgroups_cpu_limit - what its group, or one above it, lets process @pid use: thousandths of a processor, the least; 0: all */
u32 sonde_cgroups_cpu_limit(const struct sonde_cgroups *cgroups, u32 pid);

#endif /* SONDE_COLLECT_CGROUP_H */
