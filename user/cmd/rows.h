/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows.h - what the subcommands share whose numbers stand in the map of rows: statements or endpoints.
 */
#ifndef SONDE_CMD_ROWS_H
#define SONDE_CMD_ROWS_H

#include <stddef.h>

#include "base/opt.h"

struct sonde_load;
struct sonde_load_opts;
struct sonde_snapshot;

/**
 * struct sonde_rows_config - options
 * @capture: enum sonde_capture
 * @role: bits of SONDE_ROLE_*
 * @max_queries: rows; 0: the loader's default
 */
struct sonde_rows_config {
	int capture;
	int role;
	u32 max_queries;
};

/* Values of --capture and --role. */
extern const struct sonde_opt_choice sonde_rows_captures[];
extern const struct sonde_opt_choice sonde_rows_roles[];

#define SONDE_ROWS_ROLE_HELP "which end of a connection is reported (default: client)"
#define SONDE_ROWS_ROW_HELP "a statement of a process to a database"

/*
 * Rows of an option table whose configuration has a struct sonde_rows_config as @member; @role_help says what --role
 * chooses, @row_help what a row is.
 */
#define SONDE_ROWS_OPTS(config, member, role_help, row_help)                                                           \
	{ .name = "capture",                                                                                           \
	  .type = SONDE_OPT_CHOICE,                                                                                    \
	  .help = "how socket data is seen (default: auto, the first that the kernel offers)",                         \
	  .choices = sonde_rows_captures,                                                                              \
	  .offset = SONDE_OPT_AT(config, member.capture, int) },                                                       \
		{ .name = "role",                                                                                      \
		  .type = SONDE_OPT_CHOICE,                                                                            \
		  .help = role_help,                                                                                   \
		  .choices = sonde_rows_roles,                                                                         \
		  .offset = SONDE_OPT_AT(config, member.role, int) },                                                  \
	{                                                                                                              \
		.name = "max-queries", .type = SONDE_OPT_NUMBER, .metavar = "N",                                       \
		.help = "room for N rows, a row being " row_help "; 2 KB of kernel memory each (default: 4096)",       \
		.offset = SONDE_OPT_AT(config, member.max_queries, u32), .min = 16, .max = 1 << 20                     \
	}

/** sonde_rows_load - what the loader has to know of it */
void sonde_rows_load(const struct sonde_rows_config *config, struct sonde_load_opts *opts);

/* Members of a struct sonde_trace_source. */
void *sonde_rows_create(void);
void sonde_rows_destroy(void *rows);
void sonde_rows_event(void *rows, const void *event, size_t size);
int sonde_rows_read(void *rows, const struct sonde_load *load);
struct sonde_snapshot *sonde_rows_snapshot(void *rows);
int sonde_rows_tick(void *rows, const struct sonde_load *load);

#endif /* SONDE_CMD_ROWS_H */
