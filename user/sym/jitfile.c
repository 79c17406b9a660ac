// SPDX-License-Identifier: GPL-2.0-only
/*
 * jitfile.c - the perf map of a process.
 *
 * It is called by the number that the process has in its own pid namespace, and lies in /tmp of its own root directory.
 * The descriptor stays open, so that the map is there when the process is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sym/jitfile.h"
#include "sym/perfmap.h"
#include "sym/root.h"

#define MAX_READ_BYTES (256u << 20) /* at once */

/* The process's number in the innermost namespace it is in, 0: it is gone. */
static pid_t inner_pid(pid_t pid)
{
	char path[64], line[512];
	pid_t inner = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!inner && fgets(line, sizeof(line), f)) {
		char *last;

		if (strncmp(line, "NSpid:", 6))
			continue;
		last = strrchr(line, '\t');
		inner = last ? strtol(last, NULL, 10) : 0;
	}
	fclose(f);
	return inner ? inner : pid;
}

void sym_jitfile_close(struct sym_jitfile *file)
{
	if (file->map)
		close(file->fd);
	sym_perfmap_free(file->map);
	*file = (struct sym_jitfile){ 0 };
}

/* The file by its name now, if that is not the one that is open. */
static void find_file(struct sym_jitfile *file, pid_t pid)
{
	pid_t inner = inner_pid(pid);
	struct stat st;
	char path[64];
	int fd;

	if (!inner)
		return;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", inner);
	fd = sonde_root_open(pid, path);
	if (fd < 0)
		return;
	if (fstat(fd, &st) || (file->map && file->inode == st.st_ino)) {
		close(fd);
		return;
	}
	sym_jitfile_close(file);
	file->map = sym_perfmap_new();
	file->fd = fd;
	file->inode = st.st_ino;
	if (!file->map)
		close(fd);
}

/* A file that is shorter now, or other where its end was, was written anew. */
static bool goes_on(const struct sym_jitfile *file, u64 size)
{
	char tail[sizeof(file->tail)];

	if (size < file->read)
		return false;
	return pread(file->fd, tail, file->tail_len, file->read - file->tail_len) == (ssize_t)file->tail_len &&
	       !memcmp(tail, file->tail, file->tail_len);
}

static void read_more(struct sym_jitfile *file)
{
	static char bytes[65536];
	u64 budget = MAX_READ_BYTES;
	ssize_t n;

	while (budget && !file->full && (n = pread(file->fd, bytes, sizeof(bytes), file->read)) > 0) {
		size_t tail = (size_t)n < sizeof(file->tail) ? (size_t)n : sizeof(file->tail);

		file->full = sym_perfmap_feed(file->map, bytes, n) != 0;
		file->read += n;
		file->tail_len = tail;
		memcpy(file->tail, bytes + n - tail, tail);
		budget -= (u64)n < budget ? (u64)n : budget;
	}
}

void sym_jitfile_read(struct sym_jitfile *file, pid_t pid)
{
	struct stat st;

	if (pid)
		find_file(file, pid);
	if (!file->map || fstat(file->fd, &st))
		return;
	if (!goes_on(file, st.st_size)) {
		struct sym_perfmap *fresh = sym_perfmap_new();

		if (!fresh)
			return;
		sym_perfmap_free(file->map);
		file->map = fresh;
		file->read = 0;
		file->tail_len = 0;
		file->full = false;
	}
	read_more(file);
}
