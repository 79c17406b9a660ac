/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * str.h - numbers and words as people and shells read them.
 */
#ifndef SONDE_BASE_STR_H
#define SONDE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

#define SONDE_STR_SHORT 24 /* room for any of the short forms below */

/** sonde_str_ns - duration with three digits and its unit: "850ns", "12.3us", "1.20ms", "4.56s", "12m", "3.2h" */
const char *sonde_str_ns(char out[SONDE_STR_SHORT], u64 ns);

/** sonde_str_count - count in at most five characters where it can: "9999", "12.3k", "4.5M" */
const char *sonde_str_count(char out[SONDE_STR_SHORT], u64 count);

/** sonde_str_bytes - bytes with powers of 1024: "850B", "12.3KiB", "4.56GiB" */
const char *sonde_str_bytes(char out[SONDE_STR_SHORT], u64 bytes);

/** sonde_str_rate - a rate or a mean: "0.05", "1.2", "123", "12.3k" */
const char *sonde_str_rate(char out[SONDE_STR_SHORT], double value);

/** sonde_str_group - count with its thousands apart: "1,234,567" */
const char *sonde_str_group(char out[SONDE_STR_SHORT + 8], u64 count);

struct sonde_buf;

/** sonde_str_many - append "1 sync", "1,234 syncs": @noun in its number, with an s where there are others than one */
void sonde_str_many(struct sonde_buf *buf, u64 count, const char *noun);

/** sonde_str_quote - append @word as a POSIX shell reads it back; in quotes only if it needs them */
void sonde_str_quote(struct sonde_buf *buf, const char *word);

/**
 * sonde_str_seconds - parse "10", "0.5", "500ms", "2m", "1h" into nanoseconds
 *
 * Returns false for anything else, and for what does not fit.
 */
bool sonde_str_seconds(const char *word, u64 *ns);

/** sonde_str_u64 - parse a whole decimal number and nothing else */
bool sonde_str_u64(const char *word, size_t len, u64 *value);

#endif /* SONDE_BASE_STR_H */
