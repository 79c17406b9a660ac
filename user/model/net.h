/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * net.h - connections as a report shows them: rows by process and remote end, what stands out.
 */
#ifndef SONDE_MODEL_NET_H
#define SONDE_MODEL_NET_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/net.h"

#define SONDE_NET_FAILS 16u /* reasons of failed connects that a row tells apart */

/* What the rows of a report for people stand for (--by). */
enum sonde_net_by {
	SONDE_NET_BY_REMOTE = 0, /* what processes of one name have with one remote end */
	SONDE_NET_BY_PROCESS, /* with all */
	SONDE_NET_BY_CONNECTION,
};

/** struct sonde_net_reason - connects that failed alike; @error 0: given up, SONDE_ERRNO_MAX: all other reasons */
struct sonde_net_reason {
	u32 error;
	u64 count;
};

/**
 * struct sonde_net_row - the connections of one process to one remote end, or a listener
 * @name: what the process calls the remote end, "": it has no name for it. Foreign bytes
 * @nr_procs, @nr_peers: how many the row stands for
 * @open: connections now
 * @asked: of these, how many wait for an answer
 * @srtt_us, @rttvar_us: sums over the @nr_rtt of them whose round-trip time is known, as they are now
 */
struct sonde_net_row {
	const char *process;
	const char *name;
	struct sonde_net_peer peer;
	struct sonde_net_key key;
	u32 nr_procs;
	u32 nr_peers;
	u64 open;
	u64 asked;
	u64 srtt_us;
	u64 rttvar_us;
	u64 nr_rtt;
	struct sonde_net_reason fail[SONDE_NET_FAILS];
	u32 nr_fails;
	struct sonde_net_stat stat;
};

/** struct sonde_net - all of a report; @jiffy_ns: unit of the clocks in struct sonde_net_tcp */
struct sonde_net {
	enum sonde_net_by by;
	u32 has; /* SONDE_NET_HAS_* */
	struct sonde_net_row **row; /* greatest total time first */
	size_t nr;
	size_t room;
	struct sonde_net_totals totals;
	u64 jiffy_ns;
};

/** struct sonde_net_use - connections in use at once: of TCP by time, of unix sockets the mean alone */
struct sonde_net_use {
	bool known;
	u32 p50, p95, max; /* SONDE_NET_LEVELS - 1: so many or more */
	double mean;
};

struct sonde_net *sonde_net_new(void);
void sonde_net_free(struct sonde_net *net);

/** sonde_net_row - append a zeroed row; NULL when out of memory */
struct sonde_net_row *sonde_net_row(struct sonde_net *net);

/** sonde_net_find - the row of @key, NULL if there is none */
struct sonde_net_row *sonde_net_find(const struct sonde_net *net, const struct sonde_net_key *key);

/** sonde_net_fail - add @count failed connects to @row */
void sonde_net_fail(struct sonde_net_row *row, u32 error, u64 count);

/** sonde_net_failed - failed connects of @row, for whatever reason */
u64 sonde_net_failed(const struct sonde_net_row *row);

/** sonde_net_live - add what the iterator tells of a connection to its row */
void sonde_net_live(struct sonde_net_row *row, const struct sonde_net_conn *conn);

/** sonde_net_settle - once a row is complete, at @now_ns (CLOCK_MONOTONIC): the time since its last change, extremes */
void sonde_net_settle(struct sonde_net_row *row, u64 now_ns);

/** sonde_net_sort - rows by the time that was waited for */
void sonde_net_sort(struct sonde_net *net);

/** sonde_net_group - a new list with rows merged as @net->by says; NULL when out of memory */
struct sonde_net *sonde_net_group(const struct sonde_net *net);

/** sonde_net_in_use - how many connections of @row were in use at once */
void sonde_net_in_use(const struct sonde_net_row *row, u64 duration_ns, struct sonde_net_use *out);

struct sonde_buf;

/**
 * sonde_net_advice - append what stands out in @row, a line for each, that a number earned
 * @who, @remote: names for both ends
 * Returns the number of lines.
 */
size_t sonde_net_advice(struct sonde_buf *buf, const struct sonde_net_row *row, const char *who, const char *remote,
			u64 duration_ns, u64 jiffy_ns);

#endif /* SONDE_MODEL_NET_H */
