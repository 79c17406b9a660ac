// SPDX-License-Identifier: GPL-2.0-only
/*
 * gotab.c - functions by address in .gopclntab (base/pclntab.h).
 *
 * In position independent programs of 1.16 and 1.17 the addresses are relocated and not in the file: not read.
 */
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/pclntab.h"
#include "sym/gotab.h"

struct sym_gotab {
	struct sonde_pclntab of; /* in the section */
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

void sym_gotab_free(struct sym_gotab *table)
{
	free(table);
}

const char *sym_gotab_find(const struct sym_gotab *table, u64 addr)
{
	const struct sonde_pclntab *t = &table->of;
	u64 low = 0, high = t->nr, name, bytes = t->units - t->names;
	const u8 *p;

	while (low < high) {
		u64 middle = low + (high - low) / 2;

		if (sonde_pclntab_place(t, middle) <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || addr >= sonde_pclntab_place(t, t->nr))
		return NULL;
	p = sonde_pclntab_description(t, low - 1, 4);
	name = p ? sonde_load32(p) : bytes;
	if (name >= bytes)
		return NULL;
	p = t->bytes + t->names + name;
	return memchr(p, '\0', bytes - name) && *p ? (const char *)p : NULL;
}

/* Where the header does not say it, .text is the beginning unless another linker put code of C before. */
static bool begins_as_go(Elf *elf, const struct sym_gotab *table)
{
	const char *name;
	GElf_Ehdr header;

	if (!gelf_getehdr(elf, &header))
		return false;
	name = sym_gotab_find(table, header.e_entry);
	return name && !strncmp(name, "_rt0_", 5);
}

struct sym_gotab *sym_gotab_new(Elf *elf)
{
	GElf_Shdr head, text;
	Elf_Scn *section = find_table(elf, &head);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	bool has_text = find_section(elf, ".text", &text);
	struct sonde_pclntab *t;
	struct sym_gotab *table;

	if (!data || !data->d_buf)
		return NULL;
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	t = &table->of;
	if (sonde_pclntab_read(t, data->d_buf, data->d_size, has_text ? text.sh_addr : 0) && t->names < t->units &&
	    t->units <= t->functions && (t->half == 8 || t->said || begins_as_go(elf, table)))
		return table;
	free(table);
	return NULL;
}
