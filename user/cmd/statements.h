/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * statements.h - what the subcommands share that report statements with findings: `sonde db`, `sonde nplus1`.
 */
#ifndef SONDE_CMD_STATEMENTS_H
#define SONDE_CMD_STATEMENTS_H

#include "cmd/findings_opts.h"
#include "cmd/profile_files.h"
#include "cmd/rows.h"
#include "cmd/trace.h"

/** struct sonde_statements_config - what their option tables fill in; @files: where the time of repeats goes to as stacks */
struct sonde_statements_config {
	struct sonde_trace_config trace;
	struct sonde_findings_config findings;
	struct sonde_rows_config rows;
	struct sonde_profile_files files;
};

/**
 * sonde_statements_run - run such a subcommand
 * @set: its options, over a struct sonde_statements_config
 * @command: its name, "db"
 * @snapshot: as in struct sonde_trace_source, of the collector of cmd/rows.h
 *
 * Returns an exit code.
 */
int sonde_statements_run(const struct sonde_opt_set *set, const char *command,
			 struct sonde_snapshot *(*snapshot)(void *rows), int argc, char **argv);

#endif /* SONDE_CMD_STATEMENTS_H */
