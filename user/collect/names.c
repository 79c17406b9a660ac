// SPDX-License-Identifier: GPL-2.0-only
/*
 * names.c - names that the system knows: of processes, threads, control groups.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/table.h"
#include "collect/names.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define CGROUP_HYBRID CGROUP_MOUNT "/unified" /* version 2 beside version 1 */
#define CGROUP_DEPTH 16

static struct sonde_table cgroups; /* id -> path below the mount; lives as long as the program */
static const char *mount;

void sonde_name_thread(u32 pid, u32 tid, char comm[SONDE_COMM_BYTES])
{
	char path[64];
	FILE *file;

	comm[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", pid, tid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(comm, SONDE_COMM_BYTES, file))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(file);
}

/* Remembers what lies below directory @path, whose inode is its cgroup's id. */
static void remember(char *path, size_t depth)
{
	size_t len = strlen(path), skip = strlen(mount);
	struct dirent *entry;
	struct stat st;
	char *name;
	DIR *dir;

	if (stat(path, &st))
		return;
	if (!sonde_table_get(&cgroups, st.st_ino)) {
		name = strdup(len > skip ? path + skip : "/");
		if (name && sonde_table_put(&cgroups, st.st_ino, name))
			free(name);
	}
	dir = depth < CGROUP_DEPTH ? opendir(path) : NULL;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || len + strlen(entry->d_name) + 2 > PATH_MAX)
			continue;
		path[len] = '/';
		memcpy(path + len + 1, entry->d_name, strlen(entry->d_name) + 1);
		remember(path, depth + 1);
		path[len] = '\0';
	}
	if (dir)
		closedir(dir);
}

void sonde_name_cgroup(u64 id, char path[SONDE_CGROUP_BYTES])
{
	const char *name = sonde_table_get(&cgroups, id);
	char start[PATH_MAX];
	struct stat st;
	char *unknown;

	if (!name) {
		mount = stat(CGROUP_HYBRID, &st) ? CGROUP_MOUNT : CGROUP_HYBRID;
		snprintf(start, sizeof(start), "%s", mount);
		remember(start, 0);
		name = sonde_table_get(&cgroups, id);
	}
	if (name) {
		snprintf(path, SONDE_CGROUP_BYTES, "%s", name);
		return;
	}
	/* Gone before anybody looked: not looked for again. */
	snprintf(path, SONDE_CGROUP_BYTES, "id %llu", (unsigned long long)id);
	unknown = strdup(path);
	if (unknown && sonde_table_put(&cgroups, id, unknown))
		free(unknown);
}
