// SPDX-License-Identifier: GPL-2.0-only
/*
 * tables.c - the tables that user stacks are unwound with in the kernel, for sources that take stacks.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "load/source.h"
#include "load/tables.h"
#include "sonde/config.h"
#include "sonde/event.h"
#include "sonde/unwind.h"
#include "sonde.skel.h"
#include "unwind/unwind.h"

#define ALL_BUDGET_NS 5000000000ULL /* for reading all processes before it begins */
#define ROUND_MS 100 /* how long a poll waits at most: what names the stacks in the map may be gone later */
#define HURRY_MS 5 /* the same after a program was executed, for HURRY_NS */
#define HURRY_NS 500000000ULL

struct sonde_tables {
	struct sonde_unwind *unwind;
	pid_t executed; /* a process that has just executed a program */
	u64 hurry_ns; /* until then what it maps is looked at quickly; 0: no hurry */
};

void sonde_tables_prepare(struct sonde_bpf *skel, u32 nr_rows)
{
	struct bpf_map *maps[] = { skel->maps.uw_rows, skel->maps.uw_maps, skel->maps.uw_spaces, skel->maps.uw_asked,
				   skel->maps.uw_walks };

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		bpf_map__set_autocreate(maps[i], true);
	if (nr_rows)
		bpf_map__set_max_entries(skel->maps.uw_rows, nr_rows);
	bpf_program__set_autoload(skel->progs.uw_fork, true);
	bpf_program__set_autoload(skel->progs.uw_exec, true);
	bpf_program__set_autoload(skel->progs.uw_exit, true);
}

struct sonde_tables *sonde_tables_new(struct sonde_bpf *skel)
{
	struct sonde_unwind_maps maps = {
		.rows = bpf_map__fd(skel->maps.uw_rows),
		.maps = bpf_map__fd(skel->maps.uw_maps),
		.spaces = bpf_map__fd(skel->maps.uw_spaces),
		.nr_rows = bpf_map__max_entries(skel->maps.uw_rows),
		.nr_maps = bpf_map__max_entries(skel->maps.uw_maps),
	};
	struct sonde_tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return NULL;
	tables->unwind = sonde_unwind_new(&maps);
	if (tables->unwind)
		return tables;
	free(tables);
	return NULL;
}

void sonde_tables_fill(struct sonde_tables *tables, const struct sonde_load_opts *opts, bool all)
{
	struct sonde_unwind_stats stats;

	for (size_t i = 0; i < opts->nr_pids; i++)
		sonde_unwind_process(tables->unwind, opts->pids[i]);
	if (!opts->nr_pids && all)
		sonde_unwind_all(tables->unwind, ALL_BUDGET_NS);
	sonde_unwind_get_stats(tables->unwind, &stats);
	sonde_debug("unwinding: %u processes, %u binaries, %u rows (%zu KiB)", stats.spaces, stats.binaries, stats.rows,
		    stats.rows * sizeof(struct sonde_unwind_row) / 1024);
}

bool sonde_tables_event(struct sonde_tables *tables, const struct sonde_event *event, size_t size)
{
	const struct sonde_event_proc *proc = (const struct sonde_event_proc *)event;
	pid_t pid;

	if (event->type != SONDE_EVENT_SPACE && event->type != SONDE_EVENT_EXEC)
		return false;
	if (size < sizeof(struct sonde_event_proc))
		return false;
	pid = (pid_t)proc->tgid;
	if (event->type == SONDE_EVENT_EXEC)
		tables->executed = pid;
	if (proc->begun)
		sonde_unwind_now(tables->unwind, pid);
	else
		sonde_unwind_process(tables->unwind, pid);
	return event->type == SONDE_EVENT_SPACE;
}

void sonde_tables_hurry(struct sonde_tables *tables)
{
	if (tables->executed)
		sonde_unwind_process(tables->unwind, tables->executed);
}

bool sonde_tables_work(struct sonde_tables *tables, bool exec_seen)
{
	u64 now = sonde_clock_ns();

	if (exec_seen)
		tables->hurry_ns = now + HURRY_NS;
	if (now >= tables->hurry_ns)
		tables->hurry_ns = 0;
	else
		sonde_tables_hurry(tables);
	return tables->hurry_ns;
}

int sonde_tables_wait_ms(const struct sonde_tables *tables, int timeout_ms)
{
	int most = tables->hurry_ns ? HURRY_MS : ROUND_MS;

	return timeout_ms < most ? timeout_ms : most;
}

u32 sonde_tables_round(struct sonde_load_ctx *ctx)
{
	return ++ctx->skel->bss->uw_round;
}

void sonde_tables_free(struct sonde_tables *tables)
{
	if (!tables)
		return;
	sonde_unwind_free(tables->unwind);
	free(tables);
}
