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

/**
 * struct sonde_elf_range - a section or a loaded segment
 * @addr: virtual address as linked
 * @offset, @size: the bytes in the file
 */
struct sonde_elf_range {
	u64 addr;
	u64 offset;
	u64 size;
	bool exec;
	bool write;
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

/** sonde_elf_symbol_at - the code at address @addr as a function of unknown size; false if no executable segment holds it */
bool sonde_elf_symbol_at(struct sonde_elf *elf, u64 addr, struct sonde_elf_symbol *symbol);

/** sonde_elf_code - read up to @len bytes of a function's code; returns their number or -errno */
ssize_t sonde_elf_code(struct sonde_elf *elf, const struct sonde_elf_symbol *symbol, u8 *code, size_t len);

/** sonde_elf_build_id - the build id in hex; false if there is none */
bool sonde_elf_build_id(struct sonde_elf *elf, char id[SONDE_ELF_BUILD_ID_SIZE]);

/** sonde_elf_has_note - whether the file has a note of @type by @owner */
bool sonde_elf_has_note(struct sonde_elf *elf, const char *owner, u32 type);

/** sonde_elf_in_plt - whether @addr lies in a procedure linkage table */
bool sonde_elf_in_plt(struct sonde_elf *elf, u64 addr);

/** sonde_elf_has_symtab - whether the file has a full symbol table (is not stripped) */
bool sonde_elf_has_symtab(struct sonde_elf *elf);

/** sonde_elf_section - the section called @name, if it has bytes in the file */
bool sonde_elf_section(struct sonde_elf *elf, const char *name, struct sonde_elf_range *range);

/** sonde_elf_segment - program header number @nr; 1 if it is loaded from the file, 0 if not, -1 if there is none */
int sonde_elf_segment(struct sonde_elf *elf, size_t nr, struct sonde_elf_range *range);

/** sonde_elf_offset - where in the file the @len bytes at address @addr come from; false if they do not */
bool sonde_elf_offset(struct sonde_elf *elf, u64 addr, u64 len, u64 *offset);

/**
 * sonde_elf_pointer - the pointer at address @addr, as linked
 *
 * In a position independent file the bytes may be zero and the value stand in a relocation (R_*_RELATIVE).
 */
bool sonde_elf_pointer(struct sonde_elf *elf, u64 addr, u64 *value);

/** sonde_elf_pointer_to - address of the first pointer to @value that is 8-byte aligned in a writable segment; 0: none */
u64 sonde_elf_pointer_to(struct sonde_elf *elf, u64 value);

/**
 * sonde_elf_member - where in @structure, declared in the unit called @unit, its @member is: bytes from its beginning, by the file's own
 *		      debugging information
 *
 * All of that is read. False if it does not tell, or would take more memory than SONDE_ELF_DEBUG_MAX.
 */
bool sonde_elf_member(struct sonde_elf *elf, const char *unit, const char *structure, const char *member, u64 *offset);

#define SONDE_ELF_DEBUG_MAX (64ULL << 20)

#endif /* SONDE_LOAD_ELF_H */
