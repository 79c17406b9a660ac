// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_growth.c - growth, the mode of `sonde alloc` for whatever runs: what makes memory grow, as the kernel sees it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/log.h"
#include "cmd/alloc_growth.h"
#include "cmd/alloc_recorded.h"
#include "cmd/alloc_requests.h"
#include "cmd/findings_opts.h"
#include "cmd/gc.h"
#include "cmd/profile_files.h"
#include "cmd/stacks.h"
#include "cmd/trace.h"
#include "collect/counters.h"
#include "collect/growth.h"
#include "collect/profile.h"
#include "load/alloc.h"
#include "load/load.h"
#include "model/alloc_diff.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/growth.h"

struct source {
	struct sonde_stacks stacks; /* first: cmd/stacks.h */
	struct sonde_strings *strings;
	struct sonde_grower *grower;
	struct sonde_gc_run gc;
	struct sonde_alloc_requests *requests; /* NULL: not asked for */
	u64 looked_ns; /* which round of stacks had begun at the last look */
	u64 counter[SONDE_CNT_MAX];
};

/* The run's, of which there is one. */
static const struct sonde_growth_job *run;
static bool by_endpoint;

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_grower_free(source->grower);
	sonde_gc_run_free(&source->gc);
	sonde_alloc_requests_free(source->requests);
	sonde_profiler_free(source->stacks.profiler);
	sonde_strings_put(source->strings);
	free(source);
}

static void *create(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->strings = sonde_strings_new();
	source->stacks.profiler = sonde_profiler_new("grown_space", "bytes", 1);
	source->grower = source->strings ? sonde_grower_new(source->strings) : NULL;
	if (by_endpoint)
		source->requests = sonde_alloc_requests_new();
	if (source->grower && source->stacks.profiler && (source->requests || !by_endpoint)) {
		sonde_profiler_keep(source->stacks.profiler, NULL);
		return source;
	}
	destroy(source);
	return NULL;
}

static void event(void *arg, const void *data, size_t size)
{
	struct source *source = arg;

	sonde_stacks_event(arg, data, size);
	if (source->requests)
		sonde_alloc_requests_event(source->requests, data, size);
}

static void maps_of(const struct sonde_load *load, struct sonde_growth_maps *maps)
{
	*maps = (struct sonde_growth_maps){
		.sites = sonde_load_map(load, SONDE_MAP_GROWTH_SITES),
		.procs = sonde_load_map(load, SONDE_MAP_GROWTH_PROCS),
		.cpus = sonde_load_map(load, SONDE_MAP_GROWTH_CPUS),
		.chunks = sonde_load_map(load, SONDE_MAP_GROWTH_CHUNKS),
	};
}

static int begin(void *arg, const struct sonde_load_opts *opts)
{
	(void)opts;
	sonde_gc_run_begin(&((struct source *)arg)->gc);
	return 0;
}

static int end(void *arg)
{
	sonde_gc_run_end(&((struct source *)arg)->gc);
	return 0;
}

/* With each new round of stacks. */
static int every(void *arg, struct sonde_load *load)
{
	struct source *source = arg;
	struct sonde_growth_maps maps;
	int err = sonde_stacks_every(source, load);

	if (err || source->stacks.round_ns == source->looked_ns)
		return err;
	source->looked_ns = source->stacks.round_ns;
	maps_of(load, &maps);
	return sonde_grower_look(source->grower, &maps, source->stacks.round, false);
}

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct source *source = arg;
	struct sonde_growth_maps maps;
	int err;

	maps_of(load, &maps);
	err = sonde_grower_look(source->grower, &maps, source->stacks.round, sonde_load_stopped(load));
	if (!err && sonde_load_stopped(load))
		sonde_grower_finish(source->grower);
	/* All rounds: the sites' numbers hold the one under way, too. */
	if (!err)
		err = sonde_stacks_read(&source->stacks, load, true);
	if (!err)
		err = sonde_grower_read(source->grower, &maps, source->stacks.profiler);
	if (!err && source->requests)
		err = sonde_alloc_requests_read(source->requests, load, (u64)sysconf(_SC_PAGESIZE), source->stacks.profiler);
	if (!err)
		err = sonde_gc_run_read(&source->gc, load);
	if (!err)
		err = sonde_counters_read(sonde_load_map(load, SONDE_MAP_COUNTERS), sonde_load_map(load, SONDE_MAP_SEEN),
					  source->counter);
	source->counter[SONDE_CNT_EVENTS_MISSED] = sonde_load_missed(load);
	return err;
}

static struct sonde_snapshot *snapshot(void *arg)
{
	struct source *source = arg;
	struct sonde_snapshot *made = sonde_snapshot_new(source->strings);
	const struct sonde_growth *growth = sonde_grower_get(source->grower);
	u64 samples = 0;

	if (!made)
		return NULL;
	for (size_t i = 0; i < growth->nr; i++)
		samples += growth->row[i].stat.samples;
	sonde_growth_weigh(growth, sonde_profiler_get(source->stacks.profiler));
	made->view = SONDE_VIEW_GROWTH;
	made->profile = sonde_profiler_get(source->stacks.profiler);
	made->growth = growth;
	if (source->requests)
		sonde_alloc_requests_give(source->requests, made);
	if (sonde_gc_run_show(&source->gc, made)) {
		sonde_snapshot_free(made);
		return NULL;
	}
	memcpy(made->counter, source->counter, sizeof(made->counter));
	made->counter[SONDE_CNT_ATTRIBUTED] = made->counter[SONDE_CNT_TIMED] = samples;
	return made;
}

static void last(void *arg, struct sonde_snapshot *final)
{
	(void)arg;
	if (run->baseline &&
	    !sonde_alloc_diff_grown(run->baseline, SONDE_RUN_AFTER, final->growth, final->profile, final->duration_ns)) {
		sonde_alloc_diff_finish(run->baseline);
		final->growth_diff = run->baseline;
	}
	sonde_profile_files_write(run->files, final->profile, final, "sonde alloc --growth", sonde_growth_pprof);
	if (run->record && !sonde_alloc_record(final, run->record))
		run->files->failed = true;
}

static int gate(const void *ctx, const struct sonde_snapshot *final)
{
	return run->files->failed ? SONDE_EXIT_FAILURE : sonde_findings_gate(ctx, final);
}

bool sonde_growth_wanted(const struct sonde_growth_opts *opts, const struct sonde_trace_config *trace, int program)
{
	if (opts->growth)
		return true;
	if (opts->sampled || program)
		return false;
	if (!sonde_alloc_carried(trace->pids.pid, trace->pids.nr))
		return true;
	sonde_note("%s otel_memory probes: allocations are sampled (--growth: what the kernel sees)",
		   trace->pids.nr == 1 ? "the process carries" : "the processes carry");
	return false;
}

int sonde_growth_run(const struct sonde_growth_job *job, char **argv, int program)
{
	static struct sonde_trace_source source = {
		.command = "alloc",
		.create = create,
		.destroy = destroy,
		.event = event,
		.read = read_maps,
		.snapshot = snapshot,
		.last = last,
		.begin = begin,
		.end = end,
		.every = every,
		.gate = gate,
	};
	struct sonde_load_opts load = { .view = SONDE_VIEW_GROWTH, .with = 1u << SONDE_VIEW_GC, .max_queries = job->max_rows };

	if (job->opts->growth && job->opts->sampled) {
		sonde_error("--growth and --sampled exclude each other\nTry 'sonde alloc --help'.");
		return SONDE_EXIT_USAGE;
	}
	run = job;
	source.ctx = job->findings;
	by_endpoint = job->by == SONDE_ALLOC_BY_ENDPOINT;
	if (by_endpoint)
		sonde_alloc_requests_load(&load);
	source.file = sonde_profile_files_first(job->files) ?: job->record;
	return sonde_trace_run(job->trace, &source, &load, argv, program);
}
