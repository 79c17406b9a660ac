/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gc.h - garbage collections as a report shows them.
 */
#ifndef SONDE_MODEL_GC_H
#define SONDE_MODEL_GC_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/gc.h"

/**
 * struct sonde_gc_row - pauses of one kind of a process
 * @tid: the thread that collected, 0: any (Go)
 * @process: the name of the process, where sonde_gc_sum() found it
 * @share: of the process's time (0..1)
 */
struct sonde_gc_row {
	struct sonde_proc proc;
	u32 tid;
	u32 kind; /* enum sonde_gc_kind */
	const char *process;
	u64 count;
	double share;
	struct sonde_gc_stat stat;
};

/** struct sonde_gc_pool_row - a part of a Java process's memory (struct sonde_gc_pool) */
struct sonde_gc_pool_row {
	u32 pid;
	char name[SONDE_GC_POOL_BYTES + 1];
	struct sonde_gc_pool pool;
};

/**
 * struct sonde_gc_process - a process
 * @how: what tells of its collections ("USDT"); "" if nothing does: @sight (enum sonde_gc_sight) says why
 * @span_ns: how long it was watched
 * @pauses, @pause: all of its pauses; @pause_ns: their sum
 * @collections: those kinds of pauses that are one
 * @stopped_ns: of the time watched, how long the program stood still: the pauses, of V8 those of the thread that had most (each has its
 *		own heap)
 * @sized: the heap's size is known: @before and @after the last collection, @committed (0: not known), @peak
 */
struct sonde_gc_process {
	struct sonde_proc proc;
	u32 runtime; /* enum sonde_gc_runtime */
	u32 sight;
	char process[SONDE_COMM_BYTES];
	char how[24];
	u64 begin_ns, end_ns; /* CLOCK_MONOTONIC; @end_ns 0: it lives */
	u64 span_ns;
	u64 pauses;
	u64 collections;
	u64 collected;
	u64 pause_ns;
	u64 stopped_ns;
	struct sonde_hist pause;
	bool sized;
	u64 before, after, committed, peak, freed;
	u64 sized_ns; /* when that was */
};

/** struct sonde_gc - all of it; processes are pointers: they stay where they are; @from_ns, @to_ns: those of sonde_gc_sum() */
struct sonde_gc {
	u64 from_ns, to_ns;
	struct sonde_gc_row *row;
	size_t nr, room;
	struct sonde_gc_pool_row *pool;
	size_t nr_pools, pool_room;
	struct sonde_gc_process **process;
	size_t nr_processes, process_room;
};

struct sonde_gc *sonde_gc_new(void);

/** sonde_gc_free - (NULL is fine) */
void sonde_gc_free(struct sonde_gc *gc);

/** sonde_gc_clear - forget rows, pools and processes */
void sonde_gc_clear(struct sonde_gc *gc);

/** sonde_gc_row, sonde_gc_pool_row - append a zeroed one; sonde_gc_process - that of @proc, a zeroed one at first. NULL: out of memory */
struct sonde_gc_row *sonde_gc_row(struct sonde_gc *gc);
struct sonde_gc_pool_row *sonde_gc_pool_row(struct sonde_gc *gc);
struct sonde_gc_process *sonde_gc_process(struct sonde_gc *gc, const struct sonde_proc *proc);

/** sonde_gc_find - the process with number @pid, the one that began last if it was given twice; NULL: none */
struct sonde_gc_process *sonde_gc_find(const struct sonde_gc *gc, u32 pid);

/**
 * sonde_gc_sum - rows are complete: add them up by process, with shares of the time between @from_ns and @to_ns (CLOCK_MONOTONIC) that it
 *		  lived; greatest sum of pauses first
 */
void sonde_gc_sum(struct sonde_gc *gc, u64 from_ns, u64 to_ns);

/** sonde_gc_share - of @process's time, that its program stood still (0..1) */
double sonde_gc_share(const struct sonde_gc_process *process);

/**
 * sonde_gc_runtime_name - "CPython"; sonde_gc_kind_name - "generation 0"; sonde_gc_kind_runtime - enum sonde_gc_runtime of a kind
 *
 * sonde_gc_runtime_find, sonde_gc_kind_find - what is called so: SONDE_GC_RUNTIMES, SONDE_GC_KINDS if nothing is.
 */
const char *sonde_gc_runtime_name(u32 runtime);
const char *sonde_gc_kind_name(u32 kind);
u32 sonde_gc_kind_runtime(u32 kind);
u32 sonde_gc_runtime_find(const char *name);
u32 sonde_gc_kind_find(u32 runtime, const char *name);

/** sonde_gc_unseen - why nothing is seen of @process's collections, for people; NULL: it is */
const char *sonde_gc_unseen(const struct sonde_gc_process *process);

#endif /* SONDE_MODEL_GC_H */
