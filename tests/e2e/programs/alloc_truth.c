// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_truth.c - allocates what it says, for tests of `sonde alloc`.
 *
 * usage: alloc_truth all|attach|threads|wait|exec|fork
 *
 * Prints "function bytes objects live_bytes live_objects" lines: what each of its functions has allocated, and what of it was
 * not freed in the end.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tally.h"

#define KEEP __attribute__((noinline, noipa))

KEEP static void truth_small(void)
{
	enum { NR = 2000000, SIZE = 48 };

	for (int i = 0; i < NR; i++) {
		char *p = malloc(SIZE);

		*(volatile char *)p = 1;
		free(p);
	}
	add("truth_small", NR, (uint64_t)NR * SIZE, 0, 0);
}

KEEP static void truth_kept(void)
{
	enum { NR = 3000, SIZE = 20000 };

	for (int i = 0; i < NR; i++) {
		char *p = malloc(SIZE);

		*(volatile char *)p = 1;
	}
	add("truth_kept", NR, (uint64_t)NR * SIZE, NR, (uint64_t)NR * SIZE);
}

/* Every second one is freed. */
KEEP static void truth_half(void)
{
	enum { NR = 40000, SIZE = 1500 };
	void **all = malloc(NR * sizeof(*all));

	for (int i = 0; i < NR; i++)
		all[i] = calloc(3, SIZE / 3);
	for (int i = 0; i < NR; i += 2)
		free(all[i]);
	free(all);
	add("truth_half", NR + 1, (uint64_t)NR * SIZE + NR * sizeof(*all), NR / 2, (uint64_t)NR / 2 * SIZE);
}

KEEP static void truth_big(void)
{
	enum { NR = 40, SIZE = 5 << 20 };

	for (int i = 0; i < NR; i++) {
		char *p = malloc(SIZE);

		*(volatile char *)p = 1;
		free(p);
	}
	add("truth_big", NR, (uint64_t)NR * SIZE, 0, 0);
}

/* Grows in steps: each is an object of its own. */
KEEP static void truth_realloc(void)
{
	enum { NR = 2000, STEP = 100 };
	uint64_t bytes = 0;
	char *p = NULL;

	for (int i = 1; i <= NR; i++) {
		p = realloc(p, (size_t)i * STEP);
		p[0] = 1;
		bytes += (uint64_t)i * STEP;
	}
	free(p);
	add("truth_realloc", NR, bytes, 0, 0);
}

KEEP static void truth_aligned(void)
{
	enum { NR = 4000, SIZE = 8192 };

	for (int i = 0; i < NR; i++) {
		void *p[4] = { memalign(64, SIZE), aligned_alloc(128, SIZE), NULL, reallocarray(NULL, 2, SIZE / 2) };

		if (posix_memalign(&p[2], 256, SIZE))
			abort();
		for (int k = 0; k < 4; k++) {
			if (!p[k] || (uintptr_t)p[k] % (k == 3 ? 16 : 64u << k))
				abort();
			memset(p[k], 1, SIZE);
			free(p[k]);
		}
	}
	add("truth_aligned", 4 * NR, 4ULL * NR * SIZE, 0, 0);
}

KEEP static void *truth_thread(void *arg)
{
	enum { NR = 100000, SIZE = 256 };

	for (int i = 0; i < NR; i++) {
		char *p = malloc(SIZE);

		*(volatile char *)p = 1;
		free(p);
	}
	return arg;
}

static void threads(void)
{
	enum { NR = 4 };
	pthread_t thread[NR];

	for (int i = 0; i < NR; i++)
		pthread_create(&thread[i], NULL, truth_thread, NULL);
	for (int i = 0; i < NR; i++)
		pthread_join(thread[i], NULL);
	add("truth_thread", NR * 100000, NR * 100000ULL * 256, 0, 0);
}

/* A child frees what its parent allocated, and allocates for itself. */
static void forks(void)
{
	enum { NR = 64, SIZE = 1 << 20 };
	void *mine[NR];

	for (int i = 0; i < NR; i++)
		mine[i] = malloc(SIZE);
	for (int child = 0; child < 3; child++) {
		if (!fork()) {
			for (int i = 0; i < NR; i++)
				free(mine[i]);
			truth_kept();
			usleep(500000); /* who has gone before it was looked at has no names */
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < NR; i++)
		free(mine[i]);
	add("forks", NR, (uint64_t)NR * SIZE, 0, 0);
}

KEEP static void all(void)
{
	truth_small();
	truth_kept();
	truth_half();
	truth_big();
	truth_realloc();
	truth_aligned();
	__asm__ volatile("" : : : "memory"); /* no tail call */
}

/* Once a line is read, and then holds what it has until its input ends. */
static void attached(void)
{
	char line[16];

	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return;
	all();
	tally_print();
	printf("done\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "all";

	if (!strcmp(what, "all")) {
		all();
	} else if (!strcmp(what, "attach")) {
		attached();
	} else if (!strcmp(what, "threads")) {
		threads();
	} else if (!strcmp(what, "fork")) {
		forks();
	} else if (!strcmp(what, "exec")) {
		truth_kept(); /* gone with the exec */
		execl("/proc/self/exe", argv[0], "threads", NULL);
	} else if (!strcmp(what, "wait")) { /* allocates as long as its input is open */
		char line[16];

		printf("ready\n");
		fflush(stdout);
		while (fgets(line, sizeof(line), stdin)) {
			truth_small();
			truth_kept();
			printf("done\n");
			fflush(stdout);
		}
	}
	tally_print();
	return 0;
}
