// SPDX-License-Identifier: GPL-2.0-only
/*
 * rows.c - the source of the subcommands whose numbers stand in the map of rows.
 */
#include "cmd/rows.h"
#include "cmd/sites.h"
#include "collect/db.h"
#include "load/load.h"
#include "sonde/event.h"
#include "sonde/key.h"

const struct sonde_opt_choice sonde_rows_captures[] = {
	{ "auto", SONDE_CAPTURE_AUTO },
	{ "tracepoint", SONDE_CAPTURE_TRACEPOINT },
	{ "fentry", SONDE_CAPTURE_FENTRY },
	{ "kprobe", SONDE_CAPTURE_KPROBE },
	{ "syscall", SONDE_CAPTURE_SYSCALL },
	{ NULL, 0 },
};

const struct sonde_opt_choice sonde_rows_roles[] = {
	{ "client", SONDE_ROLE_CLIENT },
	{ "server", SONDE_ROLE_SERVER },
	{ "any", SONDE_ROLE_CLIENT | SONDE_ROLE_SERVER },
	{ NULL, 0 },
};

void sonde_rows_load(const struct sonde_rows_config *config, struct sonde_load_opts *opts)
{
	opts->capture = (enum sonde_capture)config->capture;
	opts->roles = (u32)config->role;
	opts->max_queries = config->max_queries;
}

void *sonde_rows_create(void)
{
	struct sonde_db *db = sonde_db_new();

	if (db)
		sonde_sites_use(db);
	return db;
}

/* A process of which something will be told: while it lives, its files and mappings can be seen. */
static void note_process(struct sonde_db *db, const void *event, size_t size)
{
	const struct sonde_event *head = event;

	if (size >= sizeof(struct sonde_event_finding) && head->type == SONDE_EVENT_FINDING)
		sonde_sites_note(db, (pid_t)((const struct sonde_event_finding *)event)->key.proc.tgid);
}

void sonde_rows_destroy(void *rows)
{
	sonde_db_free(rows);
}

void sonde_rows_event(void *rows, const void *event, size_t size)
{
	note_process(rows, event, size);
	(void)sonde_db_event(rows, event, size); /* what is bad is counted there */
}

int sonde_rows_read(void *rows, const struct sonde_load *load)
{
	struct sonde_db_maps maps = {
		.view = sonde_load_view(load),
		.queries = sonde_load_map(load, SONDE_MAP_QUERIES),
		.peers = sonde_load_map(load, SONDE_MAP_PEERS),
		.procs = sonde_load_map(load, SONDE_MAP_PROCS),
		.counters = sonde_load_map(load, SONDE_MAP_COUNTERS),
		.seen = sonde_load_map(load, SONDE_MAP_SEEN),
		.findings = sonde_load_map(load, SONDE_MAP_FINDINGS),
		.callers = sonde_load_map(load, SONDE_MAP_CALLERS),
		.scopes = sonde_load_map(load, SONDE_MAP_SCOPES),
		.stacks = sonde_load_map(load, SONDE_MAP_STACKS),
	};
	int err = sonde_db_read(rows, &maps);
	u64 open;

	if (err)
		return err;
	sonde_db_counter_add(rows, SONDE_CNT_EVENTS_MISSED, sonde_load_missed(load));
	sonde_db_counter_add(rows, SONDE_CNT_LOST_CLOSED, sonde_load_abandoned(load));
	if (sonde_load_open(load, &open))
		sonde_db_settle(rows, open);
	return 0;
}

struct sonde_snapshot *sonde_rows_snapshot(void *rows)
{
	return sonde_db_snapshot(rows);
}

int sonde_rows_tick(void *rows, const struct sonde_load *load)
{
	int stacks = sonde_load_map(load, SONDE_MAP_STACKS);

	return stacks > 0 ? sonde_db_read_stacks(rows, stacks) : 0;
}
