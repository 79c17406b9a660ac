/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow.h - single executions that took too long, and what the database said of how it runs such a statement.
 */
#ifndef SONDE_MODEL_SLOW_H
#define SONDE_MODEL_SLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/scope.h"

/**
 * struct sonde_slow - one slow execution; strings belong to the collector's pool, "" when not known, but @example
 * @text: normalised (@text_len bytes); NULL: not known
 * @name: short name of the statement
 * @scope, @scope_name: unit of work it belongs to (enum sonde_scope_kind; 0: none is known)
 * @tid: thread that received the end of the response
 * @start_ns: CLOCK_MONOTONIC; the others are durations
 * @example: the statement with its literals (@example_len bytes, NUL-terminated), owned; NULL: not asked for or not known
 * @example_whole: it is all of it, ready to run
 */
struct sonde_slow {
	u64 id;
	const char *text;
	size_t text_len;
	const char *name;
	const char *process;
	const char *server;
	const char *database;
	const char *user;
	const char *scope_name;
	u32 pid, tid;
	u8 proto; /* enum sonde_proto */
	u8 role; /* enum sonde_role */
	u8 scope;
	u8 verb; /* enum sonde_sql_verb; 0: not known */
	bool named;
	bool failed;
	char sqlstate[6]; /* "" without an error */
	u32 code;
	u64 start_ns;
	u64 done_ns;
	u64 first_ns;
	u64 rows;
	u64 bytes;
	char *example;
	size_t example_len;
	bool example_whole;
};

/** struct sonde_slow_plan - how the database runs statement @id: lines for people, advice below; both owned, "" for none */
struct sonde_slow_plan {
	u64 id;
	char *text;
	char *advice;
};

/** sonde_slow_free - free a list and what its elements own (NULL is fine) */
void sonde_slow_free(struct sonde_slow *slow, size_t nr);

/** sonde_slow_plans_free - the same for plans */
void sonde_slow_plans_free(struct sonde_slow_plan *plans, size_t nr);

#endif /* SONDE_MODEL_SLOW_H */
