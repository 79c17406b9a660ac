/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bytes.h - numbers that lie anywhere in memory, in this machine's byte order.
 */
#ifndef SONDE_BASE_BYTES_H
#define SONDE_BASE_BYTES_H

#include <string.h>

#include "sonde/base.h"

/** sonde_load32 - the four bytes at @p */
static inline u32 sonde_load32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/** sonde_load64 - the eight bytes at @p */
static inline u64 sonde_load64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif /* SONDE_BASE_BYTES_H */
