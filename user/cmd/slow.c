// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow.c - `sonde slow`: slow statements as they happen, and the slow-query report.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/exit.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/report.h"
#include "cmd/rows.h"
#include "cmd/slow_explain.h"
#include "cmd/trace.h"
#include "collect/db.h"
#include "collect/slow.h"
#include "load/load.h"
#include "model/slow.h"
#include "model/snapshot.h"
#include "sonde/key.h"

struct config {
	struct sonde_trace_config trace;
	u64 slow_ns;
	bool examples;
	bool analyze;
	const char *explain;
	struct sonde_rows_config rows;
};

/* The command line: what the source is created with. */
static struct config config = { .trace = SONDE_TRACE_DEFAULTS, .rows.role = SONDE_ROLE_CLIENT, .slow_ns = 100000000 };

static const struct sonde_opt opts[] = {
	{ .name = "slow",
	  .type = SONDE_OPT_SECONDS,
	  .metavar = "TIME",
	  .help = "print executions that take this long or longer: 1s, 10ms, 500us (default: 100ms)",
	  .offset = SONDE_OPT_AT(struct config, slow_ns, u64),
	  .min = 1000,
	  .max = 86400ULL * 1000000000 },
	{ .name = "examples",
	  .type = SONDE_OPT_FLAG,
	  .help = "with the statements as they were sent, literals and parameters included",
	  .offset = SONDE_OPT_AT(struct config, examples, bool) },
	{ .name = "explain",
	  .type = SONDE_OPT_STRING,
	  .metavar = "DSN",
	  .help = "at the end, ask this database how it runs the slowest SELECTs (EXPLAIN), and say what would make "
		  "them "
		  "faster: postgresql://user@host/db, mysql://user@host/db; needs --examples",
	  .offset = SONDE_OPT_AT(struct config, explain, const char *) },
	{ .name = "analyze",
	  .type = SONDE_OPT_FLAG,
	  .help = "with --explain: run them, so that plans hold measured rows and times (EXPLAIN ANALYZE)",
	  .offset = SONDE_OPT_AT(struct config, analyze, bool) },
	SONDE_TRACE_OPTS(struct config, trace),
	SONDE_ROWS_OPTS(struct config, rows, SONDE_ROWS_ROLE_HELP, SONDE_ROWS_ROW_HELP),
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde slow",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about = "Print each slow execution of a database statement as it happens, and at the end a report over all "
		 "statements, slow or not: which take most of the time, how their times spread, where they come from. "
		 "Literals are left out, unless --examples asks for them.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde slow                          what takes 100 ms or longer, of all clients\n"
		 "  sudo sonde slow --slow 10ms -c gunicorn  of one program, from 10 ms on\n"
		 "  sudo sonde slow --examples -d 60         a minute, with literals\n"
		 "  sudo sonde slow --examples --explain postgresql://app@localhost/shop\n",
};

/* Numbers and single executions. */
struct source {
	struct sonde_db *db;
	struct sonde_slow_log *log;
};

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_slow_log_free(source->log);
	sonde_db_free(source->db);
	free(source);
}

static void *create(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->db = sonde_rows_create();
	source->log = sonde_slow_log_new();
	if (source->db && source->log) {
		sonde_db_judge(source->db, SONDE_MIN_REPEAT, NULL); /* finds out who calls */
		return source;
	}
	destroy(source);
	return NULL;
}

static void event(void *arg, const void *event, size_t size)
{
	struct source *source = arg;

	sonde_rows_event(source->db, event, size);
	(void)sonde_slow_log_event(source->log, event, size); /* without memory it is not kept: its row counts it */
}

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct source *source = arg;

	return sonde_rows_read(source->db, load);
}

static struct sonde_snapshot *snapshot(void *arg)
{
	struct source *source = arg;
	struct sonde_snapshot *made = sonde_rows_snapshot(source->db);

	if (!made)
		return NULL;
	made->slow_ns = config.slow_ns;
	made->judged = false; /* findings are nplus1's */
	if (!sonde_slow_log_snapshot(source->log, source->db, made))
		return made;
	sonde_snapshot_free(made);
	return NULL;
}

static int live(void *arg, const struct sonde_load *load, struct sonde_report *report, u64 mono_to_unix_ns)
{
	struct sonde_db_maps maps = {
		.peers = sonde_load_map(load, SONDE_MAP_PEERS),
		.procs = sonde_load_map(load, SONDE_MAP_PROCS),
	};
	const struct sonde_query_key *key;
	struct source *source = arg;
	struct sonde_slow slow;
	int err = 0;

	while (!err && (key = sonde_slow_log_peek(source->log))) {
		err = sonde_db_read_of(source->db, &maps, key);
		if (err)
			break;
		err = sonde_slow_log_next(source->log, source->db, &slow);
		if (err < 0)
			break;
		err = sonde_report_slow(report, &slow, mono_to_unix_ns);
		free(slow.example);
	}
	return err;
}

static void last(void *arg, struct sonde_snapshot *final)
{
	if (config.explain)
		sonde_slow_explain(config.explain, config.analyze, final);
	(void)arg;
}

/* What the options ask for together. Returns -1 to go on, or an exit code. */
static int check_options(void)
{
	if (config.explain && !config.examples) {
		sonde_error("--explain needs --examples: a plan depends on the literals\nTry 'sonde slow --help'.");
		return SONDE_EXIT_USAGE;
	}
	if (config.analyze && !config.explain) {
		sonde_error("--analyze says how to --explain: it needs a DSN\nTry 'sonde slow --help'.");
		return SONDE_EXIT_USAGE;
	}
	return config.explain ? sonde_slow_explain_check(config.explain) : -1;
}

static struct sonde_trace_source slow_source = {
	.command = "slow",
	.create = create,
	.destroy = destroy,
	.event = event,
	.read = read_maps,
	.snapshot = snapshot,
	.live = live,
	.last = last,
};

int sonde_cmd_slow(int argc, char **argv)
{
	struct sonde_load_opts load = {};
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0)
		code = check_options();
	if (code < 0) {
		sonde_rows_load(&config.rows, &load);
		load.slow_ns = config.slow_ns;
		load.slow_events = true;
		load.findings = true; /* units of work are told apart */
		load.examples = config.examples;
		slow_source.connects = config.explain;
		code = sonde_trace_run(&config.trace, &slow_source, &load, argv, program);
	}
	sonde_opt_free(&set, &config);
	return code;
}
