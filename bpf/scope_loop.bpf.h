/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scope_loop.bpf.h - which request a statement of an event loop belongs to (node, asyncio: one thread, many requests).
 *
 * Nothing on the wire says so, but the order does as long as replies of databases are all that requests wait for: each
 * request has one token. It joins the queue of its loop when it comes, and again with each reply it was waiting for; a
 * statement takes the oldest; the response takes it away. A connection inside a transaction, or between prepare and
 * execute, belongs to one request meanwhile.
 *
 * Where requests wait for other things (timers, several statements at once) tokens go missing or stay behind. That is
 * noticed: a statement finds no token, a token waits while a connection is free, a response's token is not in the queue.
 * From then on nothing is sure until no request is in progress, and what has no sure request counts for the process only.
 */
#ifndef SONDE_SCOPE_LOOP_BPF_H
#define SONDE_SCOPE_LOOP_BPF_H

#include "conn.bpf.h"
#include "scope.bpf.h"

#define LOOP_TOKENS 256u /* requests that wait at once; power of two */
#define LOOP_SAME_TURN_NS 500000ULL /* tokens that came this recently may not have had their turn yet */
#define LOOP_REST_NS 10000000000ULL /* after this nothing is in progress, whatever was not seen to end */

struct loop_token {
	u64 scope;
	u64 time_ns;
	u32 epoch;
	u32 pad;
};

/**
 * struct loop - an event loop
 * @head, @tail: of the queue; @inflight: requests in progress
 * @gen: changes whenever what is in progress is no longer sure; @dirty: it has, and some of it is still in progress
 */
struct loop {
	u64 last_ns;
	u32 head, tail;
	u32 inflight;
	u32 gen;
	u32 dirty;
	u32 pad;
	struct loop_token token[LOOP_TOKENS];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, u64);
	__type(value, struct loop);
} loops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct loop);
} zero_loop SEC(".maps");

#define TOKEN(i) ((i) & (LOOP_TOKENS - 1))

static __always_inline struct loop *loop_get(u64 ctx)
{
	struct loop *l = bpf_map_lookup_elem(&loops, &ctx), *zero;
	u32 z = 0;

	if (l)
		return l;
	zero = bpf_map_lookup_elem(&zero_loop, &z);
	if (!zero)
		return NULL;
	bpf_map_update_elem(&loops, &ctx, zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&loops, &ctx);
}

/* From here on it is not sure what belongs to which of the requests in progress. */
static __always_inline void loop_unsure(struct loop *l)
{
	l->dirty = 1;
	l->gen++;
}

static __always_inline void loop_append(struct loop *l, u64 scope, u32 epoch, u64 now)
{
	struct loop_token *t;

	if (l->tail - l->head >= LOOP_TOKENS) {
		loop_unsure(l);
		return;
	}
	t = &l->token[TOKEN(l->tail)];
	t->scope = scope;
	t->epoch = epoch;
	t->time_ns = now;
	l->tail++;
}

/** loop_request - a request comes, in container @scope; returns the generation it belongs to */
__noinline u32 loop_request(u64 ctx, u64 scope, u32 epoch, u64 now)
{
	struct loop *l = loop_get(ctx);

	if (!l)
		return 0;
	if (!l->inflight || now - l->last_ns > LOOP_REST_NS) {
		l->inflight = 0;
		l->head = l->tail;
		l->dirty = 0;
	}
	l->last_ns = now;
	l->inflight++;
	loop_append(l, scope, epoch, now);
	return l->gen;
}

/** loop_token_back - the reply that request @scope waited for is there */
static __always_inline void loop_token_back(u64 ctx, u64 scope, u32 epoch, u64 now)
{
	struct loop *l = bpf_map_lookup_elem(&loops, &ctx);

	if (!l || !scope)
		return;
	l->last_ns = now;
	loop_append(l, scope, epoch, now);
}

/** loop_keep - the request that has just come waits for @n replies already */
static __always_inline void loop_keep(u64 ctx, u32 n)
{
	struct loop *l = bpf_map_lookup_elem(&loops, &ctx);

	if (!l)
		return;
	l->tail--;
	if (n > 1)
		loop_unsure(l);
}

/**
 * loop_take - the request that sends a statement over a connection which has been idle since @idle_ns
 *
 * Fills pick's key and epoch in, and returns 1; 0 if it is not sure.
 */
__noinline int loop_take(struct scope_pick *pick, u64 ctx, u64 idle_ns, u64 now)
{
	struct loop *l = bpf_map_lookup_elem(&loops, &ctx);
	struct loop_token *t;

	if (!l || !pick)
		return 0;
	l->last_ns = now;
	if (l->head == l->tail) {
		loop_unsure(l);
		return 0;
	}
	t = &l->token[TOKEN(l->head)];
	/* It could have had this connection long ago: it waits for something else, and another request sends this. */
	if (l->tail - l->head > 1 && idle_ns < t->time_ns && now - t->time_ns > LOOP_SAME_TURN_NS)
		loop_unsure(l);
	pick->key = t->scope;
	pick->epoch = t->epoch;
	l->head++;
	return !l->dirty;
}

#define LOOP_SEARCH 64u /* tokens before the response's that are looked at in one go */

/** loop_answered - the response is sent; returns 1 if all that was counted for the request since generation @gen is sure */
__noinline int loop_answered(u64 ctx, u64 scope, u32 gen, u64 now)
{
	struct loop *l = bpf_map_lookup_elem(&loops, &ctx);
	u32 at = LOOP_TOKENS, nr;
	int sure;

	if (!l)
		return 0;
	nr = l->tail - l->head;
	for (u32 i = 0; i < LOOP_SEARCH && i < nr; i++) {
		if (l->token[TOKEN(l->head + i)].scope == scope) {
			at = i;
			break;
		}
	}
	if (at == LOOP_TOKENS) {
		loop_unsure(l);
	} else {
		/* The ones before it move up. */
		for (u32 i = 0; i < LOOP_SEARCH && i < at; i++)
			l->token[TOKEN(l->head + at - i)] = l->token[TOKEN(l->head + at - i - 1)];
		l->head++;
	}
	sure = !l->dirty && l->gen == gen;
	if (l->inflight)
		l->inflight--;
	if (!l->inflight) {
		l->head = l->tail;
		l->dirty = 0;
	}
	l->last_ns = now;
	return sure;
}

#endif /* SONDE_SCOPE_LOOP_BPF_H */
