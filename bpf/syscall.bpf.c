// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall.bpf.c - counts and times the system calls of traced processes; tells of those that take long.
 *
 * Every call of every process passes here, so what can be decided first is: is the call asked for (a table), was the process
 * turned down before (a table).
 */
#include "agg.bpf.h"
#include "arch.bpf.h"
#include "file.bpf.h"
#include "filter.bpf.h"
#include "slow_call.bpf.h"
#include "sonde/syscall.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct sonde_syscall_config syscall_conf = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_syscall_key);
	__type(value, struct sonde_syscall_stat);
} syscall_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_syscall_errno);
	__type(value, u64);
} syscall_errors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_syscall_call);
} syscall_calls SEC(".maps");

/* The initial value of a row: one element that stays zero. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_syscall_stat);
} syscall_zero SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_event_syscall);
} syscall_event SEC(".maps");

static __always_inline u32 syscall_what(u64 nr)
{
	return syscall_conf.what[nr < SONDE_SYSCALL_MAX ? nr : SONDE_SYSCALL_MAX - 1];
}

/* Calls that began earlier (CLOCK_MONOTONIC) are not known to the end: the hooks were off in between. */
u64 syscall_since;

SEC("tp_btf/sys_enter")
int BPF_PROG(syscall_enter, struct pt_regs *regs, long id)
{
	struct sonde_syscall_call *call;
	struct file *file;
	u32 what;

	if (id < 0 || !READ_ONCE(active))
		return 0;
	what = syscall_what(id);
	if (!(what & SONDE_SYSCALL_TRACED) || filter_rejected())
		return 0;
	if (!filter_pass()) {
		filter_reject();
		return 0;
	}
	if (REGS_IS_COMPAT(regs)) {
		count(SONDE_CNT_SYSCALL_COMPAT);
		return 0;
	}
	call = bpf_task_storage_get(&syscall_calls, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count(SONDE_CNT_LOST_SYSCALL_MEMORY);
		return 0;
	}
	if (!call->key.proc.start)
		call->key.proc.start = bpf_get_current_task_btf()->group_leader->start_boottime >> 24;
	call->tid = (u32)bpf_get_current_pid_tgid();
	call->key.proc.tgid = bpf_get_current_pid_tgid() >> 32;
	call->key.tid = syscall_conf.threads ? call->tid : 0;
	call->key.nr = id < SONDE_SYSCALL_MAX ? id : SONDE_SYSCALL_MAX - 1;
	call->key.on = 0;
	call->what = what;
	call->arg[0] = REGS_ARG0(regs);
	if (what & (SONDE_SYSCALL_READS | SONDE_SYSCALL_WRITES)) {
		file = file_of(call->arg[0]);
		call->key.on = file ? file_kind(file) : 0;
		if (what & SONDE_SYSCALL_READS && call->key.on > SONDE_FILE_BLOCK)
			call->what |= SONDE_SYSCALL_WAITS;
	}
	call->arg[1] = REGS_ARG1(regs);
	call->arg[2] = REGS_ARG2(regs);
	call->arg[3] = REGS_ARG3(regs);
	call->arg[4] = REGS_ARG4(regs);
	call->arg[5] = REGS_ARG5(regs);
	call->start_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void syscall_error(const struct sonde_syscall_call *call, u32 error)
{
	struct sonde_syscall_errno key = { .row = call->key, .error = error };
	u64 *n = bpf_map_lookup_elem(&syscall_errors, &key), one = 1;

	if (n)
		__sync_fetch_and_add(n, 1);
	else if (bpf_map_update_elem(&syscall_errors, &key, &one, BPF_NOEXIST)) {
		n = bpf_map_lookup_elem(&syscall_errors, &key); /* another CPU was first, or there is no room */
		if (n)
			__sync_fetch_and_add(n, 1);
		else
			count(SONDE_CNT_SYSCALL_ERRNO_FULL);
	}
}

/* Kept apart: few calls come here, and the path wants many registers. */
static __noinline int syscall_tell(struct sonde_syscall_call *call, u64 took_ns, long result)
{
	struct sonde_event_syscall *e;
	struct file *file;
	u32 zero = 0, what;
	u64 path;
	long len;

	e = bpf_map_lookup_elem(&syscall_event, &zero);
	if (!e || !call)
		return 0;
	what = call->what;
	slow_call_begin(e, call->start_ns, took_ns, result, call->arg);
	e->key = call->key;
	e->what = what;
	if (what & (SONDE_SYSCALL_PATH0 | SONDE_SYSCALL_PATH1)) {
		path = what & SONDE_SYSCALL_PATH0 ? call->arg[0] : call->arg[1];
		len = bpf_probe_read_user_str(e->file.path, sizeof(e->file.path), (void *)path);
		e->file.cut = len >= (long)sizeof(e->file.path);
		/* execve() has left the memory that the path stood in. */
		file = len < 0 ? BPF_CORE_READ(bpf_get_current_task_btf(), mm, exe_file) : NULL;
		if (file)
			file_describe(&e->file, file);
	} else if (what & (SONDE_SYSCALL_FD | SONDE_SYSCALL_READS | SONDE_SYSCALL_WRITES)) {
		slow_call_file(e, call->arg[0]);
	}
	slow_call_send(e);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *regs, long result)
{
	struct sonde_syscall_call *call;
	struct sonde_syscall_stat *row;
	u32 zero = 0;
	u64 took;

	if (!READ_ONCE(active) || filter_rejected())
		return 0;
	call = bpf_task_storage_get(&syscall_calls, bpf_get_current_task_btf(), 0, 0);
	if (!call || call->start_ns <= READ_ONCE(syscall_since))
		return 0;
	took = bpf_ktime_get_ns() - call->start_ns;
	row = bpf_map_lookup_elem(&syscall_rows, &call->key);
	if (SONDE_UNLIKELY(!row)) {
		row = bpf_map_lookup_elem(&syscall_zero, &zero);
		if (row)
			bpf_map_update_elem(&syscall_rows, &call->key, row, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&syscall_rows, &call->key);
		agg_proc_now(&call->key.proc);
	}
	if (row) {
		__sync_fetch_and_add(&row->count, 1);
		hist_add(&row->hist, took, sonde_hist_bucket(took));
	} else {
		count(SONDE_CNT_LOST_SYSCALL_ROWS);
	}
	if (row && result < 0 && result >= -(long)SONDE_ERRNO_MAX) {
		__sync_fetch_and_add(&row->errors, 1);
		syscall_error(call, -result);
	}
	if (syscall_conf.min_ns && took >= syscall_conf.min_ns &&
	    (call->what & (SONDE_SYSCALL_WAITS | SONDE_SYSCALL_TOLD)) != SONDE_SYSCALL_WAITS)
		syscall_tell(call, took, result);
	call->start_ns = 0;
	return 0;
}

/* The same hooks with nothing on them: what the kernel charges for being called at all (cost measurements). */
SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter_empty, struct pt_regs *regs, long id)
{
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_empty, struct pt_regs *regs, long result)
{
	return 0;
}

/* Calls under way, one after the other. */
SEC("iter/task")
int syscall_iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct sonde_syscall_call *call;

	if (!task)
		return 0;
	call = bpf_task_storage_get(&syscall_calls, task, 0, 0);
	if (call && call->start_ns > READ_ONCE(syscall_since))
		bpf_seq_write(ctx->meta->seq, call, sizeof(*call));
	return 0;
}
