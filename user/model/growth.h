/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * growth.h - memory that processes take from the kernel and give back, as a report shows it. All amounts are bytes.
 */
#ifndef SONDE_MODEL_GROWTH_H
#define SONDE_MODEL_GROWTH_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/growth.h"

struct sonde_profile;

/**
 * struct sonde_growth_memory - what a process has
 * @rss: in memory: @file, @anon and @shmem together
 * @heap: between the beginning and the end of the heap (brk); it is a part of the address space, @vm
 */
struct sonde_growth_memory {
	u64 rss;
	u64 file;
	u64 anon;
	u64 shmem;
	u64 swap;
	u64 heap;
	u64 vm;
};

/** struct sonde_growth_point - and since when (CLOCK_MONOTONIC) */
struct sonde_growth_point {
	u64 time_ns;
	struct sonde_growth_memory memory;
};

#define SONDE_GROWTH_POINTS 240u /* of a process at most */

/** struct sonde_growth_mapping - memory of one name; estimates */
struct sonde_growth_mapping {
	const char *name; /* "[heap]", "[anon]", a file's path; "[unmapped]": was so when it was looked for; "[unknown]" */
	u64 grown;
	u64 returned;
};

/**
 * struct sonde_growth_row - a call site of a process
 * @stack: index in the snapshot's profile; < 0: its stack is not known
 * @mapping: what the page touched last lies in, "" when not known
 * @grown, @returned: sums of @stat's, without what was swapped
 */
struct sonde_growth_row {
	s64 stack;
	const char *process;
	u32 pid;
	const char *mapping;
	u64 grown;
	u64 returned;
	struct sonde_growth_stat stat;
};

/**
 * struct sonde_growth_process - a process
 * @begin_ns, @end_ns: CLOCK_MONOTONIC when it was met, and when it ended (0: it lives); its numbers stay those of before its end
 * @peak: greatest rss; @peak_ns: when that was noticed
 * @slope: bytes a second: of the straight line that fits its rss best
 * @huge: of what it has got, in huge pages
 * @huge_start, @huge_now: anonymous huge pages it has (AnonHugePages of /proc/PID/smaps_rollup); < 0: not known
 * @point: rss and the rest over time, each until the next one; @step_ns: they are this far apart at least
 */
struct sonde_growth_process {
	struct sonde_proc proc;
	const char *process;
	u64 begin_ns;
	u64 end_ns;
	struct sonde_growth_memory start;
	struct sonde_growth_memory now;
	u64 peak;
	u64 peak_ns;
	double slope;
	u64 grown;
	u64 returned;
	u64 faults;
	u64 huge;
	u64 mapped;
	u64 unmapped;
	u64 calls[SONDE_GROWTH_CALLS];
	s64 huge_start;
	s64 huge_now;
	struct sonde_growth_point *point;
	size_t nr_points;
	u64 step_ns;
	struct sonde_growth_mapping *mapping;
	size_t nr_mappings, mapping_room;
};

/** struct sonde_growth - all of it; processes are pointers: they stay where they are */
struct sonde_growth {
	struct sonde_growth_row *row;
	size_t nr, room;
	struct sonde_growth_process **process;
	size_t nr_processes, process_room;
};

/** sonde_growth_new - NULL: out of memory; sonde_growth_free - (NULL is fine) */
struct sonde_growth *sonde_growth_new(void);
void sonde_growth_free(struct sonde_growth *growth);

/** sonde_growth_row - append a zeroed row without a stack; NULL: out of memory */
struct sonde_growth_row *sonde_growth_row(struct sonde_growth *growth);

/** sonde_growth_process - append one that is @proc; NULL: out of memory */
struct sonde_growth_process *sonde_growth_process(struct sonde_growth *growth, const struct sonde_proc *proc);

/** sonde_growth_mapping - that of @process with @name, a zeroed one at first; NULL: out of memory. @name is not copied */
struct sonde_growth_mapping *sonde_growth_mapping(struct sonde_growth_process *process, const char *name);

/** sonde_growth_note - @process has @memory at @time_ns: a point if that is news. 0 or -ENOMEM */
int sonde_growth_note(struct sonde_growth_process *process, u64 time_ns, const struct sonde_growth_memory *memory);

/** sonde_growth_slope - bytes a second by which rss grows, fitted to the points up to @until_ns; 0: too little time */
double sonde_growth_slope(const struct sonde_growth_process *process, u64 until_ns);

/** sonde_growth_add - add @more to @row */
void sonde_growth_add(struct sonde_growth_row *row, const struct sonde_growth_stat *more);

/** sonde_growth_sort - rows and mappings by what they have grown, processes by how much larger they are; greatest first */
void sonde_growth_sort(struct sonde_growth *growth);

/** sonde_growth_grown - bytes that all processes have touched first */
u64 sonde_growth_grown(const struct sonde_growth *growth);

/** sonde_growth_call_name - "brk" */
const char *sonde_growth_call_name(enum sonde_growth_call call);

/** sonde_growth_weigh - set the weights of @profile's stacks by what the rows have grown; stacks without a row weigh nothing */
void sonde_growth_weigh(const struct sonde_growth *growth, struct sonde_profile *profile);

#define SONDE_GROWTH_VALUES 4 /* grown, returned, mapped, touches */

/** sonde_growth_value_name - "grown_space"; sonde_growth_value_unit - "bytes", "count" */
const char *sonde_growth_value_name(u32 value);
const char *sonde_growth_value_unit(u32 value);

/** sonde_growth_values - SONDE_GROWTH_VALUES of each stack of @profile; to be freed, NULL: out of memory */
u64 *sonde_growth_values(const struct sonde_growth *growth, const struct sonde_profile *profile);

#endif /* SONDE_MODEL_GROWTH_H */
