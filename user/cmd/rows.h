/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows.h - what the subcommands share whose numbers stand in the map of rows: statements or endpoints.
 */
#ifndef SONDE_CMD_ROWS_H
#define SONDE_CMD_ROWS_H

#include <stddef.h>

#include "base/opt.h"

struct sonde_load;
struct sonde_snapshot;

/* Values of --capture and --role. */
extern const struct sonde_opt_choice sonde_rows_captures[];
extern const struct sonde_opt_choice sonde_rows_roles[];

/* Members of a struct sonde_trace_source. */
void *sonde_rows_create(void);
void sonde_rows_destroy(void *rows);
void sonde_rows_event(void *rows, const void *event, size_t size);
int sonde_rows_read(void *rows, const struct sonde_load *load);
struct sonde_snapshot *sonde_rows_snapshot(void *rows);
int sonde_rows_tick(void *rows, const struct sonde_load *load);

#endif /* SONDE_CMD_ROWS_H */
