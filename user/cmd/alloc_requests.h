/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_requests.h - `sonde alloc --by endpoint`: what inbound requests allocate or touch. Only for user/cmd.
 */
#ifndef SONDE_CMD_ALLOC_REQUESTS_H
#define SONDE_CMD_ALLOC_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/opt.h"
#include "sonde/base.h"

struct sonde_alloc_requests;
struct sonde_load;
struct sonde_load_opts;
struct sonde_profiler;
struct sonde_snapshot;

/** enum sonde_alloc_by - what a row of the text report stands for */
enum sonde_alloc_by {
	SONDE_ALLOC_BY_SITE,
	SONDE_ALLOC_BY_ENDPOINT,
};

/** sonde_alloc_bys - values of --by */
extern const struct sonde_opt_choice sonde_alloc_bys[];

/* A row of an option table whose configuration has an int as @member: enum sonde_alloc_by. */
#define SONDE_ALLOC_BY_OPT(config, member)                                                                             \
	{                                                                                                              \
		.name = "by", .type = SONDE_OPT_CHOICE,                                                                \
		.help = "what a row of the text report stands for: a call site, or the requests that a server "        \
			"answers at one "                                                                              \
			"endpoint and what each of them allocates (default: site)",                                    \
		.choices = sonde_alloc_bys, .offset = SONDE_OPT_AT(config, member, int)                                \
	}

/** sonde_alloc_requests_load - let the loader watch inbound requests, too */
void sonde_alloc_requests_load(struct sonde_load_opts *opts);

/** sonde_alloc_requests_new - NULL: out of memory */
struct sonde_alloc_requests *sonde_alloc_requests_new(void);

/** sonde_alloc_requests_free - (NULL is fine) */
void sonde_alloc_requests_free(struct sonde_alloc_requests *requests);

/** sonde_alloc_requests_event - take an event of the ring: names of endpoints come that way */
void sonde_alloc_requests_event(struct sonde_alloc_requests *requests, const void *event, size_t size);

/**
 * sonde_alloc_requests_read - read what requests have taken
 * @unit: bytes that one of the kernel side is
 * @profiler: has read all stacks
 *
 * Returns 0 or -errno.
 */
int sonde_alloc_requests_read(struct sonde_alloc_requests *requests, const struct sonde_load *load, u64 unit,
			      const struct sonde_profiler *profiler);

/** sonde_alloc_requests_give - what was read last becomes @snapshot's; its strings are those of @requests, which is to live longer */
void sonde_alloc_requests_give(struct sonde_alloc_requests *requests, struct sonde_snapshot *snapshot);

#endif /* SONDE_CMD_ALLOC_REQUESTS_H */
