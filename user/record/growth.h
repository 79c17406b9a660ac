/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * growth.h - growth in recordings: its call sites, and what processes had over time. Only for user/record.
 */
#ifndef SONDE_RECORD_GROWTH_H
#define SONDE_RECORD_GROWTH_H

#include <stddef.h>

#include "sonde/base.h"

struct sonde_growth;
struct sonde_record;
struct sonde_strings;

/** sonde_record_growth - write @growth; times of readings are @mono_to_unix_ns later than its own. Returns 0 or -errno */
int sonde_record_growth(struct sonde_record *record, const struct sonde_growth *growth, u64 mono_to_unix_ns);

/**
 * struct sonde_growth_reader - what growth is read into
 * @growth: empty at first; @strings: its texts live there
 * @stack: indices in the profile, by rowid - 1; @nr_stacks of them
 */
struct sonde_growth_reader {
	struct sonde_growth *growth;
	struct sonde_strings *strings;
	const size_t *stack;
	size_t nr_stacks;
	u64 mono_to_unix_ns;
};

/** sonde_record_growth_read - read all of it. Returns 0 or -errno: -EPROTO where something does not fit together */
int sonde_record_growth_read(struct sonde_record *record, struct sonde_growth_reader *reader);

#endif /* SONDE_RECORD_GROWTH_H */
