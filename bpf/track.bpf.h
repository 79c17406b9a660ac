/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * track.bpf.h - from messages to completed statements: the bookkeeping that all protocols share.
 *
 * Each statement sent joins a queue on its connection and leaves it with its own completion, so that pipelined
 * ones are each timed. A batch (a simple query, or everything up to a Sync) ends with one end-of-batch reply: the
 * last entry of the batch carries the mark, and the reply clears whatever the server skipped because of an error.
 */
#ifndef SONDE_TRACK_BPF_H
#define SONDE_TRACK_BPF_H

#include "statement.bpf.h"

static __always_inline void track_key(const struct conn *c, u64 id, u32 flags, struct sonde_query_key *key)
{
	key->id = id;
	key->peer = c->peer;
	key->proc = c->proc;
	key->proto = c->proto;
	key->role = c->role;
	key->flags = flags & ENTRY_NAMED ? SONDE_KEY_NAMED : 0;
	key->pad = 0;
}

/**
 * track_finish - the oldest statement is complete: into its row, out of the queue
 * @failed: 0, or 1 + enum sonde_error_class
 */
__noinline int track_finish(struct conn *c, u64 rows, u32 failed, u64 sqlstate)
{
	struct xfer *x = xfer_get();
	struct done d = {
		.rows = rows,
		.failed = !!failed,
		.sqlstate = sqlstate,
		.error_class = failed ? failed - 1 : 0,
	};
	struct sonde_query_key key;
	struct entry *e;
	u64 start, now;
	u32 chain;

	if (!c || !x)
		return 0;
	now = x->now;
	d.end_ns = now;
	d.recv_bytes = c->received;
	e = track_entry(c, c->head);
	if (!e || !(e->flags & ENTRY_STATEMENT)) {
		count(SONDE_CNT_REPLY_UNMATCHED);
		return 0;
	}
	track_key(c, e->id, e->flags, &key);
	/* Completed together with the one before it: their times cannot be told apart, both waited since then. */
	start = e->start_ns == now ? c->chain_ns : e->start_ns;
	d.done_ns = now - start;
	d.first_ns = (c->first_ns ? c->first_ns : now) - start;
	d.sent_bytes = e->sent;
	if (SONDE_UNLIKELY(e->flags & ENTRY_MORE))
		agg_more(&key, &d);
	else
		agg_add(&key, &d);
	c->first_ns = 0;
	c->rows = 0;
	c->received = 0;
	e->flags &= ~ENTRY_STATEMENT;
	chain = !e->sync;
	if (chain)
		track_pop(c);
	e = chain ? track_entry(c, c->head) : NULL;
	if (e && e->flags & TRACK_CHAIN) {
		e->start_ns = now;
		c->chain_ns = start;
	}
	return 0;
}

/* An error that belongs to no statement in the queue: the last one that was only prepared. */
__noinline int track_parse_error(struct conn *c, u32 error_class, u64 sqlstate)
{
	struct done d = { .failed = 1, .sqlstate = sqlstate, .error_class = error_class };
	struct xfer *x = xfer_get();
	struct sonde_query_key key;

	if (!c || !x || !c->parse_id)
		return 0;
	d.end_ns = x->now;
	d.done_ns = x->now - c->parse_ns;
	d.first_ns = d.done_ns;
	track_key(c, c->parse_id, 0, &key);
	count(SONDE_CNT_SEEN);
	agg_add(&key, &d);
	c->parse_id = 0;
	return 0;
}

/** track_discard - drop up to 64 entries, to the end of the batch or (@all) all; 1 while there are more */
__noinline int track_discard(struct conn *c, u32 all, u32 reason)
{
	if (!c)
		return 0;
	for (u32 i = 0; i < 64; i++) {
		struct entry *e = track_entry(c, c->head);
		u32 flags, sync;

		if (c->head == c->tail)
			return 0;
		flags = e ? e->flags : 0;
		sync = e ? e->sync : 0;
		if (flags & ENTRY_STATEMENT && !(flags & ENTRY_MORE))
			count(reason);
		track_pop(c);
		if (!all && sync)
			return 0;
	}
	return 1;
}

static __always_inline void track_drop(struct conn *c, u32 all, u32 reason)
{
	for (u32 i = 0; i < CONN_PIPELINE_MAX / 64; i++)
		if (!track_discard(c, all, reason))
			break;
	c->first_ns = 0;
	c->rows = 0;
	c->received = 0;
}

/** track_client - act on a client's message; @end: end of the window's data */
static __always_inline void track_client(struct conn *c, u64 now, const struct sonde_msg *m, u32 end, u32 dialect)
{
	c->sent += m->size;
	switch (m->op) {
	case SONDE_OP_QUERY:
		track_query(c, m->text_off, m->text_len, end, dialect);
		break;
	case SONDE_OP_PREPARE:
		track_prepare(c, now, m->name, m->text_off, m->text_len, end, dialect);
		break;
	case SONDE_OP_BIND:
		track_bind(c, m->portal, m->name, m->name_off, m->name_len);
		break;
	case SONDE_OP_EXECUTE:
		track_execute(c, m->portal);
		break;
	case SONDE_OP_CLOSE:
		track_close(c, m->name);
		break;
	case SONDE_OP_SYNC:
		track_sync(c);
		break;
	case SONDE_OP_CALL:
		track_push(c, 0, 0, 0, TRACK_SYNC);
		break;
	}
}

/* Part of the response to the oldest statement: @bytes, with @rows rows in them. */
static __always_inline void track_bulk(struct conn *c, u64 now, u32 bytes, u32 rows)
{
	if (!c->first_ns && bytes)
		c->first_ns = now;
	c->received += bytes;
	c->rows += rows;
}

/** track_server - act on a server's message */
static __always_inline void track_server(struct conn *c, u64 now, const struct sonde_msg *m)
{
	struct entry *e;

	if (m->op == SONDE_OP_NONE)
		return;
	c->received += m->size;
	if (!c->first_ns && m->op != SONDE_OP_READY)
		c->first_ns = now;
	switch (m->op) {
	case SONDE_OP_ROW:
		c->rows++;
		break;
	case SONDE_OP_DONE:
		track_finish(c, m->rows, 0, 0);
		break;
	case SONDE_OP_SUSPENDED:
		track_finish(c, c->rows, 0, 0);
		break;
	case SONDE_OP_EMPTY:
		e = track_entry(c, c->head);
		if (e && !e->sync)
			track_pop(c);
		c->first_ns = 0;
		break;
	case SONDE_OP_COPY_IN: /* the server ignores a Sync that came before the data: another will follow */
		e = track_entry(c, c->head);
		if (e && e->flags & ENTRY_EXTENDED)
			e->sync = 0;
		break;
	case SONDE_OP_ERROR:
		c->be_flags |= CONN_ERROR;
		e = track_entry(c, c->head);
		if (e && e->flags & ENTRY_STATEMENT)
			track_finish(c, 0, 1 + m->error_class, m->sqlstate);
		else
			track_parse_error(c, m->error_class, m->sqlstate);
		break;
	case SONDE_OP_READY:
		c->txn = m->txn;
		track_drop(c, 0, c->be_flags & CONN_ERROR ? SONDE_CNT_LOST_SKIPPED : SONDE_CNT_LOST_DESYNC);
		c->be_flags &= ~CONN_ERROR;
		c->parse_id = 0;
		break;
	}
}

#endif /* SONDE_TRACK_BPF_H */
