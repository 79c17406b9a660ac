// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_module.c - files whose functions are named: symbols, DWARF, Go's table, build id and debug link of hostile ELF files.
 *
 * fuzz_module [ITERATIONS [SEED]], or fuzz_module FILE...; with libFuzzer the input is the file.
 */
#include "elf_mutate.h"
#include "sym/module.h"
#include "sym/name.h"

/* Names are strings, plain ones at most as long as their buffer. */
static void check_place(const struct sym_place *place)
{
	enum sonde_sym_lang lang = place->lang;
	char plain[SYM_NAME_BYTES];

	if (place->function && sym_name_plain(place->function, plain, &lang) >= sizeof(plain))
		abort();
	if (place->file && strlen(place->file) > ELF_MAX)
		abort();
}

static void check(int fd, size_t size)
{
	struct sym_module *module = sym_module_new(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	struct sym_place place[SYM_PLACES_MAX];
	u64 addr;

	if (!module)
		abort();
	for (u64 offset = 0; offset < size; offset += 61) {
		if (!sym_module_addr(module, offset, 0, "/nowhere/program", &addr))
			continue;
		for (size_t i = 0, nr = sym_module_find(module, addr, place); i < nr; i++)
			check_place(&place[i]);
	}
	/* A segment may claim to be that large. */
	if (sym_module_addr(module, UINT64_MAX, 0, "/nowhere/program", &addr))
		for (size_t i = 0, nr = sym_module_find(module, addr, place); i < nr; i++)
			check_place(&place[i]);
	sym_module_bytes(module);
	sym_module_free(module);
}

static __attribute__((unused)) void check_base(int fd, size_t size)
{
	struct sym_module *module = sym_module_new(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	bool plain = false, inlined = false, line = false;
	struct sym_place place[SYM_PLACES_MAX];
	u64 addr;

	for (u64 offset = 0; offset < size; offset++) {
		size_t nr = sym_module_addr(module, offset, 0, "/nowhere/program", &addr) ? sym_module_find(module, addr, place) : 0;

		for (size_t i = 0; i < nr; i++) {
			plain |= place[i].function && !strcmp(place[i].function, "sqlite3_step");
			inlined |= nr > 1 && place[i].function && !strcmp(place[i].function, "inlined");
			line |= place[i].file && place[i].line > 10;
		}
	}
	sym_module_free(module);
	if (!plain || !inlined || !line) {
		fprintf(stderr, "names or lines are not found in the unchanged file\n");
		abort();
	}
	check(fd, size);
}
