// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_comment.c - the reader of SQL comments on hostile input.
 *
 * With -fsanitize=fuzzer (SONDE_LIBFUZZER defined) a libFuzzer target: the input is the comment. Otherwise a program of
 * its own: fuzz_comment [ITERATIONS [SEED]], or fuzz_comment FILE... to run single comments.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sonde/comment_name.h"
#include "comment_mutate.h"

static struct sonde_win win;
static struct sonde_comment one, two;

static void broken(const char *what, const u8 *text, u32 len)
{
	fprintf(stderr, "%s, %u bytes: [", what, len);
	fwrite(text, 1, len, stderr);
	fprintf(stderr, "]\nname [%.*s]\n", (int)one.name.len, one.name.b);
	abort();
}

/* The comment at @pos in a window full of @around. */
static void parse(struct sonde_comment *s, const u8 *text, u32 len, u32 pos, u8 around)
{
	memset(win.b, around, SONDE_WIN_BYTES);
	memcpy(win.b + pos, text, len);
	memset(s, around, sizeof(*s));
	sonde_comment_parse(s, &win, pos, len);
}

/* Everything that holds for any bytes: the result is within its limits and made of nothing but the comment. */
static void check(const u8 *text, u32 len)
{
	u32 steps = 0;

	if (len > SONDE_WIN_BYTES)
		len = SONDE_WIN_BYTES;
	parse(&one, text, len, 0, '7');
	if (one.name.len > SONDE_COMMENT_NAME || one.name.cut > 1)
		broken("name too long", text, len);
	for (u32 i = 0; i < one.name.len; i++)
		if (one.name.b[i] < ' ' || one.name.b[i] == 0x7f)
			broken("control characters in the name", text, len);
	parse(&two, text, len, SONDE_WIN_BYTES - len, '/');
	if (one.request != two.request || one.name.len != two.name.len || one.name.cut != two.name.cut ||
	    memcmp(one.name.b, two.name.b, one.name.len))
		broken("what lies around matters", text, len);

	/* The kernel side makes so many steps and no more. */
	sonde_comment_begin(&two, &win, SONDE_WIN_BYTES - len, len);
	while (sonde_comment_byte(&two, &win))
		steps++;
	if (steps > SONDE_COMMENT_BYTES)
		broken("too many bytes", text, len);
	sonde_comment_end(&two);
	for (steps = 1; sonde_comment_name(&two); steps++)
		;
	if (steps > SONDE_COMMENT_NAME_STEPS)
		broken("too many steps", text, len);
}

#ifdef SONDE_LIBFUZZER
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	check(data, size);
	return 0;
}
#else
static int run_file(const char *path)
{
	static u8 data[SONDE_WIN_BYTES];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	check(data, n);
	return 0;
}

int main(int argc, char **argv)
{
	static u8 text[COMMENT_MUTATE_MAX];
	u64 random = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;

	if (argc > 1 && !rounds) {
		int err = 0;

		for (int i = 1; i < argc; i++)
			err |= run_file(argv[i]);
		return err;
	}
	for (unsigned long i = 0; i < rounds; i++) {
		u32 len = comment_mutate(&random, text);

		check(text, len);
	}
	printf("%lu comments\n", rounds);
	return 0;
}
#endif
