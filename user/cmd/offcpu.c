// SPDX-License-Identifier: GPL-2.0-only
/*
 * offcpu.c - `sonde offcpu`: what threads wait for, where, for how long, and who ends it; what became of processes' time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/exit.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/profile_files.h"
#include "cmd/stacks.h"
#include "cmd/trace.h"
#include "collect/offcpu.h"
#include "collect/profile.h"
#include "load/load.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/wait.h"


static struct config {
	struct sonde_trace_config trace;
	int by; /* enum sonde_offcpu_by */
	u64 min_ns;
	u32 max_rows;
	struct sonde_profile_files files;
} config = { .trace = SONDE_TRACE_DEFAULTS };

static const struct sonde_opt_choice bys[] = {
	{ "stack", SONDE_OFFCPU_BY_STACK },	{ "reason", SONDE_OFFCPU_BY_REASON },
	{ "process", SONDE_OFFCPU_BY_PROCESS }, { "thread", SONDE_OFFCPU_BY_THREAD },
	{ NULL, 0 },
};

static const struct sonde_opt opts[] = {
	{ .name = "by",
	  .type = SONDE_OPT_CHOICE,
	  .help = "what a row of the text report stands for: waits for one reason at one place in the program, for one "
		  "reason, all of a process, those of a thread by reason (default: stack)",
	  .choices = bys,
	  .offset = SONDE_OPT_AT(struct config, by, int) },
	{ .name = "min",
	  .type = SONDE_OPT_SECONDS,
	  .metavar = "SECONDS",
	  .help = "leave out waits shorter than this (10ms, 0.5); they still count in what became of the process's time",
	  .offset = SONDE_OPT_AT(struct config, min_ns, u64),
	  .min = 1000,
	  .max = 366ULL * 86400 * 1000000000 },
	SONDE_PROFILE_FILES_OPTS(struct config, files),
	SONDE_TRACE_OPTS(struct config, trace),
	{ .name = "max-rows",
	  .type = SONDE_OPT_NUMBER,
	  .metavar = "N",
	  .help = "room for N kinds of waits; 1 KB of kernel memory each (default: 8192)",
	  .offset = SONDE_OPT_AT(struct config, max_rows, u32),
	  .min = 16,
	  .max = 1 << 20 },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde offcpu",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about = "Tell what threads wait for (locks, disks, sockets, pipes, children, time, memory), at which place in the "
		 "program, for how long, and who ends the wait; and what became of each process's time: on a processor, "
		 "in the queue for one, blocked. Ctrl-C ends with the final report. With PROGRAM, starts it, traces it and "
		 "its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde offcpu -p 1234 -d 10          where a process waits, and for whom\n"
		 "  sudo sonde offcpu --by reason            what all processes wait for\n"
		 "  sudo sonde offcpu --min 10ms --flame waits.svg -c postgres\n",
};

/* What leads from the end of a wait, or its beginning, to the program that looks. */
static const char *const trim[] = { "__schedule", "schedule",	     "schedule_timeout", "try_to_wake_up",
				    "schedule_hrtimeout_range_clock", NULL };

struct source {
	struct sonde_stacks stacks; /* first: cmd/stacks.h */
	struct sonde_snapshot *made; /* by the last reading */
};

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_snapshot_free(source->made);
	sonde_profiler_free(source->stacks.profiler);
	free(source);
}

static void *create(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->stacks.profiler = sonde_profiler_new("blocked", "nanoseconds", 1);
	if (source->stacks.profiler) {
		sonde_profiler_keep(source->stacks.profiler, trim);
		return source;
	}
	free(source);
	return NULL;
}

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct source *source = arg;
	struct sonde_offcpu_maps maps = {
		.rows = sonde_load_map(load, SONDE_MAP_OFF_ROWS),
		.tasks = sonde_load_map(load, SONDE_MAP_OFF_TASKS),
		.gone = sonde_load_map(load, SONDE_MAP_OFF_GONE),
		.cpus = sonde_load_map(load, SONDE_MAP_OFF_CPUS),
		.procs = sonde_load_map(load, SONDE_MAP_PROCS),
		.counters = sonde_load_map(load, SONDE_MAP_COUNTERS),
		.missed = sonde_load_missed(load),
		.profiler = source->stacks.profiler,
	};
	int err;

	err = sonde_stacks_read(&source->stacks, load, sonde_load_stopped(load));
	if (err)
		return err;
	sonde_snapshot_free(source->made);
	source->made = sonde_offcpu_read(&maps, (enum sonde_offcpu_by)config.by, config.min_ns, &err);
	if (source->made)
		source->made->offcpu->stacks = sonde_profiler_get(source->stacks.profiler);
	return err;
}

static struct sonde_snapshot *snapshot(void *arg)
{
	struct source *source = arg;
	struct sonde_snapshot *made = source->made;

	source->made = NULL;
	return made;
}

static void last(void *arg, struct sonde_snapshot *final)
{
	struct sonde_profile *profile;

	(void)arg;
	if (!sonde_profile_files_first(&config.files))
		return;
	profile = sonde_offcpu_profile(final->offcpu);
	if (profile) {
		sonde_profile_files_write(&config.files, profile, final, "sonde offcpu", NULL);
	} else {
		sonde_error("out of memory");
		config.files.failed = true;
	}
	sonde_profile_free(profile);
}

static int gate(const void *ctx, const struct sonde_snapshot *final)
{
	(void)ctx;
	(void) final;
	return config.files.failed ? SONDE_EXIT_FAILURE : SONDE_EXIT_OK;
}

static struct sonde_trace_source offcpu_source = {
	.command = "offcpu",
	.create = create,
	.destroy = destroy,
	.event = sonde_stacks_event,
	.read = read_maps,
	.snapshot = snapshot,
	.last = last,
	.every = sonde_stacks_every,
	.gate = gate,
};

int sonde_cmd_offcpu(int argc, char **argv)
{
	static struct sonde_wait_config waits;
	static struct sonde_off_config off;
	struct sonde_load_opts load = { .view = SONDE_VIEW_OFFCPU, .waits = &waits, .off = &off };
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0) {
		sonde_wait_fill(&waits);
		off.min_ns = config.min_ns;
		off.threads = config.by == SONDE_OFFCPU_BY_THREAD;
		load.max_queries = config.max_rows;
		offcpu_source.file = sonde_profile_files_first(&config.files);
		code = sonde_trace_run(&config.trace, &offcpu_source, &load, argv, program);
	}
	sonde_opt_free(&set, &config);
	return code;
}
