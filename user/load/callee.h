/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * callee.h - which function a thin wrapper hands its arguments to: decoding of machine code.
 *
 * A public function that begins with an instruction which is dear to probe often only calls a local one that begins with
 * a cheap one (see site.h).
 */
#ifndef SONDE_LOAD_CALLEE_H
#define SONDE_LOAD_CALLEE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

#define SONDE_CALLEE_ARGS 6 /* argument registers of the calling convention */
#define SONDE_CALLEE_MAX 4 /* functions that one wrapper may choose from */
#define SONDE_CALLEE_NONE 0xff

/**
 * struct sonde_callee - a function that gets the wrapper's first argument as its first
 * @target: its address
 * @arg: where it gets the wrapper's argument number i (0..4): the number of its own, or SONDE_CALLEE_NONE
 * @stack: number of its first argument that is an address in the wrapper's frame, or SONDE_CALLEE_NONE
 */
struct sonde_callee {
	u64 target;
	u8 arg[5];
	u8 stack;
};

/**
 * sonde_callee_find - the functions called with the wrapper's first three arguments
 * @code, @len: the wrapper's machine code, @addr its address
 *
 * Follows both ways of conditional jumps, and a way as far as its first call. Returns how many were found (0: it does
 * something else, or this architecture's code is not understood).
 */
size_t sonde_callee_find(const u8 *code, size_t len, u64 addr, struct sonde_callee callee[SONDE_CALLEE_MAX]);

#endif /* SONDE_LOAD_CALLEE_H */
