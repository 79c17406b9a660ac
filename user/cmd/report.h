/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * report.h - where reports of a run go: live on the terminal, one after the other on stdout, or into a file.
 */
#ifndef SONDE_CMD_REPORT_H
#define SONDE_CMD_REPORT_H

#include <stdbool.h>

#include "out/out.h"
#include "sonde/base.h"

struct sonde_buf;
struct sonde_slow;
struct sonde_snapshot;
struct sonde_trace_config;

struct sonde_report {
	const struct sonde_trace_config *config;
	const struct sonde_out *out;
	struct sonde_out_opts opts;
	bool terminal; /* stdout is one */
	bool live; /* drawn in place */
	bool lines; /* of slow executions stand on stdout since the last report */
};

/** sonde_report_begin - look at stdout and decide; @program: a program of ours uses the terminal, too */
void sonde_report_begin(struct sonde_report *report, const struct sonde_trace_config *config, const char *command,
			bool program);

/** sonde_report_interval - nanoseconds between two reports while the run goes on; 0: none before the end */
u64 sonde_report_interval(const struct sonde_report *report);

/** sonde_report_disturbed - whether the terminal has to be drawn anew now; handles Ctrl-Z */
bool sonde_report_disturbed(struct sonde_report *report);

/** sonde_report_last - what comes next is the final report: give the terminal back */
void sonde_report_last(struct sonde_report *report);

/** sonde_report_slow - print one slow execution, a line, on stdout. Returns 0, or -errno with the error told */
int sonde_report_slow(struct sonde_report *report, const struct sonde_slow *slow, u64 mono_to_unix_ns);

/**
 * sonde_report_line - print one line on stdout, as it happens
 * @line: appends it to @buf, @people: for people, else for machines; with @what and @ctx
 *
 * Returns 0, or -errno with the error told.
 */
int sonde_report_line(struct sonde_report *report,
		      void (*line)(const void *what, const void *ctx, bool people, const struct sonde_out_opts *opts,
				   struct sonde_buf *buf),
		      const void *what, const void *ctx);

/** sonde_report_host - fill in which machine @snapshot is of */
void sonde_report_host(struct sonde_snapshot *snapshot);

/** sonde_report_utf8 - whether the reader's locale is a UTF-8 one */
bool sonde_report_utf8(void);

/** sonde_report - report @snapshot. Returns 0, or -errno with the error told */
int sonde_report(struct sonde_report *report, struct sonde_snapshot *snapshot);

#endif /* SONDE_CMD_REPORT_H */
