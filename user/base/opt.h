/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * opt.h - command lines: a table of options fills a typed configuration, and is the help text too.
 *
 *	struct config { struct sonde_opt_pids pids; bool all; };
 *	static const struct sonde_opt opts[] = {
 *		{ .name = "pid", .letter = 'p', .type = SONDE_OPT_PIDS, .metavar = "PID,..", .help = "...",
 *		  .offset = SONDE_OPT_AT(struct config, pids, struct sonde_opt_pids) },
 *		SONDE_OPT_END,
 *	};
 */
#ifndef SONDE_BASE_OPT_H
#define SONDE_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sonde/base.h"

struct sonde_buf;

enum sonde_opt_type {
	SONDE_OPT_FLAG, /* bool: no value */
	SONDE_OPT_STRING, /* const char *: points into argv */
	SONDE_OPT_NUMBER, /* u32, from @min to @max */
	SONDE_OPT_SECONDS, /* u64 nanoseconds: "10", "0.5", "500ms", "2m", "1h" */
	SONDE_OPT_CHOICE, /* int: one of @choices */
	SONDE_OPT_PIDS, /* struct sonde_opt_pids: comma list, may be given several times */
	SONDE_OPT_HELP, /* nothing: parsing ends with SONDE_OPT_WANTS_HELP */
};

struct sonde_opt_choice {
	const char *name; /* NULL ends the list */
	int value;
};

struct sonde_opt_pids {
	pid_t *pid;
	size_t nr;
};

/**
 * struct sonde_opt - one option
 * @name: long name without dashes (NULL ends the table)
 * @letter: short name or 0
 * @metavar: what --help calls the value (choices name themselves)
 * @offset: of the member in the configuration: SONDE_OPT_AT()
 * @min, @max: range of a NUMBER; of SECONDS in nanoseconds (0, 0: any)
 */
struct sonde_opt {
	const char *name;
	char letter;
	enum sonde_opt_type type;
	const char *metavar;
	const char *help;
	size_t offset;
	const struct sonde_opt_choice *choices;
	u64 min, max;
};

/* Offset of a member, and a compile error when its type is not the one that the option writes. */
#define SONDE_OPT_AT(config, member, want)                                                                             \
	(offsetof(config, member) +                                                                                    \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((config *)0)->member), want) ? 1 : -1]))

#define SONDE_OPT_END                                                                                                  \
	{                                                                                                              \
		.name = NULL                                                                                           \
	}
#define SONDE_OPT_HELP_ROW                                                                                             \
	{                                                                                                              \
		.name = "help", .letter = 'h', .type = SONDE_OPT_HELP, .help = "print this text"                       \
	}

/**
 * struct sonde_opt_set - a command line
 * @command: "sonde db"
 * @usage: what follows it in the usage line
 * @about: a sentence or two
 * @takes_program: `-- PROGRAM ARGS` may follow
 * @notes: text after the options: examples (may be NULL)
 */
struct sonde_opt_set {
	const char *command;
	const char *usage;
	const char *about;
	const struct sonde_opt *opts;
	bool takes_program;
	const char *notes;
};

enum sonde_opt_result {
	SONDE_OPT_OK,
	SONDE_OPT_BAD, /* the error text says what */
	SONDE_OPT_WANTS_HELP,
};

/**
 * sonde_opt_parse - read argv[1..] into @config
 * @program: out: index of PROGRAM in @argv, or 0
 * @err: out: what is wrong, for SONDE_OPT_BAD
 *
 * @config holds the defaults before. Free it with sonde_opt_free() whatever the result.
 */
enum sonde_opt_result sonde_opt_parse(const struct sonde_opt_set *set, int argc, char **argv, void *config,
				      int *program, struct sonde_buf *err);

void sonde_opt_free(const struct sonde_opt_set *set, void *config);

/** sonde_opt_help - append the help text of @set */
void sonde_opt_help(const struct sonde_opt_set *set, struct sonde_buf *out);

/**
 * sonde_opt_run - parse, and print help or errors
 *
 * What every subcommand begins with. Returns -1 to go on, or the exit code to end with.
 */
int sonde_opt_run(const struct sonde_opt_set *set, int argc, char **argv, void *config, int *program);

/** sonde_opt_nearest - the name in @names (@nr) that @word was probably meant to be, or NULL */
const char *sonde_opt_nearest(const char *word, const char *const *names, size_t nr);

#endif /* SONDE_BASE_OPT_H */
