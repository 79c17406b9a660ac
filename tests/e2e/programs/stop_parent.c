// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -shared -fPIC */
/*
 * stop_parent.c - a library that is preloaded into a program that `sonde alloc` starts: sonde gets no processor for $STOP_PARENT_MS
 * milliseconds from before the program's own libraries begin, as on a machine that is very busy.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static __attribute__((constructor)) void stop(void)
{
	const char *ms = getenv("STOP_PARENT_MS");
	pid_t parent = getppid();

	if (!ms || !getenv("SONDE_ALLOC_WAIT")) /* sonde itself */
		return;
	if (!fork()) {
		usleep((useconds_t)strtoul(ms, NULL, 10) * 1000);
		kill(parent, SIGCONT);
		_exit(0);
	}
	kill(parent, SIGSTOP);
}
