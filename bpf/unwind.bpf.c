// SPDX-License-Identifier: GPL-2.0-only
/*
 * unwind.bpf.c - walks up user stacks by the tables that user space makes from .eh_frame; where there is none, by frame pointers.
 *
 * All of it is subprograms, verified by themselves; a walk is bounded, and why it ended stands in its sample.
 */
#define COUNT_PREEMPTIBLE
#include "filter.bpf.h"
#include "unwind.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define ASK_NS 20000000ULL /* a process's tables are asked for this often at most */
#define ROW_STEPS (SONDE_UNWIND_ROWS_LOG2 + 1)
#define MAP_STEPS 14
#define NOWHERE 0xffffffffu

/* Distances in a signal frame (struct rt_sigframe of x86-64) from the saved stack pointer. */
#define SIGNAL_IP 8
#define SIGNAL_BP -40

u32 uw_round = 0;

struct map_uw_walks_def uw_walks SEC(".maps");
struct map_uw_samples_def uw_samples SEC(".maps");

/* Written by user space through mappings of them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SONDE_UNWIND_ROWS_LOG2);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct sonde_unwind_row);
} uw_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SONDE_UNWIND_MAPS_LOG2);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct sonde_unwind_map);
} uw_maps SEC(".maps");

/* By process id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SONDE_UNWIND_SPACES);
	__type(key, u32);
	__type(value, struct sonde_unwind_space);
} uw_spaces SEC(".maps");

/* When a process's tables were asked for last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u64);
} uw_asked SEC(".maps");

/* Let user space read what the current process has mapped. */
static __always_inline void ask(void)
{
	u64 now = bpf_ktime_get_ns(), *last;
	struct sonde_event_proc e = {
		.head = { .type = SONDE_EVENT_SPACE, .size = sizeof(e), .time_ns = now },
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};

	last = bpf_map_lookup_elem(&uw_asked, &e.tgid);
	if (last && now - *last < ASK_NS)
		return;
	bpf_map_update_elem(&uw_asked, &e.tgid, &now, BPF_ANY);
	if (bpf_ringbuf_output(&events, &e, sizeof(e), 0))
		count(SONDE_CNT_HELPER_FAILED); /* asked again with a later sample */
}

__noinline u32 unwind_take(void)
{
	for (u32 slot = UNWIND_SLOT_PROBE; slot < UNWIND_SLOTS; slot++) {
		struct unwind_walk *w = unwind_walk(slot);

		if (w && !__sync_val_compare_and_swap(&w->taken, 0, 1))
			return slot;
	}
	return 0;
}

/** unwind_find_map - the last of @nr mappings from @first on that begins at or below @ip; NOWHERE: none */
__noinline u32 unwind_find_map(u32 first, u32 nr, u64 ip)
{
	u32 low = first, high = first + nr;

	for (u32 i = 0; i < MAP_STEPS && low < high; i++) {
		u32 middle = (low + high) >> 1;
		struct sonde_unwind_map *m = bpf_map_lookup_elem(&uw_maps, &middle);

		if (!m)
			return NOWHERE;
		if (m->start <= ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low > first ? low - 1 : NOWHERE;
}

/** unwind_find_row - the last of @nr rows from @first on that begins at or below @pc; NOWHERE: none */
__noinline u32 unwind_find_row(u32 first, u32 nr, u32 pc)
{
	u32 low = first, high = first + nr;

	for (u32 i = 0; i < ROW_STEPS && low < high; i++) {
		u32 middle = (low + high) >> 1;
		struct sonde_unwind_row *row = bpf_map_lookup_elem(&uw_rows, &middle);

		if (!row)
			return NOWHERE;
		if (row->pc <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low > first ? low - 1 : NOWHERE;
}

#define PROBED_DEPTH 16 /* functions that a thread is in and whose returns are probed */

/*
 * Where the return of a function is probed, the address that it returns to is the probe's; the kernel keeps what stood there. True: @w
 * is at that now.
 */
static __always_inline bool is_probed(struct unwind_walk *w)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 at = w->sp - sizeof(u64), ip = 0;
	struct return_instance *probed;
	u32 nr = w->sample.nr_user;

	if (w->exact || !nr || !bpf_core_field_exists(task->utask))
		return false;
	probed = BPF_CORE_READ(task, utask, return_instances);
	for (u32 i = 0; i < PROBED_DEPTH && probed && !ip; i++) {
		if (BPF_CORE_READ(probed, stack) == at)
			ip = BPF_CORE_READ(probed, orig_ret_vaddr);
		probed = BPF_CORE_READ(probed, next);
	}
	if (!ip || ip == w->ip)
		return false;
	w->ip = ip;
	w->plain = 0;
	w->sample.ip[(nr - 1) & SONDE_UNWIND_FRAMES] = ip;
	w->hash = (w->hash ^ ip) * SONDE_FNV_PRIME;
	w->hash ^= w->hash >> 32;
	return true;
}

static __always_inline int finish(struct unwind_walk *w, u32 why)
{
	w->sample.end = why;
	w->over = 1;
	return 1;
}

static __always_inline int read_word(u64 *to, u64 from)
{
	return bpf_probe_read_user(to, sizeof(*to), (void *)from);
}

/* The caller is at @ip, with stack pointer @sp and frame pointer @bp. */
static __always_inline int to_caller(struct unwind_walk *w, u64 ip, u64 sp, u64 bp)
{
	u32 nr = w->sample.nr_user;

	if (!ip)
		return finish(w, SONDE_UNWIND_END_COMPLETE); /* nobody called the first function */
	if (nr >= SONDE_UNWIND_FRAMES)
		return finish(w, SONDE_UNWIND_END_DEEP);
	w->ip = ip;
	w->sp = sp;
	w->bp = bp;
	w->sample.ip[nr & SONDE_UNWIND_FRAMES] = ip;
	w->at[nr & SONDE_UNWIND_FRAMES] = sp - sizeof(ip);
	w->sample.nr_user = nr + 1;
	w->hash = (w->hash ^ ip) * SONDE_FNV_PRIME;
	w->hash ^= w->hash >> 32;
	return 0;
}

/* Code without a table keeps its frame in the frame pointer, or ends here. Go changes stacks meanwhile: up is not always upwards. */
static __always_inline int step_pointer(struct unwind_walk *w, u32 if_none)
{
	u64 frame[2];

	w->exact = 0;
	w->by_bp = 1;
	if (!w->bp)
		return finish(w, if_none);
	if (w->bp & 7)
		return finish(w, SONDE_UNWIND_END_BAD_FRAME);
	if (bpf_probe_read_user(frame, sizeof(frame), (void *)w->bp))
		return finish(w, SONDE_UNWIND_END_UNREADABLE);
	if (frame[0] == w->bp)
		return finish(w, SONDE_UNWIND_END_BAD_FRAME);
	return to_caller(w, frame[1], w->bp + sizeof(frame), frame[0]);
}

static __always_inline int step_signal(struct unwind_walk *w, u64 at)
{
	u64 ip, sp, bp;

	if (read_word(&sp, at) || read_word(&ip, at + SIGNAL_IP) || read_word(&bp, at + SIGNAL_BP))
		return finish(w, SONDE_UNWIND_END_UNREADABLE);
	w->exact = 1;
	w->plain = 0;
	return to_caller(w, ip, sp, bp);
}

/* The CFA by @row; false: it cannot be read. */
static __always_inline bool frame_at(const struct unwind_walk *w, const struct sonde_unwind_row *row, u64 *cfa)
{
	u32 kind = row->kind & SONDE_UNWIND_KIND, words = row->cfa;
	u64 base = w->sp;

	if (kind == SONDE_UNWIND_BP || kind == SONDE_UNWIND_AT_BP)
		base = w->bp;
	if (kind == SONDE_UNWIND_PLT) {
		*cfa = base + 8 + ((w->ip & 15) >= words ? 8 : 0);
		return true;
	}
	if (kind == SONDE_UNWIND_SP || kind == SONDE_UNWIND_BP) {
		*cfa = base + words * 8;
		return true;
	}
	if (read_word(cfa, base + (s64)((s32)(words << 17) >> 17) * 8))
		return false;
	*cfa += words & SONDE_UNWIND_AT_PLUS ? 8 : 0;
	return true;
}

static __always_inline int step_row(struct unwind_walk *w, const struct sonde_unwind_row *row)
{
	u64 cfa, ip, bp = w->bp;

	if (!frame_at(w, row, &cfa))
		return finish(w, SONDE_UNWIND_END_UNREADABLE);
	if (cfa <= w->sp || cfa & 7)
		return finish(w, SONDE_UNWIND_END_BAD_FRAME);
	if (read_word(&ip, cfa - 8))
		return finish(w, SONDE_UNWIND_END_UNREADABLE);
	if (row->kind & SONDE_UNWIND_BP_LOST)
		bp = 0;
	else if (row->kind & SONDE_UNWIND_BP_AT_BP || row->bp) {
		u64 at = (row->kind & SONDE_UNWIND_BP_AT_BP ? bp : cfa) + (s64)row->bp * 8;

		if (read_word(&bp, at))
			return finish(w, SONDE_UNWIND_END_UNREADABLE);
	}
	w->exact = 0;
	return to_caller(w, ip, cfa, bp);
}

/** unwind_step - from a frame to its caller's in the walk of @slot; 1: the walk is over */
__noinline int unwind_step(u32 slot)
{
	struct unwind_walk *w = unwind_walk(slot);
	struct sonde_unwind_row *row;
	struct sonde_unwind_map *m;
	u32 at, kind;
	u64 pc;

	if (!w || w->over)
		return 1;
	pc = w->ip - !w->exact;
	at = unwind_find_map(w->space.first, w->space.nr, pc);
	m = bpf_map_lookup_elem(&uw_maps, &at);
	if (m && (pc < m->start || pc >= m->end))
		m = NULL;
	if (!m || !m->nr) {
		if (is_probed(w))
			return 0;
		return m ? step_pointer(w, SONDE_UNWIND_END_COMPLETE) : finish(w, SONDE_UNWIND_END_NO_MAP);
	}
	pc -= m->bias;
	at = pc >> 32 ? NOWHERE : unwind_find_row(m->first, m->nr, pc);
	row = bpf_map_lookup_elem(&uw_rows, &at);
	if (!row)
		return step_pointer(w, SONDE_UNWIND_END_NO_ROW);
	kind = row->kind & SONDE_UNWIND_KIND;
	if (kind == SONDE_UNWIND_BP || kind == SONDE_UNWIND_AT_BP || row->kind & SONDE_UNWIND_BP_AT_BP)
		w->by_bp = 1;
	if (kind == SONDE_UNWIND_NONE)
		return step_pointer(w, SONDE_UNWIND_END_NO_ROW);
	if (kind == SONDE_UNWIND_OUTERMOST)
		return finish(w, SONDE_UNWIND_END_COMPLETE);
	if (kind == SONDE_UNWIND_ODD)
		return finish(w, SONDE_UNWIND_END_ODD);
	if (kind == SONDE_UNWIND_SIGNAL)
		return step_signal(w, w->sp + row->cfa * 8);
	return step_row(w, row);
}

/* By frame pointers alone, as the kernel does it. */
static __always_inline void walk_pointers(struct unwind_walk *w, u32 why)
{
	long bytes = bpf_get_task_stack(bpf_get_current_task_btf(), w->sample.ip, SONDE_UNWIND_FRAMES * sizeof(u64),
					BPF_F_USER_STACK);

	finish(w, why);
	w->sample.nr_user = bytes > 0 ? bytes / sizeof(u64) : 0;
	for (u32 i = 0; i < SONDE_UNWIND_FRAMES && i < w->sample.nr_user; i++) {
		w->hash = (w->hash ^ w->sample.ip[i]) * SONDE_FNV_PRIME;
		w->hash ^= w->hash >> 32;
	}
}

#if defined(__TARGET_ARCH_x86)
static long step(u32 i, const u32 *slot)
{
	return unwind_step(*slot) != 0;
}

static __always_inline void walk(struct unwind_walk *w, u32 slot)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct sonde_unwind_space *space;

	if (w->compat) {
		walk_pointers(w, SONDE_UNWIND_END_POINTERS);
		return;
	}
	space = bpf_map_lookup_elem(&uw_spaces, &tgid);
	if (!space) {
		ask();
		walk_pointers(w, SONDE_UNWIND_END_NO_SPACE);
		return;
	}
	w->space = *space;
	w->exact = 1;
	w->plain = 1;
	if (to_caller(w, w->ip, w->sp, w->bp))
		return;
	bpf_loop(SONDE_UNWIND_FRAMES + 1, step, &slot, 0);
	if (w->sample.end == SONDE_UNWIND_END_NO_MAP)
		ask();
}
#else
static __always_inline void walk(struct unwind_walk *w, u32 slot)
{
	walk_pointers(w, SONDE_UNWIND_END_POINTERS);
}
#endif

__noinline int unwind_user(u32 slot)
{
	struct unwind_walk *w = unwind_walk(slot);

	if (!w)
		return 0;
	w->hash = SONDE_FNV_BASIS;
	w->sample.nr_user = 0;
	w->over = 0;
	w->plain = 0;
	w->by_bp = 0;
	walk(w, slot);
	return 0;
}

__noinline int unwind_count(u32 slot, u32 tid, u64 weight)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct unwind_walk *w = unwind_walk(slot);
	struct sonde_sample_key key = {};
	struct sonde_sample *s;
	u64 hash;

	if (!w)
		return 0;
	hash = w->hash;
	for (u32 i = 0; i < SONDE_UNWIND_KERNEL_FRAMES && i < w->sample.nr_kernel; i++) {
		hash = (hash ^ w->sample.ip[SONDE_UNWIND_FRAMES + 1 + i]) * SONDE_FNV_PRIME;
		hash ^= hash >> 32;
	}
	key.proc.tgid = bpf_get_current_pid_tgid() >> 32;
	key.proc.start = BPF_CORE_READ(task, group_leader, start_boottime) >> 24;
	key.hash = hash;
	key.round = uw_round;
	key.tid = tid;
	s = bpf_map_lookup_elem(&uw_samples, &key);
	if (s) {
		__sync_fetch_and_add(&s->count, 1);
		__sync_fetch_and_add(&s->weight, weight);
		return 0;
	}
	w->sample.count = 1;
	w->sample.weight = weight;
	BPF_CORE_READ_STR_INTO(&w->sample.comm, task, group_leader, comm);
	if (!bpf_map_update_elem(&uw_samples, &key, &w->sample, BPF_NOEXIST))
		return 0;
	s = bpf_map_lookup_elem(&uw_samples, &key); /* another thread, on another processor, was first */
	if (s) {
		__sync_fetch_and_add(&s->count, 1);
		__sync_fetch_and_add(&s->weight, weight);
	} else {
		count(SONDE_CNT_LOST_STACKS);
	}
	return 0;
}

/* ---- processes come and go ---- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(uw_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 from = parent->tgid, to = child->tgid;
	struct sonde_unwind_space *space, copy;

	if (from == to)
		return 0;
	space = bpf_map_lookup_elem(&uw_spaces, &from);
	if (!space) {
		if (filter_pass())
			ask(); /* for those to come */
		return 0;
	}
	copy = *space; /* a child has mapped what its parent has */
	if (bpf_map_update_elem(&uw_spaces, &to, &copy, BPF_ANY))
		count(SONDE_CNT_HELPER_FAILED);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(uw_exec, struct task_struct *task)
{
	u32 tgid = task->tgid;

	bpf_map_delete_elem(&uw_spaces, &tgid);
	bpf_map_delete_elem(&uw_asked, &tgid);
	if (filter_pass())
		ask();
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(uw_exit, struct task_struct *task)
{
	u32 tgid = task->tgid;

	if (task->signal->live.counter > 0) /* other threads live on */
		return 0;
	bpf_map_delete_elem(&uw_spaces, &tgid);
	bpf_map_delete_elem(&uw_asked, &tgid);
	return 0;
}
