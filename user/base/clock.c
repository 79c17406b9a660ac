// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock.c - the machine's monotonic clock.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* What this process's time namespace adds to CLOCK_MONOTONIC; 0 before Linux 5.6. */
static long long namespace_offset_ns(void)
{
	long long s, ns, found = 0;
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	char line[128], clock[32];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%31s %lld %lld", clock, &s, &ns) == 3 && !strcmp(clock, "monotonic"))
			found = s * 1000000000 + ns;
	fclose(file);
	return found;
}

u64 sonde_clock_ns(void)
{
	static long long offset_ns;
	static bool asked;
	struct timespec ts;

	if (!asked)
		offset_ns = namespace_offset_ns();
	asked = true;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec - (u64)offset_ns;
}
