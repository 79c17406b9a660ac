/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_python.h - what the preloaded library says of Python's allocations, and the kernel side reads out of its memory.
 *
 * sonde_alloc:python(struct sonde_alloc_python *) tells of a sample; its frames are no addresses but names: hashes of file, function and
 * line with SONDE_ALLOC_NAME above them, where no address of a program is. sonde_alloc:name(name, struct sonde_alloc_name *) says
 * what one reads, before the first sample that has it.
 */
#ifndef SONDE_ALLOC_PYTHON_H
#define SONDE_ALLOC_PYTHON_H

#include "base.h"

#define SONDE_ALLOC_NAME_SHIFT 48
#define SONDE_ALLOC_NAME 0x7079ULL /* "py" */
#define SONDE_ALLOC_PYTHON_FRAMES 64u

/** struct sonde_alloc_name - text of a frame; @file: its end if it is long */
struct sonde_alloc_name {
	char file[152];
	char function[96];
	u32 line;
	u32 pad;
};

/** struct sonde_alloc_python_head - a sample; @ptr 0: nobody will tell of its end; @nr: frames; @cut: there are more */
struct sonde_alloc_python_head {
	u64 ptr;
	u64 size;
	u64 weight;
	u32 nr;
	u32 cut;
};

/** struct sonde_alloc_python - @frame: innermost first */
struct sonde_alloc_python {
	struct sonde_alloc_python_head head;
	u64 frame[SONDE_ALLOC_PYTHON_FRAMES];
};

/** sonde_alloc_is_name - whether a frame is one of these */
SONDE_INLINE bool sonde_alloc_is_name(u64 frame)
{
	return frame >> SONDE_ALLOC_NAME_SHIFT == SONDE_ALLOC_NAME;
}

_Static_assert(sizeof(struct sonde_alloc_name) == 256, "no holes");
_Static_assert(sizeof(struct sonde_alloc_python) == 32 + 8 * SONDE_ALLOC_PYTHON_FRAMES, "no holes");

#endif /* SONDE_ALLOC_PYTHON_H */
