// SPDX-License-Identifier: GPL-2.0-only
/*
 * ignore.c - findings that somebody does not want to hear of again.
 */
#include <stdlib.h>
#include <string.h>

#include "model/ignore.h"

#define ID_DIGITS 16

struct sonde_ignore {
	u64 *id;
	size_t nr_ids;
	char **pattern;
	size_t nr_patterns;
};

void sonde_ignore_free(struct sonde_ignore *ignore)
{
	if (!ignore)
		return;
	for (size_t i = 0; i < ignore->nr_patterns; i++)
		free(ignore->pattern[i]);
	free(ignore->pattern);
	free(ignore->id);
	free(ignore);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* How many hexadecimal digits @s begins with. */
static size_t hex(const char *s, size_t len, u64 *value)
{
	size_t n = 0;

	*value = 0;
	for (; n < len; n++) {
		const char *digits = "0123456789abcdef", *at = s[n] ? strchr(digits, s[n] | 0x20) : NULL;

		if (!at)
			break;
		*value = *value << 4 | (u64)(at - digits);
	}
	return n;
}

static int add_id(struct sonde_ignore *ignore, u64 id)
{
	u64 *more = realloc(ignore->id, (ignore->nr_ids + 1) * sizeof(*more));

	if (!more)
		return -1;
	ignore->id = more;
	more[ignore->nr_ids++] = id;
	return 0;
}

static int add_pattern(struct sonde_ignore *ignore, const char *s, size_t len)
{
	char **more = realloc(ignore->pattern, (ignore->nr_patterns + 1) * sizeof(*more));

	if (!more)
		return -1;
	ignore->pattern = more;
	more[ignore->nr_patterns] = strndup(s, len);
	return more[ignore->nr_patterns] ? (ignore->nr_patterns++, 0) : -1;
}

/* Takes one line. Returns 0, 1 for a bad line, or -1 when out of memory. */
static int take(struct sonde_ignore *ignore, const char *s, size_t len, const char **why)
{
	size_t digits, star = 0, rest;
	u64 id;

	while (len && is_blank(s[0])) {
		s++;
		len--;
	}
	while (len && is_blank(s[len - 1]))
		len--;
	if (!len || s[0] == '#')
		return 0;
	for (size_t i = 0; i < len; i++) {
		star += s[i] == '*' || is_blank(s[i]);
		if ((unsigned char)s[i] < ' ' && !is_blank(s[i])) {
			*why = "it has a control character: is this a text file?";
			return 1;
		}
	}
	if (star == len) {
		*why = "this pattern would ignore everything";
		return 1;
	}
	digits = hex(s, len, &id);
	for (rest = digits; rest < len && is_blank(s[rest]);)
		rest++;
	if (digits >= 8 && (rest == len || (rest > digits && s[rest] == '#'))) {
		if (digits == ID_DIGITS)
			return add_id(ignore, id);
		*why = "an id has 16 hexadecimal digits";
		return 1;
	}
	return add_pattern(ignore, s, len);
}

struct sonde_ignore *sonde_ignore_new(const char *s, size_t len, unsigned int *line, const char **why)
{
	struct sonde_ignore *ignore = calloc(1, sizeof(*ignore));
	int bad = ignore ? 0 : -1;

	*line = 0;
	while (len && !bad) {
		const char *end = memchr(s, '\n', len);
		size_t n = end ? (size_t)(end - s) : len;

		++*line;
		bad = take(ignore, s, n, why);
		n += end != NULL;
		s += n;
		len -= n;
	}
	if (!bad)
		return ignore;
	if (bad < 0)
		*line = 0;
	sonde_ignore_free(ignore);
	return NULL;
}

/* Whether all of @text matches @pattern. A star that fails is tried one character further on: no recursion. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool sonde_ignore_has(const struct sonde_ignore *ignore, u64 id, u64 query_id, const char *query)
{
	if (!ignore)
		return false;
	for (size_t i = 0; i < ignore->nr_ids; i++)
		if (ignore->id[i] == id || ignore->id[i] == query_id)
			return true;
	for (size_t i = 0; query && i < ignore->nr_patterns; i++)
		if (matches(ignore->pattern[i], query))
			return true;
	return false;
}
