// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_leak.c - verdicts on leaks: hundreds of thousands of sampled call sites that leak, fill caches, warm up or churn, how many
 * of which are called leaks; what makes a finding; what has changed between two runs.
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "../../shim/sample.h"
#include "base/buf.h"
#include "model/alloc.h"
#include "model/alloc_diff.h"
#include "model/finding.h"
#include "model/leak_find.h"
#include "model/managed.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/out.h"

#define SECOND 1000000000ULL
#define BEGIN (1000 * SECOND)
#define RATE 524288.0

static u64 seed = 1;

static double uniform(void)
{
	seed += 0x9e3779b97f4a7c15ULL;
	return ((double)(sonde_mix64(seed) >> 11) + 0.5) / 9007199254740992.0;
}

static double exponential(double mean)
{
	return -mean * log(uniform());
}

/* A call site with @nr samples in @seconds, on average, and what becomes of them. */
struct shape {
	const char *name;
	double seconds, window;
	double nr; /* samples, were it as busy all the time as at first */
	double busy; /* share of the time in which it allocates as much */
	double fades; /* then it gets less by e in such a share of the time (0: at once) */
	double lives; /* mean life, share of the time (0: for ever) */
	int life; /* how that is spread */
	double lost; /* share of objects that live for ever */
	bool exact; /* not sampled: objects of 100 bytes */
	double heap; /* objects come so many at once (0: one by one) */
	double coarse, by; /* in that share of the time, the first, the interval is so many times as long (0: it is not) */
};

enum { FIXED, EXPONENTIAL, EVEN };

static double life_of(const struct shape *shape)
{
	double mean = shape->lives * shape->seconds;

	if (shape->lost > 0 && uniform() < shape->lost)
		return INFINITY;
	if (mean <= 0)
		return INFINITY;
	return shape->life == FIXED ? mean : shape->life == EVEN ? 2 * mean * uniform() : exponential(mean);
}

static double level(const struct shape *shape, double t)
{
	double busy = shape->busy * shape->seconds;

	if (t <= busy)
		return 1;
	return shape->fades > 0 ? exp(-(t - busy) / (shape->fades * shape->seconds)) : 0;
}

static u64 times[SONDE_LEAK_POINTS];

/* @birth and @death are seconds; what happens after the run is not known. */
static void happens(struct sonde_leak_series *series, const struct shape *shape, double rate, double birth, double death)
{
	u64 size = shape->exact ? 100 : 16 + (u64)(uniform() * 2000), bytes = shape->exact ? 100 : (u64)(rate + (double)size / 2);
	u64 objects = sonde_alloc_objects(size, bytes);

	series->stat.samples++;
	series->stat.alloc_bytes += bytes;
	series->stat.alloc_objects += objects;
	if (death < shape->seconds) {
		series->stat.freed_samples++;
		series->stat.freed_bytes += bytes;
		series->stat.freed_objects += objects;
		series->stat.life[sonde_alloc_log2((u64)((death - birth) * 1e6), SONDE_ALLOC_LIVES - 1)] += objects;
	} else {
		sonde_leak_live(&series->living, &series->time, BEGIN + (u64)(birth * 1e9), size, bytes);
	}
	for (u32 i = 0; i < series->nr; i++) {
		double at = (double)(times[i] - BEGIN) / 1e9;

		if (birth <= at)
			series->alloc_bytes[i] += bytes;
		if (birth <= at && death > at)
			series->live_bytes[i] += bytes;
	}
}

static struct sonde_leak_series empty_series(const struct shape *shape)
{
	struct sonde_leak_series series = { .time_ns = times, .pid = 10 };

	series.time = (struct sonde_leak_time){ BEGIN, BEGIN + (u64)(shape->seconds * 1e9), (u64)(shape->window * 1e9) };
	while (series.nr < SONDE_LEAK_POINTS && (series.nr + 1) * shape->window <= shape->seconds + 1e-9)
		times[series.nr] = BEGIN + (u64)(shape->window * 1e9 * (series.nr + 1)), series.nr++;
	return series;
}

static struct sonde_leak_series draw(const struct shape *shape)
{
	struct sonde_leak_series series = empty_series(shape);
	double t = 0, many = shape->heap > 0 ? shape->heap : 1;

	while ((t += exponential(shape->seconds / shape->nr * many)) < shape->seconds) {
		if (uniform() > level(shape, t))
			continue;
		double by = shape->by > 1 && t < shape->coarse * shape->seconds ? shape->by : 1;

		if (uniform() * by > 1)
			continue;
		for (int i = 0; i < (int)many; i++)
			happens(&series, shape, RATE * by, t, t + life_of(shape));
	}
	return series;
}

/*
 * A leak of @leaked bytes a second in a process that allocates @all a second, sampled as the library does at its default: the interval
 * becomes what makes enough samples. *@samples: how many of the process there were.
 */
static struct sonde_leak_series draw_adapting(const struct shape *shape, double leaked, double all, u64 *samples)
{
	const struct shim_rate rates = { SHIM_RATE, SHIM_RATE / SHIM_FINER };
	struct sonde_leak_series series = empty_series(shape);
	u64 rate = SHIM_RATE, nr = 0, watched = 0;
	double t = 0, begun = 0;

	for (*samples = 0; (t += exponential((double)rate / all)) < shape->seconds; ++*samples) {
		if (uniform() < leaked / all) {
			happens(&series, shape, (double)rate, t, INFINITY);
			watched++;
		}
		nr++;
		if (begun > 0 && t - begun < 1 && nr <= shim_most(rate, &rates))
			continue;
		if (begun > 0)
			rate = shim_adapt(rate, &rates, nr, (u64)((t - begun) * 1e9), watched);
		begun = t;
		nr = 0;
	}
	return series;
}

/* valgrind takes thirty times as long, and looks at how, not at how often: so few runs prove no share. */
static u32 runs_of(u32 runs)
{
	return unit_under_valgrind() ? runs / 20 : runs;
}

#define assert_share(holds) assert_true(unit_under_valgrind() || (holds))

/* Of @runs such call sites, how many get each verdict; *@covered: of the leaks, whose interval has the truth in it. */
static void count(const struct shape *shape, u32 runs, u32 nr[SONDE_VERDICTS], u32 *covered)
{
	double truth = shape->nr * (shape->exact ? 100 : RATE + 500) / shape->seconds * 3600 * (shape->lost > 0 ? shape->lost : 1);

	memset(nr, 0, SONDE_VERDICTS * sizeof(nr[0]));
	for (u32 i = 0; i < runs; i++) {
		struct sonde_leak_series series = draw(shape);
		struct sonde_leak leak;

		sonde_leak_judge(&series, 1, &leak);
		nr[leak.verdict]++;
		if (covered && leak.verdict == SONDE_VERDICT_LEAK)
			*covered += leak.slope_low <= truth && truth <= leak.slope_high;
	}
}

static void print(const struct shape *shape, u32 runs, const u32 nr[SONDE_VERDICTS])
{
	print_message("  %-44s", shape->name);
	for (int v = SONDE_VERDICT_LEAK; v >= 0; v--)
		print_message(" %5.2f%% %s", 100.0 * nr[v] / runs, v ? sonde_verdict_name((enum sonde_verdict)v) : "none\n");
}

/* Leaks are found: the more samples the surer. */
static void detects(void **state)
{
	static const struct {
		struct shape shape;
		double least;
	} cases[] = {
		{ { "200 KB/s for a minute, 512 KiB", 60, 5, 22.9, 1, 0, 0, 0, 0, false, 0 }, 0.85 },
		{ { "400 KB/s for a minute", 60, 5, 45.8, 1, 0, 0, 0, 0, false, 0 }, 0.95 },
		{ { "1 MB/s for a minute", 60, 5, 114, 1, 0, 0, 0, 0, false, 0 }, 0.985 },
		{ { "200 KB/s for ten minutes", 600, 20, 229, 1, 0, 0, 0, 0, false, 0 }, 0.985 },
		{ { "1 KB/s of 100 bytes, each seen", 60, 5, 614, 1, 0, 0, 0, 0, true, 0 }, 0.985 },
		{ { "1 in 100 is lost, others live a millisecond", 60, 5, 20000, 1, 0, 1e-5, EXPONENTIAL, 0.01, false, 0 }, 0.985 },
		{ { "half is lost, others live 2 s", 60, 5, 400, 1, 0, 0.033, EXPONENTIAL, 0.5, false, 0 }, 0.97 },
		{ { "lost five at a time", 60, 5, 600, 1, 0, 0, 0, 0, false, 5 }, 0.9 },
	};

	print_message("leaks:\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u32 nr[SONDE_VERDICTS], covered = 0, runs = runs_of(1000);

		count(&cases[i].shape, runs, nr, &covered);
		print(&cases[i].shape, runs, nr);
		assert_share(nr[SONDE_VERDICT_LEAK] >= cases[i].least * runs);
		/* Of those that look even enough to be called the intervals are a bit better than 95 %; heaps cost some. */
		assert_share(covered >= (cases[i].shape.heap > 0 ? 0.85 : 0.92) * nr[SONDE_VERDICT_LEAK]);
	}
	(void)state;
}

/* At the default rate: among what the process allocates beside, a minute is enough, and it is no more samples a second than are cheap. */
static void detects_adapting(void **state)
{
	static const struct {
		const char *name;
		double leaked, all, least;
	} cases[] = {
		{ "200 KB/s among 100,000 of 136 bytes a second", 200e3, 13.8e6, 0.98 },
		{ "200 KB/s, nothing else", 200e3, 200e3, 0.98 },
		{ "200 KB/s among 60 MB/s", 200e3, 60e6, 0.83 }, /* as many samples as ever */
		{ "100 KB/s among 13.6 MB/s", 100e3, 13.7e6, 0.96 },
		{ "50 KB/s among 5 MB/s", 50e3, 5e6, 0.96 },
	};
	const struct shape shape = { "", 60, 5, 1, 1, 0, 0, 0, 0, false, 0, 0, 0 };
	const u32 runs = runs_of(1000);

	print_message("leaks, the interval adapts:\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double truth = cases[i].leaked * 3600;
		u32 found = 0, covered = 0;
		u64 samples, all = 0;

		for (u32 k = 0; k < runs; k++) {
			struct sonde_leak_series series = draw_adapting(&shape, cases[i].leaked, cases[i].all, &samples);
			struct sonde_leak leak;

			sonde_leak_judge(&series, 1, &leak);
			found += leak.verdict == SONDE_VERDICT_LEAK;
			covered += leak.verdict == SONDE_VERDICT_LEAK && leak.slope_low <= truth && truth <= leak.slope_high;
			all += samples;
		}
		print_message("  %-50s %5.1f%%, interval right %5.1f%%, %3.0f samples/s\n", cases[i].name, 100.0 * found / runs,
			      100.0 * covered / found, (double)all / runs / shape.seconds);
		assert_share(found >= cases[i].least * runs);
		assert_share(covered >= 0.92 * found);
		assert_true((double)all / runs / shape.seconds < SHIM_FINE_MOST);
	}
	(void)state;
}

/* What is bounded is not called a leak: less than one in a thousand, whatever its size and how it is observed. */
static void no_false_alarm(void **state)
{
	enum { LRU, EVICT, WARM, FADE, SESSIONS, CHURN, KINDS };
	static const char *const names[KINDS] = { "cache, the oldest goes, full by 0.02 to 0.75 of the time",
						  "cache, any goes, mean life 0.02 to 1 of the time",
						  "warm-up, over by 0.05 to 0.65 of the time",
						  "cache that misses less and less",
						  "sessions of up to the whole time",
						  "churn" };
	const u32 runs = runs_of(20000);

	print_message("others: 15 to 30, then 15 to 2000 samples, 6 to 40 windows, a third not sampled\n");
	for (int n = 0; n < 2 * KINDS; n++) {
		int kind = n % KINDS;
		u32 nr[SONDE_VERDICTS] = {};
		struct shape shape = { .name = names[kind] };

		for (u32 i = 0; i < runs; i++) {
			struct sonde_leak_series series;
			struct sonde_leak leak;

			shape.seconds = 30 + 270 * uniform();
			shape.window = shape.seconds / (6 + floor(35 * uniform()));
			shape.nr = 15 * pow(n < KINDS ? 2 : 2000.0 / 15, uniform());
			shape.exact = uniform() < 1.0 / 3;
			shape.busy = kind == WARM ? 0.05 + 0.6 * uniform() : kind == FADE ? 0.1 * uniform() : 1;
			shape.fades = kind == FADE ? 0.03 + 0.17 * uniform() : 0;
			shape.lives = kind == LRU ? 0.02 + 0.73 * uniform()
				      : kind == EVICT ? 0.02 + 0.98 * uniform()
				      : kind == SESSIONS ? 0.5 * (0.2 + 0.8 * uniform())
				      : kind == CHURN ? 1e-5 + 0.01 * uniform() : 0;
			shape.by = !shape.exact && uniform() < 0.5 ? pow(16, uniform()) : 0; /* the interval adapts */
			shape.coarse = 0.01 + 0.1 * uniform();
			if (kind == WARM || kind == FADE) { /* as many samples in the time that it has */
				double part = fmin(shape.coarse / (shape.busy + shape.fades), 1);

				shape.nr /= (shape.busy + shape.fades) * (shape.by > 1 ? 1 - part + part / shape.by : 1);
			}
			shape.life = kind == LRU ? FIXED : kind == SESSIONS ? EVEN : EXPONENTIAL;
			series = draw(&shape);
			sonde_leak_judge(&series, 1, &leak);
			nr[leak.verdict]++;
		}
		print(&shape, runs, nr);
		assert_share(nr[SONDE_VERDICT_LEAK] * 1000 < runs);
		if (kind == CHURN)
			assert_share(nr[SONDE_VERDICT_CHURN] > 0.95 * runs);
		if (kind == WARM)
			assert_share(nr[SONDE_VERDICT_STEADY] > 0.95 * runs);
		if (n > KINDS && (kind == LRU || kind == EVICT))
			assert_share(nr[SONDE_VERDICT_CACHE] + nr[SONDE_VERDICT_CHURN] > 0.7 * runs);
	}
	(void)state;
}

/* Too early, too little, and bounds of the arithmetic. */
static void early(void **state)
{
	struct shape shape = { "early", 19, 5, 500, 1, 0, 0, 0, 0, false, 0 };
	struct sonde_leak_series series = draw(&shape), empty = { .time_ns = times };
	struct sonde_leak leak;

	sonde_leak_judge(&series, 1, &leak);
	assert_int_equal(leak.verdict, SONDE_VERDICT_NONE); /* three windows */
	shape.seconds = 20;
	series = draw(&shape);
	sonde_leak_judge(&series, 1, &leak);
	assert_int_equal(leak.verdict, SONDE_VERDICT_LEAK);
	assert_true(leak.slope_low > 0 && leak.oldest_ns <= 20 * SECOND && leak.old_ns < 20 * SECOND / 3);
	shape.nr = 5;
	series = draw(&shape);
	sonde_leak_judge(&series, 1, &leak);
	assert_true(leak.verdict != SONDE_VERDICT_LEAK);
	sonde_leak_judge(&empty, 1, &leak);
	assert_int_equal(leak.verdict, SONDE_VERDICT_NONE);
	assert_int_equal(leak.samples, 0);
	/* Of many that are looked at more is asked. */
	shape = (struct shape){ "few", 60, 5, 24, 1, 0, 0, 0, 0, false, 0 };
	do
		series = draw(&shape);
	while (series.living.samples != 20 || (sonde_leak_judge(&series, 1, &leak), leak.verdict != SONDE_VERDICT_LEAK));
	sonde_leak_judge(&series, 100000, &leak);
	assert_true(leak.verdict != SONDE_VERDICT_LEAK);
	assert_string_equal(sonde_verdict_name(SONDE_VERDICT_LEAK), "leak");
	assert_string_equal(sonde_verdict_name(SONDE_VERDICTS), "");
	(void)state;
}

static u32 frame(struct sonde_profile *profile, const char *function, const char *module, u32 line)
{
	struct sonde_frame f = { .function = function, .module = module, .file = "/src/app.c", .line = line };

	return (u32)sonde_profile_frame(profile, &f);
}

static void add_stack(struct sonde_profile *profile, u32 a, u32 b, u32 c)
{
	u32 frames[3] = { a, b, c };
	struct sonde_stack stack = { .pid = 10, .process = "app", .nr = 3, .frame = frames, .count = 1, .weight = 1 };

	assert_int_equal(sonde_profile_add(profile, &stack), 0);
}

static void add_row(struct sonde_alloc *alloc, s64 stack, const struct sonde_leak_series *series)
{
	struct sonde_alloc_row *row = sonde_alloc_row(alloc);

	row->stack = stack;
	row->pid = 10;
	row->process = "app";
	row->stat = series->stat;
	sonde_alloc_live(&row->stat, &row->live_bytes, &row->live_objects);
}

/* Twelve ways lead to a leak, each with too few samples of its own; beside it a cache. */
static void finds(void **state)
{
	enum { WAYS = 12 };
	struct shape way = { "way", 60, 5, 8, 1, 0, 0, 0, 0, false, 0 }, cache = { "cache", 60, 5, 800, 1, 0, 0.2, FIXED, 0, false, 0 };
	struct sonde_profile *profile = sonde_profile_new("leak_space", "bytes");
	struct sonde_leak_series series[WAYS + 1];
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);
	struct sonde_out_opts opts = { .command = "alloc", .width = 120 };
	u32 malloc_frame = frame(profile, "operator new", "/usr/lib/libstdc++.so.6", 0), lost = frame(profile, "lose", "/bin/app", 42);
	struct sonde_alloc_change known = { .process = "app", .function = "cached", .file = "/older/app.c", .line = 6 };
	struct sonde_alloc_sum sum = { 1e9, 1e9 * RATE, 1e9, 1e9 * RATE };
	struct sonde_alloc_diff *diff = sonde_alloc_diff_new();
	const struct sonde_finding *finding;
	struct sonde_buf buf = {};
	u64 leaked = 0;

	sonde_strings_put(strings);
	snapshot->view = SONDE_VIEW_ALLOC;
	snapshot->profile = profile;
	snapshot->duration_ns = 60 * SECOND;
	snapshot->alloc = sonde_alloc_new();
	snapshot->alloc->value = SONDE_LEAK_SPACE;
	snapshot->alloc->window_ns = 5 * SECOND;
	snapshot->alloc->nr_windows = 12;
	for (u32 i = 0; i <= WAYS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "way%u", i);
		add_stack(profile, malloc_frame, i < WAYS ? lost : frame(profile, "cached", "/bin/app", 7), frame(profile, name, "/bin/app", 100 + i));
		series[i] = draw(i < WAYS ? &way : &cache);
		series[i].stack = i;
		add_row(snapshot->alloc, i, &series[i]);
	}
	assert_int_equal(sonde_leak_find(snapshot, series, WAYS + 1), 0);
	assert_true(snapshot->judged);
	assert_int_equal(snapshot->nr_findings, 1);
	finding = snapshot->findings[0];
	assert_int_equal(finding->kind, SONDE_FINDING_LEAK);
	assert_string_equal(finding->query, "lose (app.c:42)");
	assert_string_equal(finding->site[0], "lose app.c:42");
	assert_int_equal(finding->leak->nr_paths, WAYS);
	assert_int_equal(finding->confidence, SONDE_CONFIDENCE_HIGH);
	assert_true(finding->id != 0);
	sonde_alloc_sort(snapshot->alloc);
	for (size_t i = 0; i < snapshot->alloc->nr; i++) {
		const struct sonde_alloc_row *row = &snapshot->alloc->row[i];

		if (row->stack == WAYS)
			assert_int_equal(row->leak.verdict, SONDE_VERDICT_CACHE);
		else
			leaked += sonde_alloc_value_of(row, SONDE_LEAK_SPACE);
	}
	assert_true(leaked > 0 && leaked == finding->leak->leak.live_bytes);
	sonde_alloc_weigh(snapshot->alloc, profile);
	assert_int_equal(profile->weight, leaked);
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\nleaks: 1, "));
	assert_non_null(strstr(buf.s, "\nLEAK  app[10]   +"));
	assert_non_null(strstr(buf.s, "     at    lose app.c:42 <- way"));
	assert_non_null(strstr(buf.s, "(and 11 other ways)"));
	assert_non_null(strstr(buf.s, "none was freed"));
	assert_non_null(strstr(buf.s, "     do    free what lose allocates"));
	sonde_buf_cut(&buf, 0);
	diff->seconds[SONDE_RUN_BEFORE] = 60;
	assert_int_equal(sonde_alloc_diff_add(diff, SONDE_RUN_BEFORE, &known, &sum), 0);
	assert_int_equal(sonde_alloc_diff_take(diff, SONDE_RUN_AFTER, snapshot->alloc, profile, snapshot->duration_ns), 0);
	sonde_alloc_diff_finish(diff);
	assert_int_equal(diff->nr, 2); /* places, not stacks */
	assert_string_equal(diff->change[0].function, "cached");
	assert_int_equal(diff->change[0].line, 7);
	assert_true((u64)(diff->change[1].live + 0.5) == leaked);
	snapshot->alloc->diff = diff;
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\nsince the baseline (60.0s, then 60.0s): 2 of 2 call sites have changed\n"));
	assert_non_null(strstr(buf.s, "  app      cached (app.c:7)\n"));
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\"changes\":[{\"process\":\"app\",\"function\":\"cached\","
				      "\"file\":\"/older/app.c\",\"line\":7,\"chance\":false,"));
	sonde_buf_cut(&buf, 0);
	snapshot->alloc->diff = NULL;
	opts.height = 24; /* a terminal: a line */
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\nLEAK  app[10]  lose (app.c:42)   +"));
	assert_null(strstr(buf.s, "none was freed"));
	sonde_buf_cut(&buf, 0);
	opts.height = 0;
	opts.width = 80;
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	for (const char *line = buf.s; *line; line += strcspn(line, "\n"), line += *line == '\n')
		assert_true(strcspn(line, "\n") <= 80);
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\"kind\":\"leak\",\"confidence\":\"high\",\"scope\":{\"kind\":\"process\",\"name\":\"app\"}"));
	assert_non_null(strstr(buf.s, "\"verdict\":\"cache\""));
	assert_non_null(strstr(buf.s, "\"slope_bytes_per_hour\":{\"estimate\":"));
	assert_non_null(strstr(buf.s, "\"leak_readings\":{\"count\":12,\"window_ns\":5000000000}"));
	sonde_buf_free(&buf);
	sonde_alloc_diff_free(diff);
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	(void)state;
}

/* Functions without names: one leaks; the others of its module, called from elsewhere, do not for that. */
static void unnamed(void **state)
{
	enum { OTHERS = 5 };
	struct shape leak = { "leak", 60, 5, 400, 1, 0, 0, 0, 0, false, 0 }, few = { "few", 60, 5, 2, 1, 0, 0, 0, 0, false, 0 };
	struct sonde_profile *profile = sonde_profile_new("leak_space", "bytes");
	struct sonde_leak_series series[OTHERS + 1];
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);
	u32 none = frame(profile, "[app]", "/bin/app", 0);

	sonde_strings_put(strings);
	snapshot->view = SONDE_VIEW_ALLOC;
	snapshot->profile = profile;
	snapshot->duration_ns = 60 * SECOND;
	snapshot->alloc = sonde_alloc_new();
	for (u32 i = 0; i <= OTHERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "caller%u", i);
		add_stack(profile, none, none, frame(profile, name, "/bin/app", 100 + i));
		series[i] = draw(i ? &few : &leak);
		series[i].stack = i;
		add_row(snapshot->alloc, i, &series[i]);
	}
	assert_int_equal(sonde_leak_find(snapshot, series, OTHERS + 1), 0);
	assert_int_equal(snapshot->nr_findings, 1);
	assert_int_equal(snapshot->findings[0]->leak->nr_paths, 1);
	for (size_t i = 0; i < snapshot->alloc->nr; i++) {
		const struct sonde_alloc_row *row = &snapshot->alloc->row[i];

		assert_int_equal(row->leak.verdict == SONDE_VERDICT_LEAK, !row->stack);
	}
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	(void)state;
}

static void put(struct sonde_alloc_diff *diff, enum sonde_alloc_run run, const char *function, u32 line, double alloc, double live)
{
	struct sonde_alloc_change site = { .process = "app", .function = function, .file = "/x/app.c", .line = line };
	struct sonde_alloc_sum sum = { alloc, alloc * RATE, live, live * RATE };

	if (run == SONDE_RUN_AFTER)
		site.file = "/y/app.c"; /* built elsewhere */
	assert_int_equal(sonde_alloc_diff_add(diff, run, &site, &sum), 0);
}

static void compares(void **state)
{
	struct sonde_alloc_diff *diff = sonde_alloc_diff_new();
	const double mega = 1 << 20;

	diff->seconds[SONDE_RUN_BEFORE] = 10;
	diff->seconds[SONDE_RUN_AFTER] = 20;
	put(diff, SONDE_RUN_BEFORE, "same", 5, 100 * mega, 10 * mega);
	put(diff, SONDE_RUN_AFTER, "same", 6, 210 * mega, 12 * mega); /* the same rate, another line */
	put(diff, SONDE_RUN_AFTER, "grown", 9, 50 * mega, 50 * mega);
	put(diff, SONDE_RUN_BEFORE, "gone", 8, 400 * mega, 0);
	put(diff, SONDE_RUN_BEFORE, "rare", 7, 1 * mega, 1 * mega);
	sonde_alloc_diff_finish(diff);
	assert_int_equal(diff->nr, 4);
	assert_int_equal(diff->nr_noise, 2);
	assert_string_equal(diff->change[0].function, "grown");
	assert_true(diff->change[0].live == 50 * mega);
	assert_string_equal(diff->change[1].function, "gone");
	assert_true(diff->change[1].rate == -40 * mega);
	assert_true(fabs(diff->change[1].rate_error - sqrt(400 * mega * RATE) / 10) < 1);
	for (size_t i = 2; i < 4; i++)
		if (!strcmp(diff->change[i].function, "same"))
			assert_int_equal(diff->change[i].line, 6);
	sonde_alloc_diff_free(diff);
	(void)state;
}

/* Runs that differ by chance alone. */
static void chance(void **state)
{
	u32 changed = 0, runs = 20000;

	for (u32 i = 0; i < runs; i++) {
		struct sonde_alloc_diff *diff = sonde_alloc_diff_new();
		double mean = 15 * pow(100, uniform());

		diff->seconds[SONDE_RUN_BEFORE] = diff->seconds[SONDE_RUN_AFTER] = 10;
		for (int run = 0; run < SONDE_RUNS; run++) {
			double nr = 0;

			for (double t = exponential(1); t < mean; t += exponential(1))
				nr++;
			put(diff, (enum sonde_alloc_run)run, "f", 1, nr * RATE, nr * RATE);
		}
		sonde_alloc_diff_finish(diff);
		changed += diff->nr - diff->nr_noise;
		sonde_alloc_diff_free(diff);
	}
	print_message("changed by chance: %u of %u\n", changed, runs);
	assert_true(changed <= runs / 500);
	(void)state;
}

static void runtimes(void **state)
{
	static const struct {
		const char *module, *name;
	} cases[] = {
		{ "/usr/bin/python3.11", "CPython" }, { "/usr/lib/libpython3.12.so.1.0", "CPython" }, { "/opt/jdk/lib/server/libjvm.so", "Java" },
		{ "/usr/bin/node", "Node.js" },	      { "/usr/bin/php8.2", "PHP" },			  { "/usr/bin/phpunit", NULL },
		{ "/usr/bin/node-helper", NULL },     { "/bin/app", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_profile *profile = sonde_profile_new("alloc_space", "bytes");
		u32 app = frame(profile, "f", cases[i].module, 1);
		const struct sonde_managed *found;

		add_stack(profile, app, app, app);
		found = sonde_managed_of(profile, 10);
		assert_true(!found == !cases[i].name);
		if (found)
			assert_string_equal(found->name, cases[i].name);
		assert_null(sonde_managed_of(profile, 11));
		/* Lines of Python are seen: so is what it allocates. */
		app = frame(profile, "f", SONDE_PROFILE_PYTHON, 1);
		add_stack(profile, app, app, app);
		found = sonde_managed_of(profile, 10);
		assert_non_null(found);
		assert_string_equal(found->name, "CPython");
		assert_string_equal(found->hidden, "");
		sonde_profile_free(profile);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detects), cmocka_unit_test(detects_adapting), cmocka_unit_test(no_false_alarm), cmocka_unit_test(early),
		cmocka_unit_test(finds),   cmocka_unit_test(unnamed),	     cmocka_unit_test(compares),
		cmocka_unit_test(chance),  cmocka_unit_test(runtimes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
