/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc.h - allocations and growth in recordings: all that the report of a run is made of, and what call sites or processes had at each
 *	     reading.
 */
#ifndef SONDE_RECORD_ALLOC_H
#define SONDE_RECORD_ALLOC_H

struct sonde_buf;
struct sonde_gc;
struct sonde_growth;
struct sonde_profile;
struct sonde_snapshot;

#define SONDE_RECORD_SCHEMA "sonde-recording/1"

/** sonde_record_alloc - write @snapshot, which is of view ALLOC or GROWTH, into @file, which is replaced as a whole. Returns 0 or -errno */
int sonde_record_alloc(const struct sonde_snapshot *snapshot, const char *file);

/**
 * struct sonde_recorded - what was read
 * @profile: the snapshot's stacks; @growth: its growth (NULL: it is of allocations); @gc: its garbage collections (NULL: not recorded)
 */
struct sonde_recorded {
	struct sonde_snapshot *snapshot;
	struct sonde_profile *profile;
	struct sonde_growth *growth;
	struct sonde_gc *gc;
};

/**
 * sonde_record_alloc_read - read @file
 *
 * Rows are in no order yet (sonde_alloc_sort()), stacks weigh nothing (sonde_alloc_weigh(), sonde_growth_weigh()). Returns 0 with @out to be given to
 * sonde_recorded_free(), or -errno with @why in words.
 */
int sonde_record_alloc_read(const char *file, struct sonde_recorded *out, struct sonde_buf *why);

void sonde_recorded_free(struct sonde_recorded *recorded);

#endif /* SONDE_RECORD_ALLOC_H */
