/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * image.h - the parts of an ELF file, or of one in memory, that unwinding needs. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_IMAGE_H
#define SONDE_UNWIND_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"
#include "unwind/ehframe.h"

#define UNWIND_SEGMENTS 16 /* executable ones that are told apart */

/** struct unwind_segment - code: bytes of the file at @offset are linked to @addr */
struct unwind_segment {
	u64 offset;
	u64 addr;
	u64 bytes;
};

/** struct unwind_image - @segment: where code lies; @table: empty if there is neither .eh_frame nor Go's table */
struct unwind_image {
	struct unwind_segment segment[UNWIND_SEGMENTS];
	size_t nr;
	struct unwind_table table;
};

/**
 * unwind_image_read - read the 64-bit ELF file of this machine behind @fd
 *
 * Returns 0, -ENOEXEC if it is none, -ENOENT if it has no table, or another -errno; free @out in any case.
 */
int unwind_image_read(int fd, struct unwind_image *out);

/** unwind_image_memory - the same of one that lies in memory as it would in a file: the vDSO */
int unwind_image_memory(const void *bytes, size_t len, struct unwind_image *out);

void unwind_image_free(struct unwind_image *image);

/** unwind_image_addr - the address as linked of the byte at @offset in the file; false: no segment holds it */
bool unwind_image_addr(const struct unwind_image *image, u64 offset, u64 *addr);

#endif /* SONDE_UNWIND_IMAGE_H */
