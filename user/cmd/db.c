// SPDX-License-Identifier: GPL-2.0-only
/*
 * db.c - `sonde db`: statements of database clients.
 */
#include "cmd/cmd.h"
#include "cmd/statements.h"

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct sonde_statements_config, trace),
	SONDE_ROWS_OPTS(struct sonde_statements_config, rows, SONDE_ROWS_ROLE_HELP, SONDE_ROWS_ROW_HELP),
	SONDE_FINDINGS_OPTS(struct sonde_statements_config, findings),
	{ .name = "no-findings",
	  .type = SONDE_OPT_FLAG,
	  .help = "only count: look for no N+1 queries and the like",
	  .offset = SONDE_OPT_AT(struct sonde_statements_config, findings.off, bool) },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde db",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about = "Trace the statements that programs send to databases: grouped by their normalised text, with calls, "
		 "time, rows and errors; below, what should be done something about: N+1 queries and the like. Ctrl-C "
		 "ends with the final report. With PROGRAM, starts it, traces it and its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde db                            all clients on this machine, live\n"
		 "  sudo sonde db -p 1234 -d 30              one process for half a minute\n"
		 "  sudo sonde db -o json --output db.json -- ./manage.py test\n",
};

int sonde_cmd_db(int argc, char **argv)
{
	return sonde_statements_run(&set, "db", sonde_rows_snapshot, argc, argv);
}
