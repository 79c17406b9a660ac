/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scope_conn.bpf.h - which unit of work the statements of a connection belong to: comment, inbound request, transaction, burst.
 *
 * Done after all of what was sent or received has been looked at, so that the calls go no deeper than need be: the walk over the
 * messages leaves marks (conn.scope_flags) and statements that have not been counted (conn.scoped).
 */
#ifndef SONDE_SCOPE_CONN_BPF_H
#define SONDE_SCOPE_CONN_BPF_H

#include "scope_request.bpf.h"

#define SCOPE_BATCH 32 /* statements of one send that are counted */
#define SCOPE_TXN_BIT (1ULL << 62) /* in the key of a connection's transactions */

/* The request that a connection is kept by, for as long as its replies or its transaction last. */
static __always_inline void scope_hold(struct conn *c, u64 scope, u32 epoch)
{
	struct sonde_scope *s = bpf_map_lookup_elem(&scopes, &scope);

	c->owner = scope;
	c->owner_epoch = epoch;
	if (s && s->epoch == epoch)
		s->held++;
}

static __always_inline void scope_let_go(struct conn *c, u64 now)
{
	u64 scope = c->owner;
	struct sonde_scope *s = bpf_map_lookup_elem(&scopes, &scope);

	if (s && s->epoch == c->owner_epoch)
		s->held--;
	if (loop_back(c->scope_ctx, scope, c->owner_epoch, now))
		c->scope_flags |= SCOPE_LOOP;
	c->owner = 0;
}

/* Whether the connection is inside of a transaction, or about to be. */
static __always_inline bool scope_in_txn(const struct conn *c)
{
	return c->txn == SONDE_TXN_OPEN || c->txn == SONDE_TXN_FAILED ||
	       c->scope_flags & (SCOPE_BEGUN | SCOPE_IMPLICIT);
}

/*
 * A statement of an event loop: its connection's owner, or the oldest token's. 0, or -1: not sure whose it is.
 *
 * Where @label says that connections are shared (Redis), each command is by itself.
 */
static __always_inline int scope_pick_async(struct conn *c, struct entry *e, struct xfer *x, u64 ctx, u32 label)
{
	struct scope_pick *pick = &x->pick;
	bool held = c->owner && (c->txn == SONDE_TXN_OPEN || c->txn == SONDE_TXN_FAILED ||
				 c->scope_flags & (SCOPE_BEGUN | SCOPE_HELD) || e->flags & ENTRY_CHAIN);
	int sure = 1;

	pick->kind = SONDE_SCOPE_ASYNC;
	if (held) {
		pick->key = c->owner;
		pick->epoch = c->owner_epoch;
	} else {
		pick->key = 0;
		if (c->owner &&
		    !label) /* sent behind another one: whose they are does not show in the order of replies */
			loop_doubt(ctx, 0);
		sure = loop_take(pick, ctx, c->id, label, x->now);
		c->scope_ctx = ctx;
		if (pick->key && !label)
			scope_hold(c, pick->key, pick->epoch);
	}
	c->scope_flags &= ~SCOPE_HELD;
	c->scope_flags |= SCOPE_LOOP;
	e->token = 1;
	return sure ? 0 : -1;
}

/* Which scope: x->pick. Kind NONE: none can be told, it counts for the process. */
static __always_inline void scope_pick(struct conn *c, struct entry *e, u32 seq, struct xfer *x, u32 label)
{
	bool client = c->role == SONDE_ROLE_CLIENT, txn = scope_in_txn(c);
	u64 key = client ? context_key(&c->runtime) : 0;
	struct scope_context *ctx = client && READ_ONCE(inbound) ? bpf_map_lookup_elem(&contexts, &key) : NULL;
	struct scope_pick *pick = &x->pick;
	bool comment = c->comment_seq == seq;
	u64 name = comment ? c->comment_name : 0;

	pick->name = name;
	pick->epoch = 0;
	if (ctx && ctx->async && scope_pick_async(c, e, x, key, label))
		pick->kind = SONDE_SCOPE_NONE;
	if (comment && c->comment) {
		pick->kind = SONDE_SCOPE_COMMENT;
		pick->key = sonde_mix64(c->comment ^ (u64)c->proc.tgid << 32 ^ c->proc.start);
		pick->epoch = 0;
		pick->name = name;
		return;
	}
	if (ctx && ctx->async)
		return;
	if (ctx && ctx->scope) {
		pick->kind = SONDE_SCOPE_REQUEST;
		pick->key = ctx->scope;
		pick->epoch = ctx->epoch;
		if (!c->owner && !label && c->runtime != RUNTIME_GO)
			scope_hold(c, ctx->scope, ctx->epoch);
		c->scope_ctx = key;
		return;
	}
	c->scope_ctx = key;
	pick->kind = txn ? SONDE_SCOPE_TRANSACTION : SONDE_SCOPE_BURST;
	pick->key = txn ? c->id ^ SCOPE_TXN_BIT : sonde_mix64(c->id ^ key);
}

/* What is counted of a statement. */
static __always_inline void scope_describe(const struct conn *c, const struct entry *e, u64 now,
					   struct scope_what *what)
{
	__builtin_memset(what, 0, sizeof(*what));
	what->id = e->id;
	what->params = e->params;
	what->peer = c->peer;
	what->now = now;
	what->proc = c->proc;
	what->verb = e->verb;
	what->proto = c->proto;
}

/**
 * scope_statement - find out where the statement @seq of a database connection belongs: x->pick, x->what
 *
 * Returns 1 if it is to be counted there.
 */
__noinline int scope_statement(struct conn *c, u32 seq, u32 label)
{
	struct xfer *x = xfer_get();
	struct entry *e, *before;

	if (!c || !x)
		return 0;
	e = track_entry(c, seq);
	if (!e || e->flags & (ENTRY_MORE | ENTRY_EMPTY) || !(e->flags & (ENTRY_STATEMENT | ENTRY_PREPARE)))
		return 0;
	e->slot = SONDE_SLOT_NONE;
	scope_pick(c, e, seq, x, label);
	if (e->flags & ENTRY_PREPARE) {
		if (e->token)
			c->scope_flags |= SCOPE_HELD;
		return 0;
	}
	if (e->verb == SONDE_SQL_BEGIN && !label)
		c->scope_flags |= SCOPE_BEGUN;
	e->scope = x->pick.key;
	e->epoch = x->pick.epoch;
	e->scope_kind = x->pick.kind;
	if (e->flags & ENTRY_BLOCKING || !sonde_scope_judges(e->verb, label))
		return 0;
	scope_describe(c, e, x->now, &x->what);
	x->what.label = label;
	before = seq != c->head ? track_entry(c, seq - 1) : NULL;
	x->what.pipelined = before && before->id == e->id && before->flags & ENTRY_STATEMENT;
	return 1;
}

/* Counts it there. */
static __always_inline void scope_counts(struct conn *c, struct xfer *x, u32 seq)
{
	struct entry *e;
	u32 slot;

	if (x->pick.kind == SONDE_SCOPE_NONE) {
		scope_process(&x->what);
		return;
	}
	slot = scope_put(&x->pick, &x->what);
	e = track_entry(c, seq);
	if (!e)
		return;
	e->slot = slot;
	e->epoch = x->pick.epoch;
}

/** scope_sent - what has been added to the queue since the last time */
__noinline int scope_sent(struct conn *c, u32 label)
{
	struct xfer *x = xfer_get();

	if (!c || !x)
		return 0;
	for (u32 i = 0; i < SCOPE_BATCH; i++) {
		if (c->scoped == c->tail)
			return 0;
		if (c->aside)
			scope_request(c, c->scoped);
		else if (scope_statement(c, c->scoped, label))
			scope_counts(c, x, c->scoped);
		c->scoped++;
	}
	if (c->scoped != c->tail)
		count_add(SONDE_CNT_SCOPE_SKIPPED, c->tail - c->scoped);
	c->scoped = c->tail;
	return 0;
}

/** scope_finish - the oldest statement, @e, is complete. @label: no end-of-batch reply follows */
__noinline int scope_finish(struct conn *c, struct entry *e, u64 rows, u64 done_ns, u32 label)
{
	struct xfer *x = xfer_leaf();

	if (!c || !x || !e || !e->scope)
		return 0;
	scope_leave(e->scope, e->epoch, e->slot, done_ns, rows, x->now);
	if (e->scope_kind == SONDE_SCOPE_BURST && !label) {
		c->last.id = e->id;
		c->last.params = e->params;
		c->last.verb = e->verb;
		c->last.done.done_ns = done_ns;
		c->last.done.rows = rows;
	}
	if (e->token && label) {
		e->token = 0;
		loop_gives_back(c->scope_ctx, e->scope, e->epoch, x->now);
	}
	return 0;
}

/* The first statement of a transaction that began without BEGIN was counted in a burst: from now on it is in the transaction's. */
__noinline int scope_txn_opened(struct conn *c)
{
	struct xfer *x = xfer_get();
	struct entry e = {};
	u32 slot;

	if (!c || !x)
		return 0;
	c->scope_flags |= SCOPE_IMPLICIT;
	if (!c->last.id || !sonde_scope_judges(c->last.verb, 0))
		return 0;
	e.id = c->last.id;
	e.params = c->last.params;
	e.verb = c->last.verb;
	scope_describe(c, &e, x->now, &x->what);
	x->pick.key = c->id ^ SCOPE_TXN_BIT;
	x->pick.kind = SONDE_SCOPE_TRANSACTION;
	x->pick.name = 0;
	x->pick.epoch = 0;
	slot = scope_put(&x->pick, &x->what);
	scope_leave(x->pick.key, x->pick.epoch, slot, c->last.done.done_ns, c->last.done.rows, x->now);
	return 0;
}

/** scope_replied - a database's replies have been looked at */
__noinline int scope_replied(struct conn *c, u32 label)
{
	struct xfer *x = xfer_get();
	bool open;

	if (!c || !x)
		return 0;
	open = c->txn == SONDE_TXN_OPEN || c->txn == SONDE_TXN_FAILED;
	if (c->scope_flags & SCOPE_TXN_OPENED)
		scope_txn_opened(c);
	if (c->scope_flags & SCOPE_TXN_OVER || (!open && c->scope_flags & SCOPE_IMPLICIT && c->head == c->tail)) {
		scope_close(c->id ^ SCOPE_TXN_BIT, 0, 0, x->now);
		if (!(c->scope_flags & SCOPE_TXN_OVER))
			c->scope_flags &= ~SCOPE_IMPLICIT; /* a statement that began none */
	}
	c->scope_flags &= ~(SCOPE_TXN_OVER | SCOPE_TXN_OPENED);
	c->last.id = 0;
	if (c->head != c->tail)
		return 0;
	c->scope_flags &= ~SCOPE_BEGUN;
	open |= !!(c->scope_flags & SCOPE_HELD);
	if (c->owner && !open)
		scope_let_go(c, x->now);
	if (c->scope_flags & SCOPE_LOOP)
		loop_replied(c->scope_ctx, c->id, !open && !label, x->now);
	return 0;
}

/** scope_connected - a new connection of a client: made for one request, while others may find one that is free */
__noinline int scope_connected(struct conn *c)
{
	struct scope_context *ctx;
	u64 key;

	if (!c)
		return 0;
	c->scope_flags &= ~SCOPE_STARTUP;
	key = context_key(&c->runtime);
	ctx = bpf_map_lookup_elem(&contexts, &key);
	if (!ctx || !ctx->async)
		return 0;
	c->scope_ctx = key;
	c->scope_flags |= SCOPE_LOOP;
	loop_doubt(key, 1);
	return 0;
}

/** scope_conn_closed - nothing more will come on the connection */
__noinline int scope_conn_closed(struct conn *c)
{
	u64 now = bpf_ktime_get_ns();

	if (!c || c->state != CONN_OPEN)
		return 0;
	if (c->aside) {
		scope_request_ends(c, 1, now);
		return 0;
	}
	if (c->scope_flags & SCOPE_LOOP)
		loop_closed(c->scope_ctx, c->id);
	scope_close(c->id ^ SCOPE_TXN_BIT, 0, 0, now);
	scope_close(sonde_mix64(c->id ^ c->scope_ctx), 0, 0, now);
	if (c->owner)
		scope_let_go(c, now);
	return 0;
}

#endif /* SONDE_SCOPE_CONN_BPF_H */
