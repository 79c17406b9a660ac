/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scope.bpf.h - counting statements in units of work: what the sources of statements call (scope.bpf.c does it).
 *
 * A source finds out which scope a statement belongs to (struct scope_pick), enters it when it begins and leaves it when it
 * is complete. Whoever knows that a scope is over closes it; one that nobody closes is over after some rest.
 */
#ifndef SONDE_SCOPE_BPF_H
#define SONDE_SCOPE_BPF_H

#include "sonde.bpf.h"
#include "sonde/scope.h"

#define SCOPE_BURST_NS 1000000000ULL /* rest that ends a burst */
#define SCOPE_COMMENT_NS 10000000000ULL /* the same of a request that only comments tell of */

/** struct scope_pick - which scope a statement belongs to; @epoch: it must be this one (0: the one that is open, or a new one) */
struct scope_pick {
	u64 key;
	u64 name;
	u32 kind;
	u32 epoch;
};

/**
 * struct scope_what - a statement that begins
 * @entry: the current user instruction is the first of a function
 * @pipelined: sent behind another execution of itself without waiting: no repeat that could be saved a round trip
 */
struct scope_what {
	u64 id;
	u64 params; /* 0: not known */
	u64 peer;
	u64 now;
	struct sonde_proc proc;
	u8 verb;
	u8 proto;
	u8 label; /* its text is no SQL */
	u8 pipelined;
	u8 entry;
	u8 pad[3];
};

/** struct scope_done - a statement that is complete */
struct scope_done {
	u64 done_ns;
	u64 rows;
};

/** scope_get - the container @key, made if it is new; NULL if there is no memory */
static __always_inline struct sonde_scope *scope_get(u64 key)
{
	struct sonde_scope *s = bpf_map_lookup_elem(&scopes, &key), *zero;
	u32 z = 0;
	bool made;

	if (s)
		return s;
	zero = bpf_map_lookup_elem(&zero_scope, &z);
	if (!zero)
		return NULL;
	/* A process's may be made by two CPUs at once: one of them fails, and goes on with the other's. */
	made = !bpf_map_update_elem(&scopes, &key, zero, BPF_NOEXIST);
	s = bpf_map_lookup_elem(&scopes, &key);
	if (!s)
		count(SONDE_CNT_HELPER_FAILED);
	else if (made) {
		s->key = key;
		/* Not 1: a reference to an evicted container must not fit its successor. */
		s->epoch = (u32)bpf_ktime_get_ns() | 1;
	}
	return s;
}

/** scope_begin - a scope of @kind begins in container @key (one that is open there ends): its epoch, 0 if there is no memory */
extern u32 scope_begin(u64 key, u64 name, u32 kind, u64 now);

/** scope_close - the scope in container @key is over, if it still has @epoch (0: any); @invalid: what belongs to it is not sure */
extern int scope_close(u64 key, u32 epoch, u32 invalid, u64 now);

/** scope_settle - to be called before scope_enter(): ends the scope that the statement does not go on with */
extern int scope_settle(struct sonde_scope *s, const struct scope_pick *pick, const struct scope_what *what);

/**
 * scope_enter - count a statement in its scope; begins one where none is open
 *
 * Returns the slot and sets @pick->epoch, or SONDE_SLOT_NONE.
 */
extern u32 scope_enter(struct sonde_scope *s, struct scope_pick *pick, const struct scope_what *what);

/** scope_put - settle and enter: the container is looked up once. @pick, @what and the slot as above */
static __always_inline u32 scope_put(struct scope_pick *pick, const struct scope_what *what)
{
	struct sonde_scope *s = scope_get(pick->key);

	if (!s)
		return SONDE_SLOT_NONE;
	scope_settle(s, pick, what);
	return scope_enter(s, pick, what);
}

/** scope_process - count a statement of a process whose requests cannot be told apart */
extern int scope_process(const struct scope_what *what);

/**
 * scope_told - kind (NONE: none) and name of the scope that is told for one execution, counted in container @scope
 *
 * That of an event loop is not: whether it is sure shows at its end only.
 */
static __always_inline u32 scope_told(u64 scope, u32 epoch, u64 *name)
{
	struct sonde_scope *s = scope ? bpf_map_lookup_elem(&scopes, &scope) : NULL;

	*name = 0;
	if (!s || s->epoch != epoch)
		return SONDE_SCOPE_NONE;
	if (s->kind == SONDE_SCOPE_ASYNC)
		return SONDE_SCOPE_PROCESS;
	*name = s->name;
	return s->kind;
}

struct done;

/**
 * scope_exceeds - an execution took too long, or brought too much: a row of findings for each
 * @row: its row of map `queries`; @scope, @epoch: where it is counted, 0 nowhere; @verb: enum sonde_sql_verb
 */
extern int scope_exceeds(const struct sonde_query_key *row, u64 scope, u32 epoch, u32 verb, const struct done *d);

/* The cheap question before. */
static __always_inline bool scope_may_exceed(u64 done_ns, u64 rows, u64 bytes)
{
	return (conf.slow_ns && done_ns >= conf.slow_ns) || (conf.large_rows && rows >= conf.large_rows) ||
	       (conf.large_bytes && bytes >= conf.large_bytes);
}

/**
 * scope_leave - the statement that entered @key's scope @epoch as @slot is complete, @now
 *
 * Inlined: completions are where the chain of calls is longest.
 */
static __always_inline void scope_leave(u64 key, u32 epoch, u32 slot, u64 done_ns, u64 rows, u64 now)
{
	struct sonde_scope *s = bpf_map_lookup_elem(&scopes, &key);
	struct sonde_scope_slot *sl;

	if (!s || s->epoch != epoch)
		return;
	s->last_ns = now;
	if (slot >= SONDE_SCOPE_SLOTS)
		return;
	sl = &s->slot[sonde_scope_at(slot)];
	if (sl->epoch != epoch)
		return;
	if (sl->ended++)
		sl->rest_ns += done_ns;
	sl->rows += rows;
}

#endif /* SONDE_SCOPE_BPF_H */
