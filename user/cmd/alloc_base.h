/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_base.h - `sonde alloc --baseline FILE`: the recording or the JSON report of an earlier run.
 */
#ifndef SONDE_CMD_ALLOC_BASE_H
#define SONDE_CMD_ALLOC_BASE_H

struct sonde_alloc_diff;

/** sonde_alloc_base_read - read @file into the earlier run of a new @*diff, of allocations or of growth (grown). -1 to go on, or the exit code to end with, having said why */
int sonde_alloc_base_read(const char *file, struct sonde_alloc_diff **diff);

#endif /* SONDE_CMD_ALLOC_BASE_H */
