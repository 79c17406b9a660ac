/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * leak.h - whether what a call site allocates is lost, kept in a cache, or comes and goes: a verdict by what lives, and since when.
 *
 * A leak's survivors were born evenly over the run and none of them is freed once it is old. Of a full cache old ones are
 * freed; of one that fills, and of a warm-up, fewer and fewer are born. Objects are sampled, and so what is judged are counts of
 * samples: each test below knows how many there are. Pure: no BPF, no clock.
 */
#ifndef SONDE_MODEL_LEAK_H
#define SONDE_MODEL_LEAK_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/alloc.h"

#define SONDE_LEAK_BINS 48u /* of times of birth */
#define SONDE_LEAK_POINTS 48u /* readings that are kept */
#define SONDE_LEAK_WINDOWS 4u /* before them nothing is judged */

/** enum sonde_verdict - what a call site does */
enum sonde_verdict {
	SONDE_VERDICT_NONE, /* not known: too early, too few samples */
	SONDE_VERDICT_STEADY, /* what lives was allocated at first, and stays */
	SONDE_VERDICT_CHURN, /* next to all is freed soon */
	SONDE_VERDICT_CACHE, /* grows more slowly or no more; old objects go as new ones come */
	SONDE_VERDICT_GROWING, /* grows, and may be a leak or not */
	SONDE_VERDICT_LEAK, /* grows evenly, and nothing old is freed */
	SONDE_VERDICTS,
};

/**
 * struct sonde_leak_time - of a process (all times: CLOCK_MONOTONIC)
 * @begin_ns: since when it is watched; @now_ns: of the last reading; @window_ns: between readings
 */
struct sonde_leak_time {
	u64 begin_ns;
	u64 now_ns;
	u64 window_ns;
};

/** struct sonde_leak_bin - objects born in a part of the time: their @bytes, and the sum of the squares of these */
struct sonde_leak_bin {
	double bytes;
	double square;
};

/**
 * struct sonde_leak_living - what of a call site lives
 * @bin: born in each SONDE_LEAK_BINS-th of the time, youngest objects (sonde_leak_young()) left out
 * @samples: in @bin; @first_ns, @last_ns: first and last of their births; @first_bytes, @first_size: of the first: what it stands for, itself
 * @young: number of the youngest; @young_square: sum of squares of what they stand for; @young_last_ns: the last birth of all
 * @old_objects, @old_bytes: of @bin, what is older than sonde_leak_old(); objects in 1024ths
 */
struct sonde_leak_living {
	struct sonde_leak_bin bin[SONDE_LEAK_BINS];
	u64 samples;
	u64 first_ns, last_ns;
	u64 first_bytes, first_size;
	u64 young;
	u64 young_last_ns;
	double young_square;
	u64 old_objects;
	u64 old_bytes;
};

/**
 * struct sonde_leak_series - all that is known of a call site
 * @stack: index in the profile
 * @stat: as read last
 * @live_bytes, @alloc_bytes: at each of @nr readings; @time_ns: when these were
 */
struct sonde_leak_series {
	size_t stack;
	u32 pid;
	struct sonde_leak_time time;
	struct sonde_alloc_stat stat;
	struct sonde_leak_living living;
	const u64 *time_ns;
	u32 nr;
	u64 live_bytes[SONDE_LEAK_POINTS];
	u64 alloc_bytes[SONDE_LEAK_POINTS];
};

/**
 * struct sonde_leak - a verdict
 * @samples: survivors behind it, youngest left out
 * @slope, @slope_low, @slope_high: of live bytes, bytes per hour, with its interval of 95 %
 * @live_bytes: when it was judged
 * @oldest_ns, @oldest_size: age and size of the oldest survivor (0: there is none)
 * @old_ns, @old_bytes: survivors older than that; @freed_old: share of objects as old that was freed
 * @span_ns: from the first to the last that counts
 */
struct sonde_leak {
	enum sonde_verdict verdict;
	u64 samples;
	double slope, slope_low, slope_high;
	u64 live_bytes;
	u64 oldest_ns, oldest_size;
	u64 old_ns, old_bytes;
	double freed_old;
	u64 span_ns;
};

/** sonde_verdict_name - "leak"; "" for SONDE_VERDICT_NONE */
const char *sonde_verdict_name(enum sonde_verdict verdict);

/** sonde_leak_young - objects younger than that do not count: they may not have had the time to be freed */
u64 sonde_leak_young(const struct sonde_leak_time *time);

/** sonde_leak_old - objects older than that should not be freed if they are leaked; a boundary of sonde_alloc_stat.life */
u64 sonde_leak_old(const struct sonde_leak_time *time);

/** sonde_leak_live - add an object that lives: born at @birth_ns, of @size bytes, standing for @bytes */
void sonde_leak_live(struct sonde_leak_living *living, const struct sonde_leak_time *time, u64 birth_ns, u64 size, u64 bytes);

/** sonde_leak_merge - add @more, another call site of the same process and readings, to @to */
void sonde_leak_merge(struct sonde_leak_series *to, const struct sonde_leak_series *more);

/** sonde_leak_counts - whether there are samples enough to ask whether @series is a leak: one of the comparisons that are made */
bool sonde_leak_counts(const struct sonde_leak_series *series);

/** sonde_leak_judge - the verdict on @series, one of @comparisons that sonde_leak_counts() (1: the only one) */
void sonde_leak_judge(const struct sonde_leak_series *series, u64 comparisons, struct sonde_leak *out);

#endif /* SONDE_MODEL_LEAK_H */
