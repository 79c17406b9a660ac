/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * growth.bpf.h - maps of the growth of memory, and how many pages a process has. Only for growth.bpf.c.
 */
#ifndef SONDE_GROWTH_BPF_H
#define SONDE_GROWTH_BPF_H

#include "sonde.bpf.h"
#include "sonde/growth.h"

const volatile struct sonde_growth_config growth_conf = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_growth_key);
	__type(value, struct sonde_growth_stat);
} growth_sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_proc);
	__type(value, struct sonde_growth_proc);
} growth_procs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_growth_cpu_key);
	__type(value, struct sonde_growth_cpu);
} growth_cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_growth_chunk_key);
	__type(value, struct sonde_growth_chunk);
} growth_chunks SEC(".maps");

/* Initial values, all zero. */
struct growth_zeroes {
	struct sonde_growth_stat site;
	struct sonde_growth_proc proc;
	struct sonde_growth_cpu cpu;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct growth_zeroes);
} growth_zero SEC(".maps");

/* The address that a thread touched last without finding a page there, and where its program stood. */
struct growth_fault {
	u32 tid;
	u32 pad;
	u64 ip;
	u64 address;
};

#define FAULT_SLOTS 4096u

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FAULT_SLOTS);
	__type(key, u32);
	__type(value, struct growth_fault);
} growth_faults SEC(".maps");

/* Since Linux 6.2 each processor has a part of these numbers; those of before are in vmlinux.h, and told by the tracepoint. */
struct mm_struct___percpu {
	struct percpu_counter rss_stat[SONDE_GROWTH_MEMBERS];
} __attribute__((preserve_access_index));

/*
 * The same before: a structure. (Its type is not asked for by its name: where the kernel has none, libbpf looks for it in the types of
 * modules, and not everybody may list these.)
 */
struct mm_struct___told {
	struct {
		atomic_long_t count[SONDE_GROWTH_MEMBERS];
	} rss_stat;
} __attribute__((preserve_access_index));

static __always_inline bool growth_is_told(void)
{
	return bpf_core_field_exists(((struct mm_struct___told *)0)->rss_stat);
}

/*
 * A variable that each processor has a copy of. How far that lies from the variable itself is the same for all variables of the
 * processor. (The kernel's own are out of reach where it has no table of their names.) Addresses are numbers once they are read back.
 */
struct growth_copy {
	u64 self;
	u64 map;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct growth_copy);
} growth_copies SEC(".maps");

/* Processor @cpu's copy of the variable at @variable; 0: there is no such processor. */
static __always_inline u64 growth_copy(u64 variable, u32 cpu)
{
	u32 zero = 0;
	struct growth_copy *copy = bpf_map_lookup_percpu_elem(&growth_copies, &zero, cpu);
	u64 mine = 0;

	if (!copy)
		return 0;
	WRITE_ONCE(copy->self, (u64)copy);
	WRITE_ONCE(copy->map, (u64)&growth_copies);
	if (bpf_probe_read_kernel(&mine, sizeof(mine), (void *)READ_ONCE(copy->map) + bpf_core_field_offset(struct bpf_array, pptrs)))
		return 0;
	return variable + (READ_ONCE(copy->self) - mine);
}

static __always_inline void *growth_counter(struct mm_struct *mm, u32 member)
{
	return (void *)mm + bpf_core_field_offset(struct mm_struct___percpu, rss_stat) +
	       (member & (SONDE_GROWTH_MEMBERS - 1)) * bpf_core_type_size(struct percpu_counter);
}

/*
 * The three below are functions of their own, as each is for some kernels only: what is not there must not be computed before it is
 * known that it is.
 */

/* The part of a counter that processors share. */
static __noinline s64 growth_shared(struct mm_struct *mm, u32 member)
{
	s64 count = 0;

	bpf_probe_read_kernel(&count, sizeof(count),
			      growth_counter(mm, member) + bpf_core_field_offset(struct percpu_counter, count));
	return count;
}

/* Where processor @cpu's part is. */
static __noinline u64 growth_where(struct mm_struct *mm, u32 member, u32 cpu)
{
	u64 counters = 0;

	bpf_probe_read_kernel(&counters, sizeof(counters),
			      growth_counter(mm, member) + bpf_core_field_offset(struct percpu_counter, counters));
	return counters ? growth_copy(counters, cpu) : 0;
}

static __always_inline s32 growth_part(u64 where)
{
	s32 part = 0;

	if (where)
		bpf_probe_read_kernel(&part, sizeof(part), (void *)where);
	return part;
}

/* Of kernels that keep one number: it. */
static __noinline s64 growth_told(struct mm_struct *mm, u32 member)
{
	long count = 0;

	bpf_probe_read_kernel(&count, sizeof(count), (void *)mm + bpf_core_field_offset(struct mm_struct, rss_stat.count) +
						     (member & (SONDE_GROWTH_MEMBERS - 1)) * sizeof(count));
	return count;
}

/* ---- a process is met ---- */

struct growth_meeting {
	struct mm_struct *mm;
	struct sonde_growth_proc *p;
	struct sonde_growth_cpu_key key;
};

/* One processor's parts of the counters. */
static long growth_meet_cpu(u32 cpu, struct growth_meeting *meeting)
{
	struct sonde_growth_cpu *c;
	s32 part[SONDE_GROWTH_MEMBERS];
	u64 where[SONDE_GROWTH_MEMBERS];
	struct growth_zeroes *zeroes;
	bool any = false;
	u32 zero = 0;

	for (u32 m = 0; m < SONDE_GROWTH_MEMBERS; m++) {
		where[m] = growth_where(meeting->mm, m, cpu);
		part[m] = growth_part(where[m]);
		any |= part[m] != 0;
		meeting->p->now[m] += part[m];
	}
	meeting->key.cpu = cpu;
	c = bpf_map_lookup_elem(&growth_cpus, &meeting->key);
	if (!c && !any)
		return 0;
	zeroes = bpf_map_lookup_elem(&growth_zero, &zero);
	if (!c && zeroes) {
		bpf_map_update_elem(&growth_cpus, &meeting->key, &zeroes->cpu, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&growth_cpus, &meeting->key);
	}
	if (!c) {
		count(SONDE_CNT_GROWTH_FULL);
		return 0;
	}
	for (u32 m = 0; m < SONDE_GROWTH_MEMBERS; m++) {
		c->where[m] = where[m];
		c->part[m] = part[m];
	}
	return 0;
}

static __always_inline s64 growth_rss(const struct sonde_growth_proc *p)
{
	return p->now[SONDE_GROWTH_FILE] + p->now[SONDE_GROWTH_ANON] + p->now[SONDE_GROWTH_SHMEM];
}

/*
 * growth_meet - process @id, whose group leader is @leader, has address space @mm from now on: its numbers begin with what it has.
 *		 NULL: no room
 */
static __noinline struct sonde_growth_proc *growth_meet(struct task_struct *leader, struct mm_struct *mm, u64 id)
{
	struct growth_meeting meeting = { .mm = mm };
	struct growth_zeroes *zeroes;
	struct sonde_growth_proc *p;
	u32 zero = 0;

	__builtin_memcpy(&meeting.key.proc, &id, sizeof(id));
	p = bpf_map_lookup_elem(&growth_procs, &meeting.key.proc);
	zeroes = bpf_map_lookup_elem(&growth_zero, &zero);
	if (!p && zeroes) {
		bpf_map_update_elem(&growth_procs, &meeting.key.proc, &zeroes->proc, BPF_NOEXIST);
		p = bpf_map_lookup_elem(&growth_procs, &meeting.key.proc);
	}
	if (!p) {
		count(SONDE_CNT_GROWTH_FULL);
		return NULL;
	}
	if (p->mm && p->mm != (u64)mm && zeroes) /* it executes another program */
		__builtin_memcpy(p, &zeroes->proc, sizeof(*p));
	p->begin_ns = bpf_ktime_get_ns();
	p->mm = (u64)mm;
	BPF_CORE_READ_STR_INTO(&p->comm, leader, comm);
	for (u32 m = 0; m < SONDE_GROWTH_MEMBERS; m++) {
		if (growth_is_told())
			p->seen[m] = growth_told(mm, m);
		else
			p->seen[m] = growth_shared(mm, m);
		p->now[m] = p->seen[m];
	}
	meeting.p = p;
	if (!growth_is_told())
		bpf_loop(growth_conf.nr_cpus ?: 1, growth_meet_cpu, &meeting, 0);
	for (u32 m = 0; m < SONDE_GROWTH_MEMBERS; m++)
		p->start[m] = p->now[m];
	p->peak = growth_rss(p);
	p->start_vm = p->vm = BPF_CORE_READ(mm, total_vm);
	p->start_heap = p->heap = BPF_CORE_READ(mm, brk) - BPF_CORE_READ(mm, start_brk);
	return p;
}

#endif /* SONDE_GROWTH_BPF_H */
