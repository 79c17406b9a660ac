/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usage.h - writers of how much processes use processors and wait for them (model/usage.h).
 */
#ifndef SONDE_OUT_USAGE_H
#define SONDE_OUT_USAGE_H

#include <stddef.h>

struct sonde_buf;
struct sonde_json;
struct sonde_out_opts;
struct sonde_usage;

/** sonde_usage_text - a table, processes of one name in a row, @top rows at most; nothing if there is none */
void sonde_usage_text(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_usage *usage, size_t top);

/** sonde_usage_json - key "scheduling" of a document, as of sonde offcpu */
void sonde_usage_json(struct sonde_json *json, const struct sonde_usage *usage);

#endif /* SONDE_OUT_USAGE_H */
