/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * syscall_name.h - names of system calls, of their errors, and what is known of their arguments.
 */
#ifndef SONDE_MODEL_SYSCALL_NAME_H
#define SONDE_MODEL_SYSCALL_NAME_H

#include "sonde/base.h"

/** sonde_syscall_name - name of number @nr on this architecture; NULL: newer than what sonde was built with */
const char *sonde_syscall_name(u32 nr);

/** sonde_syscall_number - the number of @name (@len bytes), or -1 */
int sonde_syscall_number(const char *name, size_t len);

/** sonde_syscall_what - bits of SONDE_SYSCALL_* (sonde/syscall.h) that follow from what is known of @nr */
u32 sonde_syscall_what(u32 nr);

/** sonde_syscall_args - a letter for each argument of @nr (model/syscall.def); NULL: not known */
const char *sonde_syscall_args(u32 nr);

/** sonde_errno_name - "ENOENT", the kernel's own ERESTARTSYS and the like included; NULL: not known */
const char *sonde_errno_name(u32 error);

#endif /* SONDE_MODEL_SYSCALL_NAME_H */
