/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * module.h - a mapped file: its segments, symbols and debugging information, read when first needed. Only for user/sym.
 */
#ifndef SONDE_SYM_MODULE_H
#define SONDE_SYM_MODULE_H

#include <sys/types.h>

#include "sym/dwarf.h"

struct sym_module;

/**
 * sym_module_new - a module for the file behind @fd, which it takes over
 *
 * Nothing is read yet. NULL: no memory (@fd is closed).
 */
struct sym_module *sym_module_new(int fd);

void sym_module_free(struct sym_module *module);

/** sym_module_changed - whether the file was written to since: what was read of it means nothing any more */
bool sym_module_changed(const struct sym_module *module);

/** sym_module_bytes - memory that it takes, roughly */
size_t sym_module_bytes(const struct sym_module *module);

/**
 * sym_module_addr - the address as linked of the byte at @offset in the file
 * @pid, @path: a process that has it mapped and the name there: where a separate debug file may lie (@pid 0: it is gone)
 *
 * Reads the file if that was not done. Returns false if it is no ELF file or no segment holds the byte.
 */
bool sym_module_addr(struct sym_module *module, u64 offset, pid_t pid, const char *path, u64 *addr);

/**
 * sym_module_find - the functions at an address that sym_module_addr() returned, innermost first
 *
 * Returns at least 1; the function may be NULL.
 */
size_t sym_module_find(struct sym_module *module, u64 addr, struct sym_place place[SYM_PLACES_MAX]);

#endif /* SONDE_SYM_MODULE_H */
