// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_maps.c - lines of /proc/PID/maps, in which a process chooses the names, read by both that read them.
 *
 * With -fsanitize=fuzzer (SONDE_LIBFUZZER defined) a libFuzzer target. Otherwise fuzz_maps [ITERATIONS [SEED]], or fuzz_maps FILE... .
 */
#include <stdio.h>

#include "load/maps.c"
#undef DELETED
#include "sym/space.c"

#define LINE_MAX_BYTES 4096

/* What the loader takes the other one takes, and both find the same in it. */
static void check(const u8 *bytes, size_t len)
{
	char *a = malloc(len + 1), *b = malloc(len + 1); /* of their own size, so that a byte too far is seen */
	struct sonde_mapping m = {};
	struct sym_mapping s = {};
	bool one, other;

	memcpy(a, bytes, len);
	a[len] = '\0';
	memcpy(b, a, len + 1);
	one = sonde_maps_parse(a, &m);
	other = sym_maps_parse(b, &s);
	if (one && (m.path < a || m.path + strlen(m.path) > a + len || m.path[0] != '/' || strchr(m.path, '\n')))
		abort();
	if (other && (s.path < b || s.path + strlen(s.path) > b + len || s.start >= s.end))
		abort();
	if (one && m.start < m.end &&
	    (!other || m.start != s.start || m.end != s.end || m.offset != s.offset || m.inode != s.inode || m.dev != s.dev))
		abort();
	free(a);
	free(b);
}

#ifdef SONDE_LIBFUZZER
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size <= LINE_MAX_BYTES)
		check(data, size);
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

static size_t make_line(u64 *r, char *line)
{
	static const char *const paths[] = {
		"/usr/lib/libssl.so.3", "/a (deleted)", " (deleted)", "/\\012 (deleted) (deleted)", "[vdso]", "/ ", "", "/memfd:x (deleted)",
		"/\xff\x1b[31m", "anon_inode:[perf_event]",
	};
	static const char *const perms[] = { "r-xp", "rwxs", "r--p", "x", "", "rrrrrrrrrrrx" };
	static const char *const forms[] = { "%llx-%llx %s %llx %x:%x %llu                  %s\n", "%llx-%llx %s %llx %x:%x %llu%s\n",
					     "%llx-%llx %s %llx %x:%x %llu %s", "%llx %llx %s %llx:%x:%x %llu %s\n" };
	u64 start = next(r) << next(r) % 17;
	size_t len;

	len = snprintf(line, LINE_MAX_BYTES, forms[next(r) % 4 ? 0 : next(r) % 4], (unsigned long long)start,
		       (unsigned long long)(start + next(r) % 99999), perms[next(r) % 3 ? 0 : next(r) % 6],
		       (unsigned long long)next(r), (u32)next(r) % 512, (u32)next(r) % 512,
		       (unsigned long long)(next(r) % 4 ? next(r) : 0), paths[next(r) % 10]);
	for (u64 n = next(r) % 4; n; n--)
		line[next(r) % len] = (char)next(r);
	return next(r) % 8 ? len : next(r) % len;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 10000;
	u64 state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static char line[LINE_MAX_BYTES];

	for (int i = 1; argc > 1 && !rounds && i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");

		if (!f) {
			perror(argv[i]);
			return 1;
		}
		check((u8 *)line, fread(line, 1, sizeof(line), f));
		fclose(f);
	}
	if (!rounds)
		return 0;
	for (unsigned long i = 0; i < rounds; i++)
		check((u8 *)line, make_line(&state, line));
	printf("%lu lines of maps\n", rounds);
	return 0;
}
#endif
