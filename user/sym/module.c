// SPDX-License-Identifier: GPL-2.0-only
/*
 * module.c - a mapped file.
 *
 * libelf reads with pread() (ELF_C_READ), never by mapping: a file that shrinks under a mapping would kill us.
 */
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/table.h"
#include "sym/debugfile.h"
#include "sym/elf_sane.h"
#include "sym/gotab.h"
#include "sym/kind.h"
#include "sym/module.h"
#include "sym/symtab.h"

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif

#define MAX_SEGMENTS 64
#define MAX_ANSWERS 32768

struct segment {
	u64 offset, size, addr;
};

struct sym_module {
	int fd, debug_fd;
	struct stat stat; /* as it was when it was opened */
	bool tried;
	Elf *elf, *debug; /* the separate debug file */
	struct segment segments[MAX_SEGMENTS];
	size_t nr_segments;
	struct sym_symtab *symbols, *debug_symbols;
	struct sym_dwarf *dwarf;
	struct sym_gotab *gotab;
	bool is_go;
	struct sonde_table found; /* by address: struct answer */
};

/* What was found at an address: looking into DWARF takes up to milliseconds, and stacks share most of their addresses. */
struct answer {
	size_t nr;
	struct sym_place place[];
};

struct sym_module *sym_module_new(int fd)
{
	struct sym_module *m = calloc(1, sizeof(*m));

	if (!m) {
		close(fd);
		return NULL;
	}
	m->fd = fd;
	m->debug_fd = -1;
	if (fstat(fd, &m->stat))
		m->stat.st_size = -1;
	return m;
}

bool sym_module_changed(const struct sym_module *module)
{
	const struct stat *was = &module->stat;
	struct stat now;

	return fstat(module->fd, &now) || now.st_size != was->st_size || now.st_mtim.tv_sec != was->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != was->st_mtim.tv_nsec;
}

void sym_module_free(struct sym_module *module)
{
	if (!module)
		return;
	sonde_table_free(&module->found, free);
	sym_dwarf_close(module->dwarf);
	sym_symtab_free(module->symbols);
	sym_symtab_free(module->debug_symbols);
	sym_gotab_free(module->gotab);
	elf_end(module->debug);
	elf_end(module->elf);
	if (module->debug_fd >= 0)
		close(module->debug_fd);
	close(module->fd);
	free(module);
}

size_t sym_module_bytes(const struct sym_module *module)
{
	return sizeof(*module) + sym_symtab_bytes(module->symbols) + sym_symtab_bytes(module->debug_symbols) +
	       sym_dwarf_bytes(module->dwarf);
}

/* The ELF file behind @fd if it is one of this machine's programs. */
static Elf *open_elf(int fd)
{
	GElf_Ehdr header;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == ELFCLASS64 && gelf_getehdr(elf, &header) &&
	    header.e_machine == MACHINE && header.e_ident[EI_DATA] == ELFDATA2LSB &&
	    (header.e_type == ET_EXEC || header.e_type == ET_DYN) && sym_elf_sane(elf, fd))
		return elf;
	elf_end(elf);
	return NULL;
}

static void read_segments(struct sym_module *m)
{
	GElf_Phdr seg;
	size_t nr;

	if (elf_getphdrnum(m->elf, &nr))
		return;
	for (size_t i = 0; i < nr && m->nr_segments < MAX_SEGMENTS; i++)
		if (gelf_getphdr(m->elf, i, &seg) && seg.p_type == PT_LOAD && seg.p_filesz)
			m->segments[m->nr_segments++] = (struct segment){ seg.p_offset, seg.p_filesz, seg.p_vaddr };
}

/* A debug file is only looked for where the file itself lacks what it could hold. */
static void read_debug_file(struct sym_module *m, pid_t pid, const char *path)
{
	m->debug_fd = sym_debugfile_open(m->elf, pid, path);
	if (m->debug_fd < 0)
		return;
	m->debug = open_elf(m->debug_fd);
	if (!m->debug)
		return;
	m->dwarf = sym_dwarf_open(m->debug, SYM_DWARF_MAX);
	if (!sym_symtab_whole(m->symbols))
		m->debug_symbols = sym_symtab_new(m->debug);
}

static void read_module(struct sym_module *m, pid_t pid, const char *path)
{
	enum sonde_sym_kind kind = sym_kind_of_module(path);

	m->tried = true;
	m->elf = open_elf(m->fd);
	if (!m->elf)
		return;
	read_segments(m);
	m->is_go = sym_gotab_is_go(m->elf);
	m->symbols = sym_symtab_new(m->elf);
	/* Lines of what is never a call site are not worth the memory. */
	if (kind != SONDE_SYM_RUNTIME && kind != SONDE_SYM_DRIVER) {
		m->dwarf = sym_dwarf_open(m->elf, SYM_DWARF_MAX);
		if (!m->dwarf)
			read_debug_file(m, pid, path);
	}
	if (m->is_go && !sym_symtab_whole(m->symbols))
		m->gotab = sym_gotab_new(m->elf);
}

bool sym_module_addr(struct sym_module *module, u64 offset, pid_t pid, const char *path, u64 *addr)
{
	if (!module->tried)
		read_module(module, pid, path);
	for (size_t i = 0; i < module->nr_segments; i++) {
		const struct segment *s = &module->segments[i];

		if (offset < s->offset || offset - s->offset >= s->size)
			continue;
		*addr = offset - s->offset + s->addr;
		return true;
	}
	return false;
}

static const char *symbol_at(struct sym_module *m, u64 addr)
{
	const char *name = NULL;

	if (m->gotab)
		name = sym_gotab_find(m->gotab, addr);
	if (!name && m->debug_symbols)
		name = sym_symtab_find(m->debug_symbols, addr);
	if (!name && m->symbols)
		name = sym_symtab_find(m->symbols, addr);
	return name;
}

static size_t look_up(struct sym_module *module, u64 addr, struct sym_place place[SYM_PLACES_MAX])
{
	size_t nr = module->dwarf ? sym_dwarf_find(module->dwarf, addr, place) : 0;

	if (!nr) {
		place[0] = (struct sym_place){ 0 };
		nr = 1;
	}
	/* The symbol names the function that all others are inlined into. */
	if (!place[nr - 1].function)
		place[nr - 1].function = symbol_at(module, addr);
	/* Functions of C in a Go program have no package. */
	for (size_t i = 0; i < nr; i++)
		if (module->is_go && place[i].function && strchr(place[i].function, '.'))
			place[i].lang = SONDE_LANG_GO;
	return nr;
}

static void remember(struct sym_module *module, u64 addr, const struct sym_place place[], size_t nr)
{
	struct answer *answer;

	if (module->found.nr >= MAX_ANSWERS)
		sonde_table_free(&module->found, free);
	answer = malloc(sizeof(*answer) + nr * sizeof(*place));
	if (!answer)
		return;
	answer->nr = nr;
	memcpy(answer->place, place, nr * sizeof(*place));
	if (sonde_table_put(&module->found, addr, answer))
		free(answer);
}

size_t sym_module_find(struct sym_module *module, u64 addr, struct sym_place place[SYM_PLACES_MAX])
{
	const struct answer *known = sonde_table_get(&module->found, addr);
	size_t nr;

	if (known) {
		memcpy(place, known->place, known->nr * sizeof(*place));
		return known->nr;
	}
	nr = look_up(module, addr, place);
	remember(module, addr, place, nr);
	return nr;
}
