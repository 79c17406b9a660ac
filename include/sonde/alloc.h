/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc.h - allocations: what the kernel side keeps of them by call site, and how it reads the arguments of probes.
 *
 * Sampled allocations stand for more than themselves: a sample of SIZE bytes that weighs WEIGHT bytes stands for
 * WEIGHT / SIZE objects. Objects are counted in 1024ths.
 */
#ifndef SONDE_ALLOC_H
#define SONDE_ALLOC_H

#include "base.h"
#include "key.h"

#define SONDE_ALLOC_OBJECT 1024u /* one object in counts of them */
#define SONDE_ALLOC_SIZES 40u /* buckets of sizes: [2^i, 2^(i+1)) bytes, the last without end */
#define SONDE_ALLOC_LIVES 36u /* buckets of lifetimes: [2^i, 2^(i+1)) us, the first from 0, the last without end */
#define SONDE_ALLOC_CHURN_NS 1000000ULL /* objects freed earlier are churn */
#define SONDE_ALLOC_SPECS 64u /* binaries whose probes are told apart */
#define SONDE_ALLOC_ARGS 8u /* of a probe; hotspot:mem__pool__gc__begin has as many */
#define SONDE_ALLOC_RATE_MAX (1u << 30)

/** enum sonde_alloc_arg_kind - where a probe's argument is */
enum sonde_alloc_arg_kind {
	SONDE_ALLOC_ARG_CONST,
	SONDE_ALLOC_ARG_REG,
	SONDE_ALLOC_ARG_MEMORY, /* register + value */
};

/** struct sonde_alloc_arg - one argument; @reg: offset in struct pt_regs; @size: bytes; @is_signed: extended by its sign */
struct sonde_alloc_arg {
	s64 value;
	u16 reg;
	u8 kind;
	u8 size;
	u8 is_signed;
	u8 pad[3];
};

/** struct sonde_alloc_spec - the arguments of one probe */
struct sonde_alloc_spec {
	struct sonde_alloc_arg arg[SONDE_ALLOC_ARGS];
};

/** struct sonde_alloc_key - a call site of a process; @epoch: programs it had executed before; @hash: of the stack */
struct sonde_alloc_key {
	struct sonde_proc proc;
	u64 hash;
	u32 epoch;
	u32 pad;
};

/**
 * struct sonde_alloc_stat - what was allocated at a call site; sums of weights
 * @samples, @freed_samples: events behind them
 * @alloc_var: variance of @alloc_bytes as an estimate, in units of 2^16 bytes^2; @live_var: that of what is not freed
 * @freed_objects, @freed_bytes: of what was allocated here
 * @churn_objects, @churn_bytes: of these, freed within SONDE_ALLOC_CHURN_NS
 * @size, @life: objects by size, by lifetime (those that were freed)
 */
struct sonde_alloc_stat {
	u64 samples;
	u64 freed_samples;
	u64 alloc_objects;
	u64 alloc_bytes;
	u64 freed_objects;
	u64 freed_bytes;
	u64 churn_objects;
	u64 churn_bytes;
	u64 alloc_var;
	s64 live_var;
	u64 size[SONDE_ALLOC_SIZES];
	u64 life[SONDE_ALLOC_LIVES];
};

/** struct sonde_alloc_proc - a process; @live_bytes: not freed; @peak_bytes: most of it, at @peak_ns (CLOCK_MONOTONIC) */
struct sonde_alloc_proc {
	s64 live_bytes;
	s64 peak_bytes;
	u64 peak_ns;
	u32 epoch;
	u32 pad;
};

/** struct sonde_alloc_object - a sampled object that lives: key and value */
struct sonde_alloc_object {
	u64 ptr;
	u32 tgid;
	u32 epoch;
};

struct sonde_alloc_live {
	struct sonde_alloc_key site;
	u64 time_ns;
	u64 size;
	u64 bytes; /* that it stands for */
};

/** enum sonde_alloc_call - functions whose every call is watched, by what their arguments are; the cookie of their probes */
enum sonde_alloc_call {
	SONDE_ALLOC_CALL_SIZE, /* malloc(size) */
	SONDE_ALLOC_CALL_NEW, /* operator new(size): may throw */
	SONDE_ALLOC_CALL_ARRAY, /* calloc(nr, size) */
	SONDE_ALLOC_CALL_ALIGNED, /* memalign(align, size) */
	SONDE_ALLOC_CALL_POSIX, /* posix_memalign(out, align, size) */
	SONDE_ALLOC_CALL_REALLOC, /* realloc(ptr, size) */
	SONDE_ALLOC_CALL_REARRAY, /* reallocarray(ptr, nr, size) */
	SONDE_ALLOC_CALL_FREE, /* free(ptr) */
};

#define SONDE_ALLOC_CALL 0x0fu /* bits of the cookie: enum sonde_alloc_call */
#define SONDE_ALLOC_STEPPED 0x10u /* its site is single-stepped */

/*
 * An operator new of this many bytes or more is not watched: a function whose return is probed cannot throw an exception, and
 * for what is smaller it hardly ever does.
 */
#define SONDE_ALLOC_NEW_MAX (1ULL << 30)

/** enum sonde_alloc_phase - what probes of calls do */
enum sonde_alloc_phase {
	SONDE_ALLOC_OFF,
	SONDE_ALLOC_CALIBRATE, /* everything, but for the stack */
	SONDE_ALLOC_MEASURE, /* count, and take the stack to see how long that takes */
	SONDE_ALLOC_TRACE, /* everything, while sonde is active */
};

/**
 * struct sonde_alloc_gauge - hits of probes and the time of programs, on one processor; counters only grow
 * @calls, @frees: of functions that allocate, that free; [1]: at sites that are single-stepped
 * @inner: those made by another one, which is the one that counts
 * @timed, @timed_ns: calls whose programs were timed, entry and return together
 * @free_timed, @free_timed_ns: the same of frees
 * @walked, @walk_ns: stacks (SONDE_ALLOC_MEASURE)
 */
struct sonde_alloc_gauge {
	u64 calls[2];
	u64 frees[2];
	u64 inner[2];
	u64 timed;
	u64 timed_ns;
	u64 free_timed;
	u64 free_timed_ns;
	u64 walked;
	u64 walk_ns;
};

/**
 * struct sonde_alloc_exact - a run that watches every call; costs are parts per million of one processor's time
 * @on: it is one
 * @stopped_ns: when it was ended because it cost more than @budget_ppm (CLOCK_MONOTONIC; 0: it was not)
 * @predicted_ppm: before it began; @cost_ppm: while it ran, until now; @last_ppm: in the last second or two
 * @calls, @frees: seen
 */
struct sonde_alloc_exact {
	u64 on;
	u64 stopped_ns;
	u64 budget_ppm;
	u64 predicted_ppm;
	u64 cost_ppm;
	u64 last_ppm;
	u64 calls;
	u64 frees;
};

/** sonde_alloc_log2 - position of the highest bit of @v, 0 for 0, @most at most */
static inline u32 sonde_alloc_log2(u64 v, u32 most)
{
	u32 n = 0;

	if (v >> 32) {
		v >>= 32;
		n += 32;
	}
	if (v >> 16) {
		v >>= 16;
		n += 16;
	}
	if (v >> 8) {
		v >>= 8;
		n += 8;
	}
	if (v >> 4) {
		v >>= 4;
		n += 4;
	}
	if (v >> 2) {
		v >>= 2;
		n += 2;
	}
	n += v >> 1 ? 1 : 0;
	return n < most ? n : most;
}

/** sonde_alloc_objects - 1024ths of objects that a sample of @size bytes stands for that weighs @bytes */
static inline u64 sonde_alloc_objects(u64 size, u64 bytes)
{
	return size && size != bytes ? bytes * SONDE_ALLOC_OBJECT / size : SONDE_ALLOC_OBJECT;
}

/** sonde_alloc_var - what a sample adds to the variance of a sum of weights: w (w - s), in units of 2^16 bytes^2 */
static inline u64 sonde_alloc_var(u64 size, u64 bytes)
{
	return bytes > size ? (bytes >> 8) * ((bytes - size) >> 8) : 0;
}

_Static_assert(sizeof(struct sonde_alloc_arg) == 16, "no holes");
_Static_assert(sizeof(struct sonde_alloc_key) == 24, "no holes");
_Static_assert(sizeof(struct sonde_alloc_stat) == 8 * (10 + SONDE_ALLOC_SIZES + SONDE_ALLOC_LIVES), "no holes");
_Static_assert(sizeof(struct sonde_alloc_proc) == 32, "no holes");
_Static_assert(sizeof(struct sonde_alloc_object) == 16, "no holes");
_Static_assert(sizeof(struct sonde_alloc_live) == 48, "no holes");
_Static_assert(sizeof(struct sonde_alloc_gauge) == 96, "no holes");

#endif /* SONDE_ALLOC_H */
