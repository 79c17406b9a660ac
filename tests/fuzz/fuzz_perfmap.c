// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_perfmap.c - perf maps and the names in them on hostile input.
 *
 * With -fsanitize=fuzzer (SONDE_LIBFUZZER defined) a libFuzzer target: the first byte of the input says how the rest, the
 * text, is cut into pieces. Otherwise a program of its own: fuzz_perfmap [ITERATIONS [SEED]], or fuzz_perfmap FILE... to
 * run single inputs of the same form.
 */
#include <ctype.h>
#include <stdio.h>

#include "sym/name_jit.c"
#include "sym/perfmap.c"

#define TEXT_MAX 8192

static void broken(const char *what, const char *text, size_t len)
{
	fprintf(stderr, "%s, %zu bytes: [", what, len);
	fwrite(text, 1, len, stderr);
	fprintf(stderr, "]\n");
	abort();
}

/* The parts of a name are inside it, or in the scratch. */
static void check_name(const char *name)
{
	char scratch[SYM_NAME_BYTES];

	for (int java = 0; java < 2; java++) {
		struct sym_jit_name jit = sym_name_jit(name, java, scratch);
		size_t len = strlen(name);

		if (!jit.function || (jit.function_len && !memchr(jit.function, jit.function[0], jit.function_len)))
			broken("no function", name, len);
		if (jit.function >= name && jit.function <= name + len &&
		    jit.function_len > (size_t)(name + len - jit.function))
			broken("function outside", name, len);
		if (jit.file_len && (jit.file < name || jit.file + jit.file_len > name + len))
			broken("file outside", name, len);
	}
}

/* A line read in another way: by strtoull(); false if it is none of the format. */
static bool plain_line(const char *line, size_t len, u64 *start, u64 *size, const char **name, size_t *name_len)
{
	char copy[MAX_LINE_BYTES + 1], *end, *p = copy;

	if (len > MAX_LINE_BYTES || memchr(line, '\0', len))
		return false;
	memcpy(copy, line, len);
	copy[len] = '\0';
	if (len && copy[len - 1] == '\r')
		copy[--len] = '\0';
	for (int i = 0; i < 2; i++) {
		bool prefixed = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');

		if (!isxdigit((unsigned char)p[0]) || (prefixed && !isxdigit((unsigned char)p[2])))
			return false;
		errno = 0;
		*(i ? size : start) = strtoull(p, &end, 16);
		if (errno || *end != ' ')
			return false;
		p = end + strspn(end, " ");
	}
	*name = line + (p - copy);
	*name_len = copy + len - p;
	return *name_len && *size && *start <= UINT64_MAX - *size;
}

/* The last line that covers @addr. */
static bool plain_find(const char *text, size_t len, u64 addr, const char **name, size_t *name_len)
{
	const char *at = text, *newline, *found;
	size_t found_len;
	bool any = false;
	u64 start, size;

	while ((newline = memchr(at, '\n', text + len - at))) {
		if (plain_line(at, newline - at, &start, &size, &found, &found_len) && addr >= start &&
		    addr - start < size) {
			*name = found;
			*name_len = found_len;
			any = true;
		}
		at = newline + 1;
	}
	return any;
}

static void compare(struct sym_perfmap *map, const char *text, size_t len, u64 addr)
{
	const char *got = sym_perfmap_find(map, addr), *want;
	size_t want_len;

	if (plain_find(text, len, addr, &want, &want_len)) {
		if (!got || strlen(got) != want_len || memcmp(got, want, want_len))
			broken("another name", text, len);
		check_name(got);
	} else if (got) {
		broken("a name for nothing", text, len);
	}
}

/* Everything that holds for any bytes; in between it is asked, too, so that lines are merged. */
static void check(const char *text, size_t len, u8 step)
{
	struct sym_perfmap *map = sym_perfmap_new();
	const char *at = text, *newline;
	size_t done = 0;
	u64 start, size;

	while (done < len) {
		size_t part = step % 97 + 1u;

		if (part > len - done)
			part = len - done;
		if (sym_perfmap_feed(map, text + done, part))
			broken("full", text, len);
		done += part;
		step = step * 7 + 3;
		if (step % 5 == 0)
			compare(map, text, done, (u64)step * 16);
	}
	for (u64 addr = 0; addr < 64; addr += 3)
		compare(map, text, len, addr * 16);
	compare(map, text, len, UINT64_MAX);
	while ((newline = memchr(at, '\n', text + len - at))) {
		const char *name;
		size_t name_len;

		if (plain_line(at, newline - at, &start, &size, &name, &name_len)) {
			compare(map, text, len, start);
			compare(map, text, len, start + size - 1);
			compare(map, text, len, start + size);
			compare(map, text, len, start - 1);
		}
		at = newline + 1;
	}
	sym_perfmap_free(map);
}

#ifdef SONDE_LIBFUZZER
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size && size <= TEXT_MAX)
		check((const char *)data + 1, size - 1, data[0]);
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

static size_t make_text(u64 *r, char *text)
{
	static const char *const names[] = {
		"JS:~list_orders /app/shop.js:12:5",
		"LazyCompile:* file:///app/a b.mjs:1:99999999999",
		"JS:^get x node:internal/y:1:2",
		"py::list:/app/shop.py",
		"py::",
		"java.lang.Object shop.Orders.list(int, long)",
		"Lshop/Orders;::list(",
		"Interpreter",
		"L;::",
		"Builtin:x",
		"x",
		":1:2",
		"\r",
	};
	static const char *const forms[] = { "%llx %llx %s\n", "0x%llx 0x%llx %s\n", "%llX  %llx %s\r\n",
					     "%llx %llx%s\n",  " %llx %llx %s\n",    "%llx %llx %s" };
	size_t len = 0, lines = next(r) % 24;

	for (size_t i = 0; i < lines && len < TEXT_MAX - 256; i++) {
		u64 start = next(r) % 1024, size = next(r) % 128;

		if (next(r) % 50 == 0)
			start = -(next(r) % 64);
		len += snprintf(text + len, TEXT_MAX - len, forms[next(r) % 8 ? 0 : next(r) % 6],
				(unsigned long long)start, (unsigned long long)size, names[next(r) % 13]);
		if (next(r) % 30 == 0)
			text[next(r) % len] = next(r);
	}
	return len;
}

static int run_file(const char *path)
{
	static char data[TEXT_MAX];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	if (n)
		check(data + 1, n - 1, data[0]);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 10000;
	u64 state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static char made[TEXT_MAX];

	if (argc > 1 && !rounds) {
		int err = 0;

		for (int i = 1; i < argc; i++)
			err |= run_file(argv[i]);
		return err;
	}
	for (unsigned long i = 0; i < rounds; i++) {
		size_t len = make_text(&state, made);
		char *copy = malloc(len + !len); /* of its own size, so that a byte too far is seen */

		if (!copy)
			return 1;
		memcpy(copy, made, len);
		check(copy, len, next(&state));
		free(copy);
	}
	printf("%lu perf maps\n", rounds);
	return 0;
}
#endif
