// SPDX-License-Identifier: GPL-2.0-only
/*
 * growth.c - growth in recordings: its call sites, and what processes had over time.
 */
#include "record/growth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/growth.h"
#include "model/strings.h"
#include "record/table.h"

/* Table growth: a call site; row.stack is the rowid of its stack, 0: none. */
struct sonde_recorded_growth {
	u64 stack;
	struct sonde_growth_row row;
};

/* Table memory_reading: what a process, by its rowid, had at a moment; it kept that until the next one. */
struct sonde_recorded_memory {
	u64 process;
	u64 unix_ns;
	struct sonde_growth_memory memory;
};

/* Table growth_mapping: what of a process's memory, by its rowid, has a name. */
struct sonde_recorded_mapping {
	u64 process;
	struct sonde_growth_mapping mapping;
};

/* Bytes by kind of page, and calls. */
#define KINDS(prefix, of, member)                                                                                      \
	SONDE_COLUMN(prefix "_file_bytes", U64, of, member[SONDE_GROWTH_FILE]),                                        \
		SONDE_COLUMN(prefix "_anonymous_bytes", U64, of, member[SONDE_GROWTH_ANON]),                           \
		SONDE_COLUMN(prefix "_swap_bytes", U64, of, member[SONDE_GROWTH_SWAP]),                                \
		SONDE_COLUMN(prefix "_shared_bytes", U64, of, member[SONDE_GROWTH_SHMEM])
#define CALLS(of, member)                                                                                              \
	SONDE_COLUMN("brk_calls", U64, of, member[SONDE_GROWTH_BRK]),                                                  \
		SONDE_COLUMN("mmap_calls", U64, of, member[SONDE_GROWTH_MMAP]),                                        \
		SONDE_COLUMN("munmap_calls", U64, of, member[SONDE_GROWTH_MUNMAP]),                                    \
		SONDE_COLUMN("mremap_calls", U64, of, member[SONDE_GROWTH_MREMAP])
#define MEMORY(prefix, of, member)                                                                                     \
	SONDE_COLUMN(prefix "rss_bytes", U64, of, member.rss), SONDE_COLUMN(prefix "file_bytes", U64, of, member.file), \
		SONDE_COLUMN(prefix "anonymous_bytes", U64, of, member.anon),                                          \
		SONDE_COLUMN(prefix "shared_bytes", U64, of, member.shmem),                                            \
		SONDE_COLUMN(prefix "swap_bytes", U64, of, member.swap),                                               \
		SONDE_COLUMN(prefix "heap_bytes", U64, of, member.heap),                                               \
		SONDE_COLUMN(prefix "virtual_bytes", U64, of, member.vm)

static const struct sonde_record_column growth_columns[] = {
	SONDE_COLUMN("stack", U64, sonde_recorded_growth, stack),
	SONDE_COLUMN("pid", U32, sonde_recorded_growth, row.pid),
	SONDE_COLUMN("process", TEXT, sonde_recorded_growth, row.process),
	SONDE_COLUMN("mapping", TEXT, sonde_recorded_growth, row.mapping),
	SONDE_COLUMN("grown_bytes", U64, sonde_recorded_growth, row.grown),
	SONDE_COLUMN("returned_bytes", U64, sonde_recorded_growth, row.returned),
	SONDE_COLUMN("samples", U64, sonde_recorded_growth, row.stat.samples),
	KINDS("grown", sonde_recorded_growth, row.stat.grown),
	KINDS("returned", sonde_recorded_growth, row.stat.returned),
	SONDE_COLUMN("touches", U64, sonde_recorded_growth, row.stat.faults),
	SONDE_COLUMN("huge_bytes", U64, sonde_recorded_growth, row.stat.huge),
	SONDE_COLUMN("mapped_bytes", U64, sonde_recorded_growth, row.stat.mapped),
	SONDE_COLUMN("unmapped_bytes", U64, sonde_recorded_growth, row.stat.unmapped),
	CALLS(sonde_recorded_growth, row.stat.calls),
	{},
};

static const struct sonde_record_column process_columns[] = {
	SONDE_COLUMN("pid", U32, sonde_growth_process, proc.tgid),
	SONDE_COLUMN("start", U32, sonde_growth_process, proc.start),
	SONDE_COLUMN("process", TEXT, sonde_growth_process, process),
	SONDE_COLUMN("begin_ns", U64, sonde_growth_process, begin_ns),
	SONDE_COLUMN("end_ns", U64, sonde_growth_process, end_ns),
	MEMORY("start_", sonde_growth_process, start),
	MEMORY("", sonde_growth_process, now),
	SONDE_COLUMN("peak_bytes", U64, sonde_growth_process, peak),
	SONDE_COLUMN("peak_ns", U64, sonde_growth_process, peak_ns),
	SONDE_COLUMN("slope_bytes_per_s", DOUBLE, sonde_growth_process, slope),
	SONDE_COLUMN("grown_bytes", U64, sonde_growth_process, grown),
	SONDE_COLUMN("returned_bytes", U64, sonde_growth_process, returned),
	SONDE_COLUMN("touches", U64, sonde_growth_process, faults),
	SONDE_COLUMN("huge_grown_bytes", U64, sonde_growth_process, huge),
	SONDE_COLUMN("mapped_bytes", U64, sonde_growth_process, mapped),
	SONDE_COLUMN("unmapped_bytes", U64, sonde_growth_process, unmapped),
	CALLS(sonde_growth_process, calls),
	SONDE_COLUMN("huge_start_bytes", U64, sonde_growth_process, huge_start), /* -1: not known */
	SONDE_COLUMN("huge_bytes", U64, sonde_growth_process, huge_now),
	SONDE_COLUMN("step_ns", U64, sonde_growth_process, step_ns),
	{},
};

static const struct sonde_record_column memory_columns[] = {
	SONDE_COLUMN("process", U64, sonde_recorded_memory, process),
	SONDE_COLUMN("unix_ns", U64, sonde_recorded_memory, unix_ns),
	MEMORY("", sonde_recorded_memory, memory),
	{},
};

static const struct sonde_record_column mapping_columns[] = {
	SONDE_COLUMN("process", U64, sonde_recorded_mapping, process),
	SONDE_COLUMN("name", TEXT, sonde_recorded_mapping, mapping.name),
	SONDE_COLUMN("grown_bytes", U64, sonde_recorded_mapping, mapping.grown),
	SONDE_COLUMN("returned_bytes", U64, sonde_recorded_mapping, mapping.returned),
	{},
};

static SONDE_TABLE(growth, "growth", sonde_recorded_growth, growth_columns);
static SONDE_TABLE(process, "growth_process", sonde_growth_process, process_columns);
static SONDE_TABLE(memory, "memory_reading", sonde_recorded_memory, memory_columns);
static SONDE_TABLE(mapping, "growth_mapping", sonde_recorded_mapping, mapping_columns);

/* ---- written ---- */

static int put_process(struct sonde_record *record, u64 number, const struct sonde_growth_process *process, u64 mono_to_unix_ns)
{
	int err = sonde_record_put(record, &sonde_table_process, process);

	for (size_t i = 0; i < process->nr_points && !err; i++) {
		struct sonde_recorded_memory to = { .process = number,
						    .unix_ns = process->point[i].time_ns + mono_to_unix_ns,
						    .memory = process->point[i].memory };

		err = sonde_record_put(record, &sonde_table_memory, &to);
	}
	for (size_t i = 0; i < process->nr_mappings && !err; i++) {
		struct sonde_recorded_mapping to = { .process = number, .mapping = process->mapping[i] };

		err = sonde_record_put(record, &sonde_table_mapping, &to);
	}
	return err;
}

int sonde_record_growth(struct sonde_record *record, const struct sonde_growth *growth, u64 mono_to_unix_ns)
{
	static const struct sonde_record_table *const tables[] = { &sonde_table_growth, &sonde_table_process, &sonde_table_memory,
								   &sonde_table_mapping };
	int err = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !err; i++)
		err = sonde_record_create(record, tables[i]);
	for (size_t i = 0; i < growth->nr && !err; i++) {
		struct sonde_recorded_growth to = { .stack = (u64)(growth->row[i].stack + 1), .row = growth->row[i] };

		err = sonde_record_put(record, &sonde_table_growth, &to);
	}
	for (size_t i = 0; i < growth->nr_processes && !err; i++)
		err = put_process(record, i + 1, growth->process[i], mono_to_unix_ns);
	return err;
}

/* ---- read ---- */

static const char *keep(struct sonde_growth_reader *r, const char *text)
{
	return sonde_strings_add(r->strings, text ? text : "", text ? strlen(text) : 0);
}

static int take_growth(void *ctx, const void *recorded)
{
	const struct sonde_recorded_growth *from = recorded;
	struct sonde_growth_reader *r = ctx;
	struct sonde_growth_row *to;

	if (from->stack && from->stack - 1 >= r->nr_stacks)
		return -EPROTO;
	to = sonde_growth_row(r->growth);
	if (!to)
		return -ENOMEM;
	*to = from->row;
	to->stack = from->stack ? (s64)r->stack[from->stack - 1] : -1;
	to->process = keep(r, from->row.process);
	to->mapping = keep(r, from->row.mapping);
	return to->process && to->mapping ? 0 : -ENOMEM;
}

static int take_process(void *ctx, const void *recorded)
{
	const struct sonde_growth_process *from = recorded;
	struct sonde_growth_reader *r = ctx;
	struct sonde_growth_process *to = sonde_growth_process(r->growth, &from->proc);

	if (!to)
		return -ENOMEM;
	*to = *from; /* of its lists there are no columns: they are empty */
	to->process = keep(r, from->process);
	to->point = calloc(SONDE_GROWTH_POINTS, sizeof(*to->point));
	return to->process && to->point ? 0 : -ENOMEM;
}

/* The process with rowid @number, NULL: there is none. */
static struct sonde_growth_process *process_of(const struct sonde_growth_reader *r, u64 number)
{
	return number - 1 < r->growth->nr_processes ? r->growth->process[number - 1] : NULL;
}

static int take_memory(void *ctx, const void *recorded)
{
	const struct sonde_recorded_memory *from = recorded;
	struct sonde_growth_reader *r = ctx;
	struct sonde_growth_process *of = process_of(r, from->process);

	if (!of || of->nr_points == SONDE_GROWTH_POINTS)
		return -EPROTO;
	of->point[of->nr_points++] =
		(struct sonde_growth_point){ .time_ns = from->unix_ns - r->mono_to_unix_ns, .memory = from->memory };
	return 0;
}

static int take_mapping(void *ctx, const void *recorded)
{
	const struct sonde_recorded_mapping *from = recorded;
	struct sonde_growth_reader *r = ctx;
	struct sonde_growth_process *of = process_of(r, from->process);
	const char *name = keep(r, from->mapping.name);
	struct sonde_growth_mapping *to;

	if (!of)
		return -EPROTO;
	to = name ? sonde_growth_mapping(of, name) : NULL;
	if (!to)
		return -ENOMEM;
	to->grown = from->mapping.grown;
	to->returned = from->mapping.returned;
	return 0;
}

int sonde_record_growth_read(struct sonde_record *record, struct sonde_growth_reader *reader)
{
	int err = sonde_record_each(record, &sonde_table_growth, reader, take_growth);

	if (!err)
		err = sonde_record_each(record, &sonde_table_process, reader, take_process);
	if (!err)
		err = sonde_record_each(record, &sonde_table_memory, reader, take_memory);
	if (!err)
		err = sonde_record_each(record, &sonde_table_mapping, reader, take_mapping);
	return err;
}
