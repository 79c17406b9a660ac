// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_ehframe.c - .eh_frame of hostile files as a table: whole ELF files, and the section alone.
 *
 * fuzz_ehframe [ITERATIONS [SEED]], or fuzz_ehframe FILE...; with libFuzzer the input is the file: ELF, or what such a section holds.
 * corpus/ehframe has the sections of a C program with a signal handler, aligned frames and forty frames of one function, of one in C++
 * with exceptions, of the dynamic linker's procedure linkage table, and glibc's entry of the signal frame.
 */
#include "elf_mutate.h"
#include "unwind/ehframe.h"
#include "unwind/image.h"

#define LINKED_AT 0x400000 /* the section, where it comes alone */

static void broken(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Rows are sorted, each is found where it begins, and none outside. */
static void check_table(const struct unwind_table *table)
{
	if (!table->nr || table->row[0].pc || table->base >= table->end || !table->nr_functions)
		broken("a table without a beginning");
	for (u32 i = 0; i < table->nr; i++) {
		const struct sonde_unwind_row *row = &table->row[i];

		if (i && row->pc <= row[-1].pc)
			broken("rows are not sorted");
		if (row->pc > table->end - table->base || (row->kind & SONDE_UNWIND_KIND) > SONDE_UNWIND_ODD)
			broken("a row that means nothing");
		if (table->base + row->pc < table->end && unwind_table_find(table, table->base + row->pc) != row)
			broken("a row that is not found");
	}
	if (unwind_table_find(table, table->base - 1) || unwind_table_find(table, table->end))
		broken("a row outside of the table");
}

static void check_section(const u8 *bytes, size_t len)
{
	u8 *own = malloc(len ? len : 1); /* of its own size, so that a byte too far is seen */
	struct unwind_table table;

	memcpy(own, bytes, len);
	if (!unwind_ehframe_table(own, len, LINKED_AT, &table)) {
		check_table(&table);
		unwind_table_free(&table);
	}
	free(own);
}

static void check(int fd, size_t size)
{
	static u8 bytes[ELF_MAX];
	struct unwind_image image;
	u64 addr;

	if (!unwind_image_read(fd, &image))
		check_table(&image.table);
	if (image.nr > UNWIND_SEGMENTS)
		broken("too many segments");
	for (u64 offset = 0; offset < size; offset += 4096)
		unwind_image_addr(&image, offset, &addr);
	unwind_image_free(&image);
	if (pread(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	if (size < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG))
		check_section(bytes, size);
	else if (focus.len && focus.at + focus.len <= size)
		check_section(bytes + focus.at, focus.len);
}

static __attribute__((unused)) void check_base(int fd, size_t size)
{
	static u8 bytes[ELF_MAX];
	struct unwind_image image;
	Elf64_Ehdr head;
	Elf64_Shdr section, names;

	if (unwind_image_read(fd, &image) || image.table.nr_functions < 4 || image.table.nr_bad)
		broken("functions are not found in the unchanged file");
	unwind_image_free(&image);
	if (pread(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	memcpy(&head, bytes, sizeof(head));
	memcpy(&names, bytes + head.e_shoff + head.e_shstrndx * sizeof(names), sizeof(names));
	for (size_t i = 0; i < head.e_shnum; i++) {
		memcpy(&section, bytes + head.e_shoff + i * sizeof(section), sizeof(section));
		if (strcmp((const char *)bytes + names.sh_offset + section.sh_name, ".eh_frame") != 0)
			continue;
		focus.at = section.sh_offset;
		focus.len = section.sh_size;
	}
	if (!focus.len)
		broken("no .eh_frame in the unchanged file");
	check(fd, size);
}
