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

#include "breakdown_conn.bpf.h"
#include "peer.bpf.h"
#include "scope_conn.bpf.h"
#include "slow_track.bpf.h"
#include "statement.bpf.h"

/* What comes next from the server belongs to another statement. */
static __always_inline void track_response_begin(struct conn *c)
{
	c->first_ns = 0;
	c->rows = 0;
	c->more_rows = 0;
	c->received = 0;
}

static __always_inline void track_key(const struct conn *c, u64 id, u32 flags, struct sonde_query_key *key)
{
	key->id = id;
	key->peer = c->peer;
	key->proc = c->proc;
	key->proto = c->proto;
	key->role = c->role;
	key->flags = (flags & ENTRY_NAMED ? SONDE_KEY_NAMED : 0) | (flags & ENTRY_BLOCKING ? SONDE_KEY_BLOCKING : 0);
	key->pad = 0;
}

/* Dialect of a protocol's statements, from its row in proto.def. */
static __always_inline u32 track_dialect(u32 proto)
{
	switch (proto) {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)                                                           \
	case id:                                                                                                       \
		return dialect;
#include "sonde/proto.def"
	}
	return 0;
}

/* The statement or request @e is complete: for the scope it belongs to. */
static __always_inline void track_scope(struct conn *c, struct entry *e, const struct done *d)
{
	if (c->aside)
		c->scope_flags |= SCOPE_REQUEST_OVER;
	else
		scope_finish(c, e, d->rows, d->done_ns, track_dialect(c->proto) == SONDE_SQL_NONE);
}

/* The status of the transaction changes to @txn. */
static __always_inline void track_txn(struct conn *c, u32 txn)
{
	bool was = c->txn == SONDE_TXN_OPEN || c->txn == SONDE_TXN_FAILED;

	if (was && txn == SONDE_TXN_IDLE)
		c->scope_flags |= SCOPE_TXN_OVER;
	else if (!was && txn == SONDE_TXN_OPEN && !(c->scope_flags & SCOPE_BEGUN))
		c->scope_flags |= SCOPE_TXN_OPENED;
}

/**
 * track_finish - the oldest statement is complete: into its row, out of the queue
 * @failed: 0, or 1 + enum sonde_error_class
 */
__noinline int track_finish(struct conn *c, u64 rows, u32 failed, u64 sqlstate)
{
	struct xfer *x = xfer_get();
	struct done d = {
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
	d.rows = rows + c->more_rows;
	e = track_entry(c, c->head);
	if (!e || !(e->flags & ENTRY_STATEMENT)) {
		if (!c->aside)
			count(SONDE_CNT_REPLY_UNMATCHED);
		if (!e) /* what follows is none of it */
			track_response_begin(c);
		return 0;
	}
	track_key(c, e->id, e->flags, &key);
	/* Completed together with the one before it: their times cannot be told apart, both waited since then. */
	start = e->start_ns == now ? c->chain_ns : e->start_ns;
	d.done_ns = now - start;
	d.first_ns = (c->first_ns > start ? c->first_ns : now) - start; /* not a byte that was there before it was asked for */
	d.sent_bytes = e->sent;
	if (conf.scopes) {
		track_scope(c, e, &d);
		if (SONDE_UNLIKELY(scope_may_exceed(d.done_ns, d.rows, d.recv_bytes)) && !c->aside &&
		    !(e->flags & ENTRY_BLOCKING))
			scope_exceeds(&key, e->scope, e->epoch, e->verb, &d);
	}
	if (SONDE_UNLIKELY(e->flags & ENTRY_MORE))
		agg_more(&key, &d);
	else
		agg_add(&key, &d);
	slow_done(c, &key, &d, e);
	if (bd_conf.on)
		bd_finished(c, &key, e, start);
	if (SONDE_UNLIKELY(e->flags & ENTRY_DATABASE) && !failed)
		c->peer = c->peer_next;
	track_response_begin(c);
	e->flags &= ~ENTRY_STATEMENT;
	chain = !e->sync;
	if (chain)
		track_pop(c);
	e = chain ? track_entry(c, c->head) : NULL;
	if (e && e->flags & ENTRY_CHAIN) {
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
	count_seen();
	agg_add(&key, &d);
	if (slow_is(&d, false))
		slow_tell(c, &key, &d, ~0u, 0);
	c->parse_id = 0;
	return 0;
}

#define DISCARD_STEP 16 /* entries */

/** track_discard - drop up to DISCARD_STEP entries, to the end of the batch or (@all) all; 1 while there are more */
__noinline int track_discard(struct conn *c, u32 all, u32 reason)
{
	if (!c)
		return 0;
	for (u32 i = 0; i < DISCARD_STEP; i++) {
		struct entry *e = track_entry(c, c->head);
		u32 flags, sync;

		if (c->head == c->tail)
			return 0;
		flags = e ? e->flags : 0;
		sync = e ? e->sync : 0;
		if (flags & ENTRY_STATEMENT && !(flags & ENTRY_MORE)) {
			if (c->aside)
				c->scope_flags |= SCOPE_REQUEST_OVER;
			else
				count(reason);
		}
		track_pop(c);
		if (!all && sync)
			return 0;
	}
	return 1;
}

static __always_inline void track_drop(struct conn *c, u32 all, u32 reason)
{
	for (u32 i = 0; i < CONN_PIPELINE_MAX / DISCARD_STEP; i++)
		if (!track_discard(c, all, reason))
			break;
	track_response_begin(c);
}

/* ---- the client's messages ---- */

/** track_unanswered - a command that gets no reply: complete as it is sent */
__noinline int track_unanswered(struct conn *c, u64 id)
{
	struct xfer *x = xfer_get();
	struct sonde_query_key key;
	struct done d = {};

	if (!c || !x)
		return 0;
	d.end_ns = x->now;
	d.sent_bytes = c->sent;
	c->sent = 0;
	track_key(c, id, x->msg.flags & SONDE_MSG_BLOCKING ? ENTRY_BLOCKING : 0, &key);
	count_seen();
	agg_add(&key, &d);
	return 0;
}

/* SONDE_OP_COMMAND */
static __always_inline void track_command(struct conn *c, const struct sonde_msg *m, u32 more)
{
	u32 flags = ENTRY_STATEMENT | more;
	u64 id = track_label(c);

	if (!id)
		return;
	if (m->flags & SONDE_MSG_NO_REPLY) {
		track_unanswered(c, id);
		return;
	}
	if (m->flags & SONDE_MSG_BLOCKING)
		flags |= ENTRY_BLOCKING;
	if (m->flags & SONDE_MSG_QUIET)
		flags |= ENTRY_QUIET;
	if (m->flags & SONDE_MSG_LAST)
		flags |= TRACK_SYNC;
	track_push(c, id, m->params, 0, flags);
}

/* A name in the window to its place in a peer: at most 63 bytes of it, zeros behind. */
static __always_inline void track_copy_name(char to[SONDE_NAME_BYTES], u32 off, u32 len)
{
	struct sonde_win *w = window();

	__builtin_memset(to, 0, SONDE_NAME_BYTES);
	if (len > SONDE_NAME_BYTES - 1)
		len = SONDE_NAME_BYTES - 1;
	if (w)
		bpf_probe_read_kernel(to, len & (SONDE_NAME_BYTES - 1), &w->b[off & (SONDE_WIN_BYTES - 1)]);
}

/** track_startup - SONDE_OP_STARTUP: a session of this user on this database begins */
__noinline int track_startup(struct conn *c)
{
	struct xfer *x = xfer_get();

	if (!c || !x)
		return 0;
	__builtin_memset(&x->peer, 0, sizeof(x->peer));
	peer_address(&x->peer, (struct sock *)x->sk, c->role);
	track_copy_name(x->peer.user, x->msg.user_off, x->msg.user_len);
	track_copy_name(x->peer.database, x->msg.db_off, x->msg.db_len);
	c->peer = agg_peer(&x->peer);
	c->sent = 0; /* what went before the first statement is none of it */
	c->scope_flags |= SCOPE_STARTUP;
	return 0;
}

/** track_database - SONDE_MSG_DATABASE: what the connection's peer will be when the statement succeeds */
__noinline int track_database(struct conn *c)
{
	struct xfer *x = xfer_get();
	struct sonde_peer *old;
	u64 id;

	if (!c || !x)
		return 0;
	id = c->peer;
	old = bpf_map_lookup_elem(&peers, &id);
	if (old) {
		bpf_probe_read_kernel(&x->peer, sizeof(x->peer), old);
	} else {
		__builtin_memset(&x->peer, 0, sizeof(x->peer));
		peer_address(&x->peer, (struct sock *)x->sk, c->role);
	}
	if (x->msg.user_len) /* COM_CHANGE_USER */
		track_copy_name(x->peer.user, x->msg.user_off, x->msg.user_len);
	track_copy_name(x->peer.database, x->msg.db_off, x->msg.db_len);
	c->peer_next = agg_peer(&x->peer);
	return 0;
}

/** track_forget - the connection is of unknown protocol again */
static __always_inline void track_forget(struct conn *c)
{
	c->state = CONN_UNKNOWN;
	c->tries[0] = c->tries[1] = 0;
	c->fe_flags = 0;
	c->be_flags = 0;
	__builtin_memset(&c->fe, 0, sizeof(c->fe));
	__builtin_memset(&c->be, 0, sizeof(c->be));
	__builtin_memset(&c->st, 0, sizeof(c->st));
	c->late.op = 0;
	c->again.nr = 0;
}

/** track_state - the message in x->msg changes what the connection is */
__noinline int track_state(struct conn *c)
{
	struct xfer *x = xfer_get();

	if (!c || !x)
		return 0;
	if (x->msg.op == SONDE_OP_FLAVOUR) {
		c->proto = x->msg.kind;
		return 0;
	}
	track_drop(c, 1, SONDE_CNT_LOST_DESYNC);
	track_forget(c);
	switch (x->msg.op) {
	case SONDE_OP_TLS:
		c->state = CONN_TLS;
		break;
	case SONDE_OP_UNREADABLE:
		if (!c->aside)
			count(x->msg.kind);
		c->state = CONN_IGNORED;
		break;
	case SONDE_OP_IGNORE:
		c->state = CONN_IGNORED;
		break;
	}
	return 0;
}

/** track_request - act on the client's message in x->msg, unless its text is SQL */
__noinline int track_request(struct conn *c)
{
	struct xfer *x = xfer_get();
	const struct sonde_msg *m;
	u32 more = 0;

	if (!c || !x)
		return 0;
	m = &x->msg;
	switch (m->op) {
	case SONDE_OP_COMMAND:
		if (m->flags & (SONDE_MSG_DATABASE | SONDE_MSG_IN_DATABASE))
			track_database(c);
		if (m->flags & SONDE_MSG_DATABASE)
			more = ENTRY_DATABASE;
		else if (m->flags & SONDE_MSG_IN_DATABASE)
			c->peer = c->peer_next;
		track_command(c, m, more);
		break;
	case SONDE_OP_RUN:
		track_run(c, 0);
		break;
	case SONDE_OP_FETCH:
		track_run(c, ENTRY_MORE);
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
	case SONDE_OP_STARTUP:
		track_startup(c);
		break;
	default:
		if (m->op >= SONDE_OP_FLAVOUR)
			track_state(c);
	}
	return 0;
}

/**
 * track_client - act on the client's message in x->msg; 1 if there is more of it to act on
 * @end: end of the window's data
 *
 * From here the normaliser's calls go down to the last frame there is.
 */
__noinline int track_client(struct conn *c, u32 end)
{
	struct xfer *x = xfer_get();
	const struct sonde_msg *m;
	u32 more = 0;

	if (!c || !x)
		return 0;
	m = &x->msg;
	switch (m->op) {
	case SONDE_OP_QUERY:
		if (m->flags & SONDE_MSG_DATABASE && !x->batch) {
			track_database(c);
			more = ENTRY_DATABASE;
		}
		return track_query(c, x, end, track_dialect(c->proto), more);
	case SONDE_OP_PREPARE:
	case SONDE_OP_PREPARE_CALL:
		track_prepare(c, x, m->name, m->text_off, m->text_len, end, track_dialect(c->proto),
			      m->op == SONDE_OP_PREPARE_CALL);
		break;
	case SONDE_OP_BIND:
		track_bind(c, m->portal, m->name, m->name_off, m->name_len);
		break;
	case SONDE_OP_EXECUTE:
		track_execute(c, m->portal);
		break;
	default:
		track_request(c);
	}
	return 0;
}

/* ---- the server's messages ---- */

/* What the parser shall expect. */
static __always_inline void track_expect(struct conn *c)
{
	struct entry *e = track_entry(c, c->head);

	c->st.expect = e ? e->kind : 0;
}

/* Part of the response to the oldest statement: @bytes, with @rows rows in them. */
static __always_inline void track_bulk(struct conn *c, u64 now, u32 bytes, u32 rows)
{
	if (!c->first_ns && bytes)
		c->first_ns = now;
	c->received += bytes;
	c->rows += rows;
}

/** track_quiet - quiet commands at the head of the queue, about which the server had nothing to say, are complete */
__noinline int track_quiet(struct conn *c)
{
	if (!c)
		return 0;
	for (u32 i = 0; i < 64; i++) {
		struct entry *e = track_entry(c, c->head);

		if (!e || !(e->flags & ENTRY_QUIET))
			break;
		track_finish(c, 0, 0, 0);
	}
	return 0;
}

/* SONDE_OP_DONE */
static __always_inline void track_done(struct conn *c, const struct sonde_msg *m)
{
	u64 rows = m->rows == SONDE_ROWS_COUNTED ? c->rows : m->rows;
	struct entry *e = track_entry(c, c->head);

	/* One of several replies, or of several results of the last statement of a batch (a procedure's). */
	if (e && (e->replies > 1 || (m->flags & SONDE_MSG_MORE && e->sync))) {
		e->replies -= e->replies > 1;
		c->more_rows += rows;
		c->rows = 0;
		return;
	}
	if (e && !(e->flags & ENTRY_STATEMENT) && m->flags & SONDE_MSG_LAST)
		return; /* answers something that is no statement */
	track_finish(c, rows, 0, 0);
}

/* End of a batch. */
static __always_inline void track_ready(struct conn *c, const struct sonde_msg *m)
{
	if (m->flags & SONDE_MSG_SYNC_DROPS)
		track_quiet(c);
	track_drop(c, 0, c->be_flags & CONN_ERROR ? SONDE_CNT_LOST_SKIPPED : SONDE_CNT_LOST_DESYNC);
	c->be_flags &= ~CONN_ERROR;
	c->parse_id = 0;
}

/* The statement that @e prepared is called @name. */
static __always_inline void track_store_prepared(struct conn *c, u64 name, const struct entry *e)
{
	struct name_value value = { .id = e->id, .params = e->params, .verb = e->verb };

	value.flags = e->id ? 0 : ENTRY_EMPTY;
	track_store(c, name, &value);
}

/** track_reply - act on the server's message in x->msg, all of which has arrived */
__noinline int track_reply(struct conn *c)
{
	struct xfer *x = xfer_get();
	const struct sonde_msg *m;
	struct entry *e;

	if (!c || !x)
		return 0;
	m = &x->msg;
	if (m->flags & SONDE_MSG_LOUD)
		track_quiet(c);
	e = track_entry(c, c->head);
	switch (m->op) {
	case SONDE_OP_DONE:
		track_done(c, m);
		break;
	case SONDE_OP_SUSPENDED:
		track_finish(c, c->rows, 0, 0);
		break;
	case SONDE_OP_EMPTY:
		if (e && !e->sync)
			track_pop(c);
		c->first_ns = 0;
		break;
	case SONDE_OP_COPY_IN: /* the server ignores a Sync that came before the data: another will follow */
		if (e && e->flags & ENTRY_EXTENDED)
			e->sync = 0;
		break;
	case SONDE_OP_ERROR:
		c->be_flags |= CONN_ERROR;
		c->scope_flags &= ~SCOPE_HELD;
		if (e && e->flags & ENTRY_STATEMENT)
			track_finish(c, 0, 1 + m->error_class, m->sqlstate | (u64)m->code << 40);
		else
			track_parse_error(c, m->error_class, m->sqlstate | (u64)m->code << 40);
		break;
	case SONDE_OP_PREPARED:
		if (e && e->flags & ENTRY_PREPARE)
			slow_prepared(c, e->seq, m->name);
		if (e && e->flags & ENTRY_PREPARE)
			track_store_prepared(c, m->name, e);
		c->prepared_name = 0;
		break;
	}
	if (m->txn && m->txn != c->txn) {
		if (conf.scopes)
			track_txn(c, m->txn);
		c->txn = m->txn;
	}
	if (m->op == SONDE_OP_READY || m->op == SONDE_OP_PREPARED || m->flags & SONDE_MSG_LAST)
		track_ready(c, m);
	return 0;
}

/** track_late_act - what was kept of a message whose last byte has gone by acts */
__noinline int track_late_act(struct conn *c)
{
	struct xfer *x = xfer_get();

	if (!c || !x || !c->late.op)
		return 0;
	x->msg.op = c->late.op;
	x->msg.txn = c->late.txn;
	x->msg.error_class = c->late.error_class;
	x->msg.flags = c->late.flags;
	x->msg.rows = c->late.rows;
	x->msg.sqlstate = c->late.sqlstate;
	x->msg.name = c->late.name;
	x->msg.code = 0;
	c->late.op = 0;
	return track_reply(c);
}

/* Keeps what the message means until all of it has arrived. */
static __always_inline void track_late(struct conn *c, const struct sonde_msg *m)
{
	c->late.op = m->op;
	c->late.txn = m->txn;
	c->late.error_class = m->error_class;
	c->late.flags = m->flags;
	c->late.rows = m->rows;
	c->late.sqlstate = m->sqlstate | (u64)m->code << 40;
	c->late.name = m->name;
	if (conf.scopes && c->aside && m->flags & SONDE_MSG_UNTIL_CLOSE)
		scope_answering(c);
}

/** track_server - act on a server's message */
static __always_inline void track_server(struct conn *c, struct xfer *x, const struct sonde_msg *m)
{
	c->be_flags |= CONN_ANSWERED;
	if (m->op == SONDE_OP_NONE)
		return;
	if (m->op >= SONDE_OP_FLAVOUR) {
		struct entry *e = m->op == SONDE_OP_SWITCH ? track_entry(c, c->head) : NULL;

		if (e && e->flags & ENTRY_STATEMENT) /* the switch is its answer */
			track_finish(c, 0, 0, 0);
		track_state(c);
		return;
	}
	c->received += m->size;
	if (!c->first_ns && m->op != SONDE_OP_READY)
		c->first_ns = x->now;
	if (m->op == SONDE_OP_REPLY)
		return;
	if (m->op == SONDE_OP_ROW)
		c->rows++;
	else if (m->size > x->total - x->pos || m->flags & SONDE_MSG_UNTIL_CLOSE)
		track_late(c, m);
	else
		track_reply(c);
}

#endif /* SONDE_TRACK_BPF_H */
