/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * perfmap.h - the text of a perf map (/tmp/perf-PID.map): "START SIZE NAME" lines, in hex, by which just-in-time
 * compilers name their code.
 */
#ifndef SONDE_SYM_PERFMAP_H
#define SONDE_SYM_PERFMAP_H

#include "sonde/base.h"

struct sym_perfmap;

/** sym_perfmap_new - an empty map; NULL: no memory */
struct sym_perfmap *sym_perfmap_new(void);

void sym_perfmap_free(struct sym_perfmap *map);

/**
 * sym_perfmap_feed - add the next piece of text
 *
 * A line may be spread over pieces; it counts once its newline is there. Lines that are none of the format are skipped,
 * as are lines longer than 4 KiB. Returns 0, -ENOSPC once the map is as large as one may be, or -ENOMEM.
 */
int sym_perfmap_feed(struct sym_perfmap *map, const char *text, size_t len);

/** sym_perfmap_find - name of the code at @addr: of the last line that covers it; NULL: none. Valid until the next feed */
const char *sym_perfmap_find(struct sym_perfmap *map, u64 addr);

#endif /* SONDE_SYM_PERFMAP_H */
