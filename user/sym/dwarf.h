/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dwarf.h - lines and inlined functions from DWARF, and where members of structures are. Only for user/sym and user/load/elf.c.
 */
#ifndef SONDE_SYM_DWARF_H
#define SONDE_SYM_DWARF_H

#include <libelf.h>

#include "sym/sym.h"

struct sym_dwarf;

#define SYM_PLACES_MAX 24 /* functions inlined into one another that are told apart */

/**
 * struct sym_place - a function at an address
 * @function: linkage name, or the name in the source (NULL: not known)
 * @file: NULL: not known
 * @lang: by the unit (SONDE_LANG_C: C, or another language)
 *
 * The strings live as long as what they were asked from.
 */
struct sym_place {
	const char *function;
	const char *file;
	u32 line;
	enum sonde_sym_lang lang;
};

#define SYM_DWARF_MAX (384ULL << 20) /* bytes that a tracer may take */

/**
 * sym_dwarf_open - the debugging information in @elf, which stays the caller's and must stay open
 *
 * Reads all of it into memory. Returns NULL if there is none, or if its sections take more than @most bytes (SYM_DWARF_MAX at most).
 */
struct sym_dwarf *sym_dwarf_open(Elf *elf, u64 most);

void sym_dwarf_close(struct sym_dwarf *dwarf);

/** sym_dwarf_bytes - memory that it takes, roughly */
size_t sym_dwarf_bytes(const struct sym_dwarf *dwarf);

/** sym_dwarf_find - the functions at @addr as linked, innermost first; returns their number, 0 if nothing is known */
size_t sym_dwarf_find(struct sym_dwarf *dwarf, u64 addr, struct sym_place place[SYM_PLACES_MAX]);

/** sym_dwarf_member - where in @structure, declared in the unit called @unit, its @member is; false if that is not told */
bool sym_dwarf_member(struct sym_dwarf *dwarf, const char *unit, const char *structure, const char *member, u64 *offset);

#endif /* SONDE_SYM_DWARF_H */
