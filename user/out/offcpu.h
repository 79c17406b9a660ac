/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * offcpu.h - the parts of the report on waits; only for out/offcpu*.c.
 */
#ifndef SONDE_OUT_OFFCPU_H
#define SONDE_OUT_OFFCPU_H

struct sonde_json;
struct sonde_out_opts;
struct sonde_snapshot;

/** sonde_offcpu_json - members "scheduling" (processes) and "waits" of the document */
void sonde_offcpu_json(struct sonde_json *json, const struct sonde_snapshot *snapshot,
		       const struct sonde_out_opts *opts);

#endif /* SONDE_OUT_OFFCPU_H */
