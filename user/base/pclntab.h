/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pclntab.h - Go's table of functions, .gopclntab: its header, and where functions begin and are described.
 *
 * Layouts as in Go's src/runtime/symtab.go (pcHeader, functab, _func) of the versions 1.16 to 1.26:
 *
 *	header		u32 magic, u8 0, 0, smallest instruction, size of a pointer; then words: functions, files, [text], and distances
 *			from the header to: function names, units, files, pc tables, function table
 *	function table	{ place of the function; distance from this table to its description } for each, then its end
 *	description	place of the function; then u32: distance from the names to its name, arguments, deferreturn, distance into the pc
 *			tables to how far the stack pointer goes, three other tables, unit, [first line]; u8: id, flags
 *
 * A place is a u64 address and a distance a u64, or from 1.18 on both are u32 and places count from the beginning of the text.
 */
#ifndef SONDE_BASE_PCLNTAB_H
#define SONDE_BASE_PCLNTAB_H

#include <stdbool.h>

#include "sonde/base.h"

/**
 * struct sonde_pclntab - a table in memory, its header read
 * @text: what places count from, 0 where they are addresses; @said: the header says it
 * @nr: functions
 * @names, @units, @tables, @functions: distances from the header; the last is within @size, with all its @nr entries and its end
 * @half: bytes of a place, and of a distance
 * @flags_at: in a description, behind the place
 */
struct sonde_pclntab {
	const u8 *bytes;
	u64 size;
	u64 text;
	u64 nr;
	u64 names, units, tables, functions;
	u32 half;
	u32 flags_at;
	bool said;
};

/**
 * sonde_pclntab_read - the table in @size bytes at @bytes, which @t refers to from now on; false: it is none that is known
 * @text: address of the beginning of the text, used where the header does not say it
 */
bool sonde_pclntab_read(struct sonde_pclntab *t, const u8 *bytes, u64 size, u64 text);

/** sonde_pclntab_place - address where function @i < @t->nr begins; that of @t->nr is where the last one ends */
u64 sonde_pclntab_place(const struct sonde_pclntab *t, u64 i);

/** sonde_pclntab_description - what follows the place in the description of function @i < @t->nr; NULL: there are no @bytes of it */
const u8 *sonde_pclntab_description(const struct sonde_pclntab *t, u64 i, u64 bytes);

#endif /* SONDE_BASE_PCLNTAB_H */
