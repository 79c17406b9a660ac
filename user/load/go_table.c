// SPDX-License-Identifier: GPL-2.0-only
/*
 * go_table.c - functions by name in a Go program's .gopclntab.
 *
 * Layouts: Go's src/runtime/symtab.go (pcHeader, functab, _func, moduledata) of the versions 1.16 to 1.26. They differ for
 * us in three things: up to 1.17 functions are found by address, later by distance from the beginning of the text; from
 * 1.18 on the header says where that is, from 1.26 on only moduledata does; and the magic number.
 *
 *	header		u32 magic, u8 0, 0, smallest instruction, size of a pointer; then words: functions, files, [text],
 *			and distances from the header to: function names, units, files, pc tables, function table
 *	function table	{ place of the function; distance from this table to its description } for each, then its end
 *	description	place of the function; i32 distance from the names to its name; ...
 *
 * A place is a u64 address and a distance a u64, or both are u32 from 1.18 on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "load/go_table.h"

#define MAX_FUNCTIONS 8000000
#define MAX_NAMES_BYTES (512u << 20)
#define MAX_CODE_BYTES 65536 /* of a function that is believed */
#define MAX_SCAN_BYTES (256u << 20)
#define WINDOW 65536
#define MAX_WINDOWS 65536 /* that are read: real tables are in order, those made to cost are not */

enum layout { LAYOUT_NONE, LAYOUT_116, LAYOUT_118 };

/* Reads that go mostly forward, a window at a time. */
struct reader {
	int fd;
	u32 windows; /* read so far */
	u64 at;
	size_t len;
	u8 bytes[WINDOW];
};

struct table {
	struct sonde_elf *elf;
	int fd;
	enum layout layout;
	u64 addr; /* of the header */
	u64 offset;
	u64 size;
	u64 nr_functions;
	u64 names, names_end; /* distances from the header */
	u64 functions;
};

/* @len bytes at @offset of the file, NULL if there are not so many. They stay until the next call. */
static const u8 *look(struct reader *r, u64 offset, size_t len)
{
	ssize_t got;

	if (offset >= r->at && len <= r->len && offset - r->at <= r->len - len)
		return r->bytes + (offset - r->at);
	if (len > WINDOW || offset > INT64_MAX || r->windows++ >= MAX_WINDOWS)
		return NULL;
	got = pread(r->fd, r->bytes, WINDOW, offset);
	r->at = offset;
	r->len = got < 0 ? 0 : got;
	return r->len >= len ? r->bytes : NULL;
}

static enum layout layout_of(const u8 *head)
{
#ifdef __aarch64__
	const u8 smallest = 4;
#else
	const u8 smallest = 1;
#endif

	if (head[4] || head[5] || head[6] != smallest || head[7] != 8)
		return LAYOUT_NONE;
	switch (sonde_load32(head)) {
	case 0xfffffffa: /* 1.16 */
		return LAYOUT_116;
	case 0xfffffff0: /* 1.18 */
	case 0xfffffff1: /* 1.20 */
		return LAYOUT_118;
	default:
		return LAYOUT_NONE;
	}
}

/* Whether the header at @offset can be one: the tables are inside and in order. */
static bool read_header(struct table *t, struct reader *r, const struct sonde_elf_range *where)
{
	const u8 *h = look(r, where->offset, 72);
	u64 units, last;
	u32 at;

	if (!h || where->size < 72)
		return false;
	t->layout = layout_of(h);
	if (!t->layout)
		return false;
	at = t->layout == LAYOUT_118 ? 32 : 24;
	t->addr = where->addr;
	t->offset = where->offset;
	t->size = where->size;
	t->nr_functions = sonde_load64(h + 8);
	t->names = sonde_load64(h + at);
	units = sonde_load64(h + at + 8);
	last = sonde_load64(h + at + 32);
	t->names_end = units;
	t->functions = last;
	return t->nr_functions && t->nr_functions <= MAX_FUNCTIONS && t->names >= 64 && t->names < units &&
	       units < last && last < t->size && units - t->names <= MAX_NAMES_BYTES &&
	       t->nr_functions * (t->layout == LAYOUT_118 ? 8 : 16) < t->size - last;
}

/* Linkers other than Go's put the table of a position independent program somewhere into .data.rel.ro. */
static bool scan(struct table *t, struct reader *r)
{
	struct sonde_elf_range seg;
	u64 budget = MAX_SCAN_BYTES;
	int is;

	for (size_t i = 0; (is = sonde_elf_segment(t->elf, i, &seg)) >= 0; i++) {
		if (!is || seg.exec)
			continue;
		for (u64 at = -seg.addr & 31; at < seg.size && budget; at += 32, budget -= 32) {
			const u8 *h = look(r, seg.offset + at, 8);
			struct sonde_elf_range where = seg;

			if (!h)
				break;
			if (!layout_of(h))
				continue;
			where.addr += at;
			where.offset += at;
			where.size -= at;
			if (read_header(t, r, &where))
				return true;
		}
	}
	return false;
}

static int open_table(struct table *t, struct reader *r)
{
	static const char *const sections[] = { ".gopclntab", ".data.rel.ro.gopclntab" };
	struct sonde_elf_range where;

	for (size_t i = 0; i < 2; i++)
		if (sonde_elf_section(t->elf, sections[i], &where))
			return read_header(t, r, &where) ? 0 : -EPROTO;
	return scan(t, r) ? 0 : -ENOENT;
}

/* Distances of the names from the beginning of the names; those that are not there stay ~0. */
static void find_names(struct table *t, struct reader *r, const char *const name[], size_t nr, u64 at[])
{
	u64 pos = t->names, missing = nr;

	while (pos < t->names_end && missing) {
		u64 left = t->names_end - pos;
		size_t len = left < WINDOW ? left : WINDOW;
		const u8 *b = look(r, t->offset + pos, len);
		const u8 *s = b;

		if (!b)
			return;
		while (s < b + len) {
			const u8 *end = memchr(s, 0, b + len - s);

			if (!end)
				break;
			for (size_t i = 0; i < nr; i++) {
				if (at[i] != ~0ULL || strcmp((const char *)s, name[i]))
					continue;
				at[i] = pos - t->names + (s - b);
				missing--;
			}
			s = end + 1;
		}
		if (s == b) { /* a name longer than the window */
			s = b + len;
			if (len < WINDOW)
				return;
		}
		pos += s - b;
	}
}

static u32 entry_size(const struct table *t)
{
	return t->layout == LAYOUT_116 ? 16 : 8;
}

/* Where function @i begins: an address, or the distance from the beginning of the text. The last ends at number @nr_functions. */
static bool place_of(struct table *t, struct reader *r, u64 i, u64 *place)
{
	u64 at = t->functions + i * entry_size(t);
	const u8 *b;

	if (t->layout == LAYOUT_116)
		return sonde_elf_pointer(t->elf, t->addr + at, place);
	b = look(r, t->offset + at, 4);
	if (b)
		*place = sonde_load32(b);
	return b;
}

/* Distance from the names to the name of function @i. */
static bool name_of(struct table *t, struct reader *entries, struct reader *descriptions, u64 i, u32 *name)
{
	u32 half = entry_size(t) / 2;
	const u8 *b = look(entries, t->offset + t->functions + i * entry_size(t), 2 * half);
	u64 description;

	if (!b)
		return false;
	description = half == 8 ? sonde_load64(b + 8) : sonde_load32(b + 4);
	if (description > t->size - t->functions)
		return false;
	b = look(descriptions, t->offset + t->functions + description + half, 4);
	if (b)
		*name = sonde_load32(b);
	return b;
}

/* Addresses that the places in the table may count from; returns their number. */
static size_t text_starts(struct table *t, u64 start[3])
{
	struct sonde_elf_range text;
	u64 value, module;
	size_t nr = 0;

	if (t->layout == LAYOUT_116) {
		start[0] = 0;
		return 1;
	}
	if (sonde_elf_pointer(t->elf, t->addr + 24, &value) && value)
		start[nr++] = value;
	/* moduledata begins with a pointer to the header; its 23rd word is the beginning of the text */
	module = sonde_elf_pointer_to(t->elf, t->addr);
	if (module && sonde_elf_pointer(t->elf, module + 22 * 8, &value) && value)
		start[nr++] = value;
	if (sonde_elf_section(t->elf, ".text", &text) && text.addr)
		start[nr++] = text.addr;
	return nr;
}

/* The places in @symbol count from the first @start from which all of them are functions. */
static bool settle(struct table *t, bool (*is_entry)(int, u64), struct sonde_elf_symbol symbol[], size_t nr)
{
	u64 start[3], offset;
	size_t nr_starts = text_starts(t, start);

	for (size_t i = 0; i < nr_starts; i++) {
		bool fits = true;

		for (size_t k = 0; k < nr && fits; k++)
			fits = !symbol[k].size ||
			       (sonde_elf_offset(t->elf, start[i] + symbol[k].addr, symbol[k].size, &offset) &&
				is_entry(t->fd, offset));
		for (size_t k = 0; k < nr && fits; k++) {
			if (!symbol[k].size)
				continue;
			symbol[k].addr += start[i];
			sonde_elf_offset(t->elf, symbol[k].addr, symbol[k].size, &symbol[k].offset);
		}
		if (fits)
			return true;
	}
	return false;
}

static int find(struct table *t, struct reader r[2], const char *const name[], size_t nr, bool (*is_entry)(int, u64),
		struct sonde_elf_symbol symbol[])
{
	int found = 0, wanted = 0, err;
	u64 at[GO_TABLE_MAX_NAMES], end;
	u32 of;

	err = open_table(t, r);
	if (err)
		return err;
	for (size_t k = 0; k < nr; k++)
		at[k] = ~0ULL;
	find_names(t, r, name, nr, at);
	for (size_t k = 0; k < nr; k++)
		wanted += at[k] != ~0ULL;
	for (u64 i = 0; i < t->nr_functions && found < wanted; i++) {
		if (!name_of(t, &r[0], &r[1], i, &of))
			return -EPROTO;
		for (size_t k = 0; k < nr; k++) {
			struct sonde_elf_symbol *s = &symbol[k];

			if (of != at[k] || s->size)
				continue;
			if (!place_of(t, r, i, &s->addr) || !place_of(t, r, i + 1, &end) || end <= s->addr ||
			    end - s->addr > MAX_CODE_BYTES)
				return -EPROTO;
			s->size = end - s->addr;
			found++;
		}
	}
	/* A function that is part of others wherever it is called has a name, and no code. */
	if (!found)
		return wanted ? -EPROTO : 0;
	return settle(t, is_entry, symbol, nr) ? found : -EPROTO;
}

int go_table_find(struct sonde_elf *elf, int fd, const char *const name[], size_t nr,
		  bool (*is_entry)(int fd, u64 offset), struct sonde_elf_symbol symbol[])
{
	struct table t = { .elf = elf, .fd = fd };
	struct reader *r;
	int ret;

	memset(symbol, 0, nr * sizeof(*symbol));
	if (nr > GO_TABLE_MAX_NAMES)
		return -E2BIG;
	r = calloc(2, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r[0].fd = fd;
	r[1].fd = fd;
	ret = find(&t, r, name, nr, is_entry, symbol);
	free(r);
	return ret;
}
