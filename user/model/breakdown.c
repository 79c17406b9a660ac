// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown.c - what the time of inbound requests went into, as a report shows it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "model/breakdown.h"
#include "model/memory.h"
#include "model/snapshot.h"

static const struct {
	const char *name;
	const char *people;
} parts[SONDE_PARTS] = {
#define SONDE_PART(symbol, name, people) { name, people },
#include "model/breakdown.def"
#undef SONDE_PART
};

static const struct {
	const char *name;
	const char *text;
} undivided[SONDE_UNDIVIDED] = {
#define SONDE_UNDIVIDED_WHY(symbol, name, text) [SONDE_UNDIVIDED_##symbol] = { name, text },
#include "model/breakdown.def"
#undef SONDE_UNDIVIDED_WHY
};

const char *sonde_part_name(u32 part)
{
	return part < SONDE_PARTS ? parts[part].name : "";
}

const char *sonde_part_people(u32 part)
{
	return part < SONDE_PARTS ? parts[part].people : "";
}

const char *sonde_undivided_name(u32 why)
{
	return why < SONDE_UNDIVIDED ? undivided[why].name : "";
}

const char *sonde_undivided_text(u32 why)
{
	return why < SONDE_UNDIVIDED ? undivided[why].text : "";
}

struct sonde_breakdowns *sonde_breakdowns_new(void)
{
	return calloc(1, sizeof(struct sonde_breakdowns));
}

void sonde_breakdowns_clear(struct sonde_breakdowns *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		free(list->row[i]->dep);
		sonde_memory_forget(list->row[i]);
		free(list->row[i]);
	}
	list->nr = 0;
}

void sonde_breakdowns_free(struct sonde_breakdowns *list)
{
	if (!list)
		return;
	sonde_breakdowns_clear(list);
	free(list->row);
	free(list);
}

static struct sonde_breakdown *append(struct sonde_breakdowns *list, const struct sonde_query_key *key)
{
	struct sonde_breakdown **more = realloc(list->row, (list->nr + 1) * sizeof(*more));
	struct sonde_breakdown *row = calloc(1, sizeof(*row));

	if (more)
		list->row = more;
	if (!more || !row) {
		free(row);
		return NULL;
	}
	row->key = *key;
	row->process = row->server = "";
	row->nr_procs = 1;
	list->row[list->nr++] = row;
	return row;
}

struct sonde_breakdown *sonde_breakdowns_row(struct sonde_breakdowns *list, const struct sonde_query_key *key)
{
	for (size_t i = 0; i < list->nr; i++)
		if (!memcmp(&list->row[i]->key, key, sizeof(*key)))
			return list->row[i];
	return append(list, key);
}

int sonde_breakdown_dep(struct sonde_breakdown *row, const struct sonde_dep *like)
{
	struct sonde_dep *dep = NULL, *more;

	for (size_t i = 0; i < row->nr_deps && !dep; i++)
		if (row->dep[i].id == like->id && row->dep[i].kind == like->kind)
			dep = &row->dep[i];
	if (dep) {
		dep->stat.requests += like->stat.requests;
		dep->stat.calls += like->stat.calls;
		dep->stat.ns += like->stat.ns;
		return 0;
	}
	more = realloc(row->dep, (row->nr_deps + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	row->dep = more;
	more[row->nr_deps++] = *like;
	return 0;
}

static int by_time(const void *pa, const void *pb)
{
	const struct sonde_breakdown *a = *(struct sonde_breakdown *const *)pa;
	const struct sonde_breakdown *b = *(struct sonde_breakdown *const *)pb;
	int order = sonde_compare(b->stat.total_ns, a->stat.total_ns);

	return order ? order : memcmp(&a->key, &b->key, sizeof(a->key));
}

static int dep_by_time(const void *pa, const void *pb)
{
	const struct sonde_dep *a = pa, *b = pb;
	int order = sonde_compare(b->stat.ns, a->stat.ns);

	if (!order)
		order = sonde_compare(b->stat.calls, a->stat.calls);
	return order ? order : sonde_compare(a->id, b->id);
}

void sonde_breakdowns_sort(struct sonde_breakdowns *list)
{
	if (list->nr)
		qsort(list->row, list->nr, sizeof(*list->row), by_time);
	for (size_t i = 0; i < list->nr; i++)
		if (list->row[i]->nr_deps)
			qsort(list->row[i]->dep, list->row[i]->nr_deps, sizeof(*list->row[i]->dep), dep_by_time);
}

static void add(struct sonde_breakdown_stat *to, const struct sonde_breakdown_stat *more)
{
	to->count += more->count;
	to->total_ns += more->total_ns;
	to->cpu_ns += more->cpu_ns;
	to->loop_ns += more->loop_ns;
	to->loops += more->loops;
	to->loops_ns += more->loops_ns;
	to->unsure += more->unsure;
	for (size_t i = 0; i < SONDE_DEPS; i++)
		to->dep_ns[i] += more->dep_ns[i];
	for (size_t i = 0; i < SONDE_WAITS; i++)
		to->wait_ns[i] += more->wait_ns[i];
	for (size_t i = 0; i < SONDE_UNDIVIDED; i++) {
		to->undivided[i] += more->undivided[i];
		to->undivided_ns[i] += more->undivided_ns[i];
	}
	sonde_memory_add(&to->memory, &more->memory);
}

static bool same(const struct sonde_breakdown *a, const struct sonde_breakdown *b)
{
	return a->key.id == b->key.id && a->key.proto == b->key.proto && !strcmp(a->process, b->process) &&
	       !strcmp(a->server, b->server);
}

static int merge(struct sonde_breakdowns *list, const struct sonde_breakdown *more)
{
	struct sonde_breakdown *row = NULL;
	int err = 0;

	for (size_t i = 0; i < list->nr && !row; i++)
		if (same(list->row[i], more))
			row = list->row[i];
	if (row) {
		row->nr_procs += more->nr_procs;
	} else {
		row = append(list, &more->key);
		if (!row)
			return -ENOMEM;
		row->text = more->text;
		row->process = more->process;
		row->server = more->server;
		row->nr_procs = more->nr_procs;
	}
	add(&row->stat, &more->stat);
	for (size_t i = 0; i < more->nr_deps && !err; i++)
		err = sonde_breakdown_dep(row, &more->dep[i]);
	for (size_t i = 0; i < more->nr_sites && !err; i++)
		err = sonde_memory_site(row, more->site[i].stack, &more->site[i].memory);
	return err;
}

struct sonde_breakdowns *sonde_breakdowns_group(const struct sonde_breakdowns *list)
{
	struct sonde_breakdowns *group = sonde_breakdowns_new();

	for (size_t i = 0; group && i < list->nr; i++) {
		if (merge(group, list->row[i])) {
			sonde_breakdowns_free(group);
			group = NULL;
		}
	}
	if (group)
		sonde_breakdowns_sort(group);
	return group;
}

const struct sonde_breakdown *sonde_breakdowns_find(const struct sonde_breakdowns *list,
						    const struct sonde_query *endpoint)
{
	for (size_t i = 0; i < list->nr; i++) {
		const struct sonde_breakdown *row = list->row[i];

		if (row->key.id == endpoint->id && row->key.proto == endpoint->proto &&
		    row->key.role == endpoint->role && row->key.proc.tgid == endpoint->pid &&
		    !strcmp(row->server, endpoint->server))
			return row;
	}
	return NULL;
}

u64 sonde_breakdown_parts(const struct sonde_breakdown_stat *stat, u64 part[SONDE_PARTS])
{
	u64 sum = 0;

	memset(part, 0, SONDE_PARTS * sizeof(part[0]));
	part[SONDE_PART_DATABASE] = stat->dep_ns[SONDE_DEP_DATABASE];
	part[SONDE_PART_HTTP] = stat->dep_ns[SONDE_DEP_HTTP];
	part[SONDE_PART_SOCKETS] = stat->dep_ns[SONDE_DEP_SOCKET] + stat->wait_ns[SONDE_WAIT_NETWORK];
	part[SONDE_PART_FILE] = stat->wait_ns[SONDE_WAIT_DISK] + stat->wait_ns[SONDE_WAIT_FILE];
	part[SONDE_PART_LOCK] = stat->wait_ns[SONDE_WAIT_LOCK];
	part[SONDE_PART_CHANNEL] = stat->channel_ns;
	part[SONDE_PART_SLEEP] = stat->wait_ns[SONDE_WAIT_SLEEP];
	part[SONDE_PART_CPU] = stat->cpu_ns;
	part[SONDE_PART_LOOP] = stat->loop_ns;
	part[SONDE_PART_QUEUE] = stat->wait_ns[SONDE_WAIT_RUNNABLE];
	for (u32 i = 0; i < SONDE_WAITS; i++)
		sum += stat->wait_ns[i];
	part[SONDE_PART_OTHER] = sum - stat->wait_ns[SONDE_WAIT_NETWORK] - part[SONDE_PART_FILE] -
				 part[SONDE_PART_LOCK] - part[SONDE_PART_SLEEP] - part[SONDE_PART_QUEUE];
	sum = 0;
	for (u32 i = 0; i < SONDE_PARTS; i++)
		sum += part[i];
	if (stat->total_ns <= sum)
		return sum;
	part[SONDE_PART_UNEXPLAINED] = stat->total_ns - sum;
	return stat->total_ns;
}
