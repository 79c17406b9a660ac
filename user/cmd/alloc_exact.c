// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_exact.c - the options of `sonde alloc --exact`, and the end of its run.
 */
#include <math.h>
#include <stdlib.h>

#include "base/exit.h"
#include "base/log.h"
#include "cmd/alloc_exact.h"
#include "cmd/trace.h"
#include "sonde/alloc.h"

#define BUDGET_PPM 30000u
#define MAX_PERCENT 100000.0

/* "3", "3%", "0.5": parts per million; 0: it is none, or out of range. */
static u64 parse_budget(const char *word)
{
	double percent;
	char *end;

	percent = strtod(word, &end);
	if (end == word || !isfinite(percent) || percent <= 0 || percent > MAX_PERCENT)
		return 0;
	if (*end == '%')
		end++;
	return *end ? 0 : (u64)ceil(percent * 1e4);
}

static int wrong(const char *text)
{
	sonde_error("%s\nTry 'sonde alloc --help'.", text);
	return SONDE_EXIT_USAGE;
}

int sonde_exact_prepare(const struct sonde_exact_opts *opts, const struct sonde_trace_config *config, bool program,
			struct sonde_load_opts *load)
{
	static struct sonde_alloc_exact_config exact;

	if (!opts->on)
		return opts->budget || opts->max_objects ? wrong("--budget and --max-objects go with --exact") : -1;
	if (program)
		return wrong("--exact is for processes that run (-p); a PROGRAM to start is sampled");
	if (!config->pids.nr)
		return wrong("--exact goes with -p PID");
	if (config->comm || config->cgroup)
		return wrong("--exact goes with -p alone: -c and --cgroup do not choose among its processes");
	exact.budget_ppm = opts->budget ? parse_budget(opts->budget) : BUDGET_PPM;
	exact.max_objects = opts->max_objects;
	if (!exact.budget_ppm) {
		sonde_error("--budget: '%s' is no percentage up to %.0f\nTry 'sonde alloc --help'.", opts->budget,
			    MAX_PERCENT);
		return SONDE_EXIT_USAGE;
	}
	load->exact = &exact;
	return -1;
}

bool sonde_exact_over(const struct sonde_load *load)
{
	static bool told;
	struct sonde_alloc_exact exact;

	if (!sonde_load_exact(load, &exact) || !exact.stopped_ns)
		return false;
	if (!told)
		sonde_warn("stopped: watching every allocation cost %.1f %% of one CPU, the budget is %.4g %%; the report is of the "
			   "time until now",
			   (double)exact.last_ppm / 1e4, (double)exact.budget_ppm / 1e4);
	told = true;
	return true;
}
