/* LIBS: -lpthread */
// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpu_truth.c - spends known shares of its processor time in known functions, without frame pointers: in itself, in callbacks of
 * libc, in a signal handler, and deep down.
 *
 * usage: cpu_truth MILLISECONDS     prints "NAME NANOSECONDS" by the thread's own clock
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DEPTH 40
#define NOINLINE __attribute__((noinline, noclone, optimize("omit-frame-pointer", "no-optimize-sibling-calls")))

static volatile uint64_t sink;
static uint64_t slice_ns;
static uint64_t in_handler_ns;

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Busy in the caller itself: between two looks at the clock nearly all time. */
#define SPIN(until)                                                                                                    \
	do {                                                                                                           \
		while (cpu_ns() < (until))                                                                             \
			for (int spin_ = 0; spin_ < 20000; spin_++)                                                    \
				sink += (uint64_t)spin_;                                                               \
	} while (0)

NOINLINE void truth_plain(uint64_t until)
{
	SPIN(until);
	sink++;
}

static uint64_t callback_until;

NOINLINE int truth_compare(const void *a, const void *b)
{
	if (callback_until) {
		SPIN(callback_until);
		callback_until = 0;
	}
	return *(const int *)a - *(const int *)b;
}

NOINLINE void truth_callback(uint64_t until)
{
	int values[8] = { 5, 3, 8, 1, 7, 2, 6, 4 };

	callback_until = until;
	qsort(values, 8, sizeof(values[0]), truth_compare);
	sink += (uint64_t)values[0];
}

NOINLINE void truth_deep(int depth, uint64_t until)
{
	volatile char room[64 + 16 * (DEPTH % 7)];

	room[0] = (char)depth;
	if (depth)
		truth_deep(depth - 1, until);
	else
		SPIN(until);
	sink += (uint64_t)room[0];
}

NOINLINE void truth_handler(int sig)
{
	uint64_t from = cpu_ns();

	SPIN(from + slice_ns);
	in_handler_ns += cpu_ns() - from;
	sink += (uint64_t)sig;
}

NOINLINE void truth_signal(void)
{
	raise(SIGUSR1);
	sink++;
}

/* A frame that is aligned, so that its rules differ. */
NOINLINE void truth_aligned(uint64_t until)
{
	volatile char room[256] __attribute__((aligned(64)));

	room[0] = 1;
	SPIN(until);
	sink += (uint64_t)room[0];
}

NOINLINE void *truth_thread(void *arg)
{
	uint64_t from = cpu_ns();

	truth_plain(from + slice_ns);
	*(uint64_t *)arg = cpu_ns() - from;
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t total = (argc > 1 ? strtoull(argv[1], NULL, 10) : 2000) * 1000000, plain, callback, deep, aligned, threads = 0;
	pthread_t thread;
	uint64_t from;

	signal(SIGUSR1, truth_handler);
	slice_ns = total / 10;
	from = cpu_ns();
	truth_plain(from + 3 * slice_ns);
	plain = cpu_ns() - from;
	from = cpu_ns();
	truth_callback(from + 2 * slice_ns);
	callback = cpu_ns() - from;
	from = cpu_ns();
	truth_deep(DEPTH, from + 2 * slice_ns);
	deep = cpu_ns() - from;
	from = cpu_ns();
	truth_aligned(from + slice_ns);
	aligned = cpu_ns() - from;
	truth_signal();
	if (!pthread_create(&thread, NULL, truth_thread, &threads))
		pthread_join(thread, NULL);
	printf("truth_plain %llu\ntruth_callback %llu\ntruth_deep %llu\ntruth_aligned %llu\ntruth_signal %llu\ntruth_thread %llu\n",
	       (unsigned long long)plain, (unsigned long long)callback, (unsigned long long)deep, (unsigned long long)aligned,
	       (unsigned long long)in_handler_ns, (unsigned long long)threads);
	return 0;
}
