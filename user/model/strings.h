/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * strings.h - strings that are stored once and never change, shared by a collector and its snapshots.
 */
#ifndef SONDE_MODEL_STRINGS_H
#define SONDE_MODEL_STRINGS_H

#include <stddef.h>

struct sonde_strings;

/** sonde_strings_new - an empty pool with one reference, or NULL */
struct sonde_strings *sonde_strings_new(void);

/** sonde_strings_get - one more reference */
struct sonde_strings *sonde_strings_get(struct sonde_strings *pool);

/** sonde_strings_put - one reference less; the last frees every string (NULL is fine) */
void sonde_strings_put(struct sonde_strings *pool);

/** sonde_strings_add - the pool's copy of @len bytes at @s, NUL-terminated; NULL when out of memory */
const char *sonde_strings_add(struct sonde_strings *pool, const char *s, size_t len);

#endif /* SONDE_MODEL_STRINGS_H */
