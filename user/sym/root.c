// SPDX-License-Identifier: GPL-2.0-only
/*
 * root.c - opening files as a traced process would.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sym/root.h"

/* O_NONBLOCK: the name may be one of a FIFO. */
#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int open_below(int root, const char *path)
{
	struct open_how how = { .flags = FLAGS, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int sonde_root_open(pid_t pid, const char *path)
{
	char root_path[64];
	struct stat st;
	int root, fd;

	if (path[0] != '/')
		return -EINVAL;
	if (pid) {
		snprintf(root_path, sizeof(root_path), "/proc/%d/root", pid);
		root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			return -errno;
		fd = open_below(root, path);
		close(root);
	} else {
		fd = open(path, FLAGS);
		if (fd < 0)
			fd = -errno;
	}
	if (fd < 0)
		return fd;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}
