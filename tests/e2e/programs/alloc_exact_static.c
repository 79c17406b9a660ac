// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -static */
/*
 * alloc_exact_static.c - alloc_exact.c with the C library linked into the program.
 */
#include "alloc_exact.c"
