// SPDX-License-Identifier: GPL-2.0-only
/*
 * dwarf.c - lines and inlined functions from DWARF.
 *
 * An index of the units' addresses is made here: .debug_aranges is missing in what clang, rustc and newer Go compile. The
 * trees of functions are walked here, too, with bounds, as the files may be broken on purpose.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "sym/dwarf.h"

#define MAX_BYTES SYM_DWARF_MAX
#define MAX_RANGES 4000000
#define MAX_DEPTH 64
#define MAX_VISITS 2000000

struct range {
	u64 low, high;
	u64 unit; /* offset of its DIE */
};

struct sym_dwarf {
	Dwarf *dw;
	size_t bytes;
	struct range *ranges;
	size_t nr, cap;
	bool indexed;
};

struct walk {
	u64 addr;
	size_t visits;
	Dwarf_Die chain[SYM_PLACES_MAX]; /* outermost first */
	size_t nr;
};

/* Bytes of the debugging sections once they are uncompressed. */
static u64 debug_bytes(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr head;
	GElf_Chdr compressed;
	size_t names;
	u64 sum = 0;

	if (elf_getshdrstrndx(elf, &names))
		return 0;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, &head) ? elf_strptr(elf, names, head.sh_name) : NULL;
		u64 size;

		if (!name || head.sh_type == SHT_NOBITS)
			continue;
		if (strncmp(name, ".debug_", 7) && strncmp(name, ".zdebug_", 8))
			continue;
		size = head.sh_size;
		if (head.sh_flags & SHF_COMPRESSED) {
			if (!gelf_getchdr(section, &compressed))
				return MAX_BYTES + 1;
			size = compressed.ch_size;
		} else if (name[1] == 'z') {
			Elf_Data *data = elf_rawdata(section, NULL);
			const u8 *p = data ? data->d_buf : NULL;

			if (!p || data->d_size < 12)
				return MAX_BYTES + 1;
			size = (u64)sonde_be32(p + 4) << 32 | sonde_be32(p + 8);
		}
		if (size > MAX_BYTES || sum + size > MAX_BYTES)
			return MAX_BYTES + 1;
		sum += size;
	}
	return sum;
}

/*
 * Whether the last text of each section of texts has an end: libdw reads the names of files and directories up to a zero byte, also
 * behind the section. To be asked when libdw has uncompressed them.
 */
static bool texts_end(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr head;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, &head) ? elf_strptr(elf, names, head.sh_name) : NULL;
		const Elf_Data *data;

		if (!name || head.sh_type == SHT_NOBITS || !strstr(name, "debug_") || strlen(name) < 4 ||
		    strcmp(name + strlen(name) - 4, "_str"))
			continue;
		data = elf_getdata(section, NULL);
		if (!data || (data->d_size && (!data->d_buf || ((const char *)data->d_buf)[data->d_size - 1])))
			return false;
	}
	return true;
}

struct sym_dwarf *sym_dwarf_open(Elf *elf, u64 most)
{
	u64 bytes = debug_bytes(elf);
	struct sym_dwarf *d;

	if (!bytes || bytes > most)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->bytes = bytes;
	d->dw = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (d->dw && texts_end(elf))
		return d;
	dwarf_end(d->dw);
	free(d);
	return NULL;
}

void sym_dwarf_close(struct sym_dwarf *dwarf)
{
	if (!dwarf)
		return;
	dwarf_end(dwarf->dw);
	free(dwarf->ranges);
	free(dwarf);
}

size_t sym_dwarf_bytes(const struct sym_dwarf *dwarf)
{
	return dwarf ? dwarf->bytes + dwarf->cap * sizeof(*dwarf->ranges) : 0;
}

static int by_low(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static bool add_range(struct sym_dwarf *d, u64 low, u64 high, u64 unit)
{
	if (d->nr == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 256;
		struct range *bigger = cap <= MAX_RANGES * 2 ? realloc(d->ranges, cap * sizeof(*bigger)) : NULL;

		if (!bigger)
			return false;
		d->ranges = bigger;
		d->cap = cap;
	}
	d->ranges[d->nr++] = (struct range){ low, high, unit };
	return true;
}

static void make_index(struct sym_dwarf *d)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;

	d->indexed = true;
	while (!dwarf_get_units(d->dw, unit, &unit, NULL, NULL, &die, NULL)) {
		Dwarf_Addr base, low, high;
		ptrdiff_t at = 0;

		if (dwarf_tag(&die) != DW_TAG_compile_unit && dwarf_tag(&die) != DW_TAG_partial_unit)
			continue;
		while ((at = dwarf_ranges(&die, at, &base, &low, &high)) > 0) {
			/* What the linker dropped begins at 0. */
			if (low && low < high &&
			    (d->nr >= MAX_RANGES || !add_range(d, low, high, dwarf_dieoffset(&die))))
				goto sort;
		}
	}
sort:
	if (d->nr)
		qsort(d->ranges, d->nr, sizeof(*d->ranges), by_low);
}

static bool find_unit(struct sym_dwarf *d, u64 addr, Dwarf_Die *unit)
{
	size_t low = 0, high;

	if (!d->indexed)
		make_index(d);
	high = d->nr;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (d->ranges[middle].low <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && d->ranges[low - 1].high > addr && dwarf_offdie(d->dw, d->ranges[low - 1].unit, unit);
}

/* Collects the functions around the address below @die; true once one was found. */
static bool walk(struct walk *w, Dwarf_Die *die, unsigned int depth)
{
	Dwarf_Die child;

	if (depth > MAX_DEPTH || dwarf_child(die, &child))
		return false;
	do {
		int tag = dwarf_tag(&child);

		if (++w->visits > MAX_VISITS)
			return true;
		switch (tag) {
		case DW_TAG_subprogram:
		case DW_TAG_inlined_subroutine:
		case DW_TAG_lexical_block:
			if (dwarf_haspc(&child, w->addr) <= 0)
				break;
			if (tag != DW_TAG_lexical_block && w->nr < SYM_PLACES_MAX)
				w->chain[w->nr++] = child;
			walk(w, &child, depth + 1);
			return true;
		case DW_TAG_namespace:
		case DW_TAG_module:
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
		case DW_TAG_union_type:
		case DW_TAG_enumeration_type:
			if (walk(w, &child, depth + 1))
				return true;
			break;
		default:
			break;
		}
	} while (!dwarf_siblingof(&child, &child));
	return false;
}

static enum sonde_sym_lang language(Dwarf_Die *unit)
{
	switch (dwarf_srclang(unit)) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
	case 0x2b: /* C++17 */
	case 0x2c: /* C++20 */
		return SONDE_LANG_CPP;
	case DW_LANG_Rust:
		return SONDE_LANG_RUST;
	case DW_LANG_Go:
		return SONDE_LANG_GO;
	default:
		return SONDE_LANG_C;
	}
}

/* Whether @s ends within the section that libdw found it in: it does not look. */
static bool ends(Dwarf *dw, const char *s)
{
	Elf *elf = dwarf_getelf(dw);
	Elf_Scn *section = NULL;
	size_t names;
	GElf_Shdr head;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, &head) ? elf_strptr(elf, names, head.sh_name) : NULL;
		Elf_Data *data = name && strstr(name, "debug_") ? elf_rawdata(section, NULL) : NULL;
		const char *begin = data ? data->d_buf : NULL;

		if (begin && s >= begin && s < begin + data->d_size)
			return memchr(s, '\0', begin + data->d_size - s);
	}
	return false;
}

static const char *name_of(Dwarf *dw, Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
		name = dwarf_formstring(&attr);
	if (!name)
		name = dwarf_diename(die);
	if (name && !ends(dw, name))
		return NULL;
	/* Of those only a lambda's has no linkage name. */
	return name && !strcmp(name, "operator()") ? "{lambda}" : name;
}

/* Go's directory of compilation is "." */
static const char *without_dot(const char *file)
{
	while (file && file[0] == '.' && file[1] == '/')
		file += 2;
	return file;
}

/* Where the inlined function @die was called. */
static void call_place(Dwarf_Die *unit, Dwarf_Die *die, struct sym_place *place)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;
	Dwarf_Files *files;
	size_t nr;

	if (dwarf_attr(die, DW_AT_call_line, &attr) && !dwarf_formudata(&attr, &value) && value <= INT32_MAX)
		place->line = value;
	if (dwarf_attr(die, DW_AT_call_file, &attr) && !dwarf_formudata(&attr, &value) &&
	    !dwarf_getsrcfiles(unit, &files, &nr) && value < nr)
		place->file = without_dot(dwarf_filesrc(files, value, NULL, NULL));
}

size_t sym_dwarf_find(struct sym_dwarf *dwarf, u64 addr, struct sym_place place[SYM_PLACES_MAX])
{
	struct walk w = { .addr = addr };
	enum sonde_sym_lang lang;
	Dwarf_Line *line;
	Dwarf_Die unit;
	size_t nr;
	int number;

	if (!find_unit(dwarf, addr, &unit))
		return 0;
	lang = language(&unit);
	walk(&w, &unit, 0);
	nr = w.nr ? w.nr : 1;
	for (size_t i = 0; i < nr; i++) {
		Dwarf_Die *die;

		place[i] = (struct sym_place){ .lang = lang };
		if (!w.nr)
			continue;
		die = &w.chain[w.nr - 1 - i];
		place[i].function = name_of(dwarf->dw, die);
		if (i)
			call_place(&unit, die + 1, &place[i]);
	}
	line = dwarf_getsrc_die(&unit, addr);
	if (line) {
		place[0].file = without_dot(dwarf_linesrc(line, NULL, NULL));
		if (!dwarf_lineno(line, &number) && number > 0)
			place[0].line = number;
	}
	return w.nr || line ? nr : 0;
}

/* The child of @die that has tag @tag and name @name. */
static bool child_called(Dwarf *dw, Dwarf_Die *die, int tag, const char *name, size_t *visits, Dwarf_Die *found)
{
	if (dwarf_child(die, found))
		return false;
	do {
		const char *own = dwarf_tag(found) == tag ? dwarf_diename(found) : NULL;

		if (own && ends(dw, own) && !strcmp(own, name))
			return true;
	} while (++*visits < MAX_VISITS && !dwarf_siblingof(found, found));
	return false;
}

bool sym_dwarf_member(struct sym_dwarf *dwarf, const char *unit, const char *structure, const char *member, u64 *offset)
{
	Dwarf_Die die, type, part;
	Dwarf_CU *cu = NULL;
	Dwarf_Attribute attr;
	size_t visits = 0;

	while (!dwarf_get_units(dwarf->dw, cu, &cu, NULL, NULL, &die, NULL)) {
		const char *name = dwarf_diename(&die);
		Dwarf_Word value;

		if (!name || !ends(dwarf->dw, name) || strcmp(name, unit) ||
		    !child_called(dwarf->dw, &die, DW_TAG_structure_type, structure, &visits, &type))
			continue;
		if (!child_called(dwarf->dw, &type, DW_TAG_member, member, &visits, &part) ||
		    !dwarf_attr(&part, DW_AT_data_member_location, &attr) || dwarf_formudata(&attr, &value))
			return false;
		*offset = value;
		return true;
	}
	return false;
}
