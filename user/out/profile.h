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

#define SONDE_PPROF_VALUES 5

/**
 * struct sonde_pprof_values - what samples are worth, if it is not one weight
 * @type, @unit: of each of @nr values; @value: @nr a stack, in the profile's order
 * @shown: index of the one shown first
 * @period: of sampling by bytes (0: not sampled)
 */
struct sonde_pprof_values {
	u32 nr;
	u32 shown;
	const char *type[SONDE_PPROF_VALUES];
	const char *unit[SONDE_PPROF_VALUES];
	const u64 *value;
	u64 period;
};

/**
 * sonde_profile_pprof - a profile.proto message, gzipped
 * @values: NULL: samples and their weight
 * @time_unix_ns: when it began, @duration_ns: how long it took
 */
void sonde_profile_pprof(const struct sonde_profile *profile, const struct sonde_pprof_values *values, u64 time_unix_ns,
			 u64 duration_ns, struct sonde_buf *buf);

#endif /* SONDE_OUT_PROFILE_H */
