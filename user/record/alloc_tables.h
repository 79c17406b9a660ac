/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_tables.h - the tables of recorded allocations: which structures their rows are. Only for user/record.
 *
 * Names of columns are public: they are only ever added.
 */
#ifndef SONDE_RECORD_ALLOC_TABLES_H
#define SONDE_RECORD_ALLOC_TABLES_H

#include "model/alloc.h"
#include "model/breakdown.h"
#include "record/record.h"

/**
 * struct sonde_recorded_run - table recording, one row
 * @mode: "growth", or "allocations" (NULL: the same)
 * @gc_from_ns, @gc_to_ns: CLOCK_MONOTONIC, between which garbage collections were watched; 0: nothing of them is recorded
 * @exact: of a run that watched each call
 */
struct sonde_recorded_run {
	const char *schema;
	const char *command;
	const char *mode;
	const char *host;
	const char *kernel;
	const char *arch;
	u64 start_unix_ns;
	u64 mono_to_unix_ns;
	u64 duration_ns;
	u64 rate;
	u8 finer;
	u64 gc_from_ns, gc_to_ns;
	u64 window_ns;
	u64 nr_windows;
	u8 by_endpoint;
	struct sonde_alloc_exact exact;
};

/** struct sonde_recorded_count - table coverage: a counter (include/sonde/counter.def) */
struct sonde_recorded_count {
	const char *name;
	u64 value;
};

/** struct sonde_recorded_stack - table stack, numbered from 1 by its rowid; tables that refer to it count so, 0 is none */
struct sonde_recorded_stack {
	u32 pid;
	const char *process;
	u32 end;
	u32 nr_kernel;
	u8 complete;
};

/** struct sonde_recorded_frame - table stack_frame, innermost first: @stack and @frame are rowids */
struct sonde_recorded_frame {
	u64 stack;
	u64 frame;
};

/** struct sonde_recorded_site - table allocation: a call site; row.stack is the rowid of its stack */
struct sonde_recorded_site {
	u64 stack;
	struct sonde_alloc_row row;
};

/** struct sonde_recorded_bucket - table histogram: @objects (in 1024ths) of a row of @of, in a bucket of @kind that begins at 2^bucket */
struct sonde_recorded_bucket {
	const char *of; /* "allocation" */
	u64 row;
	const char *kind; /* "bytes", "lifetime_us" */
	u32 bucket;
	u64 objects;
};

/** struct sonde_recorded_reading - table reading: what a call site had at a moment while it ran */
struct sonde_recorded_reading {
	u64 stack;
	u64 unix_ns;
	u64 alloc_bytes;
	u64 live_bytes;
};

/** struct sonde_recorded_finding - table finding: a leak */
struct sonde_recorded_finding {
	u64 id;
	u32 confidence;
	u32 pid;
	const char *process;
	const char *place;
	const char *suggestion;
	u64 alloc_bytes;
	u32 paths;
	struct sonde_leak leak;
	u64 first_seen_ns;
	u64 last_seen_ns;
};

/** struct sonde_recorded_line - tables finding_site and finding_reading: what belongs to a finding, by its rowid */
struct sonde_recorded_line {
	u64 finding;
	const char *text;
	u64 time_ns;
	u64 live_bytes;
};

/** struct sonde_recorded_endpoint_site - table endpoint_site: what requests to an endpoint, by its rowid, have taken at a stack */
struct sonde_recorded_endpoint_site {
	u64 endpoint;
	u64 stack;
	struct sonde_memory memory;
};

extern const struct sonde_record_table sonde_table_run, sonde_table_coverage, sonde_table_function, sonde_table_stack,
	sonde_table_stack_frame, sonde_table_site, sonde_table_total, sonde_table_histogram, sonde_table_reading,
	sonde_table_finding, sonde_table_finding_site, sonde_table_finding_reading, sonde_table_endpoint,
	sonde_table_endpoint_site;

#endif /* SONDE_RECORD_ALLOC_TABLES_H */
