/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scope_fold.h - from the slots of a scope to rows of findings: what is known of one scope is added to what is known of others.
 *
 * Additions are atomic: in the kernel several processors end scopes of one name at once.
 */
#ifndef SONDE_SCOPE_FOLD_H
#define SONDE_SCOPE_FOLD_H

#include "scope.h"

#define SONDE_PARENT_STEPS 4u /* repeated statements passed by on the way to the parent */

/**
 * sonde_scope_parent - slot of the read that leads to the repeats of @slot, SONDE_SLOT_NONE if none was seen
 *
 * In A B A B behind P the read before B is A, which repeats itself: P is the parent of both.
 */
SONDE_INLINE u32 sonde_scope_parent(const struct sonde_scope *s, u32 slot)
{
	const struct sonde_scope_slot *sl = &s->slot[sonde_scope_at(slot)];
	u32 at = sl->parent, id = sl->parent_id;

	for (u32 i = 0; i < SONDE_PARENT_STEPS; i++) {
		const struct sonde_scope_slot *p = &s->slot[sonde_scope_at(at)];

		if (at >= SONDE_SCOPE_SLOTS || at == slot || p->epoch != s->epoch || (u32)p->id != id)
			return SONDE_SLOT_NONE;
		if (!(s->hot >> at & 1))
			return at;
		at = p->parent;
		id = p->parent_id;
	}
	return SONDE_SLOT_NONE;
}

/**
 * sonde_scope_before - id of the read that repeats by turns with @slot, 0 if there is none
 *
 * What had repeated before @slot began was passed by then (see sonde_scope_slot.parent), so its loop is not over.
 */
SONDE_INLINE u64 sonde_scope_before(const struct sonde_scope *s, u32 slot)
{
	const struct sonde_scope_slot *sl = &s->slot[sonde_scope_at(slot)];
	const struct sonde_scope_slot *p = &s->slot[sonde_scope_at(sl->parent)];

	if (sl->parent >= SONDE_SCOPE_SLOTS || p->epoch != s->epoch || (u32)p->id != sl->parent_id)
		return 0;
	return s->hot >> (sl->parent & (SONDE_SCOPE_SLOTS - 1)) & 1 ? p->id : 0;
}

/** sonde_scope_key - the row that @slot of @s belongs to */
SONDE_INLINE void sonde_scope_key(const struct sonde_scope *s, u32 slot, struct sonde_finding_key *key)
{
	const struct sonde_scope_slot *sl = &s->slot[sonde_scope_at(slot)];
	bool unsure = s->flags & SONDE_SCOPE_INVALID;

	key->id = sl->id;
	key->name = unsure ? 0 : s->name;
	key->peer = sl->peer;
	key->proc = s->proc;
	key->proto = sl->proto;
	key->scope = unsure ? SONDE_SCOPE_PROCESS : s->kind;
	key->class = sonde_finding_class_of(sl->count, sonde_sketch_count(sl->bits), sl->flags);
	key->verb = sl->verb;
	key->pad = 0;
}

#define SONDE_FOLD_ADD(member, n) __sync_fetch_and_add(&(to->member), n)

/**
 * sonde_scope_fold - add what is known of @slot of @s, which ended (or is looked at) at @end_ns, to the row @to
 */
SONDE_INLINE void sonde_scope_fold(const struct sonde_scope *s, u32 slot, u64 end_ns, struct sonde_finding_stat *to)
{
	const struct sonde_scope_slot *sl = &s->slot[sonde_scope_at(slot)];
	u32 distinct = sonde_sketch_count(sl->bits), bucket = sonde_calls_bucket(sl->count);
	u32 parent = sonde_scope_parent(s, slot);
	u64 before;

	SONDE_FOLD_ADD(scopes, 1);
	SONDE_FOLD_ADD(calls, sl->count);
	SONDE_FOLD_ADD(rows, sl->rows);
	SONDE_FOLD_ADD(waste_ns, sl->rest_ns);
	SONDE_FOLD_ADD(scope_ns, end_ns - s->begin_ns);
	SONDE_FOLD_ADD(distinct, distinct);
	if (s->flags & SONDE_SCOPE_LOST)
		SONDE_FOLD_ADD(lost, 1);
	if (bucket < SONDE_CALLS_BUCKETS)
		SONDE_FOLD_ADD(calls_hist[bucket], 1);
	if (parent < SONDE_SCOPE_SLOTS) {
		const struct sonde_scope_slot *p = &s->slot[sonde_scope_at(parent)];

		SONDE_FOLD_ADD(parents, 1);
		SONDE_FOLD_ADD(parent_rows, p->rows);
		SONDE_FOLD_ADD(parent_calls, p->count);
		if (p->rows + 1 >= sl->count && p->rows <= sl->count + 1ULL)
			SONDE_FOLD_ADD(rows_match, 1);
		to->parent = p->id;
	}
	before = sonde_scope_before(s, slot);
	if (before)
		to->before = before;
	if (sl->stack >= 0 && sl->stack == sl->stack_again)
		SONDE_FOLD_ADD(same_stack, 1);
	/* Plain stores: which of two scopes that end at once is told does not matter. */
	if (sl->stack_again >= 0)
		to->stack = sl->stack_again;
	else if (sl->stack >= 0)
		to->stack = sl->stack;
	if (distinct > to->distinct_max)
		to->distinct_max = distinct;
	if (!to->calls_min || sl->count < to->calls_min)
		to->calls_min = sl->count;
	if (sl->count > to->calls_max)
		to->calls_max = sl->count;
	if (!to->first_seen_ns)
		to->first_seen_ns = sl->first_ns;
	to->last_seen_ns = sl->last_ns;
}

/** sonde_scope_fold_slot - what @slot of @s alone is: its row's key and numbers. For scopes that are still open */
SONDE_INLINE void sonde_scope_fold_slot(const struct sonde_scope *s, u32 slot, u64 end_ns,
					struct sonde_finding_key *key, struct sonde_finding_stat *one)
{
	__builtin_memset(one, 0, sizeof(*one));
	one->stack = -1;
	sonde_scope_key(s, slot, key);
	sonde_scope_fold(s, slot, end_ns > s->begin_ns ? end_ns : s->begin_ns, one);
}

#endif /* SONDE_SCOPE_FOLD_H */
