/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scope_request.bpf.h - inbound requests, to which the statements of the thread (or goroutine) that has read them belong.
 *
 * A thread that reads a second request before it has answered the first, or the end of its connection, is an event loop from then on.
 */
#ifndef SONDE_SCOPE_REQUEST_BPF_H
#define SONDE_SCOPE_REQUEST_BPF_H

#include "context.bpf.h"
#include "queue.bpf.h"
#include "scope_loop.bpf.h"

/* The thread begins to read a second request before it has answered the first: it is an event loop. */
static __always_inline void scope_becomes_loop(struct scope_context *ctx, u64 key, u64 now)
{
	struct sonde_scope *s = bpf_map_lookup_elem(&scopes, &ctx->scope);

	ctx->async = 1;
	if (!s || s->epoch != ctx->epoch || !(s->flags & SONDE_SCOPE_OPEN))
		return;
	s->kind = SONDE_SCOPE_ASYNC;
	loop_request(s, key, 1, now);
}

/** scope_request - the request @seq of an inbound connection has come */
__noinline int scope_request(struct conn *c, u32 seq)
{
	struct scope_context fresh = {}, *ctx;
	struct xfer *x = xfer_get();
	struct sonde_scope *s;
	struct entry *e;
	u64 key, id;

	if (!c || !x)
		return 0;
	e = track_entry(c, seq);
	if (!e || !(e->flags & ENTRY_STATEMENT))
		return 0;
	if (seq != c->head) { /* pipelined: begins when those before it are answered; a loop may not wait so long */
		loop_doubt(c->scope_ctx, 0);
		return 0;
	}
	key = context_key(&c->runtime);
	c->scope_ctx = key;
	id = c->id;
	WRITE_ONCE(inbound, 1);
	ctx = bpf_map_lookup_elem(&contexts, &key);
	if (!ctx) {
		bpf_map_update_elem(&contexts, &key, &fresh, BPF_ANY);
		ctx = bpf_map_lookup_elem(&contexts, &key);
		if (!ctx)
			return 0;
	}
	if (ctx->scope && ctx->scope != id && !ctx->answered && !ctx->async && c->runtime != RUNTIME_GO)
		scope_becomes_loop(ctx, key, x->now);
	e->scope = id;
	e->epoch = scope_begin(id, e->id, ctx->async ? SONDE_SCOPE_ASYNC : SONDE_SCOPE_REQUEST, x->now);
	ctx->scope = id;
	ctx->epoch = e->epoch;
	ctx->answered = 0;
	if (!ctx->async)
		return 0;
	s = bpf_map_lookup_elem(&scopes, &id);
	if (s)
		loop_request(s, key, 0, x->now);
	return 0;
}

/** scope_request_goes_on - more of the oldest request of an inbound connection has come */
__noinline int scope_request_goes_on(struct conn *c)
{
	struct xfer *x = xfer_get();
	struct sonde_scope *s;
	u64 id;

	if (!c || !x)
		return 0;
	id = c->id;
	s = bpf_map_lookup_elem(&scopes, &id);
	if (s && s->kind == SONDE_SCOPE_ASYNC && s->flags & SONDE_SCOPE_OPEN)
		loop_again(s, c->scope_ctx, x->now);
	return 0;
}

/** scope_response_begins - a part of the oldest response of an inbound connection has been sent */
__noinline int scope_response_begins(struct conn *c)
{
	struct xfer *x = xfer_get();
	struct sonde_scope *s;
	u64 id;

	if (!c || !x)
		return 0;
	id = c->id;
	s = bpf_map_lookup_elem(&scopes, &id);
	if (!s || !(s->flags & SONDE_SCOPE_OPEN) || s->flags & SONDE_SCOPE_ANSWERED)
		return 0;
	s->flags |= SONDE_SCOPE_ANSWERED;
	if (s->kind == SONDE_SCOPE_ASYNC)
		loop_answer(s, c->scope_ctx, 0, x->now);
	return 0;
}

/*
 * Whether the client of the open request in @s has given up, and its thread has found that out before it answered. A thread that handles
 * one request after the other does not look: it is an event loop, and the handler goes on, whatever is read next.
 */
static __always_inline bool scope_is_deserted(const struct conn *c, const struct sonde_scope *s)
{
	return c->said_all && c->runtime != RUNTIME_GO && s && s->kind == SONDE_SCOPE_REQUEST && s->flags & SONDE_SCOPE_OPEN &&
	       !(s->flags & SONDE_SCOPE_ANSWERED);
}

static __always_inline void scope_request_ends(struct conn *c, u32 gave_up, u64 now)
{
	u64 id = c->id, key = c->scope_ctx;
	struct scope_context *ctx;
	struct sonde_scope *s;
	u32 unsure = 0, deserted;

	c->scope_flags &= ~SCOPE_REQUEST_OVER;
	s = bpf_map_lookup_elem(&scopes, &id);
	if (s && s->flags & SONDE_SCOPE_OPEN && s->kind == SONDE_SCOPE_ASYNC) {
		if (!(s->flags & SONDE_SCOPE_ANSWERED))
			loop_answer(s, key, gave_up, now);
		unsure = !loop_over(key, s->gen, now);
	}
	deserted = gave_up && scope_is_deserted(c, s);
	scope_close(id, 0, unsure, now);
	ctx = bpf_map_lookup_elem(&contexts, &key);
	if (ctx && ctx->scope == id) {
		ctx->scope = 0;
		ctx->async |= deserted;
	}
}

/** scope_request_over - the oldest request of an inbound connection has been answered */
__noinline int scope_request_over(struct conn *c)
{
	struct xfer *x = xfer_get();

	if (!c || !x)
		return 0;
	scope_request_ends(c, 0, x->now);
	if (c->head != c->tail)
		scope_request(c, c->head);
	return 0;
}

/** scope_answering - a response that ends with its connection, whose end may not be seen, has begun */
static __always_inline void scope_answering(struct conn *c)
{
	u64 key = c->scope_ctx;
	struct scope_context *ctx = bpf_map_lookup_elem(&contexts, &key);

	if (ctx && ctx->scope == c->id)
		ctx->answered = 1;
}

#endif /* SONDE_SCOPE_REQUEST_BPF_H */
