/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * growth.h - writers of growth.
 */
#ifndef SONDE_OUT_GROWTH_H
#define SONDE_OUT_GROWTH_H

struct sonde_buf;
struct sonde_json;
struct sonde_out_opts;
struct sonde_snapshot;

/** sonde_growth_json - keys "growth" and "memory" of a document */
void sonde_growth_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts);

/** sonde_growth_pprof - a gzipped profile of grown_space, returned_space, mapped_space and touches */
void sonde_growth_pprof(const struct sonde_snapshot *snapshot, struct sonde_buf *buf);

#endif /* SONDE_OUT_GROWTH_H */
