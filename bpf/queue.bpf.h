/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queue.bpf.h - the queue of a connection's statements outstanding, oldest first.
 */
#ifndef SONDE_QUEUE_BPF_H
#define SONDE_QUEUE_BPF_H

#include "window.bpf.h"

/* Flag of track_push() beside ENTRY_*. */
#define TRACK_SYNC 2 /* sets entry.sync */

static __always_inline struct entry *track_entry(struct conn *c, u32 seq)
{
	struct entry *e = &c->fifo[seq & (CONN_INLINE - 1)];
	struct pipeline_key key = { .conn = c->id, .seq = seq };

	if (seq - c->head >= c->tail - c->head)
		return NULL;
	if (SONDE_LIKELY(e->seq == seq))
		return e;
	return bpf_map_lookup_elem(&pipeline, &key);
}

static __always_inline void track_pop(struct conn *c)
{
	if (SONDE_UNLIKELY(c->fifo[c->head & (CONN_INLINE - 1)].seq != c->head)) {
		struct pipeline_key key = { .conn = c->id, .seq = c->head };

		bpf_map_delete_elem(&pipeline, &key);
	}
	c->head++;
}

/**
 * track_push - append an entry to the queue; a statement that finds no room is counted as lost
 *
 * A subprogram of its own, like others below: inlined where it is used it would cost the verifier each time.
 */
__noinline int track_push(struct conn *c, u64 id, u64 params, u32 verb, u32 flags)
{
	bool counted;
	struct xfer *x = xfer_leaf();
	struct entry e = {
		.id = id,
		.params = params,
		.flags = flags & ~TRACK_SYNC,
		.verb = verb,
		.sync = !!(flags & TRACK_SYNC),
	};

	if (!c || !x)
		return 0;
	counted = flags & ENTRY_STATEMENT && !(flags & ENTRY_MORE) && !c->aside;
	e.start_ns = x->now;
	e.kind = x->msg.kind;
	e.replies = x->msg.replies;
	e.seq = c->tail;
	e.sent = c->sent;
	if (counted)
		count_seen();
	c->sent = 0;
	if (SONDE_LIKELY(c->tail - c->head < CONN_INLINE)) {
		c->fifo[c->tail & (CONN_INLINE - 1)] = e;
	} else {
		struct pipeline_key key = { .conn = c->id, .seq = c->tail };

		if (c->tail - c->head >= CONN_PIPELINE_MAX || bpf_map_update_elem(&pipeline, &key, &e, BPF_ANY)) {
			if (counted)
				count(SONDE_CNT_LOST_PIPELINE);
			return 0;
		}
	}
	c->tail++;
	return 0;
}

/* A batch ends here: mark its last entry, or leave a bare mark. */
static __always_inline void track_sync(struct conn *c)
{
	struct entry *last = track_entry(c, c->tail - 1);

	if (last && !last->sync)
		last->sync = 1;
	else
		track_push(c, 0, 0, 0, TRACK_SYNC);
}

#endif /* SONDE_QUEUE_BPF_H */
