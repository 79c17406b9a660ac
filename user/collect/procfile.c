// SPDX-License-Identifier: GPL-2.0-only
/*
 * procfile.c - small files and directories of numbers.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "collect/procfile.h"

bool sonde_procfile_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		return false;
	while (len < size - 1) {
		got = read(fd, text + len, size - 1 - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	close(fd);
	text[len] = '\0';
	return len;
}

int sonde_procfile_each(const char *path, int (*fn)(void *ctx, u32 number), void *ctx)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int err = 0;

	if (!dir)
		return 0;
	while (!err && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			err = fn(ctx, (u32)strtoul(entry->d_name, NULL, 10));
	closedir(dir);
	return err;
}
