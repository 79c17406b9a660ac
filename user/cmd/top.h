/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * top.h - the run of `sonde top`: its options as they are read, for the loop that takes readings, keys and draws.
 */
#ifndef SONDE_CMD_TOP_H
#define SONDE_CMD_TOP_H

#include "cmd/findings_opts.h"
#include "cmd/rows.h"
#include "cmd/trace.h"

struct sonde_top_config {
	struct sonde_trace_config trace;
	struct sonde_rows_config rows;
	struct sonde_findings_config findings;
	bool syscalls; /* count them from the start */
};

/** sonde_top_run - load, draw until the end is asked for, give the terminal back; @argv: the subcommand's own. An exit code */
int sonde_top_run(const struct sonde_top_config *config, char **argv);

#endif /* SONDE_CMD_TOP_H */
