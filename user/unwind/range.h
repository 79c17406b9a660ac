/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * range.h - parts of an array given out and taken back. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_RANGE_H
#define SONDE_UNWIND_RANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct unwind_range {
	u32 first;
	u32 nr;
};

/** struct unwind_ranges - of an array of @total elements; what is given out, sorted */
struct unwind_ranges {
	u32 total;
	u32 used;
	struct unwind_range *list;
	size_t nr, cap;
};

/** unwind_range_take - @nr (> 0) elements in a row, the first that are free; false: there are none, or no memory */
bool unwind_range_take(struct unwind_ranges *ranges, u32 nr, u32 *first);

/** unwind_range_give - give back what begins at @first */
void unwind_range_give(struct unwind_ranges *ranges, u32 first);

void unwind_ranges_free(struct unwind_ranges *ranges);

#endif /* SONDE_UNWIND_RANGE_H */
