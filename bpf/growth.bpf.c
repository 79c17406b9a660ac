// SPDX-License-Identifier: GPL-2.0-only
/*
 * growth.bpf.c - what makes the memory of processes grow, and what gives it back.
 *
 * The kernel tells of each change of a process's numbers of pages (rss_stat), on behalf of whoever makes it, right where it is
 * made: that is exact, and its cause is the current stack. Which address was touched is what the page fault before it said.
 * Address space is looked at where its lock is released: system calls that have nothing to do with it are left alone.
 */
#define COUNT_PREEMPTIBLE
#include "arch.bpf.h"
#include "filter.bpf.h"
#include "growth_site.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define TASK_EXITING 0x00000004 /* PF_EXITING */
#define TASK_KTHREAD 0x00200000 /* PF_KTHREAD */
#define ALWAYS_PAGES 256u /* a system call that maps or unmaps so much is always looked at */

static __always_inline u64 growth_id(struct task_struct *leader)
{
	struct sonde_proc proc = { .tgid = leader->tgid, .start = leader->start_boottime >> 24 };
	u64 id;

	__builtin_memcpy(&id, &proc, sizeof(id));
	return id;
}

/* The current process, which has @mm; NULL: not traced, or no room. */
static __always_inline struct sonde_growth_proc *growth_current(struct task_struct *task, struct mm_struct *mm, u64 id)
{
	struct sonde_growth_proc *p = bpf_map_lookup_elem(&growth_procs, &id);

	if (SONDE_LIKELY(p && p->traced && p->mm == (u64)mm))
		return p;
	if (!filter_pass()) {
		filter_reject();
		return NULL;
	}
	if (!p || p->mm != (u64)mm)
		p = growth_meet(task->group_leader, mm, id);
	if (p)
		p->traced = 1;
	return p;
}

static __always_inline struct sonde_growth_cpu *growth_cpu(u64 id)
{
	struct sonde_growth_cpu_key key = { .cpu = bpf_get_smp_processor_id() };
	struct growth_zeroes *zeroes;
	struct sonde_growth_cpu *c;
	u32 zero = 0;

	__builtin_memcpy(&key.proc, &id, sizeof(id));
	c = bpf_map_lookup_elem(&growth_cpus, &key);
	if (SONDE_LIKELY(c))
		return c;
	zeroes = bpf_map_lookup_elem(&growth_zero, &zero);
	if (zeroes)
		bpf_map_update_elem(&growth_cpus, &key, &zeroes->cpu, BPF_NOEXIST);
	c = bpf_map_lookup_elem(&growth_cpus, &key);
	if (!c)
		count(SONDE_CNT_GROWTH_FULL);
	return c;
}

/*
 * By how many pages counter @member has changed since the last look at it.
 *
 * Each processor has a part of its own of it. Where that gets too large it is moved to the shared part, as a whole: only then, that
 * is if its own is zero, can it be this change that has moved the shared one. All changes that are returned add up to the truth.
 */
static __always_inline s64 growth_change(struct sonde_growth_proc *p, struct sonde_growth_cpu *c, struct mm_struct *mm, u32 member,
					 const u64 *args)
{
	s64 change, shared;
	s32 part;

	member &= SONDE_GROWTH_MEMBERS - 1;
	if (growth_is_told()) {
		shared = ((const volatile u64 *)args)[2];
		return shared - (s64)__sync_lock_test_and_set((u64 *)&p->seen[member], shared);
	}
	if (SONDE_UNLIKELY(!c->where[member]))
		c->where[member] = growth_where(mm, member, bpf_get_smp_processor_id());
	part = growth_part(c->where[member]);
	change = (s64)part - c->part[member];
	c->part[member] = part;
	if (!part) {
		shared = growth_shared(mm, member);
		change += shared - (s64)__sync_lock_test_and_set((u64 *)&p->seen[member], shared);
	}
	return change;
}

/* Adds @change to the process's sums. */
static __always_inline void growth_sum(struct sonde_growth_proc *p, u32 member, s64 change)
{
	s64 rss;

	member &= SONDE_GROWTH_MEMBERS - 1;
	__sync_fetch_and_add(&p->now[member], change);
	if (change < 0) {
		__sync_fetch_and_add(&p->returned[member], -change);
		return;
	}
	__sync_fetch_and_add(&p->grown[member], change);
	if (member == SONDE_GROWTH_SWAP)
		return;
	__sync_fetch_and_add(&p->faults, 1);
	if (change >= growth_conf.huge)
		__sync_fetch_and_add(&p->huge, change);
	rss = growth_rss(p);
	if (rss > p->peak) /* two at once: the smaller may stay, by one change */
		p->peak = rss;
}

/* The process that @mm is of, if that is not the current one: memory is taken from it, or gathered into huge pages. */
static __always_inline struct task_struct *growth_owner(struct task_struct *task, struct mm_struct *mm)
{
	struct task_struct *owner;

	if (!bpf_core_field_exists(mm->owner))
		return task->mm == mm ? task->group_leader : NULL;
	owner = mm->owner;
	return owner ? owner->group_leader : NULL;
}

SEC("tp_btf/rss_stat")
int growth_rss_stat(u64 *ctx)
{
	struct mm_struct *mm = (struct mm_struct *)ctx[0];
	u32 member = (u32)ctx[1];
	struct task_struct *task = bpf_get_current_task_btf(), *leader;
	struct sonde_growth_meter *meter;
	struct sonde_growth_proc *p;
	struct sonde_growth_cpu *c;
	u64 id, pages, weight;
	s64 change;
	bool own;

	if (!READ_ONCE(active) || member >= SONDE_GROWTH_MEMBERS)
		return 0;
	own = task->mm == mm;
	if (own ? filter_rejected() : task->flags & TASK_EXITING)
		return 0;
	leader = growth_owner(task, mm);
	if (!leader)
		return 0;
	id = growth_id(leader);
	own &= leader->tgid == task->tgid; /* not so between vfork() and execve() */
	if (own)
		p = growth_current(task, mm, id);
	else
		p = bpf_map_lookup_elem(&growth_procs, &id);
	if (!p || p->mm != (u64)mm || p->end_ns)
		return 0;
	c = growth_cpu(id);
	if (!c)
		return 0;
	change = growth_change(p, c, mm, member, ctx);
	if (!change)
		return 0;
	growth_sum(p, member, change);
	if (!own || member == SONDE_GROWTH_SWAP)
		return 0;
	pages = change < 0 ? -change : change;
	if (bd_conf.memory && change > 0)
		bd_touched(pages);
	meter = change < 0 ? &c->give[member & (SONDE_GROWTH_MEMBERS - 1)] : &c->grow[member & (SONDE_GROWTH_MEMBERS - 1)];
	if (!sonde_growth_due(meter, pages))
		return 0;
	weight = sonde_growth_take(meter, pages, bpf_ktime_get_ns(), bpf_get_prandom_u32());
	growth_take(task, id, member, weight, pages, change < 0);
	return 0;
}

/* ---- where it was touched ---- */

static __always_inline int growth_touch(u64 address)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 slot = task->pid & (FAULT_SLOTS - 1);
	struct growth_fault *fault;

	if (!READ_ONCE(active) || filter_rejected())
		return 0;
	fault = bpf_map_lookup_elem(&growth_faults, &slot);
	if (!fault)
		return 0;
	fault->tid = task->pid;
	fault->ip = PT_REGS_IP((struct pt_regs *)bpf_task_pt_regs(task));
	fault->address = address;
	return 0;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(growth_touched, unsigned long address)
{
	return growth_touch(address);
}

/* On behalf of a system call: read() into fresh memory. */
SEC("tp_btf/page_fault_kernel")
int BPF_PROG(growth_touch_k, unsigned long address)
{
	return growth_touch(address);
}

/* ---- address space ---- */

static __always_inline u32 growth_call(u64 nr)
{
	return nr == NR_brk ? SONDE_GROWTH_BRK : nr == NR_mmap ? SONDE_GROWTH_MMAP : nr == NR_munmap ? SONDE_GROWTH_MUNMAP :
	       nr == NR_mremap ? SONDE_GROWTH_MREMAP : SONDE_GROWTH_CALLS;
}

/* The current task, in system call @call, has mapped or unmapped @pages. */
static __always_inline void growth_map(struct task_struct *task, struct sonde_growth_proc *p, u64 id, u32 call, u64 pages, bool gives)
{
	struct sonde_growth_stat *site;
	struct sonde_growth_cpu *c;
	u64 weight = 1;

	call &= SONDE_GROWTH_CALLS - 1;
	__sync_fetch_and_add(&p->calls[call], 1);
	__sync_fetch_and_add(gives ? &p->unmapped : &p->mapped, pages);
	if (pages < ALWAYS_PAGES) {
		c = growth_cpu(id);
		if (!c || !sonde_growth_due(&c->calls, 1))
			return;
		weight = sonde_growth_take(&c->calls, 1, bpf_ktime_get_ns(), bpf_get_prandom_u32());
	}
	site = growth_here(task, id, 0);
	if (!site)
		return;
	__sync_fetch_and_add(&site->calls[call], weight);
	__sync_fetch_and_add(gives ? &site->unmapped : &site->mapped, pages * weight);
}

/* The current task is in a system call, or at its end. */
static __always_inline int growth_look(struct task_struct *task, struct mm_struct *mm)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u32 call = growth_call(REGS_NR(regs));
	struct task_struct *leader;
	struct sonde_growth_proc *p;
	u64 id, vm, old;

	if (call == SONDE_GROWTH_CALLS || REGS_IS_COMPAT(regs))
		return 0;
	leader = growth_owner(task, mm);
	if (!leader || leader->tgid != task->tgid)
		return 0;
	id = growth_id(leader);
	p = growth_current(task, mm, id);
	if (!p)
		return 0;
	vm = mm->total_vm;
	if (call == SONDE_GROWTH_BRK)
		p->heap = mm->brk - mm->start_brk;
	if (vm == p->vm)
		return 0;
	old = __sync_lock_test_and_set(&p->vm, vm);
	if (vm != old)
		growth_map(task, p, id, call, vm < old ? old - vm : vm - old, vm < old);
	return 0;
}

SEC("tp_btf/mmap_lock_released")
int BPF_PROG(growth_unlock, struct mm_struct *mm)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!READ_ONCE(active) || filter_rejected() || task->mm != mm)
		return 0;
	return growth_look(task, mm);
}

/* Where the lock does not tell: the end of every system call. */
SEC("tp_btf/sys_exit")
int BPF_PROG(growth_return, struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;

	if (!READ_ONCE(active) || filter_rejected() || !mm)
		return 0;
	return growth_look(task, mm);
}

/* ---- processes come and go ---- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(growth_fork, struct task_struct *parent, struct task_struct *child)
{
	struct sonde_event_proc e = {
		.head = { .type = SONDE_EVENT_SPACE, .size = sizeof(e), .time_ns = bpf_ktime_get_ns() },
		.tgid = child->tgid,
	};
	struct mm_struct *mm = child->mm;
	struct sonde_growth_proc *p;

	if (parent->tgid == child->tgid || !mm || mm == parent->mm || (conf.filter_pids && !conf.follow_children) || !filter_pass())
		return 0;
	p = growth_meet(child, mm, growth_id(child));
	if (!p)
		return 0;
	p->traced = 1;
	/* What it has mapped is looked at now: it may be gone soon. */
	if (bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_FORCE_WAKEUP))
		count(SONDE_CNT_EVENTS_DROPPED);
	return 0;
}

/* Another program: another address space. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(growth_exec, struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct sonde_growth_proc *p;

	if (!mm || !filter_pass())
		return 0;
	p = growth_current(task, mm, growth_id(task->group_leader)); /* as a rule it has been met since it has that space */
	if (p)
		BPF_CORE_READ_STR_INTO(&p->comm, task, group_leader, comm);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(growth_exit, struct task_struct *task)
{
	struct sonde_growth_proc *p;
	u64 id;

	if (task->signal->live.counter > 0) /* other threads live on */
		return 0;
	id = growth_id(task->group_leader);
	p = bpf_map_lookup_elem(&growth_procs, &id);
	if (p)
		p->end_ns = bpf_ktime_get_ns();
	return 0;
}

/* Processes that are there when it begins. */
SEC("iter/task")
int growth_iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct sonde_growth_proc *p;
	struct mm_struct *mm;
	u32 tgid;

	if (!task || task->pid != task->tgid || task->flags & (TASK_KTHREAD | TASK_EXITING))
		return 0;
	tgid = task->tgid;
	mm = task->mm;
	if (!mm || tgid == conf.self || (conf.filter_pids && !bpf_map_lookup_elem(&pids, &tgid)))
		return 0;
	if (conf.filter_comm) {
		char comm[SONDE_COMM_BYTES] = {};

		bpf_core_read_str(comm, sizeof(comm), &task->comm);
		for (u32 i = 0; i < SONDE_COMM_BYTES; i++) {
			if (comm[i] != conf.comm[i])
				return 0;
			if (!comm[i])
				break;
		}
	}
	p = growth_meet(task, mm, growth_id(task));
	if (p && !conf.filter_cgroup)
		p->traced = 1;
	return 0;
}

/* The same hooks with nothing on them: what the kernel charges for being called at all (cost measurements). */
SEC("tp_btf/rss_stat")
int growth_empty(u64 *ctx)
{
	return 0;
}

SEC("tp_btf/page_fault_user")
int growth_to_empty(u64 *ctx)
{
	return 0;
}

SEC("tp_btf/mmap_lock_released")
int growth_un_empty(u64 *ctx)
{
	return 0;
}
