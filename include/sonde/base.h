/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base.h - fixed-width types and the few macros every shared header needs.
 *
 * Everything below include/sonde/ compiles unchanged for the kernel (clang,
 * BPF target, types from vmlinux.h) and for user space (libc types). No libc
 * call, no BPF helper, no map: pure functions and plain data only.
 */
#ifndef SONDE_BASE_H
#define SONDE_BASE_H

#ifdef __bpf__
#ifndef __VMLINUX_H__
#error "BPF code includes vmlinux.h first"
#endif
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int32_t s32;
typedef int64_t s64;
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* Pure functions shared by both worlds: one copy inlined into each caller. */
#define SONDE_INLINE static __always_inline __attribute__((unused))

/* Verified as a subprogram of its own in the kernel, an ordinary function outside. */
#define SONDE_NOINLINE __attribute__((noinline, unused))

#define SONDE_LIKELY(x) __builtin_expect(!!(x), 1)
#define SONDE_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The compiler forgets what it knows about @x, so that a mask that the verifier needs (6.1 more than later ones) stays. */
#define SONDE_OPAQUE(x) asm volatile("" : "+r"(x))

/* Sizes that kernel and user space agree on (bytes). Powers of two: the
 * verifier accepts an index masked with SIZE - 1 without a branch.
 */
#define SONDE_WIN_BYTES 8192u /* window of a stream held in scratch while it is parsed */
#define SONDE_TEXT_BYTES 4096u /* longest normalised statement text */
#define SONDE_SLOTS 4u /* scratch slots per CPU: 0 tracepoints, 1..3 uprobes (preemptible) */
#define SONDE_COMM_BYTES 16u /* TASK_COMM_LEN of the kernel */
#define SONDE_NAME_BYTES 64u /* database and user names (PostgreSQL NAMEDATALEN, MySQL 64) */

/* FNV-1a, 64 bits (Fowler/Noll/Vo): offset basis and prime. */
#define SONDE_FNV_BASIS 0xcbf29ce484222325ULL
#define SONDE_FNV_PRIME 0x100000001b3ULL

/** sonde_fnv_byte - one FNV-1a step: returns @hash with byte @c mixed in. */
SONDE_INLINE u64 sonde_fnv_byte(u64 hash, u8 c)
{
	return (hash ^ c) * SONDE_FNV_PRIME;
}

/** sonde_mix64 - spread a word over 64 bits (the finaliser of splitmix64). */
SONDE_INLINE u64 sonde_mix64(u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

SONDE_INLINE u32 sonde_min_u32(u32 a, u32 b)
{
	return a < b ? a : b;
}

/** sonde_be32 - big-endian 32-bit word of the four bytes at @p (network order). */
SONDE_INLINE u32 sonde_be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

/** sonde_be16 - big-endian 16-bit word of the two bytes at @p. */
SONDE_INLINE u32 sonde_be16(const u8 *p)
{
	return (u32)p[0] << 8 | p[1];
}

#endif /* SONDE_BASE_H */
