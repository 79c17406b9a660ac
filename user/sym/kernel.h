/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel.h - names of kernel functions by address.
 */
#ifndef SONDE_SYM_KERNEL_H
#define SONDE_SYM_KERNEL_H

#include "sonde/base.h"

struct sonde_kernel_syms;

/** sonde_kernel_syms_new - read /proc/kallsyms; NULL: no memory, or the kernel hides addresses */
struct sonde_kernel_syms *sonde_kernel_syms_new(void);

void sonde_kernel_syms_free(struct sonde_kernel_syms *syms);

/** sonde_kernel_syms_find - the function at @addr, NULL: not known. @module: of a loadable one, "" of the kernel itself */
const char *sonde_kernel_syms_find(const struct sonde_kernel_syms *syms, u64 addr, const char **module);

#endif /* SONDE_SYM_KERNEL_H */
