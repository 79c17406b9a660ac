/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * procfile.h - small files and directories of numbers, as /proc has them.
 */
#ifndef SONDE_COLLECT_PROCFILE_H
#define SONDE_COLLECT_PROCFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

/** sonde_procfile_read - the whole of @path, at most @size - 1 bytes, NUL-terminated. False: there is nothing to read */
bool sonde_procfile_read(const char *path, char *text, size_t size);

/** sonde_procfile_each - call @fn with the number of each entry of directory @path that is one. 0, or what @fn returned beside it */
int sonde_procfile_each(const char *path, int (*fn)(void *ctx, u32 number), void *ctx);

#endif /* SONDE_COLLECT_PROCFILE_H */
