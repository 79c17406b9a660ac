/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow.bpf.h - tells user space of an execution that took too long: one event each, so many a second.
 *
 * The only events whose number grows with the load. What a second's allowance does not cover is counted and not sent: the
 * numbers of the rows hold it all the same.
 */
#ifndef SONDE_SLOW_BPF_H
#define SONDE_SLOW_BPF_H

#include "agg.bpf.h"
#include "scope.bpf.h"

#define SLOW_INTERVAL_NS 5000000ULL /* an event of one CPU costs so much of its time: 200 a second */
#define SLOW_BURST_NS 1000000000ULL /* that may be taken in advance: 200 at once */

/* Scratch for one event while it is put together, per CPU and slot. */
struct map_slow_event_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SONDE_SLOTS);
	__type(key, u32);
	__type(value, struct sonde_event_slow);
};

/* Up to when each CPU's allowance is used up. */
struct map_slow_used_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
};

extern struct map_slow_event_def slow_event SEC(".maps");
extern struct map_slow_used_def slow_used SEC(".maps");

/* Whether an execution is to be told of; @waits: by intent, which is never slow. */
static __always_inline bool slow_is(const struct done *d, bool waits)
{
	return conf.slow_events && SONDE_UNLIKELY(d->done_ns >= conf.slow_ns) && !waits;
}

/* Takes one event's share of the allowance; false if there is none left (counted). */
static __always_inline bool slow_allowed(u64 now)
{
	u32 zero = 0;
	u64 *used = bpf_map_lookup_elem(&slow_used, &zero), until;

	if (!used)
		return false;
	until = *used > now ? *used : now;
	if (until >= now + SLOW_BURST_NS) {
		count(SONDE_CNT_SLOW_DROPPED);
		return false;
	}
	*used = until + SLOW_INTERVAL_NS;
	return true;
}

/* The event of the execution @d of row @key, in scratch slot @slot. Its example, verb and flags are the caller's. */
static __always_inline struct sonde_event_slow *slow_begin(u32 slot, const struct sonde_query_key *key,
							   const struct done *d)
{
	struct sonde_event_slow *e = bpf_map_lookup_elem(&slow_event, &slot);

	if (!e)
		return NULL;
	e->head.type = SONDE_EVENT_SLOW;
	e->head.time_ns = d->end_ns;
	e->key = *key;
	e->name = 0;
	e->start_ns = d->end_ns - d->done_ns;
	e->done_ns = d->done_ns;
	e->first_ns = d->first_ns;
	e->rows = d->rows;
	e->bytes = d->sent_bytes + d->recv_bytes;
	e->sqlstate = d->failed ? d->sqlstate : 0;
	e->tid = bpf_get_current_pid_tgid();
	e->stack = -1;
	e->scope = SONDE_SCOPE_NONE;
	e->verb = 0;
	e->flags = d->failed ? SONDE_SLOW_FAILED : 0;
	e->example_len = 0;
	return e;
}

/* Sends it. */
static __always_inline void slow_send(struct sonde_event_slow *e)
{
	u32 len = e->example_len;

	if (len > SONDE_SLOW_EXAMPLE_BYTES)
		len = SONDE_SLOW_EXAMPLE_BYTES;
	e->head.size = SONDE_EVENT_SLOW_HEAD + len;
	if (bpf_ringbuf_output(&events, e, SONDE_EVENT_SLOW_HEAD + len, 0))
		count(SONDE_CNT_SLOW_DROPPED);
	else
		count(SONDE_CNT_RING_EVENTS);
}

#endif /* SONDE_SLOW_BPF_H */
