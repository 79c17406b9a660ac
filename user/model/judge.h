/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * judge.h - rows of the kernel's maps `findings` and `callers` become findings of a snapshot.
 */
#ifndef SONDE_MODEL_JUDGE_H
#define SONDE_MODEL_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/scope.h"

struct sonde_ignore;
struct sonde_snapshot;

/**
 * struct sonde_finding_row - a row of map `findings`; strings belong to the snapshot's pool, "" when not known
 * @site, @nr_site: frames of the row's stack, the application's first; none: no usable call site
 * @stack, @nr_stack: all of its functions, innermost first: frames of the snapshot's @frames
 */
struct sonde_finding_row {
	struct sonde_finding_key key;
	struct sonde_finding_stat stat;
	const char *process;
	const char *server;
	const char *database;
	const char *const *site;
	size_t nr_site;
	const u32 *stack;
	size_t nr_stack;
};

/** struct sonde_caller_row - a row of map `callers` */
struct sonde_caller_row {
	struct sonde_caller_key key;
	struct sonde_caller_stat stat;
	const char *process;
};

/**
 * struct sonde_judge - what is judged, and how
 * @text: gives the text of a statement or a scope's name, in the snapshot's pool (NULL: not known), with @ctx; sets *@partial
 * @min_repeat: executions in one unit of work that make a finding
 * @ignore: findings that nobody wants to hear of (NULL: none)
 */
struct sonde_judge {
	const struct sonde_finding_row *rows;
	size_t nr_rows;
	const struct sonde_caller_row *callers;
	size_t nr_callers;
	const char *(*text)(const void *ctx, u64 id, bool *partial);
	const void *ctx;
	u32 min_repeat;
	const struct sonde_ignore *ignore;
};

/**
 * sonde_judge - fill @snapshot's findings and callers; its queries are there already
 *
 * Returns 0 or -ENOMEM.
 */
int sonde_judge(struct sonde_snapshot *snapshot, const struct sonde_judge *judge);

#endif /* SONDE_MODEL_JUDGE_H */
