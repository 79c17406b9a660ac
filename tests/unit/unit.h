/* SPDX-License-Identifier: GPL-2.0-only */
/* unit.h - what every unit test begins with. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sonde/base.h"

/* A fixed sequence of numbers, so that a failure comes again (xorshift64*, Vigna 2016). */
static inline __attribute__((unused)) u64 unit_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif /* TESTS_UNIT_H */
