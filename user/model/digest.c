// SPDX-License-Identifier: GPL-2.0-only
/*
 * digest.c - all executions of a statement taken together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "model/digest.h"
#include "model/hist.h"
#include "model/slow.h"

/* Rows of one class are neighbours, in the order of their total time. */
static int by_class(const void *pa, const void *pb)
{
	const struct sonde_query *a = *(struct sonde_query *const *)pa, *b = *(struct sonde_query *const *)pb;
	int order = sonde_compare(a->id, b->id);

	if (!order)
		order = sonde_compare(a->waits, b->waits);
	if (!order)
		order = sonde_compare(a->proto, b->proto);
	return order ? order : sonde_compare(a->role, b->role);
}

static int by_class_and_time(const void *pa, const void *pb)
{
	const struct sonde_query *a = *(struct sonde_query *const *)pa, *b = *(struct sonde_query *const *)pb;
	int order = by_class(pa, pb);

	if (!order)
		order = sonde_compare(b->done.sum_ns, a->done.sum_ns);
	return order ? order : sonde_compare(a->pid, b->pid);
}

static int by_total_time(const void *pa, const void *pb)
{
	const struct sonde_query *a = &((const struct sonde_class *)pa)->sum,
				 *b = &((const struct sonde_class *)pb)->sum;
	int order = sonde_compare(a->waits, b->waits);

	if (!order)
		order = sonde_compare(b->done.sum_ns, a->done.sum_ns);
	if (!order)
		order = sonde_compare(b->count, a->count);
	return order ? order : sonde_compare(a->id, b->id);
}

static bool belongs(const struct sonde_class *class, const struct sonde_slow *slow)
{
	return class->sum.id == slow->id && class->sum.proto == slow->proto && class->sum.role == slow->role &&
	       !class->sum.waits;
}

static void finish_class(struct sonde_class *class, const struct sonde_snapshot *snapshot)
{
	struct sonde_query *sum = &class->sum;

	sonde_hist_tidy(&sum->done);
	sonde_hist_tidy(&sum->first);
	class->mean_ns = sum->count ? (double)sum->done.sum_ns / (double)sum->count : 0;
	class->stddev_ns = sonde_hist_stddev(&sum->done);
	class->v_m = class->mean_ns > 0 ? class->stddev_ns * class->stddev_ns / class->mean_ns / 1e9 : 0;
	for (size_t i = 0; i < snapshot->nr_slow; i++) {
		const struct sonde_slow *slow = &snapshot->slow[i];

		if (!belongs(class, slow))
			continue;
		class->nr_slow++;
		if (!class->slowest || slow->done_ns > class->slowest->done_ns)
			class->slowest = slow;
	}
}

static void add_to_total(struct sonde_digest *digest, const struct sonde_query *sum)
{
	digest->calls += sum->count;
	digest->errors += sum->errors;
	digest->total_ns += sum->waits ? 0 : sum->done.sum_ns;
	if (sum->first_seen_ns && (!digest->first_ns || sum->first_seen_ns < digest->first_ns))
		digest->first_ns = sum->first_seen_ns;
	if (sum->last_seen_ns > digest->last_ns)
		digest->last_ns = sum->last_seen_ns;
}

int sonde_digest_make(struct sonde_digest *digest, const struct sonde_snapshot *snapshot)
{
	size_t nr = snapshot->nr_queries;
	struct sonde_class *class = NULL;

	*digest = (struct sonde_digest){};
	digest->rows = calloc(nr + 1, sizeof(*digest->rows));
	digest->classes = calloc(nr + 1, sizeof(*digest->classes));
	if (!digest->rows || !digest->classes) {
		sonde_digest_free(digest);
		return -ENOMEM;
	}
	if (!nr)
		return 0;
	memcpy(digest->rows, snapshot->queries, nr * sizeof(*digest->rows));
	qsort(digest->rows, nr, sizeof(*digest->rows), by_class_and_time);
	for (size_t i = 0; i < nr; i++) {
		if (!i || by_class(&digest->rows[i - 1], &digest->rows[i])) {
			class = &digest->classes[digest->nr++];
			class->sum = *digest->rows[i];
			class->rows = &digest->rows[i];
		} else {
			sonde_query_merge(&class->sum, digest->rows[i]);
		}
		class->nr_rows++;
	}
	for (size_t i = 0; i < digest->nr; i++) {
		finish_class(&digest->classes[i], snapshot);
		add_to_total(digest, &digest->classes[i].sum);
	}
	qsort(digest->classes, digest->nr, sizeof(*digest->classes), by_total_time);
	return 0;
}

void sonde_digest_free(struct sonde_digest *digest)
{
	free(digest->classes);
	free(digest->rows);
	*digest = (struct sonde_digest){};
}
