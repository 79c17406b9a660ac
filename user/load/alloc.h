/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc.h - which processes tell of their allocations by themselves.
 */
#ifndef SONDE_LOAD_ALLOC_H
#define SONDE_LOAD_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** sonde_alloc_carried - whether each of @pids, @nr > 0, carries the probes otel_memory:alloc and otel_memory:free */
bool sonde_alloc_carried(const pid_t *pids, size_t nr);

#endif /* SONDE_LOAD_ALLOC_H */
