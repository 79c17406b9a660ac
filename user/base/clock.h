/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * clock.h - the clock that the kernel side takes its times from.
 */
#ifndef SONDE_BASE_CLOCK_H
#define SONDE_BASE_CLOCK_H

#include "sonde/base.h"

/** sonde_clock_ns - CLOCK_MONOTONIC of the machine in nanoseconds, also inside a time namespace, whose clock has an offset */
u64 sonde_clock_ns(void);

#endif /* SONDE_BASE_CLOCK_H */
