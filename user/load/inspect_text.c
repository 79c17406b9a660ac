// SPDX-License-Identifier: GPL-2.0-only
/*
 * inspect_text.c - what a file says of itself in its strings.
 *
 * A library that is linked in without symbols cannot be probed, but it can be named: it keeps the names of its source files
 * for its error messages, its version, the statements it runs itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/inspect_text.h"

#define CHUNK (1u << 20)
#define OVERLAP 128

/* Version behind @mark, of digits, dots and letters; the first that begins with a digit. */
static void version_behind(const char *bytes, size_t len, const char *mark, char *version, size_t size)
{
	const char *end = bytes + len, *p = bytes;
	size_t skip = strlen(mark), n;

	while (!*version && (p = memmem(p, end - p, mark, skip))) {
		p += skip;
		for (n = 0; p + n < end && n + 1 < size; n++)
			if (!((p[n] >= '0' && p[n] <= '9') || p[n] == '.' || (n && p[n] >= 'a' && p[n] <= 'z')))
				break;
		if (n >= 3 && p[0] >= '0' && p[0] <= '9' && memchr(p, '.', n))
			snprintf(version, size, "%.*s", (int)n, p);
	}
}

static bool has(const char *bytes, size_t len, const char *mark)
{
	return memmem(bytes, len, mark, strlen(mark));
}

static void look(const char *bytes, size_t len, struct inspect_text *t)
{
	t->boring |= has(bytes, len, "ssl/ssl_lib.cc");
	t->libssl |= t->boring || has(bytes, len, "ssl/ssl_lib.c");
	t->rustls |= has(bytes, len, "/rustls-0.");
	t->sqlite |= has(bytes, len, "rootpage int,sql text");
	version_behind(bytes, len, "OpenSSL ", t->openssl, sizeof(t->openssl));
	version_behind(bytes, len, "nodejs.org/download/release/v", t->node, sizeof(t->node));
}

u64 inspect_text_scan(int fd, u64 max, struct inspect_text *t)
{
	char *bytes = malloc(CHUNK);
	u64 at = 0;
	ssize_t n;

	memset(t, 0, sizeof(*t));
	while (bytes && at < max && (n = pread(fd, bytes, CHUNK, at)) > 0) {
		look(bytes, n, t);
		if (n <= OVERLAP)
			break;
		at += n - OVERLAP;
	}
	free(bytes);
	return at;
}
