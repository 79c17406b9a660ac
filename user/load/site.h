/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * site.h - where in a function a uprobe is cheap, and what a getter function gets: decoding of machine code.
 *
 * A uprobe replaces an instruction. A few the kernel emulates (x86: push, one-byte nop, relative jmp, jcc and call);
 * all others it must execute out of line with a single step, which costs some ten times as much.
 */
#ifndef SONDE_LOAD_SITE_H
#define SONDE_LOAD_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

enum sonde_site_cost {
	SONDE_SITE_EMULATED, /* about 0.6 us for an entry probe, 1.1 us for entry and return */
	SONDE_SITE_STEPPED, /* one to two us on hardware, 11 us in virtual machines */
};

/* Argument registers, in the order of the calling convention (bit 0: first). */
#define SONDE_SITE_ARG(n) (1u << (n))

/**
 * struct sonde_site - an instruction to probe
 * @skip: bytes from the function's beginning
 * @cost: what a hit costs
 * @insn: the instruction, for people
 */
struct sonde_site {
	u32 skip;
	enum sonde_site_cost cost;
	char insn[64];
};

/**
 * sonde_site_entry - the first cheap instruction that every call passes with its arguments untouched
 * @code, @len: the function's machine code
 * @args: SONDE_SITE_ARG() bits of the arguments that the probe reads
 *
 * Without a cheap one it is the first instruction that can be probed at all. Returns 0, or -ENOEXEC if @code cannot be
 * decoded.
 */
int sonde_site_entry(const u8 *code, size_t len, u32 args, struct sonde_site *site);

/**
 * sonde_site_return - the same for a probe on the function's return
 *
 * Such a probe finds the return address on top of the stack: it must come before the first instruction that moves the
 * stack pointer has been executed.
 */
int sonde_site_return(const u8 *code, size_t len, u32 args, struct sonde_site *site);

/**
 * sonde_site_getter - which member of its first argument a function returns
 *
 * Understands functions that return `arg ? arg->member : NULL`, optimised or not. Returns the member's offset, or -ENOEXEC
 * for any other function.
 */
int sonde_site_getter(const u8 *code, size_t len);

/** sonde_site_jumps_to - whether the function only passes its call on, and where: offset from @code in @target */
bool sonde_site_jumps_to(const u8 *code, size_t len, s64 *target);

/** sonde_site_cost_name - "emulated", "single-stepped" */
const char *sonde_site_cost_name(enum sonde_site_cost cost);

/** sonde_site_cost_ns - what a hit is expected to cost: @ret with a probe on the return as well */
u32 sonde_site_cost_ns(enum sonde_site_cost cost, bool ret);

#endif /* SONDE_LOAD_SITE_H */
