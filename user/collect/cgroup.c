// SPDX-License-Identifier: GPL-2.0-only
/*
 * cgroup.c - reads what control groups let processes use: of version 2, or of version 1 where the controller cpu is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/cgroup.h"
#include "collect/procfile.h"
#include "model/cgroup.h"

#define PATH_BYTES 4096 /* of a group, below its mount */
#define VALUE_BYTES 64

struct sonde_cgroups {
	char *top;
	struct sonde_cgroup_mount mount[SONDE_CGROUP_VERSIONS]; /* @point "": there is none */
};

/* The first mount of each hierarchy: later ones show the same groups. */
static void find_mounts(struct sonde_cgroups *cgroups)
{
	struct sonde_cgroup_mount mount;
	char path[PATH_BYTES], *line = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", cgroups->top);
	file = fopen(path, "re");
	while (file && getline(&line, &size, file) > 0)
		if (sonde_cgroup_mount(&mount, line) && !cgroups->mount[mount.version].point[0])
			cgroups->mount[mount.version] = mount;
	free(line);
	if (file)
		fclose(file);
}

struct sonde_cgroups *sonde_cgroups_new(const char *top)
{
	struct sonde_cgroups *cgroups = calloc(1, sizeof(*cgroups));

	if (!cgroups)
		return NULL;
	cgroups->top = strdup(top);
	if (!cgroups->top) {
		free(cgroups);
		return NULL;
	}
	find_mounts(cgroups);
	return cgroups;
}

void sonde_cgroups_free(struct sonde_cgroups *cgroups)
{
	if (!cgroups)
		return;
	free(cgroups->top);
	free(cgroups);
}

/* The text of file @name of the group at @path below @mount; false: there is none. */
static bool read_file(const struct sonde_cgroups *cgroups, const struct sonde_cgroup_mount *mount, const char *path,
		      size_t len, const char *name, char value[VALUE_BYTES])
{
	char file[2 * PATH_BYTES];
	int bytes = snprintf(file, sizeof(file), "%s%s%.*s/%s", cgroups->top, mount->point, (int)len, path, name);

	return bytes > 0 && (size_t)bytes < sizeof(file) && sonde_procfile_read(file, value, VALUE_BYTES);
}

/* Of that group itself. */
static u32 limit_at(const struct sonde_cgroups *cgroups, const struct sonde_cgroup_mount *mount, const char *path,
		    size_t len)
{
	char value[VALUE_BYTES], period[VALUE_BYTES];

	if (mount->version == SONDE_CGROUP_V2)
		return read_file(cgroups, mount, path, len, "cpu.max", value) ? sonde_cgroup_max(value) : 0;
	if (!read_file(cgroups, mount, path, len, "cpu.cfs_quota_us", value) ||
	    !read_file(cgroups, mount, path, len, "cpu.cfs_period_us", period))
		return 0;
	return sonde_cgroup_quota(value, period);
}

static u32 least(u32 a, u32 b)
{
	return a && (!b || a < b) ? a : b;
}

u32 sonde_cgroups_cpu_limit(const struct sonde_cgroups *cgroups, u32 pid)
{
	char text[PATH_BYTES], file[PATH_BYTES];
	u32 limit = 0;

	snprintf(file, sizeof(file), "%s/proc/%u/cgroup", cgroups->top, pid);
	if (!sonde_procfile_read(file, text, sizeof(text)))
		return 0;
	for (u32 version = 0; version < SONDE_CGROUP_VERSIONS; version++) {
		const struct sonde_cgroup_mount *mount = &cgroups->mount[version];
		size_t len;
		const char *path = mount->point[0] ? sonde_cgroup_path(text, version, &len) : NULL;

		if (path)
			path = sonde_cgroup_below(mount, path, &len);
		while (path) {
			limit = least(limit, limit_at(cgroups, mount, path, len));
			if (!len)
				break;
			while (len && path[--len] != '/')
				;
		}
	}
	return limit;
}
