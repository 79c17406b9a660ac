/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scope.h - units of work (a request, a transaction, a burst) and what repeats inside them.
 *
 * A scope lives in a container that is used again for the next one: a connection's, a request's. Its slots count the
 * executions of each statement; a slot belongs to the scope only while its epoch is the container's, so that beginning a
 * scope costs nothing and ending one costs as much as there is to tell. What repeated often enough is folded into a row
 * of findings, whether the scope has ended (the kernel does it) or not (user space does it with a copy, to show it).
 *
 * Pure: the same in the kernel, in user space and in tests.
 */
#ifndef SONDE_SCOPE_H
#define SONDE_SCOPE_H

#include "base.h"
#include "key.h"
#include "sql.h"

/* What a scope is. Ids are public (they stand in recordings). The first that applies is taken, in this order. */
enum sonde_scope_kind {
	SONDE_SCOPE_NONE = 0,
	SONDE_SCOPE_COMMENT = 1, /* trace or request id in the statement's comment */
	SONDE_SCOPE_REQUEST = 2, /* inbound request handled by the thread or goroutine that read it */
	SONDE_SCOPE_TRANSACTION = 3, /* BEGIN to COMMIT on one connection */
	SONDE_SCOPE_ASYNC = 4, /* inbound request of an event loop, told by order */
	SONDE_SCOPE_PROCESS = 5, /* no request can be told: statistics over all of a process's requests */
	SONDE_SCOPE_BURST = 6, /* no request: one thread on one connection without a second of rest */
	SONDE_SCOPE_KINDS,
};

/* What made a row of findings. User space makes kinds of findings of it, with what it knows of the text. */
enum sonde_finding_class {
	SONDE_FOUND_DISTINCT = 1, /* repeated, parameters mostly distinct: at least 2 and half of the calls */
	SONDE_FOUND_SOME = 2, /* repeated, at least 2 distinct parameters */
	SONDE_FOUND_SAME = 3, /* repeated with the same parameters */
	SONDE_FOUND_UNKNOWN = 4, /* repeated, parameters not known */
	SONDE_FOUND_SLOW = 5, /* executions that took too long: one "scope" and call each */
	SONDE_FOUND_LARGE = 6, /* executions with too many rows or bytes */
};

#define SONDE_MIN_REPEAT 5u /* executions of one statement in one scope that make a finding, unless told otherwise */

#define SONDE_SKETCH_WORDS 16u /* 1024 bits: standard error sqrt(1/2048) = 2.2 % */
#define SONDE_SKETCH_MAX 64u /* more distinct values are told as "64+" */

#define SONDE_STACK_DEPTH 64u /* addresses of a user stack that are kept; zeros stand for none */

#define SONDE_SCOPE_SETS 8u
#define SONDE_SCOPE_WAYS 4u
#define SONDE_SCOPE_SLOTS (SONDE_SCOPE_SETS * SONDE_SCOPE_WAYS)
#define SONDE_SLOT_NONE 0xffu

/**
 * struct sonde_scope_slot - executions of one statement in one scope
 * @rest_ns: durations of all completed executions but the first
 * @count: executions begun; @ended: completed
 * @bits: set in @sketch
 * @parent: slot of the read that had begun last when this one began for the first time (of its parent if it had repeated by then),
 *          SONDE_SLOT_NONE; @parent_id: the beginning of its id, as slots are given away
 * @stack, @stack_again: ids in map `stacks` of the second execution and of that which crossed the threshold; < 0: none
 */
struct sonde_scope_slot {
	u64 id;
	u64 peer;
	u64 rest_ns;
	u64 rows;
	u64 first_ns, last_ns; /* CLOCK_MONOTONIC of the first and the last beginning */
	u32 epoch;
	u32 count;
	u32 ended;
	u16 bits;
	u8 verb; /* enum sonde_sql_verb */
	u8 proto; /* enum sonde_proto */
	s32 stack;
	s32 stack_again;
	u8 parent;
	u8 flags; /* SONDE_SLOT_* */
	u8 pad[2];
	u32 parent_id;
	u64 sketch[SONDE_SKETCH_WORDS];
};

#define SONDE_SLOT_NO_PARAMS 1u /* an execution's parameters were not known */
#define SONDE_SLOT_LEADS 4u /* it is the parent of one that repeats: not given away */

/* sonde_scope.flags */
#define SONDE_SCOPE_LOST 1u /* something of it was lost: slots were taken away, statements not completed */
#define SONDE_SCOPE_INVALID 2u /* async: which request a statement belongs to is no longer sure */
#define SONDE_SCOPE_OPEN 4u
#define SONDE_SCOPE_ANSWERED 8u /* a request whose response has begun */
#define SONDE_SCOPE_LED 16u /* the parent of one that repeats is known: a slot has SONDE_SLOT_LEADS */

/**
 * struct sonde_scope - a container and the scope that is in it
 * @name: id of the scope's name, a label's or a comment's (its text is sent as a statement's is); 0: none
 * @hot: bit for each slot that crossed the threshold; @used: for each that belongs to this epoch
 */
struct sonde_scope {
	u64 key; /* of the container */
	u64 name;
	u64 begin_ns, last_ns;
	u32 epoch;
	u32 hot;
	u32 used;
	u32 nr_statements;
	struct sonde_proc proc;
	u8 kind; /* enum sonde_scope_kind */
	u8 flags;
	u8 last_read; /* slot of the read that began last */
	u8 pad[5];
	u32 gen; /* async: generation of its loop when it began */
	s32 held; /* connections that it waits for or keeps */
	u32 token; /* async: place in the queue of its loop */
	u32 pad2;
	struct sonde_scope_slot slot[SONDE_SCOPE_SLOTS];
};

/** struct sonde_finding_key - a row of map `findings`: one statement that repeats (or is slow, large) in scopes of one name */
struct sonde_finding_key {
	u64 id;
	u64 name;
	u64 peer;
	struct sonde_proc proc;
	u8 proto;
	u8 scope; /* enum sonde_scope_kind */
	u8 class; /* enum sonde_finding_class */
	u8 verb; /* enum sonde_sql_verb */
	u32 pad;
};

#define SONDE_CALLS_EXACT 16u /* calls per scope below this have a bucket each, above 8 an octave */
#define SONDE_CALLS_BUCKETS 112u

/**
 * struct sonde_finding_stat - numbers of a row; they only grow
 * @scopes: in which the statement repeated; @calls: of it in them
 * @waste_ns: durations of the repeats, that is of all calls but the first of each scope (slow, large: of all calls)
 * @scope_ns: of the scopes, from begin to end
 * @distinct: sum of distinct parameters over the scopes; @distinct_max: of one, SONDE_SKETCH_MAX + 1: more
 * @parent: the read before the first call, in the scope folded last that had one (0: none); @parents: scopes that had it
 * @parent_rows, @parent_calls: sums over these; @rows_match: of these, where the parent's rows are the calls (within one)
 * @before: the read that had begun last before the first call and repeats by turns with it (0: none), in the scope folded last
 * @lost: scopes of which something was lost
 * @stack: of a call, an id in map `stacks` (< 0: none); @same_stack: scopes whose repeats came from one place
 * @calls_hist: scopes by their number of calls, sonde_calls_bucket()
 */
struct sonde_finding_stat {
	u64 scopes;
	u64 calls;
	u64 rows;
	u64 waste_ns;
	u64 scope_ns;
	u64 max_ns; /* slow, large: of one call */
	u64 max_bytes; /* large: of one call */
	u64 max_rows;
	u64 distinct;
	u64 parent;
	u64 parents;
	u64 parent_rows;
	u64 parent_calls;
	u64 rows_match;
	u64 before;
	u64 lost;
	u64 same_stack;
	u64 first_seen_ns, last_seen_ns; /* CLOCK_MONOTONIC */
	u32 distinct_max;
	u32 calls_min, calls_max;
	s32 stack;
	u32 calls_hist[SONDE_CALLS_BUCKETS];
};

/**
 * struct sonde_caller_key - a row of map `callers`: statement @id in scopes named @name; @id 0: the scopes themselves
 *
 * Kept for scopes that are requests (COMMENT, REQUEST, ASYNC) and, without a name, for requests whose statements could not be
 * told apart (PROCESS).
 */
struct sonde_caller_key {
	u64 id;
	u64 name;
	struct sonde_proc proc;
	u32 scope; /* enum sonde_scope_kind */
	u32 pad;
};

/** struct sonde_caller_stat - @scopes it occurred in (or that ended, for id 0), @calls there; sketch: PROCESS only */
struct sonde_caller_stat {
	u64 scopes;
	u64 calls;
	u64 sum_ns; /* id 0: of the scopes, from begin to end */
	u64 sketch[SONDE_SKETCH_WORDS];
};

/** sonde_scope_at - @slot as an index that the verifier trusts, whatever the compiler knows of it */
SONDE_INLINE u32 sonde_scope_at(u32 slot)
{
	SONDE_OPAQUE(slot);
	return slot & (SONDE_SCOPE_SLOTS - 1);
}

/** sonde_sketch_add - note a value by its hash. Returns 1 if that set a bit */
SONDE_INLINE u32 sonde_sketch_add(u64 sketch[SONDE_SKETCH_WORDS], u64 hash)
{
	u64 spread = sonde_mix64(hash);
	u64 *word = &sketch[spread >> 6 & (SONDE_SKETCH_WORDS - 1)], bit = 1ULL << (spread & 63);

	if (*word & bit)
		return 0;
	*word |= bit;
	return 1;
}

/**
 * sonde_sketch_count - distinct values in a sketch with @bits set: SONDE_SKETCH_MAX + 1 stands for more than SONDE_SKETCH_MAX
 *
 * Linear counting (Whang, Vander-Zanden, Taylor 1990): -m ln(1 - bits / m), the first three terms of its series.
 */
SONDE_INLINE u32 sonde_sketch_count(u32 bits)
{
	u32 n;

	if (bits > 2 * SONDE_SKETCH_MAX)
		return SONDE_SKETCH_MAX + 1;
	n = bits + (bits * bits + 1024) / 2048 + bits * bits * bits / (3 * 1024 * 1024);
	return n > SONDE_SKETCH_MAX ? SONDE_SKETCH_MAX + 1 : n;
}

/** sonde_calls_bucket - bucket of @calls in calls_hist: exact below SONDE_CALLS_EXACT, then 8 an octave */
SONDE_INLINE u32 sonde_calls_bucket(u32 calls)
{
	u32 octave = 0, b;

	if (calls < SONDE_CALLS_EXACT)
		return calls;
	for (u32 i = 0; i < 5; i++) { /* position of the highest bit */
		u32 half = 16u >> i;

		if (calls >> octave >> half)
			octave += half;
	}
	b = SONDE_CALLS_EXACT + (octave - 4) * 8 + (calls >> (octave - 3) & 7);
	return b < SONDE_CALLS_BUCKETS ? b : SONDE_CALLS_BUCKETS - 1;
}

/** sonde_finding_class_of - what a slot with @count calls and @distinct parameters is */
SONDE_INLINE u32 sonde_finding_class_of(u32 count, u32 distinct, u32 slot_flags)
{
	u32 half = count / 2;

	if (slot_flags & SONDE_SLOT_NO_PARAMS)
		return SONDE_FOUND_UNKNOWN;
	if (half > SONDE_SKETCH_MAX)
		half = SONDE_SKETCH_MAX;
	if (distinct >= 2 && distinct >= half)
		return SONDE_FOUND_DISTINCT;
	return distinct >= 2 ? SONDE_FOUND_SOME : SONDE_FOUND_SAME;
}

/** sonde_scope_judges - whether executions of such a statement are judged at all: reads and writes, not SET, BEGIN, SHOW */
SONDE_INLINE bool sonde_scope_judges(u32 verb, u32 dialect_none)
{
	return dialect_none || (verb >= SONDE_SQL_SELECT && verb <= SONDE_SQL_DML);
}

_Static_assert(sizeof(struct sonde_scope_slot) == 80 + 8 * SONDE_SKETCH_WORDS, "no holes");
_Static_assert(sizeof(struct sonde_finding_key) == 40, "no holes");
_Static_assert(sizeof(struct sonde_finding_stat) == 19 * 8 + 16 + 4 * SONDE_CALLS_BUCKETS, "no holes");
_Static_assert(sizeof(struct sonde_caller_key) == 32, "no holes");

#endif /* SONDE_SCOPE_H */
