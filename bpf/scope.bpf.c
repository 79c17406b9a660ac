// SPDX-License-Identifier: GPL-2.0-only
/*
 * scope.bpf.c - counts statements in units of work, and folds what repeats into rows of findings.
 *
 * All of it is subprograms that sockets and SQLite share. Those of SQLite can be preempted, so what several tasks may touch is
 * added to atomically; a container belongs to one connection or request and is mostly touched by one task at a time.
 */
#define COUNT_PREEMPTIBLE
#include "agg.bpf.h"
#include "conn.bpf.h"
#include "scope.bpf.h"
#include "site.bpf.h"
#include "sonde/scope_fold.h"

char LICENSE[] SEC("license") = "GPL";

#define SLOT(i) sonde_scope_at(i)

/* A stack being looked at: a buffer for each thread, as those of a CPU could be taken by a task that preempts this one. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u64[SONDE_STACK_DEPTH]);
} stack_bufs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64[SONDE_STACK_DEPTH]);
} zero_stack SEC(".maps");

static __always_inline u64 stack_caller(void)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	u64 caller = 0;

#if defined(__TARGET_ARCH_x86)
	bpf_probe_read_user(&caller, sizeof(caller), (void *)BPF_CORE_READ(regs, sp));
#elif defined(__TARGET_ARCH_arm64)
	caller = BPF_CORE_READ(regs, regs[30]);
#endif
	return caller;
}

/*
 * The current user stack. Inlined where the chain of calls is long.
 *
 * @entry: at the first instruction of a function, which has not set its frame up: walking frame pointers passes by the
 * caller, whose address stands at the stack pointer (x86) or in the link register (arm64).
 */
static __always_inline s32 stack_take(u32 entry)
{
	u64 thread = bpf_get_current_pid_tgid(), hash = SONDE_FNV_BASIS, *ip;
	u32 id, z = 0;

	ip = bpf_map_lookup_elem(&zero_stack, &z);
	if (!ip || bpf_map_update_elem(&stack_bufs, &thread, ip, BPF_ANY))
		return -1;
	ip = bpf_map_lookup_elem(&stack_bufs, &thread);
	if (!ip)
		return -1;
	if (bpf_get_task_stack(bpf_get_current_task_btf(), ip + 1, (SONDE_STACK_DEPTH - 1) * sizeof(u64),
			       BPF_F_USER_STACK) <= 0)
		return -1;
	ip[0] = ip[1];
	ip[1] = entry ? stack_caller() : 0; /* zeros are passed by */
	for (u32 i = 0; i < SONDE_STACK_DEPTH; i++) {
		hash = (hash ^ ip[i]) * SONDE_FNV_PRIME;
		hash ^= hash >> 32;
	}
	id = sonde_mix64(hash ^ thread >> 32) & SITE_ID;
	if (bpf_map_lookup_elem(&stacks, &id))
		return id;
	if (bpf_map_update_elem(&stacks, &id, ip, BPF_NOEXIST) && !bpf_map_lookup_elem(&stacks, &id)) {
		count(SONDE_CNT_FINDINGS_FULL);
		return -1;
	}
	return id;
}

__noinline s32 scope_stack(u32 entry)
{
	return stack_take(entry);
}

/* ---- the end of a scope ---- */

static __always_inline struct sonde_finding_stat *finding_row(const struct sonde_finding_key *key)
{
	struct sonde_finding_stat *row = bpf_map_lookup_elem(&findings, key), *zero;
	u32 z = 0;

	if (row)
		return row;
	zero = bpf_map_lookup_elem(&zero_finding, &z);
	if (!zero)
		return NULL;
	bpf_map_update_elem(&findings, key, zero, BPF_NOEXIST);
	row = bpf_map_lookup_elem(&findings, key);
	if (!row)
		count(SONDE_CNT_FINDINGS_FULL);
	else if (!row->scopes)
		row->stack = -1;
	return row;
}

/** scope_fold_slot - a slot that repeated into its row */
__noinline int scope_fold_slot(struct sonde_scope *s, u32 slot, u64 now)
{
	struct sonde_finding_key key;
	struct sonde_finding_stat *row;

	if (!s)
		return 0;
	sonde_scope_key(s, slot, &key);
	row = finding_row(&key);
	if (row)
		sonde_scope_fold(s, slot, now, row);
	return 0;
}

/* A statement was seen @calls times in one scope of this name: the row, NULL if there is no room for it. */
static __always_inline struct sonde_caller_stat *caller_add(const struct sonde_caller_key *key, u64 calls, u64 ns)
{
	struct sonde_caller_stat *row = bpf_map_lookup_elem(&callers, key), *zero;
	u32 z = 0;

	if (!row) {
		zero = bpf_map_lookup_elem(&zero_caller, &z);
		if (!zero)
			return NULL;
		bpf_map_update_elem(&callers, key, zero, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&callers, key);
		if (!row) {
			count(SONDE_CNT_FINDINGS_FULL);
			return NULL;
		}
	}
	__sync_fetch_and_add(&row->scopes, 1);
	__sync_fetch_and_add(&row->calls, calls);
	__sync_fetch_and_add(&row->sum_ns, ns);
	return row;
}

/** scope_caller - @slot of @s into the rows that say in which requests a statement occurs */
__noinline int scope_caller(struct sonde_scope *s, u32 slot)
{
	struct sonde_caller_key key = {};
	struct sonde_caller_stat *row;
	struct sonde_scope_slot *sl;
	u32 unsure;

	if (!s)
		return 0;
	sl = &s->slot[SLOT(slot)];
	unsure = s->flags & SONDE_SCOPE_INVALID;
	key.id = sl->id;
	key.proc = s->proc;
	key.name = unsure ? 0 : s->name;
	key.scope = unsure ? SONDE_SCOPE_PROCESS : s->kind;
	row = caller_add(&key, sl->count, sl->rest_ns);
	if (!row || !unsure)
		return 0;
	for (u32 i = 0; i < SONDE_SKETCH_WORDS; i++)
		row->sketch[i] |= sl->sketch[i];
	return 0;
}

/* A request's statements, and the request itself. */
static __always_inline void scope_callers(struct sonde_scope *s, u64 now)
{
	struct sonde_caller_key key = {};
	u32 used = s->used;

	for (u32 i = 0; i < SONDE_SCOPE_SLOTS; i++)
		if (used >> i & 1)
			scope_caller(s, i);
	key.proc = s->proc;
	key.scope = s->kind;
	key.name = s->name;
	if (s->flags & SONDE_SCOPE_INVALID) {
		key.scope = SONDE_SCOPE_PROCESS;
		key.name = 0;
	}
	caller_add(&key, s->nr_statements, now - s->begin_ns);
}

/** scope_end - what repeated in @s into rows */
__noinline int scope_end(struct sonde_scope *s, u64 now)
{
	u32 hot;

	if (!s || !(s->flags & SONDE_SCOPE_OPEN))
		return 0;
	s->flags &= ~SONDE_SCOPE_OPEN;
	hot = s->hot;
	for (u32 i = 0; hot && i < SONDE_SCOPE_SLOTS; i++)
		if (hot >> i & 1)
			scope_fold_slot(s, i, now);
	if (s->kind == SONDE_SCOPE_REQUEST || s->kind == SONDE_SCOPE_ASYNC || s->kind == SONDE_SCOPE_COMMENT)
		scope_callers(s, now);
	return 0;
}

/* A new scope in @s, where none is open. */
static __always_inline void scope_open(struct sonde_scope *s, u64 name, u32 kind, u64 now)
{
	s->epoch += 2;
	s->name = name;
	s->kind = kind;
	s->begin_ns = now;
	s->last_ns = now;
	s->hot = 0;
	s->used = 0;
	s->nr_statements = 0;
	s->last_read = SONDE_SLOT_NONE;
	s->flags = SONDE_SCOPE_OPEN;
	s->held = 0;
}

__noinline u32 scope_begin(u64 key, u64 name, u32 kind, u64 now)
{
	struct sonde_scope *s = scope_get(key);

	if (!s)
		return 0;
	scope_end(s, now);
	scope_open(s, name, kind, now);
	task_proc(&s->proc);
	return s->epoch;
}

__noinline int scope_close(u64 key, u32 epoch, u32 invalid, u64 now)
{
	struct sonde_scope *s = bpf_map_lookup_elem(&scopes, &key);

	if (!s || (epoch && s->epoch != epoch))
		return 0;
	if (invalid)
		s->flags |= SONDE_SCOPE_INVALID;
	return scope_end(s, now);
}

/* ---- statements ---- */

/* The slot of statement @id, or one it can have; SONDE_SLOT_NONE if there is none. */
static __always_inline u32 scope_slot(struct sonde_scope *s, u64 id)
{
	u32 base = (id & (SONDE_SCOPE_SETS - 1)) * SONDE_SCOPE_WAYS, free = SONDE_SLOT_NONE, once = SONDE_SLOT_NONE;

	for (u32 i = 0; i < SONDE_SCOPE_WAYS; i++) {
		struct sonde_scope_slot *sl = &s->slot[SLOT(base + i)];

		if (sl->epoch != s->epoch)
			free = base + i;
		else if (sl->id == id)
			return base + i;
		else if (!((sl->count ^ 1) | (sl->flags & SONDE_SLOT_LEADS))) /* one branch, for the verifier */
			once = base + i;
	}
	if (free != SONDE_SLOT_NONE)
		return free;
	s->flags |= SONDE_SCOPE_LOST;
	return once;
}

static __always_inline void slot_begin(struct sonde_scope *s, u32 i, struct sonde_scope_slot *sl,
				       const struct scope_what *what)
{
	u32 before = s->last_read, hot = -(s->hot >> SLOT(before) & 1);
	struct sonde_scope_slot *p = &s->slot[SLOT(before)];

	/* Where no read was before, no slot has a parent. Without branches, for the verifier. */
	sl->parent = (before & ~hot) | (p->parent & hot);
	sl->parent_id = ((u32)p->id & ~hot) | (p->parent_id & hot);
	sl->id = what->id;
	sl->peer = what->peer;
	sl->rest_ns = 0;
	sl->rows = 0;
	sl->first_ns = what->now;
	sl->epoch = s->epoch;
	sl->count = 0;
	sl->ended = 0;
	sl->bits = 0;
	sl->verb = what->verb;
	sl->proto = what->proto;
	sl->stack = -1;
	sl->stack_again = -1;
	sl->flags = 0;
	for (u32 w = 0; w < SONDE_SKETCH_WORDS; w++)
		sl->sketch[w] = 0;
	s->used |= 1u << (i & 31);
	s->hot &= ~(1u << (i & 31));
}

/** scope_announce - tell user space, at most once a second for each statement in scopes of one name */
__noinline int scope_announce(struct sonde_scope *s, u32 slot, u64 now)
{
	struct sonde_event_finding e = {};
	u64 hash, *last;

	if (!s)
		return 0;
	sonde_scope_key(s, slot, &e.key);
	hash = sonde_mix64(sonde_mix64(e.key.id ^ e.key.name) ^ e.key.proc.tgid);
	last = bpf_map_lookup_elem(&announced, &hash);
	if (last && now - *last < 1000000000ULL)
		return 0;
	bpf_map_update_elem(&announced, &hash, &now, BPF_ANY);
	e.head.type = SONDE_EVENT_FINDING;
	e.head.size = sizeof(e);
	e.head.time_ns = now;
	e.calls = s->slot[SLOT(slot)].count;
	e.stack = s->slot[SLOT(slot)].stack_again;
	if (bpf_ringbuf_output(&events, &e, sizeof(e), 0))
		count(SONDE_CNT_EVENTS_DROPPED);
	else
		count(SONDE_CNT_RING_EVENTS);
	return 0;
}

/* What the program behind this one on the hook makes a whole stack of (bpf/site.bpf.c). */
static __always_inline void want_site(const struct sonde_scope *s, u32 slot, s32 stack)
{
	u32 zero = 0;
	struct site_want *want = bpf_map_lookup_elem(&site_wants, &zero);

	if (!want)
		return;
	want->thread = bpf_get_current_pid_tgid();
	want->scope = s->key;
	want->slot = slot;
	want->stack = stack;
}

/** scope_repeat - the statement in @slot came again */
__noinline int scope_repeat(struct sonde_scope *s, u32 slot, u64 now, u32 entry)
{
	struct sonde_scope_slot *sl, *parent;

	if (!s)
		return 0;
	sl = &s->slot[SLOT(slot)];
	if (sl->count == 2)
		want_site(s, slot, sl->stack = scope_stack(entry));
	if (sl->count != conf.min_repeat)
		return 0;
	if (sl->count != 2)
		want_site(s, slot, sl->stack_again = scope_stack(entry));
	s->hot |= 1u << SLOT(slot);
	parent = &s->slot[SLOT(sl->parent)];
	if (sl->parent < SONDE_SCOPE_SLOTS && (u32)parent->id == sl->parent_id) {
		parent->flags |= SONDE_SLOT_LEADS;
		s->flags |= SONDE_SCOPE_LED;
	}
	return scope_announce(s, slot, now);
}

/**
 * scope_lead - the statement in @slot, which repeats, came again behind the read in slot @before
 *
 * A loop that ran when sonde began is met in the middle of a round, without the read that led to it. That one is known when the
 * next round begins: it does not repeat as the others do, and one of them follows. The round after that is a whole one.
 */
__noinline int scope_lead(struct sonde_scope *s, u32 slot, u32 before)
{
	struct sonde_scope_slot *sl, *lead;

	if (!s || before >= SONDE_SCOPE_SLOTS)
		return 0;
	sl = &s->slot[SLOT(slot)];
	lead = &s->slot[SLOT(before)];
	if (lead->epoch != s->epoch || s->hot >> SLOT(before) & 1)
		return 0;
	/* One that had a parent of its own, which does not repeat, began with a round. */
	if (sl->parent < SONDE_SCOPE_SLOTS && !(s->hot >> SLOT(sl->parent) & 1))
		return 0;
	lead->flags |= SONDE_SLOT_LEADS;
	s->flags |= SONDE_SCOPE_LED;
	return 0;
}

/** scope_count - one more execution: its slot, or SONDE_SLOT_NONE */
__noinline u32 scope_count(struct sonde_scope *s, const struct scope_what *what)
{
	struct sonde_scope_slot *sl;
	u32 i;

	if (!s || !what)
		return SONDE_SLOT_NONE;
	i = scope_slot(s, what->id);
	if (i >= SONDE_SCOPE_SLOTS) {
		if (s->kind != SONDE_SCOPE_BURST) /* which has no end, and no claim to know all of it */
			count(SONDE_CNT_SCOPE_SLOTS);
		return SONDE_SLOT_NONE;
	}
	sl = &s->slot[SLOT(i)];
	if (sl->epoch != s->epoch || sl->id != what->id)
		slot_begin(s, i, sl, what);
	else if (what->pipelined)
		return SONDE_SLOT_NONE;
	sl->count++;
	sl->last_ns = what->now;
	if (what->params)
		sl->bits += sonde_sketch_add(sl->sketch, what->params);
	else
		sl->flags |= SONDE_SLOT_NO_PARAMS;
	if (s->kind == SONDE_SCOPE_BURST && !(s->flags & SONDE_SCOPE_LED) && s->hot >> SLOT(i) & 1)
		scope_lead(s, i, s->last_read);
	if (what->label || what->verb == SONDE_SQL_SELECT)
		s->last_read = i;
	if (sl->count >= 2 && sl->count <= conf.min_repeat)
		scope_repeat(s, i, what->now, what->entry);
	return i;
}

/** scope_restarts - whether the read @id led to what repeats in @s: then it begins the next round of a loop */
__noinline u32 scope_restarts(struct sonde_scope *s, u64 id)
{
	u32 slot = SONDE_SLOT_NONE, base = (id & (SONDE_SCOPE_SETS - 1)) * SONDE_SCOPE_WAYS;

	if (!s || !s->hot)
		return 0;
	for (u32 i = 0; i < SONDE_SCOPE_WAYS; i++) {
		struct sonde_scope_slot *sl = &s->slot[SLOT(base + i)];

		if (sl->epoch == s->epoch && sl->id == id)
			slot = base + i;
	}
	/* What repeats itself leads to the others, but they are of the same round. */
	return slot != SONDE_SLOT_NONE && !(s->hot >> SLOT(slot) & 1) && s->slot[SLOT(slot)].flags & SONDE_SLOT_LEADS;
}

/* Whether the statement goes on in the scope that is open; otherwise one is opened, if that may be. */
static __always_inline bool scope_goes_on(struct sonde_scope *s, const struct scope_pick *pick,
					  const struct scope_what *what)
{
	if (s->kind != pick->kind)
		return false;
	if (pick->kind == SONDE_SCOPE_BURST)
		return what->now - s->last_ns < SCOPE_BURST_NS && !scope_restarts(s, what->id);
	if (pick->kind == SONDE_SCOPE_COMMENT)
		return what->now - s->last_ns < SCOPE_COMMENT_NS;
	return true;
}

__noinline int scope_settle(struct sonde_scope *s, const struct scope_pick *pick, const struct scope_what *what)
{
	if (s && pick && what && !pick->epoch && s->flags & SONDE_SCOPE_OPEN && !scope_goes_on(s, pick, what))
		scope_end(s, s->last_ns);
	return 0;
}

__noinline u32 scope_enter(struct sonde_scope *s, struct scope_pick *pick, const struct scope_what *what)
{
	if (!s || !pick || !what)
		return SONDE_SLOT_NONE;
	if (pick->epoch) { /* a request's: begun by the request, or it is over */
		if (s->epoch != pick->epoch || !(s->flags & SONDE_SCOPE_OPEN))
			return SONDE_SLOT_NONE;
	} else {
		if (!(s->flags & SONDE_SCOPE_OPEN)) {
			scope_open(s, pick->name, pick->kind, what->now);
			s->proc = what->proc;
		}
		pick->epoch = s->epoch;
	}
	s->last_ns = what->now;
	s->nr_statements++;
	return scope_count(s, what);
}

__noinline int scope_process(const struct scope_what *what)
{
	struct sonde_caller_key key = { .scope = SONDE_SCOPE_PROCESS };
	struct sonde_caller_stat *row;

	if (!what)
		return 0;
	key.id = what->id;
	key.proc = what->proc;
	row = caller_add(&key, 1, 0);
	if (row && what->params)
		sonde_sketch_add(row->sketch, what->params);
	return 0;
}

/*
 * A whole stack is asked for until there is one: at the first so many executions, meanwhile the process's tables come, and then at one
 * of so many. Where walks fail there never is one.
 */
#define SITE_ASKS 16

/* One execution into the row of its statement in scopes of this name. True: a whole stack is asked for. */
static __always_inline bool exceeds(struct sonde_finding_key *key, u32 class, const struct done *d, s32 stack)
{
	struct sonde_finding_stat *row;
	u64 before;

	key->class = class;
	row = finding_row(key);
	if (!row)
		return false;
	before = row->scopes;
	__sync_fetch_and_add(&row->scopes, 1);
	__sync_fetch_and_add(&row->calls, 1);
	__sync_fetch_and_add(&row->rows, d->rows);
	__sync_fetch_and_add(&row->waste_ns, d->done_ns);
	if (d->done_ns > row->max_ns)
		row->max_ns = d->done_ns;
	if (d->rows > row->max_rows)
		row->max_rows = d->rows;
	if (d->recv_bytes > row->max_bytes)
		row->max_bytes = d->recv_bytes;
	if (!row->first_seen_ns)
		row->first_seen_ns = d->end_ns;
	row->last_seen_ns = d->end_ns;
	if (row->stack < 0)
		row->stack = stack;
	return !site_is_whole(row->stack) && (before < SITE_ASKS || before % SITE_ASKS == 0);
}

/* As want_site(), for the rows of @key. */
static __always_inline void want_row_site(const struct sonde_finding_key *key)
{
	u32 zero = 0;
	struct site_want *want = bpf_map_lookup_elem(&site_wants, &zero);

	if (!want)
		return;
	want->thread = bpf_get_current_pid_tgid();
	want->scope = 0;
	want->row = *key;
}

__noinline int scope_exceeds(const struct sonde_query_key *of, u64 scope, u32 epoch, u32 verb, const struct done *d)
{
	struct sonde_finding_key key = {};
	bool wanted = false;
	s32 stack;

	if (!of || !d)
		return 0;
	stack = stack_take(0);
	key.id = of->id;
	key.peer = of->peer;
	key.proc = of->proc;
	key.proto = of->proto;
	key.verb = verb;
	key.scope = scope_told(scope, epoch, &key.name) ?: SONDE_SCOPE_PROCESS;
	if (conf.slow_ns && d->done_ns >= conf.slow_ns)
		wanted = exceeds(&key, SONDE_FOUND_SLOW, d, stack);
	if ((conf.large_rows && d->rows >= conf.large_rows) || (conf.large_bytes && d->recv_bytes >= conf.large_bytes))
		wanted |= exceeds(&key, SONDE_FOUND_LARGE, d, stack);
	if (wanted)
		want_row_site(&key);
	return 0;
}
