// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpu.c - `sonde cpu`: what processors execute, by stacks that a clock takes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/exit.h"
#include "cmd/cmd.h"
#include "cmd/profile_files.h"
#include "cmd/stacks.h"
#include "cmd/trace.h"
#include "collect/counters.h"
#include "collect/profile.h"
#include "collect/usage.h"
#include "load/load.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"

#define NS 1000000000ULL

struct config {
	struct sonde_trace_config trace;
	u32 hz;
	struct sonde_profile_files files;
};

static struct config config = { .trace = SONDE_TRACE_DEFAULTS, .hz = 99 };

static const struct sonde_opt opts[] = {
	{ .name = "frequency",
	  .letter = 'F',
	  .type = SONDE_OPT_NUMBER,
	  .metavar = "HZ",
	  .help = "stacks taken a second and processor (default: 99)",
	  .offset = SONDE_OPT_AT(struct config, hz, u32),
	  .min = 1,
	  .max = 5000 },
	SONDE_PROFILE_FILES_OPTS(struct config, files),
	SONDE_TRACE_OPTS(struct config, trace),
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde cpu",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about = "Take the stack of what each processor executes, 99 times a second, and report which processes and "
		 "functions the time went to. Programs need no frame pointers: their .eh_frame is used. Ctrl-C ends "
		 "with the final report. With PROGRAM, starts it, samples it and its children, and ends with it.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde cpu                           all processes, live\n"
		 "  sudo sonde cpu -c postgres -d 30 --pprof pg.pb.gz\n"
		 "  sudo sonde cpu --flame cpu.svg -- make\n",
};

struct source {
	struct sonde_stacks stacks; /* first: cmd/stacks.h */
	struct sonde_strings *strings;
	struct sonde_usage_reader *usage;
	size_t followed; /* so many stacks of the profile: their processes are looked at */
	u64 counter[SONDE_CNT_MAX];
};

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_profiler_free(source->stacks.profiler);
	sonde_strings_put(source->strings);
	sonde_usage_reader_free(source->usage);
	free(source);
}

static void *create(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->strings = sonde_strings_new();
	source->usage = sonde_usage_reader_new();
	source->stacks.profiler = sonde_profiler_new("cpu", "nanoseconds", NS / config.hz);
	if (source->strings && source->usage && source->stacks.profiler) {
		sonde_profiler_get(source->stacks.profiler)->hz = config.hz;
		return source;
	}
	destroy(source);
	return NULL;
}

static int begin(void *arg, const struct sonde_load_opts *load)
{
	const struct source *source = arg;

	int err = sonde_usage_begin(source->usage, load->pids, load->nr_pids);

	for (size_t i = 0; i < load->nr_pids && !err; i++)
		err = sonde_usage_follow(source->usage, load->pids[i]);
	return err;
}

/* Processes that samples were taken of are those that are shown. */
static int look(struct source *source, bool all)
{
	const struct sonde_profile *profile = sonde_profiler_get(source->stacks.profiler);
	int err = 0;

	for (; source->followed < profile->nr_stacks && !err; source->followed++)
		err = sonde_usage_follow(source->usage, (pid_t)profile->stack[source->followed].pid);
	return err ?: sonde_usage_look(source->usage, all);
}

static int end(void *arg)
{
	return look(arg, true);
}

static int every(void *arg, struct sonde_load *load)
{
	int err = sonde_stacks_every(arg, load);

	return err ?: look(arg, false);
}

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct source *source = arg;
	int err;

	err = sonde_stacks_read(&source->stacks, load, sonde_load_stopped(load));
	if (!err)
		err = look(source, true);
	if (err)
		return err;
	return sonde_counters_read(sonde_load_map(load, SONDE_MAP_COUNTERS), sonde_load_map(load, SONDE_MAP_SEEN),
				   source->counter);
}

static struct sonde_snapshot *snapshot(void *arg)
{
	struct source *source = arg;
	struct sonde_snapshot *made = sonde_snapshot_new(source->strings);

	if (!made)
		return NULL;
	made->usage = sonde_usage_get(source->usage);
	if (!made->usage) {
		sonde_snapshot_free(made);
		return NULL;
	}
	made->view = SONDE_VIEW_CPU;
	made->profile = sonde_profiler_get(source->stacks.profiler);
	memcpy(made->counter, source->counter, sizeof(made->counter));
	made->counter[SONDE_CNT_ATTRIBUTED] = made->counter[SONDE_CNT_TIMED] = made->profile->count;
	return made;
}

static void last(void *arg, struct sonde_snapshot *final)
{
	(void)arg;
	sonde_profile_files_write(&config.files, final->profile, final, "sonde cpu", NULL);
}

static int gate(const void *ctx, const struct sonde_snapshot *final)
{
	(void)ctx;
	(void) final;
	return config.files.failed ? SONDE_EXIT_FAILURE : SONDE_EXIT_OK;
}

static struct sonde_trace_source cpu_source = {
	.command = "cpu",
	.create = create,
	.destroy = destroy,
	.event = sonde_stacks_event,
	.read = read_maps,
	.snapshot = snapshot,
	.last = last,
	.begin = begin,
	.end = end,
	.every = every,
	.gate = gate,
};

int sonde_cmd_cpu(int argc, char **argv)
{
	struct sonde_load_opts load = { .view = SONDE_VIEW_CPU };
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0) {
		load.sample_hz = config.hz;
		cpu_source.file = sonde_profile_files_first(&config.files);
		code = sonde_trace_run(&config.trace, &cpu_source, &load, argv, program);
	}
	sonde_opt_free(&set, &config);
	return code;
}
