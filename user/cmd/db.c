// SPDX-License-Identifier: GPL-2.0-only
/*
 * db.c - `sonde db`: statements of database clients.
 */
#include "cmd/cmd.h"
#include "cmd/findings_opts.h"
#include "cmd/rows.h"
#include "cmd/trace.h"
#include "load/load.h"
#include "sonde/key.h"

struct config {
	struct sonde_trace_config trace;
	struct sonde_findings_config findings;
	struct sonde_rows_config rows;
};

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct config, trace),
	SONDE_ROWS_OPTS(struct config, rows, SONDE_ROWS_ROLE_HELP, SONDE_ROWS_ROW_HELP),
	SONDE_FINDINGS_OPTS(struct config, findings),
	{ .name = "no-findings",
	  .type = SONDE_OPT_FLAG,
	  .help = "only count: look for no N+1 queries and the like",
	  .offset = SONDE_OPT_AT(struct config, findings.off, bool) },
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

static const struct sonde_trace_source source = {
	.command = "db",
	.create = sonde_rows_create,
	.destroy = sonde_rows_destroy,
	.event = sonde_rows_event,
	.read = sonde_rows_read,
	.snapshot = sonde_rows_snapshot,
	.configure = sonde_findings_configure,
	.tick = sonde_rows_tick,
	.gate = sonde_findings_gate,
};

int sonde_cmd_db(int argc, char **argv)
{
	struct config config = { .trace = SONDE_TRACE_DEFAULTS,
				 .findings = SONDE_FINDINGS_DEFAULTS,
				 .rows.role = SONDE_ROLE_CLIENT };
	struct sonde_trace_source mine = source;
	struct sonde_load_opts load = {};
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0)
		code = sonde_findings_begin(&config.findings, "db");
	if (code < 0) {
		sonde_rows_load(&config.rows, &load);
		sonde_findings_load(&config.findings, &load);
		mine.ctx = &config.findings;
		code = sonde_trace_run(&config.trace, &mine, &load, argv, program);
	}
	sonde_findings_end(&config.findings);
	sonde_opt_free(&set, &config);
	return code;
}
