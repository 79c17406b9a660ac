// SPDX-License-Identifier: GPL-2.0-only
/*
 * perfmap.c - the text of a perf map.
 *
 * Code is moved and its memory used again: of all lines that cover an address the last one tells. Lines are kept sorted
 * by their beginning; new ones are sorted and merged in when the next address is asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sym/perfmap.h"

#define MAX_LINE_BYTES 4096
#define MAX_ENTRIES (1u << 20)
#define MAX_NAMES_BYTES (128u << 20)
#define MAX_OVERLAPS 4096 /* lines looked at for one address: hostile maps must not cost time */

struct entry {
	u64 start;
	u64 end; /* exclusive */
	u64 reach; /* the largest end of this and all entries before it */
	u32 number; /* of the line */
	u32 name; /* place in the names */
};

struct sym_perfmap {
	struct entry *entries;
	size_t nr, cap;
	size_t nr_sorted;
	char *names;
	size_t names_len, names_cap;
	size_t line_len;
	bool skipping; /* the rest of a line that is too long */
	char line[MAX_LINE_BYTES];
};

struct sym_perfmap *sym_perfmap_new(void)
{
	return calloc(1, sizeof(struct sym_perfmap));
}

void sym_perfmap_free(struct sym_perfmap *map)
{
	if (!map)
		return;
	free(map->entries);
	free(map->names);
	free(map);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A hex number with or without 0x, and the blank after it; returns what follows or NULL. */
static const char *parse_hex(const char *s, const char *end, u64 *value)
{
	size_t digits = 0;
	int digit;

	if (end - s > 2 && s[0] == '0' && (s[1] | 0x20) == 'x')
		s += 2;
	*value = 0;
	for (; s < end && (digit = hex_digit(*s)) >= 0; s++) {
		if (*value >> 60)
			return NULL;
		*value = *value << 4 | digit;
		digits++;
	}
	if (!digits || s >= end || *s != ' ')
		return NULL;
	while (s < end && *s == ' ')
		s++;
	return s;
}

/* Room for @want more elements of @size bytes behind the @nr that are there. */
static int grow(void *array, size_t *cap, size_t nr, size_t want, size_t size)
{
	size_t cap_new = *cap ? *cap : 256;
	void *bigger;

	if (nr + want <= *cap)
		return 0;
	while (cap_new < nr + want)
		cap_new *= 2;
	bigger = realloc(*(void **)array, cap_new * size);
	if (!bigger)
		return -ENOMEM;
	*(void **)array = bigger;
	*cap = cap_new;
	return 0;
}

static int add_line(struct sym_perfmap *map, const char *line, size_t len)
{
	const char *end = line + len, *s;
	u64 start, size;
	size_t name_len;

	if (len && end[-1] == '\r')
		end--;
	s = parse_hex(line, end, &start);
	if (s)
		s = parse_hex(s, end, &size);
	if (!s || s == end || !size || start + size < start)
		return 0;
	name_len = end - s;
	if (memchr(s, '\0', name_len))
		return 0;
	if (map->nr >= MAX_ENTRIES || map->names_len + name_len + 1 > MAX_NAMES_BYTES)
		return -ENOSPC;
	if (grow(&map->entries, &map->cap, map->nr, 1, sizeof(*map->entries)) ||
	    grow(&map->names, &map->names_cap, map->names_len, name_len + 1, 1))
		return -ENOMEM;
	map->entries[map->nr] =
		(struct entry){ .start = start, .end = start + size, .number = map->nr, .name = map->names_len };
	map->nr++;
	memcpy(map->names + map->names_len, s, name_len);
	map->names_len += name_len;
	map->names[map->names_len++] = '\0';
	return 0;
}

int sym_perfmap_feed(struct sym_perfmap *map, const char *text, size_t len)
{
	int err = 0;

	while (len && !err) {
		const char *newline = memchr(text, '\n', len);
		size_t part = newline ? (size_t)(newline - text) : len;

		if (map->skipping || map->line_len + part > MAX_LINE_BYTES) {
			map->skipping = !newline;
			map->line_len = 0;
		} else if (newline && !map->line_len) {
			err = add_line(map, text, part);
		} else {
			memcpy(map->line + map->line_len, text, part);
			map->line_len += part;
			if (newline) {
				err = add_line(map, map->line, map->line_len);
				map->line_len = 0;
			}
		}
		part += newline != NULL;
		text += part;
		len -= part;
	}
	return err;
}

static int by_start(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* Sort what is new and merge it with what was there. */
static bool settle(struct sym_perfmap *map)
{
	size_t old = 0, nr_old = map->nr_sorted, new = nr_old;
	struct entry *merged;
	u64 reach = 0;

	if (map->nr_sorted == map->nr)
		return true;
	merged = malloc(map->cap * sizeof(*merged));
	if (!merged)
		return false;
	qsort(map->entries + new, map->nr - new, sizeof(*merged), by_start);
	for (size_t i = 0; i < map->nr; i++) {
		bool take_old =
			new == map->nr || (old < nr_old && by_start(&map->entries[old], &map->entries[new]) < 0);

		merged[i] = map->entries[take_old ? old++ : new ++];
		if (merged[i].end > reach)
			reach = merged[i].end;
		merged[i].reach = reach;
	}
	free(map->entries);
	map->entries = merged;
	map->nr_sorted = map->nr;
	return true;
}

const char *sym_perfmap_find(struct sym_perfmap *map, u64 addr)
{
	const struct entry *best = NULL;
	size_t low = 0, high;

	if (!settle(map))
		return NULL;
	high = map->nr;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->entries[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t looked = 0; low > 0 && looked < MAX_OVERLAPS; looked++) {
		const struct entry *e = &map->entries[--low];

		if (e->reach <= addr)
			break;
		if (e->end > addr && (!best || e->number > best->number))
			best = e;
	}
	return best ? map->names + best->name : NULL;
}
