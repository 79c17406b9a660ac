// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -shared -fPIC */
/*
 * clock_step.c - a library to preload: CLOCK_REALTIME goes back an hour, two seconds after the first look at it.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static time_t first;
	struct timespec now;
	int ret = (int)syscall(SYS_clock_gettime, clock, ts);

	if (ret || clock != CLOCK_REALTIME)
		return ret;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	if (!first)
		first = now.tv_sec;
	else if (now.tv_sec - first >= 2)
		ts->tv_sec -= 3600;
	return 0;
}

time_t time(time_t *to)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (to)
		*to = ts.tv_sec;
	return ts.tv_sec;
}
