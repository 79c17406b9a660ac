// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.c - `sonde alloc`: what is allocated, where, and what of it lives.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cmd/alloc_base.h"
#include "cmd/alloc_exact.h"
#include "cmd/alloc_growth.h"
#include "cmd/alloc_recorded.h"
#include "cmd/alloc_requests.h"
#include "cmd/cmd.h"
#include "cmd/findings_opts.h"
#include "cmd/gc.h"
#include "cmd/profile_files.h"
#include "cmd/stacks.h"
#include "cmd/trace.h"
#include "collect/alloc.h"
#include "collect/counters.h"
#include "collect/leak.h"
#include "collect/profile.h"
#include "load/load.h"
#include "model/alloc_diff.h"
#include "model/finding.h"
#include "model/leak_find.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/alloc.h"
#include "out/profile.h"

#define DEFAULT_RATE (512u << 10)
#define SHIM "libsonde-alloc.so"
#define WINDOW_NS 5000000000ULL /* between readings for leaks */
#define MIN_WINDOW_NS 500000000ULL
#define WINDOWS 12 /* that a run of given length should have */

struct config {
	struct sonde_trace_config trace;
	const char *rate;
	bool pymalloc;
	int value; /* enum sonde_alloc_value */
	int by; /* enum sonde_alloc_by */
	u32 max_rows;
	u64 window_ns;
	const char *baseline;
	struct sonde_alloc_recording recording;
	struct sonde_findings_config findings;
	struct sonde_exact_opts exact;
	struct sonde_growth_opts growth;
	struct sonde_profile_files files;
};

static struct config config = { .trace = SONDE_TRACE_DEFAULTS,
				.value = SONDE_ALLOC_SPACE,
				.findings = { .kinds = 1u << SONDE_FINDING_LEAK | 1u << SONDE_FINDING_GC_TIME } };
static u64 rate; /* bytes; 0: the programs' own */
static struct sonde_alloc_diff *baseline; /* NULL: not asked for */

static const struct sonde_opt_choice value_names[] = {
	{ "alloc_objects", SONDE_ALLOC_OBJECTS }, { "alloc_space", SONDE_ALLOC_SPACE },
	{ "inuse_objects", SONDE_INUSE_OBJECTS }, { "inuse_space", SONDE_INUSE_SPACE },
	{ "leak_space", SONDE_LEAK_SPACE },	  { NULL, 0 },
};

static const struct sonde_opt opts[] = {
	SONDE_TRACE_OPTS(struct config, trace),
	SONDE_GROWTH_OPTS(struct config, growth),
	{ .name = "rate",
	  .type = SONDE_OPT_STRING,
	  .metavar = "BYTES",
	  .help = "with PROGRAM: one sample in so many bytes, on average (512k, 1M; default: 512k, and down to 32k as long as there "
		  "are fewer than 100 samples a second); it grows while there are more than 1000 samples a second",
	  .offset = SONDE_OPT_AT(struct config, rate, const char *) },
	{ .name = "pymalloc",
	  .type = SONDE_OPT_FLAG,
	  .help = "with PROGRAM: sample what Python (3.7 to 3.13) allocates in arenas of its own, too, and show the lines of "
		  "Python that do",
	  .offset = SONDE_OPT_AT(struct config, pymalloc, bool) },
	SONDE_EXACT_OPTS(struct config, exact),
	{ .name = "value",
	  .type = SONDE_OPT_CHOICE,
	  .help = "what rows are sorted and stacks are weighed by: all that was allocated, or what is not freed (default: "
		  "alloc_space)",
	  .choices = value_names,
	  .offset = SONDE_OPT_AT(struct config, value, int) },
	SONDE_ALLOC_BY_OPT(struct config, by),
	{ .name = "window",
	  .type = SONDE_OPT_SECONDS,
	  .metavar = "SECONDS",
	  .help = "look for leaks this often; nothing is judged before the fourth time (default: 5, with --duration a twelfth of it "
		  "if that is less)",
	  .offset = SONDE_OPT_AT(struct config, window_ns, u64),
	  .min = MIN_WINDOW_NS,
	  .max = 86400ULL * 1000000000 },
	{ .name = "fail-on",
	  .type = SONDE_OPT_STRING,
	  .metavar = "KIND,..",
	  .help = "end with exit code 5 if there is a finding of these kinds: leak, gc_time",
	  .offset = SONDE_OPT_AT(struct config, findings.fail_on, const char *) },
	{ .name = "baseline",
	  .type = SONDE_OPT_STRING,
	  .metavar = "FILE",
	  .help = "compare with the recording (--record) or the JSON report FILE of an earlier run: below the report, what has "
		  "changed by more than chance",
	  .offset = SONDE_OPT_AT(struct config, baseline, const char *) },
	SONDE_ALLOC_RECORDING_OPTS(struct config, recording),
	SONDE_PROFILE_FILES_OPTS(struct config, files),
	{ .name = "max-rows",
	  .type = SONDE_OPT_NUMBER,
	  .metavar = "N",
	  .help = "room for N call sites; 0.7 KB of kernel memory each (default: 16384)",
	  .offset = SONDE_OPT_AT(struct config, max_rows, u32),
	  .min = 16,
	  .max = 1 << 20 },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde alloc",
	.usage = "[OPTIONS] [-- PROGRAM [ARGS...]]",
	.about = "With PROGRAM, start it with " SHIM " preloaded, which samples malloc() and its kin, and report by call site how "
		 "much is allocated, what of it lives, how big objects are, how long they live, and which of them leak; end with "
		 "it. Without, tell what makes the memory of running processes grow, as the kernel sees it: page faults and "
		 "address space by call site and mapping, sizes over time. Processes that carry the probes otel_memory:alloc and "
		 "otel_memory:free are sampled as well (--sampled). With --exact, watch every call of any process that runs. "
		 "Ctrl-C ends with the final report.",
	.opts = opts,
	.takes_program = true,
	.notes = "Examples:\n"
		 "  sudo sonde alloc -- ./server             who allocates, and what is left at the end\n"
		 "  sudo sonde alloc -p 1234                 what makes a running process grow\n"
		 "  sudo sonde alloc --sampled -p 1234 --value inuse_space -d 60\n"
		 "  sudo sonde alloc --sampled -p 1234 -d 10m --fail-on leak --value leak_space --flame leak.svg\n"
		 "  sudo sonde alloc --exact -p 1234 --value inuse_space -d 60\n"
		 "  sudo sonde alloc --by endpoint -- ./server   what a request to each endpoint allocates\n"
		 "  sudo sonde alloc -d 60 --record new.db -- ./server\n"
		 "  sonde alloc --from new.db --baseline old.db  what has changed between two recorded runs\n"
		 "  sudo sonde alloc --pymalloc -- python3 app.py\n"
		 "  sudo sonde alloc --rate 64k --pprof heap.pb.gz --flame heap.svg -- make\n",
};

struct source {
	struct sonde_stacks stacks; /* first: cmd/stacks.h */
	struct sonde_strings *strings;
	struct sonde_alloc *alloc; /* of the last reading */
	struct sonde_leaks *leaks;
	struct sonde_gc_run gc;
	struct sonde_alloc_requests *requests; /* NULL: not asked for */
	u64 counter[SONDE_CNT_MAX];
};

static void destroy(void *arg)
{
	struct source *source = arg;

	sonde_alloc_free(source->alloc);
	sonde_leaks_free(source->leaks);
	sonde_gc_run_free(&source->gc);
	sonde_alloc_requests_free(source->requests);
	sonde_profiler_free(source->stacks.profiler);
	sonde_strings_put(source->strings);
	free(source);
}

static u64 window_ns(void)
{
	u64 part = config.trace.duration_ns / WINDOWS;

	if (config.window_ns || !part || part > WINDOW_NS)
		return config.window_ns ?: WINDOW_NS;
	return part > MIN_WINDOW_NS ? part : MIN_WINDOW_NS;
}

static void *create(void)
{
	enum sonde_alloc_value value = (enum sonde_alloc_value)config.value;
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->strings = sonde_strings_new();
	source->stacks.profiler = sonde_profiler_new(sonde_alloc_value_name(value), sonde_alloc_value_unit(value), 1);
	source->leaks = sonde_leaks_new(window_ns());
	if (config.by == SONDE_ALLOC_BY_ENDPOINT)
		source->requests = sonde_alloc_requests_new();
	if (source->strings && source->stacks.profiler && source->leaks && (source->requests || !config.by)) {
		sonde_profiler_skip(source->stacks.profiler, sonde_alloc_is_sampler);
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

static int read_maps(void *arg, const struct sonde_load *load)
{
	struct sonde_alloc_maps maps = {
		.sites = sonde_load_map(load, SONDE_MAP_ALLOC_SITES),
		.procs = sonde_load_map(load, SONDE_MAP_ALLOC_PROCS),
	};
	struct sonde_leak_maps lives = {
		.live = sonde_load_map(load, SONDE_MAP_ALLOC_LIVE),
		.procs = maps.procs,
	};
	struct source *source = arg;
	int err;

	sonde_alloc_free(source->alloc);
	source->alloc = sonde_alloc_new();
	if (!source->alloc)
		return -ENOMEM;
	source->alloc->value = (enum sonde_alloc_value)config.value;
	source->alloc->rate = rate;
	source->alloc->finer = rate && !config.rate;
	(void)sonde_load_exact(load, &source->alloc->exact);
	/* All rounds: the sites' numbers hold the one under way, too. What it gets meanwhile is a stack of its own. */
	sonde_profiler_names(source->stacks.profiler, sonde_load_map(load, SONDE_MAP_ALLOC_NAMES));
	err = sonde_stacks_read(&source->stacks, load, true);
	if (!err)
		err = sonde_alloc_read(source->alloc, &maps, source->stacks.profiler);
	if (!err && source->requests)
		err = sonde_alloc_requests_read(source->requests, load, 1, source->stacks.profiler);
	if (!err && (sonde_leaks_due(source->leaks) || sonde_load_stopped(load)))
		err = sonde_leaks_take(source->leaks, &lives, source->alloc, source->stacks.profiler);
	if (!err)
		err = sonde_gc_run_read(&source->gc, load);
	if (err)
		return err;
	return sonde_counters_read(sonde_load_map(load, SONDE_MAP_COUNTERS), sonde_load_map(load, SONDE_MAP_SEEN),
				   source->counter);
}

static int begin(void *arg, const struct sonde_load_opts *which)
{
	(void)which;
	sonde_gc_run_begin(&((struct source *)arg)->gc);
	return 0;
}

static int end(void *arg)
{
	sonde_gc_run_end(&((struct source *)arg)->gc);
	return 0;
}

static int every(void *arg, struct sonde_load *load)
{
	struct source *source = arg;
	int err;

	sonde_profiler_names(source->stacks.profiler, sonde_load_map(load, SONDE_MAP_ALLOC_NAMES));
	err = sonde_stacks_every(arg, load);

	return err || !sonde_leaks_due(source->leaks) ? err : read_maps(arg, load);
}

static struct sonde_snapshot *snapshot(void *arg)
{
	struct source *source = arg;
	struct sonde_snapshot *made = sonde_snapshot_new(source->strings);
	const struct sonde_leak_series *series;
	u64 samples = 0;
	size_t nr;

	if (!made)
		return NULL;
	for (size_t i = 0; i < source->alloc->nr; i++)
		samples += source->alloc->row[i].stat.samples;
	made->view = SONDE_VIEW_ALLOC;
	made->profile = sonde_profiler_get(source->stacks.profiler);
	made->alloc = source->alloc;
	source->alloc = NULL;
	if (source->requests)
		sonde_alloc_requests_give(source->requests, made);
	made->alloc->window_ns = sonde_leaks_window(source->leaks, &made->alloc->nr_windows);
	series = sonde_leaks_get(source->leaks, &nr);
	made->alloc->series = series;
	made->alloc->nr_series = nr;
	if (sonde_leak_find(made, series, nr) || sonde_gc_run_show(&source->gc, made)) {
		sonde_snapshot_free(made);
		return NULL;
	}
	sonde_alloc_sort(made->alloc); /* by what leaks, too */
	sonde_alloc_weigh(made->alloc, sonde_profiler_get(source->stacks.profiler));
	memcpy(made->counter, source->counter, sizeof(made->counter));
	made->counter[SONDE_CNT_ATTRIBUTED] = made->counter[SONDE_CNT_TIMED] = samples;
	return made;
}

/* Nothing of Python where that was asked for: it is worth a word. */
static void check_python(const struct sonde_profile *profile)
{
	for (size_t i = 0; i < profile->nr_frames; i++)
		if (!strcmp(profile->frame[i].module, SONDE_PROFILE_PYTHON))
			return;
	sonde_warn("--pymalloc: no sample is of a line of Python: it may be none, have been told to use another allocator "
		   "(PYTHONMALLOC, -X dev), be a version that is not known (3.7 to 3.13 are) or one without global lock, or "
		   "allocate less than is sampled");
}

static void last(void *arg, struct sonde_snapshot *final)
{
	(void)arg;
	if (config.pymalloc)
		check_python(final->profile);
	if (baseline && !sonde_alloc_diff_take(baseline, SONDE_RUN_AFTER, final->alloc, final->profile, final->duration_ns)) {
		sonde_alloc_diff_finish(baseline);
		final->alloc->diff = baseline;
	}
	sonde_profile_files_write(&config.files, final->profile, final, "sonde alloc", sonde_alloc_pprof);
	if (config.recording.record && !sonde_alloc_record(final, config.recording.record))
		config.files.failed = true;
}

static bool over(void *source, const struct sonde_load *load)
{
	(void)source;
	return sonde_exact_over(load);
}

static int gate(const void *ctx, const struct sonde_snapshot *final)
{
	char t[SONDE_STR_SHORT];

	if (config.files.failed)
		return SONDE_EXIT_FAILURE;
	if (!final->alloc) /* recorded growth */
		return sonde_findings_gate(ctx, final);
	if (final->alloc->exact.stopped_ns)
		return SONDE_EXIT_GATE;
	if (config.findings.fail_kinds >> SONDE_FINDING_LEAK & 1 && final->alloc->nr_windows < SONDE_LEAK_WINDOWS)
		sonde_warn("too short to be judged: leaks show after %u readings, %s apart (--window)", SONDE_LEAK_WINDOWS,
			   sonde_str_ns(t, final->alloc->window_ns));
	return sonde_findings_gate(ctx, final);
}

/* "512k", "1M": bytes, powers of 1024; 0: it is none, or out of range. */
static u64 parse_rate(const char *word)
{
	static const char units[] = "kmg";
	const char *unit;
	u64 bytes;
	char *end;

	errno = 0;
	bytes = strtoull(word, &end, 10);
	if (errno || end == word || word[0] == '-')
		return 0;
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (unit) {
		if (bytes > SONDE_ALLOC_RATE_MAX)
			return 0;
		bytes <<= 10 * (unit - units + 1);
		end++;
	}
	return *end || bytes > SONDE_ALLOC_RATE_MAX ? 0 : bytes;
}

/* Where what is preloaded lies: beside this program, where it was installed to, or nowhere. */
static bool find_shim(char path[PATH_MAX])
{
	static const char *const places[] = { "%s/" SHIM, "%s/../lib/" SHIM, SONDE_LIBDIR "/" SHIM };
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return false;
	self[len] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct sonde_buf name = {};
		char dir[PATH_MAX];
		bool found;

		memcpy(dir, self, (size_t)len + 1);
		sonde_buf_printf(&name, places[i], dirname(dir));
		found = !name.failed && realpath(name.s, path);
		sonde_buf_free(&name);
		if (found)
			return true;
	}
	return false;
}

/* What the program is started with. @rate: as it stands there, it is the least, too. False: out of memory. */
static bool prepare(const char *shim, struct sonde_buf env[3], char *entries[5])
{
	static char python[] = "SONDE_ALLOC_PYTHON=1";
	const char *others = getenv("LD_PRELOAD");
	size_t nr = 0;

	sonde_buf_printf(&env[0], "LD_PRELOAD=%s%s%s", shim, others && *others ? ":" : "", others ? others : "");
	entries[nr++] = env[0].s;
	sonde_buf_printf(&env[2], "SONDE_ALLOC_WAIT=%d", (int)getpid());
	entries[nr++] = env[2].s;
	if (config.pymalloc)
		entries[nr++] = python;
	if (config.rate) {
		sonde_buf_printf(&env[1], "SONDE_ALLOC_RATE=%llu", (unsigned long long)rate);
		entries[nr++] = env[1].s;
	}
	entries[nr] = NULL;
	return !env[0].failed && !env[1].failed && !env[2].failed;
}

/* What only the modes that see objects can answer. */
static bool is_about_objects(void)
{
	return config.window_ns || (baseline && !baseline->grown) || config.findings.fail_kinds >> SONDE_FINDING_LEAK & 1;
}

static int run_growth(char **argv, int program)
{
	const struct sonde_growth_job job = { .opts = &config.growth,
					      .trace = &config.trace,
					      .findings = &config.findings,
					      .files = &config.files,
					      .max_rows = config.max_rows,
					      .by = config.by,
					      .record = config.recording.record,
					      .baseline = baseline };

	return sonde_growth_run(&job, argv, program);
}

static int gate_recorded(const struct sonde_snapshot *snapshot)
{
	return gate(&config.findings, snapshot);
}

/* The run is over. */
static int report_again(int program)
{
	const struct sonde_trace_config *trace = &config.trace;
	struct sonde_alloc_again how = { .trace = trace,
					 .files = &config.files,
					 .baseline = baseline,
					 .by = config.by,
					 .value = config.value,
					 .gates = config.findings.fail_kinds };

	if (!program && !trace->pids.nr && !trace->comm && !trace->cgroup && !trace->duration_ns && !trace->interval_ns &&
	    !config.rate && !config.pymalloc && !config.window_ns && !config.max_rows && !config.recording.record && !config.growth.growth &&
	    !config.growth.sampled && !sonde_exact_meant(&config.exact))
		return sonde_alloc_report(config.recording.from, &how, gate_recorded);
	sonde_error("--from traces nothing: what is traced, and how, was said when it was recorded\nTry 'sonde alloc --help'.");
	return SONDE_EXIT_USAGE;
}

static int run(char **argv, int program)
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
		.over = over,
		.gate = gate,
		.ctx = &config.findings,
	};
	struct sonde_load_opts load = { .view = SONDE_VIEW_ALLOC, .with = 1u << SONDE_VIEW_GC, .max_queries = config.max_rows };
	struct sonde_buf env[3] = {};
	char shim[PATH_MAX], *entries[5] = {};
	int code = SONDE_EXIT_FAILURE;

	if (config.rate || program)
		rate = config.rate ? parse_rate(config.rate) : DEFAULT_RATE;
	if (config.rate && (!rate || !program)) {
		sonde_error(rate ? "--rate goes with a PROGRAM to start: others have a rate of their own"
				 : "--rate: '%s' is no number of bytes up to 1G\nTry 'sonde alloc --help'.",
			    config.rate);
		return SONDE_EXIT_USAGE;
	}
	if (config.pymalloc && !program) {
		sonde_error("--pymalloc goes with a PROGRAM to start: Python's allocators are met before it begins\n"
			    "Try 'sonde alloc --help'.");
		return SONDE_EXIT_USAGE;
	}
	if (config.growth.growth && (config.rate || config.pymalloc || config.exact.on || is_about_objects())) {
		sonde_error("--rate, --pymalloc, --exact, --window, --fail-on leak and a --baseline of allocations do not go with --growth\n"
			    "Try 'sonde alloc --help'.");
		return SONDE_EXIT_USAGE;
	}
	if (!sonde_exact_meant(&config.exact) && !is_about_objects() && sonde_growth_wanted(&config.growth, &config.trace, program))
		return run_growth(argv, program);
	if (baseline && baseline->grown) {
		sonde_error("--baseline: %s is of growth: it goes with --growth\nTry 'sonde alloc --help'.", config.baseline);
		return SONDE_EXIT_USAGE;
	}
	code = sonde_exact_prepare(&config.exact, &config.trace, program, &load);
	if (code >= 0)
		return code;
	code = SONDE_EXIT_FAILURE;
	if (config.by == SONDE_ALLOC_BY_ENDPOINT)
		sonde_alloc_requests_load(&load);
	load.shim = find_shim(shim) ? shim : NULL;
	if (program && !load.shim) {
		sonde_error(SHIM " is not there: it belongs beside sonde, or into " SONDE_LIBDIR);
		return SONDE_EXIT_FAILURE;
	}
	if (program && !prepare(shim, env, entries)) {
		sonde_error("out of memory");
		goto out;
	}
	source.env = program ? entries : NULL;
	source.file = sonde_profile_files_first(&config.files) ?: config.recording.record;
	code = sonde_trace_run(&config.trace, &source, &load, argv, program);
out:
	sonde_buf_free(&env[0]);
	sonde_buf_free(&env[1]);
	sonde_buf_free(&env[2]);
	return code;
}

int sonde_cmd_alloc(int argc, char **argv)
{
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0)
		code = sonde_findings_begin(&config.findings, "alloc");
	if (code < 0 && config.baseline)
		code = sonde_alloc_base_read(config.baseline, &baseline);
	if (code < 0)
		code = config.recording.from ? report_again(program) : run(argv, program);
	sonde_alloc_diff_free(baseline);
	sonde_findings_end(&config.findings);
	sonde_opt_free(&set, &config);
	return code;
}
