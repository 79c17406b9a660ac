/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc.bpf.h - allocations added up by call site, and the table of objects that live: for whatever tells of them.
 */
#ifndef SONDE_ALLOC_BPF_H
#define SONDE_ALLOC_BPF_H

#include "breakdown_memory.bpf.h"
#include "proc.bpf.h"
#include "sonde.bpf.h"
#include "unwind.bpf.h"
#include "sonde/alloc.h"

struct map_alloc_sites_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_alloc_key);
	__type(value, struct sonde_alloc_stat);
};

/* One element that stays zero. */
struct map_alloc_zero_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_alloc_stat);
};

struct map_alloc_procs_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_proc);
	__type(value, struct sonde_alloc_proc);
};

struct map_alloc_live_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_alloc_object);
	__type(value, struct sonde_alloc_live);
};

extern struct map_alloc_sites_def alloc_sites SEC(".maps");
extern struct map_alloc_zero_def alloc_zero SEC(".maps");
extern struct map_alloc_procs_def alloc_procs SEC(".maps");
extern struct map_alloc_live_def alloc_live SEC(".maps");

static __always_inline struct sonde_alloc_proc *proc_get(const struct sonde_proc *id)
{
	struct sonde_alloc_proc *proc = bpf_map_lookup_elem(&alloc_procs, id), fresh = {};

	if (proc)
		return proc;
	bpf_map_update_elem(&alloc_procs, id, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&alloc_procs, id);
}

/* @task has executed another program: all objects of the old one are gone with its memory. False: none of it was seen. */
static __always_inline bool proc_executed(struct task_struct *task)
{
	struct sonde_proc id = proc_of(task);
	struct sonde_alloc_proc *proc = bpf_map_lookup_elem(&alloc_procs, &id);

	if (!proc)
		return false;
	proc->epoch++;
	proc->live_bytes = 0;
	return true;
}

/* Objects that @live stands for are gone; @freed_ns: when they were freed, 0: that was missed. */
static __noinline int gone(const struct sonde_alloc_live *live, u64 freed_ns)
{
	struct sonde_alloc_stat *site;
	struct sonde_alloc_proc *proc;
	struct sonde_alloc_key key;
	u64 objects, life, var;
	u32 bucket;

	if (!live)
		return 0;
	key = live->site;
	proc = bpf_map_lookup_elem(&alloc_procs, &key.proc);
	if (proc)
		__sync_fetch_and_add(&proc->live_bytes, -(s64)live->bytes);
	site = bpf_map_lookup_elem(&alloc_sites, &key);
	if (!site)
		return 0;
	objects = sonde_alloc_objects(live->size, live->bytes);
	__sync_fetch_and_add(&site->freed_samples, 1);
	__sync_fetch_and_add(&site->freed_objects, objects);
	__sync_fetch_and_add(&site->freed_bytes, live->bytes);
	var = sonde_alloc_var(live->size, live->bytes);
	if (var)
		__sync_fetch_and_add(&site->live_var, -(s64)var);
	if (!freed_ns)
		return 0;
	life = freed_ns > live->time_ns ? freed_ns - live->time_ns : 0;
	if (life < SONDE_ALLOC_CHURN_NS) {
		__sync_fetch_and_add(&site->churn_objects, objects);
		__sync_fetch_and_add(&site->churn_bytes, live->bytes);
	}
	bucket = sonde_alloc_log2(life / 1000, SONDE_ALLOC_LIVES - 1);
	if (bucket < SONDE_ALLOC_LIVES)
		__sync_fetch_and_add(&site->life[bucket], objects);
	return 0;
}

/* @live, an object at @ptr, is watched until it is freed. */
static __noinline int watch(u64 ptr, const struct sonde_alloc_live *live)
{
	struct sonde_alloc_object key = { .ptr = ptr };
	struct sonde_alloc_live *old, before;
	struct sonde_alloc_proc *proc;
	s64 now_live;
	long err;

	if (!live)
		return 0;
	key.tgid = live->site.proc.tgid;
	key.epoch = live->site.epoch;
	err = bpf_map_update_elem(&alloc_live, &key, live, BPF_NOEXIST);
	old = err ? bpf_map_lookup_elem(&alloc_live, &key) : NULL;
	if (old) {
		before = *old;
		if (!bpf_map_delete_elem(&alloc_live, &key)) {
			count(SONDE_CNT_ALLOC_UNPAIRED);
			gone(&before, 0);
		}
		err = bpf_map_update_elem(&alloc_live, &key, live, BPF_NOEXIST);
	}
	if (err) {
		count(SONDE_CNT_ALLOC_LIVE_FULL);
		return 1;
	}
	proc = bpf_map_lookup_elem(&alloc_procs, &live->site.proc);
	if (!proc)
		return 0;
	now_live = __sync_fetch_and_add(&proc->live_bytes, live->bytes) + (s64)live->bytes;
	if (now_live > proc->peak_bytes) { /* two at once: the smaller may stay, by one sample */
		proc->peak_bytes = now_live;
		proc->peak_ns = live->time_ns;
	}
	return 0;
}

static __always_inline struct sonde_alloc_stat *site_get(const struct sonde_alloc_key *key)
{
	struct sonde_alloc_stat *site = bpf_map_lookup_elem(&alloc_sites, key);
	u32 zero = 0;

	if (site)
		return site;
	site = bpf_map_lookup_elem(&alloc_zero, &zero);
	if (site)
		bpf_map_update_elem(&alloc_sites, key, site, BPF_NOEXIST);
	return bpf_map_lookup_elem(&alloc_sites, key);
}

static __always_inline void add_to_request(const struct sonde_alloc_live *live, u64 objects, u64 var)
{
	struct sonde_memory more = { .samples = 1, .objects = objects, .bytes = live->bytes, .var = var };

	bd_allocated(&more, live->site.hash);
}

/*
 * Adds the sample to its site, whose stack is in @slot (0: it was not taken). @every: each is told of; else those that make a
 * power of two, so that one for which there was no room is made up for.
 */
static __always_inline void add(struct sonde_alloc_live *live, u64 ptr, u32 slot, bool every)
{
	u64 objects = sonde_alloc_objects(live->size, live->bytes), var = sonde_alloc_var(live->size, live->bytes);
	struct sonde_alloc_stat *site = site_get(&live->site);
	u32 bucket = sonde_alloc_log2(live->size, SONDE_ALLOC_SIZES - 1);
	u64 before;

	if (bd_conf.memory)
		add_to_request(live, objects, var);
	if (!site) {
		count(SONDE_CNT_LOST_ALLOC_SITES);
		return;
	}
	before = __sync_fetch_and_add(&site->samples, 1);
	__sync_fetch_and_add(&site->alloc_objects, objects);
	__sync_fetch_and_add(&site->alloc_bytes, live->bytes);
	if (var) {
		__sync_fetch_and_add(&site->alloc_var, var);
		__sync_fetch_and_add(&site->live_var, var);
	}
	if (bucket < SONDE_ALLOC_SIZES)
		__sync_fetch_and_add(&site->size[bucket], objects);
	if (slot && (every || !(before & (before - 1)))) {
		if (!every)
			unwind_user(slot); /* it may have been recognised, and not walked */
		unwind_count(slot, 0, live->bytes);
	}
	if (!ptr)
		count(SONDE_CNT_ALLOC_LIVE_FULL);
	if (ptr ? !watch(ptr, live) : 0)
		return;
	/* Nobody will tell of its end: it is no part of what lives. */
	__sync_fetch_and_add(&site->freed_samples, 1);
	__sync_fetch_and_add(&site->freed_objects, objects);
	__sync_fetch_and_add(&site->freed_bytes, live->bytes);
	__sync_fetch_and_add(&site->live_var, -(s64)var);
}

#endif /* SONDE_ALLOC_BPF_H */
