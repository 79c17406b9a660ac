// SPDX-License-Identifier: GPL-2.0-only
/* test_unwind_go.c - rows made from .gopclntab of three layouts; broken tables do no harm; tables laid over each other. */
#include <errno.h>

#include "unit.h"
#include "unwind/gopcln.h"

#define TEXT 0x401000ULL
#define NR 6

/* A program with six functions, 64 bytes each, as Go @version (116, 118, 120) lays its table out. */
struct program {
	u8 bytes[2048];
	size_t len;
	u64 tables, functions; /* distances from the header */
};

static void put(u8 *at, u64 value, size_t bytes)
{
	memcpy(at, &value, bytes);
}

static void make(struct program *p, int version, bool says_text)
{
	static const u32 magic[] = { 0xfffffffa, 0xfffffff0, 0xfffffff1 };
	static const char names[] =
		"\0main.leaf\0main.frame\0runtime.goexit\0runtime.mcall\0runtime.sigreturn__sigaction\0main.bad";
	static const u8 name_at[NR] = { 1, 11, 22, 37, 51, 80 };
	/* leaf: 0 all along; frame: 0 for 8 bytes, 0x28 for 48, 0 for 8; bad: ends too early, in the middle of a number */
	static const u8 table[] = { 0xff, 2, 64, 0, 2, 8, 80, 48, 79, 8, 0, 2, 64, 0, 2, 0x80 };
	static const u8 table_at[NR] = { 1, 4, 1, 1, 1, 14 };
	u32 half = version == 116 ? 8 : 4, words = version == 116 ? 24 : 32, flags = version == 120 ? 37 : 33;
	u64 names_at = 96, tables_at = 256, functions_at = 272, d = functions_at + (2 * NR + 1) * half;
	u8 *b = p->bytes;

	memset(p, 0, sizeof(*p));
	p->tables = tables_at;
	p->functions = functions_at;
	put(b, magic[(version - 116) / 2], 4);
	b[6] = 1;
	b[7] = 8;
	put(b + 8, NR, 8);
	if (version != 116 && says_text)
		put(b + 24, TEXT, 8);
	put(b + words, names_at, 8);
	put(b + words + 8, tables_at, 8);
	put(b + words + 16, tables_at, 8);
	put(b + words + 24, tables_at, 8);
	put(b + words + 32, functions_at, 8);
	memcpy(b + names_at, names, sizeof(names));
	memcpy(b + tables_at, table, sizeof(table));
	for (u32 i = 0; i <= NR; i++) {
		u64 place = 64 * i + (version == 116 ? TEXT : 0);

		put(b + functions_at + i * 2 * half, place, half);
		if (i == NR)
			break;
		put(b + functions_at + i * 2 * half + half, d - functions_at, half);
		put(b + d, place, half);
		put(b + d + half, name_at[i], 4);
		put(b + d + half + 12, table_at[i], 4);
		b[d + half + flags] = i == 2 ? 1 : i == 3 ? 2 : 0;
		d += 56;
	}
	p->len = d;
}

static const struct sonde_unwind_row *at(const struct unwind_table *table, u32 function, u32 offset)
{
	const struct sonde_unwind_row *row = unwind_table_find(table, TEXT + 64 * function + offset);

	assert_non_null(row);
	return row;
}

static void check(const struct unwind_table *t, bool flags)
{
	assert_int_equal(t->base, TEXT);
	assert_int_equal(t->end, TEXT + 64 * NR);
	assert_int_equal(t->nr_functions, NR);
	assert_int_equal(t->nr_bad, 1);
	assert_int_equal(at(t, 0, 0)->kind, SONDE_UNWIND_SP);
	assert_int_equal(at(t, 0, 63)->cfa, 1);
	assert_int_equal(at(t, 1, 7)->cfa, 1);
	assert_int_equal(at(t, 1, 7)->bp, 0);
	assert_int_equal(at(t, 1, 8)->cfa, 6);
	assert_int_equal(at(t, 1, 8)->bp, -2);
	assert_int_equal(at(t, 1, 55)->cfa, 6);
	assert_int_equal(at(t, 1, 56)->cfa, 1);
	if (flags) {
		assert_int_equal(at(t, 2, 0)->kind, SONDE_UNWIND_OUTERMOST);
		assert_int_equal(at(t, 3, 10)->kind, SONDE_UNWIND_NONE);
	}
	assert_int_equal(at(t, 4, 5)->kind, SONDE_UNWIND_SIGNAL);
	assert_int_equal(at(t, 4, 5)->cfa, 20);
	assert_int_equal(at(t, 5, 5)->kind, SONDE_UNWIND_ODD);
	assert_null(unwind_table_find(t, TEXT + 64 * NR));
	assert_int_equal(t->row[t->nr - 1].kind, SONDE_UNWIND_NONE);
}

static void layouts(void **state)
{
	static const int versions[] = { 116, 118, 120 };
	struct unwind_table table;
	struct program p;

	for (size_t i = 0; i < 3; i++) {
		make(&p, versions[i], true);
		assert_int_equal(unwind_gopcln_table(p.bytes, p.len, 0, 0, &table), 0);
		check(&table, true);
		unwind_table_free(&table);
	}
	(void)state;
}

/* From 1.26 on the header does not say where the text is: the program's entry tells whether it is where it seems to be. */
static void entries(void **state)
{
	struct unwind_table table;
	struct program p;

	make(&p, 120, false);
	assert_int_equal(unwind_gopcln_table(p.bytes, p.len, TEXT, TEXT + 64, &table), 0);
	check(&table, true);
	unwind_table_free(&table);
	assert_int_equal(unwind_gopcln_table(p.bytes, p.len, TEXT - 32, TEXT + 64, &table), -ENOENT);
	/* Position independent programs of 1.16: their addresses are not in the file. */
	make(&p, 116, true);
	put(p.bytes + p.functions, 0, 8);
	assert_int_equal(unwind_gopcln_table(p.bytes, p.len, TEXT, TEXT, &table), -ENOENT);
	(void)state;
}

static void refused(void **state)
{
	struct unwind_table table;
	struct program p;

	make(&p, 118, true);
	assert_int_equal(unwind_gopcln_table(p.bytes, 71, 0, 0, &table), -ENOENT);
	assert_int_equal(unwind_gopcln_table(p.bytes, p.functions + 8, 0, 0, &table), -ENOENT);
	put(p.bytes, 0xfffffff2, 4);
	assert_int_equal(unwind_gopcln_table(p.bytes, p.len, 0, 0, &table), -ENOENT);
	make(&p, 118, true);
	put(p.bytes + p.functions + 16, 0, 4); /* the third function begins where the first does */
	assert_int_equal(unwind_gopcln_table(p.bytes, p.len, 0, 0, &table), -ENOENT);
	make(&p, 118, true);
	put(p.bytes + p.functions + 12, 0xfffff, 4); /* a description that is not there */
	assert_int_equal(unwind_gopcln_table(p.bytes, p.len, 0, 0, &table), 0);
	assert_int_equal(at(&table, 1, 8)->kind, SONDE_UNWIND_NONE);
	unwind_table_free(&table);
	make(&p, 118, true);
	p.bytes[p.tables + 5] = 0; /* for no bytes: it would never end */
	assert_int_equal(unwind_gopcln_table(p.bytes, p.len, 0, 0, &table), 0);
	assert_int_equal(at(&table, 1, 0)->kind, SONDE_UNWIND_ODD);
	unwind_table_free(&table);
	make(&p, 118, true);
	p.bytes[p.tables + 6] = 3; /* above where it was when it was called */
	assert_int_equal(unwind_gopcln_table(p.bytes, p.len, 0, 0, &table), 0);
	assert_int_equal(at(&table, 1, 8)->kind, SONDE_UNWIND_ODD);
	unwind_table_free(&table);
	(void)state;
}

static void broken(void **state)
{
	u64 random = 2463534242ULL;
	struct unwind_table table;
	struct program p;

	for (int i = 0; i < 20000; i++) {
		make(&p, 116 + 2 * (i % 3), true);
		for (int n = 0; n < 1 + i % 8; n++)
			p.bytes[unit_random(&random) % p.len] = (u8)(unit_random(&random) >> 32);
		if (unwind_gopcln_table(p.bytes, i & 64 ? p.len : unit_random(&random) % p.len, TEXT, TEXT, &table))
			continue;
		for (u32 r = 1; r < table.nr; r++)
			assert_true(table.row[r - 1].pc < table.row[r].pc);
		unwind_table_free(&table);
	}
	(void)state;
}

/* Rows of words @cfa, a gap behind them. */
static struct unwind_table rows(u64 base, u64 end, u16 cfa)
{
	struct unwind_table table = { .base = base, .end = end, .nr_functions = 1 };
	const struct sonde_unwind_row row = { .kind = SONDE_UNWIND_SP, .cfa = cfa };

	assert_int_equal(unwind_table_add(&table, base, &row), 0);
	assert_int_equal(unwind_table_add_gap(&table, end), 0);
	return table;
}

static u32 words(const struct unwind_table *table, u64 pc)
{
	const struct sonde_unwind_row *row = unwind_table_find(table, pc);

	return row && row->kind == SONDE_UNWIND_SP ? row->cfa : 0;
}

static void covers(void **state)
{
	struct unwind_table one = rows(100, 200, 1), two = rows(120, 150, 2);

	assert_int_equal(unwind_table_cover(&one, &two), 0); /* inside: as Go's text among C's */
	assert_null(two.row);
	assert_int_equal(words(&one, 119), 1);
	assert_int_equal(words(&one, 120), 2);
	assert_int_equal(words(&one, 149), 2);
	assert_int_equal(words(&one, 150), 1);
	assert_int_equal(words(&one, 199), 1);
	assert_int_equal(one.nr, 4);
	assert_int_equal(one.nr_functions, 2);
	two = rows(10, 50, 3);
	assert_int_equal(unwind_table_cover(&one, &two), 0); /* before, with a gap between */
	assert_int_equal(one.base, 10);
	assert_int_equal(words(&one, 10), 3);
	assert_int_equal(words(&one, 50), 0);
	assert_int_equal(words(&one, 120), 2);
	two = rows(180, 300, 4);
	assert_int_equal(unwind_table_cover(&one, &two), 0); /* over the end */
	assert_int_equal(one.end, 300);
	assert_int_equal(words(&one, 179), 1);
	assert_int_equal(words(&one, 299), 4);
	two = rows(1ULL << 40, (1ULL << 40) + 1, 5);
	assert_int_equal(unwind_table_cover(&one, &two), -E2BIG);
	assert_int_equal(words(&one, 299), 4);
	unwind_table_free(&one);
	assert_int_equal(unwind_table_cover(&one, &two), 0); /* nothing was there */
	assert_int_equal(words(&one, 1ULL << 40), 5);
	unwind_table_free(&one);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts), cmocka_unit_test(entries), cmocka_unit_test(refused),
		cmocka_unit_test(broken),  cmocka_unit_test(covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
