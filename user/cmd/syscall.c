// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall.c - `sonde syscall`: system calls by process: how often, how long, with which errors; single slow ones.
 */
#include <stdlib.h>
#include <string.h>

#include "base/exit.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/slow_calls.h"
#include "cmd/trace.h"
#include "collect/syscall.h"
#include "load/load.h"
#include "model/syscall_name.h"

static struct config {
	struct sonde_trace_config trace;
	int by; /* enum sonde_syscall_by */
	const char *calls;
	u64 min_ns;
	u32 max_rows;
	bool waits;
} config = { .trace = SONDE_TRACE_DEFAULTS };

static const struct sonde_opt_choice bys[] = {
	{ "process", SONDE_SYSCALL_BY_PROCESS },
	{ "syscall", SONDE_SYSCALL_BY_CALL },
	{ "thread", SONDE_SYSCALL_BY_THREAD },
	{ "cgroup", SONDE_SYSCALL_BY_CGROUP },
	{ NULL, 0 },
};

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct config, trace),
	{ .name = "by",
	  .type = SONDE_OPT_CHOICE,
	  .help = "what a row of the text report stands for: a call of the processes of one name, a call, a call of a "
		  "thread, a call of a cgroup (default: process)",
	  .choices = bys,
	  .offset = SONDE_OPT_AT(struct config, by, int) },
	{ .name = "expr",
	  .letter = 'e',
	  .type = SONDE_OPT_STRING,
	  .metavar = "CALL,..",
	  .help = "only these system calls; the others cost next to nothing then",
	  .offset = SONDE_OPT_AT(struct config, calls, const char *) },
	{ .name = "min",
	  .type = SONDE_OPT_SECONDS,
	  .metavar = "SECONDS",
	  .help = "print each call that takes this long (1ms, 0.5), as it ends, with its arguments; those that wait by "
		  "intent only with --waits or when -e names them",
	  .offset = SONDE_OPT_AT(struct config, min_ns, u64),
	  .min = 1000,
	  .max = 366ULL * 86400 * 1000000000 },
	{ .name = "waits",
	  .type = SONDE_OPT_FLAG,
	  .help = "with --min: calls that wait by intent, too (epoll_wait, futex, read of a socket, ...)",
	  .offset = SONDE_OPT_AT(struct config, waits, bool) },
	{ .name = "max-rows",
	  .type = SONDE_OPT_NUMBER,
	  .metavar = "N",
	  .help = "room for N rows, a row being a call of a process; 1 KB of kernel memory each (default: 16384)",
	  .offset = SONDE_OPT_AT(struct config, max_rows, u32),
	  .min = 16,
	  .max = 1 << 20 },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde syscall",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about =
		"Count and time the system calls of processes: how often, how long, with which errors. Calls that wait "
		"by intent stand below the others. Ctrl-C ends with the final report. With PROGRAM, starts it, traces "
		"it and its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde syscall -p 1234               where one process spends its time in the kernel\n"
		 "  sudo sonde syscall --min 10ms            calls of 10 ms and longer, of all processes\n"
		 "  sudo sonde syscall -e openat,stat --by syscall -- ./configure\n",
};

/* Numbers, and slow calls that are still to be printed. */
struct source {
	struct sonde_sysc *sysc;
	struct sonde_slow_calls slow;
};

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_sysc_free(source->sysc);
	sonde_slow_calls_free(&source->slow);
	free(source);
}

static void *create(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->sysc = sonde_sysc_new();
	if (source->sysc && (!config.min_ns || !sonde_slow_calls_init(&source->slow))) {
		sonde_sysc_by(source->sysc, (enum sonde_syscall_by)config.by, config.min_ns);
		return source;
	}
	destroy(source);
	return NULL;
}

static void event(void *arg, const void *data, size_t size)
{
	sonde_slow_calls_event(&((struct source *)arg)->slow, data, size);
}

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct source *source = arg;
	struct sonde_sysc_maps maps = {
		.rows = sonde_load_map(load, SONDE_MAP_SYSCALL_ROWS),
		.errors = sonde_load_map(load, SONDE_MAP_SYSCALL_ERRORS),
		.procs = sonde_load_map(load, SONDE_MAP_PROCS),
		.counters = sonde_load_map(load, SONDE_MAP_COUNTERS),
		.iter = sonde_load_iterate(load),
		.missed = sonde_load_missed(load),
		.told = source->slow.told,
		.dropped = source->slow.dropped,
	};

	return sonde_sysc_read(source->sysc, &maps);
}

static struct sonde_snapshot *snapshot(void *arg)
{
	return sonde_sysc_snapshot(((struct source *)arg)->sysc);
}

static const char *process_of(const void *sysc, const struct sonde_event_syscall *call)
{
	return sonde_sysc_process(sysc, &call->key.proc);
}

static int live(void *arg, const struct sonde_load *load, struct sonde_report *report, u64 mono_to_unix_ns)
{
	struct source *source = arg;

	(void)load;
	return sonde_slow_calls_print(&source->slow, report, mono_to_unix_ns, process_of, source->sysc);
}

/* Which calls are counted, and which told of. Returns -1 to go on, or an exit code. */
static int choose(struct sonde_syscall_config *calls)
{
	const char *name = config.calls;

	calls->min_ns = config.min_ns;
	calls->threads = config.by == SONDE_SYSCALL_BY_THREAD;
	for (u32 nr = 0; nr < SONDE_SYSCALL_MAX; nr++)
		calls->what[nr] = (u8)(sonde_syscall_what(nr) | (name ? 0 : SONDE_SYSCALL_TRACED));
	if (!name && config.waits)
		for (u32 nr = 0; nr < SONDE_SYSCALL_MAX; nr++)
			calls->what[nr] |= SONDE_SYSCALL_TOLD;
	while (name && *name) {
		size_t len = strcspn(name, ",");
		int nr = sonde_syscall_number(name, len);

		if (nr < 0) {
			sonde_error("-e: this architecture has no system call '%.*s'\nTry 'sonde syscall --help'.",
				    (int)len, name);
			return SONDE_EXIT_USAGE;
		}
		calls->what[nr] |= SONDE_SYSCALL_TRACED | SONDE_SYSCALL_TOLD;
		name += len + (name[len] == ',');
	}
	if (config.calls && !*config.calls) {
		sonde_error("-e names no system call\nTry 'sonde syscall --help'.");
		return SONDE_EXIT_USAGE;
	}
	if (config.waits && !config.min_ns) {
		sonde_error("--waits says which calls --min prints: it needs --min\nTry 'sonde syscall --help'.");
		return SONDE_EXIT_USAGE;
	}
	return -1;
}

int sonde_cmd_syscall(int argc, char **argv)
{
	static struct sonde_syscall_config calls;
	struct sonde_trace_source source = {
		.command = "syscall",
		.create = create,
		.destroy = destroy,
		.event = event,
		.read = read_maps,
		.snapshot = snapshot,
	};
	struct sonde_load_opts load = { .view = SONDE_VIEW_SYSCALL, .syscalls = &calls };
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0)
		code = choose(&calls);
	if (code < 0) {
		source.live = config.min_ns ? live : NULL;
		load.max_queries = config.max_rows;
		code = sonde_trace_run(&config.trace, &source, &load, argv, program);
	}
	sonde_opt_free(&set, &config);
	return code;
}
