// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -lm */
/*
 * alloc_leaks.c - a program that leaks, and programs that only look so, for tests of `sonde alloc`.
 *
 * usage: alloc_leaks MODE SECONDS
 *
 *	leak	200 KB/s of 1000 bytes are lost, among 100,000 allocations a second that are freed at once
 *	ways	the same, 100 KB/s from each of two callers
 *	slow	1 KB/s is lost
 *	tidy	800 KB/s are kept, and freed at the end
 *	late	the same, and it ends $LATE_MS milliseconds after that
 *	lru	2 MB/s go into a cache of 16 MB, the oldest go out
 *	fill	a cache that misses less and less: half of it is there after a tenth of the time
 *	warm	24 MB in the first third of the time, kept
 *	frag	4,000 slots, each with something of 16 to 8,000 bytes; 1,500 a second, at random, get another size
 *	churn	100,000 allocations a second, freed at once
 *
 * What is to be done by now is worked out from the time, so that rates hold on a machine that is slow.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEEP __attribute__((noinline, noipa))

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint32_t dice(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

KEEP static void churn_here(void)
{
	char *p = malloc(16 + dice() % 240);

	*(volatile char *)p = 1;
	free(p);
}

KEEP static void leak_here(void)
{
	char *p = malloc(1000); /* lost */

	*(volatile char *)p = 1;
}

KEEP static void one_way(void)
{
	leak_here();
	__asm__ volatile("" : : : "memory"); /* no tail call */
}

KEEP static void other_way(void)
{
	leak_here();
	__asm__ volatile("" : : : "memory");
}

struct slots {
	char **slot;
	size_t nr, at;
};

/* Another object in slot @at. */
KEEP static void lru_here(struct slots *cache)
{
	char **slot = &cache->slot[cache->at++ % cache->nr];

	free(*slot);
	*slot = malloc(1000);
	**(volatile char **)slot = 1;
}

KEEP static void frag_here(struct slots *slots)
{
	char **slot = &slots->slot[dice() % slots->nr];

	free(*slot);
	*slot = malloc(16 + dice() % 7984);
	**(volatile char **)slot = 1;
}

KEEP static void keep_here(struct slots *kept)
{
	if (kept->at == kept->nr)
		return;
	kept->slot[kept->at] = malloc(1000);
	*(volatile char *)kept->slot[kept->at++] = 1;
}

static struct slots slots_new(size_t nr)
{
	struct slots slots = { calloc(nr, sizeof(char *)), nr, 0 };

	return slots;
}

/* How often @mode has to do it by @t of @all seconds. */
static double due(const char *mode, double t, double all)
{
	if (!strcmp(mode, "leak") || !strcmp(mode, "ways"))
		return 200 * t;
	if (!strcmp(mode, "slow"))
		return t;
	if (!strcmp(mode, "tidy") || !strcmp(mode, "late"))
		return 800 * t;
	if (!strcmp(mode, "lru"))
		return 2000 * t;
	if (!strcmp(mode, "fill"))
		return 24000 * (1 - exp2(-10 * t / all));
	if (!strcmp(mode, "warm"))
		return fmin(24000, 72000 * t / all);
	if (!strcmp(mode, "frag"))
		return 1500 * t;
	return 0;
}

static void once(const char *mode, struct slots *slots, uint64_t n)
{
	if (!strcmp(mode, "ways")) {
		if (n % 2)
			one_way();
		else
			other_way();
	} else if (!strcmp(mode, "leak") || !strcmp(mode, "slow")) {
		one_way();
	} else if (!strcmp(mode, "lru")) {
		lru_here(slots);
	} else if (!strcmp(mode, "frag")) {
		frag_here(slots);
	} else {
		keep_here(slots);
	}
}

int main(int argc, char **argv)
{
	const struct timespec tick = { .tv_nsec = 5000000 };
	const char *mode = argc > 2 ? argv[1] : "";
	double all = argc > 2 ? strtod(argv[2], NULL) : 0, begun = now(), t;
	bool churns = !strcmp(mode, "leak") || !strcmp(mode, "churn");
	struct slots slots = slots_new(!strcmp(mode, "frag") ? 4000 : !strcmp(mode, "lru") ? 16000 : 24000);
	uint64_t done = 0, churned = 0;

	while ((t = now() - begun) < all) {
		for (; done < (uint64_t)due(mode, t, all); done++)
			once(mode, &slots, done);
		/* Not more than a tenth of a second is made up for. */
		if (churned + 10000 < (uint64_t)(100000 * t))
			churned = (uint64_t)(100000 * t) - 10000;
		for (; churns && churned < (uint64_t)(100000 * t); churned++)
			churn_here();
		nanosleep(&tick, NULL);
	}
	for (size_t i = 0; i < slots.at && (!strcmp(mode, "tidy") || !strcmp(mode, "late")); i++)
		free(slots.slot[i]);
	if (!strcmp(mode, "late"))
		usleep((useconds_t)strtoul(getenv("LATE_MS") ?: "0", NULL, 10) * 1000);
	return !done && !churns; /* no such mode */
}
