/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loop_sim.h - a simulated event loop of node's kind, and what sonde makes of it beside the truth.
 *
 * A pool of connections with a line before it, handlers of several sorts, service times at random. The bookkeeping around the
 * queue of requests is that of bpf/scope_request.bpf.h and bpf/scope_conn.bpf.h.
 */
#ifndef TESTS_UNIT_LOOP_SIM_H
#define TESTS_UNIT_LOOP_SIM_H

#include "unit.h"
#include "sonde/loop.h"

#define CONNS 16
#define REQUESTS 64 /* in progress or not yet cleared */
#define EVENTS 256
#define JOBS 4096

/* ---- the simulated program ---- */

/*
 * What a handler does: q a query, Q one of the second pool, t a transaction of 6 statements, p prepare and execute, c 3
 * statements on a connection taken for them, r a command on a connection that all share, a four queries at once, s a timer,
 * w a timer after which it only answers. A dot ends it.
 */
struct setup {
	const char *name;
	const char *handlers[4];
	const char *rare; /* one request in 300 */
	u32 concurrency;
	u32 pool;
	bool lazy; /* connections are made when they are needed */
	bool fifo; /* which free connection is used first */
	u32 background; /* one event in so many is a query of no request */
	u32 aborted; /* so is one request in so many given up by its client */
};

struct request {
	u64 scope; /* 0: not in use */
	const char *step;
	u32 outstanding;
	bool ended; /* for sonde */
	u32 epoch, gen, at;
	u32 sent, counted, foreign; /* statements: by it; put on it and sure; of them, those that others sent */
};

struct pool;

struct job { /* has a connection until it is done */
	struct request *of;
	struct pool *pool;
	u64 scope;
	u32 left;
	bool held; /* as the server's replies show it */
};

struct conn {
	bool there, coming, shared;
	struct job job;
	u64 owner; /* for sonde */
	u32 owner_epoch;
	bool kept;
};

struct pool { /* of connections, and the line before it */
	struct conn *conns, *free[CONNS];
	struct job line[JOBS];
	u32 head, tail, nr_free;
};

enum what { NOTHING, ARRIVES, REPLY, CONNECTED, TIMER, BACKGROUND, GIVES_UP };

struct event {
	enum what what;
	u64 at_ns, scope;
	struct request *of;
	struct conn *conn;
};

struct sums {
	u64 requests, sure, wrong, statements, told, foreign;
};

static const struct setup *setup;
static struct sonde_loop loop;
static struct request requests[REQUESTS];
static struct conn conns[2 * CONNS], shared; /* of two pools */
static struct event events[EVENTS];
static struct pool pools[2];
static u32 started;
static struct sums sums;
static u64 seed, now_ns, next_scope;

static u64 any(u64 n)
{
	return unit_random(&seed) % n;
}

static struct event *later(enum what what, u64 in_ns, struct request *of, struct conn *conn)
{
	for (u32 i = 0; i < EVENTS; i++) {
		if (events[i].what)
			continue;
		events[i] = (struct event){ what, now_ns + in_ns, of ? of->scope : 0, of, conn };
		return &events[i];
	}
	fail_msg("too many events");
	return NULL;
}

/* ---- what sonde sees ---- */

static struct request *known(u64 scope)
{
	for (u32 i = 0; i < REQUESTS; i++)
		if (requests[i].scope == scope)
			return &requests[i];
	return NULL;
}

static void sees_statement(struct conn *c, struct request *of)
{
	struct sonde_loop_token took = { .scope = c->owner };
	bool sure = true;
	struct request *on;

	if (of)
		of->sent++;
	sums.statements++;
	if (!(c->owner && c->kept)) {
		sure = sonde_loop_take(&loop, (u64)(c - conns) + 1, c->shared, now_ns, &took);
		if (!c->shared)
			c->owner = took.scope;
		c->owner_epoch = took.epoch;
	}
	on = took.scope && sure ? known(took.scope) : NULL;
	if (on && !on->ended) {
		on->counted++;
		on->foreign += on != of;
	}
	if (c->shared)
		c->job.scope = took.scope;
}

static void gives_back(u64 scope)
{
	struct request *r = scope ? known(scope) : NULL;
	struct sonde_loop_token to;

	if (scope && (!r || r->ended)) /* epochs are the scopes' numbers here */
		r = sonde_loop_heir(&loop, scope, (u32)scope, &to) ? known(to.scope) : NULL;
	if (r && !r->ended)
		r->at = sonde_loop_back(&loop, r->scope, r->epoch, now_ns);
}

static void sees_reply(struct conn *c, bool kept)
{
	sonde_loop_turn(&loop, now_ns);
	c->kept = kept;
	if (kept)
		return;
	gives_back(c->owner);
	c->owner = 0;
	sonde_loop_freed(&loop, (u64)(c - conns) + 1, now_ns);
}

static void sees_end(struct request *r)
{
	bool sure;

	if (r->ended)
		return;
	sonde_loop_answer(&loop, r->scope, r->epoch, r->at, now_ns);
	sure = sonde_loop_over(&loop, r->gen, now_ns);
	r->ended = true;
	sums.requests++;
	sums.sure += sure;
	if (!sure)
		return;
	sums.told += r->counted;
	sums.foreign += r->foreign;
	sums.wrong += r->foreign || r->counted != r->sent;
}

/* ---- what it does ---- */

static void go_on(struct request *r);

static void sends(struct conn *c)
{
	sees_statement(c, c->job.of);
	later(REPLY, 50000 + any(any(8) ? 300000 : 3000000), c->job.of, c);
}

static void starts(struct conn *c, const struct job *job)
{
	c->job = *job;
	sends(c);
}

static void wants(const struct job *job)
{
	struct pool *p = job->pool;
	struct conn *c = NULL;

	if (p->nr_free) {
		c = p->free[setup->fifo ? 0 : p->nr_free - 1];
		if (setup->fifo)
			memmove(p->free, p->free + 1, (p->nr_free - 1) * sizeof(p->free[0]));
		p->nr_free--;
		starts(c, job);
		return;
	}
	for (u32 i = 0; i < setup->pool && !c; i++)
		if (!p->conns[i].there && !p->conns[i].coming)
			c = &p->conns[i];
	if (c) {
		c->coming = true;
		c->job = *job;
		if (loop.inflight > 1)
			sonde_loop_unsure(&loop);
		later(CONNECTED, 200000 + any(500000), job->of, c);
		return;
	}
	p->line[p->tail++ % JOBS] = *job;
	assert_true(p->tail - p->head < JOBS);
}

static void released(struct conn *c)
{
	struct pool *p = c->job.pool;

	if (p->head != p->tail)
		starts(c, &p->line[p->head++ % JOBS]);
	else
		p->free[p->nr_free++] = c;
}

static void answers(struct request *r)
{
	sees_end(r);
	r->scope = 0;
	later(ARRIVES, any(4) ? 1000 + any(50000) : any(2000000), NULL, NULL);
}

static void go_on(struct request *r)
{
	struct job job = { .of = r, .pool = &pools[0], .left = 1 };
	u32 n = 1;

	if (*r->step == '.' || !*r->step) {
		answers(r);
		return;
	}
	switch (*r->step++) {
	case 't':
		job.left = 6;
		job.held = true;
		break;
	case 'p':
		job.left = 2;
		job.held = true;
		break;
	case 'c':
		job.left = 3;
		break;
	case 'Q':
		job.pool = &pools[1];
		break;
	case 'a':
		n = 4;
		break;
	case 's':
	case 'w':
		later(TIMER, any(2) ? 1000000 : any(3000000), r, NULL);
		return;
	case 'r':
		shared.job.of = r;
		sees_statement(&shared, r);
		later(REPLY, 30000 + any(60000), r, &shared)->scope =
			shared.job.scope; /* its token comes with the reply */
		return;
	}
	r->outstanding = n;
	while (n--)
		wants(&job);
}

static void reply(struct event *e)
{
	struct conn *c = e->conn;
	struct request *r = c->job.of;
	bool first = any(2);

	if (c->shared) {
		gives_back(e->scope);
		go_on(e->of);
		return;
	}
	c->job.left--;
	sees_reply(c, c->job.left && c->job.held);
	if (c->job.left) {
		sends(c);
		return;
	}
	if (first)
		released(c);
	if (r && !--r->outstanding)
		go_on(r);
	if (!first)
		released(c);
}

static void arrives(void)
{
	struct request *r = known(0);
	u32 n = 0;

	assert_non_null(r);
	while (n < 4 && setup->handlers[n])
		n++;
	*r = (struct request){ .scope = ++next_scope, .epoch = (u32)next_scope, .step = setup->handlers[any(n)] };
	if (setup->rare && !any(300))
		r->step = setup->rare;
	started++;
	r->at = sonde_loop_request(&loop, r->scope, r->epoch, now_ns);
	r->gen = loop.gen;
	if (setup->aborted && !any(setup->aborted))
		later(GIVES_UP, any(1000000), r, NULL);
	go_on(r);
}

static void happens(struct event *e)
{
	struct job job = { .pool = &pools[0], .left = 1 };

	switch (e->what) {
	case ARRIVES:
		arrives();
		break;
	case REPLY:
		reply(e);
		break;
	case CONNECTED:
		e->conn->there = true;
		e->conn->coming = false;
		sonde_loop_freed(&loop, (u64)(e->conn - conns) + 1, now_ns);
		starts(e->conn, &e->conn->job);
		break;
	case TIMER:
		go_on(e->of);
		break;
	case BACKGROUND:
		wants(&job);
		later(BACKGROUND, 1000 + any(setup->background), NULL, NULL);
		break;
	case GIVES_UP:
		if (e->of->scope == e->scope && !e->of->ended) {
			sonde_loop_unsure(&loop);
			sees_end(e->of);
		}
		break;
	case NOTHING:
		break;
	}
}

static void run(const struct setup *s, u32 requests_wanted, u64 with)
{
	setup = s;
	seed = with;
	memset(&loop, 0, sizeof(loop));
	memset(requests, 0, sizeof(requests));
	memset(conns, 0, sizeof(conns));
	memset(events, 0, sizeof(events));
	memset(&shared, 0, sizeof(shared));
	memset(pools, 0, sizeof(pools));
	shared.shared = true;
	now_ns = 1000000;
	started = 0;
	for (u32 k = 0; k < 2; k++) {
		pools[k].conns = &conns[k * CONNS];
		for (u32 i = 0; i < s->pool && !s->lazy; i++) {
			pools[k].conns[i].there = true;
			pools[k].free[pools[k].nr_free++] = &pools[k].conns[i];
		}
	}
	for (u32 i = 0; i < s->concurrency; i++)
		later(ARRIVES, any(100000), NULL, NULL);
	if (s->background)
		later(BACKGROUND, any(s->background), NULL, NULL);
	while (started < requests_wanted) {
		struct event e, *first = NULL;

		for (u32 i = 0; i < EVENTS; i++)
			if (events[i].what && (!first || events[i].at_ns < first->at_ns))
				first = &events[i];
		e = *first;
		first->what = NOTHING;
		now_ns = e.at_ns > now_ns ? e.at_ns : now_ns + 1;
		happens(&e);
	}
}

#endif /* TESTS_UNIT_LOOP_SIM_H */
