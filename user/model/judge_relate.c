// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge_relate.c - what findings have to do with one another: a common parent, a read before each write.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/judge_parts.h"

#define MAX_CHAIN 8 /* statements by turns in one loop */

static bool same_scope(const struct sonde_finding *a, const struct sonde_finding *b)
{
	return a->scope == b->scope && !strcmp(a->scope_name, b->scope_name) && !strcmp(a->process, b->process);
}

/* Whether both are repeated once for each of the same rows: as often as each other, within one. */
static bool in_step(const struct sonde_finding *a, const struct sonde_finding *b)
{
	u32 low = a->calls_median < b->calls_median ? a->calls_median : b->calls_median;
	u32 high = a->calls_median < b->calls_median ? b->calls_median : a->calls_median;

	/* Above what the buckets tell exactly, a bucket. */
	return high - low <= 1 + (high >= SONDE_CALLS_EXACT ? high / 8 : 0);
}

static struct sonde_finding *find(const struct sonde_snapshot *snapshot, const struct sonde_finding *like,
				  enum sonde_finding_kind kind, u64 query_id)
{
	for (size_t i = 0; i < snapshot->nr_findings; i++) {
		struct sonde_finding *finding = snapshot->findings[i];

		if (finding != like && finding->kind == kind && finding->query_id == query_id &&
		    same_scope(finding, like))
			return finding;
	}
	return NULL;
}

static void take_parent(struct sonde_finding *finding, const struct sonde_finding *from)
{
	finding->parent_id = from->parent_id;
	finding->parent = from->parent;
	finding->parent_rows = from->parent_rows;
	finding->parent_calls = from->parent_calls;
}

/*
 * In a loop of A B A B the read before B is A, not the one that lists the rows: A's parent is B's, too.
 */
static void skip_siblings(const struct sonde_snapshot *snapshot, struct sonde_finding *finding)
{
	for (u32 i = 0; i < MAX_CHAIN && finding->parent_id; i++) {
		const struct sonde_finding *before =
			find(snapshot, finding, SONDE_FINDING_N_PLUS_ONE, finding->parent_id);

		if (!before || !in_step(before, finding))
			return;
		finding->block = before->block;
		if (before->parent_id == finding->query_id) {
			/* Each is the other's: the loop began with either, and what it goes through was not seen. */
			finding->parent_id = 0;
			finding->parent = NULL;
			return;
		}
		take_parent(finding, before);
	}
}

/* One block for what is repeated by turns under one parent. */
static void same_parent(const struct sonde_snapshot *snapshot, struct sonde_finding *finding, size_t end)
{
	for (size_t i = 0; i < end && finding->parent_id; i++) {
		const struct sonde_finding *before = snapshot->findings[i];

		if (before->kind == SONDE_FINDING_N_PLUS_ONE && before->parent_id == finding->parent_id &&
		    before->block != finding->block && same_scope(before, finding)) {
			finding->block = before->block;
			return;
		}
	}
}

/* The read that each write of @write's loop follows. */
static struct sonde_finding *read_before(const struct sonde_snapshot *snapshot, const struct sonde_finding *write)
{
	struct sonde_finding *read = find(snapshot, write, SONDE_FINDING_N_PLUS_ONE, write->before_id);

	return write->before_id && read && in_step(read, write) ? read : NULL;
}

/* A read that is only there for the write behind it: its finding becomes part of the write's. */
static bool pair(struct sonde_snapshot *snapshot, struct sonde_finding *write)
{
	struct sonde_finding *read;

	if (write->kind != SONDE_FINDING_WRITE_LOOP || write->with)
		return false;
	read = read_before(snapshot, write);
	if (!read)
		return false;
	write->with = read->query;
	write->with_id = read->query_id;
	write->waste_ns += read->waste_ns;
	take_parent(write, read);
	if (read->confidence > write->confidence)
		write->confidence = read->confidence;
	if (!write->nr_site) {
		write->site = read->site;
		write->nr_site = read->nr_site;
		write->stack = read->stack;
		write->nr_stack = read->nr_stack;
		read->site = NULL;
	}
	for (size_t i = 0; i < snapshot->nr_findings; i++) {
		if (snapshot->findings[i] != read)
			continue;
		memmove(&snapshot->findings[i], &snapshot->findings[i + 1],
			(snapshot->nr_findings - i - 1) * sizeof(*snapshot->findings));
		snapshot->nr_findings--;
		break;
	}
	free(read->site);
	free(read);
	return true;
}

static int order_of(u64 a, u64 b)
{
	return (a > b) - (a < b);
}

static int by_waste(const void *pa, const void *pb)
{
	const struct sonde_finding *a = *(struct sonde_finding *const *)pa, *b = *(struct sonde_finding *const *)pb;
	int order = order_of(b->waste_ns, a->waste_ns);

	return order ? order : order_of(a->id, b->id);
}

static bool in_request(const struct sonde_finding *finding)
{
	return finding->scope == SONDE_SCOPE_COMMENT || finding->scope == SONDE_SCOPE_REQUEST ||
	       finding->scope == SONDE_SCOPE_ASYNC || finding->scope == SONDE_SCOPE_PROCESS;
}

/* Whether it happened once, outside of the requests of a program that has findings in requests: as it started, mostly. */
static bool aside(const struct sonde_snapshot *snapshot, const struct sonde_finding *finding)
{
	if (in_request(finding) || finding->scopes > 1)
		return false;
	for (size_t i = 0; i < snapshot->nr_findings; i++)
		if (in_request(snapshot->findings[i]) && !strcmp(snapshot->findings[i]->process, finding->process))
			return true;
	return false;
}

/* What repeats comes before what is slow or large by itself; of each, what happened once comes last. */
static unsigned int rank(const struct sonde_snapshot *snapshot, const struct sonde_finding *finding)
{
	return (sonde_finding_single(finding->kind) ? 2 : 0) + (aside(snapshot, finding) ? 1 : 0);
}

/* Where a finding stands: by rank, and the waste of its whole block. */
struct place {
	struct sonde_finding *finding;
	unsigned int own_rank;
	unsigned int rank; /* of its block: the least */
	u64 waste_ns;
};

static int by_place(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;
	int order = order_of(a->rank, b->rank);

	if (!order)
		order = order_of(b->waste_ns, a->waste_ns);
	if (!order)
		order = order_of(a->finding->block, b->finding->block);
	return order ? order : by_waste(&a->finding, &b->finding);
}

/* By rank and waste, blocks together. Returns 0 or -ENOMEM. */
static int sort(struct sonde_snapshot *snapshot)
{
	size_t nr = snapshot->nr_findings;
	struct place *places = calloc(nr + 1, sizeof(*places));

	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		places[i].finding = snapshot->findings[i];
		places[i].rank = places[i].own_rank = rank(snapshot, snapshot->findings[i]);
	}
	for (size_t i = 0; i < nr; i++) {
		for (size_t j = 0; j < nr; j++) {
			if (places[j].finding->block != places[i].finding->block)
				continue;
			if (places[j].own_rank < places[i].rank)
				places[i].rank = places[j].own_rank;
			places[i].waste_ns += places[j].finding->waste_ns;
		}
	}
	qsort(places, nr, sizeof(*places), by_place);
	for (size_t i = 0; i < nr; i++)
		snapshot->findings[i] = places[i].finding;
	free(places);
	return 0;
}

int sonde_judge_relate(struct sonde_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->nr_findings; i++)
		if (pair(snapshot, snapshot->findings[i]))
			i = (size_t)-1; /* the list has moved */
	if (snapshot->nr_findings)
		qsort(snapshot->findings, snapshot->nr_findings, sizeof(*snapshot->findings), by_waste);
	for (size_t i = 0; i < snapshot->nr_findings; i++)
		if (snapshot->findings[i]->kind == SONDE_FINDING_N_PLUS_ONE)
			skip_siblings(snapshot, snapshot->findings[i]);
	for (size_t i = 0; i < snapshot->nr_findings; i++)
		if (snapshot->findings[i]->kind == SONDE_FINDING_N_PLUS_ONE)
			same_parent(snapshot, snapshot->findings[i], i);
	return sort(snapshot);
}
