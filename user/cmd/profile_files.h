/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * profile_files.h - the files that commands write their stacks to: --flame, --folded, --pprof.
 */
#ifndef SONDE_CMD_PROFILE_FILES_H
#define SONDE_CMD_PROFILE_FILES_H

#include <stdbool.h>

#include "base/opt.h"
#include "sonde/base.h"

struct sonde_buf;
struct sonde_profile;
struct sonde_snapshot;

/** struct sonde_profile_files - what was asked for; @failed: a file could not be written */
struct sonde_profile_files {
	const char *folded;
	const char *flame;
	const char *pprof;
	bool icicle;
	bool failed;
};

/* Rows of an option table whose configuration has a struct sonde_profile_files as @member. */
#define SONDE_PROFILE_FILES_OPTS(config, member)                                                                       \
	{ .name = "flame",                                                                                             \
	  .type = SONDE_OPT_STRING,                                                                                    \
	  .metavar = "FILE",                                                                                           \
	  .help = "draw a flame graph: an SVG file for a browser, with zoom and search",                               \
	  .offset = SONDE_OPT_AT(config, member.flame, const char *) },                                                \
		{ .name = "icicle",                                                                                    \
		  .type = SONDE_OPT_FLAG,                                                                              \
		  .help = "with --flame: upside down, the outermost function at the top",                              \
		  .offset = SONDE_OPT_AT(config, member.icicle, bool) },                                               \
		{ .name = "folded",                                                                                    \
		  .type = SONDE_OPT_STRING,                                                                            \
		  .metavar = "FILE",                                                                                   \
		  .help = "write the stacks as lines of text (process;function;... value), for flame graph tools",      \
		  .offset = SONDE_OPT_AT(config, member.folded, const char *) },                                       \
	{                                                                                                              \
		.name = "pprof", .type = SONDE_OPT_STRING, .metavar = "FILE",                                          \
		.help = "write a profile for `go tool pprof` and what else reads its format (FILE.pb.gz)",             \
		.offset = SONDE_OPT_AT(config, member.pprof, const char *)                                             \
	}

/** sonde_profile_files_first - the first of the files, NULL if none was asked for */
const char *sonde_profile_files_first(const struct sonde_profile_files *files);

/**
 * sonde_profile_files_write - write @profile of @snapshot into them
 * @title: the flame graph's
 * @pprof: makes the file of --pprof where it holds more than the profile; NULL: it does not
 */
void sonde_profile_files_write(struct sonde_profile_files *files, const struct sonde_profile *profile,
			       const struct sonde_snapshot *snapshot, const char *title,
			       void (*pprof)(const struct sonde_snapshot *snapshot, struct sonde_buf *buf));

#endif /* SONDE_CMD_PROFILE_FILES_H */
