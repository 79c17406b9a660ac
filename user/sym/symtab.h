/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * symtab.h - functions by address from an ELF file's symbols. Only for user/sym.
 */
#ifndef SONDE_SYM_SYMTAB_H
#define SONDE_SYM_SYMTAB_H

#include <libelf.h>

#include "sonde/base.h"

struct sym_symtab;

/**
 * sym_symtab_new - the functions that .symtab names, or .dynsym and .gnu_debugdata where it is missing
 *
 * @elf stays the caller's and must stay open. NULL: no memory.
 */
struct sym_symtab *sym_symtab_new(Elf *elf);

void sym_symtab_free(struct sym_symtab *table);

/** sym_symtab_bytes - memory that it takes, roughly */
size_t sym_symtab_bytes(const struct sym_symtab *table);

/** sym_symtab_whole - whether it comes from a .symtab */
bool sym_symtab_whole(const struct sym_symtab *table);

/** sym_symtab_find - name of the function at @addr as linked; NULL: none. Lives as long as the table */
const char *sym_symtab_find(const struct sym_symtab *table, u64 addr);

#endif /* SONDE_SYM_SYMTAB_H */
