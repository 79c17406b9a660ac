// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfile.c - the separate file with a program's debugging information.
 *
 * Places as gdb looks for them (its manual, "Debugging Information in Separate Files"): by build id below
 * /usr/lib/debug/.build-id; by the name in .gnu_debuglink beside the program, in .debug beside it, and below
 * /usr/lib/debug. No server is asked.
 */
#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "sonde/base.h"
#include "sym/debugfile.h"
#include "sym/elf_sane.h"
#include "sym/root.h"

#define MAX_ID_BYTES 64
#define MAX_SUM_BYTES (512u << 20) /* of a file whose sum is taken */

struct wanted {
	u8 id[MAX_ID_BYTES];
	size_t id_len;
	u32 sum;
	const char *link;
};

static bool same_id(int fd, const struct wanted *w)
{
	const void *id;
	ssize_t len;
	bool same;
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);

	len = elf && sym_elf_sane(elf, fd) ? dwelf_elf_gnu_build_id(elf, &id) : 0;
	same = len > 0 && (size_t)len == w->id_len && !memcmp(id, w->id, len);
	elf_end(elf);
	return same;
}

static bool same_sum(int fd, u32 sum)
{
	static u8 bytes[65536];
	uLong crc = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		crc = crc32(crc, bytes, n);
		at += n;
		if (at > MAX_SUM_BYTES)
			return false;
	}
	return !n && crc == sum;
}

/* The file called @path if it is the one: in the process's root directory, then in ours. */
static int try_file(const struct wanted *w, pid_t pid, const char *path)
{
	for (int ours = !pid; ours < 2; ours++) {
		int fd = sonde_root_open(ours ? 0 : pid, path);

		if (fd < 0)
			continue;
		if (w->id_len ? same_id(fd, w) : same_sum(fd, w->sum))
			return fd;
		close(fd);
	}
	return -1;
}

static int by_id(const struct wanted *w, pid_t pid)
{
	char path[64 + 2 * MAX_ID_BYTES];
	int len;

	if (w->id_len < 2)
		return -1;
	len = snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%02x/", w->id[0]);
	for (size_t i = 1; i < w->id_len; i++)
		len += snprintf(path + len, sizeof(path) - len, "%02x", w->id[i]);
	snprintf(path + len, sizeof(path) - len, ".debug");
	return try_file(w, pid, path);
}

static int by_link(const struct wanted *w, pid_t pid, const char *path)
{
	static const char *const formats[] = { "%.*s/%s", "%.*s/.debug/%s", "/usr/lib/debug%.*s/%s" };
	const char *slash = strrchr(path, '/');
	char name[PATH_MAX];
	int fd = -1;

	if (!slash || strchr(w->link, '/'))
		return -1;
	for (size_t i = 0; i < 3 && fd < 0; i++) {
		int len = snprintf(name, sizeof(name), formats[i], (int)(slash - path), path, w->link);

		/* A link to itself would be found again and again. */
		if (len > 0 && (size_t)len < sizeof(name) && strcmp(name, path))
			fd = try_file(w, pid, name);
	}
	return fd;
}

int sym_debugfile_open(Elf *elf, pid_t pid, const char *path)
{
	struct wanted w = { .id_len = 0 };
	const void *id;
	GElf_Word sum;
	ssize_t len = dwelf_elf_gnu_build_id(elf, &id);
	int fd;

	if (len > 0 && len <= MAX_ID_BYTES) {
		memcpy(w.id, id, len);
		w.id_len = len;
	}
	fd = by_id(&w, pid);
	w.link = fd < 0 ? dwelf_elf_gnu_debuglink(elf, &sum) : NULL;
	if (w.link) {
		w.sum = sum;
		fd = by_link(&w, pid, path);
	}
	return fd;
}
