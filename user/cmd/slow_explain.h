/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow_explain.h - plans for the slowest statements of a report (sonde slow --explain).
 */
#ifndef SONDE_CMD_SLOW_EXPLAIN_H
#define SONDE_CMD_SLOW_EXPLAIN_H

#include <stdbool.h>

struct sonde_snapshot;

/** sonde_slow_explain_check - whether @dsn can be connected to; says what is wrong. Returns -1 to go on, or an exit code */
int sonde_slow_explain_check(const char *dsn);

/**
 * sonde_slow_explain - add plans of slow SELECTs to @snapshot, each with the literals of its slowest execution
 * @analyze: they are run, too
 *
 * What goes wrong is said, and the report goes without.
 */
void sonde_slow_explain(const char *dsn, bool analyze, struct sonde_snapshot *snapshot);

#endif /* SONDE_CMD_SLOW_EXPLAIN_H */
