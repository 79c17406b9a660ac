/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * growth_site.bpf.h - where memory is touched or given back: the address, and the call site. Only for growth.bpf.c.
 */
#ifndef SONDE_GROWTH_SITE_BPF_H
#define SONDE_GROWTH_SITE_BPF_H

#include "arch.bpf.h"
#include "breakdown_memory.bpf.h"
#include "growth.bpf.h"
#include "unwind.bpf.h"

/* The page that the current task adds or gives back; 0: not known. */
static __always_inline u64 growth_address(struct task_struct *task, struct pt_regs *regs, bool gives)
{
	u32 slot = task->pid & (FAULT_SLOTS - 1);
	struct growth_fault *fault;
	u64 nr = REGS_NR(regs);

	if (gives)
		return nr == NR_munmap || nr == NR_mremap || nr == NR_madvise || nr == NR_brk ? REGS_ARG0(regs) : 0;
	fault = bpf_map_lookup_elem(&growth_faults, &slot);
	if (!fault || fault->tid != (u32)task->pid || fault->ip != PT_REGS_IP(regs))
		return 0;
	return READ_ONCE(fault->address); /* by an instruction of its own: the verifier wants one for each kind of pointer */
}

/* Between where the heap begins and where it ends, or ended before this call. */
static __always_inline bool growth_in_heap(struct task_struct *task, u64 address, u64 nr)
{
	return nr == NR_brk || (address >= task->mm->start_brk && address < task->mm->brk);
}

static __always_inline void growth_chunk_add(u64 id, u64 address, u64 grown, u64 returned, bool heap)
{
	struct sonde_growth_chunk_key key = { .chunk = address >> SONDE_GROWTH_CHUNK_LOG2, .round = uw_round };
	struct sonde_growth_chunk fresh = { .grown = grown, .returned = returned, .address = address, .heap = heap },
				  *chunk;

	if (!address)
		return;
	__builtin_memcpy(&key.proc, &id, sizeof(id));
	chunk = bpf_map_lookup_elem(&growth_chunks, &key);
	if (!chunk) {
		if (!bpf_map_update_elem(&growth_chunks, &key, &fresh, BPF_NOEXIST))
			return;
		chunk = bpf_map_lookup_elem(&growth_chunks, &key); /* another thread was first, or there is no room */
	}
	if (!chunk) {
		count(SONDE_CNT_GROWTH_FULL);
		return;
	}
	__sync_fetch_and_add(&chunk->grown, grown);
	__sync_fetch_and_add(&chunk->returned, returned);
	if (grown)
		chunk->address = address;
}

/* The call site of the current task, its stack taken; NULL: no room. @touched: pages that it stands for, which were added. */
static __noinline struct sonde_growth_stat *growth_here(struct task_struct *task, u64 id, u64 touched)
{
	u32 zero = 0, slot = unwind_take(); /* on some kernels programs of tracepoints are preempted */
	struct unwind_walk *w = unwind_walk(slot);
	struct sonde_growth_key key = {};
	struct sonde_growth_stat *site;
	struct growth_zeroes *zeroes;

	count_seen();
	if (!slot || !w) {
		count(SONDE_CNT_LOST_BUSY);
		return NULL;
	}
	unwind_from_regs(w, (struct pt_regs *)bpf_task_pt_regs(task));
	unwind_user(slot);
	w->sample.nr_kernel = 0;
	unwind_count(slot, 0, 1);
	__builtin_memcpy(&key.proc, &id, sizeof(id));
	key.hash = w->hash;
	unwind_give(slot);
	if (bd_conf.memory && touched)
		bd_touched_at(key.hash, touched);
	site = bpf_map_lookup_elem(&growth_sites, &key);
	zeroes = bpf_map_lookup_elem(&growth_zero, &zero);
	if (!site && zeroes) {
		bpf_map_update_elem(&growth_sites, &key, &zeroes->site, BPF_NOEXIST);
		site = bpf_map_lookup_elem(&growth_sites, &key);
	}
	if (site)
		__sync_fetch_and_add(&site->samples, 1);
	else
		count(SONDE_CNT_LOST_GROWTH_SITES);
	return site;
}

/* The stack of the current task stands for @weight pages of @member that are added or given back. */
static __always_inline void growth_take(struct task_struct *task, u64 id, u32 member, u64 weight, u64 pages, bool gives)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u64 address = growth_address(task, regs, gives);
	struct sonde_growth_stat *site;

	growth_chunk_add(id, address, gives ? 0 : weight, gives ? weight : 0, growth_in_heap(task, address, REGS_NR(regs)));
	site = growth_here(task, id, gives ? 0 : weight);
	if (!site)
		return;
	member &= SONDE_GROWTH_MEMBERS - 1;
	if (gives) {
		__sync_fetch_and_add(&site->returned[member], weight);
		return;
	}
	__sync_fetch_and_add(&site->grown[member], weight);
	__sync_fetch_and_add(&site->faults, pages < weight ? weight / pages : 1);
	if (pages >= growth_conf.huge)
		__sync_fetch_and_add(&site->huge, weight);
	if (address)
		site->address = address;
}

#endif /* SONDE_GROWTH_SITE_BPF_H */
