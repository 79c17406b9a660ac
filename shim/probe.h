/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe.h - the two probes of OpenTelemetry's memory profiling contract: otel_memory:alloc(ptr, size, weighted_bytes) and
 *	     otel_memory:free(ptr). And some of our own: sonde_alloc:begin(): a process has mapped its libraries; sonde_alloc:ready(), whose
 *	     counter says that a tracer knows these; sonde_alloc:python() and name(): include/sonde/alloc_python.h.
 *
 * A probe is a one-byte nop and a note (.note.stapsdt, as SystemTap's <sys/sdt.h> lays it out) that says where it is, where its
 * arguments are, and which 16-bit counter a tracer raises while it listens. A kernel may replace a longer nop by a call
 * that writes below the stack pointer: one byte is never replaced so.
 */
#ifndef SONDE_SHIM_PROBE_H
#define SONDE_SHIM_PROBE_H

#include <stdint.h>

#define SHIM_SEMAPHORE(name)                                                                                           \
	__attribute__((section(".probes"), visibility("hidden"), used)) volatile uint16_t name

#define SHIM_NOTE(provider, name, semaphore, args)                                                                            \
	"990: nop\n"                                                                                                   \
	".pushsection .note.stapsdt, \"\", \"note\"\n"                                                                 \
	".balign 4\n"                                                                                                  \
	".4byte 992f - 991f, 994f - 993f, 3\n"                                                                         \
	"991: .asciz \"stapsdt\"\n"                                                                                    \
	"992: .balign 4\n"                                                                                             \
	"993: .8byte 990b\n"                                                                                           \
	".8byte _.stapsdt.base\n"                                                                                      \
	".8byte " semaphore "\n"                                                                                       \
	".asciz \"" provider "\"\n"                                                                                   \
	".asciz \"" name "\"\n"                                                                                        \
	".asciz \"" args "\"\n"                                                                                        \
	"994: .balign 4\n"                                                                                             \
	".popsection\n"                                                                                                \
	".ifndef _.stapsdt.base\n"                                                                                     \
	".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"                                    \
	".weak _.stapsdt.base\n"                                                                                       \
	".hidden _.stapsdt.base\n"                                                                                     \
	"_.stapsdt.base: .space 1\n"                                                                                   \
	".size _.stapsdt.base, 1\n"                                                                                    \
	".popsection\n"                                                                                                \
	".endif\n"

#if defined(__x86_64__)
#define SHIM_ARG(n, value) register uint64_t shim_arg##n __asm__(SHIM_REG##n) = (value)
#define SHIM_REG0 "rdi"
#define SHIM_REG1 "rsi"
#define SHIM_REG2 "rdx"
#define SHIM_ARGS1 "8@%%rdi"
#define SHIM_ARGS2 "8@%%rdi 8@%%rsi"
#define SHIM_ARGS3 "8@%%rdi 8@%%rsi 8@%%rdx"
#elif defined(__aarch64__)
#define SHIM_ARG(n, value) register uint64_t shim_arg##n __asm__(SHIM_REG##n) = (value)
#define SHIM_REG0 "x0"
#define SHIM_REG1 "x1"
#define SHIM_REG2 "x2"
#define SHIM_ARGS1 "8@x0"
#define SHIM_ARGS2 "8@x0 8@x1"
#define SHIM_ARGS3 "8@x0 8@x1 8@x2"
#else
#error "no probes for this architecture"
#endif

#endif /* SONDE_SHIM_PROBE_H */
