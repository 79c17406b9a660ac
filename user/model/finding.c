// SPDX-License-Identifier: GPL-2.0-only
/*
 * finding.c - names of findings, and sums of the kernel's rows.
 */
#include "model/finding.h"

static const struct {
	const char *name;
	const char *title;
} kinds[SONDE_FINDING_KINDS] = {
#define SONDE_FINDING(symbol, name, title) [SONDE_FINDING_##symbol] = { name, title },
#include "finding.def"
#undef SONDE_FINDING
};

static const char *const scopes[SONDE_SCOPE_KINDS] = {
	[SONDE_SCOPE_NONE] = "none",	   [SONDE_SCOPE_COMMENT] = "comment",
	[SONDE_SCOPE_REQUEST] = "request", [SONDE_SCOPE_TRANSACTION] = "transaction",
	[SONDE_SCOPE_ASYNC] = "async",	   [SONDE_SCOPE_PROCESS] = "process",
	[SONDE_SCOPE_BURST] = "burst",
};

const char *sonde_finding_kind_name(enum sonde_finding_kind kind)
{
	return kind < SONDE_FINDING_KINDS ? kinds[kind].name : "";
}

bool sonde_finding_single(enum sonde_finding_kind kind)
{
	return kind == SONDE_FINDING_SLOW_QUERY || kind == SONDE_FINDING_LARGE_RESULT;
}

const char *sonde_finding_kind_title(enum sonde_finding_kind kind)
{
	return kind < SONDE_FINDING_KINDS ? kinds[kind].title : "";
}

const char *sonde_confidence_name(enum sonde_confidence confidence)
{
	static const char *const names[] = { "low", "medium", "high" };

	return confidence <= SONDE_CONFIDENCE_HIGH ? names[confidence] : names[0];
}

const char *sonde_scope_kind_name(u32 scope)
{
	return scope < SONDE_SCOPE_KINDS ? scopes[scope] : scopes[SONDE_SCOPE_NONE];
}

static u64 greater(u64 a, u64 b)
{
	return a > b ? a : b;
}

void sonde_finding_merge_stat(struct sonde_finding_stat *stat, const struct sonde_finding_stat *more)
{
	if (!more->scopes)
		return;
	if (!stat->scopes || more->calls_min < stat->calls_min)
		stat->calls_min = more->calls_min;
	if (!stat->scopes || more->first_seen_ns < stat->first_seen_ns)
		stat->first_seen_ns = more->first_seen_ns;
	/* The parent that more scopes had, and a place where the repeats of more scopes came from. */
	if (more->parent && (!stat->parent || more->parents > stat->parents))
		stat->parent = more->parent;
	if (more->before && (!stat->before || more->scopes > stat->scopes))
		stat->before = more->before;
	if (more->stack >= 0 && (!stat->scopes || stat->stack < 0 || more->same_stack > stat->same_stack))
		stat->stack = more->stack;
	else if (!stat->scopes)
		stat->stack = more->stack;
	stat->scopes += more->scopes;
	stat->calls += more->calls;
	stat->rows += more->rows;
	stat->waste_ns += more->waste_ns;
	stat->scope_ns += more->scope_ns;
	stat->distinct += more->distinct;
	stat->parents += more->parents;
	stat->parent_rows += more->parent_rows;
	stat->parent_calls += more->parent_calls;
	stat->rows_match += more->rows_match;
	stat->lost += more->lost;
	stat->same_stack += more->same_stack;
	stat->max_ns = greater(stat->max_ns, more->max_ns);
	stat->max_bytes = greater(stat->max_bytes, more->max_bytes);
	stat->max_rows = greater(stat->max_rows, more->max_rows);
	stat->last_seen_ns = greater(stat->last_seen_ns, more->last_seen_ns);
	stat->distinct_max = (u32)greater(stat->distinct_max, more->distinct_max);
	stat->calls_max = (u32)greater(stat->calls_max, more->calls_max);
	for (u32 i = 0; i < SONDE_CALLS_BUCKETS; i++)
		stat->calls_hist[i] += more->calls_hist[i];
}

/* The fewest calls in @bucket: the opposite of sonde_calls_bucket(). */
static u32 bucket_calls(u32 bucket)
{
	if (bucket < SONDE_CALLS_EXACT)
		return bucket;
	return (8 + (bucket - SONDE_CALLS_EXACT) % 8) << ((bucket - SONDE_CALLS_EXACT) / 8 + 1);
}

/* Of the numbers in @bucket the one nearest to the mean of all scopes: exact where nearly all made as many calls. */
static u32 likely_calls(const struct sonde_finding_stat *stat, u32 bucket)
{
	u64 mean = stat->scopes ? (stat->calls + stat->scopes / 2) / stat->scopes : 0;
	u32 least = bucket_calls(bucket), most = bucket_calls(bucket + 1) - 1;

	return mean < least ? least : mean > most ? most : (u32)mean;
}

u32 sonde_finding_median(const struct sonde_finding_stat *stat)
{
	u64 counted = 0, below = 0;
	u32 calls;

	for (u32 i = 0; i < SONDE_CALLS_BUCKETS; i++)
		counted += stat->calls_hist[i];
	for (u32 i = 0; i < SONDE_CALLS_BUCKETS; i++) {
		below += stat->calls_hist[i];
		if (!stat->calls_hist[i] || below * 2 < counted)
			continue;
		calls = likely_calls(stat, i);
		/* The last bucket has no end of its own. */
		if (calls > stat->calls_max || i == SONDE_CALLS_BUCKETS - 1)
			calls = stat->calls_max;
		return calls < stat->calls_min ? stat->calls_min : calls;
	}
	return stat->calls_min;
}
