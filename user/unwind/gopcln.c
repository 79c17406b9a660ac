// SPDX-License-Identifier: GPL-2.0-only
/*
 * gopcln.c - the stack frames of Go code.
 *
 * Go keeps frame pointers, but not in functions without a frame: small ones, and those in assembly that make system calls. Who follows
 * frame pointers misses their callers. For each instruction .gopclntab says how far the stack pointer is below where it was when the
 * function was called. Layouts as in Go's src/runtime/symtab.go (pcHeader, functab, _func) of the versions 1.16 to 1.26:
 *
 *	header		u32 magic, u8 0, 0, smallest instruction, size of a pointer; then words: functions, files, [text], and distances
 *			from the header to: function names, units, files, pc tables, function table
 *	function table	{ place of the function; distance from this table to its description } for each, then its end
 *	description	place of the function; then u32: name, arguments, deferreturn, distance into the pc tables to how far the stack
 *			pointer goes, three other tables, unit, [first line]; u8: id, flags
 *	pc table	pairs of varints: by how much the value changes (the lowest bit is the sign), for how many bytes of code it
 *			holds then; it begins with -1
 *
 * A place is a u64 address and a distance a u64, or from 1.18 on both are u32 and places count from the beginning of the text.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "unwind/gopcln.h"

#define MAX_FUNCTIONS 8000000
#define MAX_STEPS (64u << 20) /* of all pc tables: those made to cost are longer */
#define FLAG_TOP 1 /* funcFlag_TOPFRAME: nobody called it */
#define FLAG_SWITCH 2 /* funcFlag_SPWRITE: it goes over to another stack */
#define SIGNAL_SP 160 /* from the stack pointer that a signal handler returns to, to the one that was interrupted */

struct gopcln {
	const u8 *bytes;
	u64 size;
	u64 text;
	u64 nr;
	u64 names, tables, functions; /* distances from the header */
	u32 half; /* bytes of a place, and of a distance */
	u32 flags_at; /* in a description, behind the place */
	u32 steps;
	struct unwind_table *out;
};

static bool read_header(struct gopcln *g)
{
	const u8 *h = g->bytes;
	u32 at;

	if (g->size < 72 || h[4] || h[5] || h[7] != 8)
		return false;
	g->half = 4;
	at = 32;
	g->flags_at = 33;
	switch (sonde_load32(h)) {
	case 0xfffffffa: /* 1.16 */
		g->half = 8;
		at = 24;
		break;
	case 0xfffffff0: /* 1.18 */
		break;
	case 0xfffffff1: /* 1.20 */
		g->flags_at = 37;
		break;
	default:
		return false;
	}
	if (g->half == 4 && sonde_load64(h + 24))
		g->text = sonde_load64(h + 24);
	g->nr = sonde_load64(h + 8);
	g->names = sonde_load64(h + at);
	g->tables = sonde_load64(h + at + 24);
	g->functions = sonde_load64(h + at + 32);
	return g->nr && g->nr <= MAX_FUNCTIONS && g->names < g->tables && g->tables < g->functions &&
	       g->functions < g->size && (g->nr * 2 + 1) * g->half <= g->size - g->functions;
}

static u64 place_of(const struct gopcln *g, u64 i)
{
	const u8 *p = g->bytes + g->functions + i * 2 * g->half;

	return g->half == 8 ? sonde_load64(p) : g->text + sonde_load32(p);
}

/* What follows the place in function @i's description; NULL: it is not there. */
static const u8 *description_of(const struct gopcln *g, u64 i)
{
	const u8 *p = g->bytes + g->functions + i * 2 * g->half;
	u64 at = g->half == 8 ? sonde_load64(p + 8) : sonde_load32(p + 4), left = g->size - g->functions;

	return at < left && left - at >= g->half + g->flags_at + 1 ? g->bytes + g->functions + at + g->half : NULL;
}

static bool is_named(const struct gopcln *g, const u8 *description, const char *name)
{
	u64 at = sonde_load32(description), len = strlen(name);

	return at < g->tables - g->names && len < g->tables - g->names - at &&
	       !memcmp(g->bytes + g->names + at, name, len);
}

/* The number at @*p, which is set behind it; false: it does not end before @end. */
static bool take_varint(const u8 **p, const u8 *end, u32 *value)
{
	*value = 0;
	for (u32 shift = 0; shift < 32 && *p < end; shift += 7) {
		u8 byte = *(*p)++;

		*value |= (u32)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* Where the stack pointer is @below where it was. A function with a frame keeps its caller's frame pointer at the top of it. */
static struct sonde_unwind_row row_of(s32 below)
{
	struct sonde_unwind_row row = { .kind = SONDE_UNWIND_ODD };

	if (below < 0 || below % 8 || below / 8 >= UINT16_MAX)
		return row;
	row.kind = SONDE_UNWIND_SP;
	row.cfa = (u16)(below / 8 + 1);
	row.bp = below ? -2 : 0;
	return row;
}

/* The pc table at @p for the code from @pc to @end. 0, -EINVAL if it makes no sense, or as unwind_table_add(). */
static int run(struct gopcln *g, const u8 *p, u64 pc, u64 end)
{
	const u8 *limit = g->bytes + g->functions;
	u32 change, bytes;
	s32 value = -1;
	int err = 0;

	for (bool first = true; !err && pc < end; first = false) {
		struct sonde_unwind_row row;

		if (++g->steps > MAX_STEPS)
			return -E2BIG;
		if (!take_varint(&p, limit, &change))
			return -EINVAL;
		if (!change && !first)
			break;
		if (!take_varint(&p, limit, &bytes) || !bytes)
			return -EINVAL;
		value = (s32)((u32)value + (change & 1 ? ~(change >> 1) : change >> 1));
		row = row_of(value);
		err = unwind_table_add(g->out, pc, &row);
		pc += bytes;
	}
	return err;
}

static int add_function(struct gopcln *g, u64 i, u64 pc, u64 end)
{
	struct sonde_unwind_row row = { .kind = SONDE_UNWIND_NONE };
	const u8 *d = description_of(g, i);
	u32 flags = d ? d[g->flags_at] : 0, table = d ? sonde_load32(d + 12) : 0;
	int err;

	if (flags & FLAG_TOP)
		row.kind = SONDE_UNWIND_OUTERMOST;
	else if (d && is_named(g, d, "runtime.sigreturn"))
		row = (struct sonde_unwind_row){ .kind = SONDE_UNWIND_SIGNAL, .cfa = SIGNAL_SP / 8 };
	else if (table && table < g->functions - g->tables && !(flags & FLAG_SWITCH)) {
		u32 before = g->out->nr;

		err = run(g, g->bytes + g->tables + table, pc, end);
		if (err != -EINVAL)
			return err;
		g->out->nr_bad++;
		g->out->nr = before;
		row.kind = SONDE_UNWIND_ODD;
	}
	return unwind_table_add(g->out, pc, &row);
}

/* Where the header does not say what places count from, the beginning of the text is right if the program begins with a function. */
static bool begins_as_go(const struct gopcln *g, u64 entry)
{
	if (g->half == 8)
		return place_of(g, 0) != 0; /* else they are relocated, and not in the file */
	if (sonde_load64(g->bytes + 24))
		return true;
	for (u64 i = 0; i < g->nr; i++)
		if (place_of(g, i) == entry)
			return true;
	return false;
}

int unwind_gopcln_table(const u8 *bytes, size_t len, u64 text, u64 entry, struct unwind_table *out)
{
	struct gopcln g = { .bytes = bytes, .size = len, .text = text, .out = out };
	int err = 0;

	*out = (struct unwind_table){};
	if (!read_header(&g) || !begins_as_go(&g, entry))
		return -ENOENT;
	out->base = place_of(&g, 0);
	out->end = out->base;
	for (u64 i = 0; i < g.nr && !err; i++) {
		u64 pc = place_of(&g, i), end = place_of(&g, i + 1);

		if (pc < out->end || end < pc) /* out of order */
			err = -ENOENT;
		else if (end - out->base > UNWIND_MAX_SPAN)
			err = -E2BIG;
		else
			err = add_function(&g, i, pc, end);
		out->end = end;
		out->nr_functions++;
	}
	if (!err)
		err = unwind_table_add_gap(out, out->end);
	if (err)
		unwind_table_free(out);
	return err;
}
