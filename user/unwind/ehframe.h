/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ehframe.h - .eh_frame of a program or library as a compact table. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_EHFRAME_H
#define SONDE_UNWIND_EHFRAME_H

#include <stddef.h>

#include "sonde/unwind.h"

/**
 * struct unwind_table - sorted rows
 * @base: address as linked that row->pc 0 stands for; @end: behind the last function
 * @nr_functions: that .eh_frame describes; @nr_bad: whose instructions make no sense
 */
struct unwind_table {
	u64 base;
	u64 end;
	struct sonde_unwind_row *row;
	u32 nr;
	u32 nr_functions;
	u32 nr_bad;
};

/**
 * unwind_ehframe_table - a table of the @len bytes of .eh_frame that are linked to @addr
 *
 * Returns 0 (@out is to be freed with unwind_table_free()), -ENOENT if no function is described, -E2BIG if the program is
 * larger than a table can be, or -ENOMEM.
 */
int unwind_ehframe_table(const u8 *bytes, size_t len, u64 addr, struct unwind_table *out);

void unwind_table_free(struct unwind_table *table);

/** unwind_table_find - the row for address @pc as linked; NULL: outside of the table */
const struct sonde_unwind_row *unwind_table_find(const struct unwind_table *table, u64 pc);

#endif /* SONDE_UNWIND_EHFRAME_H */
