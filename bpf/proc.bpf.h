/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc.bpf.h - identity of processes: their number, which is given again, and when they started.
 */
#ifndef SONDE_PROC_BPF_H
#define SONDE_PROC_BPF_H

#include "sonde.bpf.h"

/** proc_of - of the process of @task, for programs that the kernel lets read it: those on its tracepoints */
static __always_inline struct sonde_proc proc_of(struct task_struct *task)
{
	return (struct sonde_proc){ .tgid = task->tgid, .start = task->group_leader->start_boottime >> 24 };
}

/** task_proc - of the current one, for any program */
static __always_inline void task_proc(struct sonde_proc *proc)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	proc->tgid = bpf_get_current_pid_tgid() >> 32;
	proc->start = BPF_CORE_READ(task, group_leader, start_boottime) >> 24;
}

#endif /* SONDE_PROC_BPF_H */
