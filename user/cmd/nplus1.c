// SPDX-License-Identifier: GPL-2.0-only
/*
 * nplus1.c - `sonde nplus1`: what should be done something about in what programs send to databases.
 */
#include "cmd/cmd.h"
#include "cmd/statements.h"
#include "model/snapshot.h"

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct sonde_statements_config, trace),
	SONDE_FINDINGS_OPTS(struct sonde_statements_config, findings),
	SONDE_PROFILE_FILES_OPTS(struct sonde_statements_config, files),
	SONDE_ROWS_OPTS(struct sonde_statements_config, rows, SONDE_ROWS_ROLE_HELP, SONDE_ROWS_ROW_HELP),
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde nplus1",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about = "Find what repeats in one unit of work (a request, a transaction) that programs do with a database: "
		 "N+1 queries, redundant queries, loops of writes, and what is slow or large by itself; each with the "
		 "query that it comes from, what it costs, and what would do instead. Ctrl-C ends with the final "
		 "report. With PROGRAM, starts it, traces it and its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde nplus1                        all clients on this machine, live\n"
		 "  sudo sonde nplus1 -c gunicorn -d 60      one program for a minute\n"
		 "  sudo sonde nplus1 --fail-on n_plus_one -- npm test\n"
		 "  sudo sonde nplus1 -c gunicorn -d 60 --flame waste.svg   which code the repeats come from\n",
};

static struct sonde_snapshot *snapshot(void *rows)
{
	struct sonde_snapshot *made = sonde_rows_snapshot(rows);

	if (made)
		made->only_findings = true;
	return made;
}

int sonde_cmd_nplus1(int argc, char **argv)
{
	return sonde_statements_run(&set, "nplus1", snapshot, argc, argv);
}
