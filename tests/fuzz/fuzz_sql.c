// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_sql.c - the SQL normaliser on hostile input.
 *
 * With -fsanitize=fuzzer (SONDE_LIBFUZZER defined) a libFuzzer target: the first byte of the input is the dialect and
 * the cut flag, the rest the statement. Otherwise a program of its own: fuzz_sql [ITERATIONS [SEED]], or
 * fuzz_sql FILE... to run single inputs of the same form.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sonde/sql_core.h"
#include "sql_mutate.h"

static struct sonde_sql whole, parts;

static void broken(const char *what, const u8 *sql, u32 len, u32 flags)
{
	fprintf(stderr, "%s, flags %u, %u bytes: [", what, flags, len);
	fwrite(sql, 1, len, stderr);
	fprintf(stderr, "]\ntext [%.*s]\n", (int)whole.text_len, (char *)whole.text);
	abort();
}

static bool equal(const struct sonde_sql *a, const struct sonde_sql *b)
{
	return a->text_len == b->text_len && !memcmp(a->text, b->text, a->text_len) && a->id == b->id &&
	       a->literals == b->literals && a->flags == b->flags && a->end == b->end && a->verb == b->verb &&
	       a->com_pos == b->com_pos && a->com_len == b->com_len && a->done == b->done;
}

/* Everything that holds for any bytes. */
static void check(const u8 *sql, u32 len, u32 flags)
{
	u32 at = 0, step = len % 13 + 1;

	memset(&whole, 0x5a, sizeof(whole));
	sonde_sql_normalise(&whole, sql, len, flags);
	if (whole.text_len > SONDE_SQL_TEXT_MAX)
		broken("text too long", sql, len, flags);
	if (!whole.id || whole.end > len || (len && !whole.end))
		broken("no id or wrong end", sql, len, flags);
	if (whole.com_len && whole.com_pos + whole.com_len > len)
		broken("comment outside", sql, len, flags);
	if (!whole.text_len != !!(whole.flags & SONDE_SQL_EMPTY))
		broken("wrong empty flag", sql, len, flags);

	if (len > SONDE_SQL_MAX_BYTES) {
		len = SONDE_SQL_MAX_BYTES;
		flags |= SONDE_SQL_CUT;
	}
	memset(&parts, 0xa5, sizeof(parts));
	sonde_sql_start(&parts, flags);
	while (at < len) {
		u32 n = len - at < step ? len - at : step;

		if (sonde_sql_feed(&parts, sql + at, n))
			break;
		at += n;
		step = step * 7 % 61 + 1;
	}
	sonde_sql_finish(&parts);
	if (!equal(&whole, &parts))
		broken("chunks matter", sql, len, flags);
}

#ifdef SONDE_LIBFUZZER
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size)
		check(data + 1, size - 1, data[0] % 3 | (data[0] & 0x80 ? SONDE_SQL_CUT : 0));
	return 0;
}
#else

static struct sonde_sql other;

/* What holds for valid statements: literals do not survive and do not matter, the text is a fixed point. */
static void check_planted(struct sql_random *r)
{
	static char one[MUTATE_MAX + 1], two[MUTATE_MAX + 1];
	struct sql_random shape = { sonde_mix64(r->state) };
	int dialect = sql_random(r, 3);
	u32 n = sql_planted(shape, r, dialect, one), m = sql_planted(shape, r, dialect, two);

	one[n] = two[m] = 0;
	check((u8 *)one, n, dialect);
	sonde_sql_normalise(&other, (u8 *)two, m, dialect);
	if (whole.id != other.id)
		broken("literals make another id", (u8 *)one, n, dialect);
	if (whole.literals == other.literals)
		broken("literals make no difference", (u8 *)one, n, dialect);
	whole.text[whole.text_len] = 0;
	if (strcasestr((char *)whole.text, PLANTED) || strpbrk((char *)whole.text, "0123456789"))
		broken("a literal survived", (u8 *)one, n, dialect);
	sonde_sql_normalise(&other, whole.text, whole.text_len, dialect);
	if (other.id != whole.id)
		broken("not a fixed point", (u8 *)one, n, dialect);
}

static int run_file(const char *path)
{
	static u8 data[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	if (n) {
		/* A copy of its own size, so that a byte too far is seen. */
		u8 *copy = malloc(n);

		if (!copy)
			return 1;
		memcpy(copy, data + 1, n - 1);
		check(copy, n - 1, data[0] % 3 | (data[0] & 0x80 ? SONDE_SQL_CUT : 0));
		free(copy);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char sql[MUTATE_MAX + 1];
	struct sql_random r = { argc > 2 ? strtoull(argv[2], NULL, 0) : 1 };
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;

	if (argc > 1 && !rounds) {
		int err = 0;

		for (int i = 1; i < argc; i++)
			err |= run_file(argv[i]);
		return err;
	}
	for (unsigned long i = 0; i < rounds; i++) {
		u32 n, flags;
		u8 *copy;

		if (i % 4 == 0) {
			check_planted(&r);
			continue;
		}
		n = sql_mutate(&r, sql);
		flags = sql_random(&r, 3) | (sql_random(&r, 16) ? 0 : SONDE_SQL_CUT);
		copy = malloc(n + 1);
		if (!copy)
			return 1;
		memcpy(copy + 1, sql, n);
		check(copy + 1, n, flags);
		free(copy);
	}
	printf("%lu statements\n", rounds);
	return 0;
}
#endif
