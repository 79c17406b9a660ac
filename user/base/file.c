// SPDX-License-Identifier: GPL-2.0-only
/*
 * file.c - writing whole buffers.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

int sonde_file_write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			/* A pipe that its other end made non-blocking. */
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			poll(&pfd, 1, 1000);
			continue;
		}
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_special(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY), err;

	if (fd < 0)
		return -errno;
	err = sonde_file_write_all(fd, bytes, len);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int sonde_file_replace(const char *path, const char *bytes, size_t len)
{
	char target[PATH_MAX], tmp[PATH_MAX + 16];
	struct stat st;
	int fd, err;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : write_special(path, bytes, len);
	/* Through a symbolic link: its target is replaced, the link stays. */
	if (!realpath(path, target) && snprintf(target, sizeof(target), "%s", path) >= (int)sizeof(target))
		return -ENAMETOOLONG;
	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", target);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = sonde_file_write_all(fd, bytes, len);
	if (!err && fsync(fd) && errno != EINVAL)
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, target))
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

void sonde_file_init(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number is @fd: those below are taken. */
		if (open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			_exit(1);
	}
}
