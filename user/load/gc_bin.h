/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gc_bin.h - where a runtime's garbage collector can be probed in a file. Only for user/load.
 */
#ifndef SONDE_LOAD_GC_BIN_H
#define SONDE_LOAD_GC_BIN_H

#include <stdbool.h>
#include <stddef.h>

#include "load/uprobe.h"
#include "sonde/gc.h"

struct sonde_elf;

#define GC_BIN_SPOTS 16

/** struct gc_spots - instructions to probe with one program; @cookie: sonde/gc.h */
struct gc_spots {
	struct sonde_uprobe_spot spot[GC_BIN_SPOTS];
	size_t nr;
};

/**
 * struct gc_bin - a file with a runtime, or a program that maps one
 * @sight: SONDE_GC_SEEN if there is something to probe
 * @how: by what, for people: "USDT", "symbols", "function table"; "" if it is not seen
 * @hit: for program gc_hit; @ret: the same at the return of functions; @pool: for program gc_pool
 */
struct gc_bin {
	u32 runtime; /* enum sonde_gc_runtime */
	u32 sight; /* enum sonde_gc_sight */
	const char *how;
	struct gc_spots hit;
	struct gc_spots ret;
	struct gc_spots pool;
};

/**
 * gc_bin_find - look into the file behind @elf and @fd
 * @path: its name tells runtimes that cannot be probed
 * @add: keeps what a probe's program has to know; returns its index, or -errno
 *
 * False: it is no runtime that is known.
 */
bool gc_bin_find(struct sonde_elf *elf, int fd, const char *path, int (*add)(void *ctx, const struct sonde_gc_spec *spec), void *ctx,
		 struct gc_bin *bin);

#endif /* SONDE_LOAD_GC_BIN_H */
