/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loop.h - which request a statement of an event loop belongs to (node: one thread, many requests).
 *
 * Nothing on the wire says so, but the order does as long as replies of databases are all that requests wait for. Each request
 * has one token. It joins the queue when the request comes, and again with each reply it was waiting for; a statement takes the
 * oldest; the response takes it away. A connection inside a transaction, or between prepare and execute, belongs to one request
 * meanwhile.
 *
 * What a loop reads begins a turn, in which the request it was for goes on: it sends its next statement or its response, or joins
 * the line for a connection if none is free. Tokens of this turn are fresh; others wait for a connection, which they get in the
 * turn that frees it, in the order they came. That is also what shows that a program does something else (timers, several
 * statements at once, statements without a request):
 *
 * - a statement finds no token;
 * - it goes over a connection that nobody waited for, and the oldest token is not fresh, or another connection is free;
 * - a response is sent by a request that has no token, or whose token is not fresh while that of another is, which has done
 *   nothing yet: two requests have each other's token. Whoever of them is answered first shows it, and both are in progress then.
 *
 * From then on nothing that is in progress is sure; nor what comes before all of that has been answered.
 *
 * Pure: the same in the kernel and in tests.
 */
#ifndef SONDE_LOOP_H
#define SONDE_LOOP_H

#include "base.h"

#define SONDE_LOOP_TOKENS 256u /* requests that wait at once; power of two */
#define SONDE_LOOP_SKIP 32u /* tokens taken away that are passed by in one go */
#define SONDE_LOOP_HEIRS 8u
#define SONDE_LOOP_REST_NS 10000000000ULL /* after this nothing is in progress, whatever was not seen to end */

#define SONDE_LOOP_TOKEN(l, i) (&(l)->token[(i) & (SONDE_LOOP_TOKENS - 1)])

/** struct sonde_loop_token - @scope: container of the request, 0: taken away; @turn_ns: in which it came */
struct sonde_loop_token {
	u64 scope;
	u64 turn_ns;
	u32 epoch;
	u32 pad;
};

/** struct sonde_loop_heir - the token that @from was answered without belongs to @to when its reply brings it; @from 0: not used */
struct sonde_loop_heir {
	u64 from, to;
	u32 from_epoch, to_epoch;
};

/**
 * struct sonde_loop - an event loop
 * @turn_ns: when it read what it is about now
 * @last_ns: of its last event
 * @unsure_ns: since when what was in progress is no longer sure
 * @freed: connection that came free in this turn and has not been used since; @free: one before it; 0: none known
 * @head, @tail: of the queue; @fresh: first token of this turn; @live: tokens that have not been taken away
 * @inflight: requests in progress; @suspects: of them, those that were when it was last unsure
 * @gen: changes whenever what is in progress is no longer sure; @dirty: there are suspects
 */
struct sonde_loop {
	u64 turn_ns;
	u64 last_ns;
	u64 unsure_ns;
	u64 freed;
	u64 free;
	u32 head, tail, fresh;
	u32 live;
	u32 inflight;
	u32 suspects;
	u32 gen;
	u32 dirty;
	struct sonde_loop_heir heir[SONDE_LOOP_HEIRS];
	struct sonde_loop_token token[SONDE_LOOP_TOKENS];
};

/** sonde_loop_unsure - from here on it is not sure what belongs to which of the requests in progress */
SONDE_INLINE void sonde_loop_unsure(struct sonde_loop *l)
{
	l->dirty = 1;
	l->gen++;
	l->suspects = l->inflight;
	l->unsure_ns = l->last_ns;
}

/* The suspects are gone. What came while they were there may have been given their statements: it is not sure either. */
SONDE_INLINE void sonde_loop_heal(struct sonde_loop *l)
{
	l->dirty = 0;
	l->gen++;
	l->suspects = 0;
}

/* Nothing is in progress. */
SONDE_INLINE void sonde_loop_rest(struct sonde_loop *l)
{
	l->inflight = 0;
	l->live = 0;
	l->head = l->fresh = l->tail;
	l->suspects = 0;
	l->dirty = 0;
	for (u32 i = 0; i < SONDE_LOOP_HEIRS; i++)
		l->heir[i].from = 0;
}

/** sonde_loop_turn - the loop reads something that a request may wait for */
SONDE_INLINE void sonde_loop_turn(struct sonde_loop *l, u64 now)
{
	l->last_ns = now;
	if (l->turn_ns == now)
		return;
	l->turn_ns = now;
	l->fresh = l->tail;
	if (l->freed)
		l->free = l->freed;
	l->freed = 0;
}

/** sonde_loop_append - @scope's token joins the queue; returns its place */
SONDE_INLINE u32 sonde_loop_append(struct sonde_loop *l, u64 scope, u32 epoch, u64 turn_ns)
{
	struct sonde_loop_token *t = SONDE_LOOP_TOKEN(l, l->tail);

	if (l->tail - l->head >= SONDE_LOOP_TOKENS) {
		sonde_loop_unsure(l);
		return l->head - 1;
	}
	t->scope = scope;
	t->epoch = epoch;
	t->turn_ns = turn_ns;
	l->live++;
	return l->tail++;
}

/** sonde_loop_request - a request comes, @scope: its place in the queue; it belongs to generation @l->gen */
SONDE_INLINE u32 sonde_loop_request(struct sonde_loop *l, u64 scope, u32 epoch, u64 now)
{
	if (!l->inflight || now - l->last_ns > SONDE_LOOP_REST_NS)
		sonde_loop_rest(l);
	else if (l->dirty && now - l->unsure_ns > SONDE_LOOP_REST_NS)
		sonde_loop_heal(l);
	sonde_loop_turn(l, now);
	l->inflight++;
	return sonde_loop_append(l, scope, epoch, now);
}

/**
 * sonde_loop_join - the thread turns out to be a loop: @scope is in progress and waits for @held replies
 *
 * Its place in the queue; none if it waits: the reply brings its token.
 */
SONDE_INLINE u32 sonde_loop_join(struct sonde_loop *l, u64 scope, u32 epoch, u32 held)
{
	if (!l->inflight)
		sonde_loop_rest(l);
	l->inflight++;
	if (held > 1)
		sonde_loop_unsure(l);
	return held ? l->head - 1 : sonde_loop_append(l, scope, epoch, 0);
}

/** sonde_loop_back - the reply that request @scope waited for is there: its place in the queue */
SONDE_INLINE u32 sonde_loop_back(struct sonde_loop *l, u64 scope, u32 epoch, u64 now)
{
	sonde_loop_turn(l, now);
	return sonde_loop_append(l, scope, epoch, now);
}

/** sonde_loop_heir - whose the token of @scope is, which has been answered meanwhile: 1 and *@to, 0 nobody's */
SONDE_INLINE int sonde_loop_heir(struct sonde_loop *l, u64 scope, u32 epoch, struct sonde_loop_token *to)
{
	for (u32 i = 0; i < SONDE_LOOP_HEIRS; i++) {
		struct sonde_loop_heir *h = &l->heir[i];

		if (h->from != scope || h->from_epoch != epoch)
			continue;
		h->from = 0;
		to->scope = h->to;
		to->epoch = h->to_epoch;
		return 1;
	}
	return 0;
}

/* @scope has been answered while a statement has its token: that will be @to's. */
SONDE_INLINE void sonde_loop_inherit(struct sonde_loop *l, u64 scope, u32 epoch, const struct sonde_loop_token *to)
{
	u32 at = 0;

	for (u32 i = 0; i < SONDE_LOOP_HEIRS; i++) {
		struct sonde_loop_heir *h = &l->heir[i];

		if (h->from && h->to == scope && h->to_epoch == epoch) { /* it has one itself that is another's */
			h->to = to->scope;
			h->to_epoch = to->epoch;
			return;
		}
		if (!h->from)
			at = i;
	}
	l->heir[at & (SONDE_LOOP_HEIRS - 1)] = (struct sonde_loop_heir){ scope, to->scope, epoch, to->epoch };
}

/** sonde_loop_freed - connection @conn, whose reply has just been read, is free for whoever waits for one */
SONDE_INLINE void sonde_loop_freed(struct sonde_loop *l, u64 conn, u64 now)
{
	sonde_loop_turn(l, now);
	l->freed = conn;
}

/** sonde_loop_used - connection @conn is used, or closed */
SONDE_INLINE void sonde_loop_used(struct sonde_loop *l, u64 conn)
{
	if (l->freed == conn)
		l->freed = 0;
	if (l->free == conn)
		l->free = 0;
}

/* Passes by what has been taken away from either end. */
SONDE_INLINE void sonde_loop_trim(struct sonde_loop *l)
{
	if (!l->live)
		l->head = l->fresh = l->tail;
	for (u32 i = 0; i < SONDE_LOOP_SKIP && l->head != l->tail && !SONDE_LOOP_TOKEN(l, l->head)->scope; i++)
		l->head++;
	if ((s32)(l->fresh - l->head) < 0)
		l->fresh = l->head;
}

/* The first token of this turn that is still there: its place, @l->tail if there is none. */
SONDE_INLINE u32 sonde_loop_first_fresh(const struct sonde_loop *l)
{
	u32 at = l->fresh;

	for (u32 i = 0; i < SONDE_LOOP_SKIP && at != l->tail && !SONDE_LOOP_TOKEN(l, at)->scope; i++)
		at++;
	return at;
}

/**
 * sonde_loop_take - the request that sends a statement over connection @conn
 * @shared: connections are used by many requests at once: nobody waits for one
 *
 * Fills @took in (scope 0: there is none). Returns 1 if it is sure.
 */
SONDE_INLINE int sonde_loop_take(struct sonde_loop *l, u64 conn, u32 shared, u64 now, struct sonde_loop_token *took)
{
	bool waited = !shared && l->freed == conn;
	struct sonde_loop_token *t;
	u32 at, fresh;

	l->last_ns = now;
	sonde_loop_used(l, conn);
	sonde_loop_trim(l);
	took->scope = 0;
	took->epoch = 0;
	at = l->head;
	if (at == l->tail) {
		sonde_loop_unsure(l);
		return 0;
	}
	if (SONDE_LOOP_TOKEN(l, at)->turn_ns != l->turn_ns && !(waited && !l->free)) {
		/* Nobody waits for this connection: it is one of this turn that sends this. */
		fresh = sonde_loop_first_fresh(l);
		if (!shared || fresh == l->tail)
			sonde_loop_unsure(l);
		if (fresh == l->tail)
			return 0;
		at = fresh;
	}
	t = SONDE_LOOP_TOKEN(l, at);
	*took = *t;
	t->scope = 0;
	l->live--;
	return !l->dirty;
}

/* Whether the token of @scope is at @at. */
SONDE_INLINE bool sonde_loop_is(const struct sonde_loop *l, u64 scope, u32 epoch, u32 at)
{
	const struct sonde_loop_token *t = SONDE_LOOP_TOKEN(l, at);

	return at - l->head < l->tail - l->head && t->scope == scope && t->epoch == epoch;
}

/** sonde_loop_again - the request @scope, whose token was at @at, has read more of what it was asked: its new place */
SONDE_INLINE u32 sonde_loop_again(struct sonde_loop *l, u64 scope, u32 epoch, u32 at, u64 now)
{
	sonde_loop_turn(l, now);
	if (!sonde_loop_is(l, scope, epoch, at))
		return at;
	SONDE_LOOP_TOKEN(l, at)->scope = 0;
	l->live--;
	sonde_loop_trim(l);
	return sonde_loop_append(l, scope, epoch, now);
}

/** sonde_loop_answer - the request @scope, whose token was at @at, begins its response */
SONDE_INLINE void sonde_loop_answer(struct sonde_loop *l, u64 scope, u32 epoch, u32 at, u64 now)
{
	bool there = sonde_loop_is(l, scope, epoch, at), runs;
	u32 fresh = sonde_loop_first_fresh(l);

	l->last_ns = now;
	runs = there && SONDE_LOOP_TOKEN(l, at)->turn_ns == l->turn_ns;
	if (!there || (!runs && fresh != l->tail))
		sonde_loop_unsure(l);
	if (!runs && fresh != l->tail) { /* it runs with another's token: each is given its own */
		const struct sonde_loop_token *other = SONDE_LOOP_TOKEN(l, fresh);

		if (there) {
			SONDE_LOOP_TOKEN(l, at)->scope = other->scope;
			SONDE_LOOP_TOKEN(l, at)->epoch = other->epoch;
		} else {
			sonde_loop_inherit(l, scope, epoch, other);
		}
		there = true;
		at = fresh;
	}
	if (!there)
		return;
	SONDE_LOOP_TOKEN(l, at)->scope = 0;
	l->live--;
	if (at == l->tail - 1)
		l->tail--;
	sonde_loop_trim(l);
}

/** sonde_loop_over - a request of generation @gen has been answered; returns 1 if all that was counted for it is sure */
SONDE_INLINE int sonde_loop_over(struct sonde_loop *l, u32 gen, u64 now)
{
	int sure = !l->dirty && l->gen == gen;

	l->last_ns = now;
	if (l->inflight)
		l->inflight--;
	if (l->gen != gen && l->suspects && !--l->suspects)
		sonde_loop_heal(l);
	if (!l->inflight)
		sonde_loop_rest(l);
	return sure;
}

#endif /* SONDE_LOOP_H */
