/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gotab.h - functions by address in the table that Go programs carry for their tracebacks (.gopclntab). Only for user/sym.
 */
#ifndef SONDE_SYM_GOTAB_H
#define SONDE_SYM_GOTAB_H

#include <libelf.h>

#include "sonde/base.h"

struct sym_gotab;

/** sym_gotab_new - the table in section .gopclntab of @elf; NULL: there is none, or none of a known version */
struct sym_gotab *sym_gotab_new(Elf *elf);

void sym_gotab_free(struct sym_gotab *table);

/** sym_gotab_find - name of the function at @addr as linked; NULL: none. Lives as long as the ELF handle */
const char *sym_gotab_find(const struct sym_gotab *table, u64 addr);

/** sym_gotab_is_go - whether @elf is a Go program or holds Go code */
bool sym_gotab_is_go(Elf *elf);

#endif /* SONDE_SYM_GOTAB_H */
