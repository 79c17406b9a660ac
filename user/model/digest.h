/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * digest.h - all executions of a statement taken together, whoever sent it and wherever: what a slow-query report ranks.
 */
#ifndef SONDE_MODEL_DIGEST_H
#define SONDE_MODEL_DIGEST_H

#include "model/snapshot.h"

struct sonde_slow;

/**
 * struct sonde_class - one statement
 * @sum: its numbers over all processes, servers and databases; its process, server, database and user are the first row's
 * @rows: the rows of the snapshot it is made of (@nr_rows)
 * @mean_ns: exact; @stddev_ns: estimated from the histogram (sonde_hist_stddev())
 * @v_m: variance-to-mean ratio in seconds: near 0 steady, above 1 erratic
 * @slowest: its slowest execution that was told of; NULL: none was
 * @nr_slow: of its executions among those told of
 */
struct sonde_class {
	struct sonde_query sum;
	const struct sonde_query **rows;
	size_t nr_rows;
	double mean_ns;
	double stddev_ns;
	double v_m;
	const struct sonde_slow *slowest;
	size_t nr_slow;
};

/**
 * struct sonde_digest - statements by total time, those that wait by intent last
 * @total_ns: sum of times without those; @first_ns, @last_ns: first and last completion, CLOCK_MONOTONIC
 */
struct sonde_digest {
	struct sonde_class *classes;
	size_t nr;
	const struct sonde_query **rows; /* of all classes */
	u64 calls;
	u64 errors;
	u64 total_ns;
	u64 first_ns, last_ns;
};

/**
 * sonde_digest_make - digest of the queries of @snapshot, to which it points: it goes before the snapshot
 *
 * Returns 0 or -ENOMEM. Freed with sonde_digest_free().
 */
int sonde_digest_make(struct sonde_digest *digest, const struct sonde_snapshot *snapshot);

void sonde_digest_free(struct sonde_digest *digest);

#endif /* SONDE_MODEL_DIGEST_H */
