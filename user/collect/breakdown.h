/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown.h - collects what the time of inbound requests went into.
 */
#ifndef SONDE_COLLECT_BREAKDOWN_H
#define SONDE_COLLECT_BREAKDOWN_H

struct sonde_breakdowns;
struct sonde_db;

/**
 * sonde_breakdown_read - read the maps @rows and @deps (file descriptors)
 * @db: has just read the rows of the same run: knows names, whose strings are used
 *
 * Returns a new list, which the caller frees, or NULL with *@err set to -errno.
 */
struct sonde_breakdowns *sonde_breakdown_read(struct sonde_db *db, int rows, int deps, int *err);

#endif /* SONDE_COLLECT_BREAKDOWN_H */
