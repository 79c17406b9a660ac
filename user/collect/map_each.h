/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * map_each.h - walks through a BPF hash map.
 */
#ifndef SONDE_COLLECT_MAP_EACH_H
#define SONDE_COLLECT_MAP_EACH_H

#include <stddef.h>

/**
 * sonde_map_each - hand every entry of map @fd to @fn with @ctx
 * @key_bytes, @value_bytes: sizes of the map's keys (64 at most) and values
 * @begin: called before the first entry, and again if the walk begins anew (may be NULL)
 *
 * In batches where the kernel has them. What is added meanwhile may or may not be met. Returns 0, the first error of @fn, or
 * -errno.
 */
int sonde_map_each(int fd, size_t key_bytes, size_t value_bytes, void *ctx, void (*begin)(void *ctx),
		   int (*fn)(void *ctx, const void *key, const void *value));

#endif /* SONDE_COLLECT_MAP_EACH_H */
