/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown_memory.bpf.h - memory that the current thread takes, for the inbound request that it handles: what the programs that
 * tell of allocations and of growth call.
 *
 * The sums of a request are kept with it until it is answered: only then is it known whether they are its alone. Its call
 * sites are added at once. All of it is dead code unless bd_conf.memory.
 */
#ifndef SONDE_BREAKDOWN_MEMORY_BPF_H
#define SONDE_BREAKDOWN_MEMORY_BPF_H

#include "breakdown.bpf.h"

/* The request that the current thread is about, if there is one, and it has no others. */
static __always_inline struct bd_request *bd_handles(void)
{
	struct bd_thread *t = bd_thread_get((u32)bpf_get_current_pid_tgid());

	return t && t->nr_open && !t->loop ? bd_request_get(t->share.cur) : NULL;
}

/* Stack @hash has taken @more for request @r. */
static __always_inline void bd_memory_site(const struct bd_request *r, u64 hash, const struct sonde_memory *more)
{
	struct sonde_memory_key key = { .of = r->of, .hash = hash };
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
	bd_add_memory(site, more);
}

/** bd_allocated - the current thread has made an allocation that stands for @more, by the stack @hash. Returns 0 */
static __noinline __attribute__((unused)) int bd_allocated(const struct sonde_memory *more, u64 hash)
{
	struct bd_request *r = bd_handles();

	if (!r || !more)
		return 0;
	bd_add_memory(&r->memory, more);
	bd_memory_site(r, hash, more);
	return 0;
}

/** bd_touched - the current thread has added @pages */
static __always_inline void bd_touched(u64 pages)
{
	struct bd_request *r = bd_handles();

	if (!r)
		return;
	r->memory.samples++;
	r->memory.bytes += pages;
}

/** bd_touched_at - stack @hash stands for @pages that were added. Returns 0 */
static __noinline __attribute__((unused)) int bd_touched_at(u64 hash, u64 pages)
{
	struct sonde_memory more = { .samples = 1, .bytes = pages };
	struct bd_request *r = bd_handles();

	if (r)
		bd_memory_site(r, hash, &more);
	return 0;
}

#endif /* SONDE_BREAKDOWN_MEMORY_BPF_H */
