/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scope_loop.bpf.h - the event loops of traced processes, one for each thread that is one: include/sonde/loop.h says how
 * statements are put on requests.
 */
#ifndef SONDE_SCOPE_LOOP_BPF_H
#define SONDE_SCOPE_LOOP_BPF_H

#include "conn.bpf.h"
#include "scope.bpf.h"
#include "sonde/loop.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, u64);
	__type(value, struct sonde_loop);
} loops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_loop);
} zero_loop SEC(".maps");

static __always_inline struct sonde_loop *loop_get(u64 ctx)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx), *zero;
	u32 z = 0;

	if (l)
		return l;
	zero = bpf_map_lookup_elem(&zero_loop, &z);
	if (!zero)
		return NULL;
	bpf_map_update_elem(&loops, &ctx, zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&loops, &ctx);
}

/** loop_request - the request in scope @s comes; @joins: it came earlier, and waits for @s->held replies */
__noinline int loop_request(struct sonde_scope *s, u64 ctx, u32 joins, u64 now)
{
	struct sonde_loop *l = loop_get(ctx);

	if (!l || !s)
		return 0;
	if (joins)
		s->token = sonde_loop_join(l, s->key, s->epoch, s->flags & SONDE_SCOPE_ANSWERED ? 1 : s->held);
	else
		s->token = sonde_loop_request(l, s->key, s->epoch, now);
	s->gen = l->gen;
	return 0;
}

/** loop_again - more of the request in scope @s has come */
__noinline int loop_again(struct sonde_scope *s, u64 ctx, u64 now)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx);

	if (l && s)
		s->token = sonde_loop_again(l, s->key, s->epoch, s->token, now);
	return 0;
}

/* The same as loop_back(), where calls go no deeper. */
static __always_inline int loop_gives_back(u64 ctx, u64 scope, u32 epoch, u64 now)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx);
	struct sonde_loop_token to = { .scope = scope, .epoch = epoch };
	struct sonde_scope *s;

	if (!l)
		return 0;
	s = bpf_map_lookup_elem(&scopes, &scope);
	if (!s || s->epoch != epoch || !(s->flags & SONDE_SCOPE_OPEN)) {
		if (!sonde_loop_heir(l, scope, epoch, &to))
			return 1;
		s = bpf_map_lookup_elem(&scopes, &to.scope);
	}
	if (s && s->epoch == to.epoch && s->flags & SONDE_SCOPE_OPEN)
		s->token = sonde_loop_back(l, to.scope, to.epoch, now);
	return 1;
}

/** loop_back - the reply that request @scope waited for is there; returns 1 if its thread is an event loop */
__noinline int loop_back(u64 ctx, u64 scope, u32 epoch, u64 now)
{
	return loop_gives_back(ctx, scope, epoch, now);
}

/** loop_replied - connection @conn has brought all its replies; @free: whoever waits for one may have it */
__noinline int loop_replied(u64 ctx, u64 conn, u32 free, u64 now)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx);

	if (!l)
		return 0;
	sonde_loop_turn(l, now);
	if (free)
		sonde_loop_freed(l, conn, now);
	return 0;
}

/** loop_closed - connection @conn is closed */
__noinline int loop_closed(u64 ctx, u64 conn)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx);

	if (l)
		sonde_loop_used(l, conn);
	return 0;
}

/** loop_doubt - something happens that mixes up more than @least requests in progress, if there are so many */
__noinline int loop_doubt(u64 ctx, u32 least)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx);

	if (l && l->inflight > least)
		sonde_loop_unsure(l);
	return 0;
}

/**
 * loop_take - the request that sends a statement over connection @conn
 *
 * Fills pick's key and epoch in, and returns 1; 0 if it is not sure.
 */
__noinline int loop_take(struct scope_pick *pick, u64 ctx, u64 conn, u32 shared, u64 now)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx);
	struct sonde_loop_token took;
	int sure;

	if (!l || !pick)
		return 0;
	sure = sonde_loop_take(l, conn, shared, now, &took);
	pick->key = took.scope;
	pick->epoch = took.epoch;
	return sure;
}

/** loop_answer - the request in scope @s begins its response; @gave_up: its client does not wait for it */
__noinline int loop_answer(struct sonde_scope *s, u64 ctx, u32 gave_up, u64 now)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx);

	if (!l || !s)
		return 0;
	if (gave_up) /* its handler goes on nevertheless */
		sonde_loop_unsure(l);
	sonde_loop_answer(l, s->key, s->epoch, s->token, now);
	return 0;
}

/** loop_over - a request of generation @gen is over; returns 1 if all that was counted for it is sure */
__noinline int loop_over(u64 ctx, u32 gen, u64 now)
{
	struct sonde_loop *l = bpf_map_lookup_elem(&loops, &ctx);

	return l ? sonde_loop_over(l, gen, now) : 0;
}

#endif /* SONDE_SCOPE_LOOP_BPF_H */
