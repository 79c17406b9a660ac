/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gc.h - garbage collections as the kernel side adds them up: layout of the maps, and what probes mean.
 *
 * Where a pause begins and ends, and what is known of the heap then:
 *
 *	CPython	USDT python:gc__start(int generation), gc__done(long collected); where there are none, entry and return of
 *		gc_collect_main(tstate, int generation, ...), which in 3.13 is -1 where it is chosen inside (automatic); returns the
 *		number of objects. (Modules/gcmodule.c, from 3.13 on Python/gc.c)
 *	Java	USDT hotspot:gc__begin(bool full), gc__end(), in the thread that collects while all others stand still; in between
 *		mem__pool__gc__begin and __end (manager, its length, pool, its length, init, used, committed, max) once for each
 *		pool, those that are no heap as well. (share/gc/shared/gcVMOperations.cpp, share/services/memoryManager.cpp)
 *	V8	entry and return of Heap::CollectGarbage(); the collector is the first argument of Heap::PerformGarbageCollection(),
 *		the heap's size what Heap::SizeOfObjects() returns meanwhile: first before, last after. (src/heap/heap.cc)
 *	Go	entry of runtime.stopTheWorldWithSema() until startTheWorldWithSema() calls wakep(), having started it; that is what
 *		MemStats.PauseNs and GODEBUG=gctrace=1 measure; a collection has two. What they are for tell (*gcControllerState).startCycle(), whose
 *		receiver has the heap's size before, and resetLive(bytes marked). (src/runtime/proc.go, mgc.go, mgcpacer.go)
 */
#ifndef SONDE_GC_H
#define SONDE_GC_H

#include "alloc.h"
#include "base.h"
#include "key.h"

enum sonde_gc_runtime {
#define SONDE_GC_RUNTIME(symbol, name) SONDE_GC_##symbol,
#include "gc.def"
#undef SONDE_GC_RUNTIME
	SONDE_GC_RUNTIMES,
};

enum sonde_gc_kind {
#define SONDE_GC_KIND(symbol, runtime, name, cycle) SONDE_GC_KIND_##symbol,
#include "gc.def"
#undef SONDE_GC_KIND
	SONDE_GC_KINDS,
};

/** enum sonde_gc_at - what a probe is at: the low byte of its cookie; above it the index of its struct sonde_gc_spec */
enum sonde_gc_at {
	SONDE_GC_AT_PYTHON_START, /* USDT */
	SONDE_GC_AT_PYTHON_DONE,
	SONDE_GC_AT_PYTHON_ENTRY, /* of the function */
	SONDE_GC_AT_PYTHON_RETURN,
	SONDE_GC_AT_JAVA_BEGIN,
	SONDE_GC_AT_JAVA_END,
	SONDE_GC_AT_JAVA_POOL_BEGIN,
	SONDE_GC_AT_JAVA_POOL_END,
	SONDE_GC_AT_V8_ENTRY,
	SONDE_GC_AT_V8_RETURN,
	SONDE_GC_AT_V8_PERFORM,
	SONDE_GC_AT_V8_SIZE,
	SONDE_GC_AT_GO_STOP,
	SONDE_GC_AT_GO_START,
	SONDE_GC_AT_GO_CYCLE,
	SONDE_GC_AT_GO_LIVE,
	SONDE_GC_ATS,
};

#define SONDE_GC_SPECS 128u

/**
 * struct sonde_gc_spec - what a probe's program has to know
 * @args: where the arguments are (USDT)
 * @member: Go: distance of gcControllerState.heapLive from its beginning, plus one; 0: not known
 */
struct sonde_gc_spec {
	struct sonde_alloc_spec args;
	u64 member;
};

/** struct sonde_gc_key - pauses of one kind; @tid: the thread that collected (Go: 0, any may) */
struct sonde_gc_key {
	struct sonde_proc proc;
	u32 tid;
	u32 kind; /* enum sonde_gc_kind */
};

/**
 * struct sonde_gc_stat - their numbers; counters only grow
 * @collected: objects that were found to be garbage (CPython)
 * @sized: of these pauses the heap is known before and after; @freed: what it became smaller by, in all
 * @before, @after, @committed: of the last of them, bytes (@committed: 0 not known)
 * @peak: most of @before and @after
 * @first_ns, @last_ns: CLOCK_MONOTONIC when the first ended, and the last
 * @comm: the thread's name
 */
struct sonde_gc_stat {
	u64 collected;
	u64 sized;
	u64 freed;
	u64 before;
	u64 after;
	u64 committed;
	u64 peak;
	u64 first_ns;
	u64 last_ns;
	char comm[SONDE_COMM_BYTES];
	struct sonde_hist pause;
};

/** struct sonde_gc_proc - a process that has collected; @begin_ns, @end_ns: CLOCK_MONOTONIC when it began and ended (0: it lives) */
struct sonde_gc_proc {
	u64 begin_ns;
	u64 end_ns;
	char comm[SONDE_COMM_BYTES];
};

#define SONDE_GC_POOL_BYTES 32u

/** struct sonde_gc_pool_key - a part of a Java heap, or what else the virtual machine manages */
struct sonde_gc_pool_key {
	struct sonde_proc proc;
	char name[SONDE_GC_POOL_BYTES]; /* NUL-terminated where it is shorter */
};

/**
 * struct sonde_gc_pool - bytes
 * @before, @after, @committed: at the last collection that it was a part of
 * @max: it does not become larger (all bits set: no limit)
 * @peak: most of @before and @after
 * @heap: objects live in it
 */
struct sonde_gc_pool {
	u64 collections;
	u64 before;
	u64 after;
	u64 committed;
	u64 max;
	u64 peak;
	u64 heap;
};

/** enum sonde_gc_sight - what is seen of a process's collections */
enum sonde_gc_sight {
	SONDE_GC_SEEN,
	SONDE_GC_NO_PROBES, /* neither probes nor names of functions */
	SONDE_GC_NO_KERNEL, /* the kernel does not tell probes apart (before 5.15) */
	SONDE_GC_FAILED, /* it refused to attach them */
	SONDE_GC_NO_ROOM, /* for what programs have to know of their probes: SONDE_GC_SPECS */
	SONDE_GC_SIGHTS,
};

/** struct sonde_gc_met - a process that has mapped a runtime, by its number: what user space found; @how: "USDT", a few words */
struct sonde_gc_met {
	u32 runtime; /* enum sonde_gc_runtime */
	u32 sight; /* enum sonde_gc_sight */
	char comm[SONDE_COMM_BYTES];
	char how[24];
};

/* The first bytes of a word, as a number on machines that begin with the lowest one: all that sonde runs on. */
#define SONDE_GC_WORD4(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

/** sonde_gc_is_heap - whether objects live in a pool whose name begins with @word: not code ("CodeHeap 'non-nmethods'", "CodeCache"), "Metaspace" and "Compressed Class Space" */
SONDE_INLINE bool sonde_gc_is_heap(u64 word)
{
	return (u32)word != SONDE_GC_WORD4('C', 'o', 'd', 'e') && (u32)word != SONDE_GC_WORD4('M', 'e', 't', 'a') &&
	       (u32)word != SONDE_GC_WORD4('C', 'o', 'm', 'p');
}

/** enum sonde_gc_manager - what a memory manager's name says of what it does */
enum sonde_gc_manager {
	SONDE_GC_MANAGER_NONE, /* no pool was told of */
	SONDE_GC_MANAGER_YOUNG,
	SONDE_GC_MANAGER_OLD,
	SONDE_GC_MANAGER_CONCURRENT,
};

/**
 * sonde_gc_manager - of a name that begins with @word: "Copy", "MarkSweepCompact" (Serial); "PS Scavenge", "PS MarkSweep" (Parallel);
 * "G1 Young Generation", "G1 Old Generation", "G1 Concurrent GC"; "ZGC Pauses", "ZGC Major Cycles", "Shenandoah Pauses"
 */
SONDE_INLINE u32 sonde_gc_manager(u64 word)
{
	u32 first = (u32)word, second = (u32)(word >> 32);

	if (first == SONDE_GC_WORD4('Z', 'G', 'C', ' ') || first == SONDE_GC_WORD4('S', 'h', 'e', 'n') ||
	    (first == SONDE_GC_WORD4('G', '1', ' ', 'C') && second == SONDE_GC_WORD4('o', 'n', 'c', 'u')))
		return SONDE_GC_MANAGER_CONCURRENT;
	if (first == SONDE_GC_WORD4('M', 'a', 'r', 'k') || first == SONDE_GC_WORD4('P', 'S', ' ', 'M') ||
	    first == SONDE_GC_WORD4('G', '1', ' ', 'O'))
		return SONDE_GC_MANAGER_OLD;
	return SONDE_GC_MANAGER_YOUNG;
}

/** sonde_gc_java_kind - of a pause that gc__begin called full or not (@full), in which @manager was at work (the worst of several) */
SONDE_INLINE u32 sonde_gc_java_kind(bool full, u32 manager)
{
	if (full || manager == SONDE_GC_MANAGER_OLD)
		return SONDE_GC_KIND_FULL;
	return manager == SONDE_GC_MANAGER_YOUNG ? SONDE_GC_KIND_YOUNG : SONDE_GC_KIND_CONCURRENT;
}

_Static_assert(sizeof(struct sonde_gc_key) == 16, "no holes");
_Static_assert(sizeof(struct sonde_gc_stat) == 9 * 8 + SONDE_COMM_BYTES + 24 + 4 * SONDE_HIST_BUCKETS, "no holes");
_Static_assert(sizeof(struct sonde_gc_pool_key) == 8 + SONDE_GC_POOL_BYTES, "no holes");
_Static_assert(sizeof(struct sonde_gc_met) == 48, "no holes");

#endif /* SONDE_GC_H */
