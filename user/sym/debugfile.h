/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * debugfile.h - the separate file with a program's debugging information. Only for user/sym.
 */
#ifndef SONDE_SYM_DEBUGFILE_H
#define SONDE_SYM_DEBUGFILE_H

#include <libelf.h>
#include <sys/types.h>

/**
 * sym_debugfile_open - the debug file of @elf, by build id or .gnu_debuglink
 * @pid: a process that has it mapped, in whose file system is looked first (0: none)
 * @path: its name there
 *
 * The file found has the same build id, or the sum that the link asks for. Returns a descriptor or -1.
 */
int sym_debugfile_open(Elf *elf, pid_t pid, const char *path);

#endif /* SONDE_SYM_DEBUGFILE_H */
