/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown.h - collects what the time of inbound requests went into, and the memory that they took.
 */
#ifndef SONDE_COLLECT_BREAKDOWN_H
#define SONDE_COLLECT_BREAKDOWN_H

#include "sonde/base.h"

struct sonde_breakdowns;
struct sonde_db;
struct sonde_profiler;

/**
 * sonde_breakdown_read - read the maps @rows and @deps (file descriptors)
 * @db: has just read the rows of the same run: knows names, whose strings are used
 *
 * Returns a new list, which the caller frees, or NULL with *@err set to -errno.
 */
struct sonde_breakdowns *sonde_breakdown_read(struct sonde_db *db, int rows, int deps, int *err);

/**
 * sonde_breakdown_read_memory - read the call sites of what requests took from map @sites into the rows of @list
 * @unit: bytes that one of the kernel side is
 * @profiler: has read all stacks
 *
 * Rows are sorted by memory afterwards. Returns 0 or -errno.
 */
int sonde_breakdown_read_memory(struct sonde_breakdowns *list, int sites, u64 unit, const struct sonde_profiler *profiler);

#endif /* SONDE_COLLECT_BREAKDOWN_H */
