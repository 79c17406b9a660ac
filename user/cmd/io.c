// SPDX-License-Identifier: GPL-2.0-only
/*
 * io.c - `sonde io`: reads, writes and syncs of files by process, requests to block devices; single slow calls.
 */
#include <errno.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/slow_calls.h"
#include "cmd/trace.h"
#include "collect/io.h"
#include "load/load.h"
#include "model/snapshot.h"
#include "model/syscall_name.h"
#include "sonde/config.h"

static struct config {
	struct sonde_trace_config trace;
	int by; /* enum sonde_io_by */
	u64 min_ns;
	u32 max_rows;
} config = { .trace = SONDE_TRACE_DEFAULTS };

static const struct sonde_opt_choice bys[] = {
	{ "file", SONDE_IO_BY_FILE },
	{ "process", SONDE_IO_BY_PROCESS },
	{ "device", SONDE_IO_BY_DEVICE },
	{ NULL, 0 },
};

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct config, trace),
	{ .name = "by",
	  .type = SONDE_OPT_CHOICE,
	  .help = "what a row of the text report stands for: what processes of one name do with a file, with all "
		  "files, "
		  "what is done with all files of a device (default: file)",
	  .choices = bys,
	  .offset = SONDE_OPT_AT(struct config, by, int) },
	{ .name = "min",
	  .type = SONDE_OPT_SECONDS,
	  .metavar = "SECONDS",
	  .help = "print each read, write and sync that takes this long (10ms, 0.5), as it ends, with its file",
	  .offset = SONDE_OPT_AT(struct config, min_ns, u64),
	  .min = 1000,
	  .max = 366ULL * 86400 * 1000000000 },
	{ .name = "max-rows",
	  .type = SONDE_OPT_NUMBER,
	  .metavar = "N",
	  .help = "room for N rows, a row being an operation of a process on a file; 1.3 KB of kernel memory each "
		  "(default: 16384)",
	  .offset = SONDE_OPT_AT(struct config, max_rows, u32),
	  .min = 16,
	  .max = 1 << 20 },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde io",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about = "Count and time what processes read, write and sync: by file, process or device, with the share of "
		 "reads "
		 "that a disk had to serve; below, the requests of the block devices. Ctrl-C ends with the final "
		 "report. "
		 "With PROGRAM, starts it, traces it and its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde io                            which files, by whom, on the whole machine\n"
		 "  sudo sonde io -c postgres --min 10ms     slow reads, writes and syncs of a database\n"
		 "  sudo sonde io --by process -d 30\n",
};

struct source {
	struct sonde_snapshot *made; /* by the last reading */
	struct sonde_slow_calls slow;
};

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_snapshot_free(source->made);
	sonde_slow_calls_free(&source->slow);
	free(source);
}

static void *create(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source || !config.min_ns || !sonde_slow_calls_init(&source->slow))
		return source;
	free(source);
	return NULL;
}

static void event(void *arg, const void *data, size_t size)
{
	sonde_slow_calls_event(&((struct source *)arg)->slow, data, size);
}

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct source *source = arg;
	struct sonde_io_maps maps = {
		.rows = sonde_load_map(load, SONDE_MAP_IO_ROWS),
		.files = sonde_load_map(load, SONDE_MAP_IO_FILES),
		.disks = sonde_load_map(load, SONDE_MAP_IO_DISKS),
		.procs = sonde_load_map(load, SONDE_MAP_PROCS),
		.counters = sonde_load_map(load, SONDE_MAP_COUNTERS),
		.missed = sonde_load_missed(load),
		.dropped = source->slow.dropped,
	};
	int err;

	sonde_snapshot_free(source->made);
	source->made = sonde_io_read(&maps, (enum sonde_io_by)config.by, config.min_ns, source->slow.told, &err);
	return err;
}

static struct sonde_snapshot *snapshot(void *arg)
{
	struct source *source = arg;
	struct sonde_snapshot *made = source->made;

	source->made = NULL;
	return made;
}

static int live(void *arg, const struct sonde_load *load, struct sonde_report *report, u64 mono_to_unix_ns)
{
	struct source *source = arg;

	(void)load;
	return sonde_slow_calls_print(&source->slow, report, mono_to_unix_ns, NULL, NULL);
}

int sonde_cmd_io(int argc, char **argv)
{
	static struct sonde_io_config io;
	struct sonde_trace_source source = {
		.command = "io",
		.create = create,
		.destroy = destroy,
		.event = event,
		.read = read_maps,
		.snapshot = snapshot,
	};
	struct sonde_load_opts load = { .view = SONDE_VIEW_IO, .io = &io };
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0) {
		for (u32 nr = 0; nr < SONDE_SYSCALL_MAX; nr++)
			io.op[nr] = sonde_syscall_name(nr) ? (u8)sonde_io_op_of(sonde_syscall_name(nr)) : 0;
		io.min_ns = config.min_ns;
		source.live = config.min_ns ? live : NULL;
		load.max_queries = config.max_rows;
		code = sonde_trace_run(&config.trace, &source, &load, argv, program);
	}
	sonde_opt_free(&set, &config);
	return code;
}
