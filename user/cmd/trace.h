/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - what every tracing subcommand shares: its options and its run, from loading to the final report.
 */
#ifndef SONDE_CMD_TRACE_H
#define SONDE_CMD_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/opt.h"
#include "load/load.h"
#include "out/out.h"

struct sonde_report;
struct sonde_snapshot;

#define SONDE_TOP_DEFAULT UINT32_MAX /* as many rows as the output thinks right */

/** struct sonde_trace_config - the common options */
struct sonde_trace_config {
	struct sonde_opt_pids pids;
	const char *comm;
	const char *cgroup;
	u64 duration_ns; /* 0: until something ends it */
	u64 interval_ns; /* 0: not given */
	int out; /* enum sonde_out_id */
	const char *file;
	u32 top;
	bool verbose;
};

#define SONDE_TRACE_DEFAULTS                                                                                           \
	{                                                                                                              \
		.out = SONDE_OUT_text, .top = SONDE_TOP_DEFAULT                                                        \
	}

extern const struct sonde_opt_choice sonde_trace_outs[];

/* Rows of an option table whose configuration has a struct sonde_trace_config as @member: who is traced, and how long. */
#define SONDE_TRACE_WHO_OPTS(config, member)                                                                           \
	{ .name = "pid",                                                                                               \
	  .letter = 'p',                                                                                               \
	  .type = SONDE_OPT_PIDS,                                                                                      \
	  .metavar = "PID,..",                                                                                         \
	  .help = "only these processes; may be given several times",                                                  \
	  .offset = SONDE_OPT_AT(config, member.pids, struct sonde_opt_pids) },                                        \
		{ .name = "comm",                                                                                      \
		  .letter = 'c',                                                                                       \
		  .type = SONDE_OPT_STRING,                                                                            \
		  .metavar = "NAME",                                                                                   \
		  .help = "only processes of this name (as ps -o comm shows it)",                                      \
		  .offset = SONDE_OPT_AT(config, member.comm, const char *) },                                         \
		{ .name = "cgroup",                                                                                    \
		  .type = SONDE_OPT_STRING,                                                                            \
		  .metavar = "PATH",                                                                                   \
		  .help = "only processes in this cgroup (a directory below /sys/fs/cgroup) and below it",             \
		  .offset = SONDE_OPT_AT(config, member.cgroup, const char *) },                                       \
	{                                                                                                              \
		.name = "duration",                                                                                  \
		  .letter = 'd',                                                                                       \
		  .type = SONDE_OPT_SECONDS,                                                                           \
		  .metavar = "SECONDS",                                                                                \
		  .help = "end after this time (default: at Ctrl-C, or when the traced processes have ended)",         \
		  .offset = SONDE_OPT_AT(config, member.duration_ns, u64),                                             \
		  .min = 10000000ULL,                                                                                  \
		  .max = 366ULL * 86400 * 1000000000 }

/* The same, and what a run with reports has beside. */
#define SONDE_TRACE_OPTS(config, member)                                                                               \
	SONDE_TRACE_WHO_OPTS(config, member),                                                                          \
		{ .name = "interval",                                                                                  \
		  .letter = 'i',                                                                                       \
		  .type = SONDE_OPT_SECONDS,                                                                           \
		  .metavar = "SECONDS",                                                                                \
		  .help = "report this often while it runs (default: on a terminal every second, elsewhere at the "    \
			  "end only)",                                                                                 \
		  .offset = SONDE_OPT_AT(config, member.interval_ns, u64),                                             \
		  .min = 100000000ULL,                                                                                 \
		  .max = 86400ULL * 1000000000 },                                                                      \
		{ .name = "format",                                                                                    \
		  .letter = 'o',                                                                                       \
		  .type = SONDE_OPT_CHOICE,                                                                            \
		  .help = "report for people or one JSON document (default: text)",                                     \
		  .choices = sonde_trace_outs,                                                                         \
		  .offset = SONDE_OPT_AT(config, member.out, int) },                                                   \
		{ .name = "output",                                                                                    \
		  .type = SONDE_OPT_STRING,                                                                            \
		  .metavar = "FILE",                                                                                   \
		  .help = "write the report to FILE, which is replaced as a whole",                                    \
		  .offset = SONDE_OPT_AT(config, member.file, const char *) },                                         \
		{ .name = "top",                                                                                       \
		  .type = SONDE_OPT_NUMBER,                                                                            \
		  .metavar = "N",                                                                                      \
		  .help = "at most N rows; 0: all (default: 40 in a text report, 10 of slow, all in JSON)",            \
		  .offset = SONDE_OPT_AT(config, member.top, u32),                                                     \
		  .max = UINT32_MAX - 1 },                                                                             \
	{                                                                                                              \
		.name = "verbose", .letter = 'v', .type = SONDE_OPT_FLAG, .help = "say on stderr how it is done",      \
		.offset = SONDE_OPT_AT(config, member.verbose, bool)                                                   \
	}

/**
 * struct sonde_trace_source - where a subcommand's numbers come from
 * @command: the subcommand's name
 * @create: make its collector; NULL when out of memory
 * @event: take an event of the ring (sonde_event_fn)
 * @read: read the maps; 0 or -errno
 * @snapshot: build a snapshot of what was read; NULL when out of memory
 * @live: print what has happened since the last call, a line each, on stdout (NULL: reports only). Returns 0 or -errno
 * @last: before the final report, with tracing over: add to its snapshot what takes time (NULL: nothing)
 * @configure: (these eight may be NULL) tell the new collector what @ctx says
 * @begin: with tracing begun, before PROGRAM is started: look at processes (@opts: which); 0 or -errno
 * @end: look at them again: the run is over, but PROGRAM, if it has ended, is not waited for yet; 0 or -errno
 * @tick: after events were taken: what has to be read before the end; 0 or -errno
 * @every: a few times a second while it runs; 0 or -errno
 * @over: whether the run is to end now
 * @gate: after the final report: the exit code of a run in which nothing failed
 * @file: what it writes in the end beside --output (NULL: nothing)
 * @ctx: for @configure and @gate
 * @connects: @last connects to a database
 * @env: what the environment of a program that is started gets, "NAME=VALUE", NULL at the end (NULL: nothing)
 */
struct sonde_trace_source {
	const char *command;
	void *(*create)(void);
	void (*destroy)(void *source);
	void (*event)(void *source, const void *event, size_t size);
	int (*read)(void *source, const struct sonde_load *load);
	struct sonde_snapshot *(*snapshot)(void *source);
	int (*live)(void *source, const struct sonde_load *load, struct sonde_report *report, u64 mono_to_unix_ns);
	void (*last)(void *source, struct sonde_snapshot *snapshot);
	void (*configure)(void *source, const void *ctx);
	int (*begin)(void *source, const struct sonde_load_opts *opts);
	int (*end)(void *source);
	int (*tick)(void *source, const struct sonde_load *load);
	int (*every)(void *source, struct sonde_load *load);
	bool (*over)(void *source, const struct sonde_load *load);
	int (*gate)(const void *ctx, const struct sonde_snapshot *final);
	const char *file;
	const void *ctx;
	bool connects;
	char *const *env;
};

/** sonde_trace_not_loaded - tell on stderr why nothing is traced, and what to try; @argv: the subcommand's own */
void sonde_trace_not_loaded(const struct sonde_load_error *err, char **argv);

/**
 * sonde_trace_run - trace until something ends it, and report
 * @opts: what to load; processes, name and cgroup are filled in from @config
 * @argv: the subcommand's own, for messages; PROGRAM at @program unless that is 0
 *
 * Returns an exit code.
 */
int sonde_trace_run(const struct sonde_trace_config *config, const struct sonde_trace_source *source,
		    struct sonde_load_opts *opts, char **argv, int program);

#endif /* SONDE_CMD_TRACE_H */
