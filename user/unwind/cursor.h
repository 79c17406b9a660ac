/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cursor.h - reads DWARF's numbers out of memory that may end anywhere. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_CURSOR_H
#define SONDE_UNWIND_CURSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

/**
 * struct unwind_cursor - bytes from @p to @end still to be read
 * @addr: where @p lies in the program as linked
 * @bad: something was read behind the end, sticky; zeros were returned
 */
struct unwind_cursor {
	const u8 *p;
	const u8 *end;
	u64 addr;
	bool bad;
};

/* DW_EH_PE_*: how an address is written (Linux Standard Base, "DWARF Exception Header Encoding") */
#define UNWIND_PE_OMIT 0xff
#define UNWIND_PE_FORMAT 0x0f
#define UNWIND_PE_PCREL 0x10
#define UNWIND_PE_DATAREL 0x30
#define UNWIND_PE_APPLICATION 0x70
#define UNWIND_PE_INDIRECT 0x80

static inline size_t unwind_left(const struct unwind_cursor *c)
{
	return (size_t)(c->end - c->p);
}

/** unwind_skip - @len bytes further on */
void unwind_skip(struct unwind_cursor *c, u64 len);

/** unwind_part - a cursor over the next @len bytes, and @c behind them */
struct unwind_cursor unwind_part(struct unwind_cursor *c, u64 len);

/** unwind_number - a little-endian number of @bytes (1, 2, 4, 8) bytes */
u64 unwind_number(struct unwind_cursor *c, unsigned int bytes);

u64 unwind_uleb(struct unwind_cursor *c);
s64 unwind_sleb(struct unwind_cursor *c);

/** unwind_pointer - an address by its @encoding, relative to itself or to @data */
u64 unwind_pointer(struct unwind_cursor *c, u8 encoding, u64 data);

#endif /* SONDE_UNWIND_CURSOR_H */
