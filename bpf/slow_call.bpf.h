/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow_call.bpf.h - the event of a system call that took long: what all sources of such events fill in and send alike.
 */
#ifndef SONDE_SLOW_CALL_BPF_H
#define SONDE_SLOW_CALL_BPF_H

#include "file.bpf.h"
#include "sonde/syscall.h"

/** slow_call_begin - fill in what the current thread and the call's times and arguments tell; key and file are the caller's */
static __always_inline void slow_call_begin(struct sonde_event_syscall *e, u64 start_ns, u64 took_ns, long result,
					    const u64 arg[6])
{
	e->head.type = SONDE_EVENT_SYSCALL;
	e->head.size = sizeof(*e);
	e->head.time_ns = start_ns + took_ns;
	e->tid = (u32)bpf_get_current_pid_tgid();
	e->start_ns = start_ns;
	e->took_ns = took_ns;
	e->result = result;
	__builtin_memcpy(e->arg, arg, sizeof(e->arg));
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	__builtin_memset(&e->file, 0, sizeof(e->file));
}

/** slow_call_file - describe what descriptor @fd stands for */
static __always_inline void slow_call_file(struct sonde_event_syscall *e, u64 fd)
{
	struct file *file = file_of(fd);

	if (file)
		file_describe(&e->file, file);
}

/** slow_call_send - into the ring, or counted */
static __always_inline void slow_call_send(struct sonde_event_syscall *e)
{
	if (bpf_ringbuf_output(&events, e, sizeof(*e), 0))
		count(SONDE_CNT_SLOW_DROPPED);
	else
		count(SONDE_CNT_RING_EVENTS);
}

#endif /* SONDE_SLOW_CALL_BPF_H */
