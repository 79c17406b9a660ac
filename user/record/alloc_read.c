// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_read.c - reads allocations, or growth, from a recording, which may be anybody's: what does not fit together is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/breakdown.h"
#include "model/finding.h"
#include "model/gc.h"
#include "model/gc_judge.h"
#include "model/growth.h"
#include "model/leak_find.h"
#include "model/memory.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "record/alloc.h"
#include "record/alloc_tables.h"
#include "record/gc.h"
#include "record/growth.h"
#include "record/stacks_read.h"

struct reader {
	struct sonde_snapshot *snapshot;
	struct sonde_profile *profile;
	struct sonde_growth *growth;
	struct sonde_gc *gc;
	u64 gc_from_ns, gc_to_ns;
	struct sonde_stack_reader stacks;
};

static const char *keep(struct reader *r, const char *text)
{
	return sonde_strings_add(r->snapshot->strings, text ? text : "", text ? strlen(text) : 0);
}

/* ---- the run ---- */

static void copy(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	memcpy(to, from ? from : "", len);
	to[len] = '\0';
}

/* It is about growth, not about allocations. */
static int become_growth(struct reader *r)
{
	r->growth = sonde_growth_new();
	if (!r->growth)
		return -ENOMEM;
	r->snapshot->view = SONDE_VIEW_GROWTH;
	r->snapshot->growth = r->growth;
	sonde_alloc_free(r->snapshot->alloc);
	r->snapshot->alloc = NULL;
	return 0;
}

static int take_run(void *ctx, const void *row)
{
	const struct sonde_recorded_run *run = row;
	struct reader *r = ctx;
	struct sonde_snapshot *snapshot = r->snapshot;

	if (!run->schema || strcmp(run->schema, SONDE_RECORD_SCHEMA) != 0 || !run->command ||
	    strcmp(run->command, "alloc") != 0 || !run->start_unix_ns || snapshot->start_unix_ns)
		return -EPROTO;
	copy(snapshot->host.name, sizeof(snapshot->host.name), run->host);
	copy(snapshot->host.kernel, sizeof(snapshot->host.kernel), run->kernel);
	copy(snapshot->host.arch, sizeof(snapshot->host.arch), run->arch);
	snapshot->start_unix_ns = run->start_unix_ns;
	snapshot->mono_to_unix_ns = run->mono_to_unix_ns;
	snapshot->duration_ns = run->duration_ns;
	r->gc_from_ns = run->gc_from_ns;
	r->gc_to_ns = run->gc_to_ns;
	if (run->mode && !strcmp(run->mode, "growth")) {
		if (become_growth(r))
			return -ENOMEM;
	} else if (run->mode && strcmp(run->mode, "allocations") != 0) {
		return -EPROTO;
	} else {
		snapshot->alloc->rate = run->rate;
		snapshot->alloc->finer = run->finer;
		snapshot->alloc->window_ns = run->window_ns;
		snapshot->alloc->nr_windows = run->nr_windows;
		snapshot->alloc->exact = run->exact;
	}
	if (run->by_endpoint && !snapshot->breakdowns)
		snapshot->breakdowns = sonde_breakdowns_new();
	return run->by_endpoint && !snapshot->breakdowns ? -ENOMEM : 0;
}

static int take_count(void *ctx, const void *row)
{
	const struct sonde_recorded_count *count = row;
	struct reader *r = ctx;

	for (u32 i = 0; count->name && i < SONDE_CNT_MAX; i++)
		if (!strcmp(sonde_counter_info[i].name, count->name))
			r->snapshot->counter[i] = count->value;
	return 0; /* one that is not known is of another version */
}

/* ---- rows ---- */

static int take_site(void *ctx, const void *row)
{
	const struct sonde_recorded_site *site = row;
	struct reader *r = ctx;
	struct sonde_alloc_row *to;
	s64 stack;

	if (!sonde_stack_reader_find(&r->stacks, site->stack, &stack) || (u32)site->row.leak.verdict >= SONDE_VERDICTS)
		return -EPROTO;
	to = sonde_alloc_row(r->snapshot->alloc);
	if (!to)
		return -ENOMEM;
	*to = site->row;
	to->stack = stack;
	to->process = keep(r, site->row.process);
	return to->process ? 0 : -ENOMEM;
}

static int take_total(void *ctx, const void *row)
{
	const struct sonde_alloc_total *total = row;
	struct reader *r = ctx;
	struct sonde_alloc_total *to = sonde_alloc_total(r->snapshot->alloc, &total->proc);

	if (!to)
		return -ENOMEM;
	*to = *total;
	to->process = keep(r, total->process);
	return to->process ? 0 : -ENOMEM;
}

static int take_bucket(void *ctx, const void *row)
{
	const struct sonde_recorded_bucket *bucket = row;
	struct sonde_alloc *alloc = ((struct reader *)ctx)->snapshot->alloc;
	struct sonde_alloc_stat *stat;

	if (!bucket->of || !bucket->kind)
		return -EPROTO;
	if (!strcmp(bucket->of, sonde_table_site.name) && bucket->row - 1 < alloc->nr)
		stat = &alloc->row[bucket->row - 1].stat;
	else if (!strcmp(bucket->of, sonde_table_total.name) && bucket->row - 1 < alloc->nr_totals)
		stat = &alloc->total[bucket->row - 1].stat;
	else
		return -EPROTO;
	if (!strcmp(bucket->kind, "bytes") && bucket->bucket < SONDE_ALLOC_SIZES)
		stat->size[bucket->bucket] = bucket->objects;
	else if (!strcmp(bucket->kind, "lifetime_us") && bucket->bucket < SONDE_ALLOC_LIVES)
		stat->life[bucket->bucket] = bucket->objects;
	else
		return -EPROTO;
	return 0;
}

/* ---- findings ---- */

static int take_finding(void *ctx, const void *row)
{
	const struct sonde_recorded_finding *read = row;
	struct reader *r = ctx;
	struct sonde_finding *to;

	if (read->confidence > SONDE_CONFIDENCE_HIGH || (u32)read->leak.verdict >= SONDE_VERDICTS)
		return -EPROTO;
	to = sonde_snapshot_finding(r->snapshot);
	if (!to)
		return -ENOMEM;
	to->kind = SONDE_FINDING_LEAK;
	to->scope = SONDE_SCOPE_PROCESS;
	to->share = -1;
	to->id = to->block = read->id;
	to->confidence = (enum sonde_confidence)read->confidence;
	to->pid = read->pid;
	to->first_seen_ns = read->first_seen_ns;
	to->last_seen_ns = read->last_seen_ns;
	to->leak = calloc(1, sizeof(*to->leak));
	to->process = keep(r, read->process);
	to->query = keep(r, read->place);
	to->suggestion = keep(r, read->suggestion);
	if (!to->leak || !to->process || !to->query || !to->suggestion)
		return -ENOMEM;
	to->scope_name = to->process;
	to->leak->leak = read->leak;
	to->leak->stat.alloc_bytes = read->alloc_bytes;
	to->leak->nr_paths = read->paths;
	return 0;
}

static int take_finding_site(void *ctx, const void *row)
{
	const struct sonde_recorded_line *line = row;
	struct reader *r = ctx;
	struct sonde_finding *of;
	const char **more;

	if (line->finding - 1 >= r->snapshot->nr_findings)
		return -EPROTO;
	of = r->snapshot->findings[line->finding - 1];
	more = realloc(of->site, (of->nr_site + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	of->site = more;
	more[of->nr_site] = keep(r, line->text);
	return more[of->nr_site++] ? 0 : -ENOMEM;
}

static int take_finding_reading(void *ctx, const void *row)
{
	const struct sonde_recorded_line *line = row;
	struct reader *r = ctx;
	struct sonde_leak_found *of;

	if (line->finding - 1 >= r->snapshot->nr_findings)
		return -EPROTO;
	of = r->snapshot->findings[line->finding - 1]->leak;
	if (of->nr == SONDE_LEAK_POINTS)
		return -EPROTO;
	of->time_ns[of->nr] = line->time_ns;
	of->live_bytes[of->nr++] = line->live_bytes;
	return 0;
}

/* ---- endpoints ---- */

static int take_endpoint(void *ctx, const void *row)
{
	const struct sonde_breakdown *read = row;
	struct reader *r = ctx;
	struct sonde_breakdown *to;
	size_t before;

	if (!r->snapshot->breakdowns)
		return -EPROTO;
	before = r->snapshot->breakdowns->nr;
	to = sonde_breakdowns_row(r->snapshot->breakdowns, &read->key);
	if (!to)
		return -ENOMEM;
	if (before == r->snapshot->breakdowns->nr)
		return -EPROTO; /* twice the same: rowids would not fit */
	to->stat = read->stat;
	to->text = read->text ? keep(r, read->text) : NULL;
	to->process = keep(r, read->process);
	to->server = keep(r, read->server);
	return to->process && to->server && (to->text || !read->text) ? 0 : -ENOMEM;
}

static int take_endpoint_site(void *ctx, const void *row)
{
	const struct sonde_recorded_endpoint_site *site = row;
	struct reader *r = ctx;
	s64 stack;

	if (!r->snapshot->breakdowns || site->endpoint - 1 >= r->snapshot->breakdowns->nr ||
	    !sonde_stack_reader_find(&r->stacks, site->stack, &stack))
		return -EPROTO;
	return sonde_memory_site(r->snapshot->breakdowns->row[site->endpoint - 1], stack, &site->memory);
}

/* ---- garbage collections ---- */

/* If they were watched: sums by process, and findings, which stand behind the others. */
static int read_gc(struct reader *r, struct sonde_record *record)
{
	int err;

	if (!r->gc_to_ns)
		return 0;
	r->gc = sonde_gc_new();
	err = r->gc ? sonde_record_gc_read(record, r->gc) : -ENOMEM;
	if (err)
		return err;
	sonde_gc_sum(r->gc, r->gc_from_ns, r->gc_to_ns);
	r->snapshot->gc = r->gc;
	return sonde_gc_judge(r->snapshot);
}

static int read_growth(struct reader *r, struct sonde_record *record)
{
	struct sonde_growth_reader reader = { .growth = r->growth,
					      .strings = r->snapshot->strings,
					      .stack = r->stacks.stack,
					      .nr_stacks = r->stacks.nr_stacks,
					      .mono_to_unix_ns = r->snapshot->mono_to_unix_ns };

	return sonde_record_growth_read(record, &reader);
}

static int read_all(struct reader *r, struct sonde_record *record)
{
	static const struct {
		const struct sonde_record_table *table;
		int (*take)(void *ctx, const void *row);
	} first[] = { { &sonde_table_run, take_run },
		      { &sonde_table_coverage, take_count } },
	  then[] = { { &sonde_table_site, take_site },
		     { &sonde_table_total, take_total },
		     { &sonde_table_histogram, take_bucket },
		     { &sonde_table_finding, take_finding },
		     { &sonde_table_finding_site, take_finding_site },
		     { &sonde_table_finding_reading, take_finding_reading } },
	  last[] = { { &sonde_table_endpoint, take_endpoint }, { &sonde_table_endpoint_site, take_endpoint_site } };
	int err = 0;

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]) && !err; i++)
		err = sonde_record_each(record, first[i].table, r, first[i].take);
	if (!err)
		err = sonde_record_stacks_read(record, &r->stacks);
	if (!err && r->growth)
		err = read_growth(r, record);
	for (size_t i = 0; i < sizeof(then) / sizeof(then[0]) && !err && !r->growth; i++)
		err = sonde_record_each(record, then[i].table, r, then[i].take);
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]) && !err; i++)
		err = sonde_record_each(record, last[i].table, r, last[i].take);
	return err ? err : read_gc(r, record);
}

/* Empty, but for what every snapshot of it has. */
static int begin(struct reader *r)
{
	struct sonde_strings *strings = sonde_strings_new();

	r->snapshot = strings ? sonde_snapshot_new(strings) : NULL;
	sonde_strings_put(strings);
	r->profile = sonde_profile_new("alloc_space", "bytes");
	if (!r->snapshot || !r->profile)
		return -ENOMEM;
	r->snapshot->alloc = sonde_alloc_new();
	if (!r->snapshot->alloc)
		return -ENOMEM;
	r->stacks.strings = r->snapshot->strings;
	r->stacks.profile = r->profile;
	r->snapshot->view = SONDE_VIEW_ALLOC;
	r->snapshot->profile = r->profile;
	r->snapshot->final = true;
	r->snapshot->judged = true;
	return 0;
}

int sonde_record_alloc_read(const char *file, struct sonde_recorded *out, struct sonde_buf *why)
{
	struct sonde_record *record = sonde_record_open(file, why);
	struct reader r = {};
	int err;

	*out = (struct sonde_recorded){};
	if (!record)
		return -EINVAL;
	err = begin(&r);
	if (!err)
		err = read_all(&r, record);
	sonde_record_free(record);
	sonde_stack_reader_free(&r.stacks);
	out->snapshot = r.snapshot;
	out->profile = r.profile;
	out->growth = r.growth;
	out->gc = r.gc;
	if (!err && !r.snapshot->start_unix_ns)
		err = -EPROTO; /* there was no run */
	if (!err)
		return 0;
	sonde_recorded_free(out);
	sonde_buf_str(why, err == -ENOENT || err == -EPROTO ? "it is no recording of `sonde alloc`"
			   : err == -EBADMSG		    ? "it is damaged"
							    : strerror(-err));
	return err;
}

void sonde_recorded_free(struct sonde_recorded *recorded)
{
	sonde_snapshot_free(recorded->snapshot);
	sonde_profile_free(recorded->profile);
	sonde_growth_free(recorded->growth);
	sonde_gc_free(recorded->gc);
	*recorded = (struct sonde_recorded){};
}
