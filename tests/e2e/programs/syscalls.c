/* SPDX-License-Identifier: GPL-2.0-only */
/* LIBS: -lpthread */
/*
 * syscalls.c - makes system calls of known number, length and result, for tests that count them.
 *
 * usage: syscalls DIR [hang]
 *
 *   500 getppid(), 100 openat() of what is not there (ENOENT), 20 openat() and close() of DIR/file, 40 pwrite64() and 40 pread64()
 *   of 4 KiB, 5 fsync(), 30 read() of an empty pipe (EAGAIN), 25 sleeps of 4 ms, 10 of 20 ms in a second thread named "sleeper",
 *   one read() of a pipe that is written to after 60 ms, 7 kill(0, 77) (EINVAL), one flock() that waits 150 ms for another process
 *
 * With hang: ends with an flock() that does not come back while the file is locked elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	syscall(SYS_nanosleep, &ts, NULL);
}

static void *sleeper(void *arg)
{
	prctl(PR_SET_NAME, "sleeper");
	for (int i = 0; i < 10; i++)
		nap(20);
	return arg;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void files(const char *dir)
{
	static char block[4096];
	char path[4096];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/missing", dir);
	for (int i = 0; i < 100; i++)
		if (open(path, O_RDONLY) >= 0 || errno != ENOENT)
			die(path);
	snprintf(path, sizeof(path), "%s/file", dir);
	for (int i = 0; i < 20; i++) {
		fd = open(path, O_RDWR | O_CREAT, 0644);
		if (fd < 0)
			die(path);
		if (i < 19)
			close(fd);
	}
	for (int i = 0; i < 40; i++)
		if (pwrite(fd, block, sizeof(block), i * 4096) != 4096 ||
		    pread(fd, block, sizeof(block), i * 4096) != 4096)
			die("pwrite");
	for (int i = 0; i < 5; i++)
		fsync(fd);
	close(fd);
}

static void pipes(void)
{
	int fd[2];
	char byte;

	if (pipe2(fd, O_NONBLOCK))
		die("pipe2");
	for (int i = 0; i < 30; i++)
		if (read(fd[0], &byte, 1) != -1 || errno != EAGAIN)
			die("read");
	close(fd[0]);
	close(fd[1]);
	if (pipe(fd))
		die("pipe");
	if (!fork()) {
		nap(60);
		_exit(write(fd[1], "x", 1) != 1);
	}
	if (read(fd[0], &byte, 1) != 1)
		die("read");
	wait(NULL);
}

/* Another process holds the lock for 150 ms. */
static void locks(const char *dir)
{
	char path[4096], byte;
	int fd[2], lock;

	snprintf(path, sizeof(path), "%s/lock", dir);
	lock = open(path, O_RDWR | O_CREAT, 0644);
	if (lock < 0 || pipe(fd))
		die(path);
	if (!fork()) {
		int own = open(path, O_RDWR);

		flock(own, LOCK_EX);
		if (write(fd[1], "x", 1) != 1)
			_exit(1);
		nap(150);
		_exit(0);
	}
	if (read(fd[0], &byte, 1) != 1)
		die("read");
	flock(lock, LOCK_EX);
	close(lock);
	wait(NULL);
}

static void hang(const char *dir)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/held", dir);
	fd = open(path, O_RDWR);
	if (fd < 0)
		die(path);
	flock(fd, LOCK_EX);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 2)
		return 2;
	for (int i = 0; i < 500; i++)
		syscall(SYS_getppid);
	files(argv[1]);
	pipes();
	locks(argv[1]);
	for (int i = 0; i < 25; i++)
		nap(4);
	for (int i = 0; i < 7; i++)
		kill(0, 77);
	if (pthread_create(&thread, NULL, sleeper, NULL) || pthread_join(thread, NULL))
		die("pthread");
	if (argc > 2)
		hang(argv[1]);
	return 0;
}
