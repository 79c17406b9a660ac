// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_exact.bpf.c - every call of malloc, free and their kin, by probes on the functions of whatever allocator a process has.
 *
 * What a call allocates is known when it returns: until then it is kept with its thread. Calls that an allocator makes inside of
 * another (realloc of nothing is a malloc) are part of the outermost, which alone counts; they are told by the stack pointer.
 */
#define COUNT_PREEMPTIBLE
#include "alloc.bpf.h"
#include "alloc_stack.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define EACH 32 /* one call in so many is timed */
#define STALE_NS 10000000000ULL /* a call that has not returned by then never will */

#if defined(__TARGET_ARCH_x86)
#define RETURN_ADDRESS 8 /* bytes on the stack that a return takes off it */
#else
#define RETURN_ADDRESS 0
#endif

/**
 * struct thread - what is known of a thread
 * @sp: stack pointer of the call under way (0: none), in a @round of probes; @time_ns: when it began
 * @ptr: the old object, or where the address of the new one goes to
 * @old: the old object's record, if it @had one: taken out, for its address may be given out before the call returns
 * @timed: this call is; @took_ns: what its entry took
 */
struct thread {
	u64 sp;
	u64 time_ns;
	u64 size;
	u64 ptr;
	u64 took_ns;
	u32 round;
	u8 kind;
	u8 had;
	u8 timed;
	u8 known;
	u32 turns;
	u32 free_turns;
	struct sonde_proc proc;
	u32 epoch;
	u32 pad;
	struct sonde_alloc_live old;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} alloc_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_alloc_gauge);
} alloc_gauge SEC(".maps");

u32 alloc_phase = SONDE_ALLOC_OFF;

/* Counts how often probes were put in: returns of calls that were under way then are not seen. */
u32 alloc_round = 0;

static __always_inline u32 phase_now(void)
{
	u32 phase = READ_ONCE(alloc_phase);

	return phase == SONDE_ALLOC_TRACE && !READ_ONCE(active) ? SONDE_ALLOC_OFF : phase;
}

static __always_inline struct sonde_alloc_gauge *gauge(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&alloc_gauge, &zero);
}

static __always_inline struct thread *thread_get(void)
{
	struct sonde_alloc_proc *proc;
	struct thread *t;

	t = bpf_task_storage_get(&alloc_threads, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t || t->known)
		return t;
	task_proc(&t->proc);
	proc = proc_get(&t->proc);
	t->epoch = proc ? proc->epoch : 0;
	t->known = 1;
	return t;
}

static __always_inline bool inside(const struct thread *t, u64 sp)
{
	if (!t->sp || t->round != alloc_round || sp > t->sp)
		return false;
	return bpf_ktime_get_ns() - t->time_ns < STALE_NS;
}

/* The record of @ptr is taken out of those that live, into @to; false: there is none. */
static __always_inline bool take_out(const struct thread *t, u64 ptr, struct sonde_alloc_live *to)
{
	struct sonde_alloc_object key = { .ptr = ptr, .tgid = t->proc.tgid, .epoch = t->epoch };
	struct sonde_alloc_live *live = bpf_map_lookup_elem(&alloc_live, &key);

	if (!live)
		return false;
	*to = *live;
	return !bpf_map_delete_elem(&alloc_live, &key);
}

/* What is too much fails; it is not to look like a realloc() to no bytes, which frees. */
static __always_inline u64 product(u64 nr, u64 size)
{
	u64 most = ~0ULL;

	if ((nr | size) >> 32 && nr)
		most = most / nr;
	SONDE_OPAQUE(most); /* else the compiler takes it for a multiplication of 128 bits */
	return size > most ? ~0ULL : nr * size;
}

static __always_inline u64 size_of(struct pt_regs *ctx, u32 kind)
{
	switch (kind) {
	case SONDE_ALLOC_CALL_ARRAY:
		return product(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx));
	case SONDE_ALLOC_CALL_ALIGNED:
	case SONDE_ALLOC_CALL_REALLOC:
		return PT_REGS_PARM2(ctx);
	case SONDE_ALLOC_CALL_POSIX:
		return PT_REGS_PARM3(ctx);
	case SONDE_ALLOC_CALL_REARRAY:
		return product(PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx));
	default:
		return PT_REGS_PARM1(ctx);
	}
}

static __always_inline bool reallocates(u32 kind)
{
	return kind == SONDE_ALLOC_CALL_REALLOC || kind == SONDE_ALLOC_CALL_REARRAY;
}

/* Returns whether the return is to be probed. */
static __always_inline bool begins(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), now, size;
	u32 phase = phase_now(), kind = cookie & SONDE_ALLOC_CALL, stepped = cookie & SONDE_ALLOC_STEPPED ? 1 : 0;
	struct sonde_alloc_gauge *g = gauge();
	struct thread *t;

	if (phase == SONDE_ALLOC_OFF || !g)
		return false;
	t = thread_get();
	if (!t) {
		count_seen();
		count(SONDE_CNT_LOST_ALLOC_MEMORY);
		return false;
	}
	if (inside(t, PT_REGS_SP(ctx))) {
		__sync_fetch_and_add(&g->inner[stepped], 1);
		return false;
	}
	now = bpf_ktime_get_ns();
	size = size_of(ctx, kind);
	if (kind == SONDE_ALLOC_CALL_NEW && size >= SONDE_ALLOC_NEW_MAX) {
		count(SONDE_CNT_ALLOC_NEW_LEFT_OUT);
		return false;
	}
	__sync_fetch_and_add(&g->calls[stepped], 1);
	t->sp = PT_REGS_SP(ctx);
	t->round = alloc_round;
	t->time_ns = now;
	t->size = size;
	t->ptr = PT_REGS_PARM1(ctx);
	t->kind = kind;
	t->timed = phase != SONDE_ALLOC_TRACE || !(t->turns++ & (EACH - 1));
	t->had = phase != SONDE_ALLOC_MEASURE && reallocates(kind) && t->ptr && take_out(t, t->ptr, &t->old);
	if (t->timed)
		t->took_ns = bpf_ktime_get_ns() - now;
	return true;
}

/* The object that a realloc was given. */
static __always_inline void settle_old(struct thread *t, bool freed)
{
	struct sonde_alloc_object key = { .ptr = t->ptr, .tgid = t->proc.tgid, .epoch = t->epoch };

	if (!t->had) {
		if (t->ptr && freed)
			count(SONDE_CNT_ALLOC_FREED_BEFORE);
		return;
	}
	t->had = 0;
	if (freed) {
		gone(&t->old, t->time_ns);
	} else if (bpf_map_update_elem(&alloc_live, &key, &t->old, BPF_NOEXIST)) {
		count(SONDE_CNT_ALLOC_LIVE_FULL);
		gone(&t->old, 0);
	}
}

/* The stack of who called the function that returns, in a slot that is to be given back; 0: all are taken. */
static __always_inline u32 caller(struct pt_regs *ctx, const struct thread *t, u64 *hash)
{
	u32 slot = unwind_take();
	struct unwind_walk *w = unwind_walk(slot);
	u64 ip, sp, bp;

	if (!slot || !w)
		return 0;
	unwind_from_regs(w, ctx);
	w->ip--; /* the call, not what comes after it */
	w->sample.nr_kernel = 0;
	if (!stack_same(w, slot, t->proc.tgid)) {
		ip = w->ip;
		sp = w->sp;
		bp = w->bp;
		unwind_user(slot);
		alloc_remember(slot, ip, sp, bp);
		w->ip = ip; /* it may be walked again */
		w->sp = sp;
		w->bp = bp;
	}
	*hash = w->hash;
	return slot;
}

static __always_inline void record(struct pt_regs *ctx, const struct thread *t, u64 ptr, u32 phase)
{
	struct sonde_alloc_live live = {
		.site = { .proc = t->proc, .epoch = t->epoch },
		.time_ns = t->time_ns,
		.size = t->size,
		.bytes = t->size,
	};
	u32 slot = 0;

	if (phase == SONDE_ALLOC_TRACE) {
		count_seen();
		slot = caller(ctx, t, &live.site.hash);
	}
	add(&live, ptr, slot, false);
	if (slot)
		unwind_give(slot);
}

static __always_inline void measure(struct pt_regs *ctx, const struct thread *t, struct sonde_alloc_gauge *g)
{
	u64 begin = bpf_ktime_get_ns(), hash;
	u32 slot = caller(ctx, t, &hash);

	if (!slot)
		return;
	unwind_give(slot);
	__sync_fetch_and_add(&g->walked, 1);
	__sync_fetch_and_add(&g->walk_ns, bpf_ktime_get_ns() - begin);
}

/* The object that the call which returns has made; 0: none. */
static __always_inline u64 result(struct pt_regs *ctx, const struct thread *t)
{
	u64 ptr = PT_REGS_RC(ctx);

	if (t->kind != SONDE_ALLOC_CALL_POSIX)
		return ptr;
	if ((u32)ptr)
		return 0;
	if (bpf_probe_read_user(&ptr, sizeof(ptr), (void *)t->ptr)) {
		count(SONDE_CNT_READ_FAULT);
		return 0;
	}
	return ptr;
}

static __always_inline void returns(struct pt_regs *ctx)
{
	struct sonde_alloc_gauge *g = gauge();
	u32 phase = phase_now();
	struct thread *t;
	u64 begin = 0, ptr;

	if (phase == SONDE_ALLOC_OFF || !g)
		return;
	t = bpf_task_storage_get(&alloc_threads, bpf_get_current_task_btf(), 0, 0);
	if (!t || !t->sp || t->round != alloc_round || PT_REGS_SP(ctx) - RETURN_ADDRESS != t->sp)
		return;
	if (t->timed)
		begin = bpf_ktime_get_ns();
	t->sp = 0;
	ptr = result(ctx, t);
	if (phase == SONDE_ALLOC_MEASURE) {
		if (ptr)
			measure(ctx, t, g);
	} else {
		if (reallocates(t->kind))
			settle_old(t, ptr || !t->size);
		if (ptr)
			record(ctx, t, ptr, phase);
	}
	if (!begin)
		return;
	__sync_fetch_and_add(&g->timed, 1);
	__sync_fetch_and_add(&g->timed_ns, t->took_ns + bpf_ktime_get_ns() - begin);
}

/* One program for both ends (uprobe session, Linux 6.13): at the return the instruction pointer is the caller's. */
SEC("uprobe")
int ax_both(struct pt_regs *ctx)
{
	if (PT_REGS_IP(ctx) == bpf_get_func_ip(ctx))
		return begins(ctx) ? 0 : 1;
	returns(ctx);
	return 0;
}

SEC("uprobe")
int ax_begin(struct pt_regs *ctx)
{
	begins(ctx);
	return 0;
}

SEC("uretprobe")
int ax_return(struct pt_regs *ctx)
{
	returns(ctx);
	return 0;
}

/* Before the function has run: it may give the address to another thread. */
SEC("uprobe")
int ax_free(struct pt_regs *ctx)
{
	u32 phase = phase_now(), stepped = bpf_get_attach_cookie(ctx) & SONDE_ALLOC_STEPPED ? 1 : 0;
	struct sonde_alloc_gauge *g = gauge();
	struct sonde_alloc_live live;
	u64 ptr = PT_REGS_PARM1(ctx), now;
	struct thread *t;

	if (phase == SONDE_ALLOC_OFF || !g)
		return 0;
	t = thread_get();
	if (t && inside(t, PT_REGS_SP(ctx))) {
		__sync_fetch_and_add(&g->inner[stepped], 1);
		return 0;
	}
	__sync_fetch_and_add(&g->frees[stepped], 1);
	if (!t || !ptr || phase == SONDE_ALLOC_MEASURE)
		return 0;
	now = bpf_ktime_get_ns();
	if (take_out(t, ptr, &live))
		gone(&live, now);
	else
		count(SONDE_CNT_ALLOC_FREED_BEFORE);
	if (phase != SONDE_ALLOC_TRACE || !(t->free_turns++ & (EACH - 1))) {
		__sync_fetch_and_add(&g->free_timed, 1);
		__sync_fetch_and_add(&g->free_timed_ns, bpf_ktime_get_ns() - now);
	}
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ax_exec, struct task_struct *task)
{
	struct thread *t;

	if (!proc_executed(task))
		return 0;
	t = bpf_task_storage_get(&alloc_threads, task, 0, 0);
	if (t) {
		t->known = 0;
		t->sp = 0;
	}
	return 0;
}
