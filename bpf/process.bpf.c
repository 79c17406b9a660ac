// SPDX-License-Identifier: GPL-2.0-only
/*
 * process.bpf.c - keeps the process filter right while processes fork, run new programs and end.
 */
#include "sonde.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The filter is asked anew about @tgid. */
static __always_inline void process_reconsider(u32 tgid)
{
	u32 slot = tgid & 1023;
	u32 *rejected = bpf_map_lookup_elem(&rejects, &slot);

	if (rejected && *rejected == tgid)
		*rejected = 0;
}

static __always_inline void process_event(u32 type, u32 tgid)
{
	struct sonde_event_proc e = {
		.head = { .type = type, .size = sizeof(e), .time_ns = bpf_ktime_get_ns() },
		.tgid = tgid,
	};

	if (bpf_ringbuf_output(&events, &e, sizeof(e), 0))
		count(SONDE_CNT_EVENTS_DROPPED);
	else
		count(SONDE_CNT_RING_EVENTS);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 from = parent->tgid, to = child->tgid, joined = 2;

	if (from == to || !bpf_map_lookup_elem(&pids, &from)) /* a thread, or not one of ours */
		return 0;
	if (bpf_map_update_elem(&pids, &to, &joined, BPF_ANY))
		count(SONDE_CNT_PEERS_FULL);
	process_reconsider(to);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	u32 tgid = task->tgid;

	process_reconsider(tgid);
	if (bpf_map_lookup_elem(&pids, &tgid))
		process_event(SONDE_EVENT_EXEC, tgid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	u32 tgid = task->tgid;

	if (task->signal->live.counter > 0) /* other threads live on */
		return 0;
	process_reconsider(tgid); /* the number may be given to another */
	if (!bpf_map_lookup_elem(&pids, &tgid))
		return 0;
	bpf_map_delete_elem(&pids, &tgid);
	process_event(SONDE_EVENT_EXIT, tgid);
	return 0;
}
