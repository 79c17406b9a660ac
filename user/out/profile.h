/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * profile.h - writers of stacks with weights (model/profile.h): a report for people, JSON, folded text, flame graphs, pprof.
 */
#ifndef SONDE_OUT_PROFILE_H
#define SONDE_OUT_PROFILE_H

#include <stdbool.h>

#include "out/out.h"

struct sonde_buf;
struct sonde_json;
struct sonde_profile;

/** sonde_profile_json - key "stacks" of a document */
void sonde_profile_json(struct sonde_json *json, const struct sonde_profile *profile, unsigned int top);

/** sonde_profile_folded - "process;outermost;...;innermost weight" lines, sorted; kernel functions end in "_[k]" */
void sonde_profile_folded(const struct sonde_profile *profile, struct sonde_buf *buf);

/** sonde_profile_pprof - a profile.proto message, gzipped; @time_ns: when it began, @duration_ns: how long it took */
void sonde_profile_pprof(const struct sonde_profile *profile, u64 time_unix_ns, u64 duration_ns, struct sonde_buf *buf);

#endif /* SONDE_OUT_PROFILE_H */
