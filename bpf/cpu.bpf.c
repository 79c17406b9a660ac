// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpu.bpf.c - what processors execute, sampled by a clock on each of them.
 */
#include "filter.bpf.h"
#include "unwind.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PF_KTHREAD 0x00200000

/* Kernel addresses are the upper half. */
static __always_inline bool in_user(struct bpf_perf_event_data *ctx)
{
	return (s64)PT_REGS_IP(&ctx->regs) >= 0;
}

/* The user part of the sample. */
static __always_inline void take_user(struct bpf_perf_event_data *ctx, struct unwind_walk *w)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->flags & PF_KTHREAD) {
		w->hash = SONDE_FNV_BASIS;
		w->sample.nr_user = 0;
		w->sample.end = SONDE_UNWIND_END_NO_USER;
		return;
	}
	/* In the kernel: where it was entered. */
	unwind_from_regs(w, (struct pt_regs *)bpf_task_pt_regs(task));
	unwind_user(UNWIND_SLOT_SAMPLE);
}

SEC("perf_event")
int cpu_sample(struct bpf_perf_event_data *ctx)
{
	struct unwind_walk *w;
	long bytes;

	if (!active || !(bpf_get_current_pid_tgid() >> 32) || !filter_pass())
		return 0;
	count_seen();
	w = unwind_walk(UNWIND_SLOT_SAMPLE);
	if (!w)
		return 0;
	take_user(ctx, w);
	w->sample.nr_kernel = 0;
	if (!in_user(ctx)) {
		bytes = bpf_get_stack(ctx, &w->sample.ip[SONDE_UNWIND_FRAMES + 1],
				      SONDE_UNWIND_KERNEL_FRAMES * sizeof(u64), 0);
		if (bytes > 0)
			w->sample.nr_kernel = bytes / sizeof(u64);
	}
	return unwind_count(UNWIND_SLOT_SAMPLE, 0, 1);
}
