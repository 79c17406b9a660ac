/* SPDX-License-Identifier: GPL-2.0-only */
/* unit.h - what every unit test begins with. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* Whether valgrind runs the tests (make check-valgrind): it has mappings, a root directory and system calls of its own. */
static inline __attribute__((unused)) bool unit_under_valgrind(void)
{
	const char *wrapper = getenv("SONDE_TEST_WRAPPER");

	return wrapper && strstr(wrapper, "valgrind");
}

#endif /* TESTS_UNIT_H */
