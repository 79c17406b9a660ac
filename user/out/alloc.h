/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc.h - writers of allocations.
 */
#ifndef SONDE_OUT_ALLOC_H
#define SONDE_OUT_ALLOC_H

#include "sonde/base.h"

struct sonde_alloc;
struct sonde_buf;
struct sonde_grid;
struct sonde_json;
struct sonde_out_opts;
struct sonde_profile;
struct sonde_snapshot;

/** sonde_alloc_json - keys "allocations" and "allocation_totals" of a document */
void sonde_alloc_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts);

/** sonde_alloc_pprof - a gzipped profile of alloc_objects, alloc_space, inuse_objects and inuse_space */
void sonde_alloc_pprof(const struct sonde_snapshot *snapshot, struct sonde_buf *buf);

/** sonde_alloc_exact_text - what was watched, what that cost, and whether it was ended for it: appended to @line */
void sonde_alloc_exact_text(const struct sonde_alloc *alloc, struct sonde_buf *line);

/** sonde_alloc_exact_json - the same as key "exact" */
void sonde_alloc_exact_json(struct sonde_json *json, const struct sonde_snapshot *snapshot);

/** sonde_alloc_site_text - append what stack @index is told by: "parse (json.c:12) < load < main"; < 0: not known */
void sonde_alloc_site_text(struct sonde_buf *text, const struct sonde_profile *profile, s64 index);

/** sonde_alloc_site_cell - a cell of that */
void sonde_alloc_site_cell(struct sonde_grid *grid, const struct sonde_profile *profile, s64 index);

/** sonde_alloc_json_site - the same as keys "function", "file", "line" and "site" */
void sonde_alloc_json_site(struct sonde_json *json, const struct sonde_profile *profile, s64 index);

#endif /* SONDE_OUT_ALLOC_H */
