/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * binary.h - the binaries whose rows are in the kernel's table. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_BINARY_H
#define SONDE_UNWIND_BINARY_H

#include "unwind/image.h"
#include "unwind/range.h"

/**
 * struct unwind_binary - a file that processes have mapped
 * @key: identity of the file
 * @refs: spaces that have it mapped
 * @image: its segments; the rows are not kept
 * @base, @end: addresses as linked that the rows are for
 * @first, @nr: its rows (0: it has none)
 */
struct unwind_binary {
	struct unwind_binary *next;
	u64 key;
	u32 refs;
	u32 first;
	u32 nr;
	u64 base, end;
	struct unwind_image image;
};

/** struct unwind_binaries - the last used first; @rows: the kernel's table */
struct unwind_binaries {
	struct unwind_binary *list;
	size_t nr;
	struct sonde_unwind_row *rows;
	struct unwind_ranges ranges;
	u64 full;
};

/** unwind_binary_file - the binary behind @fd, read if it is not known; NULL: it cannot be. A reference is taken */
struct unwind_binary *unwind_binary_file(struct unwind_binaries *all, int fd);

/** unwind_binary_vdso - the code that the kernel gives to each process; NULL: there is none */
struct unwind_binary *unwind_binary_vdso(struct unwind_binaries *all);

/** unwind_binary_put - give a reference back */
void unwind_binary_put(struct unwind_binary *binary);

void unwind_binaries_free(struct unwind_binaries *all);

#endif /* SONDE_UNWIND_BINARY_H */
