// SPDX-License-Identifier: GPL-2.0-only
/*
 * switches.c - a storm of context switches: two processes hand a byte to and fro through pipes, on one processor.
 *
 * usage: switches ROUNDS DEPTH
 *
 * Each round is two switches, below DEPTH functions. Waits for a line on stdin, then prints the nanoseconds of a round.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int ping[2], pong[2];

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

__attribute__((noinline, optimize("no-optimize-sibling-calls"))) static int play(int in, int out, long rounds, int depth)
{
	char c = 'x';
	int result = 0;

	if (depth)
		return play(in, out, rounds, depth - 1) + 1;
	for (long i = 0; i < rounds; i++)
		if (write(out, &c, 1) != 1 || read(in, &c, 1) != 1)
			return -1000;
	return result;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 200000;
	int depth = argc > 2 ? atoi(argv[2]) : 10;
	uint64_t begin;
	cpu_set_t one;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (pipe(ping) || pipe(pong))
		return 1;
	pid = fork();
	if (!pid) {
		play(ping[0], pong[1], rounds + 1, depth);
		_exit(0);
	}
	if (getchar() == EOF)
		return 1;
	begin = now_ns();
	if (play(pong[0], ping[1], rounds, depth) < 0)
		return 1;
	printf("%.0f\n", (double)(now_ns() - begin) / (double)rounds);
	fflush(stdout);
	if (write(ping[1], "x", 1) != 1)
		return 1;
	waitpid(pid, NULL, 0);
	return 0;
}
