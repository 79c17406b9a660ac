// SPDX-License-Identifier: GPL-2.0-only
/*
 * http.c - `sonde http`: requests that programs send and answer, by endpoint.
 */
#include "cmd/cmd.h"
#include "cmd/rows.h"
#include "cmd/trace.h"
#include "load/load.h"
#include "model/snapshot.h"
#include "sonde/key.h"

struct config {
	struct sonde_trace_config trace;
	struct sonde_rows_config rows;
};

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct config, trace),
	SONDE_ROWS_OPTS(struct config, rows,
			"requests that are sent (client), answered (server), or both (default: any)",
			"an endpoint of a process at a server"),
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde http",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about =
		"Trace the HTTP/1.x, FastCGI and uwsgi requests that programs send and answer: grouped by method and "
		"pattern of the path (/orders/{id}), with count, time to the first byte and to the last, client errors "
		"(4xx) and server errors (5xx). Ctrl-C ends with the final report. With PROGRAM, starts it, traces it "
		"and its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde http                          all requests on this machine, live\n"
		 "  sudo sonde http --role server -c nginx   what one server answers\n"
		 "  sudo sonde http -d 30 -o json --output http.json\n",
};

static struct sonde_snapshot *snapshot(void *rows)
{
	struct sonde_snapshot *made = sonde_rows_snapshot(rows);

	if (made)
		made->view = SONDE_VIEW_HTTP;
	return made;
}

static const struct sonde_trace_source source = {
	.command = "http",
	.create = sonde_rows_create,
	.destroy = sonde_rows_destroy,
	.event = sonde_rows_event,
	.read = sonde_rows_read,
	.snapshot = snapshot,
};

int sonde_cmd_http(int argc, char **argv)
{
	struct config config = { .trace = SONDE_TRACE_DEFAULTS, .rows.role = SONDE_ROLE_CLIENT | SONDE_ROLE_SERVER };
	struct sonde_load_opts load = { .view = SONDE_VIEW_HTTP };
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0) {
		sonde_rows_load(&config.rows, &load);
		code = sonde_trace_run(&config.trace, &source, &load, argv, program);
	}
	sonde_opt_free(&set, &config);
	return code;
}
