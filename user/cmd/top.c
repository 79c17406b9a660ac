// SPDX-License-Identifier: GPL-2.0-only
/*
 * top.c - `sonde top`: one live screen of a machine.
 */
#include "cmd/cmd.h"
#include "cmd/top.h"
#include "sonde/key.h"

#define INTERVAL_NS 2000000000ULL

static const struct sonde_opt opts[] = {
	SONDE_TRACE_WHO_OPTS(struct sonde_top_config, trace),
	{ .name = "interval",
	  .letter = 'i',
	  .type = SONDE_OPT_SECONDS,
	  .metavar = "SECONDS",
	  .help = "draw new numbers this often (default: 2)",
	  .offset = SONDE_OPT_AT(struct sonde_top_config, trace.interval_ns, u64),
	  .min = 200000000ULL,
	  .max = 86400ULL * 1000000000 },
	{ .name = "syscalls",
	  .type = SONDE_OPT_FLAG,
	  .help = "count system calls all the time, which costs every process that makes any (default: only while their page, "
		  "key 5, is shown)",
	  .offset = SONDE_OPT_AT(struct sonde_top_config, syscalls, bool) },
	{ .name = "capture",
	  .type = SONDE_OPT_CHOICE,
	  .help = "how socket data is seen (default: auto, the first that the kernel offers)",
	  .choices = sonde_rows_captures,
	  .offset = SONDE_OPT_AT(struct sonde_top_config, rows.capture, int) },
	{ .name = "max-queries",
	  .type = SONDE_OPT_NUMBER,
	  .metavar = "N",
	  .help = "room for N rows, a row being a statement of a process to a database; 2 KB of kernel memory each (default: 4096)",
	  .offset = SONDE_OPT_AT(struct sonde_top_config, rows.max_queries, u32),
	  .min = 16,
	  .max = 1 << 20 },
	{ .name = "verbose",
	  .letter = 'v',
	  .type = SONDE_OPT_FLAG,
	  .help = "say on stderr how it is done",
	  .offset = SONDE_OPT_AT(struct sonde_top_config, trace.verbose, bool) },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde top",
	.usage = "[OPTIONS]",
	.about = "Show one live screen of a machine: processes by their time in databases, with processors and run queue; the "
		 "statements and HTTP endpoints that take most time; what should be done something about (N+1 queries and the "
		 "like); system calls on a page of their own. Enter leads from a process to its statements and on to the place in "
		 "the code; ? explains keys and columns, q ends. It needs a terminal: without one, see `sonde db -i`.",
	.opts = opts,
	.notes = "Examples:\n"
		 "  sudo sonde top                           all of this machine, new numbers every two seconds\n"
		 "  sudo sonde top -c gunicorn -i 5          one program, every five seconds\n",
};

int sonde_cmd_top(int argc, char **argv)
{
	struct sonde_top_config config = { .trace = SONDE_TRACE_DEFAULTS,
					   .findings = SONDE_FINDINGS_DEFAULTS,
					   .rows.role = SONDE_ROLE_CLIENT };
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0)
		code = sonde_findings_begin(&config.findings, "top");
	if (code < 0) {
		if (!config.trace.interval_ns)
			config.trace.interval_ns = INTERVAL_NS;
		code = sonde_top_run(&config, argv);
	}
	sonde_findings_end(&config.findings);
	sonde_opt_free(&set, &config);
	return code;
}
