// SPDX-License-Identifier: GPL-2.0-only
/*
 * offcpu.bpf.c - why threads are off their processor, for how long, and who ends it.
 *
 * A thread leaves at sched_switch: there its stack is taken, the reason decided, and who holds the lock is read. Who wakes it is the current task at
 * sched_waking; from sched_wakeup on it is in a run queue; the sched_switch that brings it back adds the wait to its row.
 * Nothing of this is sent to user space but stacks that are new.
 */
#include "agg.bpf.h"
#include "filter.bpf.h"
#include "offcpu_holder.bpf.h"
#include "offcpu_stack.bpf.h"
#include "wait.bpf.h"
#include "sonde/offcpu.h"

char LICENSE[] SEC("license") = "GPL";

#define TASK_DEAD_BIT 0x80u /* TASK_DEAD: a thread's last switch */
#define TASK_EXITING 0x00000004 /* PF_EXITING */

const volatile struct sonde_off_config off_conf = {};

/* CLOCK_MONOTONIC when tracing began, set by the loader. */
u64 off_begin_ns = 0;

/* Preallocated, as all here: many new rows at once would find no memory with a run queue locked. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct sonde_off_key);
	__type(value, struct sonde_off_stat);
} off_rows SEC(".maps");

/* The initial value of a row: one element that stays zero. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_off_stat);
} off_zero SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_off_task);
} off_task_zero SEC(".maps");

/* Of threads that ended, by process. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sonde_proc);
	__type(value, struct sonde_off_total);
} off_gone SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_off_cpu);
} off_cpus SEC(".maps");

/* ---- rows ---- */

static __always_inline void off_add(const struct sonde_off_key *key, const struct sonde_off_task *t, u64 ns)
{
	struct sonde_off_stat *row = bpf_map_lookup_elem(&off_rows, key);
	u32 zero = 0;

	if (SONDE_UNLIKELY(!row)) {
		row = bpf_map_lookup_elem(&off_zero, &zero);
		if (row)
			bpf_map_update_elem(&off_rows, key, row, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&off_rows, key);
		if (!row) {
			count(SONDE_CNT_LOST_OFF_ROWS);
			return;
		}
	}
	__sync_fetch_and_add(&row->count, 1);
	hist_add(&row->hist, ns, sonde_hist_bucket(ns));
	if (key->waker.tgid) {
		row->waker_tid = t->waker_tid;
		__builtin_memcpy(row->waker_comm, t->waker_comm, sizeof(row->waker_comm));
	}
	row->holder_tid = t->holder; /* if @key->held */
	__builtin_memcpy(row->holder_comm, t->holder_comm, sizeof(row->holder_comm));
}

static __always_inline struct sonde_off_task *off_new(struct task_struct *task, u64 now)
{
	struct sonde_off_task *t;
	u32 zero = 0, tid = task->pid;

	t = bpf_map_lookup_elem(&off_task_zero, &zero);
	if (!t || bpf_map_update_elem(&off_tasks, &tid, t, BPF_ANY)) {
		count(SONDE_CNT_LOST_OFF_THREADS);
		return NULL;
	}
	t = bpf_map_lookup_elem(&off_tasks, &tid);
	if (!t)
		return NULL;
	t->seen_ns = now;
	t->proc = proc_of(task);
	bpf_probe_read_kernel_str(t->comm, sizeof(t->comm), task->comm);
	agg_proc(&t->proc);
	off_inner_add(t, (u64)BPF_CORE_READ(task, thread_pid), tid);
	return t;
}

/* A thread's last switch: what it had is its process's. */
static __always_inline void off_end(const struct sonde_off_task *t, u32 tid)
{
	struct sonde_off_total *sum = bpf_map_lookup_elem(&off_gone, &t->proc);

	agg_proc_now(&t->proc);
	/* Where another processor makes the row at this moment, its row is the one to add to. */
	if (!sum && bpf_map_update_elem(&off_gone, &t->proc, &t->total, BPF_NOEXIST)) {
		sum = bpf_map_lookup_elem(&off_gone, &t->proc);
		if (!sum)
			count(SONDE_CNT_LOST_OFF_THREADS);
	}
	if (sum) {
		__sync_fetch_and_add(&sum->on_ns, t->total.on_ns);
		__sync_fetch_and_add(&sum->blocked_ns, t->total.blocked_ns);
		__sync_fetch_and_add(&sum->queued_ns, t->total.queued_ns);
		__sync_fetch_and_add(&sum->voluntary, t->total.voluntary);
		__sync_fetch_and_add(&sum->involuntary, t->total.involuntary);
	}
	off_inner_del(t->proc.tgid, t->inner_tid);
	bpf_map_delete_elem(&off_tasks, &tid);
}

/* Thread @t, which had left, has a processor from @now on. */
static __noinline int off_back(struct sonde_off_task *t, u32 tid, u64 now)
{
	struct sonde_off_key key = {};
	u64 out, wake, blocked;

	if (!t)
		return 0;
	out = t->out_ns;
	t->out_ns = 0;
	key.proc = t->proc;
	key.tid = off_conf.threads ? tid : 0;
	wake = out;
	if (t->reason != SONDE_WAIT_RUNNABLE) {
		wake = t->wake_ns > out && t->wake_ns < now ? t->wake_ns : now;
		blocked = wake - out;
		t->total.blocked_ns += blocked;
		if (blocked >= off_conf.min_ns) {
			key.stack = t->stack;
			key.object = t->object;
			key.reason = t->reason;
			key.woken_by = t->woken_by;
			if (key.woken_by == SONDE_OFF_WAKER_THREAD) {
				key.waker = t->waker;
				key.waker_stack = t->waker_stack;
			}
			key.held = (t->holder + 0xffffffffULL) >> 32; /* without a branch, for the verifier */
			key.holder_stack = t->holder_stack;
			off_add(&key, t, blocked);
			__builtin_memset(&key.stack, 0, 4 * sizeof(u64) + sizeof(key.waker));
			key.held = 0;
		}
	}
	t->total.queued_ns += now - wake;
	if (now - wake < off_conf.min_ns)
		return 0;
	key.woken_by = t->reason == SONDE_WAIT_RUNNABLE ? SONDE_OFF_WAKER_NONE : SONDE_OFF_WAKER_THREAD;
	key.reason = SONDE_WAIT_RUNNABLE;
	off_add(&key, t, now - wake);
	return 0;
}

/* The current task leaves, but was not seen to have come back. Returns since when it has had the processor, at the latest @since. */
static __always_inline u64 off_missed(struct sonde_off_task *t, u32 tid, u64 since)
{
	u64 back = t->wake_ns > t->out_ns ? t->wake_ns : since;

	count(SONDE_CNT_OFF_MISSED);
	if (back < t->out_ns)
		back = t->out_ns;
	off_back(t, tid, back);
	return back > since ? back : since;
}

/* The current task leaves; it had the processor since @since, as far as was seen. */
static __always_inline void off_leave(void *ctx, struct task_struct *task, bool preempt, u32 state, u64 now, u64 since)
{
	struct sonde_off_task *t;
	struct wait wait;
	u32 tid = task->pid;

	if (!tid || task->flags & WAIT_KTHREAD || filter_rejected())
		return;
	t = bpf_map_lookup_elem(&off_tasks, &tid);
	if (!t) {
		if (!filter_pass()) {
			filter_reject();
			return;
		}
		t = off_new(task, since);
		if (!t)
			return;
	}
	if (SONDE_UNLIKELY(t->out_ns))
		since = off_missed(t, tid, since);
	t->total.on_ns += now > since ? now - since : 0;
	if (state & TASK_DEAD_BIT) {
		off_end(t, tid);
		return;
	}
	t->wake_ns = 0;
	t->woken_by = SONDE_OFF_WAKER_NONE;
	t->reason = wait_reason(&wait, preempt, state);
	if (t->reason == SONDE_WAIT_RUNNABLE) {
		t->total.involuntary++;
		t->out_ns = now;
		return;
	}
	t->total.voluntary++;
	t->iowait = wait.facts.iowait;
	off_lock(t, wait.nr, wait.arg0, wait.arg1, wait.arg2);
	t->stack = off_take(ctx, &t->proc, t, (u64)t->reason << 32 | (wait.facts.in_call ? wait.nr : 0xffff));
	t->out_ns = t->left_ns = now;
}

/* @task is given the processor. */
static __always_inline void off_arrive(struct task_struct *task, u64 now)
{
	u32 tid = task->pid;
	struct sonde_off_task *t = tid ? bpf_map_lookup_elem(&off_tasks, &tid) : NULL;

	if (t && t->out_ns)
		off_back(t, tid, now);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(off_switch, bool preempt, struct task_struct *prev, struct task_struct *next, u32 state)
{
	struct sonde_off_cpu *cpu;
	u32 zero = 0;
	u64 now, since;

	if (!READ_ONCE(active))
		return 0;
	cpu = bpf_map_lookup_elem(&off_cpus, &zero);
	if (!cpu)
		return 0;
	now = bpf_ktime_get_ns();
	since = cpu->since_ns ?: off_begin_ns;
	cpu->since_ns = now;
	cpu->tid = next->pid;
	off_leave(ctx, prev, preempt, state, now, since);
	off_arrive(next, now);
	return 0;
}

/*
 * Whether an interrupt wakes @t, and not the current task on its own behalf. The preemption count would say it, but is out of
 * reach on many kernels: what the current task is doing tells it nearly as well.
 */
static __always_inline bool off_by_interrupt(const struct sonde_off_task *t)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sonde_off_current current = {};
	struct pt_regs *regs;
	struct file *file;
	u64 nr;

	if (!task->pid)
		return true; /* the processor was idle */
	current.kthread = !!(task->flags & WAIT_KTHREAD);
	if (current.kthread)
		return !sonde_off_may_wake(&current, t->reason, t->iowait);
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	nr = REGS_NR(regs);
	current.exiting = !!(task->flags & TASK_EXITING);
	current.same = (u32)task->tgid == t->proc.tgid;
	current.in_call = (s32)nr >= 0;
	current.class = wait_conf.class[nr & (SONDE_SYSCALL_MAX - 1)];
	if (current.class == SONDE_WAIT_CLASS_DESCRIPTOR) {
		file = file_of(REGS_ARG0(regs));
		current.kind = file ? file_kind(file) : 0;
	}
	return !sonde_off_may_wake(&current, t->reason, t->iowait);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(off_waking, struct task_struct *task)
{
	u32 tid = task->pid;
	struct sonde_off_task *t;

	if (!READ_ONCE(active))
		return 0;
	t = bpf_map_lookup_elem(&off_tasks, &tid);
	if (!t || !t->out_ns || t->woken_by || t->reason == SONDE_WAIT_RUNNABLE)
		return 0;
	off_holder_left(t);
	if (off_by_interrupt(t)) {
		t->woken_by = SONDE_OFF_WAKER_INTERRUPT;
		return 0;
	}
	t->woken_by = SONDE_OFF_WAKER_THREAD;
	task_proc(&t->waker);
	t->waker_tid = (u32)bpf_get_current_pid_tgid();
	bpf_get_current_comm(t->waker_comm, sizeof(t->waker_comm));
	if (t->waker_tid == t->holder) /* what is known of its name may be what it had as a new thread */
		__builtin_memcpy(t->holder_comm, t->waker_comm, sizeof(t->holder_comm));
	t->waker_stack = off_take(ctx, &t->waker, NULL, 0);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(off_wakeup, struct task_struct *task)
{
	u32 tid = task->pid;
	struct sonde_off_task *t;

	if (!READ_ONCE(active))
		return 0;
	t = bpf_map_lookup_elem(&off_tasks, &tid);
	if (t && t->out_ns && !t->wake_ns)
		t->wake_ns = bpf_ktime_get_ns();
	return 0;
}

/* A thread of a traced process, or a child: the current task is its parent. From here on it is in a run queue. */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(off_wakeup_new, struct task_struct *task)
{
	struct sonde_off_task *t;
	u64 now;

	if (!READ_ONCE(active) || task->flags & WAIT_KTHREAD || !filter_pass())
		return 0;
	if (task->tgid != (s32)(bpf_get_current_pid_tgid() >> 32) && conf.filter_pids && !conf.follow_children)
		return 0;
	now = bpf_ktime_get_ns();
	t = off_new(task, now);
	if (!t)
		return 0;
	t->reason = SONDE_WAIT_RUNNABLE;
	t->out_ns = now;
	return 0;
}

/* The same hooks with nothing on them: what the kernel charges for being called at all (cost measurements). */
SEC("tp_btf/sched_switch")
int BPF_PROG(off_out_empty, bool preempt, struct task_struct *prev, struct task_struct *next, u32 state)
{
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(off_wake_empty, struct task_struct *task)
{
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(off_up_empty, struct task_struct *task)
{
	return 0;
}
