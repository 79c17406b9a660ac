/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * agg.bpf.h - what every source of statements ends with: add one completed statement to its row, remember
 * who ran it and where, send its text once.
 */
#ifndef SONDE_AGG_BPF_H
#define SONDE_AGG_BPF_H

#include "proc.bpf.h"
#include "sonde.bpf.h"

/** struct done - one completed statement (times are CLOCK_MONOTONIC durations in ns) */
struct done {
	u64 end_ns; /* moment of completion */
	u64 done_ns; /* duration to completion */
	u64 first_ns; /* duration to the first byte of the response */
	u64 rows;
	u64 sent_bytes;
	u64 recv_bytes;
	u64 sqlstate; /* packed, see struct sonde_query_stat */
	u32 error_class; /* enum sonde_error_class */
	u32 failed; /* 1: ended with an error */
};

static __always_inline void hist_add(struct sonde_hist *h, u64 ns, u32 b)
{
	if (b < SONDE_HIST_BUCKETS)
		__sync_fetch_and_add(&h->bucket[b], 1);
	__sync_fetch_and_add(&h->sum_ns, ns);
	/* Plain stores: two CPUs may race for a new extreme. User space clamps both to the outermost buckets
	 * in use, so the worst outcome is an extreme that is right to one bucket.
	 */
	if (ns + 1 < READ_ONCE(h->min_ns) || !READ_ONCE(h->min_ns))
		WRITE_ONCE(h->min_ns, ns + 1);
	if (ns > READ_ONCE(h->max_ns))
		WRITE_ONCE(h->max_ns, ns);
}

/**
 * agg_row - the row of @key, made if it is new
 *
 * Returns NULL when the map is full; the caller counts the loss.
 */
static __always_inline struct sonde_query_stat *agg_row(const struct sonde_query_key *key)
{
	struct sonde_query_stat *row, *zero;
	u32 z = 0;

	row = bpf_map_lookup_elem(&queries, key);
	if (SONDE_LIKELY(row))
		return row;
	zero = bpf_map_lookup_elem(&zero_stat, &z);
	if (!zero)
		return NULL;
	bpf_map_update_elem(&queries, key, zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&queries, key);
}

/** agg_add - add one completed statement to its row, or count the loss */
static __always_inline void agg_add(const struct sonde_query_key *key, const struct done *d)
{
	struct sonde_query_stat *row = agg_row(key);
	u32 class, bucket;

	if (!row) {
		count(SONDE_CNT_LOST_ROWS_FULL);
		return;
	}
	__sync_fetch_and_add(&row->count, 1);
	if (d->rows)
		__sync_fetch_and_add(&row->rows, d->rows);
	if (d->sent_bytes)
		__sync_fetch_and_add(&row->sent_bytes, d->sent_bytes);
	if (d->recv_bytes)
		__sync_fetch_and_add(&row->recv_bytes, d->recv_bytes);
	if (SONDE_UNLIKELY(d->failed)) {
		__sync_fetch_and_add(&row->errors, 1);
		class = d->error_class;
		if (class < SONDE_ERR_CLASSES)
			__sync_fetch_and_add(&row->error_class[class], 1);
		row->sqlstate = d->sqlstate;
	}
	if (!row->first_seen_ns)
		row->first_seen_ns = d->end_ns;
	row->last_seen_ns = d->end_ns;
	bucket = sonde_hist_bucket(d->done_ns);
	hist_add(&row->done, d->done_ns, bucket);
	if (d->first_ns != d->done_ns) /* a response in one piece is the rule */
		bucket = sonde_hist_bucket(d->first_ns);
	hist_add(&row->first, d->first_ns, bucket);
}

/** agg_more - further rows of an execution that has been added before (a portal executed again) */
static __always_inline void agg_more(const struct sonde_query_key *key, const struct done *d)
{
	struct sonde_query_stat *row = bpf_map_lookup_elem(&queries, key);

	if (!row)
		return;
	__sync_fetch_and_add(&row->rows, d->rows);
	__sync_fetch_and_add(&row->sent_bytes, d->sent_bytes);
	__sync_fetch_and_add(&row->recv_bytes, d->recv_bytes);
}

/** agg_proc_now - remember the current process's name under @proc: it may run another program by now */
static __always_inline void agg_proc_now(const struct sonde_proc *proc)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sonde_proc_info info = {};

	BPF_CORE_READ_STR_INTO(&info.comm, task, group_leader, comm);
	info.cgroup = bpf_get_current_cgroup_id();
	if (bpf_map_update_elem(&procs, proc, &info, BPF_ANY))
		count(SONDE_CNT_PEERS_FULL);
}

/** agg_proc - the same, the first time only */
static __always_inline void agg_proc(const struct sonde_proc *proc)
{
	if (!bpf_map_lookup_elem(&procs, proc))
		agg_proc_now(proc);
}

/** agg_peer - remember @peer and return its id, the key it has in map `peers` */
static __always_inline u64 agg_peer(const struct sonde_peer *peer)
{
	const u64 *word = (const void *)peer;
	u64 id = SONDE_FNV_BASIS;

	for (u32 i = 0; i < sizeof(*peer) / 8; i++)
		/* Its maker zeroed all of it. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		id = sonde_mix64(id ^ word[i]);
	if (!bpf_map_lookup_elem(&peers, &id) && bpf_map_update_elem(&peers, &id, peer, BPF_ANY))
		count(SONDE_CNT_PEERS_FULL);
	return id;
}

/**
 * agg_text_known - whether the text of statement @id has been sent
 *
 * The cheap question before agg_text().
 */
static __always_inline bool agg_text_known(u64 id)
{
	return bpf_map_lookup_elem(&texts, &id) != NULL;
}

/**
 * agg_text - send the text of statement @id to user space, once
 * @slot: scratch slot of the caller
 * @text: @len bytes in a map value (kernel memory)
 * @flags: SONDE_TEXT_*
 *
 * A text that finds the ring full is forgotten again, so that the statement's next use sends it: false then.
 */
static __always_inline bool agg_text(u32 slot, u64 id, u32 proto, u32 verb, u32 flags, const void *text, u32 len)
{
	struct sonde_event_text *e;
	u64 now = bpf_ktime_get_ns();

	if (bpf_map_update_elem(&texts, &id, &now, BPF_NOEXIST)) {
		if (!bpf_map_lookup_elem(&texts, &id))
			count(SONDE_CNT_TEXT_FULL);
		return true;
	}
	e = bpf_map_lookup_elem(&event, &slot);
	if (!e)
		return false;
	if (len > SONDE_TEXT_BYTES)
		len = SONDE_TEXT_BYTES;
	e->head.type = SONDE_EVENT_TEXT;
	e->head.size = SONDE_EVENT_TEXT_HEAD + len;
	e->head.time_ns = now;
	e->id = id;
	e->proto = proto;
	e->flags = flags;
	e->verb = verb;
	e->len = len;
	if (bpf_probe_read_kernel(e->text, len, text) ||
	    bpf_ringbuf_output(&events, e, SONDE_EVENT_TEXT_HEAD + len, 0)) {
		bpf_map_delete_elem(&texts, &id);
		count(SONDE_CNT_TEXT_DROPPED);
		return false;
	}
	count(SONDE_CNT_RING_EVENTS);
	return true;
}

#endif /* SONDE_AGG_BPF_H */
