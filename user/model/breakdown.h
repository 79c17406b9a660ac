/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown.h - what the time of inbound requests went into, or what memory they took, as a report shows it.
 */
#ifndef SONDE_MODEL_BREAKDOWN_H
#define SONDE_MODEL_BREAKDOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/table.h"
#include "sonde/breakdown.h"

struct sonde_query;

enum sonde_part {
#define SONDE_PART(symbol, name, people) SONDE_PART_##symbol,
#include "model/breakdown.def"
#undef SONDE_PART
	SONDE_PARTS,
};

/** struct sonde_dep - a statement or outbound request that requests of an endpoint wait for; @text NULL: not known, @id 0: several */
struct sonde_dep {
	u64 id;
	const char *text;
	u32 kind; /* enum sonde_dep_kind */
	u32 proto; /* enum sonde_proto */
	struct sonde_dep_stat stat;
};

/** struct sonde_memory_site - a call site of requests to an endpoint; @stack: index in the snapshot's profile, < 0: not known */
struct sonde_memory_site {
	s64 stack;
	struct sonde_memory memory;
};

/** struct sonde_breakdown - requests to one endpoint of one process, or of @nr_procs of one name; strings are the snapshot's */
struct sonde_breakdown {
	struct sonde_query_key key;
	const char *text; /* "GET /orders/{id}"; NULL: not known */
	const char *process;
	const char *server;
	u32 nr_procs;
	struct sonde_breakdown_stat stat;
	struct sonde_dep *dep; /* greatest time first */
	size_t nr_deps;
	struct sonde_memory_site *site; /* most bytes first; of requests that are not answered yet, too */
	size_t nr_sites, site_room;
	struct sonde_table sites; /* by stack: index + 1; empty once they are sorted. Of model/memory.c alone */
};

/** struct sonde_breakdowns - the list, greatest total time first once it is sorted */
struct sonde_breakdowns {
	struct sonde_breakdown **row;
	size_t nr;
};

struct sonde_breakdowns *sonde_breakdowns_new(void);
void sonde_breakdowns_free(struct sonde_breakdowns *list);

/** sonde_breakdowns_row - the row of @key, appended if it is new, with strings ""; NULL when out of memory */
struct sonde_breakdown *sonde_breakdowns_row(struct sonde_breakdowns *list, const struct sonde_query_key *key);

/** sonde_breakdowns_clear - forget all rows */
void sonde_breakdowns_clear(struct sonde_breakdowns *list);

/** sonde_breakdown_dep - add to the dependency @like of @row (id, kind); appended if it is new. Returns 0 or -ENOMEM */
int sonde_breakdown_dep(struct sonde_breakdown *row, const struct sonde_dep *like);

/** sonde_breakdowns_sort - rows and what they wait for by time */
void sonde_breakdowns_sort(struct sonde_breakdowns *list);

/** sonde_breakdowns_group - a new list where processes of one name share their rows, sorted; NULL when out of memory */
struct sonde_breakdowns *sonde_breakdowns_group(const struct sonde_breakdowns *list);

/** sonde_breakdowns_find - the row of @endpoint, NULL if there is none */
const struct sonde_breakdown *sonde_breakdowns_find(const struct sonde_breakdowns *list,
						    const struct sonde_query *endpoint);

/**
 * sonde_breakdown_parts - the parts of @stat's time in ns
 *
 * Returns their sum, which is @stat->total_ns. (If it was read while a request was being added its parts may be more: they are the
 * sum then.)
 */
u64 sonde_breakdown_parts(const struct sonde_breakdown_stat *stat, u64 part[SONDE_PARTS]);

/** sonde_part_name - as JSON has it; sonde_part_people - for people */
const char *sonde_part_name(u32 part);
const char *sonde_part_people(u32 part);

/** sonde_undivided_name - the same of enum sonde_undivided: for JSON; sonde_undivided_text - a predicate for people */
const char *sonde_undivided_name(u32 why);
const char *sonde_undivided_text(u32 why);

#endif /* SONDE_MODEL_BREAKDOWN_H */
