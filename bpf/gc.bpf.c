// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc.bpf.c - garbage collections of runtimes, by their own probes or functions: pauses added up by process, thread and kind.
 *
 * One program is behind all probes; its cookie says where it is (sonde/gc.h).
 */
#define COUNT_PREEMPTIBLE
#include "agg.bpf.h"
#include "filter.bpf.h"
#include "go.bpf.h"
#include "usdt.bpf.h"
#include "sonde/gc.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_gc_key);
	__type(value, struct sonde_gc_stat);
} gc_rows SEC(".maps");

/* One element that stays zero. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_gc_stat);
} gc_zero SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_proc);
	__type(value, struct sonde_gc_proc);
} gc_procs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_gc_pool_key);
	__type(value, struct sonde_gc_pool);
} gc_pools SEC(".maps");

/* What user space found in processes, by their number. The program does not need it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct sonde_gc_met);
} gc_met SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SONDE_GC_SPECS);
	__type(key, u32);
	__type(value, struct sonde_gc_spec);
} gc_specs SEC(".maps");

/* What a pause is found by: a thread, or (Go) a process. */
struct gc_open_key {
	u32 tgid;
	u32 tid;
};

/* Which part of Java's pools is being told of. */
enum { POOLS_NONE, POOLS_BEFORE, POOLS_AFTER };

/*
 * A pause under way.
 * @depth: begun inside of each other
 * @before, @after: bytes plus one; 0: not known
 * @manager: enum sonde_gc_manager, the greatest met but for CONCURRENT, which is what it is only alone
 */
struct gc_open {
	u64 begin_ns;
	u64 before;
	u64 after;
	u64 committed;
	u32 kind;
	u32 depth;
	u8 full;
	u8 manager;
	u8 pools; /* POOLS_* */
	u8 rounds; /* of pools before */
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct gc_open_key);
	__type(value, struct gc_open);
} gc_opens SEC(".maps");

#define STALE_NS 600000000000ULL /* a pause that began so long ago did end: that was missed */

static __always_inline struct sonde_gc_stat *row_get(const struct sonde_gc_key *key)
{
	struct sonde_gc_stat *row = bpf_map_lookup_elem(&gc_rows, key), *zero;
	u32 z = 0;

	if (row)
		return row;
	zero = bpf_map_lookup_elem(&gc_zero, &z);
	if (zero)
		bpf_map_update_elem(&gc_rows, key, zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&gc_rows, key);
}

/* The process's first collection: its name, and since when it runs. */
static __always_inline void proc_meet(const struct sonde_proc *proc)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sonde_gc_proc fresh = {};

	if (bpf_map_lookup_elem(&gc_procs, proc))
		return;
	fresh.begin_ns = BPF_CORE_READ(task, group_leader, start_time);
	BPF_CORE_READ_STR_INTO(&fresh.comm, task, group_leader, comm);
	if (bpf_map_update_elem(&gc_procs, proc, &fresh, BPF_NOEXIST) && !bpf_map_lookup_elem(&gc_procs, proc))
		count(SONDE_CNT_GC_FULL);
}

static __always_inline void pause_add(const struct gc_open *open, struct sonde_gc_key *key, u64 collected, u64 now)
{
	u64 ns = now > open->begin_ns ? now - open->begin_ns : 0;
	struct sonde_gc_stat *row;

	task_proc(&key->proc);
	row = row_get(key);
	if (!row) {
		count(SONDE_CNT_GC_FULL);
		return;
	}
	proc_meet(&key->proc);
	if (!row->first_ns) {
		row->first_ns = now;
		if (key->tid)
			bpf_get_current_comm(&row->comm, sizeof(row->comm));
	}
	row->last_ns = now;
	if (collected)
		__sync_fetch_and_add(&row->collected, collected);
	hist_add(&row->pause, ns, sonde_hist_bucket(ns));
	if (!open->before && !open->after)
		return;
	/* One heap's: by one thread at a time. */
	if (open->before)
		row->before = open->before - 1;
	if (open->after)
		row->after = open->after - 1;
	if (open->committed)
		row->committed = open->committed;
	if (open->before > row->peak)
		row->peak = open->before - 1;
	if (open->after > row->peak)
		row->peak = open->after - 1;
	if (!open->before || !open->after)
		return;
	row->sized++;
	if (open->before > open->after)
		row->freed += open->before - open->after;
}

/* @nests: what begins inside of another is a part of that (Java, V8); else the end of the other was missed. */
static __always_inline void pause_begin(const struct gc_open_key *key, u32 kind, bool nests, bool full, u64 now)
{
	struct gc_open *open = bpf_map_lookup_elem(&gc_opens, key), fresh = { .begin_ns = now, .kind = kind, .full = full };

	if (nests && open && now - open->begin_ns < STALE_NS) {
		open->depth++;
		open->full |= full;
		return;
	}
	fresh.depth = 1;
	bpf_map_update_elem(&gc_opens, key, &fresh, BPF_ANY);
}

static __always_inline void pause_end(struct gc_open_key *open_key, u32 tid, u64 collected, u64 now)
{
	struct gc_open *open = bpf_map_lookup_elem(&gc_opens, open_key), done;
	struct sonde_gc_key key = { .tid = tid };

	if (!open)
		return; /* it began before it was watched */
	if (open->depth > 1) {
		open->depth--;
		return;
	}
	done = *open;
	bpf_map_delete_elem(&gc_opens, open_key);
	key.kind = done.kind == SONDE_GC_KIND_YOUNG ? sonde_gc_java_kind(done.full, done.manager) : done.kind;
	if (key.kind < SONDE_GC_KINDS)
		pause_add(&done, &key, collected, now);
}

static __always_inline const struct sonde_gc_spec *spec_of(u64 cookie)
{
	u32 index = cookie >> 8;

	return bpf_map_lookup_elem(&gc_specs, &index);
}

/* The kind that CPython calls @generation. A number that is none: the function is not what it was taken for. */
static __always_inline u32 generation_kind(u64 generation)
{
	if ((s32)generation == -1)
		return SONDE_GC_KIND_AUTO;
	return generation <= 2 ? SONDE_GC_KIND_GEN0 + (u32)generation : SONDE_GC_KINDS;
}

static __always_inline u32 collector_kind(u32 collector)
{
	return collector <= 2 ? SONDE_GC_KIND_SCAVENGE + collector : SONDE_GC_KINDS;
}

SEC("uprobe")
int gc_hit(struct pt_regs *ctx)
{
	u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(ctx), id = bpf_get_current_pid_tgid();
	const struct sonde_gc_spec *spec = spec_of(cookie);
	struct gc_open_key key = { .tgid = id >> 32, .tid = (u32)id };
	u64 first = 0, live = 0;
	struct gc_open *open;

	if (!READ_ONCE(active) || !spec || !filter_pass())
		return 0;
	switch (cookie & 0xff) {
	case SONDE_GC_AT_PYTHON_START:
	case SONDE_GC_AT_PYTHON_DONE:
	case SONDE_GC_AT_JAVA_BEGIN:
		first = usdt_argument(ctx, &spec->args.arg[0]);
		break;
	case SONDE_GC_AT_GO_STOP:
	case SONDE_GC_AT_GO_START:
	case SONDE_GC_AT_GO_CYCLE:
	case SONDE_GC_AT_GO_LIVE:
		key.tid = 0;
	}
	switch (cookie & 0xff) {
	case SONDE_GC_AT_PYTHON_START:
		pause_begin(&key, generation_kind(first), false, false, now);
		break;
	case SONDE_GC_AT_PYTHON_ENTRY:
		pause_begin(&key, generation_kind((u32)PT_REGS_PARM2(ctx)), false, false, now);
		break;
	case SONDE_GC_AT_JAVA_BEGIN:
		pause_begin(&key, SONDE_GC_KIND_YOUNG, true, first & 1, now);
		break;
	case SONDE_GC_AT_V8_ENTRY:
		pause_begin(&key, SONDE_GC_KINDS, true, false, now);
		break;
	case SONDE_GC_AT_GO_STOP:
		pause_begin(&key, SONDE_GC_KIND_STOP, false, false, now);
		break;
	case SONDE_GC_AT_PYTHON_DONE:
		pause_end(&key, key.tid, first, now);
		break;
	case SONDE_GC_AT_PYTHON_RETURN:
		pause_end(&key, key.tid, PT_REGS_RC(ctx), now);
		break;
	case SONDE_GC_AT_JAVA_END:
	case SONDE_GC_AT_V8_RETURN:
		pause_end(&key, key.tid, 0, now);
		break;
	case SONDE_GC_AT_GO_START:
		pause_end(&key, 0, 0, now);
		break;
	case SONDE_GC_AT_V8_PERFORM:
		open = bpf_map_lookup_elem(&gc_opens, &key);
		if (open)
			open->kind = collector_kind((u32)PT_REGS_PARM2(ctx));
		break;
	case SONDE_GC_AT_V8_SIZE:
		open = bpf_map_lookup_elem(&gc_opens, &key);
		if (!open)
			break;
		live = PT_REGS_RC(ctx) + 1;
		if (open->before)
			open->after = live;
		else
			open->before = live;
		break;
	case SONDE_GC_AT_GO_CYCLE:
		open = bpf_map_lookup_elem(&gc_opens, &key);
		if (!open)
			break;
		open->kind = SONDE_GC_KIND_SWEEP_TERM;
		if (spec->member && !bpf_probe_read_user(&live, sizeof(live), (void *)GO_ARG1(ctx) + spec->member - 1))
			open->before = live + 1;
		break;
	case SONDE_GC_AT_GO_LIVE:
		open = bpf_map_lookup_elem(&gc_opens, &key);
		if (!open)
			break;
		open->kind = SONDE_GC_KIND_MARK_TERM;
		open->after = GO_ARG2(ctx) + 1;
		break;
	}
	return 0;
}

/* The numbers of one pool, as a probe tells them. */
struct gc_told {
	u64 manager; /* the first bytes of its name */
	u64 used;
	u64 committed;
	u64 max;
	bool after;
};

/* What a pool that is a part of the heap has is a part of what the heap has. */
static __always_inline void open_pool(const struct gc_told *told)
{
	u64 id = bpf_get_current_pid_tgid();
	struct gc_open_key key = { .tgid = id >> 32, .tid = (u32)id };
	struct gc_open *open = bpf_map_lookup_elem(&gc_opens, &key);
	u32 manager = sonde_gc_manager(told->manager);

	if (!open)
		return; /* a cycle of a concurrent collector: no pause */
	if (manager == SONDE_GC_MANAGER_OLD || !open->manager || open->manager == SONDE_GC_MANAGER_CONCURRENT)
		open->manager = manager;
	if (told->after) {
		if (open->pools != POOLS_AFTER) { /* of several collections in one pause the last one counts */
			open->after = 1;
			open->committed = 0;
		}
		open->pools = POOLS_AFTER;
		open->after += told->used;
		open->committed += told->committed;
		return;
	}
	if (open->pools != POOLS_BEFORE) {
		if (!open->rounds)
			open->before = 1;
		open->rounds += open->rounds < 2;
	}
	open->pools = POOLS_BEFORE;
	if (open->rounds == 1)
		open->before += told->used;
}

SEC("uprobe")
int gc_pool(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), name, len, manager, word = 0;
	const struct sonde_gc_spec *spec = spec_of(cookie);
	struct sonde_gc_pool_key key = {};
	struct sonde_gc_pool *pool;
	struct gc_told told = {};

	if (!READ_ONCE(active) || !spec || !filter_pass())
		return 0;
	manager = usdt_argument(ctx, &spec->args.arg[0]);
	name = usdt_argument(ctx, &spec->args.arg[2]);
	len = usdt_argument(ctx, &spec->args.arg[3]);
	told.used = usdt_argument(ctx, &spec->args.arg[5]);
	told.committed = usdt_argument(ctx, &spec->args.arg[6]);
	told.max = usdt_argument(ctx, &spec->args.arg[7]);
	told.after = (cookie & 0xff) == SONDE_GC_AT_JAVA_POOL_END;
	if (len > SONDE_GC_POOL_BYTES)
		len = SONDE_GC_POOL_BYTES;
	if (bpf_probe_read_user(&told.manager, sizeof(told.manager), (void *)manager) ||
	    bpf_probe_read_user(&key.name, (u32)len, (void *)name)) {
		count(SONDE_CNT_READ_FAULT);
		return 0;
	}
	__builtin_memcpy(&word, key.name, sizeof(word));
	if (sonde_gc_is_heap(word))
		open_pool(&told);
	task_proc(&key.proc);
	pool = bpf_map_lookup_elem(&gc_pools, &key);
	if (!pool) {
		struct sonde_gc_pool fresh = { .heap = sonde_gc_is_heap(word) };

		bpf_map_update_elem(&gc_pools, &key, &fresh, BPF_NOEXIST);
		pool = bpf_map_lookup_elem(&gc_pools, &key);
	}
	if (!pool) {
		count(SONDE_CNT_GC_FULL);
		return 0;
	}
	if (told.after) {
		pool->after = told.used;
		pool->collections++;
	} else {
		pool->before = told.used;
	}
	pool->committed = told.committed;
	pool->max = told.max;
	if (told.used > pool->peak)
		pool->peak = told.used;
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(gc_exit, struct task_struct *task)
{
	struct sonde_proc id = proc_of(task);
	struct sonde_gc_proc *proc;

	if (task->signal->live.counter > 0) /* other threads live on */
		return 0;
	proc = bpf_map_lookup_elem(&gc_procs, &id);
	if (proc)
		proc->end_ns = bpf_ktime_get_ns();
	return 0;
}
