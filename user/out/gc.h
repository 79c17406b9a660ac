/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gc.h - writers of garbage collections, a part of what `sonde alloc` reports.
 */
#ifndef SONDE_OUT_GC_H
#define SONDE_OUT_GC_H

struct sonde_buf;
struct sonde_finding;
struct sonde_json;
struct sonde_out_opts;
struct sonde_snapshot;

/** sonde_gc_text - a table of pauses, what is left of heaps, findings, and what is not seen; on a terminal with little room its first lines */
void sonde_gc_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot);

/** sonde_gc_lines - how many lines sonde_gc_text() takes where there is little room */
unsigned int sonde_gc_lines(const struct sonde_snapshot *snapshot);

/** sonde_gc_json - key "garbage_collection" of a document, if anything is known of it */
void sonde_gc_json(struct sonde_json *json, const struct sonde_snapshot *snapshot);

/** sonde_gc_json_finding - the finding, an object */
void sonde_gc_json_finding(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_finding *finding);

#endif /* SONDE_OUT_GC_H */
