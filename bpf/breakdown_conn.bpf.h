/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown_conn.bpf.h - what the connections of sockets tell the breakdown of requests: when a request comes and is answered,
 * which request outstanding the bytes that come belong to. All of it is dead code unless bd_conf.on.
 */
#ifndef SONDE_BREAKDOWN_CONN_BPF_H
#define SONDE_BREAKDOWN_CONN_BPF_H

#include "breakdown.bpf.h"
#include "conn.bpf.h"
#include "context.bpf.h"
#include "queue.bpf.h"

/* Whether requests of a protocol are HTTP's or a database's, from its row in proto.def. */
static __always_inline u32 bd_kind(u32 proto)
{
	switch (proto) {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)                                                           \
	case id:                                                                                                       \
		return SONDE_VIEW_##view == SONDE_VIEW_HTTP ? SONDE_DEP_HTTP : SONDE_DEP_DATABASE;
#include "sonde/proto.def"
	}
	return SONDE_DEP_SOCKET;
}

static __always_inline u64 bd_thread_self(void)
{
	return (u32)bpf_get_current_pid_tgid();
}

/* The current thread's or goroutine's key in bd_threads. */
static __always_inline u64 bd_self(struct conn *c)
{
	u64 key = context_key(&c->runtime);

	return c->runtime == RUNTIME_GO ? key | BD_GOROUTINE : bd_thread_self();
}

/**
 * bd_unread - a socket was used that is not looked into, or is not known
 *
 * Not one under TLS: the plaintext that follows tells whose it is.
 */
__noinline int bd_unread(struct conn *c, u32 sent)
{
	if (!bd_conf.on || (c && (c->state == CONN_OPEN || c->tied)))
		return 0;
	return bd_socket(bd_thread_self(), sent, SONDE_DEP_SOCKET, 0, 0);
}

/**
 * bd_used - connection @c was used by the current thread
 *
 * To be called before (@after 0) and after what was transferred is looked at. What was received counts before it takes its request
 * out of the queue; what was sent afterwards, when its request is there.
 */
__noinline int bd_used(struct conn *c, u32 sent, u32 after)
{
	struct entry *e;
	u32 kind = SONDE_DEP_SOCKET;
	u64 id = 0;

	if (!bd_conf.on || !c || sent != after)
		return 0;
	e = c->role == SONDE_ROLE_CLIENT && c->state == CONN_OPEN ? track_entry(c, c->head) : NULL;
	if (c->role == SONDE_ROLE_SERVER && c->state == CONN_OPEN)
		kind = BD_INBOUND;
	if (e) {
		kind = bd_kind(c->proto);
		id = e->flags & ENTRY_STATEMENT ? e->id : 0;
	}
	return bd_socket(bd_thread_self(), sent, kind, c->proto, id);
}

/* The request that has just begun on @c is to endpoint @id. */
static __always_inline void bd_of(const struct conn *c, u64 id)
{
	struct bd_thread *t = bd_thread_get(c->owner);

	if (!t || t->conn != c->id)
		return;
	t->of.id = id;
	t->of.peer = c->peer;
	t->of.proc = c->proc;
	t->of.proto = c->proto;
	t->of.role = c->role;
}

/**
 * bd_requests - something came on connection @c: if it is inbound, the requests that have begun since the last time
 *
 * The one under way: conn.owner says who has read it, conn.owner_epoch is its sequence number.
 */
__noinline int bd_requests(struct conn *c)
{
	struct xfer *x = xfer_get();
	struct entry *e;
	u64 id;

	if (!bd_conf.on || !c || !x || c->role != SONDE_ROLE_SERVER || c->scoped == c->tail)
		return 0;
	e = c->scoped == c->head ? track_entry(c, c->head) : NULL; /* one behind another is divided by nobody */
	c->scoped = c->tail;
	if (!e || !(e->flags & ENTRY_STATEMENT) || bd_kind(c->proto) != SONDE_DEP_HTTP)
		return 0;
	c->owner = bd_self(c);
	c->owner_epoch = e->seq;
	id = e->id;
	bd_begin(c->owner, c->id, e->start_ns);
	if (bd_conf.memory)
		bd_of(c, id);
	return 0;
}

/* The request that has been answered in what is being looked at: kept in conn.last, which has no other use then. */
static __always_inline void bd_keep(struct conn *c, const struct entry *e, u64 begin_ns, u64 end_ns)
{
	c->last.id = e->id;
	c->last.done.done_ns = begin_ns;
	c->last.done.rows = end_ns;
}

/* One reply more, to statement or request @id sent at @begin_ns; a goroutine has waited for it. */
static __always_inline void bd_reply(struct conn *c, u64 id, u64 begin_ns, u64 end_ns)
{
	u64 self = bd_self(c), since, ns = 0;
	struct bd_thread *t = bd_thread_get(self);
	u32 kind = bd_kind(c->proto);

	if (!t || !t->conn)
		return;
	if (self & BD_GOROUTINE) {
		since = begin_ns > t->mark_ns ? begin_ns : t->mark_ns;
		ns = end_ns > since ? end_ns - since : 0;
		t->mark_ns = end_ns;
		t->dep_ns[kind == SONDE_DEP_HTTP ? SONDE_DEP_HTTP : SONDE_DEP_DATABASE] += ns;
	}
	bd_slot_add(t, id, kind, c->proto, ns, 1);
}

/* A request that came while the one before it was not answered. */
static __always_inline void bd_unknown(const struct sonde_query_key *key, u64 ns)
{
	struct sonde_breakdown_stat *row = bd_row_get(key);

	if (!row)
		return;
	__sync_fetch_and_add(&row->count, 1);
	__sync_fetch_and_add(&row->total_ns, ns);
	bd_add_undivided(row, SONDE_UNDIVIDED_SHARED, ns);
}

/**
 * bd_finished - the oldest request or statement @e of @c, sent at @begin_ns, is complete
 *
 * Calls go no deeper here: a reply is counted, an answer kept for bd_over().
 */
__noinline int bd_finished(struct conn *c, const struct sonde_query_key *key, const struct entry *e, u64 begin_ns)
{
	struct xfer *x = xfer_leaf();

	if (!bd_conf.on || !c || !x || !key || !e)
		return 0;
	if (c->role == SONDE_ROLE_CLIENT) {
		if (!(e->flags & ENTRY_MORE))
			bd_reply(c, key->id, begin_ns, x->now);
	} else if (bd_kind(c->proto) == SONDE_DEP_HTTP) {
		if (c->owner && e->seq == c->owner_epoch) {
			bd_keep(c, e, begin_ns, x->now);
		} else {
			x->row = *key;
			bd_unknown(&x->row, x->now - begin_ns);
		}
	}
	return 0;
}

/**
 * bd_over - something has gone over inbound connection @c: the answer that bd_finished() kept, if there is one
 *
 * A request that has left the queue without an answer is over, too.
 */
__noinline int bd_over(struct conn *c)
{
	struct bd_answer a = {};

	if (!bd_conf.on || !c || c->role != SONDE_ROLE_SERVER || !c->owner)
		return 0;
	a.owner = c->owner;
	if (!c->last.id) {
		if (track_entry(c, c->owner_epoch))
			return 0;
		c->owner = 0;
		return bd_gave_up(a.owner, c->id);
	}
	a.key.id = c->last.id;
	a.key.peer = c->peer;
	a.key.proc = c->proc;
	a.key.proto = c->proto;
	a.key.role = c->role;
	a.conn = c->id;
	a.self = bd_self(c);
	a.begin_ns = c->last.done.done_ns;
	a.end_ns = c->last.done.rows;
	c->last.id = 0;
	c->owner = 0;
	return bd_answered(&a);
}

#endif /* SONDE_BREAKDOWN_CONN_BPF_H */
