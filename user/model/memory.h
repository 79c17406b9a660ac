/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memory.h - what inbound requests allocate or touch, and where.
 */
#ifndef SONDE_MODEL_MEMORY_H
#define SONDE_MODEL_MEMORY_H

#include "model/breakdown.h"

struct sonde_profile;

/** sonde_memory_add - add @more to @to */
void sonde_memory_add(struct sonde_memory *to, const struct sonde_memory *more);

/** sonde_memory_whole - requests whose thread had no other one and was theirs to the end: those that @stat->memory is of */
u64 sonde_memory_whole(const struct sonde_breakdown_stat *stat);

/** sonde_memory_site - add @memory to call site @stack of @row. Returns 0 or -ENOMEM */
int sonde_memory_site(struct sonde_breakdown *row, s64 stack, const struct sonde_memory *memory);

/** sonde_memory_forget - the call sites of @row */
void sonde_memory_forget(struct sonde_breakdown *row);

/** sonde_memory_sort - rows and their call sites by bytes, greatest first */
void sonde_memory_sort(struct sonde_breakdowns *list);

/**
 * sonde_memory_places - call sites of @row, as one those that people are told of by the same words; *@nr is set to their number
 *
 * Sites hold what requests under way have taken, too: each gets its share of what those have that were answered. Most bytes first; the
 * caller frees the array. NULL: out of memory.
 */
struct sonde_memory_site *sonde_memory_places(const struct sonde_breakdown *row, const struct sonde_profile *profile,
					      size_t *nr);

#endif /* SONDE_MODEL_MEMORY_H */
