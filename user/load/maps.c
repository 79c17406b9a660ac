// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps.c - processes and the executable files they have mapped.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load/maps.h"

#define DELETED " (deleted)"

bool sonde_maps_parse(char *line, struct sonde_mapping *m)
{
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5];
	size_t len;
	int path = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, perms, &offset, &major, &minor, &inode,
		   &path) != 7 ||
	    !path || !inode || !strchr(perms, 'x') || line[path] != '/')
		return false;
	line[path + strcspn(line + path, "\n")] = '\0';
	len = strlen(line + path);
	m->deleted = len > strlen(DELETED) && !strcmp(line + path + len - strlen(DELETED), DELETED);
	if (m->deleted)
		line[path + len - strlen(DELETED)] = '\0';
	m->start = start;
	m->end = end;
	m->offset = offset;
	m->dev = (u64)major << 20 | minor;
	m->inode = inode;
	m->path = line + path;
	return true;
}

int sonde_maps_each(pid_t pid, sonde_mapping_fn fn, void *ctx)
{
	struct sonde_mapping mapping;
	char path[64], *line = NULL;
	size_t size = 0;
	int err = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!err && getline(&line, &size, f) > 0)
		if (sonde_maps_parse(line, &mapping))
			err = fn(ctx, pid, &mapping);
	free(line);
	fclose(f);
	return err;
}

int sonde_maps_open(pid_t pid, const struct sonde_mapping *m)
{
	char path[PATH_MAX + 64];
	struct stat st;
	int fd;

	/* The name may meanwhile belong to another file: the inode tells. O_NONBLOCK: it may even be a FIFO now. */
	if (!m->deleted) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", pid, m->path);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0 && !fstat(fd, &st) && st.st_ino == m->inode && S_ISREG(st.st_mode))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int sonde_processes_each(sonde_process_fn fn, void *ctx)
{
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			err = fn(ctx, strtol(entry->d_name, NULL, 10));
	closedir(dir);
	return err;
}
