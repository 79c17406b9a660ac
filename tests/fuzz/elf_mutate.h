/* SPDX-License-Identifier: GPL-2.0-only */
/* elf_mutate.h - changed ELF files for fuzz_elf, fuzz_module and fuzz_ehframe, and their runs: by a fixed seed, of files, by libFuzzer. */
#ifndef TESTS_ELF_MUTATE_H
#define TESTS_ELF_MUTATE_H

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sonde/base.h"

#define ELF_MAX 65536

/* Set by check_base(): a part of the file that is changed as often as headers are. */
static struct {
	size_t at, len;
} focus __attribute__((unused));

/* What holds for any file: the target's own. */
static void check(int fd, size_t size);

/* Ends the run unless everything is found in the unchanged file: what is not read is not tested. */
static void check_base(int fd, size_t size);

static void check_bytes(const u8 *bytes, size_t size, void (*run)(int fd, size_t size))
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	run(fd, size);
	close(fd);
}

#ifdef SONDE_LIBFUZZER
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size <= ELF_MAX)
		check_bytes(data, size, check);
	return 0;
}
#else

static u64 next(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL >> 16;
}

static u64 number(u64 *r, size_t size)
{
	switch (next(r) % 8) {
	case 0:
		return 0;
	case 1:
		return next(r) % 64;
	case 2:
		return -1ULL - next(r) % 64;
	case 3:
		return 1ULL << next(r) % 64;
	case 4:
		return size - 32 + next(r) % 64;
	case 5:
		return next(r) % size;
	case 6:
		return 0x7fffffff - 8 + next(r) % 16;
	default:
		return next(r) << 32 | next(r);
	}
}

/* Mostly a field of a header: that is where the decisions are. */
static size_t place(u64 *r, const u8 *bytes, size_t size)
{
	Elf64_Ehdr head;

	memcpy(&head, bytes, sizeof(head));
	switch (next(r) % 8) {
	case 0:
		return next(r) % sizeof(head);
	case 1:
	case 2:
		return (head.e_phoff + next(r) % (head.e_phnum * sizeof(Elf64_Phdr) + 1)) % size;
	case 3:
	case 4:
	case 5:
		return (head.e_shoff + next(r) % (head.e_shnum * sizeof(Elf64_Shdr) + 1)) % size;
	default:
		if (focus.len && next(r) % 4)
			return focus.at + next(r) % focus.len;
		return next(r) % size;
	}
}

static size_t mutate(u64 *r, u8 *bytes, size_t size)
{
	for (u64 n = 1 + next(r) % 6; n; n--) {
		size_t at = place(r, bytes, size), width = 1u << next(r) % 4;
		u64 value = number(r, size);

		at -= next(r) % 4 ? at % width : 0;
		if (at + width <= size)
			memcpy(bytes + at, &value, width);
	}
	return next(r) % 16 ? size : next(r) % size;
}

static size_t read_file(const char *path, u8 *bytes)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, ELF_MAX);

	if (n < (ssize_t)sizeof(Elf64_Ehdr)) {
		perror(path);
		exit(1);
	}
	close(fd);
	return (size_t)n;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 10000;
	u64 state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static u8 base[ELF_MAX], made[ELF_MAX];
	size_t size;

	for (int i = 1; argc > 1 && !rounds && i < argc; i++)
		check_bytes(made, read_file(argv[i], made), check);
	if (!rounds)
		return 0;
	size = read_file(SONDE_FUZZ_BASE, base);
	check_bytes(base, size, check_base);
	for (unsigned long i = 0; i < rounds; i++) {
		memcpy(made, base, size);
		check_bytes(made, mutate(&state, made, size), check);
	}
	printf("%lu ELF files\n", rounds);
	return 0;
}
#endif

#endif /* TESTS_ELF_MUTATE_H */
