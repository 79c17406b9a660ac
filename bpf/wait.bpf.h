/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wait.bpf.h - why the current task is about to leave its processor: the facts for sonde/wait.h, at tp_btf/sched_switch.
 */
#ifndef SONDE_WAIT_BPF_H
#define SONDE_WAIT_BPF_H

#include "arch.bpf.h"
#include "file.bpf.h"
#include "sonde/wait.h"

#define WAIT_KTHREAD 0x00200000 /* PF_KTHREAD */

/* Set by the loader (sonde_wait_config()). */
extern const volatile struct sonde_wait_config wait_conf;

/** struct wait - what the decision was made from, for who wants more: arguments, futex address */
struct wait {
	u64 nr; /* system call, only if @facts.in_call */
	u64 arg0, arg1, arg2;
	struct sonde_wait_facts facts;
};

/* The first descriptor that poll() was given: 4 bytes at the start of struct pollfd. */
static __always_inline u32 wait_poll_kind(u64 fds)
{
	struct file *file;
	int fd = -1;

	if (bpf_probe_read_user(&fd, sizeof(fd), (void *)fds) || fd < 0)
		return 0;
	file = file_of((u64)fd);
	return file ? file_kind(file) : 0;
}

/* What the system call in @regs says. */
static __always_inline void wait_call(struct wait *w, struct pt_regs *regs)
{
	struct sonde_wait_facts *f = &w->facts;
	struct file *file;

	w->nr = REGS_NR(regs);
	w->arg0 = REGS_ARG0(regs);
	w->arg1 = REGS_ARG1(regs);
	w->arg2 = REGS_ARG2(regs);
	f->in_call = (s32)w->nr >= 0; /* exceptions and interrupts leave -1 there */
	if (!f->in_call || REGS_IS_COMPAT(regs) || w->nr >= SONDE_SYSCALL_MAX)
		return;
	f->class = wait_conf.class[w->nr & (SONDE_SYSCALL_MAX - 1)];
	if (f->iowait)
		return; /* decided */
	if (f->class == SONDE_WAIT_CLASS_DESCRIPTOR) {
		file = file_of(w->arg0);
		f->kind = file ? file_kind(file) : 0;
	} else if (f->class == SONDE_WAIT_CLASS_POLL) {
		f->nothing = !REGS_ARG1(regs);
		if (!f->nothing)
			f->kind = wait_poll_kind(w->arg0);
	} else if (f->class == SONDE_WAIT_CLASS_SELECT) {
		f->nothing = !w->arg0;
	}
}

/**
 * wait_reason - why the current task leaves its processor (enum sonde_wait)
 * @preempt, @state: the tracepoint's arguments (state: the fourth, Linux 5.18 and later)
 * @w: filled
 *
 * Only at tp_btf/sched_switch, where the current task is the one that leaves.
 */
static __always_inline u32 wait_reason(struct wait *w, bool preempt, u32 state)
{
	struct task_struct *task = bpf_get_current_task_btf();

	__builtin_memset(w, 0, sizeof(*w));
	w->facts.preempted = preempt;
	w->facts.state = state;
	if (preempt || !state)
		return SONDE_WAIT_RUNNABLE;
	if (task->flags & WAIT_KTHREAD)
		return SONDE_WAIT_OTHER;
	/* Every size of the field is read. NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
	w->facts.iowait = BPF_CORE_READ_BITFIELD(task, in_iowait);
	wait_call(w, (struct pt_regs *)bpf_task_pt_regs(task));
	return sonde_wait_reason(&w->facts);
}

#endif /* SONDE_WAIT_BPF_H */
