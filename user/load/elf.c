// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf.c - what probing needs of an ELF file.
 *
 * libelf reads with pread() (ELF_C_READ), never by mapping: a file that shrinks under a mapping would kill us.
 */
#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/elf.h"

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif

#define MAX_SYMBOLS 8000000 /* of one table; the largest browsers have two million */

struct sonde_elf {
	int fd;
	Elf *elf;
	size_t nr_segments;
	size_t names; /* section with the section names */
};

int sonde_elf_open(int fd, struct sonde_elf **elf)
{
	struct sonde_elf *e;
	GElf_Ehdr header;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOSYS;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->fd = fd;
	e->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!e->elf || elf_kind(e->elf) != ELF_K_ELF || gelf_getclass(e->elf) != ELFCLASS64 ||
	    !gelf_getehdr(e->elf, &header) || header.e_machine != MACHINE || elf_getphdrnum(e->elf, &e->nr_segments)) {
		sonde_elf_close(e);
		return -ENOEXEC;
	}
	if (elf_getshdrstrndx(e->elf, &e->names))
		e->names = 0;
	*elf = e;
	return 0;
}

void sonde_elf_close(struct sonde_elf *elf)
{
	if (!elf)
		return;
	elf_end(elf->elf);
	free(elf);
}

/* Where in the file address @addr comes from; false if no executable segment holds it. */
static bool file_offset(struct sonde_elf *elf, u64 addr, u64 *offset)
{
	GElf_Phdr seg;

	for (size_t i = 0; i < elf->nr_segments; i++) {
		if (!gelf_getphdr(elf->elf, i, &seg))
			return false;
		if (seg.p_type != PT_LOAD || !(seg.p_flags & PF_X) || addr < seg.p_vaddr ||
		    addr - seg.p_vaddr >= seg.p_filesz)
			continue;
		*offset = addr - seg.p_vaddr + seg.p_offset;
		return *offset >= seg.p_offset;
	}
	return false;
}

static size_t search(struct sonde_elf *elf, Elf_Scn *section, const GElf_Shdr *head, const char *const name[],
		     size_t nr, struct sonde_elf_symbol symbol[])
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t found = 0, count;
	const char *s;
	GElf_Sym sym;

	if (!data)
		return 0;
	count = data->d_size / sizeof(Elf64_Sym);
	if (count > MAX_SYMBOLS)
		count = MAX_SYMBOLS;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getsym(data, i, &sym))
			break;
		if (GELF_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF || !sym.st_value)
			continue;
		s = elf_strptr(elf->elf, head->sh_link, sym.st_name);
		if (!s)
			continue;
		for (size_t k = 0; k < nr; k++) {
			if (symbol[k].addr || strcmp(s, name[k]))
				continue;
			if (!file_offset(elf, sym.st_value, &symbol[k].offset))
				continue;
			symbol[k].addr = sym.st_value;
			symbol[k].size = sym.st_size;
			found++;
		}
		if (found == nr)
			break;
	}
	return found;
}

size_t sonde_elf_symbols(struct sonde_elf *elf, const char *const name[], size_t nr, struct sonde_elf_symbol symbol[])
{
	static const u32 tables[] = { SHT_DYNSYM, SHT_SYMTAB };
	size_t found = 0;
	GElf_Shdr head;

	memset(symbol, 0, nr * sizeof(*symbol));
	for (size_t t = 0; t < 2 && found < nr; t++) {
		Elf_Scn *section = NULL;

		while ((section = elf_nextscn(elf->elf, section)) && found < nr)
			if (gelf_getshdr(section, &head) && head.sh_type == tables[t])
				found += search(elf, section, &head, name, nr, symbol);
	}
	return found;
}

bool sonde_elf_has_symtab(struct sonde_elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr head;

	while ((section = elf_nextscn(elf->elf, section)))
		if (gelf_getshdr(section, &head) && head.sh_type == SHT_SYMTAB)
			return true;
	return false;
}

ssize_t sonde_elf_code(struct sonde_elf *elf, const struct sonde_elf_symbol *symbol, u8 *code, size_t len)
{
	ssize_t got;

	if (symbol->size && symbol->size < len)
		len = symbol->size;
	if (symbol->offset > INT64_MAX)
		return -EINVAL;
	got = pread(elf->fd, code, len, symbol->offset);
	return got < 0 ? -errno : got;
}

static bool hex_id(Elf_Data *data, char id[SONDE_ELF_BUILD_ID_SIZE])
{
	size_t at = 0, name, desc, next;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, at, &note, &name, &desc))) {
		const u8 *bytes = (const u8 *)data->d_buf + desc;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz &&
		    note.n_descsz <= (SONDE_ELF_BUILD_ID_SIZE - 1) / 2 &&
		    !memcmp((const char *)data->d_buf + name, "GNU", 4)) {
			for (size_t i = 0; i < note.n_descsz; i++)
				snprintf(id + 2 * i, 3, "%02x", bytes[i]);
			return true;
		}
		at = next;
	}
	return false;
}

bool sonde_elf_build_id(struct sonde_elf *elf, char id[SONDE_ELF_BUILD_ID_SIZE])
{
	GElf_Phdr seg;

	id[0] = '\0';
	for (size_t i = 0; i < elf->nr_segments; i++) {
		if (!gelf_getphdr(elf->elf, i, &seg))
			return false;
		if (seg.p_type == PT_NOTE && seg.p_filesz <= 65536 &&
		    hex_id(elf_getdata_rawchunk(elf->elf, seg.p_offset, seg.p_filesz,
						seg.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR),
			   id))
			return true;
	}
	return false;
}

bool sonde_elf_in_plt(struct sonde_elf *elf, u64 addr)
{
	Elf_Scn *section = NULL;
	const char *name;
	GElf_Shdr head;

	while ((section = elf_nextscn(elf->elf, section))) {
		if (!gelf_getshdr(section, &head) || addr < head.sh_addr || addr - head.sh_addr >= head.sh_size)
			continue;
		name = elf_strptr(elf->elf, elf->names, head.sh_name);
		if (name && !strncmp(name, ".plt", 4))
			return true;
	}
	return false;
}
