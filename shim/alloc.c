// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.c - libsonde-alloc: samples a program's allocations by bytes, and fires otel_memory's probes for those sampled.
 *
 * Preloaded or linked, it stands before the allocator: each call counts its bytes down in a thread-local counter and goes on to
 * the allocator by a tail call. Below zero the call takes the slow path: a new distance is drawn, and if a tracer listens
 * (it has raised the probe's semaphore) the allocation is sampled. Its address is remembered, so that its free is told too: a
 * byte for each hash of an address says whether one may be among them.
 *
 * No locks, so nothing is held across fork(); no memory is allocated here; nothing but the allocator, dlsym() and the clock is
 * called.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "probe.h"
#include "sample.h"

#define EXPORT __attribute__((visibility("default")))
#define SLOW __attribute__((noinline, cold))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define SLOTS_LOG2 16
#define PROBES 16 /* slots looked at for an address */
#define STUCK 255 /* a byte of the filter that is counted no more */

SHIM_SEMAPHORE(otel_memory_alloc_semaphore);
SHIM_SEMAPHORE(otel_memory_free_semaphore);
SHIM_SEMAPHORE(sonde_alloc_begin_semaphore);

/* @left: bytes to the next hit; @rate: of the distance that was drawn for it. */
static __thread struct {
	int64_t left;
	uint64_t random;
	uint64_t rate;
	bool resolving;
} self __attribute__((tls_model("initial-exec")));

/* Sampled addresses that have not been freed, and how many there are for each hash (0: none). */
static uintptr_t sampled[1 << SLOTS_LOG2];
static uint8_t filter[1 << 16];

static uint64_t base_rate = SHIM_RATE, rate = SHIM_RATE;
static uint64_t window_ns, window_samples;

/* ---- the allocator behind ---- */

static void *first_malloc(size_t size);
static void first_free(void *ptr);
static void *first_calloc(size_t nr, size_t size);
static void *first_realloc(void *ptr, size_t size);
static void *first_memalign(size_t align, size_t size);
static void *first_aligned_alloc(size_t align, size_t size);
static int first_posix_memalign(void **out, size_t align, size_t size);

/* As long as nothing was allocated each leads to a function that looks the others up. */
static struct {
	void *(*malloc)(size_t size);
	void (*free)(void *ptr);
	void *(*calloc)(size_t nr, size_t size);
	void *(*realloc)(void *ptr, size_t size);
	void *(*memalign)(size_t align, size_t size);
	void *(*aligned_alloc)(size_t align, size_t size);
	int (*posix_memalign)(void **out, size_t align, size_t size);
} next = {
	first_malloc, first_free, first_calloc, first_realloc, first_memalign, first_aligned_alloc, first_posix_memalign,
};

/* False: the look-up itself asks for memory, which it does only to say that it failed. */
static SLOW bool resolve(void)
{
	static const char *const name[] = { "malloc",	"free",		 "calloc",	  "realloc",
					    "memalign", "aligned_alloc", "posix_memalign" };
	void *found[7];

	_Static_assert(sizeof(next) == sizeof(found), "a name for each");
	if (self.resolving) {
		errno = ENOMEM;
		return false;
	}
	self.resolving = true;
	for (size_t i = 0; i < 7; i++) {
		found[i] = dlsym(RTLD_NEXT, name[i]);
		if (!found[i])
			abort(); /* no C library without them */
	}
	for (size_t i = 0; i < 7; i++)
		__atomic_store_n((void **)&next + i, found[i], __ATOMIC_RELAXED);
	self.resolving = false;
	return true;
}

static SLOW void *first_malloc(size_t size)
{
	return resolve() ? next.malloc(size) : NULL;
}

static SLOW void first_free(void *ptr)
{
	if (ptr && resolve())
		next.free(ptr);
}

static SLOW void *first_calloc(size_t nr, size_t size)
{
	return resolve() ? next.calloc(nr, size) : NULL;
}

static SLOW void *first_realloc(void *ptr, size_t size)
{
	return resolve() ? next.realloc(ptr, size) : NULL;
}

static SLOW void *first_memalign(size_t align, size_t size)
{
	return resolve() ? next.memalign(align, size) : NULL;
}

static SLOW void *first_aligned_alloc(size_t align, size_t size)
{
	return resolve() ? next.aligned_alloc(align, size) : NULL;
}

static SLOW int first_posix_memalign(void **out, size_t align, size_t size)
{
	return resolve() ? next.posix_memalign(out, align, size) : ENOMEM;
}

/* ---- sampled addresses ---- */

static inline uint8_t *filter_of(const void *ptr)
{
	return &filter[(uint32_t)((uintptr_t)ptr >> 4) * 2654435761u >> 16];
}

static inline uint32_t slot_of(const void *ptr)
{
	return (uint32_t)(((uintptr_t)ptr >> 4) * 0x9e3779b97f4a7c15ULL >> (64 - SLOTS_LOG2));
}

static void filter_count(const void *ptr, int by)
{
	uint8_t *byte = filter_of(ptr), was = __atomic_load_n(byte, __ATOMIC_RELAXED);

	while (was != STUCK && !__atomic_compare_exchange_n(byte, &was, (uint8_t)(was + by), true, __ATOMIC_RELAXED,
							    __ATOMIC_RELAXED))
		;
}

/* Before the address is handed out: nobody frees it yet. False: no room. */
static bool remember(void *ptr)
{
	for (uint32_t i = 0, at = slot_of(ptr); i < PROBES; i++, at++) {
		uintptr_t free = 0, *slot = &sampled[at & ((1u << SLOTS_LOG2) - 1)];

		if (__atomic_compare_exchange_n(slot, &free, (uintptr_t)ptr, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			filter_count(ptr, 1);
			return true;
		}
	}
	return false;
}

/* Whether @ptr was sampled; it is forgotten. */
static bool forget(void *ptr)
{
	for (uint32_t i = 0, at = slot_of(ptr); i < PROBES; i++, at++) {
		uintptr_t *slot = &sampled[at & ((1u << SLOTS_LOG2) - 1)];

		if (__atomic_load_n(slot, __ATOMIC_RELAXED) == (uintptr_t)ptr) {
			__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
			filter_count(ptr, -1);
			return true;
		}
	}
	return false;
}

/* ---- sampling ---- */

static uint64_t ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	uint64_t count;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
	return count;
#endif
}

/* The clock keeps a child from repeating what its parent draws. */
static void draw(void)
{
	self.random = shim_mix(self.random + 0x9e3779b97f4a7c15ULL + ticks());
	self.rate = __atomic_load_n(&rate, __ATOMIC_RELAXED);
	self.left = shim_distance(self.random, self.rate);
}

/* After a sample: too many a second cost too much, few say too little. */
static void adapt(void)
{
	uint64_t nr = __atomic_add_fetch(&window_samples, 1, __ATOMIC_RELAXED);
	uint64_t begun = __atomic_load_n(&window_ns, __ATOMIC_RELAXED), now, old;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if (now - begun < 1000000000ULL && nr <= SHIM_MOST)
		return;
	/* One of the threads that come here begins the next window. */
	if (!__atomic_compare_exchange_n(&window_ns, &begun, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&window_samples, 0, __ATOMIC_RELAXED);
	old = __atomic_load_n(&rate, __ATOMIC_RELAXED);
	/* What was counted before nobody listened for long is no rate. */
	__atomic_store_n(&rate, shim_adapt(old, base_rate, nr, now - begun), __ATOMIC_RELAXED);
}

/* The counter has run below zero with an allocation of @size bytes: is it sampled, and at which rate? 0: no. */
static uint64_t hit(size_t size)
{
	uint64_t at = self.rate;

	if (UNLIKELY(!at)) { /* the thread's first allocation: the count begins with it */
		self.random = (uintptr_t)&self;
		draw();
		self.left -= (int64_t)size;
		if (self.left >= 0)
			return 0;
		at = self.rate;
	}
	draw();
	return otel_memory_alloc_semaphore ? at : 0;
}

/* Not inlined: one place for each probe. */
static __attribute__((noinline)) void fire_alloc(void *ptr, uint64_t size, uint64_t weight)
{
	SHIM_ARG(0, (uintptr_t)ptr);
	SHIM_ARG(1, size);
	SHIM_ARG(2, weight);

	__asm__ volatile(SHIM_NOTE("otel_memory", "alloc", "otel_memory_alloc_semaphore", SHIM_ARGS3)
			 :
			 : "r"(shim_arg0), "r"(shim_arg1), "r"(shim_arg2)
			 : "memory");
}

static __attribute__((noinline)) void fire_free(void *ptr)
{
	SHIM_ARG(0, (uintptr_t)ptr);

	__asm__ volatile(SHIM_NOTE("otel_memory", "free", "otel_memory_free_semaphore", SHIM_ARGS1)
			 :
			 : "r"(shim_arg0)
			 : "memory");
}

static __attribute__((noinline)) void fire_begin(void)
{
	__asm__ volatile(SHIM_NOTE("sonde_alloc", "begin", "sonde_alloc_begin_semaphore", "") : : : "memory");
}

/* A sampled allocation: address 0 says that there was no room to watch for its free. */
static void *sample(void *ptr, size_t size, uint64_t at)
{
	int saved = errno;

	if (!ptr)
		return NULL;
	fire_alloc(remember(ptr) ? ptr : NULL, size, shim_weight(size, at));
	adapt();
	errno = saved;
	return ptr;
}

static inline bool counts_down(size_t size)
{
	self.left = (int64_t)((uint64_t)self.left - size);
	return UNLIKELY(self.left < 0);
}

static SLOW void *slow_malloc(size_t size)
{
	uint64_t at = hit(size);

	return at ? sample(next.malloc(size), size, at) : next.malloc(size);
}

static SLOW void *slow_calloc(size_t nr, size_t size)
{
	uint64_t at = hit(nr * size);

	return at ? sample(next.calloc(nr, size), nr * size, at) : next.calloc(nr, size);
}

static SLOW void *slow_memalign(void *(*with)(size_t align, size_t size), size_t align, size_t size)
{
	uint64_t at = hit(size);

	return at ? sample(with(align, size), size, at) : with(align, size);
}

static SLOW int slow_posix_memalign(void **out, size_t align, size_t size)
{
	uint64_t at = hit(size);
	int err = next.posix_memalign(out, align, size);

	if (!err && at)
		sample(*out, size, at);
	return err;
}

static SLOW void slow_free(void *ptr)
{
	if (ptr && forget(ptr))
		fire_free(ptr);
	next.free(ptr);
}

/* The old object is told to be gone before another thread can get its address; if there is no memory it is tracked no more. */
static SLOW void *slow_realloc(void *ptr, size_t size)
{
	uint64_t at = self.left < 0 ? hit(size) : 0;

	if (ptr && forget(ptr))
		fire_free(ptr);
	return at && size ? sample(next.realloc(ptr, size), size, at) : next.realloc(ptr, size);
}

/* ---- what programs call ---- */

EXPORT void *malloc(size_t size)
{
	if (counts_down(size))
		return slow_malloc(size);
	return next.malloc(size);
}

EXPORT void free(void *ptr)
{
	if (UNLIKELY(*filter_of(ptr))) {
		slow_free(ptr);
		return;
	}
	next.free(ptr);
}

EXPORT void *calloc(size_t nr, size_t size)
{
	size_t all;

	if (!__builtin_mul_overflow(nr, size, &all) && counts_down(all))
		return slow_calloc(nr, size);
	return next.calloc(nr, size);
}

EXPORT void *realloc(void *ptr, size_t size)
{
	if (counts_down(size) || UNLIKELY(*filter_of(ptr)))
		return slow_realloc(ptr, size);
	return next.realloc(ptr, size);
}

EXPORT void *reallocarray(void *ptr, size_t nr, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(nr, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	if (counts_down(all) || UNLIKELY(*filter_of(ptr)))
		return slow_realloc(ptr, all);
	return next.realloc(ptr, all);
}

EXPORT void *memalign(size_t align, size_t size)
{
	if (counts_down(size))
		return slow_memalign(next.memalign, align, size);
	return next.memalign(align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	if (counts_down(size))
		return slow_memalign(next.aligned_alloc, align, size);
	return next.aligned_alloc(align, size);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	if (counts_down(size))
		return slow_posix_memalign(out, align, size);
	return next.posix_memalign(out, align, size);
}

/*
 * SONDE_ALLOC_RATE: bytes between samples on average. SONDE_ALLOC_WAIT: the tracer has started this program, and needs a moment
 * to learn what it has mapped, by which it walks up stacks; programs that it starts in turn do not wait.
 */
static __attribute__((constructor)) void begin(void)
{
	static const struct timespec moment = { .tv_nsec = 15000000 };
	const char *word = getenv("SONDE_ALLOC_RATE");
	uint64_t bytes = 0;

	if (sonde_alloc_begin_semaphore)
		fire_begin();
	if (getenv("SONDE_ALLOC_WAIT")) {
		unsetenv("SONDE_ALLOC_WAIT");
		/* Twice: the first may have found the tracer at reading what there was before. */
		for (int i = 0; i < 2 && sonde_alloc_begin_semaphore; i++) {
			nanosleep(&moment, NULL);
			if (!i)
				fire_begin();
		}
	}

	for (; word && *word >= '0' && *word <= '9' && bytes < SHIM_RATE_MAX; word++)
		bytes = bytes * 10 + (uint64_t)(*word - '0');
	if (!bytes)
		return;
	base_rate = rate = bytes < SHIM_RATE_MAX ? bytes : SHIM_RATE_MAX;
	self.rate = 0; /* what was drawn before was drawn at the default */
	self.left = 0;
}
