/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unwind.h - keeps the kernel's tables for unwinding: of each binary its .eh_frame as rows, of each process what it has mapped.
 *
 * The tables are bounded. Processes that fork share theirs; binaries are shared by all that have them mapped, and those that
 * no process has mapped any more make room for others, the longest unused first.
 */
#ifndef SONDE_UNWIND_UNWIND_H
#define SONDE_UNWIND_UNWIND_H

#include <stdbool.h>
#include <sys/types.h>

#include "sonde/base.h"

struct sonde_unwind;

/** struct sonde_unwind_maps - descriptors of the kernel's maps (sonde/unwind.h), and their sizes in elements */
struct sonde_unwind_maps {
	int rows;
	int maps;
	int spaces;
	u32 nr_rows;
	u32 nr_maps;
};

/**
 * struct sonde_unwind_stats - what is in the tables
 * @binaries_without: mapped, but without .eh_frame or unreadable: frame pointers are followed there
 * @binaries_full, @spaces_full: times there was no room for a binary, a process
 */
struct sonde_unwind_stats {
	u32 binaries;
	u32 binaries_without;
	u32 rows;
	u32 spaces;
	u64 binaries_full;
	u64 spaces_full;
};

/** sonde_unwind_new - NULL: no memory, or the maps cannot be mapped */
struct sonde_unwind *sonde_unwind_new(const struct sonde_unwind_maps *maps);

void sonde_unwind_free(struct sonde_unwind *unwind);

/**
 * sonde_unwind_process - let stacks of process @pid be taken; of one that is known look what it has mapped since
 *
 * Cheap when called again and again: a process that changes nothing is looked at ever more seldom. Returns 0, -ESRCH if
 * it is gone, or another -errno.
 */
int sonde_unwind_process(struct sonde_unwind *unwind, pid_t pid);

/** sonde_unwind_now - the same, however little time has passed since the last look: it is known to have mapped something */
int sonde_unwind_now(struct sonde_unwind *unwind, pid_t pid);

/** sonde_unwind_all - the same of every process that runs, for @budget_ns at most; returns how many */
size_t sonde_unwind_all(struct sonde_unwind *unwind, u64 budget_ns);

void sonde_unwind_get_stats(const struct sonde_unwind *unwind, struct sonde_unwind_stats *out);

#endif /* SONDE_UNWIND_UNWIND_H */
