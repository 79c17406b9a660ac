// SPDX-License-Identifier: GPL-2.0-only
/*
 * leak_find.c - verdicts on all call sites of a snapshot, and findings of those that leak.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/table.h"
#include "model/alloc.h"
#include "model/finding.h"
#include "model/judge_parts.h"
#include "model/leak_find.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"

#define MAX_SITE 16u /* frames of a finding */
#define SURE 60u /* survivors that make a verdict sure */
#define LIKELY 25u

/*
 * A place in the code of a process: the stacks that lead there, together. Functions without a name are told apart by who calls them:
 * all that is known of them is their module.
 */
struct place {
	struct sonde_leak_series sum;
	struct sonde_leak leak;
	size_t most; /* index of the series with most live bytes */
	u64 most_bytes;
	u32 nr;
};

struct finder {
	struct sonde_snapshot *snapshot;
	const struct sonde_leak_series *series;
	size_t nr;
	struct sonde_leak *leak; /* of each series */
	struct place **of; /* of each series (NULL: its stack is empty) */
	struct place **places;
	size_t nr_places;
	struct sonde_table index; /* place_key() -> place */
};

static const struct sonde_frame *frame_of(const struct finder *f, size_t i)
{
	const struct sonde_profile *profile = f->snapshot->profile;
	const struct sonde_stack *stack = &profile->stack[f->series[i].stack];

	return &profile->frame[stack->frame[sonde_alloc_site(profile, stack)]];
}

static u64 place_key(const struct finder *f, size_t i)
{
	const struct sonde_profile *profile = f->snapshot->profile;
	const struct sonde_stack *stack = &profile->stack[f->series[i].stack];
	u64 key = f->series[i].pid;

	for (u32 at = sonde_alloc_site(profile, stack); at < stack->nr; at++) {
		key = sonde_mix64(key ^ (u64)(stack->frame[at] + 1) << 32);
		if (profile->frame[stack->frame[at]].function[0] != '[')
			break;
	}
	return key;
}

static u64 live_of(const struct sonde_leak_series *series)
{
	u64 bytes, objects;

	sonde_alloc_live(&series->stat, &bytes, &objects);
	return bytes;
}

static int gather(struct finder *f)
{
	const struct sonde_profile *profile = f->snapshot->profile;

	for (size_t i = 0; i < f->nr; i++) {
		const struct sonde_leak_series *series = &f->series[i];
		struct place *place;
		u64 key;

		if (series->stack >= profile->nr_stacks || !profile->stack[series->stack].nr)
			continue;
		key = place_key(f, i);
		place = sonde_table_get(&f->index, key);
		if (!place) {
			place = calloc(1, sizeof(*place));
			if (!place || sonde_table_put(&f->index, key, place)) {
				free(place);
				return -ENOMEM;
			}
			place->sum = *series;
			place->most = i;
			place->most_bytes = live_of(series);
			f->places[f->nr_places++] = place;
		} else {
			sonde_leak_merge(&place->sum, series);
			if (live_of(series) > place->most_bytes) {
				place->most = i;
				place->most_bytes = live_of(series);
			}
		}
		place->nr++;
		f->of[i] = place;
	}
	return 0;
}

static void judge(struct finder *f)
{
	u64 comparisons = 0;

	for (size_t i = 0; i < f->nr; i++)
		comparisons += sonde_leak_counts(&f->series[i]);
	for (size_t i = 0; i < f->nr_places; i++)
		comparisons += f->places[i]->nr > 1 && sonde_leak_counts(&f->places[i]->sum);
	for (size_t i = 0; i < f->nr; i++)
		sonde_leak_judge(&f->series[i], comparisons, &f->leak[i]);
	for (size_t i = 0; i < f->nr_places; i++)
		sonde_leak_judge(&f->places[i]->sum, comparisons, &f->places[i]->leak);
	/* Stacks with too few samples to tell do what their place does. */
	for (size_t i = 0; i < f->nr; i++)
		if (f->of[i] && f->of[i]->leak.verdict == SONDE_VERDICT_LEAK &&
		    (!sonde_leak_counts(&f->series[i]) || f->leak[i].verdict == SONDE_VERDICT_NONE ||
		     f->leak[i].verdict == SONDE_VERDICT_GROWING) &&
		    f->series[i].living.samples)
			f->leak[i].verdict = SONDE_VERDICT_LEAK;
}

static int set_rows(struct finder *f)
{
	struct sonde_alloc *alloc = f->snapshot->alloc;
	struct sonde_table rows = {};
	int err = 0;

	for (size_t i = 0; i < alloc->nr && !err; i++)
		if (alloc->row[i].stack >= 0)
			err = sonde_table_put(&rows, (u64)alloc->row[i].stack, &alloc->row[i]);
	for (size_t i = 0; i < f->nr && !err; i++) {
		struct sonde_alloc_row *row = sonde_table_get(&rows, f->series[i].stack);

		if (row)
			row->leak = f->leak[i];
	}
	sonde_table_free(&rows, NULL);
	return err;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What is in @text, in the snapshot's pool; frees it. NULL: out of memory. */
static const char *kept(const struct finder *f, struct sonde_buf *text)
{
	const char *copy = text->failed || !text->s ? NULL : sonde_strings_add(f->snapshot->strings, text->s, text->len);

	sonde_buf_free(text);
	return copy;
}

/* "load json.c:12", and its callers. */
static int set_site(const struct finder *f, struct sonde_finding *finding, size_t i)
{
	const struct sonde_profile *profile = f->snapshot->profile;
	const struct sonde_stack *stack = &profile->stack[f->series[i].stack];
	u32 from = sonde_alloc_site(profile, stack), nr = stack->nr - from;

	finding->site = calloc(nr < MAX_SITE ? nr : MAX_SITE, sizeof(*finding->site));
	if (!finding->site)
		return -ENOMEM;
	while (finding->nr_site < nr && finding->nr_site < MAX_SITE) {
		const struct sonde_frame *frame = &profile->frame[stack->frame[from + finding->nr_site]];
		struct sonde_buf text = {};

		sonde_buf_str(&text, frame->function);
		if (frame->line)
			sonde_buf_printf(&text, " %s:%u", base_name(frame->file), frame->line);
		finding->site[finding->nr_site] = kept(f, &text);
		if (!finding->site[finding->nr_site])
			return -ENOMEM;
		finding->nr_site++;
	}
	return 0;
}

static int set_texts(const struct finder *f, struct sonde_finding *finding, const struct sonde_frame *frame)
{
	struct sonde_buf text = {};

	sonde_buf_str(&text, frame->function);
	if (frame->line)
		sonde_buf_printf(&text, " (%s:%u)", base_name(frame->file), frame->line);
	finding->query = kept(f, &text);
	text = (struct sonde_buf){};
	sonde_buf_printf(&text,
			 "free what %s allocates when it is done with, or bound what keeps it; --value leak_space --flame leak.svg "
			 "draws all ways that lead there",
			 frame->function);
	finding->suggestion = kept(f, &text);
	return finding->query && finding->suggestion ? 0 : -ENOMEM;
}

static struct sonde_leak_found *found_new(const struct sonde_leak_series *series, const struct sonde_leak *leak, u32 nr_paths)
{
	struct sonde_leak_found *found = calloc(1, sizeof(*found));

	if (!found)
		return NULL;
	found->leak = *leak;
	found->stat = series->stat;
	found->nr_paths = nr_paths;
	found->nr = series->nr;
	memcpy(found->time_ns, series->time_ns, series->nr * sizeof(found->time_ns[0]));
	memcpy(found->live_bytes, series->live_bytes, series->nr * sizeof(found->live_bytes[0]));
	return found;
}

/* The same on every machine, and with other lines: by process, function and file. */
static u64 id_of(const struct sonde_finding *finding, const struct sonde_frame *frame)
{
	u64 hash = SONDE_FNV_BASIS;

	for (const char *p = frame->function; *p; p++)
		hash = sonde_fnv_byte(hash, (u8)*p);
	for (const char *p = base_name(frame->file); *p; p++)
		hash = sonde_fnv_byte(hash, (u8)*p);
	return sonde_judge_id(SONDE_FINDING_LEAK, SONDE_SCOPE_PROCESS, finding->scope_name, hash, finding->process);
}

/* @i: the series whose stack is shown. */
static int add(struct finder *f, size_t i, const struct sonde_leak_series *series, const struct sonde_leak *leak, u32 nr_paths)
{
	struct sonde_finding *finding = sonde_snapshot_finding(f->snapshot);
	const struct sonde_frame *frame = frame_of(f, i);
	int err;

	if (!finding)
		return -ENOMEM;
	finding->kind = SONDE_FINDING_LEAK;
	finding->confidence = leak->samples >= SURE	? SONDE_CONFIDENCE_HIGH
			      : leak->samples >= LIKELY ? SONDE_CONFIDENCE_MEDIUM
							: SONDE_CONFIDENCE_LOW;
	finding->scope = SONDE_SCOPE_PROCESS;
	finding->share = -1;
	finding->pid = series->pid;
	finding->process = sonde_strings_add(f->snapshot->strings, f->snapshot->profile->stack[series->stack].process,
					     strlen(f->snapshot->profile->stack[series->stack].process));
	finding->leak = found_new(series, leak, nr_paths);
	if (!finding->process || !finding->leak) {
		finding->process = "";
		return -ENOMEM;
	}
	finding->scope_name = finding->process;
	finding->last_seen_ns = series->time.now_ns;
	finding->first_seen_ns = series->time.now_ns - leak->oldest_ns;
	finding->id = finding->block = id_of(finding, frame);
	err = set_texts(f, finding, frame);
	return err ? err : set_site(f, finding, i);
}

static int by_slope(const void *a, const void *b)
{
	const struct sonde_finding *x = *(struct sonde_finding *const *)a, *y = *(struct sonde_finding *const *)b;

	if (x->leak->leak.slope != y->leak->leak.slope)
		return x->leak->leak.slope < y->leak->leak.slope ? 1 : -1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int add_findings(struct finder *f)
{
	struct sonde_snapshot *snapshot = f->snapshot;
	int err = 0;

	for (size_t i = 0; i < f->nr_places && !err; i++)
		if (f->places[i]->leak.verdict == SONDE_VERDICT_LEAK)
			err = add(f, f->places[i]->most, &f->places[i]->sum, &f->places[i]->leak, f->places[i]->nr);
	for (size_t i = 0; i < f->nr && !err; i++)
		if (f->of[i] && f->leak[i].verdict == SONDE_VERDICT_LEAK && f->of[i]->leak.verdict != SONDE_VERDICT_LEAK)
			err = add(f, i, &f->series[i], &f->leak[i], 1);
	if (!err && snapshot->nr_findings)
		qsort(snapshot->findings, snapshot->nr_findings, sizeof(struct sonde_finding *), by_slope);
	return err;
}

int sonde_leak_find(struct sonde_snapshot *snapshot, const struct sonde_leak_series *series, size_t nr)
{
	struct finder f = { .snapshot = snapshot, .series = series, .nr = nr };
	int err = -ENOMEM;

	f.leak = calloc(nr + 1, sizeof(*f.leak));
	f.of = calloc(nr + 1, sizeof(struct place *));
	f.places = calloc(nr + 1, sizeof(struct place *));
	if (f.leak && f.of && f.places)
		err = gather(&f);
	if (!err) {
		judge(&f);
		err = set_rows(&f);
	}
	if (!err)
		err = add_findings(&f);
	snapshot->judged = true;
	for (size_t i = 0; i < f.nr_places; i++)
		free(f.places[i]);
	free(f.places);
	free(f.of);
	free(f.leak);
	sonde_table_free(&f.index, NULL);
	return err;
}
