/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usage.h - reads what the scheduler counts of processes (/proc) when a run begins, while it lasts, and in its end.
 */
#ifndef SONDE_COLLECT_USAGE_H
#define SONDE_COLLECT_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "model/usage.h"

struct sonde_usage_reader;

/** sonde_usage_reader_new - NULL when out of memory */
struct sonde_usage_reader *sonde_usage_reader_new(void);

/** sonde_usage_reader_free - (NULL is fine) */
void sonde_usage_reader_free(struct sonde_usage_reader *reader);

/** sonde_usage_begin - what processes @pids (@nr 0: all) have used until now does not count. 0 or -ENOMEM */
int sonde_usage_begin(struct sonde_usage_reader *reader, const pid_t *pids, size_t nr);

/** sonde_usage_follow - process @pid is of interest: look at it from now on. 0 or -ENOMEM */
int sonde_usage_follow(struct sonde_usage_reader *reader, pid_t pid);

/**
 * sonde_usage_look - look at the processes that are followed; 0 or -ENOMEM
 * @all: in any case; else only if the last look was long enough ago for looking to be cheap, a tenth of a second at least
 *
 * A thread that ends takes along what it did since the last look, but for its process's time on processors, which is known.
 */
int sonde_usage_look(struct sonde_usage_reader *reader, bool all);

/** sonde_usage_get - the processes that were looked at, to be freed with sonde_usage_free(); NULL when out of memory */
struct sonde_usage *sonde_usage_get(const struct sonde_usage_reader *reader);

#endif /* SONDE_COLLECT_USAGE_H */
