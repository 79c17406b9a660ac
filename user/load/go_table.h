/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * go_table.h - functions by name in the table that every Go program carries for its own tracebacks (.gopclntab), which
 * stays when the symbols are stripped. Only for user/load/go.c.
 */
#ifndef SONDE_LOAD_GO_TABLE_H
#define SONDE_LOAD_GO_TABLE_H

#include "load/elf.h"

#define GO_TABLE_MAX_NAMES 8

/**
 * go_table_find - find functions by name
 * @is_entry: whether the code at a place in the file can be the beginning of a function: the table's addresses count
 *	from a base that is not always known, and this tells the right one
 *
 * @symbol[i] belongs to @name[i]; those found have a size, which includes padding. Returns how many were found, -ENOENT if there is no
 * table, -EPROTO if it is none of the known versions or broken, or another -errno.
 */
int go_table_find(struct sonde_elf *elf, int fd, const char *const name[], size_t nr,
		  bool (*is_entry)(int fd, u64 offset), struct sonde_elf_symbol symbol[]);

#endif /* SONDE_LOAD_GO_TABLE_H */
