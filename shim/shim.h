/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shim.h - what samples C's allocations and what samples Python's share: the count of bytes to the next sample, and sampled addresses.
 */
#ifndef SONDE_SHIM_SHIM_H
#define SONDE_SHIM_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOW __attribute__((noinline, cold))
#define HIDDEN __attribute__((visibility("hidden")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/**
 * struct shim_thread - of a thread
 * @left: bytes to the next hit; @rate: of the distance that was drawn for it
 * @resolving: the allocator behind is being looked up; @python: Python's allocator is at work, and holds its lock
 */
struct shim_thread {
	int64_t left;
	uint64_t random;
	uint64_t rate;
	bool resolving;
	bool python;
};

extern __thread struct shim_thread shim_self HIDDEN __attribute__((tls_model("initial-exec")));

/** shim_counts_down - count an allocation of @size bytes; true: it is hit, shim_take() is next */
static inline bool shim_counts_down(size_t size)
{
	shim_self.left = (int64_t)((uint64_t)shim_self.left - size);
	return UNLIKELY(shim_self.left < 0);
}

/** shim_take - the counter has run below zero with an allocation of @size bytes: the rate at which it is sampled; 0: it is not */
uint64_t shim_take(size_t size) HIDDEN;

/** shim_sample - tell of the sampled allocation @ptr, which is returned (NULL: there was no memory; nothing is told) */
void *shim_sample(void *ptr, size_t size, uint64_t at) HIDDEN;

#endif /* SONDE_SHIM_SHIM_H */
