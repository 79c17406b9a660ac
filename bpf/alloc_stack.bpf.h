/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_stack.bpf.h - stacks of calls, walked once and recognised afterwards. Only for alloc_exact.bpf.c.
 *
 * Programs allocate time and again at the same places, and walking up takes the better part of what a call costs. It is the same
 * stack if it begins at the same instruction and stack pointer and the same return addresses stand in the same places: each of
 * them says where the next one is, unless that is found by the frame pointer, which must be the same then, too.
 */
#ifndef SONDE_ALLOC_STACK_BPF_H
#define SONDE_ALLOC_STACK_BPF_H

#include "unwind.bpf.h"

#define STACK_FRAMES 64u
#define STACK_WORDS 512u /* of the stack */
#define STACK_SLOTS 4096u

/* @sum: of all members, so that what two threads wrote at once is not taken for a stack; @at: words above the stack pointer */
struct stack_known {
	u64 ip, sp, bp;
	u64 sum;
	u32 tgid;
	u16 by_bp;
	u16 words; /* from the stack pointer to the outermost return address */
	u64 nr; /* return addresses; 0: nothing is here */
	u16 at[STACK_FRAMES];
	u64 address[STACK_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STACK_SLOTS);
	__type(key, u32);
	__type(value, struct stack_known);
} alloc_stacks SEC(".maps");

struct stack_words {
	u64 word[STACK_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, UNWIND_SLOTS);
	__type(key, u32);
	__type(value, struct stack_words);
} alloc_words SEC(".maps");

static __always_inline struct stack_known *stack_known(u64 ip, u64 sp)
{
	u32 slot = sonde_mix64(ip ^ sp << 13) & (STACK_SLOTS - 1);

	return bpf_map_lookup_elem(&alloc_stacks, &slot);
}

static __always_inline u64 stack_mix(u64 hash, u64 value)
{
	hash = (hash ^ value) * SONDE_FNV_PRIME;
	return hash ^ hash >> 32;
}

static __always_inline u64 stack_sum(const struct stack_known *k, u64 hash)
{
	return stack_mix(stack_mix(hash, k->sp), (u64)k->tgid * STACK_WORDS * STACK_FRAMES + k->nr * STACK_WORDS + k->words);
}

/* Whether the stack that the walk of @slot is about to go up is known; its hash is then that of the walk. */
static __always_inline bool stack_same(struct unwind_walk *w, u32 slot, u32 tgid)
{
	struct stack_known *k = stack_known(w->ip, w->sp);
	struct stack_words *stack;
	u64 hash;
	u32 bytes;

	if (!k || !k->nr || k->ip != w->ip || k->sp != w->sp || k->tgid != tgid || (k->by_bp && k->bp != w->bp))
		return false;
	stack = bpf_map_lookup_elem(&alloc_words, &slot);
	bytes = k->words * sizeof(u64);
	if (!stack || !bytes || bytes > sizeof(*stack) || bpf_probe_read_user(stack, bytes, (void *)w->sp))
		return false;
	hash = stack_mix(SONDE_FNV_BASIS, w->ip);
	for (u32 i = 0; i < STACK_FRAMES && i < k->nr; i++) {
		u64 address = k->address[i];

		if (stack->word[k->at[i] & (STACK_WORDS - 1)] != address)
			return false;
		hash = stack_mix(hash, address);
	}
	if (stack_sum(k, hash) != k->sum)
		return false;
	w->hash = hash;
	return true;
}

/** alloc_remember - the stack that was walked up in @slot, from @ip and @sp with frame pointer @bp, is known from now on. Returns 0 */
__noinline int alloc_remember(u32 slot, u64 ip, u64 sp, u64 bp)
{
	struct unwind_walk *w = unwind_walk(slot);
	struct stack_known *k = stack_known(ip, sp);
	u32 nr;

	if (!w || !k)
		return 0;
	k->nr = 0;
	nr = w->sample.nr_user;
	if (!w->plain || nr < 2 || nr > STACK_FRAMES ||
	    (w->sample.end != SONDE_UNWIND_END_COMPLETE && w->sample.end != SONDE_UNWIND_END_NO_ROW))
		return 0;
	nr--;
	for (u32 i = 0; i < STACK_FRAMES - 1 && i < nr; i++) {
		u64 at = (w->at[i + 1] - sp) / sizeof(u64);

		if (at >= STACK_WORDS)
			return 0;
		k->at[i] = at;
		k->address[i] = w->sample.ip[i + 1];
		k->words = at + 1;
	}
	k->ip = ip;
	k->sp = sp;
	k->bp = bp;
	k->by_bp = w->by_bp;
	k->tgid = bpf_get_current_pid_tgid() >> 32;
	k->nr = nr;
	k->sum = stack_sum(k, w->hash);
	return 0;
}

#endif /* SONDE_ALLOC_STACK_BPF_H */
