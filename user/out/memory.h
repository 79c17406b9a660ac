/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memory.h - what inbound requests allocate or touch: for people a table of endpoints, in JSON an object of each.
 */
#ifndef SONDE_OUT_MEMORY_H
#define SONDE_OUT_MEMORY_H

#include <stddef.h>

#include "sonde/base.h"

struct sonde_buf;
struct sonde_json;
struct sonde_out_opts;
struct sonde_snapshot;

/**
 * sonde_memory_text - a row for each endpoint of @snapshot->breakdowns, its call sites below it; what could not be told apart
 * @all_bytes: of all that was allocated or touched, which shares are of
 * @max_rows: at most, 0: any number
 */
void sonde_memory_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot,
		       u64 all_bytes, size_t max_rows);

/** sonde_memory_rows - endpoints for which there is room in @lines, with their call sites: one at least, --top at most */
size_t sonde_memory_rows(const struct sonde_out_opts *opts, size_t lines);

/** sonde_memory_json - key "endpoints", if they were asked for; @all_bytes as above */
void sonde_memory_json(struct sonde_json *json, const struct sonde_snapshot *snapshot,
		       const struct sonde_out_opts *opts, u64 all_bytes);

#endif /* SONDE_OUT_MEMORY_H */
