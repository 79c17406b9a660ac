/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * findings_opts.h - what the subcommands share that look for findings: their options, the list of what to ignore, the gate.
 */
#ifndef SONDE_CMD_FINDINGS_OPTS_H
#define SONDE_CMD_FINDINGS_OPTS_H

#include "base/opt.h"

struct sonde_ignore;
struct sonde_load_opts;
struct sonde_snapshot;

#define SONDE_FINDINGS_LARGE_BYTES (16ULL << 20) /* of one result */

/**
 * struct sonde_findings_config - options, and what sonde_findings_begin() makes of them
 * @off: look for nothing
 * @kinds: bits of enum sonde_finding_kind that the command has (0: those of statements)
 * @ignore: the list in @ignore_file, or NULL
 * @fail_kinds: bits of enum sonde_finding_kind that fail the gate
 */
struct sonde_findings_config {
	u32 min_repeat;
	u64 slow_ns;
	u32 large_rows;
	const char *ignore_file;
	const char *fail_on;
	bool off;
	unsigned int kinds;
	struct sonde_ignore *ignore;
	unsigned int fail_kinds;
};

#define SONDE_FINDINGS_DEFAULTS                                                                                        \
	{                                                                                                              \
		.min_repeat = 5, .slow_ns = 100000000, .large_rows = 10000                                             \
	}

/* Rows of an option table whose configuration has a struct sonde_findings_config as @member. */
#define SONDE_FINDINGS_OPTS(config, member)                                                                            \
	{ .name = "min-repeat",                                                                                        \
	  .type = SONDE_OPT_NUMBER,                                                                                    \
	  .metavar = "N",                                                                                              \
	  .help = "a statement that is sent N times in one unit of work is a finding (default: 5)",                    \
	  .offset = SONDE_OPT_AT(config, member.min_repeat, u32),                                                      \
	  .min = 2,                                                                                                    \
	  .max = 1000000 },                                                                                            \
		{ .name = "slow",                                                                                      \
		  .type = SONDE_OPT_SECONDS,                                                                           \
		  .metavar = "TIME",                                                                                   \
		  .help = "a statement that takes TIME or longer is a finding; 0: never (default: 100ms)",             \
		  .offset = SONDE_OPT_AT(config, member.slow_ns, u64),                                                 \
		  .max = 86400ULL * 1000000000 },                                                                      \
		{ .name = "large-rows",                                                                                \
		  .type = SONDE_OPT_NUMBER,                                                                            \
		  .metavar = "N",                                                                                      \
		  .help = "a result of N rows or more is a finding; 0: never (default: 10000)",                        \
		  .offset = SONDE_OPT_AT(config, member.large_rows, u32),                                              \
		  .max = UINT32_MAX },                                                                                 \
		{ .name = "ignore",                                                                                    \
		  .type = SONDE_OPT_STRING,                                                                            \
		  .metavar = "FILE",                                                                                   \
		  .help = "leave out the findings that FILE names: ids of statements or findings, or patterns of "     \
			  "statements with *, one a line",                                                             \
		  .offset = SONDE_OPT_AT(config, member.ignore_file, const char *) },                                  \
	{                                                                                                              \
		.name = "fail-on", .type = SONDE_OPT_STRING, .metavar = "KIND,..",                                     \
		.help = "end with exit code 5 if there is a finding of one of these kinds: n_plus_one, "               \
			"redundant_query, write_loop, slow_query, large_result",                                       \
		.offset = SONDE_OPT_AT(config, member.fail_on, const char *)                                           \
	}

/**
 * sonde_findings_begin - check the options and read the list; @command is for messages
 *
 * Returns -1 to go on, or the exit code to end with. Free it with sonde_findings_end() either way.
 */
int sonde_findings_begin(struct sonde_findings_config *config, const char *command);

void sonde_findings_end(struct sonde_findings_config *config);

/** sonde_findings_load - what the loader has to know of it */
void sonde_findings_load(const struct sonde_findings_config *config, struct sonde_load_opts *opts);

/* Members of a struct sonde_trace_source whose collector is that of cmd/rows.h; ctx is the struct sonde_findings_config. */
void sonde_findings_configure(void *rows, const void *ctx);
int sonde_findings_gate(const void *ctx, const struct sonde_snapshot *final);

#endif /* SONDE_CMD_FINDINGS_OPTS_H */
