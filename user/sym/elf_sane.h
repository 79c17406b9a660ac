/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * elf_sane.h - whether an ELF file can be read at a reasonable price. Files of traced processes may be made to cost.
 */
#ifndef SONDE_SYM_ELF_SANE_H
#define SONDE_SYM_ELF_SANE_H

#include <libelf.h>
#include <stdbool.h>

/**
 * sym_elf_sane - whether the headers of the file behind @fd promise no more tables than programs have, none too large, and each
 * table of strings ends with a NUL
 *
 * libelf reads a table as a whole when it is first needed, and looks for the end of a string from the end of its table: with many
 * symbols and no NUL at the end that takes hours.
 */
bool sym_elf_sane(Elf *elf, int fd);

#endif /* SONDE_SYM_ELF_SANE_H */
