/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow.h - collects slow executions: the slowest of each statement and the latest of all, a bounded number.
 */
#ifndef SONDE_COLLECT_SLOW_H
#define SONDE_COLLECT_SLOW_H

#include <stddef.h>

#include "sonde/base.h"

#define SONDE_SLOW_EACH 3u /* slowest that are kept of each statement */
#define SONDE_SLOW_STATEMENTS 1024u /* of so many */
#define SONDE_SLOW_LATEST 100u /* and the latest, whatever they are */

struct sonde_db;
struct sonde_query_key;
struct sonde_slow;
struct sonde_slow_log;
struct sonde_snapshot;

struct sonde_slow_log *sonde_slow_log_new(void);
void sonde_slow_log_free(struct sonde_slow_log *log);

/**
 * sonde_slow_log_event - take one event of the ring; what is no slow execution is left alone
 *
 * Returns 0, -EINVAL for a malformed one, or -ENOMEM.
 */
int sonde_slow_log_event(struct sonde_slow_log *log, const void *event, size_t size);

/**
 * sonde_slow_log_next - the oldest execution that has not been handed out yet, described with what @db knows
 *
 * Returns 1 with @slow filled (its example is the caller's to free), 0 when there is none, -ENOMEM.
 */
int sonde_slow_log_next(struct sonde_slow_log *log, struct sonde_db *db, struct sonde_slow *slow);

/** sonde_slow_log_peek - the row of what sonde_slow_log_next() will hand out; NULL: nothing */
const struct sonde_query_key *sonde_slow_log_peek(const struct sonde_slow_log *log);

/** sonde_slow_log_total - executions taken so far */
u64 sonde_slow_log_total(const struct sonde_slow_log *log);

/** sonde_slow_log_snapshot - put all that is kept into @snapshot, slowest first. Returns 0 or -ENOMEM */
int sonde_slow_log_snapshot(struct sonde_slow_log *log, struct sonde_db *db, struct sonde_snapshot *snapshot);

#endif /* SONDE_COLLECT_SLOW_H */
