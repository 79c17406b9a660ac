/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * context.bpf.h - who is executing: a thread, or in Go programs a goroutine, whichever thread it runs on.
 */
#ifndef SONDE_CONTEXT_BPF_H
#define SONDE_CONTEXT_BPF_H

#include "sonde.bpf.h"

/* conn.runtime: of the process that uses a connection */
enum runtime {
	RUNTIME_UNKNOWN = 0,
	RUNTIME_THREADS,
	RUNTIME_GO,
};

/** struct go_stack - the beginning of runtime.g: bounds of the goroutine's stack (Go, src/runtime/runtime2.go) */
struct go_stack {
	u64 lo;
	u64 hi;
};

/*
 * The current goroutine, 0 if this is no Go program. Its address stands in thread-local storage (amd64: -8(FS), as the
 * runtime sets it up on all ELF systems; arm64: register 28). That it is one shows in its stack, which we are on: no
 * other program has such a pair of addresses there.
 */
static __always_inline u64 context_goroutine(void)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct go_stack stack;
	u64 g = 0, sp;

#if defined(__TARGET_ARCH_x86)
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 base = BPF_CORE_READ(task, thread.fsbase);

	sp = BPF_CORE_READ(regs, sp);
	if (!base || bpf_probe_read_user(&g, sizeof(g), (void *)(base - 8)))
		return 0;
#elif defined(__TARGET_ARCH_arm64)
	sp = BPF_CORE_READ(regs, sp);
	g = BPF_CORE_READ(regs, regs[28]);
#endif
	if (!g || g & 7 || bpf_probe_read_user(&stack, sizeof(stack), (void *)g))
		return 0;
	return stack.lo < sp && sp <= stack.hi && stack.hi - stack.lo <= 1ULL << 32 ? g : 0;
}

/** context_of - key of goroutine @g of the current process, or of what else it has at that address */
static __always_inline u64 context_of(u64 g)
{
	return sonde_mix64(g ^ bpf_get_current_pid_tgid() >> 32 << 40);
}

/** context_key - the current thread or goroutine; *@runtime remembers which it is */
static __always_inline u64 context_key(u8 *runtime)
{
	u64 thread = bpf_get_current_pid_tgid(), g;

	if (*runtime == RUNTIME_THREADS)
		return thread;
	g = context_goroutine();
	if (*runtime == RUNTIME_UNKNOWN)
		*runtime = g ? RUNTIME_GO : RUNTIME_THREADS;
	return g ? context_of(g) : thread;
}

#endif /* SONDE_CONTEXT_BPF_H */
