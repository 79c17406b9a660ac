// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -static */
/*
 * launch_static.c - starts a program several times, one after the other, and runs itself without what is preloaded: it is linked statically.
 *
 * usage: launch_static TIMES PROGRAM [ARGS...]
 *
 * Prints "launched MILLISECONDS" for each: from its start to its end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	int status = argc < 3;

	for (int i = argc < 3 ? 0 : atoi(argv[1]); i > 0 && !status; i--) {
		int64_t begun = now_ms();
		pid_t pid = fork();

		if (!pid) {
			execv(argv[2], argv + 2);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		printf("launched %lld\n", (long long)(now_ms() - begun));
		fflush(stdout);
	}
	return status != 0;
}
