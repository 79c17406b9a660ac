/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * filter.bpf.h - whether the current process is one of those the user asked for.
 */
#ifndef SONDE_FILTER_BPF_H
#define SONDE_FILTER_BPF_H

#include "sonde.bpf.h"

/** filter_is_set - whether only some processes are traced: a constant */
static __always_inline bool filter_is_set(void)
{
	return conf.filter_pids || conf.filter_comm || conf.filter_cgroup;
}

/** filter_pass - true if the current task's process is traced; constant true without filters */
static __always_inline bool filter_pass(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (tgid == conf.self)
		return false;
	if (conf.filter_pids && !bpf_map_lookup_elem(&pids, &tgid))
		return false;
	if (conf.filter_cgroup && bpf_current_task_under_cgroup(&cgroups, 0) != 1)
		return false;
	if (conf.filter_comm) {
		struct task_struct *task = (void *)bpf_get_current_task();
		char comm[SONDE_COMM_BYTES] = {};

		BPF_CORE_READ_STR_INTO(&comm, task, group_leader, comm);
		for (u32 i = 0; i < SONDE_COMM_BYTES; i++) {
			if (comm[i] != conf.comm[i])
				return false;
			if (!comm[i])
				break;
		}
	}
	return true;
}

/**
 * filter_rejected - true if the current process has been turned down before; filter_reject() - it was now
 *
 * A process's answer changes when it runs another program (its name) or is moved to another cgroup. The first clears
 * its slot (bpf/process.bpf.c); the second does not, so there is no memory when cgroups are filtered by.
 */
static __always_inline bool filter_rejected(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, slot = tgid & 1023;
	u32 *rejected = bpf_map_lookup_elem(&rejects, &slot);

	return rejected && *rejected == tgid;
}

static __always_inline void filter_reject(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, slot = tgid & 1023;
	u32 *rejected = bpf_map_lookup_elem(&rejects, &slot);

	if (rejected && !conf.filter_cgroup)
		*rejected = tgid;
}

#endif /* SONDE_FILTER_BPF_H */
