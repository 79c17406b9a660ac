// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - rows for unwinding, sorted by address.
 */
#include <errno.h>
#include <stdlib.h>

#include "unwind/table.h"

int unwind_table_add(struct unwind_table *table, u64 pc, const struct sonde_unwind_row *row)
{
	struct sonde_unwind_row *last = table->nr ? &table->row[table->nr - 1] : NULL;
	u32 at = (u32)(pc - table->base);

	if (last && last->kind == row->kind && last->cfa == row->cfa && last->bp == row->bp)
		return 0;
	if (last && last->pc == at) {
		*last = *row;
		last->pc = at;
		return 0;
	}
	if (table->nr >= UNWIND_MAX_ROWS)
		return -E2BIG;
	if (!table->row || table->nr == table->room) {
		size_t room = table->room ? table->room * 2 : 4096;
		struct sonde_unwind_row *rows = realloc(table->row, room * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		table->row = rows;
		table->room = room;
	}
	table->row[table->nr] = *row;
	table->row[table->nr++].pc = at;
	return 0;
}

int unwind_table_add_gap(struct unwind_table *table, u64 pc)
{
	const struct sonde_unwind_row none = { .kind = SONDE_UNWIND_NONE };

	return unwind_table_add(table, pc, &none);
}

/* What @from says from address @first on and below @end. */
static int add_rows(struct unwind_table *to, const struct unwind_table *from, u64 first, u64 end)
{
	const struct sonde_unwind_row *before = first < end ? unwind_table_find(from, first) : NULL;
	int err = before ? unwind_table_add(to, first, before) : 0;

	for (u32 i = 0; i < from->nr && !err; i++) {
		u64 pc = from->base + from->row[i].pc;

		if (pc >= first && pc < end)
			err = unwind_table_add(to, pc, &from->row[i]);
	}
	return err;
}

int unwind_table_cover(struct unwind_table *table, struct unwind_table *over)
{
	struct unwind_table both = {
		.base = over->base < table->base ? over->base : table->base,
		.end = over->end > table->end ? over->end : table->end,
		.nr_functions = table->nr_functions + over->nr_functions,
		.nr_bad = table->nr_bad + over->nr_bad,
	};
	int err;

	if (!table->nr) {
		unwind_table_free(table);
		*table = *over;
		*over = (struct unwind_table){};
		return 0;
	}
	if (both.end - both.base > UNWIND_MAX_SPAN)
		return -E2BIG;
	err = add_rows(&both, table, table->base, over->base);
	if (!err)
		err = add_rows(&both, over, over->base, over->end);
	if (!err)
		err = unwind_table_add_gap(&both, over->end);
	if (!err)
		err = add_rows(&both, table, over->end, UINT64_MAX);
	unwind_table_free(err ? &both : table);
	if (err)
		return err;
	*table = both;
	unwind_table_free(over);
	return 0;
}

void unwind_table_free(struct unwind_table *table)
{
	free(table->row);
	*table = (struct unwind_table){};
}

const struct sonde_unwind_row *unwind_table_find(const struct unwind_table *table, u64 pc)
{
	u32 low = 0, high = table->nr;

	if (pc < table->base || pc >= table->end)
		return NULL;
	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (table->row[middle].pc <= pc - table->base)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &table->row[low - 1] : NULL;
}
