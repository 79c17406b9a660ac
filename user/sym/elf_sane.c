// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf_sane.c - whether an ELF file can be read at a reasonable price.
 */
#include <gelf.h>
#include <stdint.h>
#include <unistd.h>

#include "sonde/base.h"
#include "sym/elf_sane.h"

#define MAX_SEGMENTS 4096
#define MAX_NOTES 64 /* segments of notes */
#define MAX_SECTIONS 65536
#define MAX_SYMBOL_TABLES 8
#define MAX_RELOCATION_TABLES 64
#define MAX_TABLE_BYTES (512u << 20)

static bool segments(Elf *elf)
{
	size_t nr, notes = 0;
	GElf_Phdr seg;

	if (elf_getphdrnum(elf, &nr) || nr > MAX_SEGMENTS)
		return false;
	for (size_t i = 0; i < nr && gelf_getphdr(elf, i, &seg); i++)
		notes += seg.p_type == PT_NOTE;
	return notes <= MAX_NOTES;
}

static bool ends_with_nul(int fd, const GElf_Shdr *head)
{
	u64 end = head->sh_offset + head->sh_size;
	char last;

	return !head->sh_size || (end >= head->sh_size && end <= INT64_MAX && pread(fd, &last, 1, end - 1) == 1 && !last);
}

/* libdwfl takes any section for the names of symbols, and looks for no end of them. */
static bool has_names(Elf *elf, int fd, const GElf_Shdr *symbols)
{
	Elf_Scn *section = elf_getscn(elf, symbols->sh_link);
	GElf_Shdr head;

	return section && gelf_getshdr(section, &head) && head.sh_type == SHT_STRTAB && ends_with_nul(fd, &head);
}

static bool sections(Elf *elf, int fd)
{
	size_t nr, symbols = 0, relocations = 0;
	Elf_Scn *section = NULL;
	GElf_Shdr head;

	if (elf_getshdrnum(elf, &nr) || nr > MAX_SECTIONS)
		return false;
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &head))
			continue;
		switch (head.sh_type) {
		case SHT_STRTAB:
			if (!ends_with_nul(fd, &head))
				return false;
			break;
		case SHT_SYMTAB:
		case SHT_DYNSYM:
			symbols++;
			if (!has_names(elf, fd, &head))
				return false;
			break;
		case SHT_RELA:
			relocations += !!(head.sh_flags & SHF_ALLOC);
			break;
		default:
			continue;
		}
		if (head.sh_size > MAX_TABLE_BYTES)
			return false;
	}
	return symbols <= MAX_SYMBOL_TABLES && relocations <= MAX_RELOCATION_TABLES;
}

bool sym_elf_sane(Elf *elf, int fd)
{
	return segments(elf) && sections(elf, fd);
}
