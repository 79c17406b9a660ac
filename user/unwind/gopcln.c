// SPDX-License-Identifier: GPL-2.0-only
/*
 * gopcln.c - the stack frames of Go code.
 *
 * Go keeps frame pointers, but not in functions without a frame: small ones, and those in assembly that make system calls. Who follows
 * frame pointers misses their callers. For each instruction .gopclntab says how far the stack pointer is below where it was when the
 * function was called (base/pclntab.h).
 *
 *	pc table	pairs of varints: by how much the value changes (the lowest bit is the sign), for how many bytes of code it
 *			holds then; it begins with -1
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/pclntab.h"
#include "unwind/gopcln.h"

#define MAX_STEPS (64u << 20) /* of all pc tables: those made to cost are longer */
#define FLAG_TOP 1 /* funcFlag_TOPFRAME: nobody called it */
#define FLAG_SWITCH 2 /* funcFlag_SPWRITE: it goes over to another stack */
#define SIGNAL_SP 160 /* from the stack pointer that a signal handler returns to, to the one that was interrupted */

struct gopcln {
	struct sonde_pclntab of;
	u32 steps;
	struct unwind_table *out;
};

static u64 place_of(const struct gopcln *g, u64 i)
{
	return sonde_pclntab_place(&g->of, i);
}

static bool is_named(const struct gopcln *g, const u8 *description, const char *name)
{
	u64 at = sonde_load32(description), len = strlen(name), bytes = g->of.tables - g->of.names;

	return at < bytes && len < bytes - at && !memcmp(g->of.bytes + g->of.names + at, name, len);
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
	const u8 *limit = g->of.bytes + g->of.functions;
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
	const u8 *d = sonde_pclntab_description(&g->of, i, g->of.flags_at + 1);
	u32 flags = d ? d[g->of.flags_at] : 0, table = d ? sonde_load32(d + 12) : 0;
	int err;

	if (flags & FLAG_TOP)
		row.kind = SONDE_UNWIND_OUTERMOST;
	else if (d && is_named(g, d, "runtime.sigreturn"))
		row = (struct sonde_unwind_row){ .kind = SONDE_UNWIND_SIGNAL, .cfa = SIGNAL_SP / 8 };
	else if (table && table < g->of.functions - g->of.tables && !(flags & FLAG_SWITCH)) {
		u32 before = g->out->nr;

		err = run(g, g->of.bytes + g->of.tables + table, pc, end);
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
	if (g->of.half == 8)
		return place_of(g, 0) != 0; /* else they are relocated, and not in the file */
	if (g->of.said)
		return true;
	for (u64 i = 0; i < g->of.nr; i++)
		if (place_of(g, i) == entry)
			return true;
	return false;
}

int unwind_gopcln_table(const u8 *bytes, size_t len, u64 text, u64 entry, struct unwind_table *out)
{
	struct gopcln g = { .out = out };
	int err = 0;

	*out = (struct unwind_table){};
	if (!sonde_pclntab_read(&g.of, bytes, len, text) || g.of.names >= g.of.tables || g.of.tables >= g.of.functions ||
	    !begins_as_go(&g, entry))
		return -ENOENT;
	out->base = place_of(&g, 0);
	out->end = out->base;
	for (u64 i = 0; i < g.of.nr && !err; i++) {
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
