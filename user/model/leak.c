// SPDX-License-Identifier: GPL-2.0-only
/*
 * leak.c - verdicts on call sites by what lives, and since when.
 *
 * Weights of samples are summed, their squares beside them: the sum of squares is the variance of a sum of independent arrivals,
 * and bytes^2 / squares the number of samples of equal weight that would be as good. Where arrivals come in heaps the variance
 * is greater: what the parts of the time differ by tells how much.
 */
#include <math.h>

#include "model/alloc.h"
#include "model/leak.h"

#define MIN_SAMPLES 11.99 /* survivors that make a leak: a dozen of equal weight */
#define FEW_SAMPLES 6.0 /* that make it grow */
#define FALSE_ALARM 0.01 /* of all comparisons of a run: that growth is nothing but chance */
/*
 * Standard errors that births are earlier than evenly spread ones to be called slowing. Few samples cannot tell a cache that fills from a
 * leak, and are not given the benefit: 5 % of leaks with 22 samples look so by chance, and have to wait for more.
 */
#define SLOWING 1.1
#define SLOWING_SAMPLES 40.0 /* one more for so many */
#define SLOWING_MOST 3.0
#define STOPPED 0.01 /* share of leaks that have a gap at the end as long, by chance; less of those with many samples: */
#define STOPPED_SAMPLES 0.3
#define FREED_OLD 0.02 /* share of old objects that may be freed */
#define OLD_PART 3 /* of the time: what is older is old; */
#define OLD_PART_FEW 8 /* with so few samples that one more or less decides earlier */
#define FEW_TO_FREE 40.0
#define PARTS 8u /* of the time, to see whether arrivals come in heaps */
#define HEAPS 18.48 /* chi-square of PARTS - 1 degrees, exceeded in 1 % by chance */
#define Z95 1.96
#define GROWS 3.0 /* standard errors by which it has grown of late */
#define CHURN 0.9 /* share that is freed */
#define QUIET 0.25 /* share of what lives that was allocated in the second half */

const char *sonde_verdict_name(enum sonde_verdict verdict)
{
	static const char *const names[SONDE_VERDICTS] = {
		[SONDE_VERDICT_NONE] = "",	 [SONDE_VERDICT_STEADY] = "steady",   [SONDE_VERDICT_CHURN] = "churn",
		[SONDE_VERDICT_CACHE] = "cache", [SONDE_VERDICT_GROWING] = "growing", [SONDE_VERDICT_LEAK] = "leak",
	};

	return verdict < SONDE_VERDICTS ? names[verdict] : "";
}

static u64 length(const struct sonde_leak_time *time)
{
	return time->now_ns > time->begin_ns ? time->now_ns - time->begin_ns : 0;
}

u64 sonde_leak_young(const struct sonde_leak_time *time)
{
	u64 part = length(time) / 16;

	return part > time->window_ns ? part : time->window_ns;
}

/* The bucket of lifetimes in which the @part-th part of the time is. */
static u32 life_bucket(const struct sonde_leak_time *time, u64 part)
{
	return sonde_alloc_log2(length(time) / 1000 / part, SONDE_ALLOC_LIVES - 1);
}

u64 sonde_leak_old(const struct sonde_leak_time *time)
{
	return 1000ULL << life_bucket(time, OLD_PART);
}

void sonde_leak_live(struct sonde_leak_living *living, const struct sonde_leak_time *time, u64 birth_ns, u64 size, u64 bytes)
{
	u64 age = time->now_ns > birth_ns ? time->now_ns - birth_ns : 0, all = length(time), at;
	double weight = (double)bytes;

	if (age < sonde_leak_young(time) || !all) {
		living->young++;
		living->young_square += weight * weight;
		if (birth_ns > living->young_last_ns)
			living->young_last_ns = birth_ns;
		return;
	}
	at = birth_ns > time->begin_ns ? birth_ns - time->begin_ns : 0;
	at = (u64)((double)at / (double)all * SONDE_LEAK_BINS);
	if (at >= SONDE_LEAK_BINS)
		at = SONDE_LEAK_BINS - 1;
	living->bin[at].bytes += weight;
	living->bin[at].square += weight * weight;
	if (!living->samples || birth_ns < living->first_ns) {
		living->first_ns = birth_ns;
		living->first_bytes = bytes;
		living->first_size = size;
	}
	if (!living->samples || birth_ns > living->last_ns)
		living->last_ns = birth_ns;
	living->samples++;
	if (age >= sonde_leak_old(time)) {
		living->old_objects += sonde_alloc_objects(size, bytes);
		living->old_bytes += bytes;
	}
}

static void merge_living(struct sonde_leak_living *to, const struct sonde_leak_living *more)
{
	for (u32 i = 0; i < SONDE_LEAK_BINS; i++) {
		to->bin[i].bytes += more->bin[i].bytes;
		to->bin[i].square += more->bin[i].square;
	}
	if (more->samples && (!to->samples || more->first_ns < to->first_ns)) {
		to->first_ns = more->first_ns;
		to->first_bytes = more->first_bytes;
		to->first_size = more->first_size;
	}
	if (more->samples && (!to->samples || more->last_ns > to->last_ns))
		to->last_ns = more->last_ns;
	to->samples += more->samples;
	to->young += more->young;
	to->young_square += more->young_square;
	if (more->young_last_ns > to->young_last_ns)
		to->young_last_ns = more->young_last_ns;
	to->old_objects += more->old_objects;
	to->old_bytes += more->old_bytes;
}

/* What the tests are made of. */
struct measure {
	double bytes, square; /* of survivors */
	double nr; /* samples of equal weight that they are worth, heaps counted as few; */
	double nr_born; /* as many as there are */
	double heaps; /* 1: arrivals are independent; greater: they come in heaps */
	double span_ns; /* from the first survivor to the youngest that could be one */
	double trend; /* standard errors that births are later (> 0) or earlier (< 0) than evenly spread ones */
	bool stopped; /* a gap at the end that would be chance for few leaks */
	double freed_old;
	bool slowing;
};

static double middle_of(const struct sonde_leak_time *time, u32 bin)
{
	return (double)time->begin_ns + (double)length(time) * (bin + 0.5) / SONDE_LEAK_BINS;
}

static double limited(double x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* How much more the parts of the time differ than by chance; 1 if that may be chance. */
static double heaps_of(const double *part, double square)
{
	double sum = 0, chi = 0;

	for (u32 i = 0; i < PARTS; i++)
		sum += part[i];
	for (u32 i = 0; i < PARTS; i++)
		chi += (part[i] - sum / PARTS) * (part[i] - sum / PARTS);
	chi *= square > 0 ? PARTS / square : 0;
	return chi > HEAPS ? chi / (PARTS - 1) : 1;
}

/*
 * Whether the gap behind the last survivor is too long for a leak. The youngest may come and go, but if there are none either, the gap
 * goes on to the end.
 */
static bool is_over(const struct sonde_leak_series *series, const struct measure *m)
{
	const struct sonde_leak_living *living = &series->living;
	double first = (double)living->first_ns, all = (double)series->time.now_ns - first;
	double last = limited(((double)living->last_ns - first) / m->span_ns), chance = fmin(STOPPED, STOPPED_SAMPLES / m->nr);

	if (pow(last, m->nr - 1) < chance)
		return true;
	last = limited(((double)(living->young ? living->young_last_ns : living->last_ns) - first) / all);
	return pow(last, m->nr - 1) < chance;
}

static void measure(const struct sonde_leak_series *series, struct measure *m)
{
	const struct sonde_leak_living *living = &series->living;
	double first = (double)living->first_ns, end = (double)(series->time.now_ns - sonde_leak_young(&series->time));
	double part[PARTS] = {}, trend = 0, freed = 0;

	*m = (struct measure){ .heaps = 1 };
	for (u32 i = life_bucket(&series->time, living->samples < FEW_TO_FREE ? OLD_PART_FEW : OLD_PART); i < SONDE_ALLOC_LIVES; i++)
		freed += (double)series->stat.life[i];
	if (freed > 0)
		m->freed_old = freed / (freed + (double)living->old_objects);
	m->span_ns = end - first;
	if (!living->samples || m->span_ns <= 0)
		return;
	for (u32 i = 0; i < SONDE_LEAK_BINS; i++) {
		double at = limited((middle_of(&series->time, i) - first) / m->span_ns);

		m->bytes += living->bin[i].bytes;
		m->square += living->bin[i].square;
		trend += living->bin[i].bytes * (at - 0.5);
		part[at < 1 ? (u32)(at * PARTS) : PARTS - 1] += living->bin[i].bytes;
	}
	m->heaps = heaps_of(part, m->square);
	m->nr_born = m->square > 0 ? m->bytes * m->bytes / m->square : 0;
	m->nr = m->nr_born / m->heaps;
	/* The first is where the span begins, and tells nothing of where in it births are. */
	trend += (double)living->first_bytes / 2;
	m->trend = m->square > 0 ? trend / sqrt(m->square * m->heaps / 12) : 0;
	m->slowing = m->trend < -fmin(SLOWING + m->nr / SLOWING_SAMPLES, SLOWING_MOST);
	m->stopped = is_over(series, m);
}

/* Standard errors that chance exceeds with probability @p < 0.5 (Abramowitz and Stegun 26.2.23: to 0.0005). */
static double normal_tail(double p)
{
	double t = sqrt(-2 * log(p));

	return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

bool sonde_leak_counts(const struct sonde_leak_series *series)
{
	return (double)series->living.samples >= MIN_SAMPLES;
}

/* Bytes per hour of @bytes in @ns, with an error of @error bytes. */
static void set_slope(struct sonde_leak *out, double bytes, double error, double ns)
{
	double scale = ns > 0 ? 3600e9 / ns : 0;

	out->slope = bytes * scale;
	out->slope_low = (bytes - Z95 * error) * scale;
	out->slope_high = (bytes + Z95 * error) * scale;
}

/*
 * How live bytes changed since the middle of the time: born since then and alive, less what has gone since. Returns the
 * error of that; < 0: not known.
 */
static double recent(const struct sonde_leak_series *series, const struct measure *m, double *change, double *ns, u64 *alloc)
{
	const struct sonde_leak_time *time = &series->time;
	u64 mid = time->begin_ns + length(time) / 2;
	double weight = m->bytes > 0 ? m->square / m->bytes : 0, later = series->living.young_square, before = 0, gone;
	u32 at = series->nr;

	for (u32 i = 0; i < series->nr; i++)
		if (series->time_ns[i] >= mid) {
			at = i;
			break;
		}
	if (at + 1 >= series->nr)
		return -1;
	for (u32 i = 0; i < SONDE_LEAK_BINS; i++) {
		if (middle_of(time, i) > (double)series->time_ns[at])
			later += series->living.bin[i].square;
		else
			before += series->living.bin[i].square;
	}
	/* All that lived then, less what still lives. */
	gone = weight * (double)series->live_bytes[at] - before;
	*change = (double)series->live_bytes[series->nr - 1] - (double)series->live_bytes[at];
	*ns = (double)(series->time_ns[series->nr - 1] - series->time_ns[at]);
	*alloc = series->alloc_bytes[series->nr - 1] - series->alloc_bytes[at];
	return sqrt((later + (gone > 0 ? gone : 0)) * m->heaps);
}

static bool is_leak(const struct sonde_leak_series *series, const struct measure *m, u64 comparisons)
{
	double z = normal_tail(FALSE_ALARM / (double)(comparisons ? comparisons : 1));

	if (m->span_ns < (double)length(&series->time) / 2)
		return false;
	if (m->nr < MIN_SAMPLES || m->nr < z * z)
		return false;
	return !m->stopped && !m->slowing && m->freed_old < FREED_OLD;
}

static enum sonde_verdict other(const struct sonde_leak_series *series, const struct measure *m, double change, double error,
				u64 alloc)
{
	const struct sonde_alloc_stat *stat = &series->stat;

	if (stat->samples < FEW_SAMPLES)
		return SONDE_VERDICT_NONE;
	if (error > 0 && change > GROWS * error && m->nr >= FEW_SAMPLES && !m->stopped)
		return SONDE_VERDICT_GROWING;
	if ((double)stat->freed_bytes >= CHURN * (double)stat->alloc_bytes &&
	    m->bytes <= (1 - CHURN) * (double)stat->alloc_bytes)
		return SONDE_VERDICT_CHURN;
	if (m->nr_born < FEW_SAMPLES)
		return SONDE_VERDICT_NONE;
	if (error >= 0 && (double)alloc < QUIET * m->bytes && m->freed_old < QUIET)
		return SONDE_VERDICT_STEADY;
	if (m->slowing || m->stopped || m->freed_old >= FREED_OLD || stat->freed_bytes >= stat->alloc_bytes / 2)
		return SONDE_VERDICT_CACHE;
	return SONDE_VERDICT_NONE;
}

void sonde_leak_judge(const struct sonde_leak_series *series, u64 comparisons, struct sonde_leak *out)
{
	const struct sonde_leak_living *living = &series->living;
	double change = 0, ns = 0, error;
	u64 alloc = 0, objects;
	struct measure m;

	*out = (struct sonde_leak){ .samples = living->samples };
	measure(series, &m);
	sonde_alloc_live(&series->stat, &out->live_bytes, &objects);
	out->old_ns = sonde_leak_old(&series->time);
	out->old_bytes = living->old_bytes;
	out->freed_old = m.freed_old;
	out->span_ns = m.span_ns > 0 && living->samples ? (u64)m.span_ns : 0;
	if (living->samples) {
		out->oldest_ns = series->time.now_ns - living->first_ns;
		out->oldest_size = living->first_size;
	}
	if (length(&series->time) < SONDE_LEAK_WINDOWS * series->time.window_ns)
		return;
	error = recent(series, &m, &change, &ns, &alloc);
	if (is_leak(series, &m, comparisons)) {
		out->verdict = SONDE_VERDICT_LEAK;
		/* Increments of what survives are independent: their mean is the regression. The first only begins the span. */
		set_slope(out, m.bytes - (double)living->first_bytes, sqrt(m.square * m.heaps), m.span_ns);
		return;
	}
	out->verdict = other(series, &m, change, error, alloc);
	if (error >= 0)
		set_slope(out, change, error, ns);
}

void sonde_leak_merge(struct sonde_leak_series *to, const struct sonde_leak_series *more)
{
	sonde_alloc_add(&to->stat, &more->stat);
	merge_living(&to->living, &more->living);
	for (u32 i = 0; i < to->nr; i++) {
		to->live_bytes[i] += more->live_bytes[i];
		to->alloc_bytes[i] += more->alloc_bytes[i];
	}
}
