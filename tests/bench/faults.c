// SPDX-License-Identifier: GPL-2.0-only
/*
 * faults.c - storms of page faults, of mapped and unmapped memory, and of malloc().
 *
 * usage: faults faults|maps|malloc COUNT DEPTH
 *
 * Waits for a line on stdin, then prints the nanoseconds of processor time that one takes: a page fault (the touching and the giving back of a page), a
 * pair of mmap() and munmap(), a pair of malloc() and free(); below DEPTH functions.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGES 4096u /* in a mapping */
#define LIVE 4096u /* objects */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static char *map(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void faults(long count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (long done = 0; done < count; done += PAGES) {
		volatile char *p = map(PAGES * page);

		madvise((void *)p, PAGES * page, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < PAGES; i++)
			p[i * page] = 1;
		munmap((void *)p, PAGES * page);
	}
}

static void maps(long count)
{
	for (long i = 0; i < count; i++)
		munmap(map(65536), 65536);
}

/* Sizes as programs have them: most small, some large. */
static void mallocs(long count)
{
	static char *live[LIVE];
	uint64_t random = 1;

	for (long i = 0; i < count; i++) {
		size_t size, at;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		at = (random >> 20) % LIVE;
		size = 16 + ((random >> 40) & 1023);
		if (!(random >> 54 & 255))
			size *= 64;
		free(live[at]);
		live[at] = malloc(size);
		live[at][0] = live[at][size - 1] = 1;
	}
}

__attribute__((noinline, optimize("no-optimize-sibling-calls"))) static int play(const char *what, long count, int depth)
{
	if (depth)
		return play(what, count, depth - 1) + 1;
	if (!strcmp(what, "maps"))
		maps(count);
	else if (!strcmp(what, "malloc"))
		mallocs(count);
	else
		faults(count);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "faults";
	long count = argc > 2 ? atol(argv[2]) : 409600;
	int depth = argc > 3 ? atoi(argv[3]) : 10;
	uint64_t begin;

	if (getchar() == EOF)
		return 1;
	begin = now_ns();
	play(what, count, depth);
	printf("%.1f\n", (double)(now_ns() - begin) / (double)count);
	return 0;
}
