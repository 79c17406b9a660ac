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

#include "base/cap.h"
#include "base/file.h"

#define MAX_LINKS 40 /* as the kernel follows */

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

/* The directory that @path names something in. */
static void directory_of(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (slash)
		snprintf(dir, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	else
		snprintf(dir, PATH_MAX, ".");
}

/* Whether @st, in a directory where everybody may leave something (/tmp), is of somebody else than us or its owner. */
static bool left_by_others(const char *path, const struct stat *st)
{
	char dir[PATH_MAX];
	struct stat at;

	directory_of(path, dir);
	return !stat(dir, &at) && at.st_mode & S_ISVTX && at.st_mode & S_IWOTH && st->st_uid != geteuid() &&
	       st->st_uid != at.st_uid;
}

/*
 * The file that @path means, through symbolic links, but none that somebody else left in a directory such as /tmp (as
 * fs.protected_symlinks, which not every machine has set). @st: of the file, its mode is 0 if there is none.
 */
static int find_target(const char *path, char target[PATH_MAX], struct stat *st)
{
	char link[PATH_MAX], next[2 * PATH_MAX], dir[PATH_MAX];
	ssize_t len;

	if (snprintf(target, PATH_MAX, "%s", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	for (int i = 0; i < MAX_LINKS; i++) {
		*st = (struct stat){};
		if (lstat(target, st) || !S_ISLNK(st->st_mode))
			return 0;
		if (left_by_others(target, st))
			return -EACCES;
		len = readlink(target, link, sizeof(link) - 1);
		if (len < 0)
			return -errno;
		link[len] = '\0';
		directory_of(target, dir);
		if (link[0] == '/')
			snprintf(next, sizeof(next), "%s", link);
		else
			snprintf(next, sizeof(next), "%s/%s", dir, link);
		if (snprintf(target, PATH_MAX, "%s", next) >= PATH_MAX)
			return -ENAMETOOLONG;
	}
	return -ELOOP;
}

/* As find_target(), for @path that may be a descriptor's (/dev/stdout), whose link names no file; 1: it is no regular file. */
static int find_file(const char *path, char target[PATH_MAX])
{
	struct stat st, whole;
	int err = find_target(path, target, &st);

	if (err)
		return err;
	if (stat(path, &whole) || S_ISREG(whole.st_mode))
		return 0;
	if (S_ISDIR(whole.st_mode))
		return -EISDIR;
	return left_by_others(target, &whole) ? -EACCES : 1;
}

bool sonde_file_may_replace(const char *path)
{
	char target[PATH_MAX], dir[PATH_MAX];
	struct stat st;
	int kind = find_file(path, target);

	if (kind)
		return kind > 0 && !faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
	directory_of(target, dir);
	if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS))
		return false;
	if (lstat(target, &st) || st.st_uid == geteuid() || sonde_cap_have(SONDE_CAP_FOWNER))
		return true;
	return stat(dir, &st) || !(st.st_mode & S_ISVTX) || st.st_uid == geteuid();
}

int sonde_file_replace(const char *path, const char *bytes, size_t len)
{
	char target[PATH_MAX], tmp[PATH_MAX + 16];
	int fd, err = find_file(path, target);

	if (err)
		return err < 0 ? err : write_special(path, bytes, len);
	/* Through a symbolic link: its target is replaced, the link stays. */
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
