// SPDX-License-Identifier: GPL-2.0-only
/*
 * growth_truth.c - takes memory from the kernel and gives it back as it says, for tests of `sonde alloc --growth`.
 *
 * usage: growth_truth all|threads|fork [alone]
 *
 * Says "ready", waits for a line, works, prints "function grown returned mapped unmapped" lines in bytes (what each of its functions
 * has touched first, has given back, and has added to and taken from the address space), says "done", and waits for another line.
 * With "alone" it does not wait but for a second, in which its libraries can be looked at.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEP __attribute__((noinline, noipa))
#define MIB (1ULL << 20)

static uint64_t page;

static void say(const char *name, uint64_t grown, uint64_t returned, uint64_t mapped, uint64_t unmapped)
{
	printf("%s %llu %llu %llu %llu\n", name, (unsigned long long)grown, (unsigned long long)returned,
	       (unsigned long long)mapped, (unsigned long long)unmapped);
}

static void *map(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	madvise(p, bytes, MADV_NOHUGEPAGE); /* otherwise one touch may bring 512 pages */
	return p;
}

static void touch(volatile char *p, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += page)
		p[i] = 1;
}

/* From the heap: objects of 4000 bytes, all kept. */
KEEP static void truth_kept(void)
{
	enum { NR = 12000, SIZE = 4000 };

	for (int i = 0; i < NR; i++) {
		volatile char *p = malloc(SIZE);

		p[0] = p[SIZE - 1] = 1;
	}
	say("truth_kept", (uint64_t)NR * (SIZE + 16), 0, (uint64_t)NR * (SIZE + 16), 0);
}

KEEP static char *truth_map(uint64_t bytes)
{
	char *p = map(bytes);

	touch(p, bytes / 2);
	say("truth_map", bytes / 2, 0, bytes, 0);
	return p;
}

KEEP static void truth_remap(void)
{
	char *p = map(4 * MIB), *q;

	touch(p, 4 * MIB);
	q = mremap(p, 4 * MIB, 40 * MIB, MREMAP_MAYMOVE);
	if (q == MAP_FAILED)
		exit(1);
	touch(q, 40 * MIB);
	say("truth_remap", 40 * MIB, 0, 40 * MIB, 0);
}

/* Pages that a system call touches. */
KEEP static void truth_read(void)
{
	char *p = map(16 * MIB);
	int fd = open("/dev/zero", O_RDONLY);

	for (uint64_t i = 0; i < 16; i++)
		if (read(fd, p + i * MIB, MIB) != (ssize_t)MIB)
			exit(1);
	close(fd);
	say("truth_read", 16 * MIB, 0, 16 * MIB, 0);
}

KEEP static void truth_churn(void)
{
	for (int i = 0; i < 50; i++) {
		char *p = map(2 * MIB);

		touch(p, 2 * MIB);
		munmap(p, 2 * MIB);
	}
	say("truth_churn", 100 * MIB, 100 * MIB, 100 * MIB, 100 * MIB);
}

KEEP static void truth_advise(char *p, uint64_t bytes)
{
	madvise(p, bytes, MADV_DONTNEED);
	say("truth_advise", 0, bytes, 0, 0);
}

KEEP static void truth_unmap(char *p, uint64_t bytes, uint64_t touched)
{
	munmap(p, bytes);
	say("truth_unmap", 0, touched, 0, bytes);
}

KEEP static void truth_brk(void)
{
	char *p = sbrk(8 * MIB);

	if (p == (void *)-1)
		exit(1);
	touch(p, 8 * MIB);
	if (sbrk(-(intptr_t)(4 * MIB)) == (void *)-1)
		exit(1);
	say("truth_brk", 8 * MIB, 4 * MIB, 8 * MIB, 4 * MIB);
}

KEEP static void truth_file(void)
{
	char name[] = "/tmp/growth-truth-XXXXXX", *p;
	int fd = mkstemp(name);

	unlink(name);
	if (fd < 0 || ftruncate(fd, 8 * MIB))
		exit(1);
	p = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		exit(1);
	close(fd);
	touch(p, 8 * MIB);
	say("truth_file", 8 * MIB, 0, 8 * MIB, 0);
}

/* What is in huge pages the kernel says itself (AnonHugePages). */
KEEP static void truth_huge(void)
{
	char *p = mmap(NULL, 34 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	q = (char *)(((uintptr_t)p + 2 * MIB - 1) & ~(2 * MIB - 1));
	if (p == MAP_FAILED || madvise(q, 32 * MIB, MADV_HUGEPAGE))
		return;
	touch(q, 32 * MIB);
	say("truth_huge", 32 * MIB, 0, 34 * MIB, 0);
}

static void all(void)
{
	char *p;

	truth_kept();
	p = truth_map(64 * MIB);
	truth_advise(p + 8 * MIB, 8 * MIB);
	truth_unmap(p, 64 * MIB, 24 * MIB);
	truth_remap();
	truth_read();
	truth_churn();
	truth_brk();
	truth_file();
	truth_huge();
}

KEEP static void *truth_thread(void *arg)
{
	char *p = map(16 * MIB);

	touch(p, 16 * MIB);
	return arg;
}

static void threads(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, truth_thread, NULL))
			exit(1);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	say("truth_thread", 64 * MIB, 0, 64 * MIB, 0);
}

/* A child has what its parent has; what it touches afterwards is its own. */
static void forks(void)
{
	char *p = map(16 * MIB);

	touch(p, 16 * MIB);
	fflush(stdout);
	if (!fork()) {
		truth_map(32 * MIB);
		fflush(stdout);
		usleep(500000); /* what it has mapped is to be seen */
		_exit(0);
	}
	wait(NULL);
	say("forks", 16 * MIB, 0, 16 * MIB, 0);
}

static bool another_line(void)
{
	int c;

	while ((c = getchar()) != EOF && c != '\n')
		;
	return c != EOF;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "all";
	static char out[1 << 16];

	page = (uint64_t)sysconf(_SC_PAGESIZE);
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	if (argc <= 2) {
		printf("ready\n");
		fflush(stdout);
		another_line();
	} else {
		sleep(1);
	}
	if (!strcmp(mode, "threads"))
		threads();
	else if (!strcmp(mode, "fork"))
		forks();
	else
		all();
	printf("done\n");
	fflush(stdout);
	if (argc <= 2)
		another_line();
	return 0;
}
