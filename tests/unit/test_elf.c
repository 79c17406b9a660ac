// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_elf.c - symbols, code and build id of ELF files, whole, broken and hostile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load/elf.h"

static const char *const names[] = { "sonde_elf_open", "no_such_function_anywhere", "sonde_elf_close" };

static int open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* The functions found in this program are those that run. */
static void test_own_symbols(void **state)
{
	struct sonde_elf_symbol s[3];
	u8 code[64];
	struct sonde_elf *elf;
	int fd = open_self();
	ssize_t n;

	assert_int_equal(sonde_elf_open(fd, &elf), 0);
	assert_int_equal(sonde_elf_symbols(elf, names, 3, s), 2);
	assert_int_equal(s[1].addr, 0);
	assert_true(s[0].size > 16);
	n = sonde_elf_code(elf, &s[0], code, sizeof(code));
	assert_true(n > 0);
	assert_memory_equal(code, (const void *)sonde_elf_open, n < 16 ? n : 16);
	/* distances are the same in the file and in memory */
	assert_true(s[2].addr - s[0].addr == (u64)((uintptr_t)sonde_elf_close - (uintptr_t)sonde_elf_open));
	assert_true(sonde_elf_has_symtab(elf));
	assert_false(sonde_elf_in_plt(elf, s[0].addr));
	sonde_elf_close(elf);
	close(fd);
}

/* A function's code ends with the function. */
static void test_code_is_bounded(void **state)
{
	struct sonde_elf_symbol s = { .addr = 1, .offset = 0, .size = 4 };
	u8 code[64] = {};
	struct sonde_elf *elf;
	int fd = open_self();

	assert_int_equal(sonde_elf_open(fd, &elf), 0);
	assert_int_equal(sonde_elf_code(elf, &s, code, sizeof(code)), 4);
	assert_memory_equal(code, "\177ELF", 4);
	s.offset = 1ULL << 40;
	assert_int_equal(sonde_elf_code(elf, &s, code, sizeof(code)), 0);
	s.offset = UINT64_MAX;
	assert_true(sonde_elf_code(elf, &s, code, sizeof(code)) < 0);
	sonde_elf_close(elf);
	close(fd);
}

static void test_build_id(void **state)
{
	char id[SONDE_ELF_BUILD_ID_SIZE];
	struct sonde_elf *elf;
	int fd = open_self();

	assert_int_equal(sonde_elf_open(fd, &elf), 0);
	if (sonde_elf_build_id(elf, id)) {
		assert_true(strlen(id) >= 16);
		assert_int_equal(strspn(id, "0123456789abcdef"), strlen(id));
	} else {
		assert_string_equal(id, "");
	}
	sonde_elf_close(elf);
	close(fd);
}

static int memory_file(const void *bytes, size_t len)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	return fd;
}

static void look_at_everything(const void *bytes, size_t len)
{
	struct sonde_elf_symbol s[3];
	char id[SONDE_ELF_BUILD_ID_SIZE];
	struct sonde_elf *elf;
	u8 code[256];
	int fd = memory_file(bytes, len);

	if (!sonde_elf_open(fd, &elf)) {
		sonde_elf_symbols(elf, names, 3, s);
		for (int i = 0; i < 3; i++)
			if (s[i].addr)
				sonde_elf_code(elf, &s[i], code, sizeof(code));
		sonde_elf_build_id(elf, id);
		sonde_elf_in_plt(elf, 0x1000);
		sonde_elf_has_symtab(elf);
		sonde_elf_close(elf);
	}
	close(fd);
}

static void test_no_elf(void **state)
{
	struct sonde_elf *elf = NULL;
	u8 half[20] = "\177ELF\2\1\1";
	u8 small[64] = "\177ELF\1\1\1"; /* 32 bits */
	int fd;

	fd = memory_file("", 0);
	assert_int_equal(sonde_elf_open(fd, &elf), -ENOEXEC);
	close(fd);
	fd = memory_file("#!/bin/sh\n", 10);
	assert_int_equal(sonde_elf_open(fd, &elf), -ENOEXEC);
	close(fd);
	fd = memory_file(half, sizeof(half));
	assert_int_equal(sonde_elf_open(fd, &elf), -ENOEXEC);
	close(fd);
	fd = memory_file(small, sizeof(small));
	assert_int_equal(sonde_elf_open(fd, &elf), -ENOEXEC);
	close(fd);
	assert_int_equal(sonde_elf_open(-1, &elf), -ENOEXEC);
	sonde_elf_close(NULL);
}

/* The beginning and the end of this program (headers, section headers), with bytes changed; and cut files. */
static void test_hostile_files(void **state)
{
	int fd = open_self();
	struct stat st;
	u8 *good, *bad;
	size_t len;

	assert_int_equal(fstat(fd, &st), 0);
	len = st.st_size;
	good = malloc(len);
	bad = malloc(len);
	assert_non_null(good);
	assert_non_null(bad);
	assert_int_equal(read(fd, good, len), len);
	close(fd);
	for (size_t cut = 1; cut < len; cut = cut * 3 / 2 + 7)
		look_at_everything(good, cut);
	for (u32 seed = 1; seed <= 150; seed++) {
		u64 x = seed;

		memcpy(bad, good, len);
		for (int i = 0; i < 12; i++) {
			x = sonde_mix64(x + i);
			/* headers at the beginning; section headers at the end */
			size_t at = x & 1 ? x / 2 % 1024 : len - 1 - x / 2 % 2560;

			bad[at % len] = x & 2 ? 0xff : x >> 56;
		}
		look_at_everything(bad, len);
	}
	free(good);
	free(bad);
}

/* -ENOEXEC: not looked into; 0: it is. */
static int opens(const u8 *bytes, size_t len)
{
	int fd = memfd_create("dear", MFD_CLOEXEC), err;
	struct sonde_elf *elf;

	assert_int_equal(write(fd, bytes, len), len);
	err = sonde_elf_open(fd, &elf);
	if (!err)
		sonde_elf_close(elf);
	close(fd);
	return err;
}

/* Files that would take hours, or all memory: no end of the strings, more tables than programs have, too large ones. */
static void test_dear_files(void **state)
{
	int fd = open_self();
	size_t len = lseek(fd, 0, SEEK_END);
	u8 *good = malloc(len), *bad = malloc(len);
	Elf64_Ehdr head;
	Elf64_Shdr *section;
	u32 strings = 0;

	assert_int_equal(pread(fd, good, len, 0), len);
	close(fd);
	memcpy(&head, good, sizeof(head));
	assert_int_equal(opens(good, len), 0);
	memcpy(bad, good, len);
	section = (Elf64_Shdr *)(bad + head.e_shoff);
	for (u32 i = 0; i < head.e_shnum; i++) {
		if (section[i].sh_type != SHT_STRTAB || !section[i].sh_size)
			continue;
		strings++;
		bad[section[i].sh_offset + section[i].sh_size - 1] = 'a';
		assert_int_equal(opens(bad, len), -ENOEXEC);
		bad[section[i].sh_offset + section[i].sh_size - 1] = 0;
	}
	assert_true(strings >= 3);
	assert_int_equal(opens(bad, len), 0);
	for (u32 i = 1; i < 10; i++)
		section[i].sh_type = SHT_SYMTAB;
	assert_int_equal(opens(bad, len), -ENOEXEC);
	memcpy(bad, good, len);
	for (u32 i = 0; i < head.e_shnum; i++)
		if (section[i].sh_type == SHT_SYMTAB)
			section[i].sh_size = 1ULL << 30;
	assert_int_equal(opens(bad, len), -ENOEXEC);
	free(good);
	free(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_symbols),   cmocka_unit_test(test_code_is_bounded),
		cmocka_unit_test(test_build_id),      cmocka_unit_test(test_no_elf),
		cmocka_unit_test(test_hostile_files), cmocka_unit_test(test_dear_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
