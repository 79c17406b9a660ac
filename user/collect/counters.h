/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * counters.h - what the kernel side counts (counter.def).
 */
#ifndef SONDE_COLLECT_COUNTERS_H
#define SONDE_COLLECT_COUNTERS_H

#include "sonde/key.h"

/**
 * sonde_counters_read - maps @counters and @seen (SONDE_MAP_*), the latter last, into @out; 0 or -errno
 *
 * A source that counts SONDE_CNT_SEEN itself has no map for it: @seen < 0.
 */
int sonde_counters_read(int counters, int seen, u64 out[SONDE_CNT_MAX]);

#endif /* SONDE_COLLECT_COUNTERS_H */
