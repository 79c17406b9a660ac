/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table.h - rows for unwinding, sorted by address. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_TABLE_H
#define SONDE_UNWIND_TABLE_H

#include <stddef.h>

#include "sonde/unwind.h"

#define UNWIND_MAX_ROWS (1u << SONDE_UNWIND_ROWS_LOG2) /* there is no room for more */
#define UNWIND_MAX_SPAN 0xffffffffULL /* of a table: rows hold 32 bits of address */

/**
 * struct unwind_table - sorted rows
 * @base: address as linked that row->pc 0 stands for; @end: behind the last function
 * @room: rows that there is memory for
 * @nr_functions: that are described; @nr_bad: whose description makes no sense
 */
struct unwind_table {
	u64 base;
	u64 end;
	struct sonde_unwind_row *row;
	size_t room;
	u32 nr;
	u32 nr_functions;
	u32 nr_bad;
};

/**
 * unwind_table_add - from address @pc as linked on, which is not below the last one, @row holds; its own address is ignored
 *
 * Returns 0, -E2BIG if there is no room for more rows, or -ENOMEM.
 */
int unwind_table_add(struct unwind_table *table, u64 pc, const struct sonde_unwind_row *row);

/** unwind_table_add_gap - from @pc on there is no function. Returns as above */
int unwind_table_add_gap(struct unwind_table *table, u64 pc);

/**
 * unwind_table_cover - let @table be that of @over, too, which holds from its beginning to its end; @over is empty then
 *
 * Returns 0, or as above, or -E2BIG if they lie too far apart; @table is as it was then.
 */
int unwind_table_cover(struct unwind_table *table, struct unwind_table *over);

void unwind_table_free(struct unwind_table *table);

/** unwind_table_find - the row for address @pc as linked; NULL: outside of the table */
const struct sonde_unwind_row *unwind_table_find(const struct unwind_table *table, u64 pc);

#endif /* SONDE_UNWIND_TABLE_H */
