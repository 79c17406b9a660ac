// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow_hist.c - the slow-query report: a histogram, drawn.
 */
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "model/hist.h"
#include "out/slow.h"

#define BAR 48 /* columns of the greatest bar */
#define STEPS 27 /* 1, 2, 5, 10, ... nanoseconds and more: from 1 us on the histogram tells them apart */
#define MAX_STEPS 14 /* lines; a wider range is drawn in powers of ten */

/* Lower bound of step @i: 1, 2, 5 times a power of ten. */
static double step_ns(unsigned int i)
{
	static const double digit[] = { 1, 2, 5 };

	const unsigned int power = 3 + i / 3;

	return digit[i % 3] * pow(10, power);
}

/* Which step most of bucket @b lies in. */
static unsigned int step_of(u32 b, u64 max_ns)
{
	double low = b ? sonde_hist_upper_ns(b - 1) : 0, high = sonde_hist_upper_ns(b), at;
	unsigned int i = 0;

	if (high > (double)max_ns)
		high = (double)max_ns;
	at = low > 0 ? sqrt(low * high) : high / 2;
	while (i + 1 < STEPS && step_ns(i + 1) <= at)
		i++;
	return at < 1000 ? 0 : i + 1;
}

/* Lower bound of line @i: "20us". */
static const char *step_name(char out[SONDE_STR_SHORT], unsigned int i)
{
	double ns = i ? step_ns(i - 1) : 0;

	if (!i)
		snprintf(out, SONDE_STR_SHORT, "< 1us");
	else if (ns < 999999)
		snprintf(out, SONDE_STR_SHORT, "%.0fus", ns / 1e3);
	else if (ns < 999999999)
		snprintf(out, SONDE_STR_SHORT, "%.0fms", ns / 1e6);
	else
		snprintf(out, SONDE_STR_SHORT, "%.0fs", ns / 1e9);
	return out;
}

void sonde_slow_hist(const struct sonde_hist *hist, struct sonde_buf *buf)
{
	unsigned int low = STEPS, high = 0, each = 1, cells;
	u64 step[STEPS + 1] = {}, most = 1, n;
	char t[SONDE_STR_SHORT];

	for (u32 b = 0; b < SONDE_HIST_BUCKETS; b++) {
		unsigned int i;

		if (!hist->bucket[b])
			continue;
		i = step_of(b, hist->max_ns);
		step[i] += hist->bucket[b];
		low = i < low ? i : low;
		high = i > high ? i : high;
	}
	if (high > low + MAX_STEPS - 1) { /* 1 us, 10 us, ...: steps 1, 4, 7 */
		each = 3;
		low = low ? low - (low - 1) % 3 : 0;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned int i = low; i <= high; i += i || each == 1 ? each : 1) {
			unsigned int lines = i ? each : 1;

			n = 0;
			for (unsigned int k = 0; k < lines && i + k <= STEPS; k++)
				n += step[i + k];
			if (!pass) {
				most = n > most ? n : most;
				continue;
			}
			cells = (unsigned int)((double)n * BAR / (double)most + 0.5);
			sonde_buf_printf(buf, "    %7s", step_name(t, i));
			if (n) {
				sonde_buf_str(buf, "  ");
				sonde_buf_fill(buf, '#', cells ? cells : 1);
				sonde_buf_printf(buf, " %llu", (unsigned long long)n);
			}
			sonde_buf_add(buf, "\n", 1);
		}
	}
}
