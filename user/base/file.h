/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file.h - writing whole buffers.
 */
#ifndef SONDE_BASE_FILE_H
#define SONDE_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/** sonde_file_write_all - write all of @bytes to @fd; 0 or -errno */
int sonde_file_write_all(int fd, const char *bytes, size_t len);

/**
 * sonde_file_replace - make @path hold exactly @bytes, or leave it as it was
 *
 * A new file next to it (mode 0600) is written, synced and renamed over it. What exists and is no regular file
 * (a device, a pipe) is written to directly. Symbolic links are followed, but -EACCES is returned for a link, a pipe or a
 * device that another user left in a directory for all, such as /tmp. Returns 0 or -errno.
 */
int sonde_file_replace(const char *path, const char *bytes, size_t len);

/** sonde_file_may_replace - whether the calling thread's privileges suffice for sonde_file_replace(), as @path is now */
bool sonde_file_may_replace(const char *path);

/**
 * sonde_file_init - make sure that descriptors 0, 1 and 2 are taken
 *
 * A program started with one of them closed would get its number for the next file it opens, and print into that.
 * The stand-in refuses what the closed one would have refused.
 */
void sonde_file_init(void);

#endif /* SONDE_BASE_FILE_H */
