// SPDX-License-Identifier: GPL-2.0-only
/*
 * mallocs.c - does nothing but malloc and free.
 *
 * usage: mallocs SECONDS RATE     (RATE: pairs a second; 0: as many as it can)
 *
 * Says "ready", waits for a line, runs, and prints "PAIRS CPU_NS WALL_NS".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noipa))

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* From a call depth that is small, but not none. */
NOINLINE static void pairs(unsigned int depth, unsigned int nr)
{
	if (depth) {
		pairs(depth - 1, nr);
		*(volatile unsigned int *)&depth = 0;
		return;
	}
	for (unsigned int i = 0; i < nr; i++) {
		char *p = malloc(16 + i % 8 * 16);

		*(volatile char *)p = 1;
		free(p);
	}
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

int main(int argc, char **argv)
{
	uint64_t begin, end, now, cpu, done = 0, rate;
	double seconds;

	if (argc != 3)
		return 2;
	seconds = strtod(argv[1], NULL);
	rate = strtoull(argv[2], NULL, 10);
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		return 1;
	begin = now = now_ns(CLOCK_MONOTONIC);
	end = begin + (uint64_t)(seconds * 1e9);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	while (now < end) {
		unsigned int nr = rate ? (unsigned int)(rate / 1000) : 1000;

		pairs(4, nr);
		done += nr;
		if (rate)
			sleep_until(begin + done * 1000000 / nr);
		now = now_ns(CLOCK_MONOTONIC);
	}
	printf("%llu %llu %llu\n", (unsigned long long)done,
	       (unsigned long long)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu), (unsigned long long)(now - begin));
	return 0;
}
