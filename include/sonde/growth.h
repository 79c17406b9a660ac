/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * growth.h - memory that processes take from the kernel and give back, as the kernel side adds it up: layout of the maps of
 *	      `sonde alloc`'s growth mode.
 *
 * The kernel counts the pages that a process has by kind, and tells of each change. All changes are added up by process; which
 * stack made them is asked of some only, each of which stands for those before it.
 */
#ifndef SONDE_GROWTH_H
#define SONDE_GROWTH_H

#include "config.h"
#include "key.h"

/** enum sonde_growth_member - kinds of pages, by the kernel's numbers (MM_FILEPAGES and so on) */
enum sonde_growth_member {
	SONDE_GROWTH_FILE, /* of files, in the page cache */
	SONDE_GROWTH_ANON,
	SONDE_GROWTH_SWAP, /* anonymous, but not in memory */
	SONDE_GROWTH_SHMEM, /* shared anonymous memory, tmpfs */
	SONDE_GROWTH_MEMBERS,
};

/** enum sonde_growth_call - system calls that change how much a process has mapped */
enum sonde_growth_call {
	SONDE_GROWTH_BRK,
	SONDE_GROWTH_MMAP,
	SONDE_GROWTH_MUNMAP,
	SONDE_GROWTH_MREMAP,
	SONDE_GROWTH_CALLS,
};

/**
 * struct sonde_growth_meter - decides whose stack is taken
 * @sum: pages since the last stack; @next: at how many of them the next one is due
 * @rate: what @next is about
 * @last_ns: when the last stack was taken
 */
struct sonde_growth_meter {
	u64 sum;
	u64 last_ns;
	u32 next;
	u32 rate;
};

#define SONDE_GROWTH_RATE_MAX 64u
#define SONDE_GROWTH_BETWEEN_NS 200000u /* stacks are to be taken this far apart, on a processor, of one kind of change */

/**
 * sonde_growth_due - @pages more: whether their stack is to be taken. A change as large as the rate is always due, by itself
 *
 * Stacks are due at random distances along the pages: whoever touches more of them is met more often, in proportion.
 */
SONDE_INLINE bool sonde_growth_due(struct sonde_growth_meter *m, u64 pages)
{
	if (pages >= m->rate)
		return true;
	m->sum += pages;
	return m->sum >= m->next;
}

/** sonde_growth_take - it is due, and taken: how many pages its stack stands for. @random: any 32 bits */
SONDE_INLINE u64 sonde_growth_take(struct sonde_growth_meter *m, u64 pages, u64 now_ns, u32 random)
{
	u64 since = now_ns - m->last_ns, weight = pages;

	if (pages < m->rate) {
		weight = m->next;
		m->sum -= weight;
		m->next = 0;
	}
	if (since < SONDE_GROWTH_BETWEEN_NS / 2 && m->rate && m->rate < SONDE_GROWTH_RATE_MAX)
		m->rate *= 2;
	else if (since > 2 * SONDE_GROWTH_BETWEEN_NS && m->rate > 1)
		m->rate /= 2;
	if (!m->rate)
		m->rate = 1;
	m->last_ns = now_ns;
	if (!m->next)
		m->next = m->rate - m->rate / 4 + random % (m->rate / 2 + 1);
	return weight;
}

/** struct sonde_growth_key - a call site of a process; @hash: sonde_sample_key.hash of its stack */
struct sonde_growth_key {
	struct sonde_proc proc;
	u64 hash;
};

/**
 * struct sonde_growth_stat - its numbers, estimates; counters only grow
 * @samples: times that its stack was taken
 * @grown, @returned: pages by enum sonde_growth_member
 * @faults: changes that added pages; @huge: pages of those that added a huge page each
 * @mapped, @unmapped: pages of address space, by @calls (enum sonde_growth_call)
 * @address: of the page added last, 0: not known
 */
struct sonde_growth_stat {
	u64 samples;
	u64 grown[SONDE_GROWTH_MEMBERS];
	u64 returned[SONDE_GROWTH_MEMBERS];
	u64 faults;
	u64 huge;
	u64 mapped;
	u64 unmapped;
	u64 calls[SONDE_GROWTH_CALLS];
	u64 address;
};

/**
 * struct sonde_growth_proc - a process: exact sums
 * @mm: its address space, for recognising it
 * @begin_ns, @end_ns: CLOCK_MONOTONIC when it was met and when it ended (0: it lives)
 * @seen: of each counter the part that processors share, as it was last
 * @start, @now: pages when it was met, and now
 * @peak: most pages in memory (without swap)
 * @start_vm, @vm, @start_heap, @heap: address space in pages, and bytes between the beginning and the end of the heap (brk)
 * @traced: it has passed the filters
 */
struct sonde_growth_proc {
	u64 mm;
	u64 begin_ns;
	u64 end_ns;
	s64 seen[SONDE_GROWTH_MEMBERS];
	s64 start[SONDE_GROWTH_MEMBERS];
	s64 now[SONDE_GROWTH_MEMBERS];
	u64 grown[SONDE_GROWTH_MEMBERS];
	u64 returned[SONDE_GROWTH_MEMBERS];
	s64 peak;
	u64 faults;
	u64 huge;
	u64 start_vm, vm;
	u64 start_heap, heap;
	u64 mapped, unmapped;
	u64 calls[SONDE_GROWTH_CALLS];
	u32 traced;
	u32 pad;
	char comm[SONDE_COMM_BYTES];
};

/** struct sonde_growth_cpu_key - a process on a processor */
struct sonde_growth_cpu_key {
	struct sonde_proc proc;
	u32 cpu;
	u32 pad;
};

/**
 * struct sonde_growth_cpu - what it did there
 * @where: kernel addresses of this processor's parts of the counters; 0: not looked up yet
 * @part: their values, as they were last
 */
struct sonde_growth_cpu {
	u64 where[SONDE_GROWTH_MEMBERS];
	s32 part[SONDE_GROWTH_MEMBERS];
	struct sonde_growth_meter grow[SONDE_GROWTH_MEMBERS];
	struct sonde_growth_meter give[SONDE_GROWTH_MEMBERS];
	struct sonde_growth_meter calls;
};

#define SONDE_GROWTH_CHUNK_LOG2 16 /* addresses are told apart that far: one page of samples that are far between, as a rule */

/** struct sonde_growth_chunk_key - a piece of address space; @round: as of struct sonde_sample_key */
struct sonde_growth_chunk_key {
	struct sonde_proc proc;
	u64 chunk; /* address >> SONDE_GROWTH_CHUNK_LOG2 */
	u32 round;
	u32 pad;
};

/** struct sonde_growth_chunk - pages, estimates; @address: one in it; @heap: it lies in the heap (brk) */
struct sonde_growth_chunk {
	u64 grown;
	u64 returned;
	u64 address;
	u64 heap;
};

_Static_assert(sizeof(struct sonde_growth_key) == 16, "no holes");
_Static_assert(sizeof(struct sonde_growth_cpu_key) == 16, "no holes");
_Static_assert(sizeof(struct sonde_growth_chunk_key) == 24, "no holes");
_Static_assert(sizeof(struct sonde_growth_meter) == 24, "no holes");
_Static_assert(sizeof(struct sonde_growth_proc) == 8 * (3 + 5 * SONDE_GROWTH_MEMBERS + 9 + SONDE_GROWTH_CALLS) + 8 +
							SONDE_COMM_BYTES,
	       "no holes");

#endif /* SONDE_GROWTH_H */
