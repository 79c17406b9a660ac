// SPDX-License-Identifier: GPL-2.0-only
/*
 * symtab.c - functions by address from an ELF file's symbols.
 *
 * libdwfl collects the symbols, as it knows how to unpack .gnu_debugdata. It gets the file as it is: it must look for no
 * other one, in no directory and on no server.
 */
#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "sym/symtab.h"

#define MAX_SYMBOLS 4000000
#define MAX_UNSIZED_BYTES 65536 /* of a function that does not say its size */
#define MAX_NESTED 16

struct symbol {
	u64 addr;
	u64 size;
	const char *name;
	u32 rank; /* of several names for one address the one with the smallest is taken */
};

struct sym_symtab {
	Dwfl *dwfl;
	struct symbol *symbols;
	size_t nr;
	bool whole;
};

/* The handle that sym_symtab_new() left there: another reference to it, which libdwfl gives up with its module. */
static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, char **file_name, Elf **elfp)
{
	*elfp = elf_begin(-1, ELF_C_READ, *userdata);
	return -1;
}

static int find_no_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, const char *file,
			     const char *link, GElf_Word crc, char **found)
{
	return -1;
}

static const Dwfl_Callbacks callbacks = { .find_elf = find_elf, .find_debuginfo = find_no_debuginfo };

/* Where the file begins and ends in memory, if it is loaded as linked. */
static bool extent(Elf *elf, u64 *low, u64 *high)
{
	size_t nr;
	GElf_Phdr seg;

	if (elf_getphdrnum(elf, &nr))
		return false;
	*low = *high = 0;
	for (size_t i = 0; i < nr; i++) {
		if (!gelf_getphdr(elf, i, &seg) || seg.p_type != PT_LOAD)
			continue;
		if (!*high)
			*low = seg.p_align > 1 ? seg.p_vaddr & -seg.p_align : seg.p_vaddr;
		if (seg.p_vaddr + seg.p_memsz > *high && seg.p_vaddr + seg.p_memsz > seg.p_vaddr)
			*high = seg.p_vaddr + seg.p_memsz;
	}
	return *high > *low;
}

static bool in_code(Elf *elf, size_t nr_segments, u64 addr)
{
	GElf_Phdr seg;

	for (size_t i = 0; i < nr_segments; i++)
		if (gelf_getphdr(elf, i, &seg) && seg.p_type == PT_LOAD && (seg.p_flags & PF_X) &&
		    addr >= seg.p_vaddr && addr - seg.p_vaddr < seg.p_memsz)
			return true;
	return false;
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void collect(struct sym_symtab *t, Dwfl_Module *mod, Elf *elf, Dwarf_Addr bias)
{
	int nr = dwfl_module_getsymtab(mod);
	size_t nr_segments, kept = 0;

	if (nr > MAX_SYMBOLS)
		nr = MAX_SYMBOLS;
	if (nr <= 0 || elf_getphdrnum(elf, &nr_segments))
		return;
	t->symbols = malloc(nr * sizeof(*t->symbols));
	if (!t->symbols)
		return;
	for (int i = 1; i < nr; i++) {
		struct symbol *s = &t->symbols[t->nr];
		int type, bind;
		GElf_Sym sym;

		s->name = dwfl_module_getsym_info(mod, i, &sym, &s->addr, NULL, NULL, NULL);
		type = GELF_ST_TYPE(sym.st_info);
		bind = GELF_ST_BIND(sym.st_info);
		if (!s->name || !s->name[0] || s->name[0] == '$' || sym.st_shndx == SHN_UNDEF ||
		    sym.st_shndx == SHN_ABS || (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE))
			continue;
		s->addr -= bias;
		s->size = sym.st_size;
		s->rank = (type == STT_NOTYPE) * 4 + !sym.st_size * 2 + (bind == STB_LOCAL);
		if (in_code(elf, nr_segments, s->addr))
			t->nr++;
	}
	qsort(t->symbols, t->nr, sizeof(*t->symbols), by_addr);
	for (size_t i = 0; i < t->nr; i++)
		if (!i || t->symbols[i].addr != t->symbols[kept - 1].addr)
			t->symbols[kept++] = t->symbols[i];
	t->nr = kept;
}

static bool has_table(Elf *elf, u32 type)
{
	Elf_Scn *section = NULL;
	GElf_Shdr head;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &head) && head.sh_type == type)
			return true;
	return false;
}

struct sym_symtab *sym_symtab_new(Elf *elf)
{
	struct sym_symtab *t = calloc(1, sizeof(*t));
	Dwfl_Module *mod;
	void **userdata;
	Dwarf_Addr bias;
	u64 low, high;

	if (!t || !extent(elf, &low, &high))
		return t;
	t->whole = has_table(elf, SHT_SYMTAB);
	/* Without either libdwfl takes what the loader uses, and trusts its size. */
	if (!t->whole && !has_table(elf, SHT_DYNSYM))
		return t;
	t->dwfl = dwfl_begin(&callbacks);
	if (!t->dwfl)
		return t;
	dwfl_report_begin(t->dwfl);
	mod = dwfl_report_module(t->dwfl, "file", low, high);
	if (mod && dwfl_module_info(mod, &userdata, NULL, NULL, NULL, NULL, NULL, NULL)) {
		*userdata = elf;
		dwfl_report_end(t->dwfl, NULL, NULL);
		if (dwfl_module_getelf(mod, &bias))
			collect(t, mod, elf, bias);
	}
	return t;
}

void sym_symtab_free(struct sym_symtab *table)
{
	if (!table)
		return;
	if (table->dwfl)
		dwfl_end(table->dwfl);
	free(table->symbols);
	free(table);
}

size_t sym_symtab_bytes(const struct sym_symtab *table)
{
	return table ? table->nr * (sizeof(struct symbol) + 64) : 0;
}

bool sym_symtab_whole(const struct sym_symtab *table)
{
	return table && table->whole;
}

const char *sym_symtab_find(const struct sym_symtab *table, u64 addr)
{
	size_t low = 0, high = table->nr, nearest;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->symbols[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	nearest = low;
	for (size_t i = 0; low > 0 && i < MAX_NESTED; i++) {
		const struct symbol *s = &table->symbols[--low];

		if (s->size ? addr - s->addr < s->size : low + 1 == nearest && addr - s->addr < MAX_UNSIZED_BYTES)
			return s->name;
	}
	return NULL;
}
