/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usdt.h - statically defined probes of an ELF file: where they are, where their arguments are (.note.stapsdt).
 */
#ifndef SONDE_LOAD_USDT_H
#define SONDE_LOAD_USDT_H

#include <stdbool.h>

#include "sonde/alloc.h"

struct sonde_elf;

#define SONDE_USDT_MAX 64 /* places of one probe in a file */

/**
 * struct sonde_usdt - a place of a probe
 * @offset: of its instruction in the file; @semaphore: of its counter, 0: it has none
 * @nr_args: how many arguments it has (more than there is room for are left out)
 */
struct sonde_usdt {
	u64 offset;
	u64 semaphore;
	struct sonde_alloc_spec spec;
	u32 nr_args;
};

/**
 * sonde_usdt_find - the places of probe @provider:@name in the file behind @elf and @fd
 *
 * Only those on a one-byte nop (arm64: a nop): of others a kernel may make a call that writes below the stack pointer.
 * Places whose arguments are not understood are left out. Returns how many there are, SONDE_USDT_MAX at most.
 */
size_t sonde_usdt_find(struct sonde_elf *elf, int fd, const char *provider, const char *name,
		       struct sonde_usdt out[SONDE_USDT_MAX]);

/** sonde_usdt_args - parse "8@%rdi -4@8(%rsp) 8@$5"; the number of arguments, or -EINVAL */
int sonde_usdt_args(const char *text, struct sonde_alloc_spec *spec);

#endif /* SONDE_LOAD_USDT_H */
