/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cgroup.h - control groups of both versions: where they are, and what they let their processes use. Pure: takes the text of files.
 */
#ifndef SONDE_MODEL_CGROUP_H
#define SONDE_MODEL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

/** enum sonde_cgroup_version - of the hierarchy that limits processors */
enum sonde_cgroup_version {
	SONDE_CGROUP_V1, /* controller cpu of version 1 */
	SONDE_CGROUP_V2,
	SONDE_CGROUP_VERSIONS,
};

/** struct sonde_cgroup_mount - a mounted hierarchy: group @root of it is seen at directory @point */
struct sonde_cgroup_mount {
	enum sonde_cgroup_version version;
	char root[512];
	char point[512];
};

/** sonde_cgroup_mount - take a line of /proc/PID/mountinfo (proc(5)). False: it is none of these hierarchies, or its names are too long */
bool sonde_cgroup_mount(struct sonde_cgroup_mount *mount, const char *line);

/**
 * sonde_cgroup_path - the group of a process in the text of its /proc/PID/cgroup
 * @len: set to the length of the path
 *
 * Returns the path inside of @text, or NULL: there is none of @version.
 */
const char *sonde_cgroup_path(const char *text, enum sonde_cgroup_version version, size_t *len);

/**
 * sonde_cgroup_below - what of the group's path is below the mount's root: "" for the root itself
 * @len: of @path, set to what is left
 *
 * Returns NULL if the mount does not show the group.
 */
const char *sonde_cgroup_below(const struct sonde_cgroup_mount *mount, const char *path, size_t *len);

/** sonde_cgroup_max - thousandths of a processor in the text of cpu.max (version 2); 0: no limit */
u32 sonde_cgroup_max(const char *text);

/** sonde_cgroup_quota - the same in the texts of cpu.cfs_quota_us (-1: no limit) and cpu.cfs_period_us (version 1) */
u32 sonde_cgroup_quota(const char *quota, const char *period);

#endif /* SONDE_MODEL_CGROUP_H */
