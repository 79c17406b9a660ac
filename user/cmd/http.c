// SPDX-License-Identifier: GPL-2.0-only
/*
 * http.c - `sonde http`: requests that programs send and answer, by endpoint.
 */
#include <stdlib.h>

#include "base/exit.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/rows.h"
#include "cmd/trace.h"
#include "collect/breakdown.h"
#include "load/load.h"
#include "model/breakdown.h"
#include "model/snapshot.h"
#include "model/wait.h"
#include "sonde/key.h"

struct config {
	struct sonde_trace_config trace;
	struct sonde_rows_config rows;
	bool breakdown;
};

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct config, trace),
	SONDE_ROWS_OPTS(struct config, rows,
			"requests that are sent (client), answered (server), or both (default: any)",
			"an endpoint of a process at a server"),
	{ .name = "breakdown",
	  .type = SONDE_OPT_FLAG,
	  .help = "what the time of answered requests goes into: databases by statement, outbound HTTP, files, locks, "
		  "CPU, ...; not with --role client",
	  .offset = SONDE_OPT_AT(struct config, breakdown, bool) },
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
		 "  sudo sonde http --breakdown -c php-fpm   and where the time of its answers goes\n"
		 "  sudo sonde http -d 30 -o json --output http.json\n",
};

/* The rows, and with --breakdown what their time went into. */
struct source {
	void *rows;
	struct sonde_breakdowns *made; /* by the last reading; NULL: not asked for */
	bool breakdown;
	u32 roles;
};

static void *create(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (source)
		source->rows = sonde_rows_create();
	if (source && source->rows)
		return source;
	free(source);
	return NULL;
}

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_rows_destroy(source->rows);
	sonde_breakdowns_free(source->made);
	free(source);
}

static void configure(void *arg, const void *ctx)
{
	const struct config *config = ctx;
	struct source *source = arg;

	source->breakdown = config->breakdown;
	source->roles = (u32)config->rows.role;
}

static void event(void *arg, const void *data, size_t size)
{
	sonde_rows_event(((struct source *)arg)->rows, data, size);
}

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct source *source = arg;
	int err = sonde_rows_read(source->rows, load);

	if (err || !source->breakdown)
		return err;
	sonde_breakdowns_free(source->made);
	source->made = sonde_breakdown_read(source->rows, sonde_load_map(load, SONDE_MAP_BREAKDOWN_ROWS),
					    sonde_load_map(load, SONDE_MAP_BREAKDOWN_DEPS), &err);
	return err;
}

/* Both ends are watched for the breakdown, whichever was asked for. */
static void leave_out(struct sonde_snapshot *made, u32 roles)
{
	size_t nr = 0;

	for (size_t i = 0; i < made->nr_endpoints; i++) {
		if (made->endpoints[i]->role & roles)
			made->endpoints[nr++] = made->endpoints[i];
		else
			free(made->endpoints[i]);
	}
	made->nr_endpoints = nr;
}

static struct sonde_snapshot *snapshot(void *arg)
{
	struct source *source = arg;
	struct sonde_snapshot *made = sonde_rows_snapshot(source->rows);

	if (!made)
		return NULL;
	made->view = SONDE_VIEW_HTTP;
	if (source->breakdown)
		leave_out(made, source->roles);
	made->breakdowns = source->made;
	source->made = NULL;
	return made;
}

static bool makes_sense(const struct config *config)
{
	if (!config->breakdown || config->rows.role & SONDE_ROLE_SERVER)
		return true;
	sonde_error("--breakdown divides the time of requests that are answered: --role client leaves none\n"
		    "Try 'sonde http --help'.");
	return false;
}

int sonde_cmd_http(int argc, char **argv)
{
	struct config config = { .trace = SONDE_TRACE_DEFAULTS, .rows.role = SONDE_ROLE_CLIENT | SONDE_ROLE_SERVER };
	struct sonde_load_opts load = { .view = SONDE_VIEW_HTTP };
	const struct sonde_trace_source source = {
		.command = "http",
		.create = create,
		.destroy = destroy,
		.configure = configure,
		.event = event,
		.read = read_maps,
		.snapshot = snapshot,
		.ctx = &config,
	};
	struct sonde_wait_config waits = {};
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0 && !makes_sense(&config))
		code = SONDE_EXIT_USAGE;
	if (code < 0) {
		sonde_rows_load(&config.rows, &load);
		load.breakdown = config.breakdown;
		load.waits = &waits;
		sonde_wait_fill(&waits);
		code = sonde_trace_run(&config.trace, &source, &load, argv, program);
	}
	sonde_opt_free(&set, &config);
	return code;
}
