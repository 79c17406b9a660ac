// SPDX-License-Identifier: GPL-2.0-only
/*
 * space.c - the address space of a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"
#include "sym/jitfile.h"
#include "sym/perfmap.h"
#include "sym/root.h"
#include "sym/space.h"

#define MAX_MAPPINGS 65536
#define REFRESH_PAUSE 10 /* between two reads of the mappings, in times that one takes: stacks may hold rubbish */
#define DELETED " (deleted)"

/* What makes a process the same one: when it was started, and the program that it executes. */
struct identity {
	u64 start_ticks;
	u64 exe_dev, exe_inode;
};

struct sym_space {
	pid_t pid;
	struct identity identity;
	struct sym_mapping *mappings; /* sorted, as /proc has them */
	size_t nr;
	bool is_java;
	u64 read_at_ns, read_took_ns; /* the mappings, the last time */
	struct sym_jitfile jit;
};

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static bool read_identity(pid_t pid, struct identity *id)
{
	char path[64];
	struct stat st;

	id->start_ticks = sonde_process_start(pid);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (!id->start_ticks || stat(path, &st))
		return false; /* gone, or a zombie */
	id->exe_dev = st.st_dev;
	id->exe_inode = st.st_ino;
	return true;
}

bool sym_maps_parse(char *line, struct sym_mapping *m)
{
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5], *path;
	size_t len;
	int at = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu%n", &start, &end, perms, &offset, &major, &minor, &inode,
		   &at) != 7 ||
	    !at || !strchr(perms, 'x') || start >= end)
		return false;
	path = line + at;
	path += strspn(path, " ");
	path[strcspn(path, "\n")] = '\0';
	len = strlen(path);
	m->deleted = len > strlen(DELETED) && !strcmp(path + len - strlen(DELETED), DELETED);
	if (m->deleted)
		path[len - strlen(DELETED)] = '\0';
	m->start = start;
	m->end = end;
	m->offset = offset;
	m->dev = (u64)major << 20 | minor;
	m->inode = inode;
	m->path = path;
	return true;
}

static void free_mappings(struct sym_mapping *mappings, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free((char *)mappings[i].path);
	free(mappings);
}

/* /proc writes names as we see them: below @root, what the process sees. */
static const char *inside(const char *path, const char *root, size_t root_len)
{
	return root_len > 1 && !strncmp(path, root, root_len) && path[root_len] == '/' ? path + root_len : path;
}

/* Reads the mappings of @space's process; false if there are none: it is gone. */
static bool read_mappings(struct sym_space *space)
{
	struct sym_mapping m, *list = NULL;
	size_t nr = 0, cap = 0, size = 0;
	char path[64], root[PATH_MAX], *line = NULL;
	u64 began_ns = now_ns();
	bool is_java = false;
	ssize_t root_len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/root", space->pid);
	root_len = readlink(path, root, sizeof(root));
	snprintf(path, sizeof(path), "/proc/%d/maps", space->pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (nr < MAX_MAPPINGS && getline(&line, &size, f) > 0) {
		const char *name;

		if (!sym_maps_parse(line, &m))
			continue;
		if (nr == cap) {
			size_t more = cap ? cap * 2 : 32;
			struct sym_mapping *bigger = realloc(list, more * sizeof(*list));

			if (!bigger)
				break;
			list = bigger;
			cap = more;
		}
		m.path = strdup(root_len > 0 ? inside(m.path, root, root_len) : m.path);
		if (!m.path)
			break;
		name = strrchr(m.path, '/');
		is_java |= name && !strcmp(name, "/libjvm.so");
		list[nr++] = m;
	}
	free(line);
	fclose(f);
	if (!nr) {
		free(list);
		return false;
	}
	free_mappings(space->mappings, space->nr);
	space->mappings = list;
	space->nr = nr;
	space->is_java = is_java;
	space->read_at_ns = now_ns();
	space->read_took_ns = space->read_at_ns - began_ns;
	return true;
}

struct sym_space *sym_space_new(pid_t pid)
{
	struct sym_space *space = calloc(1, sizeof(*space));

	if (!space)
		return NULL;
	space->pid = pid;
	if (read_identity(pid, &space->identity) && read_mappings(space))
		return space;
	sym_space_free(space);
	return NULL;
}

void sym_space_free(struct sym_space *space)
{
	if (!space)
		return;
	sym_jitfile_close(&space->jit);
	free_mappings(space->mappings, space->nr);
	free(space);
}

pid_t sym_space_pid(const struct sym_space *space)
{
	return space->pid;
}

int sym_space_check(const struct sym_space *space)
{
	struct identity now;

	if (!read_identity(space->pid, &now))
		return 0;
	return now.start_ticks == space->identity.start_ticks && now.exe_dev == space->identity.exe_dev &&
			       now.exe_inode == space->identity.exe_inode
		       ? 1
		       : -1;
}

bool sym_space_refresh_now(struct sym_space *space)
{
	return sym_space_check(space) == 1 && read_mappings(space);
}

bool sym_space_refresh(struct sym_space *space)
{
	return now_ns() - space->read_at_ns >= REFRESH_PAUSE * space->read_took_ns && sym_space_refresh_now(space);
}

const struct sym_mapping *sym_space_find(const struct sym_space *space, u64 addr)
{
	size_t low = 0, high = space->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->mappings[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < space->nr && space->mappings[low].start <= addr ? &space->mappings[low] : NULL;
}

const struct sym_mapping *sym_space_mapping(const struct sym_space *space, size_t i)
{
	return i < space->nr ? &space->mappings[i] : NULL;
}

int sym_space_open(const struct sym_space *space, const struct sym_mapping *m)
{
	char path[96];
	struct stat st;
	int fd;

	/* The very file, whatever its name means now. Not all who may trace may do this. */
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", space->pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	if (!stat(path, &st) && S_ISREG(st.st_mode)) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	if (m->deleted)
		return -ENOENT;
	fd = sonde_root_open(space->pid, m->path);
	if (fd < 0)
		return fd;
	if (!fstat(fd, &st) && st.st_ino == m->inode)
		return fd;
	close(fd);
	return -ESTALE;
}

bool sym_space_is_java(const struct sym_space *space)
{
	return space->is_java;
}

void sym_space_read_jit(struct sym_space *space)
{
	bool alive = sym_space_check(space) == 1;

	/* Of a process that is gone what is open is all that there will be. */
	if (alive || space->jit.map)
		sym_jitfile_read(&space->jit, alive ? space->pid : 0);
}

const char *sym_space_jit(struct sym_space *space, u64 addr)
{
	return space->jit.map ? sym_perfmap_find(space->jit.map, addr) : NULL;
}
