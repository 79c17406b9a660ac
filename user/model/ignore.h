/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ignore.h - findings that somebody has looked at and does not want to hear of again.
 *
 * One a line: the id of a statement or a finding (16 hex digits), or a pattern for the statement's normalised text in which
 * `*` stands for anything. Empty lines and those that begin with `#` do not count.
 */
#ifndef SONDE_MODEL_IGNORE_H
#define SONDE_MODEL_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_ignore;

/**
 * sonde_ignore_new - make a list of the file's text @s of @len bytes
 * @line, @why: out: number of the line that is wrong, and what is wrong with it
 *
 * Returns NULL for a bad line, and with @line 0 when out of memory. Free it with sonde_ignore_free().
 */
struct sonde_ignore *sonde_ignore_new(const char *s, size_t len, unsigned int *line, const char **why);

/** sonde_ignore_free - (NULL is fine) */
void sonde_ignore_free(struct sonde_ignore *ignore);

/** sonde_ignore_has - whether finding @id about statement @query_id with @query (NULL: not known) is on the list */
bool sonde_ignore_has(const struct sonde_ignore *ignore, u64 id, u64 query_id, const char *query);

#endif /* SONDE_MODEL_IGNORE_H */
