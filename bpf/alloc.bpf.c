// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.bpf.c - allocations that a program samples and tells of by otel_memory's probes, added up by call site; their lives.
 */
#define COUNT_PREEMPTIBLE
#include "alloc.bpf.h"
#include "filter.bpf.h"
#include "usdt.bpf.h"
#include "sonde/alloc_python.h"

char LICENSE[] SEC("license") = "GPL";

const volatile u8 alloc_cookies = 0; /* the kernel has bpf_get_attach_cookie() */

/* Where the arguments of alloc (even) and free (odd) are, by the probe's cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * SONDE_ALLOC_SPECS);
	__type(key, u32);
	__type(value, struct sonde_alloc_spec);
} alloc_specs SEC(".maps");

/* What frames read that are names: those told or asked for last. Long before it is another's turn a name has been read. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, u64);
	__type(value, struct sonde_alloc_name);
} alloc_names SEC(".maps");

struct map_alloc_sites_def alloc_sites SEC(".maps");
struct map_alloc_zero_def alloc_zero SEC(".maps");
struct map_alloc_procs_def alloc_procs SEC(".maps");
struct map_alloc_live_def alloc_live SEC(".maps");

static __always_inline const struct sonde_alloc_spec *spec_of(struct pt_regs *ctx, u32 which)
{
	u32 index = which;

	if (alloc_cookies)
		index += 2 * (u32)bpf_get_attach_cookie(ctx);
	return bpf_map_lookup_elem(&alloc_specs, &index);
}

/* The sample of @size bytes at @ptr that weighs @bytes, with the stack in @slot. */
static __always_inline void sampled(u32 slot, u64 hash, u64 ptr, u64 size, u64 bytes)
{
	struct sonde_alloc_live live = { .size = size, .bytes = bytes, .time_ns = bpf_ktime_get_ns() };
	struct sonde_alloc_proc *proc;

	task_proc(&live.site.proc);
	proc = proc_get(&live.site.proc);
	live.site.epoch = proc ? proc->epoch : 0;
	live.site.hash = hash;
	add(&live, ptr, slot, true);
	unwind_give(slot);
}

/* A slot for the stack of a sample, and its walk; 0: all are taken, which is counted. */
static __always_inline u32 stack_take(struct unwind_walk **w)
{
	u32 slot = unwind_take();

	*w = unwind_walk(slot);
	if (slot && *w)
		return slot;
	count(SONDE_CNT_LOST_BUSY);
	return 0;
}

SEC("uprobe")
int alloc_alloc(struct pt_regs *ctx)
{
	const struct sonde_alloc_spec *spec;
	struct unwind_walk *w;
	u32 slot;

	if (!READ_ONCE(active) || !filter_pass())
		return 0;
	spec = spec_of(ctx, 0);
	if (!spec)
		return 0;
	count_seen();
	slot = stack_take(&w);
	if (!slot)
		return 0;
	unwind_from_regs(w, ctx);
	unwind_user(slot);
	w->sample.nr_kernel = 0;
	sampled(slot, w->hash, usdt_argument(ctx, &spec->arg[0]), usdt_argument(ctx, &spec->arg[1]),
		usdt_argument(ctx, &spec->arg[2]));
	return 0;
}

/* A sample whose stack is told: lines of Python, which are names. */
SEC("uprobe")
int alloc_python(struct pt_regs *ctx)
{
	const struct sonde_alloc_python *from = (void *)PT_REGS_PARM1(ctx);
	struct sonde_alloc_python_head head;
	struct unwind_walk *w;
	u32 slot;

	if (!READ_ONCE(active) || !filter_pass())
		return 0;
	count_seen();
	slot = stack_take(&w);
	if (!slot)
		return 0;
	if (bpf_probe_read_user(&head, sizeof(head), &from->head) ||
	    bpf_probe_read_user(w->sample.ip, sizeof(from->frame), from->frame)) {
		count(SONDE_CNT_LOST_UNREADABLE);
		unwind_give(slot);
		return 0;
	}
	w->hash = SONDE_FNV_BASIS;
	w->sample.nr_user = sonde_min_u32(head.nr, SONDE_ALLOC_PYTHON_FRAMES);
	w->sample.nr_kernel = 0;
	w->sample.end = head.cut ? SONDE_UNWIND_END_DEEP : SONDE_UNWIND_END_COMPLETE;
	for (u32 i = 0; i < SONDE_ALLOC_PYTHON_FRAMES && i < head.nr; i++) {
		w->hash = (w->hash ^ w->sample.ip[i]) * SONDE_FNV_PRIME;
		w->hash ^= w->hash >> 32;
	}
	sampled(slot, w->hash, head.ptr, head.size, head.weight);
	return 0;
}

/* Before the first sample with it. */
SEC("uprobe")
int alloc_name(struct pt_regs *ctx)
{
	u64 name = PT_REGS_PARM1(ctx);
	struct sonde_alloc_name text;

	if (!READ_ONCE(active) || !filter_pass() || bpf_map_lookup_elem(&alloc_names, &name))
		return 0;
	if (bpf_probe_read_user(&text, sizeof(text), (void *)PT_REGS_PARM2(ctx)))
		count(SONDE_CNT_READ_FAULT);
	else if (bpf_map_update_elem(&alloc_names, &name, &text, BPF_ANY))
		count(SONDE_CNT_ALLOC_NAMES_FULL);
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
	task_proc(&id);
	proc = bpf_map_lookup_elem(&alloc_procs, &id);
	if (!proc)
		return 0; /* none of its allocations was seen */
	key.ptr = usdt_argument(ctx, &spec->arg[0]);
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
		.begun = 1,
	};

	if (filter_pass() && bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_FORCE_WAKEUP))
		count(SONDE_CNT_HELPER_FAILED); /* its first sample asks again */
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(alloc_exec, struct task_struct *task)
{
	proc_executed(task);
	return 0;
}
