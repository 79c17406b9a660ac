// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.bpf.c - allocations that a program samples and tells of by otel_memory's probes, added up by call site; their lives.
 */
#define COUNT_PREEMPTIBLE
#include "filter.bpf.h"
#include "unwind.bpf.h"
#include "sonde/alloc.h"

char LICENSE[] SEC("license") = "GPL";

const volatile u8 alloc_cookies = 0; /* the kernel has bpf_get_attach_cookie() */

/* Where the arguments of alloc (even) and free (odd) are, by the probe's cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * SONDE_ALLOC_SPECS);
	__type(key, u32);
	__type(value, struct sonde_alloc_spec);
} alloc_specs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_alloc_key);
	__type(value, struct sonde_alloc_stat);
} alloc_sites SEC(".maps");

/* One element that stays zero. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_alloc_stat);
} alloc_zero SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_proc);
	__type(value, struct sonde_alloc_proc);
} alloc_procs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_alloc_object);
	__type(value, struct sonde_alloc_live);
} alloc_live SEC(".maps");

static __always_inline void proc_now(struct sonde_proc *proc)
{
	proc->tgid = bpf_get_current_pid_tgid() >> 32;
	proc->start = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader, start_boottime) >> 24;
}

static __always_inline struct sonde_alloc_proc *proc_get(const struct sonde_proc *id)
{
	struct sonde_alloc_proc *proc = bpf_map_lookup_elem(&alloc_procs, id), fresh = {};

	if (proc)
		return proc;
	bpf_map_update_elem(&alloc_procs, id, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&alloc_procs, id);
}

/* Argument @n of the probe that was hit; @which: 0 alloc, 1 free. */
static __always_inline u64 argument(struct pt_regs *ctx, const struct sonde_alloc_spec *spec, u32 n)
{
	const struct sonde_alloc_arg *arg = &spec->arg[n];
	u32 unused = 64 - 8 * (arg->size & 15);
	u64 value = 0;

	if (arg->kind == SONDE_ALLOC_ARG_CONST)
		return arg->value;
	bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx + (arg->reg & 511));
	if (arg->kind == SONDE_ALLOC_ARG_MEMORY) {
		u64 from = value + arg->value;

		value = 0;
		if (bpf_probe_read_user(&value, sizeof(value), (void *)from))
			count(SONDE_CNT_READ_FAULT);
	}
	value <<= unused & 63;
	return arg->is_signed ? (u64)((s64)value >> (unused & 63)) : value >> (unused & 63);
}

static __always_inline const struct sonde_alloc_spec *spec_of(struct pt_regs *ctx, u32 which)
{
	u32 index = which;

	if (alloc_cookies)
		index += 2 * (u32)bpf_get_attach_cookie(ctx);
	return bpf_map_lookup_elem(&alloc_specs, &index);
}

/* Objects that @live stands for are gone; @freed_ns: when they were freed, 0: that was missed. */
static __noinline int gone(const struct sonde_alloc_live *live, u64 freed_ns)
{
	struct sonde_alloc_stat *site;
	struct sonde_alloc_proc *proc;
	struct sonde_alloc_key key;
	u64 objects, life;
	u32 bucket;

	if (!live)
		return 0;
	key = live->site;
	proc = bpf_map_lookup_elem(&alloc_procs, &key.proc);
	if (proc)
		__sync_fetch_and_add(&proc->live_bytes, -(s64)live->bytes);
	site = bpf_map_lookup_elem(&alloc_sites, &key);
	if (!site)
		return 0;
	objects = sonde_alloc_objects(live->size, live->bytes);
	__sync_fetch_and_add(&site->freed_samples, 1);
	__sync_fetch_and_add(&site->freed_objects, objects);
	__sync_fetch_and_add(&site->freed_bytes, live->bytes);
	__sync_fetch_and_add(&site->live_var, -(s64)sonde_alloc_var(live->size, live->bytes));
	if (!freed_ns)
		return 0;
	life = freed_ns > live->time_ns ? freed_ns - live->time_ns : 0;
	if (life < SONDE_ALLOC_CHURN_NS) {
		__sync_fetch_and_add(&site->churn_objects, objects);
		__sync_fetch_and_add(&site->churn_bytes, live->bytes);
	}
	bucket = sonde_alloc_log2(life / 1000, SONDE_ALLOC_LIVES - 1);
	if (bucket < SONDE_ALLOC_LIVES)
		__sync_fetch_and_add(&site->life[bucket], objects);
	return 0;
}

/* @live, an object at @ptr, is watched until it is freed. */
static __noinline int watch(u64 ptr, const struct sonde_alloc_live *live)
{
	struct sonde_alloc_object key = { .ptr = ptr };
	struct sonde_alloc_live *old, before;
	struct sonde_alloc_proc *proc;
	s64 now_live;

	if (!live)
		return 0;
	key.tgid = live->site.proc.tgid;
	key.epoch = live->site.epoch;
	old = bpf_map_lookup_elem(&alloc_live, &key);
	if (old) {
		before = *old;
		if (!bpf_map_delete_elem(&alloc_live, &key)) {
			count(SONDE_CNT_ALLOC_UNPAIRED);
			gone(&before, 0);
		}
	}
	if (bpf_map_update_elem(&alloc_live, &key, live, BPF_NOEXIST)) {
		count(SONDE_CNT_ALLOC_LIVE_FULL);
		return 1;
	}
	proc = bpf_map_lookup_elem(&alloc_procs, &live->site.proc);
	if (!proc)
		return 0;
	now_live = __sync_fetch_and_add(&proc->live_bytes, live->bytes) + (s64)live->bytes;
	if (now_live > proc->peak_bytes) { /* two at once: the smaller may stay, by one sample */
		proc->peak_bytes = now_live;
		proc->peak_ns = live->time_ns;
	}
	return 0;
}

static __always_inline struct sonde_alloc_stat *site_get(const struct sonde_alloc_key *key)
{
	struct sonde_alloc_stat *site = bpf_map_lookup_elem(&alloc_sites, key);
	u32 zero = 0;

	if (site)
		return site;
	site = bpf_map_lookup_elem(&alloc_zero, &zero);
	if (site)
		bpf_map_update_elem(&alloc_sites, key, site, BPF_NOEXIST);
	return bpf_map_lookup_elem(&alloc_sites, key);
}

/* Adds the sample to its site, whose stack is in @slot. */
static __always_inline void add(struct sonde_alloc_live *live, u64 ptr, u32 slot)
{
	u64 objects = sonde_alloc_objects(live->size, live->bytes), var = sonde_alloc_var(live->size, live->bytes);
	struct sonde_alloc_stat *site = site_get(&live->site);
	u32 bucket = sonde_alloc_log2(live->size, SONDE_ALLOC_SIZES - 1);

	if (!site) {
		count(SONDE_CNT_LOST_ALLOC_SITES);
		return;
	}
	__sync_fetch_and_add(&site->samples, 1);
	__sync_fetch_and_add(&site->alloc_objects, objects);
	__sync_fetch_and_add(&site->alloc_bytes, live->bytes);
	__sync_fetch_and_add(&site->alloc_var, var);
	__sync_fetch_and_add(&site->live_var, var);
	if (bucket < SONDE_ALLOC_SIZES)
		__sync_fetch_and_add(&site->size[bucket], objects);
	unwind_count(slot, 0, live->bytes);
	if (!ptr)
		count(SONDE_CNT_ALLOC_LIVE_FULL);
	if (ptr ? !watch(ptr, live) : 0)
		return;
	/* Nobody will tell of its end: it is no part of what lives. */
	__sync_fetch_and_add(&site->freed_samples, 1);
	__sync_fetch_and_add(&site->freed_objects, objects);
	__sync_fetch_and_add(&site->freed_bytes, live->bytes);
	__sync_fetch_and_add(&site->live_var, -(s64)var);
}

SEC("uprobe")
int alloc_alloc(struct pt_regs *ctx)
{
	const struct sonde_alloc_spec *spec;
	struct sonde_alloc_live live = {};
	struct sonde_alloc_proc *proc;
	struct unwind_walk *w;
	u32 slot;
	u64 ptr;

	if (!READ_ONCE(active) || !filter_pass())
		return 0;
	spec = spec_of(ctx, 0);
	if (!spec)
		return 0;
	ptr = argument(ctx, spec, 0);
	live.size = argument(ctx, spec, 1);
	live.bytes = argument(ctx, spec, 2);
	count_seen();
	slot = unwind_take();
	w = unwind_walk(slot);
	if (!slot || !w) {
		count(SONDE_CNT_LOST_BUSY);
		return 0;
	}
	unwind_from_regs(w, ctx);
	unwind_user(slot);
	w->sample.nr_kernel = 0;
	live.time_ns = bpf_ktime_get_ns();
	proc_now(&live.site.proc);
	proc = proc_get(&live.site.proc);
	live.site.epoch = proc ? proc->epoch : 0;
	live.site.hash = w->hash;
	add(&live, ptr, slot);
	unwind_give(slot);
	return 0;
}

SEC("uprobe")
int alloc_free(struct pt_regs *ctx)
{
	struct sonde_alloc_object key = {};
	const struct sonde_alloc_spec *spec;
	struct sonde_alloc_live *live, copy;
	struct sonde_alloc_proc *proc;
	struct sonde_proc id = {};

	if (!READ_ONCE(active))
		return 0;
	spec = spec_of(ctx, 1);
	if (!spec)
		return 0;
	proc_now(&id);
	proc = bpf_map_lookup_elem(&alloc_procs, &id);
	if (!proc)
		return 0; /* none of its allocations was seen */
	key.ptr = argument(ctx, spec, 0);
	key.tgid = id.tgid;
	key.epoch = proc->epoch;
	live = bpf_map_lookup_elem(&alloc_live, &key);
	if (!live)
		return 0; /* allocated before it was watched */
	copy = *live;
	if (!bpf_map_delete_elem(&alloc_live, &key))
		gone(&copy, bpf_ktime_get_ns());
	return 0;
}

/* A process has mapped its libraries: by the time of its first sample its stacks are to be walked up. */
SEC("uprobe")
int alloc_begin(struct pt_regs *ctx)
{
	struct sonde_event_proc e = {
		.head = { .type = SONDE_EVENT_SPACE, .size = sizeof(e), .time_ns = bpf_ktime_get_ns() },
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};

	if (filter_pass() && bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_FORCE_WAKEUP))
		count(SONDE_CNT_HELPER_FAILED); /* its first sample asks again */
	return 0;
}

/* All objects of the old program are gone with its memory. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(alloc_exec, struct task_struct *task)
{
	struct sonde_proc id = { .tgid = task->tgid };
	struct sonde_alloc_proc *proc;

	id.start = task->group_leader->start_boottime >> 24;
	proc = bpf_map_lookup_elem(&alloc_procs, &id);
	if (!proc)
		return 0;
	proc->epoch++;
	proc->live_bytes = 0;
	return 0;
}
