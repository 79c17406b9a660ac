/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown_loop.bpf.h - the time of a thread that has several requests open: whose a slice is (sonde/share.h), and what each of
 * them waits for meanwhile. Included by breakdown.bpf.c alone.
 *
 * Linux before 6.8 verifies global functions that nothing calls, too: each begins with a look at bd_conf.on, so that without
 * --breakdown it refers to no map.
 */
#ifndef SONDE_BREAKDOWN_LOOP_BPF_H
#define SONDE_BREAKDOWN_LOOP_BPF_H

#include "breakdown.bpf.h"

/* Begins a slice. */
static __always_inline void bd_empty(struct bd_thread *t, u64 now)
{
	t->slice_ns = now;
	t->cpu_ns = 0;
	for (u32 i = 0; i < BD_CALLS; i++)
		t->net_ns[i] = 0;
	for (u32 i = 0; i < SONDE_WAITS; i++)
		t->wait_ns[i] = 0;
}

/**
 * bd_give - what the thread has done since @t->slice_ns is request @r's
 *
 * What is waited for at sockets and is not known by now: one of which no more is known, or none.
 */
static __always_inline void bd_give(struct bd_thread *t, struct bd_request *r, u64 now)
{
	r->cpu_ns += t->cpu_ns;
	r->dep_ns[SONDE_DEP_SOCKET] += t->net_ns[BD_RECEIVES] + t->net_ns[BD_SENDS];
	r->wait_ns[SONDE_WAIT_OTHER] += t->net_ns[BD_POLLS];
	for (u32 i = 0; i < SONDE_WAITS; i++)
		r->wait_ns[i] += t->wait_ns[i];
	r->mark_ns = now;
	bd_empty(t, now);
}

/** bd_slice - the slice that ends @now is that of @request, 0: nobody's */
__noinline int bd_slice(struct bd_thread *t, u64 request, u64 now)
{
	struct bd_request *r;

	if (!bd_conf.on || !t)
		return 0;
	r = bd_request_get(request);
	if (!r || r->mark_ns > t->slice_ns) {
		bd_empty(t, now);
		return 0;
	}
	/* Lazy loops: ready, but others went first. */
	if (sonde_share_lazy(&t->share) && sonde_share_is_ready(&t->share, request, r->place))
		r->loop_ns += t->slice_ns - r->mark_ns;
	bd_give(t, r, now);
	return 0;
}

/* The thread is about to wait for events. */
static __always_inline void bd_polls(struct bd_thread *t, u64 now)
{
	bd_slice(t, sonde_share_of_read(&t->share), now);
	sonde_share_waits(&t->share);
	t->polled = 1;
}

/** bd_becomes_loop - the thread reads another request while one is open. What that one waits for will be known when it is there */
__noinline int bd_becomes_loop(struct bd_thread *t, u64 now)
{
	struct sonde_share *s;
	struct bd_request *r;
	u64 polled, one;

	if (!bd_conf.on || !t)
		return 0;
	s = &t->share;
	one = s->cur;
	t->loop = 1;
	polled = t->net_ns[BD_POLLS];
	t->net_ns[BD_POLLS] = 0;
	now = bd_ran(t, now);
	r = bd_request_get(one);
	if (r) {
		bd_give(t, r, now);
		r->mark_ns = now - polled;
		r->shared = 1;
		r->place = s->oldest - 1;
		if (!s->wrote)
			r->place = sonde_share_read(s, one, r->place, 0);
	} else {
		bd_empty(t, now);
	}
	if (polled)
		sonde_share_waits(s);
	return 0;
}

/** bd_arrives - bytes were read that request @r waited for: until they came, and then until the thread came to read them */
__noinline int bd_arrives(struct bd_thread *t, struct bd_request *r, const struct bd_use *use, u64 now)
{
	u64 came, ns;
	u32 kind;

	if (!bd_conf.on || !t || !r || !use)
		return 0;
	came = use->came_ns;
	kind = use->kind < SONDE_DEPS ? use->kind : SONDE_DEP_SOCKET;
	if (!came || came > now)
		came = now;
	if (came < r->mark_ns || sonde_share_is_ready(&t->share, use->owner, r->place))
		came = r->mark_ns;
	if (r->mark_ns < now) {
		ns = came - r->mark_ns;
		r->dep_ns[kind] += ns;
		r->loop_ns += now - came;
		r->mark_ns = now;
		if (ns && kind != SONDE_DEP_SOCKET)
			bd_slot_add(r, use->id, kind, use->proto, ns, 0);
	}
	r->place = sonde_share_read(&t->share, use->owner, r->place, use->fresh ? 0 : use->came_ns);
	return 0;
}

/* The request that @use is for, if it is still open and of this thread. */
static __always_inline struct bd_request *bd_request_of(const struct bd_use *use)
{
	struct bd_request *r = bd_request_get(use->owner);

	return r && r->thread == use->self && (use->kind == BD_INBOUND || r->epoch == use->epoch) ? r : NULL;
}

/** bd_shared_read - something was read */
__noinline int bd_shared_read(struct bd_thread *t, const struct bd_use *use, u64 now)
{
	struct bd_request *r;

	if (!bd_conf.on || !t || !use)
		return 0;
	bd_slice(t, sonde_share_of_read(&t->share), now);
	r = bd_request_of(use);
	if (r)
		bd_arrives(t, r, use, now);
	else
		sonde_share_read(&t->share, 0, 0, use->fresh ? 0 : use->came_ns);
	if (use->kind != BD_INBOUND && use->busy == 1)
		t->share.freed = use->conn;
	return 0;
}

/** bd_sender - who sends over @conn, on which nothing is outstanding */
__noinline u64 bd_sender(struct bd_thread *t, u64 conn)
{
	return bd_conf.on && t ? sonde_share_sender(&t->share, conn) : 0;
}

enum bd_how {
	BD_GUESSED = 0,
	BD_SURE,
	BD_LATER, /* sure, and the connection has just been made: it says nothing of the loop's order */
};

/** bd_writes - request @r, that of connection @use->owner, sends. @how: enum bd_how */
__noinline int bd_writes(struct bd_thread *t, struct bd_request *r, const struct bd_use *use, u64 now, u32 how)
{
	u64 came;

	if (!bd_conf.on || !t || !r || !use)
		return 0;
	if (how == BD_LATER &&
	    r->mark_ns < t->slice_ns) { /* until the connection was made, and then until it is used */
		came = use->came_ns > r->mark_ns && use->came_ns < t->slice_ns ? use->came_ns : r->mark_ns;
		r->dep_ns[SONDE_DEP_SOCKET] += came - r->mark_ns;
		r->loop_ns += t->slice_ns - came;
		r->mark_ns = t->slice_ns;
	}
	if (how != BD_LATER)
		sonde_share_learn(&t->share, use->conn, use->owner, r->place, how == BD_SURE);
	bd_slice(t, sonde_share_of_write(&t->share, use->owner), now);
	r->mark_ns = now;
	sonde_share_wrote(&t->share, use->owner, r->place);
	return 0;
}

/* The request that a connection was made for, once. */
static __always_inline u64 bd_made_for(struct bd_use *use)
{
	u64 sk = use->sk, owner;
	struct bd_sock *s;

	if (bd_conf.memory)
		return 0;
	s = sk ? bpf_map_lookup_elem(&bd_socks, &sk) : NULL;
	if (!s || !s->owner)
		return 0;
	owner = s->owner;
	use->epoch = s->epoch;
	use->came_ns = s->came_ns;
	s->owner = 0;
	s->came_ns = 0;
	return owner;
}

/** bd_shared_write - something was sent */
__noinline int bd_shared_write(struct bd_thread *t, struct bd_use *use, u64 now)
{
	struct bd_request *r;
	u64 made_for;
	u32 how = BD_GUESSED;

	if (!bd_conf.on || !t || !use)
		return 0;
	r = use->kind == BD_INBOUND || use->busy ? bd_request_of(use) : NULL;
	if (r)
		how = BD_SURE;
	made_for = r || use->kind == BD_INBOUND ? 0 : bd_made_for(use);
	if (made_for) {
		use->owner = made_for;
		r = bd_request_of(use);
		how = BD_LATER;
	}
	if (!r && use->kind != BD_INBOUND) {
		how = BD_GUESSED;
		use->owner = bd_sender(t, use->conn);
		r = bd_request_get(use->owner);
	}
	if (!r) {
		use->owner = 0;
		return 0;
	}
	use->epoch = r->epoch;
	return bd_writes(t, r, use, now, how);
}

/* The thread, which has several requests open, has used a socket. */
static __always_inline void bd_shared(struct bd_thread *t, struct bd_use *use)
{
	u64 now = bd_ran(t, use->now);

	if (!use->conn)
		return;
	if (use->sent)
		bd_shared_write(t, use, now);
	else
		bd_shared_read(t, use, now);
}

#endif /* SONDE_BREAKDOWN_LOOP_BPF_H */
