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
#include "sym/dwarf.h"
#include "sym/elf_sane.h"

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#define RELATIVE R_AARCH64_RELATIVE
#else
#define MACHINE EM_X86_64
#define RELATIVE R_X86_64_RELATIVE
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
	    !gelf_getehdr(e->elf, &header) || header.e_machine != MACHINE || !sym_elf_sane(e->elf, fd) ||
	    elf_getphdrnum(e->elf, &e->nr_segments)) {
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

bool sonde_elf_symbol_at(struct sonde_elf *elf, u64 addr, struct sonde_elf_symbol *symbol)
{
	symbol->addr = addr;
	symbol->size = 0;
	return file_offset(elf, addr, &symbol->offset);
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

/* Description of the first note of @type by @owner; NULL if there is none. */
static const u8 *find_note(struct sonde_elf *elf, const char *owner, u32 type, size_t *len)
{
	size_t size = strlen(owner) + 1;
	GElf_Phdr seg;

	for (size_t i = 0; i < elf->nr_segments && gelf_getphdr(elf->elf, i, &seg); i++) {
		size_t at = 0, name, desc, next;
		Elf_Data *data;
		GElf_Nhdr note;

		if (seg.p_type != PT_NOTE || seg.p_filesz > 65536)
			continue;
		data = elf_getdata_rawchunk(elf->elf, seg.p_offset, seg.p_filesz,
					    seg.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		for (; data && (next = gelf_getnote(data, at, &note, &name, &desc)); at = next) {
			/* Go counts the padding */
			if (note.n_type != type || note.n_namesz < size || note.n_namesz > size + 3 ||
			    memcmp((const char *)data->d_buf + name, owner, size))
				continue;
			*len = note.n_descsz;
			return (const u8 *)data->d_buf + desc;
		}
	}
	return NULL;
}

bool sonde_elf_has_note(struct sonde_elf *elf, const char *owner, u32 type)
{
	size_t len;

	return find_note(elf, owner, type, &len);
}

bool sonde_elf_build_id(struct sonde_elf *elf, char id[SONDE_ELF_BUILD_ID_SIZE])
{
	size_t len;
	const u8 *bytes = find_note(elf, "GNU", NT_GNU_BUILD_ID, &len);

	id[0] = '\0';
	if (!bytes || !len || len > (SONDE_ELF_BUILD_ID_SIZE - 1) / 2)
		return false;
	for (size_t i = 0; i < len; i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return true;
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

bool sonde_elf_section(struct sonde_elf *elf, const char *name, struct sonde_elf_range *range)
{
	Elf_Scn *section = NULL;
	GElf_Shdr head;
	const char *s;

	while ((section = elf_nextscn(elf->elf, section))) {
		if (!gelf_getshdr(section, &head) || head.sh_type == SHT_NOBITS)
			continue;
		s = elf_strptr(elf->elf, elf->names, head.sh_name);
		if (!s || strcmp(s, name))
			continue;
		range->addr = head.sh_addr;
		range->offset = head.sh_offset;
		range->size = head.sh_size;
		range->exec = head.sh_flags & SHF_EXECINSTR;
		range->write = head.sh_flags & SHF_WRITE;
		return head.sh_offset + head.sh_size >= head.sh_offset;
	}
	return false;
}

int sonde_elf_segment(struct sonde_elf *elf, size_t nr, struct sonde_elf_range *range)
{
	GElf_Phdr seg;

	if (nr >= elf->nr_segments || !gelf_getphdr(elf->elf, nr, &seg))
		return -1;
	range->addr = seg.p_vaddr;
	range->offset = seg.p_offset;
	range->size = seg.p_filesz;
	range->exec = seg.p_flags & PF_X;
	range->write = seg.p_flags & PF_W;
	return seg.p_type == PT_LOAD && seg.p_offset + seg.p_filesz >= seg.p_offset;
}

bool sonde_elf_offset(struct sonde_elf *elf, u64 addr, u64 len, u64 *offset)
{
	struct sonde_elf_range r;
	int is;

	for (size_t i = 0; (is = sonde_elf_segment(elf, i, &r)) >= 0; i++) {
		if (!is || addr < r.addr || addr - r.addr >= r.size || len > r.size - (addr - r.addr))
			continue;
		*offset = r.offset + (addr - r.addr);
		return true;
	}
	return false;
}

/* The relocation that writes the pointer at @addr, or one that writes a pointer to @value (the other is 0). */
static bool find_relative(struct sonde_elf *elf, u64 addr, u64 value, GElf_Rela *found)
{
	Elf_Scn *section = NULL;
	GElf_Shdr head;

	while ((section = elf_nextscn(elf->elf, section))) {
		Elf_Data *data;
		size_t count;

		if (!gelf_getshdr(section, &head) || head.sh_type != SHT_RELA || !(head.sh_flags & SHF_ALLOC))
			continue;
		data = elf_getdata(section, NULL);
		count = data ? data->d_size / sizeof(Elf64_Rela) : 0;
		if (count > MAX_SYMBOLS)
			count = MAX_SYMBOLS;
		for (size_t i = 0; i < count && gelf_getrela(data, i, found); i++)
			if (GELF_R_TYPE(found->r_info) == RELATIVE &&
			    (addr ? found->r_offset == addr : (u64)found->r_addend == value))
				return true;
	}
	return false;
}

bool sonde_elf_pointer(struct sonde_elf *elf, u64 addr, u64 *value)
{
	GElf_Rela rela;
	u64 offset;

	if (find_relative(elf, addr, 0, &rela)) {
		*value = rela.r_addend;
		return true;
	}
	return sonde_elf_offset(elf, addr, sizeof(*value), &offset) && offset <= INT64_MAX &&
	       pread(elf->fd, value, sizeof(*value), offset) == sizeof(*value);
}

u64 sonde_elf_pointer_to(struct sonde_elf *elf, u64 value)
{
	struct sonde_elf_range r;
	GElf_Rela rela;
	u64 chunk[512];
	int is;

	if (find_relative(elf, 0, value, &rela))
		return rela.r_offset;
	for (size_t i = 0; (is = sonde_elf_segment(elf, i, &r)) >= 0; i++) {
		ssize_t got = 1;

		if (!is || !r.write || r.addr % 8)
			continue;
		for (u64 at = 0; at < r.size && got > 0; at += sizeof(chunk)) {
			if (r.offset + at > INT64_MAX)
				break;
			got = pread(elf->fd, chunk, sizeof(chunk), r.offset + at);
			for (ssize_t k = 0; k < got / 8 && at + 8 * k + 8 <= r.size; k++)
				if (chunk[k] == value)
					return r.addr + at + 8 * k;
		}
	}
	return 0;
}

bool sonde_elf_member(struct sonde_elf *elf, const char *unit, const char *structure, const char *member, u64 *offset)
{
	struct sym_dwarf *dwarf = sym_dwarf_open(elf->elf, SONDE_ELF_DEBUG_MAX);
	bool found = dwarf && sym_dwarf_member(dwarf, unit, structure, member, offset);

	sym_dwarf_close(dwarf);
	return found;
}
