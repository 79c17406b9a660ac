// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_requests.c - `sonde alloc --by endpoint`: what inbound requests allocate or touch.
 */
#include <stdlib.h>

#include "cmd/alloc_requests.h"
#include "cmd/rows.h"
#include "collect/breakdown.h"
#include "collect/db.h"
#include "load/load.h"
#include "model/breakdown.h"
#include "model/snapshot.h"

/* @db: the endpoints' rows and names; @made: by the last reading */
struct sonde_alloc_requests {
	struct sonde_db *db;
	struct sonde_breakdowns *made;
};

const struct sonde_opt_choice sonde_alloc_bys[] = {
	{ "site", SONDE_ALLOC_BY_SITE },
	{ "endpoint", SONDE_ALLOC_BY_ENDPOINT },
	{ NULL, 0 },
};

void sonde_alloc_requests_load(struct sonde_load_opts *opts)
{
	opts->memory = true;
	opts->with |= 1u << SONDE_VIEW_HTTP;
}

struct sonde_alloc_requests *sonde_alloc_requests_new(void)
{
	struct sonde_alloc_requests *requests = calloc(1, sizeof(*requests));

	if (requests)
		requests->db = sonde_db_new();
	if (requests && requests->db)
		return requests;
	free(requests);
	return NULL;
}

void sonde_alloc_requests_free(struct sonde_alloc_requests *requests)
{
	if (!requests)
		return;
	sonde_breakdowns_free(requests->made);
	sonde_db_free(requests->db);
	free(requests);
}

void sonde_alloc_requests_event(struct sonde_alloc_requests *requests, const void *event, size_t size)
{
	(void)sonde_db_event(requests->db, event, size); /* those of the stacks are none of its */
}

int sonde_alloc_requests_read(struct sonde_alloc_requests *requests, const struct sonde_load *load, u64 unit,
			      const struct sonde_profiler *profiler)
{
	int err = sonde_rows_read(requests->db, load);

	sonde_breakdowns_free(requests->made);
	requests->made = NULL;
	if (err)
		return err;
	requests->made = sonde_breakdown_read(requests->db, sonde_load_map(load, SONDE_MAP_BREAKDOWN_ROWS),
					      sonde_load_map(load, SONDE_MAP_BREAKDOWN_DEPS), &err);
	if (err)
		return err;
	return sonde_breakdown_read_memory(requests->made, sonde_load_map(load, SONDE_MAP_BREAKDOWN_SITES), unit,
					   profiler);
}

void sonde_alloc_requests_give(struct sonde_alloc_requests *requests, struct sonde_snapshot *snapshot)
{
	snapshot->breakdowns = requests->made;
	requests->made = NULL;
}
