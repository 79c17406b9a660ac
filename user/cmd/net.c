// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.c - `sonde net`: connections by process and remote end, listeners, and what stands out.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/trace.h"
#include "collect/hosts.h"
#include "collect/net.h"
#include "load/load.h"
#include "model/snapshot.h"
#include "sonde/config.h"

#define NOTE_NS 300000000ULL /* between two looks at processes that are new */

static struct config {
	struct sonde_trace_config trace;
	int by; /* enum sonde_net_by */
	u32 max_rows;
} config = { .trace = SONDE_TRACE_DEFAULTS };

static const struct sonde_opt_choice bys[] = {
	{ "remote", SONDE_NET_BY_REMOTE },
	{ "process", SONDE_NET_BY_PROCESS },
	{ "connection", SONDE_NET_BY_CONNECTION },
	{ NULL, 0 },
};

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct config, trace),
	{ .name = "by",
	  .type = SONDE_OPT_CHOICE,
	  .help = "what a row stands for: the connections of processes of one name with one remote end, with all, each "
		  "connection (default: remote)",
	  .choices = bys,
	  .offset = SONDE_OPT_AT(struct config, by, int) },
	{ .name = "max-rows",
	  .type = SONDE_OPT_NUMBER,
	  .metavar = "N",
	  .help = "room for N rows, a row being a process and a remote end; 6 KB of kernel memory each (default: 4096)",
	  .offset = SONDE_OPT_AT(struct config, max_rows, u32),
	  .min = 16,
	  .max = 1 << 20 },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde net",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about = "Time the TCP and unix connections of processes: connects and why they fail, waits for accept(), how "
		 "long an "
		 "answer takes and how long its bytes lie in the socket until they are read, round trips, retransmits, "
		 "resets, "
		 "and how many connections of a pool are in use. Ctrl-C ends with the final report. With PROGRAM, "
		 "starts it, "
		 "traces it and its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde net                           who talks to whom, on the whole machine\n"
		 "  sudo sonde net -c gunicorn -d 30         an application's pools, and what is late\n"
		 "  sudo sonde net --by connection -p 4711\n",
};

struct source {
	struct sonde_snapshot *made; /* by the last reading */
	struct sonde_host_names *hosts;
	u64 noted_ns;
};

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_snapshot_free(source->made);
	sonde_host_names_free(source->hosts);
	free(source);
}

static void *create(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->hosts = sonde_host_names_new();
	if (source->hosts)
		return source;
	free(source);
	return NULL;
}

static void event(void *arg, const void *data, size_t size)
{
	(void)arg;
	(void)data;
	(void)size;
}

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct source *source = arg;
	struct sonde_net_maps maps = {
		.rows = sonde_load_map(load, SONDE_MAP_NET_ROWS),
		.peers = sonde_load_map(load, SONDE_MAP_NET_PEERS),
		.fails = sonde_load_map(load, SONDE_MAP_NET_FAILS),
		.totals = sonde_load_map(load, SONDE_MAP_NET_TOTALS),
		.procs = sonde_load_map(load, SONDE_MAP_PROCS),
		.counters = sonde_load_map(load, SONDE_MAP_COUNTERS),
		.iter = sonde_load_iterate(load),
		.missed = sonde_load_missed(load),
		.has = sonde_load_has(load),
		.hosts = source->hosts,
	};
	int err;

	sonde_snapshot_free(source->made);
	source->made = sonde_net_read(&maps, (enum sonde_net_by)config.by, &err);
	return err;
}

static int every(void *arg, struct sonde_load *load)
{
	struct source *source = arg;
	u64 now = sonde_clock_ns();

	if (now - source->noted_ns < NOTE_NS)
		return 0;
	source->noted_ns = now;
	return sonde_net_note(sonde_load_map(load, SONDE_MAP_PROCS), source->hosts);
}

static struct sonde_snapshot *snapshot(void *arg)
{
	struct source *source = arg;
	struct sonde_snapshot *made = source->made;

	source->made = NULL;
	return made;
}

int sonde_cmd_net(int argc, char **argv)
{
	struct sonde_net_config net = {};
	struct sonde_trace_source source = {
		.command = "net",
		.create = create,
		.destroy = destroy,
		.event = event,
		.read = read_maps,
		.snapshot = snapshot,
		.every = every,
	};
	struct sonde_load_opts load = { .view = SONDE_VIEW_NET, .net = &net };
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0) {
		net.connections = config.by == SONDE_NET_BY_CONNECTION;
		load.max_queries = config.max_rows;
		code = sonde_trace_run(&config.trace, &source, &load, argv, program);
	}
	sonde_opt_free(&set, &config);
	return code;
}
