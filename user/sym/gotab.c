// SPDX-License-Identifier: GPL-2.0-only
/*
 * gotab.c - functions by address in .gopclntab.
 *
 * Layouts as in Go's src/runtime/symtab.go, versions 1.16 to 1.26:
 *
 *	header		u32 magic, u8 0, 0, smallest instruction, size of a pointer; then words: functions, files, [text],
 *			and distances from the header to: function names, units, files, pc tables, function table
 *	function table	{ place of the function; distance from this table to its description } for each, then its end
 *	description	place of the function; i32 distance from the names to its name; ...
 *
 * A place is a u64 address and a distance a u64, or from 1.18 on both are u32 and places count from the beginning of the
 * text. In position independent programs of 1.16 and 1.17 the addresses are relocated and not in the file: not read.
 */
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sym/gotab.h"

#define MAX_FUNCTIONS 8000000

struct sym_gotab {
	const u8 *table; /* the section */
	u64 size;
	u64 text;
	bool guessed; /* the beginning of the text */
	u64 nr;
	u64 names, names_end; /* distances from the header */
	u64 functions;
	u32 half; /* bytes of a place, and of a distance */
};

static Elf_Scn *find_section(Elf *elf, const char *wanted, GElf_Shdr *head)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, head) ? elf_strptr(elf, names, head->sh_name) : NULL;

		if (name && !strcmp(name, wanted))
			return section;
	}
	return NULL;
}

static Elf_Scn *find_table(Elf *elf, GElf_Shdr *head)
{
	Elf_Scn *section = find_section(elf, ".gopclntab", head);

	return section ? section : find_section(elf, ".data.rel.ro.gopclntab", head);
}

bool sym_gotab_is_go(Elf *elf)
{
	GElf_Shdr head;

	return find_table(elf, &head) || find_section(elf, ".note.go.buildid", &head);
}

static bool read_header(struct sym_gotab *t)
{
	const u8 *h = t->table;
	u32 at;

	if (t->size < 72 || h[4] || h[5] || h[7] != 8)
		return false;
	switch (sonde_load32(h)) {
	case 0xfffffffa: /* 1.16 */
		t->half = 8;
		at = 24;
		break;
	case 0xfffffff0: /* 1.18 */
	case 0xfffffff1: /* 1.20 */
		t->half = 4;
		at = 32;
		t->guessed = !sonde_load64(h + 24);
		if (!t->guessed)
			t->text = sonde_load64(h + 24);
		break;
	default:
		return false;
	}
	t->nr = sonde_load64(h + 8);
	t->names = sonde_load64(h + at);
	t->names_end = sonde_load64(h + at + 8);
	t->functions = sonde_load64(h + at + 32);
	return t->nr && t->nr <= MAX_FUNCTIONS && t->names < t->names_end && t->names_end <= t->functions &&
	       t->functions < t->size && (t->nr * 2 + 1) * t->half <= t->size - t->functions;
}

void sym_gotab_free(struct sym_gotab *table)
{
	free(table);
}

static u64 place_of(const struct sym_gotab *t, u64 i)
{
	const u8 *p = t->table + t->functions + i * 2 * t->half;

	return t->half == 8 ? sonde_load64(p) : t->text + sonde_load32(p);
}

const char *sym_gotab_find(const struct sym_gotab *t, u64 addr)
{
	u64 low = 0, high = t->nr, description, name;
	const u8 *p;

	while (low < high) {
		u64 middle = low + (high - low) / 2;

		if (place_of(t, middle) <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || addr >= place_of(t, t->nr))
		return NULL;
	p = t->table + t->functions + (low - 1) * 2 * t->half;
	description = t->half == 8 ? sonde_load64(p + 8) : sonde_load32(p + 4);
	if (description > t->size - t->functions || t->size - t->functions - description < t->half + 4)
		return NULL;
	name = sonde_load32(t->table + t->functions + description + t->half);
	if (name >= t->names_end - t->names)
		return NULL;
	p = t->table + t->names + name;
	return memchr(p, '\0', t->names_end - t->names - name) && *p ? (const char *)p : NULL;
}

/* Where the header does not say it, .text is the beginning unless another linker put code of C before. */
static bool begins_as_go(Elf *elf, const struct sym_gotab *t)
{
	const char *name;
	GElf_Ehdr header;

	if (!gelf_getehdr(elf, &header))
		return false;
	name = sym_gotab_find(t, header.e_entry);
	return name && !strncmp(name, "_rt0_", 5);
}

struct sym_gotab *sym_gotab_new(Elf *elf)
{
	GElf_Shdr head, text;
	Elf_Scn *section = find_table(elf, &head);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	struct sym_gotab *t;

	if (!data || !data->d_buf)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->table = data->d_buf;
	t->size = data->d_size;
	if (find_section(elf, ".text", &text))
		t->text = text.sh_addr;
	if (read_header(t) && (!t->guessed || begins_as_go(elf, t)))
		return t;
	free(t);
	return NULL;
}
