// SPDX-License-Identifier: GPL-2.0-only
/*
 * range.c - parts of an array given out and taken back.
 */
#include <stdlib.h>
#include <string.h>

#include "unwind/range.h"

bool unwind_range_take(struct unwind_ranges *ranges, u32 nr, u32 *first)
{
	u32 at = 0;
	size_t i;

	if (!nr)
		return false;
	for (i = 0; i < ranges->nr; i++) {
		if (ranges->list[i].first - at >= nr)
			break;
		at = ranges->list[i].first + ranges->list[i].nr;
	}
	if (ranges->total - at < nr)
		return false;
	if (ranges->nr == ranges->cap) {
		size_t cap = ranges->cap ? ranges->cap * 2 : 64;
		struct unwind_range *list = realloc(ranges->list, cap * sizeof(*list));

		if (!list)
			return false;
		ranges->list = list;
		ranges->cap = cap;
	}
	memmove(&ranges->list[i + 1], &ranges->list[i], (ranges->nr - i) * sizeof(*ranges->list));
	ranges->list[i] = (struct unwind_range){ at, nr };
	ranges->nr++;
	ranges->used += nr;
	*first = at;
	return true;
}

void unwind_range_give(struct unwind_ranges *ranges, u32 first)
{
	for (size_t i = 0; i < ranges->nr; i++) {
		if (ranges->list[i].first != first)
			continue;
		ranges->used -= ranges->list[i].nr;
		memmove(&ranges->list[i], &ranges->list[i + 1], (ranges->nr - i - 1) * sizeof(*ranges->list));
		ranges->nr--;
		return;
	}
}

void unwind_ranges_free(struct unwind_ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct unwind_ranges){};
}
