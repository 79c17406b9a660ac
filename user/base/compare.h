/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compare.h - the order of numbers, as qsort() wants it told.
 */
#ifndef SONDE_BASE_COMPARE_H
#define SONDE_BASE_COMPARE_H

#include "sonde/base.h"

/** sonde_compare - below 0 if @a comes before @b, 0 if they are equal, above 0 if it comes behind */
static inline int sonde_compare(u64 a, u64 b)
{
	return (a > b) - (a < b);
}

#endif /* SONDE_BASE_COMPARE_H */
