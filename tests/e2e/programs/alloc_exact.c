// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_exact.c - allocates what it is told to, and says what that was, for tests of `sonde alloc --exact`.
 *
 * Reads commands, a line each: the name of a function of the table below, or reset, print, exec, quit; says "done" after each.
 * print prints "function bytes objects live_bytes live_objects" lines: what each has allocated since the last reset (or before
 * it, as long as the object was not), and what of it lives.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tally.h"

#define KEEP __attribute__((noinline, noipa))
#define HUGE_SIZE ((size_t)1 << 60)

static void *volatile sink; /* what is stored here is not optimised away */

static void touch(void *p)
{
	if (!p)
		abort();
	*(volatile char *)p = 1;
}

KEEP static void truth_small(void)
{
	enum { NR = 20000, SIZE = 48 };

	for (int i = 0; i < NR; i++) {
		char *p = malloc(SIZE);

		touch(p);
		free(p);
	}
	add("truth_small", NR, (int64_t)NR * SIZE, 0, 0);
}

static void *kept[64][1000];
static int nr_kept;

KEEP static void truth_kept(void)
{
	int64_t bytes = 0;

	for (int i = 0; i < 1000; i++) {
		kept[nr_kept % 64][i] = malloc(100 + i);
		touch(kept[nr_kept % 64][i]);
		bytes += 100 + i;
	}
	nr_kept++;
	add("truth_kept", 1000, bytes, 1000, bytes);
}

/* What truth_kept() allocated last. */
static void drop(void)
{
	int64_t bytes = 0;

	if (!nr_kept)
		return;
	nr_kept--;
	for (int i = 0; i < 1000; i++) {
		free(kept[nr_kept % 64][i]);
		bytes += 100 + i;
	}
	add("truth_kept", 0, 0, -1000, -bytes);
}

/* The same of objects that are in no tally any more. */
static void forget(void)
{
	for (int i = 0; nr_kept && i < 1000; i++)
		free(kept[(nr_kept - 1) % 64][i]);
	nr_kept -= nr_kept > 0;
}

static void *old;

static void make_old(void)
{
	old = malloc(5000);
	touch(old);
}

KEEP static void truth_old(void)
{
	old = realloc(old, 600000);
	touch(old);
	add("truth_old", 1, 600000, 1, 600000);
}

/* Every second one is freed. */
KEEP static void truth_half(void)
{
	enum { NR = 4000, SIZE = 1500 };
	void **all = malloc(NR * sizeof(*all));

	for (int i = 0; i < NR; i++)
		all[i] = calloc(3, SIZE / 3);
	for (int i = 0; i < NR; i += 2)
		free(all[i]);
	free(all);
	add("truth_half", NR + 1, (int64_t)NR * SIZE + NR * (int64_t)sizeof(*all), NR / 2, (int64_t)NR / 2 * SIZE);
}

/* Grows, shrinks, stays where it is and moves, big ones with mremap(); each is an object of its own. */
KEEP static void truth_realloc(void)
{
	static const size_t sizes[] = { 10, 24, 25, 1000, 100, 4000000, 4000001, 9000000, 3000000, 500, 8 };
	int64_t bytes = 0, objects = 0;

	for (int round = 0; round < 200; round++) {
		char *p = NULL;

		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			p = realloc(p, sizes[i]);
			touch(p);
			bytes += (int64_t)sizes[i];
			objects++;
		}
		p = reallocarray(p, 30, 7);
		touch(p);
		bytes += 210;
		objects++;
		if (round % 2)
			free(p);
		else if (realloc(p, 0))
			abort(); /* glibc: freed */
	}
	add("truth_realloc", objects, bytes, 0, 0);
}

/* The old object stays. */
KEEP static void truth_refused(void)
{
	char *p = malloc(333), *q;
	volatile size_t huge = HUGE_SIZE;
	void *out = NULL;

	touch(p);
	for (int i = 0; i < 10; i++) {
		q = realloc(p, huge);
		sink = malloc(huge);
		if (q || sink || reallocarray(p, huge, 17) || reallocarray(p, huge, 16))
			abort();
		sink = calloc(huge, 3);
		if (sink || !posix_memalign(&out, 64, huge) || !posix_memalign(&out, 3, 100))
			abort();
		sink = calloc(huge, 17);
		if (sink)
			abort();
		sink = memalign(64, huge);
		if (sink)
			abort();
	}
	touch(p);
	add("truth_refused", 1, 333, 1, 333);
}

KEEP static void truth_aligned(void)
{
	enum { NR = 300, SIZE = 8192 };

	for (int i = 0; i < NR; i++) {
		void *p[4] = { memalign(64, SIZE), aligned_alloc(128, SIZE), NULL, memalign(8, SIZE) };

		if (posix_memalign(&p[2], 256, SIZE))
			abort();
		for (int k = 0; k < 4; k++) {
			touch(p[k]);
			if (k || i % 3)
				free(p[k]);
		}
	}
	add("truth_aligned", 4 * NR, 4LL * NR * SIZE, NR / 3, NR / 3 * (int64_t)SIZE);
}

/* Not every allocator has these: then the C library's own are called. */
KEEP static void truth_pages(void)
{
	for (int i = 0; i < 100; i++) {
		void *p = pvalloc(5000), *q = valloc(7000);

		touch(p);
		touch(q);
		free(p);
		free(q);
	}
	add("truth_pages", 200, 1200000, 0, 0);
}

KEEP static void truth_nothing(void)
{
	for (int i = 0; i < 500; i++) {
		void *p = malloc(0), *q = calloc(0, 8);

		sink = p;
		sink = q;
		if (!p || !q)
			abort();
		free(NULL);
		free(p);
		if (i % 2)
			free(q);
	}
	add("truth_nothing", 1000, 0, 250, 0);
}

/* By functions of the C library. */
KEEP static void truth_library(void)
{
	int64_t bytes = 0;

	for (int i = 0; i < 100; i++) {
		char *p = strdup("nineteen characters"), *q = strndup("abcdef", 3);

		sink = p;
		sink = q;
		if (i % 2) {
			free(p);
			free(q);
		} else {
			bytes += 24;
		}
	}
	add("truth_library", 200, 2400, 100, bytes);
}

KEEP static void *truth_thread(void *arg)
{
	enum { NR = 20000, SIZE = 256 };

	for (int i = 0; i < NR; i++) {
		char *p = malloc(SIZE);

		touch(p);
		if (i % 100)
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
	add("truth_thread", NR * 20000, NR * 20000LL * 256, NR * 200, NR * 200 * 256);
}

/* One thread allocates, another frees at once and allocates what it just freed. */
static _Atomic(void *) slots[64];

KEEP static void *truth_giver(void *arg)
{
	enum { NR = 50000 };

	for (int i = 0; i < NR; i++) {
		void *p = malloc(64);

		touch(p);
		free(atomic_exchange(&slots[i % 64], p));
	}
	return arg;
}

static void handover(void)
{
	enum { NR = 3 };
	pthread_t thread[NR];

	for (int i = 0; i < NR; i++)
		pthread_create(&thread[i], NULL, truth_giver, NULL);
	for (int i = 0; i < NR; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 64; i++)
		free(atomic_exchange(&slots[i], NULL));
	add("truth_giver", NR * 50000, NR * 50000LL * 64, 0, 0);
}

/* Children free what they have of their parent's: the parent's copy lives on. */
static void forks(void)
{
	for (int child = 0; child < 3; child++) {
		if (!fork()) {
			for (int k = 0; k < nr_kept && k < 64; k++)
				for (int i = 0; i < 1000; i++)
					free(kept[k][i]);
			truth_small();
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
}

/* 1 KB a second. */
KEEP static void *truth_leak(void *arg)
{
	while (1) {
		touch(malloc(128));
		add("truth_leak", 1, 128, 1, 128);
		usleep(125000);
	}
	return arg;
}

static void leak(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, truth_leak, NULL);
}

static atomic_bool storming;
static _Atomic(uint64_t) storm_pairs;

/* As fast as it can. */
KEEP static void *truth_storm(void *arg)
{
	while (storming) {
		for (int i = 0; i < 1000; i++) {
			void *p = malloc(32);

			touch(p);
			free(p);
		}
		storm_pairs += 1000;
	}
	return arg;
}

static pthread_t storm_thread;

static void storm(void)
{
	storming = true;
	pthread_create(&storm_thread, NULL, truth_storm, NULL);
}

/* Pairs in a second. */
static void storm_rate(void)
{
	uint64_t before = storm_pairs;

	sleep(1);
	printf("rate %llu\n", (unsigned long long)(storm_pairs - before));
}

static void calm(void)
{
	storming = false;
	pthread_join(storm_thread, NULL);
}

/* Pairs at a pace: 50 every millisecond, called from some depth. */
KEEP static void truth_paced(int depth)
{
	if (depth > 0) {
		truth_paced(depth - 1);
		touch(&depth); /* no tail call */
		return;
	}
	for (int i = 0; i < 50; i++) {
		void *p = malloc(64);

		touch(p);
		free(p);
	}
}

static void *pace(void *arg)
{
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (1) {
		truth_paced(4);
		next.tv_nsec += 1000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	return arg;
}

static void paced(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, pace, NULL);
}

static const struct {
	const char *name;
	void (*run)(void);
} table[] = {
	{ "small", truth_small }, { "kept", truth_kept }, { "drop", drop }, { "forget", forget },
	{ "make_old", make_old }, { "old", truth_old }, { "half", truth_half },
	{ "realloc", truth_realloc }, { "refused", truth_refused }, { "aligned", truth_aligned },
	{ "pages", truth_pages }, { "nothing", truth_nothing }, { "library", truth_library }, { "threads", threads }, { "handover", handover },
	{ "forks", forks }, { "leak", leak }, { "storm", storm }, { "rate", storm_rate }, { "calm", calm },
	{ "paced", paced }, { "print", tally_print },
};

static void command(const char *name, char **argv)
{
	if (!strcmp(name, "reset")) {
		memset(tallies, 0, sizeof(tallies));
		nr_tallies = 0;
	}
	if (!strcmp(name, "exec"))
		execl("/proc/self/exe", argv[0], NULL);
	if (!strcmp(name, "quit"))
		exit(0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(name, table[i].name))
			table[i].run();
}

int main(int argc, char **argv)
{
	char line[64];
	size_t len = 0;

	(void)argc;
	setvbuf(stdout, NULL, _IONBF, 0);
	puts("ready");
	/* Not by stdio: what it has read ahead would be lost with an exec. */
	while (read(STDIN_FILENO, line + len, 1) == 1) {
		if (line[len] != '\n') {
			len = len < sizeof(line) - 1 ? len + 1 : len;
			continue;
		}
		line[len] = '\0';
		len = 0;
		command(line, argv);
		puts("done");
	}
	return 0;
}
