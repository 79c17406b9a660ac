/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_growth.h - growth, the mode of `sonde alloc` for whatever runs. Only for user/cmd.
 */
#ifndef SONDE_CMD_ALLOC_GROWTH_H
#define SONDE_CMD_ALLOC_GROWTH_H

#include <stdbool.h>

#include "base/opt.h"

struct sonde_alloc_diff;
struct sonde_findings_config;
struct sonde_profile_files;
struct sonde_trace_config;

/** struct sonde_growth_opts - what was asked for; neither: sonde_growth_wanted() chooses */
struct sonde_growth_opts {
	bool growth;
	bool sampled;
};

/* Rows of an option table whose configuration has a struct sonde_growth_opts as @member. */
#define SONDE_GROWTH_OPTS(config, member)                                                                              \
	{ .name = "growth",                                                                                            \
	  .type = SONDE_OPT_FLAG,                                                                                      \
	  .help = "tell what makes memory grow, as the kernel sees it: any process, no restart (default without PROGRAM)", \
	  .offset = SONDE_OPT_AT(config, member.growth, bool) },                                                       \
	{                                                                                                              \
		.name = "sampled", .type = SONDE_OPT_FLAG,                                                             \
		.help = "sample allocations: of PROGRAM, or of processes that carry otel_memory probes (default with PROGRAM, " \
			"and where all processes of -p carry them)",                                                  \
		.offset = SONDE_OPT_AT(config, member.sampled, bool)                                                   \
	}

/** sonde_growth_wanted - whether this run is about growth; says on stderr where processes chose for themselves */
bool sonde_growth_wanted(const struct sonde_growth_opts *opts, const struct sonde_trace_config *trace, int program);

/**
 * struct sonde_growth_job - a run
 * @by: enum sonde_alloc_by
 * @record: file to record into, NULL: none
 * @baseline: to compare with, NULL: nothing; what has changed is put there
 */
struct sonde_growth_job {
	const struct sonde_growth_opts *opts;
	const struct sonde_trace_config *trace;
	const struct sonde_findings_config *findings;
	struct sonde_profile_files *files;
	u32 max_rows;
	int by;
	const char *record;
	struct sonde_alloc_diff *baseline;
};

/** sonde_growth_run - trace growth until something ends it (sonde_trace_run()). Returns an exit code */
int sonde_growth_run(const struct sonde_growth_job *job, char **argv, int program);

#endif /* SONDE_CMD_ALLOC_GROWTH_H */
