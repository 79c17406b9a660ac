/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_exact.h - the options of `sonde alloc --exact`, and the end of its run.
 */
#ifndef SONDE_CMD_ALLOC_EXACT_H
#define SONDE_CMD_ALLOC_EXACT_H

#include <stdbool.h>

#include "load/load.h"

struct sonde_alloc_exact;
struct sonde_trace_config;

/** struct sonde_exact_opts - what the user said; @budget: percent of one processor, NULL: the default */
struct sonde_exact_opts {
	bool on;
	const char *budget;
	u32 max_objects;
};

#define SONDE_EXACT_OPTS(config, member)                                                                               \
	{ .name = "exact",                                                                                             \
	  .type = SONDE_OPT_FLAG,                                                                                      \
	  .help = "with -p: watch every malloc and free from now on, if that costs no more than --budget",             \
	  .offset = SONDE_OPT_AT(config, member.on, bool) },                                                           \
		{ .name = "budget",                                                                                    \
		  .type = SONDE_OPT_STRING,                                                                            \
		  .metavar = "PERCENT",                                                                                \
		  .help = "with --exact: what it may cost, in percent of one CPU; measured before, and while it runs " \
			  "(default: 3)",                                                                              \
		  .offset = SONDE_OPT_AT(config, member.budget, const char *) },                                       \
	{                                                                                                              \
		.name = "max-objects", .type = SONDE_OPT_NUMBER, .metavar = "N",                                       \
		.help = "with --exact: room for N objects that live; 0.2 KB of kernel memory each (default: 1048576)", \
		.offset = SONDE_OPT_AT(config, member.max_objects, u32), .min = 1024, .max = 1 << 26                   \
	}

/** sonde_exact_meant - whether the user said anything of --exact and its options, alone or not */
static inline bool sonde_exact_meant(const struct sonde_exact_opts *opts)
{
	return opts->on || opts->budget || opts->max_objects;
}

/**
 * sonde_exact_prepare - check what was said, fill @load.exact
 * @config: who is traced; @program: one is to be started
 *
 * Returns -1 to go on, or the exit code of wrong usage, which was told.
 */
int sonde_exact_prepare(const struct sonde_exact_opts *opts, const struct sonde_trace_config *config, bool program,
			struct sonde_load_opts *load);

/** sonde_exact_over - whether the run has ended because it cost too much, which is told once */
bool sonde_exact_over(const struct sonde_load *load);

#endif /* SONDE_CMD_ALLOC_EXACT_H */
