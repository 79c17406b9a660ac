// SPDX-License-Identifier: GPL-2.0-only
/*
 * nplus1.c - `sonde nplus1`: what should be done something about in what programs send to databases.
 */
#include "cmd/cmd.h"
#include "cmd/findings_opts.h"
#include "cmd/rows.h"
#include "cmd/trace.h"
#include "load/load.h"
#include "model/snapshot.h"
#include "sonde/key.h"

struct config {
	struct sonde_trace_config trace;
	struct sonde_findings_config findings;
	struct sonde_rows_config rows;
};

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct config, trace),
	SONDE_FINDINGS_OPTS(struct config, findings),
	SONDE_ROWS_OPTS(struct config, rows, SONDE_ROWS_ROLE_HELP, SONDE_ROWS_ROW_HELP),
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde nplus1",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about =
		"Find what repeats in one unit of work (a request, a transaction) that programs do with a database: "
		"N+1 "
		"queries, redundant queries, loops of writes, and what is slow or large by itself; each with the query "
		"that it comes from, what it costs, and what would do instead. Ctrl-C ends with the final report. With "
		"PROGRAM, starts it, traces it and its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde nplus1                        all clients on this machine, live\n"
		 "  sudo sonde nplus1 -c gunicorn -d 60      one program for a minute\n"
		 "  sudo sonde nplus1 --fail-on n_plus_one -- npm test\n",
};

static struct sonde_snapshot *snapshot(void *rows)
{
	struct sonde_snapshot *made = sonde_rows_snapshot(rows);

	if (made)
		made->only_findings = true;
	return made;
}

static const struct sonde_trace_source source = {
	.command = "nplus1",
	.create = sonde_rows_create,
	.destroy = sonde_rows_destroy,
	.event = sonde_rows_event,
	.read = sonde_rows_read,
	.snapshot = snapshot,
	.configure = sonde_findings_configure,
	.tick = sonde_rows_tick,
	.gate = sonde_findings_gate,
};

int sonde_cmd_nplus1(int argc, char **argv)
{
	struct config config = { .trace = SONDE_TRACE_DEFAULTS,
				 .findings = SONDE_FINDINGS_DEFAULTS,
				 .rows.role = SONDE_ROLE_CLIENT };
	struct sonde_trace_source mine = source;
	struct sonde_load_opts load = {};
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0)
		code = sonde_findings_begin(&config.findings, "nplus1");
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
