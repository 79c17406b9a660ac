// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.c - libsonde-alloc: samples a program's allocations by bytes, and fires otel_memory's probes for those sampled.
 *
 * Preloaded or linked, it stands before the allocator: each call counts its bytes down in a thread-local counter and goes on to
 * the allocator by a tail call. Below zero the call takes the slow path: a new distance is drawn, and if a tracer listens
 * (it has raised the probe's semaphore) the allocation is sampled. Its address is remembered, so that its free is told too: a
 * byte for its page says whether one may be among them, and then one for the hash of an address.
 *
 * No locks, so nothing is held across fork(); no memory is allocated here; nothing but the allocator, dlsym() and the clock is
 * called. What Python allocates in arenas of its own is python.c's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"
#include "python.h"
#include "sample.h"
#include "shim.h"

#define EXPORT __attribute__((visibility("default")))

#define SLOTS_LOG2 16
#define PROBES 16 /* slots looked at for an address */
#define STUCK 255 /* a byte of the filter that is counted no more */
#define WAIT_MS 3000 /* for a tracer that started the program, at most */
#define ASK_MS 50 /* how often it is asked meanwhile */

SHIM_SEMAPHORE(otel_memory_alloc_semaphore);
SHIM_SEMAPHORE(otel_memory_free_semaphore);
SHIM_SEMAPHORE(sonde_alloc_begin_semaphore);
SHIM_SEMAPHORE(sonde_alloc_ready_semaphore);

__thread struct shim_thread shim_self;

/*
 * Sampled addresses that have not been freed; how many there are in pages with the same bits, for each hash, and of all. A program frees in
 * few pages for a while, whose counts are at hand.
 */
static uintptr_t sampled[1 << SLOTS_LOG2];
static uint8_t pages[1 << 16];
static uint8_t filter[1 << 16];
static uint64_t watched;

static struct shim_rate rates = { SHIM_RATE, SHIM_RATE / SHIM_FINER };
static uint64_t rate = SHIM_RATE;
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
	if (shim_self.resolving) {
		errno = ENOMEM;
		return false;
	}
	shim_self.resolving = true;
	for (size_t i = 0; i < 7; i++) {
		found[i] = dlsym(RTLD_NEXT, name[i]);
		if (!found[i])
			abort(); /* no C library without them */
	}
	for (size_t i = 0; i < 7; i++)
		__atomic_store_n((void **)&next + i, found[i], __ATOMIC_RELAXED);
	shim_self.resolving = false;
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

static inline uint8_t *page_of(const void *ptr)
{
	return &pages[(uintptr_t)ptr >> 12 & 0xffff];
}

/* Whether one was sampled in the page of @ptr. */
static inline bool near(const void *ptr)
{
	return UNLIKELY(*page_of(ptr));
}

static inline uint8_t *filter_of(const void *ptr)
{
	return &filter[(uint32_t)((uintptr_t)ptr >> 4) * 2654435761u >> 16];
}

static inline uint32_t slot_of(const void *ptr)
{
	return (uint32_t)(((uintptr_t)ptr >> 4) * 0x9e3779b97f4a7c15ULL >> (64 - SLOTS_LOG2));
}

static void count_in(uint8_t *byte, int by)
{
	uint8_t was = __atomic_load_n(byte, __ATOMIC_RELAXED);

	while (was != STUCK && !__atomic_compare_exchange_n(byte, &was, (uint8_t)(was + by), true, __ATOMIC_RELAXED,
							    __ATOMIC_RELAXED))
		;
}

static void count_address(const void *ptr, int by)
{
	count_in(page_of(ptr), by);
	count_in(filter_of(ptr), by);
	__atomic_add_fetch(&watched, (uint64_t)by, __ATOMIC_RELAXED);
}

/* Before the address is handed out: nobody frees it yet. False: no room. */
static bool remember(void *ptr)
{
	for (uint32_t i = 0, at = slot_of(ptr); i < PROBES; i++, at++) {
		uintptr_t free = 0, *slot = &sampled[at & ((1u << SLOTS_LOG2) - 1)];

		if (__atomic_compare_exchange_n(slot, &free, (uintptr_t)ptr, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			count_address(ptr, 1);
			return true;
		}
	}
	return false;
}

/* Whether @ptr was sampled; it is forgotten. */
static bool forget(void *ptr)
{
	if (!*filter_of(ptr))
		return false;
	for (uint32_t i = 0, at = slot_of(ptr); i < PROBES; i++, at++) {
		uintptr_t *slot = &sampled[at & ((1u << SLOTS_LOG2) - 1)];

		if (__atomic_load_n(slot, __ATOMIC_RELAXED) == (uintptr_t)ptr) {
			__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
			count_address(ptr, -1);
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
	shim_self.random = shim_mix(shim_self.random + 0x9e3779b97f4a7c15ULL + ticks());
	shim_self.rate = __atomic_load_n(&rate, __ATOMIC_RELAXED);
	shim_self.left = shim_distance(shim_self.random, shim_self.rate);
}

/* After a sample: too many a second cost too much, few say too little; where many objects are watched no more are asked for. */
static void adapt(void)
{
	uint64_t nr = __atomic_add_fetch(&window_samples, 1, __ATOMIC_RELAXED);
	uint64_t begun = __atomic_load_n(&window_ns, __ATOMIC_RELAXED), now, old;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	old = __atomic_load_n(&rate, __ATOMIC_RELAXED);
	if (begun && now - begun < 1000000000ULL && nr <= shim_most(old, &rates))
		return;
	/* One of the threads that come here begins the next window. */
	if (!__atomic_compare_exchange_n(&window_ns, &begun, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&window_samples, 0, __ATOMIC_RELAXED);
	if (begun) /* the first sample of all only begins one */
		__atomic_store_n(&rate, shim_adapt(old, &rates, nr, now - begun, __atomic_load_n(&watched, __ATOMIC_RELAXED)),
				 __ATOMIC_RELAXED);
}

uint64_t shim_take(size_t size)
{
	uint64_t at = shim_self.rate;

	if (UNLIKELY(!at)) { /* the thread's first allocation: the count begins with it */
		shim_self.random = (uintptr_t)&shim_self;
		draw();
		shim_self.left -= (int64_t)size;
		if (shim_self.left >= 0)
			return 0;
		at = shim_self.rate;
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

/* Never executed: a tracer raises its semaphore to say that it knows what the process has mapped. */
static __attribute__((noinline, used)) void fire_ready(void)
{
	__asm__ volatile(SHIM_NOTE("sonde_alloc", "ready", "sonde_alloc_ready_semaphore", "") : : : "memory");
}

void *shim_sample(void *ptr, size_t size, uint64_t at)
{
	uint64_t weight = shim_weight(size, at);
	int saved = errno;
	void *watch;

	if (!ptr)
		return NULL;
	watch = remember(ptr) ? ptr : NULL;
	if (!shim_self.python || !shim_python_tell(watch, size, weight))
		fire_alloc(watch, size, weight);
	adapt();
	errno = saved;
	return ptr;
}

static SLOW void *slow_malloc(size_t size)
{
	uint64_t at = shim_take(size);

	return at ? shim_sample(next.malloc(size), size, at) : next.malloc(size);
}

static SLOW void *slow_calloc(size_t nr, size_t size)
{
	uint64_t at = shim_take(nr * size);

	return at ? shim_sample(next.calloc(nr, size), nr * size, at) : next.calloc(nr, size);
}

static SLOW void *slow_memalign(void *(*with)(size_t align, size_t size), size_t align, size_t size)
{
	uint64_t at = shim_take(size);

	return at ? shim_sample(with(align, size), size, at) : with(align, size);
}

static SLOW int slow_posix_memalign(void **out, size_t align, size_t size)
{
	uint64_t at = shim_take(size);
	int err = next.posix_memalign(out, align, size);

	if (!err && at)
		shim_sample(*out, size, at);
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
	uint64_t at = shim_self.left < 0 ? shim_take(size) : 0;

	if (ptr && forget(ptr))
		fire_free(ptr);
	return at && size ? shim_sample(next.realloc(ptr, size), size, at) : next.realloc(ptr, size);
}

/* ---- what programs call ---- */

EXPORT void *malloc(size_t size)
{
	if (shim_counts_down(size))
		return slow_malloc(size);
	return next.malloc(size);
}

EXPORT void free(void *ptr)
{
	if (near(ptr)) {
		slow_free(ptr);
		return;
	}
	next.free(ptr);
}

EXPORT void *calloc(size_t nr, size_t size)
{
	size_t all;

	if (!__builtin_mul_overflow(nr, size, &all) && shim_counts_down(all))
		return slow_calloc(nr, size);
	return next.calloc(nr, size);
}

EXPORT void *realloc(void *ptr, size_t size)
{
	if (shim_counts_down(size) || near(ptr))
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
	if (shim_counts_down(all) || near(ptr))
		return slow_realloc(ptr, all);
	return next.realloc(ptr, all);
}

EXPORT void *memalign(size_t align, size_t size)
{
	if (shim_counts_down(size))
		return slow_memalign(next.memalign, align, size);
	return next.memalign(align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	if (shim_counts_down(size))
		return slow_memalign(next.aligned_alloc, align, size);
	return next.aligned_alloc(align, size);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	if (shim_counts_down(size))
		return slow_posix_memalign(out, align, size);
	return next.posix_memalign(out, align, size);
}

static uint64_t number(const char *word, uint64_t most)
{
	uint64_t n = 0;

	for (; word && *word >= '0' && *word <= '9' && n < most; word++)
		n = n * 10 + (uint64_t)(*word - '0');
	return n < most ? n : most;
}

/*
 * The tracer that has started this program, process @tracer, learns what it has mapped, by which it walks up stacks and names them, however
 * long it takes to get a processor. Programs that this one starts in turn do not wait: nor do those of one that runs without this
 * library, and hands the variable on.
 */
static void wait_for_tracer(uint64_t tracer)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };

	unsetenv("SONDE_ALLOC_WAIT");
	if ((uint64_t)getppid() != tracer)
		return;
	for (int ms = 1; ms <= WAIT_MS && sonde_alloc_begin_semaphore && !sonde_alloc_ready_semaphore; ms++) {
		nanosleep(&moment, NULL);
		if (ms % ASK_MS == 0)
			fire_begin(); /* the first may not have got through */
	}
}

/*
 * SONDE_ALLOC_RATE: bytes between samples on average, and no fewer; without, as many as make few samples more. SONDE_ALLOC_WAIT: the
 * process number of the tracer to wait for. SONDE_ALLOC_PYTHON: python.h.
 */
static __attribute__((constructor)) void begin(void)
{
	const char *word = getenv("SONDE_ALLOC_WAIT");
	uint64_t bytes;

	if (sonde_alloc_begin_semaphore)
		fire_begin();
	if (word)
		wait_for_tracer(number(word, INT32_MAX));
	if (getenv("SONDE_ALLOC_PYTHON"))
		shim_python_begin();
	bytes = number(getenv("SONDE_ALLOC_RATE"), SHIM_RATE_MAX);
	if (!bytes)
		return;
	rate = bytes;
	rates = (struct shim_rate){ rate, rate };
	shim_self.rate = 0; /* what was drawn before was drawn at the default */
	shim_self.left = 0;
}
