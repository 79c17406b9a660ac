/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * elf.h - what probing needs of an ELF file: where functions are, their code, the build id.
 *
 * The files belong to the traced processes: anything may stand in them.
 */
#ifndef SONDE_LOAD_ELF_H
#define SONDE_LOAD_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sonde/base.h"

struct sonde_elf;

/**
 * struct sonde_elf_symbol - a function
 * @addr: virtual address as linked (0: not there)
 * @offset: place of its first byte in the file
 * @size: bytes, 0 if the file does not say
 */
struct sonde_elf_symbol {
	u64 addr;
	u64 offset;
	u64 size;
};

#define SONDE_ELF_BUILD_ID_SIZE 65 /* 32 bytes in hex, NUL-terminated */

/**
 * sonde_elf_open - look at the file behind @fd, which stays the caller's and must stay open
 *
 * Returns 0, -ENOEXEC if it is no 64-bit ELF file of this machine, or another -errno.
 */
int sonde_elf_open(int fd, struct sonde_elf **elf);

void sonde_elf_close(struct sonde_elf *elf);

/**
 * sonde_elf_symbols - find functions by name
 *
 * Looks into .dynsym, then into .symtab for what is still missing. @symbol[i] belongs to @name[i]. Returns how many were
 * found.
 */
size_t sonde_elf_symbols(struct sonde_elf *elf, const char *const name[], size_t nr, struct sonde_elf_symbol symbol[]);

/** sonde_elf_code - read up to @len bytes of a function's code; returns their number or -errno */
ssize_t sonde_elf_code(struct sonde_elf *elf, const struct sonde_elf_symbol *symbol, u8 *code, size_t len);

/** sonde_elf_build_id - the build id in hex; false if there is none */
bool sonde_elf_build_id(struct sonde_elf *elf, char id[SONDE_ELF_BUILD_ID_SIZE]);

/** sonde_elf_in_plt - whether @addr lies in a procedure linkage table */
bool sonde_elf_in_plt(struct sonde_elf *elf, u64 addr);

/** sonde_elf_has_symtab - whether the file has a full symbol table (is not stripped) */
bool sonde_elf_has_symtab(struct sonde_elf *elf);

#endif /* SONDE_LOAD_ELF_H */
