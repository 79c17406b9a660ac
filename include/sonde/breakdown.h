/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown.h - what the time of inbound requests went into, and the memory that they took: the layout of the maps that
 * `sonde http --breakdown` and `sonde alloc --by endpoint` read.
 *
 * The time of a request is the time of the thread that reads it, until it has answered. At each moment that thread executes,
 * waits for a processor, or waits for something else; so the parts never overlap, and their sum is the request's time. What is
 * waited for at a socket is known when the thread uses one next: it waited for that one. Where a thread has several requests open,
 * each is given what the thread does for it (sonde/share.h); in between it waits for replies, and with them for the thread. A
 * goroutine is given what threads do while they run it; while none does it waits for a reply, or for what it has called (go_park.h).
 * Where the answer comes from another thread nothing is divided.
 */
#ifndef SONDE_BREAKDOWN_H
#define SONDE_BREAKDOWN_H

#include "key.h"
#include "wait.h"

/* Why the time of a request was not, or not wholly, divided. */
enum sonde_undivided {
	SONDE_UNDIVIDED_SHARED = 0, /* it came behind another one on its connection, or too many others were open */
	SONDE_UNDIVIDED_MOVED, /* answered by another thread than the one that read it */
	SONDE_UNDIVIDED_GOROUTINE, /* a goroutine's whose scheduler was not seen: its waits for databases and HTTP are known, no more */
	SONDE_UNDIVIDED,
};

/* What a reply was waited for from. */
enum sonde_dep_kind {
	SONDE_DEP_SOCKET = 0, /* a socket of no protocol that is known, or with no request outstanding on it */
	SONDE_DEP_DATABASE,
	SONDE_DEP_HTTP,
	SONDE_DEPS,
};

/**
 * struct sonde_memory - memory that a request's thread has taken while it handled it; sums of weights (sonde/alloc.h)
 * @samples: events behind them; of growth: changes that added pages
 * @objects: in 1024ths, 0 of growth
 * @bytes: of growth: pages
 * @var: variance of @bytes as an estimate, in units of 2^16 bytes^2
 */
struct sonde_memory {
	u64 samples;
	u64 objects;
	u64 bytes;
	u64 var;
};

/** struct sonde_memory_key - stack @hash, by requests to endpoint @of */
struct sonde_memory_key {
	struct sonde_query_key of;
	u64 hash;
};

/**
 * struct sonde_breakdown_stat - all requests to one endpoint (key: its struct sonde_query_key); counters only grow
 * @total_ns: from the request's arrival to the end of its answer
 * @loop_ns: its bytes, or those of a reply, lay in a socket while its thread did something else
 * @loops, @loops_ns: requests whose thread had others open meanwhile (an event loop), and their time; @unsure: of these, when it
 *          had answered others that it was not seen to be reminded of (timers): what was sent may have been another's
 * @cpu_ns: its thread executed; @dep_ns: waited for a reply; @wait_ns: for something else, by enum sonde_wait (RUNNABLE: for a
 *          processor; NETWORK: nothing here, it is in @dep_ns); @channel_ns: of goroutines: at channels, for other goroutines
 * @undivided, @undivided_ns: requests of which that is not known, and their time, by enum sonde_undivided; they are in @count and
 *          @total_ns too
 * @memory: taken by those whose time is divided, goroutines' excepted
 */
struct sonde_breakdown_stat {
	u64 count;
	u64 total_ns;
	u64 cpu_ns;
	u64 loop_ns;
	u64 loops;
	u64 loops_ns;
	u64 unsure;
	u64 dep_ns[SONDE_DEPS];
	u64 wait_ns[SONDE_WAITS];
	u64 channel_ns;
	u64 undivided[SONDE_UNDIVIDED];
	u64 undivided_ns[SONDE_UNDIVIDED];
	struct sonde_memory memory;
};

/** struct sonde_dep_key - a statement, or a request sent, @id by requests to endpoint @of; id 0: more kinds than are told apart */
struct sonde_dep_key {
	struct sonde_query_key of;
	u64 id;
	u32 kind; /* enum sonde_dep_kind */
	u32 proto; /* enum sonde_proto */
};

/** struct sonde_dep_stat - @requests in which it occurred, @calls completed there, @ns its reply was waited for */
struct sonde_dep_stat {
	u64 requests;
	u64 calls;
	u64 ns;
};

_Static_assert(sizeof(struct sonde_dep_key) == 48, "no holes");
_Static_assert(sizeof(struct sonde_memory_key) == 40, "no holes");

#endif /* SONDE_BREAKDOWN_H */
