/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown_memory.bpf.h - memory that the current thread takes, for the inbound request that it handles: what the programs that
 * tell of allocations and of growth call.
 *
 * The sums of a request are kept with its thread until it is answered: only then is it known whether they are its alone. Its call
 * sites are added at once. All of it is dead code unless bd_conf.memory.
 */
#ifndef SONDE_BREAKDOWN_MEMORY_BPF_H
#define SONDE_BREAKDOWN_MEMORY_BPF_H

#include "breakdown.bpf.h"

/* The current thread, if it handles a request. */
static __always_inline struct bd_thread *bd_handles(void)
{
	struct bd_thread *t = bd_thread_get((u32)bpf_get_current_pid_tgid());

	return t && t->conn ? t : NULL;
}

/* Stack @hash has taken @more for a request of @t. */
static __always_inline void bd_memory_site(const struct bd_thread *t, u64 hash, const struct sonde_memory *more)
{
	struct sonde_memory_key key = { .of = t->of, .hash = hash };
	struct sonde_memory *site = bpf_map_lookup_elem(&bd_sites, &key);

	if (!site) {
		if (!bpf_map_update_elem(&bd_sites, &key, more, BPF_NOEXIST))
			return;
		site = bpf_map_lookup_elem(&bd_sites, &key); /* another thread was first, or there is no room */
	}
	if (!site) {
		count(SONDE_CNT_MEMORY_SITES_FULL);
		return;
	}
	__sync_fetch_and_add(&site->samples, more->samples);
	__sync_fetch_and_add(&site->objects, more->objects);
	__sync_fetch_and_add(&site->bytes, more->bytes);
	__sync_fetch_and_add(&site->var, more->var);
}

/** bd_allocated - the current thread has made an allocation that stands for @more, by the stack @hash. Returns 0 */
static __noinline __attribute__((unused)) int bd_allocated(const struct sonde_memory *more, u64 hash)
{
	struct bd_thread *t = bd_handles();

	if (!t || !more)
		return 0;
	t->memory.samples += more->samples;
	t->memory.objects += more->objects;
	t->memory.bytes += more->bytes;
	t->memory.var += more->var;
	bd_memory_site(t, hash, more);
	return 0;
}

/** bd_touched - the current thread has added @pages */
static __always_inline void bd_touched(u64 pages)
{
	struct bd_thread *t = bd_handles();

	if (!t)
		return;
	t->memory.samples++;
	t->memory.bytes += pages;
}

/** bd_touched_at - stack @hash stands for @pages that were added. Returns 0 */
static __noinline __attribute__((unused)) int bd_touched_at(u64 hash, u64 pages)
{
	struct sonde_memory more = { .samples = 1, .bytes = pages };
	struct bd_thread *t = bd_handles();

	if (t)
		bd_memory_site(t, hash, &more);
	return 0;
}

#endif /* SONDE_BREAKDOWN_MEMORY_BPF_H */
