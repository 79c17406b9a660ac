/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_recorded.h - `sonde alloc --record FILE`, and --from FILE: the report of a recorded run. Only for user/cmd.
 */
#ifndef SONDE_CMD_ALLOC_RECORDED_H
#define SONDE_CMD_ALLOC_RECORDED_H

#include <stdbool.h>

#include "base/opt.h"

struct sonde_alloc_diff;
struct sonde_profile_files;
struct sonde_snapshot;
struct sonde_trace_config;

/** struct sonde_alloc_recording - files that were asked for; NULL: not */
struct sonde_alloc_recording {
	const char *record;
	const char *from;
};

/* Rows of an option table whose configuration has a struct sonde_alloc_recording as @member. */
#define SONDE_ALLOC_RECORDING_OPTS(config, member)                                                                     \
	{ .name = "record",                                                                                            \
	  .type = SONDE_OPT_STRING,                                                                                    \
	  .metavar = "FILE",                                                                                           \
	  .help = "at the end, write all that the report is made of into FILE, an SQLite database, for --from and --baseline", \
	  .offset = SONDE_OPT_AT(config, member.record, const char *) },                                               \
	{                                                                                                              \
		.name = "from", .type = SONDE_OPT_STRING, .metavar = "FILE",                                           \
		.help = "trace nothing: report from FILE, which --record has written",                                 \
		.offset = SONDE_OPT_AT(config, member.from, const char *)                                              \
	}

/** sonde_alloc_record - write @snapshot into @file; false if that failed, which was told */
bool sonde_alloc_record(struct sonde_snapshot *snapshot, const char *file);

/** struct sonde_alloc_again - how a recorded run is reported: options of the command; @by, @value: enums of the same names; @gates: kinds of findings */
struct sonde_alloc_again {
	const struct sonde_trace_config *trace;
	struct sonde_profile_files *files;
	struct sonde_alloc_diff *baseline; /* NULL: not asked for */
	int by;
	int value;
	u32 gates; /* bits by enum sonde_finding_kind */
};

/**
 * sonde_alloc_report - report the run that is recorded in @file
 * @gate: the exit code for what was found
 *
 * Returns an exit code.
 */
int sonde_alloc_report(const char *file, const struct sonde_alloc_again *how, int (*gate)(const struct sonde_snapshot *snapshot));

#endif /* SONDE_CMD_ALLOC_RECORDED_H */
