/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ehframe.h - .eh_frame of a program or library as a compact table. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_EHFRAME_H
#define SONDE_UNWIND_EHFRAME_H

#include <stddef.h>

#include "unwind/table.h"

/**
 * unwind_ehframe_table - a table of the @len bytes of .eh_frame that are linked to @addr
 *
 * Returns 0 (@out is to be freed with unwind_table_free()), -ENOENT if no function is described, -E2BIG if the program is
 * larger than a table can be, or -ENOMEM.
 */
int unwind_ehframe_table(const u8 *bytes, size_t len, u64 addr, struct unwind_table *out);

#endif /* SONDE_UNWIND_EHFRAME_H */
