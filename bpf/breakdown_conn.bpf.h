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
#include "filter.bpf.h"
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

/*
 * When what is being received from the socket xfer->sk had come: xfer->came, xfer->fresh. What comes from now on is new. Nobody notes that,
 * and nobody asks, where it is memory that requests take.
 */
static __always_inline void bd_came(struct xfer *x)
{
	struct bd_sock fresh = { .used = 1 }, *s;
	u64 sk = x->sk, came;
	u32 ports;

	x->came = 0;
	x->fresh = 1;
	if (bd_conf.memory)
		return;
	s = sk ? bpf_map_lookup_elem(&bd_socks, &sk) : NULL;
	if (!s) {
		if (sk)
			bpf_map_update_elem(&bd_socks, &sk, &fresh, BPF_NOEXIST);
		return;
	}
	came = s->came_ns;
	x->fresh = !s->used;
	s->came_ns = 0;
	s->used = 1;
	ports = BPF_CORE_READ((struct sock *)sk, __sk_common.skc_portpair);
	if (s->ports == ports)
		x->came = came;
}

/** bd_tell - the requests that connection @c has just sent are conn.owner's, until they are answered */
__noinline int bd_tell(struct conn *c, u64 now)
{
	if (!bd_conf.on || !c)
		return 0;
	for (u32 i = 1; i <= CONN_INLINE; i++) {
		struct entry *e = &c->fifo[(c->tail - i) & (CONN_INLINE - 1)];

		if (e->seq != c->tail - i || e->start_ns != now || c->tail - c->head < i)
			break;
		e->scope = c->owner;
		e->epoch = c->owner_epoch;
	}
	return 0;
}

/* Connection @c was used by the current thread, in the direction of @use->sent. What it sends belongs to a request from now on. */
static __always_inline void bd_uses(struct conn *c, struct bd_use *use)
{
	bool upstream = use->kind != BD_INBOUND;

	use->self = bd_thread_self();
	use->conn = c->id;
	if (!upstream)
		use->owner = c->id;
	bd_socket(use);
	if (upstream && use->sent && c->role != SONDE_ROLE_SERVER) {
		c->owner = use->owner;
		c->owner_epoch = use->epoch;
		bd_tell(c, use->now);
	}
}

/**
 * bd_unread - a socket was used that is not looked into, or is not known (@c NULL)
 *
 * Not one under TLS: the plaintext that follows tells whose it is.
 */
__noinline int bd_unread(struct conn *c, u32 sent)
{
	struct bd_use use = { .kind = SONDE_DEP_SOCKET, .sent = sent };
	struct xfer *x;

	if (!bd_conf.on || (c && (c->state == CONN_OPEN || c->tied)))
		return 0;
	use.now = bpf_ktime_get_ns();
	if (!c || c->state == CONN_IGNORED) {
		use.self = bd_thread_self();
		return bd_socket(&use);
	}
	x = xfer_get();
	if (!x)
		return 0;
	use.sk = x->sk;
	if (!sent) {
		bd_came(x);
		use.came_ns = x->came;
		use.fresh = x->fresh;
	}
	use.owner = c->owner;
	use.epoch = c->owner_epoch;
	bd_uses(c, &use);
	return 0;
}

/* Go: a request is the goroutine's that sends it, or that another one does it for. */
static __always_inline void bd_goroutine_sends(struct conn *c, u64 self, u64 now)
{
	u64 *whose = bd_kind(c->proto) == SONDE_DEP_HTTP ? bpf_map_lookup_elem(&bd_speaks, &self) : NULL;
	struct bd_thread *t = bd_thread_get(whose ? *whose : self);
	struct bd_request *r = t && t->nr_open ? bd_request_get(t->share.cur) : NULL;

	c->owner = r ? t->share.cur : 0;
	c->owner_epoch = r ? r->epoch : 0;
	if (r) {
		if (r->sent_ns <= r->mark_ns) /* no reply is outstanding */
			bd_give_parks(t, r);
		r->sent_ns = now;
		r->sent_spent = bd_spent(t, now);
	}
	bd_tell(c, now);
}

/**
 * bd_used - connection @c was used by the current thread
 *
 * To be called before (@after 0) and after what was transferred is looked at. What was received counts before it takes its request
 * out of the queue; what was sent afterwards, when its request is there. Of an upstream, conn.owner and conn.owner_epoch say
 * which request has sent last, entry.scope and entry.epoch which has sent what is outstanding.
 */
__noinline int bd_used(struct conn *c, u32 sent, u32 after)
{
	struct bd_use use = { .kind = SONDE_DEP_SOCKET, .sent = sent };
	struct xfer *x = xfer_get();
	struct entry *e;
	u64 self;

	if (!bd_conf.on || !c || !x || sent != after)
		return 0;
	use.now = x->now;
	use.sk = x->sk;
	use.owner = c->owner;
	use.epoch = c->owner_epoch;
	if (!sent) {
		bd_came(x);
		use.came_ns = x->came;
		use.fresh = x->fresh;
	}
	if (c->role == SONDE_ROLE_SERVER && c->state == CONN_OPEN)
		use.kind = BD_INBOUND;
	if (c->role == SONDE_ROLE_CLIENT && c->state == CONN_OPEN) {
		use.proto = c->proto;
		use.busy = c->tail - c->head;
		e = track_entry(c, c->head);
		if (e) {
			use.kind = bd_kind(c->proto);
			use.id = e->flags & ENTRY_STATEMENT ? e->id : 0;
		}
		if (e && !sent) {
			use.owner = e->scope;
			use.epoch = e->epoch;
		}
		e = sent ? track_entry(c, c->tail - 1) : NULL;
		if (e && e->start_ns == x->now) /* a new one */
			use.busy = 0;
		if (sent && c->owner && (c->txn == SONDE_TXN_OPEN || c->txn == SONDE_TXN_FAILED))
			use.busy++;
		self = sent ? bd_self(c) : 0;
		if (self & BD_GOROUTINE) {
			if (!use.busy || !c->owner)
				bd_goroutine_sends(c, self, x->now);
			else
				bd_tell(c, x->now);
			return 0;
		}
	}
	bd_uses(c, &use);
	return 0;
}

/* The request that has just begun on @c is to endpoint @id. */
static __always_inline void bd_of(const struct conn *c, u64 id)
{
	struct bd_request *r = bd_request_get(c->id);

	if (!r || r->thread != c->owner)
		return;
	r->of.id = id;
	r->of.peer = c->peer;
	r->of.proc = c->proc;
	r->of.proto = c->proto;
	r->of.role = c->role;
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
	u64 id, sk;

	if (!bd_conf.on || !c || !x || c->role != SONDE_ROLE_SERVER || c->scoped == c->tail)
		return 0;
	e = c->scoped == c->head ? track_entry(c, c->head) : NULL; /* one behind another is divided by nobody */
	c->scoped = c->tail;
	if (!e || !(e->flags & ENTRY_STATEMENT) || bd_kind(c->proto) != SONDE_DEP_HTTP)
		return 0;
	c->owner = bd_self(c);
	c->owner_epoch = e->seq;
	id = e->id;
	sk = x->sk;
	if (filter_is_set() && sk && x->fresh)
		bd_answers_at(BPF_CORE_READ((struct sock *)sk, __sk_common.skc_num));
	bd_begin(c->owner, c->id, e->start_ns, x->came, x->fresh);
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

/*
 * How long goroutine @r->thread has waited for the reply to what it had sent at @begin_ns: what is not told yet of that time, without
 * what it has executed meanwhile.
 */
static __always_inline u64 bd_goroutine_waits(struct bd_request *r, u64 begin_ns, u64 end_ns)
{
	u64 since = begin_ns > r->mark_ns ? begin_ns : r->mark_ns, before, spent, ns;
	struct bd_thread *t = bd_thread_get(r->thread);

	if (end_ns <= since)
		return 0;
	ns = end_ns - since;
	before = since == r->sent_ns ? r->sent_spent : r->spent;
	spent = t ? bd_spent(t, end_ns) : before;
	r->mark_ns = end_ns;
	r->spent = spent;
	if (t)
		__builtin_memset(t->park_ns, 0, sizeof(t->park_ns));
	spent = spent > before ? spent - before : 0;
	return ns > spent ? ns - spent : 0;
}

/* One reply more, to statement or request @id, @e, sent at @begin_ns; a goroutine has waited for it. */
static __always_inline void bd_reply(struct conn *c, const struct entry *e, u64 id, u64 begin_ns, u64 end_ns)
{
	struct bd_request *r = bd_request_get(e->scope);
	u32 kind = bd_kind(c->proto);
	u64 ns = 0;

	if (!r || r->epoch != e->epoch)
		return;
	if (r->thread & BD_GOROUTINE) {
		ns = bd_goroutine_waits(r, begin_ns, end_ns);
		r->dep_ns[kind == SONDE_DEP_HTTP ? SONDE_DEP_HTTP : SONDE_DEP_DATABASE] += ns;
	}
	bd_slot_add(r, id, kind, c->proto, ns, 1);
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
			bd_reply(c, e, key->id, begin_ns, x->now);
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
