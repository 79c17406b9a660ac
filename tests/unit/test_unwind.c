// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_unwind.c - tables made from .eh_frame equal what readelf makes of it; broken ones do no harm; ranges are given out once.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "unit.h"
#include "unwind/image.h"
#include "unwind/range.h"

static struct unwind_image open_image(const char *path)
{
	struct unwind_image image;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		print_message("no %s\n", path);
		skip();
	}
	assert_int_equal(unwind_image_read(fd, &image), 0);
	close(fd);
	return image;
}

/* The first file that matches @pattern. */
static void open_match(const char *pattern, char path[256])
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found)) {
		print_message("no %s\n", pattern);
		skip();
	}
	snprintf(path, 256, "%s", found.gl_pathv[0]);
	globfree(&found);
}

/* One line of readelf: the rules of CFA, rbp and return address at an address. */
struct line {
	u64 pc;
	char cfa[32], bp[32], ra[32];
};

static void compare(const struct unwind_table *table, const struct line *line)
{
	const struct sonde_unwind_row *row = unwind_table_find(table, line->pc);
	u32 kind;
	int off;

	if (!row)
		fail_msg("%llx: no row", (unsigned long long)line->pc);
	kind = row->kind & SONDE_UNWIND_KIND;
	if (!strcmp(line->ra, "u")) {
		if (kind != SONDE_UNWIND_OUTERMOST)
			fail_msg("%llx: a first function is kind %u", (unsigned long long)line->pc, kind);
		return;
	}
	if (line->ra[0] && strcmp(line->ra, "c-8") && strcmp(line->cfa, "exp")) {
		assert_int_equal(kind, SONDE_UNWIND_ODD); /* the return address is in a register: vfork() */
		return;
	}
	if (sscanf(line->cfa, "rsp+%d", &off) == 1 || sscanf(line->cfa, "rbp+%d", &off) == 1) {
		if (kind != (line->cfa[1] == 's' ? SONDE_UNWIND_SP : SONDE_UNWIND_BP) || row->cfa * 8 != off)
			fail_msg("%llx: %s is kind %u, %u words", (unsigned long long)line->pc, line->cfa, kind,
				 row->cfa);
	} else if (!strcmp(line->cfa, "exp")) {
		assert_true(kind >= SONDE_UNWIND_PLT && kind != SONDE_UNWIND_OUTERMOST);
		return;
	} else {
		assert_int_equal(kind, SONDE_UNWIND_ODD); /* another register */
		return;
	}
	if (sscanf(line->bp, "c%d", &off) == 1) {
		if (row->bp * 8 != off || row->kind & (SONDE_UNWIND_BP_LOST | SONDE_UNWIND_BP_AT_BP))
			fail_msg("%llx: rbp %s is %d", (unsigned long long)line->pc, line->bp, row->bp * 8);
	} else if (!strcmp(line->bp, "u")) {
		assert_int_equal(row->bp, 0);
	}
}

/* Columns of readelf's table differ from function to function. */
static bool take(char *text, const char *columns, struct line *line)
{
	char names[1024], *value, *name, *save_name = NULL, *save = NULL;

	*line = (struct line){};
	value = strtok_r(text, " \n", &save);
	if (!value || strlen(value) != 16)
		return false;
	line->pc = strtoull(value, NULL, 16);
	snprintf(names, sizeof(names), "%s", columns);
	for (name = strtok_r(names, " \n", &save_name); name; name = strtok_r(NULL, " \n", &save_name)) {
		if (!strcmp(name, "LOC"))
			continue;
		do {
			value = strtok_r(NULL, " \n", &save);
		} while (value && *value == '('); /* "r10 (r10)" */
		if (!value)
			return false;
		if (!strcmp(name, "CFA"))
			snprintf(line->cfa, sizeof(line->cfa), "%s", value);
		else if (!strcmp(name, "rbp"))
			snprintf(line->bp, sizeof(line->bp), "%s", value);
		else if (!strcmp(name, "ra"))
			snprintf(line->ra, sizeof(line->ra), "%s", value);
	}
	return true;
}

static void compare_with_readelf(const char *path, u64 at_least)
{
	struct unwind_image image = open_image(path);
	char command[512], text[1024], columns[1024] = "";
	unsigned long long begin, end = 0;
	struct line line, before = {};
	bool function = false;
	u64 compared = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "readelf --debug-dump=frames-interp %s 2>/dev/null", path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(text, sizeof(text), pipe)) {
		char *fde = strstr(text, " FDE ");

		if (fde && sscanf(strstr(fde, "pc=") ?: "", "pc=%llx..%llx", &begin, &end) == 2)
			function = true;
		else if (strstr(text, " CIE "))
			function = false;
		else if (strstr(text, "LOC "))
			snprintf(columns, sizeof(columns), "%s", text);
		else if (function && take(text, columns, &line) && line.pc < end) {
			if (before.pc &&
			    before.pc != line.pc) { /* of several lines for one address the last one counts */
				compare(&image.table, &before);
				compared++;
			}
			before = line;
		}
	}
	pclose(pipe);
	unwind_image_free(&image);
	print_message("%s: %llu rows compared\n", path, (unsigned long long)compared);
	if (compared < at_least)
		fail_msg("only %llu rows compared: is readelf there?", (unsigned long long)compared);
}

static void test_libc(void **state)
{
	char path[256];

	open_match("/lib/x86_64-linux-gnu/libc.so.6", path);
	compare_with_readelf(path, 20000);
	(void)state;
}

static void test_libpq(void **state)
{
	char path[256];

	open_match("/usr/lib/x86_64-linux-gnu/libpq.so.5", path);
	compare_with_readelf(path, 1000);
	(void)state;
}

static void test_postgres(void **state)
{
	char path[256];

	open_match("/usr/lib/postgresql/*/bin/postgres", path);
	compare_with_readelf(path, 20000);
	(void)state;
}

static void test_sorted(void **state)
{
	struct unwind_image image = open_image("/proc/self/exe");
	u64 addr;

	assert_true(image.table.nr > 10 && image.nr > 0);
	for (u32 i = 1; i < image.table.nr; i++)
		assert_true(image.table.row[i - 1].pc < image.table.row[i].pc);
	assert_int_equal(image.table.row[image.table.nr - 1].kind, SONDE_UNWIND_NONE);
	assert_null(unwind_table_find(&image.table, image.table.end));
	assert_null(unwind_table_find(&image.table, image.table.base - 1));
	assert_true(unwind_image_addr(&image, image.segment[0].offset, &addr));
	assert_int_equal(addr, image.segment[0].addr);
	assert_false(unwind_image_addr(&image, 1ULL << 40, &addr));
	unwind_image_free(&image);
	(void)state;
}

/* Of a whole file cut and changed anywhere: an error or a sorted table, never a crash. */
static void test_broken(void **state)
{
	static u8 bytes[1 << 20], copy[1 << 20];
	struct unwind_image image;
	u64 random = 88172645463325252ULL;
	size_t len;
	FILE *file = fopen("/lib/x86_64-linux-gnu/libpq.so.5", "r");

	if (!file)
		file = fopen("/proc/self/exe", "r");
	assert_non_null(file);
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	for (int i = 0; i < 400; i++) {
		size_t cut = i & 1 ? len : unit_random(&random) % len;

		memcpy(copy, bytes, len);
		for (int n = 0; n < 1 + i % 64; n++)
			copy[unit_random(&random) % (n & 1 ? len : 4096)] = (u8)unit_random(&random);
		if (unwind_image_memory(copy, cut, &image))
			continue;
		for (u32 r = 1; r < image.table.nr; r++)
			assert_true(image.table.row[r - 1].pc < image.table.row[r].pc);
		unwind_image_free(&image);
	}
	(void)state;
}

/* .eh_frame alone, every byte of it random, and changed ones of this program. */
static void test_random_frames(void **state)
{
	u64 random = 2463534242ULL;
	struct unwind_table table;
	u8 bytes[2048];

	for (int i = 0; i < 2000; i++) {
		for (size_t b = 0; b < sizeof(bytes); b++)
			bytes[b] = (u8)(unit_random(&random) >> 32);
		/* A CIE that is read, and lengths that hold. */
		memcpy(bytes, "\x14\0\0\0\0\0\0\0\1zR\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1\0\0", 24);
		memcpy(bytes + 24, "\xe4\7\0\0\x1c\0\0\0", 8);
		bytes[40] = 0; /* no augmentation data */
		if (!unwind_ehframe_table(bytes, sizeof(bytes), 0x1000, &table))
			unwind_table_free(&table);
	}
	assert_int_equal(unwind_ehframe_table(bytes, 0, 0x1000, &table), -ENOENT);
	(void)state;
}

static u8 *put(u8 *at, u64 value, size_t bytes)
{
	memcpy(at, &value, bytes);
	return at + bytes;
}

/* A CIE of @cie_bytes, which are instructions that do nothing, and @nr functions that begin with them. */
static int many_of(size_t cie_bytes, u32 nr, struct unwind_table *table)
{
	static const u8 head[] = { 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0 }; /* version 1, addresses as they are */
	static const u8 rules[] = { 0x0c, 7, 8, 0x90, 1 }; /* CFA: rsp + 8; the return address below it */
	size_t len = 4 + cie_bytes + (size_t)nr * 28;
	u8 *bytes = calloc(len, 1), *at = bytes, *fde;
	int err;

	at = put(at, cie_bytes, 4);
	memcpy(at + 4, head, sizeof(head));
	memcpy(at + 4 + sizeof(head), rules, sizeof(rules));
	at += cie_bytes;
	for (u32 i = 0; i < nr; i++) {
		fde = put(at, 24, 4);
		at = put(fde, (u64)(fde - bytes), 4);
		at = put(at, 0x1000 + 16 * i, 8);
		at = put(at, 16, 8);
		at = fde + 24;
	}
	err = unwind_ehframe_table(bytes, len, 0x400000, table);
	free(bytes);
	return err;
}

/* A hostile file may let a million functions begin with as many instructions: that is not done a million times. */
static void test_long_cie(void **state)
{
	struct unwind_table table;

	assert_int_equal(many_of(64, 1000, &table), 0);
	assert_int_equal(table.nr_functions, 1000);
	assert_int_equal(table.nr_bad, 0);
	assert_int_equal(table.row[0].kind, SONDE_UNWIND_SP);
	unwind_table_free(&table);
	assert_int_equal(many_of(4 << 20, 1000000, &table), -ENOENT);
}

static void test_ranges(void **state)
{
	struct unwind_ranges ranges = { .total = 100 };
	u32 a, b, c, d;

	assert_true(unwind_range_take(&ranges, 40, &a));
	assert_true(unwind_range_take(&ranges, 40, &b));
	assert_false(unwind_range_take(&ranges, 40, &c));
	assert_true(unwind_range_take(&ranges, 20, &c));
	assert_false(unwind_range_take(&ranges, 1, &d));
	assert_int_equal(a, 0);
	assert_int_equal(b, 40);
	assert_int_equal(c, 80);
	unwind_range_give(&ranges, b);
	assert_int_equal(ranges.used, 60);
	assert_false(unwind_range_take(&ranges, 41, &d));
	assert_true(unwind_range_take(&ranges, 10, &d));
	assert_int_equal(d, 40);
	assert_true(unwind_range_take(&ranges, 30, &d));
	assert_int_equal(d, 50);
	assert_false(unwind_range_take(&ranges, 0, &d));
	unwind_ranges_free(&ranges);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc),   cmocka_unit_test(test_libpq),  cmocka_unit_test(test_postgres),
		cmocka_unit_test(test_sorted), cmocka_unit_test(test_broken), cmocka_unit_test(test_random_frames),
		cmocka_unit_test(test_ranges), cmocka_unit_test(test_long_cie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
