// SPDX-License-Identifier: GPL-2.0-only
/*
 * ehframe.c - .eh_frame of a program or library as a compact table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/cfa.h"
#include "unwind/ehframe.h"

#define PADDING 64 /* bytes between functions that no call returns to: no row for them */
#define MAX_CIE_BYTES 1024 /* a CIE is read again for its functions: a long one of a hostile file would take for ever */

/* One function's entry. */
struct fde {
	u64 pc, end;
	const u8 *cie; /* where it begins */
	struct unwind_cursor program;
};

struct fdes {
	struct fde *list;
	size_t nr, cap;
};

struct maker {
	const u8 *bytes;
	size_t len;
	u64 addr;
	struct unwind_table *out;
	const u8 *cie_at; /* the one that is in @cie */
	struct unwind_cie cie;
	bool cie_good;
};

/* What the letters of @augmentation say; false: it is not known where the data end. */
static bool read_augmentation(struct unwind_cursor *c, const char *augmentation, struct unwind_cie *cie)
{
	struct unwind_cursor data;

	if (!*augmentation)
		return true;
	if (*augmentation != 'z')
		return false;
	cie->augmented = true;
	data = unwind_part(c, unwind_uleb(c));
	for (const char *letter = augmentation + 1; *letter; letter++) {
		switch (*letter) {
		case 'L':
			unwind_number(&data, 1);
			break;
		case 'P':
			unwind_pointer(&data, (u8)unwind_number(&data, 1) & (u8)~UNWIND_PE_INDIRECT, 0);
			break;
		case 'R':
			cie->fde_encoding = (u8)unwind_number(&data, 1);
			break;
		case 'S':
			cie->signal = true;
			break;
		default:
			return true; /* the rest cannot be told, and is not needed */
		}
	}
	return !data.bad;
}

/* The entry at @c, without its length; false: it is none that is known. */
static bool read_cie(struct unwind_cursor c, struct unwind_cie *cie)
{
	const char *augmentation;
	u64 version;

	*cie = (struct unwind_cie){};
	if (unwind_number(&c, 4))
		return false;
	version = unwind_number(&c, 1);
	if (version != 1 && version != 3 && version != 4)
		return false;
	augmentation = (const char *)c.p;
	if (!memchr(c.p, '\0', unwind_left(&c)))
		return false;
	unwind_skip(&c, strlen(augmentation) + 1);
	if (version == 4)
		unwind_skip(&c, 2); /* sizes of addresses and segments */
	cie->code_align = unwind_uleb(&c);
	cie->data_align = unwind_sleb(&c);
	cie->ra_register = version == 1 ? unwind_number(&c, 1) : unwind_uleb(&c);
	if (!read_augmentation(&c, augmentation, cie))
		return false;
	cie->initial = c;
	return !c.bad;
}

/* The next entry's content, without its length; false at the end. */
static bool next_entry(struct unwind_cursor *c, struct unwind_cursor *entry)
{
	u64 len;

	if (unwind_left(c) < 4)
		return false;
	len = unwind_number(c, 4);
	if (len == 0xffffffff)
		len = unwind_number(c, 8);
	if (!len || c->bad || len > unwind_left(c))
		return false;
	*entry = unwind_part(c, len);
	return true;
}

/* The CIE that begins at @start in @maker->cie; false: it is not a good one. */
static bool use_cie(struct maker *maker, const u8 *start)
{
	struct unwind_cursor c = { .p = maker->bytes, .end = maker->bytes + maker->len, .addr = maker->addr }, entry;
	u64 wide;

	if (maker->cie_at == start)
		return maker->cie_good;
	maker->cie_at = start;
	maker->cie_good = false;
	if (start < maker->bytes || start >= maker->bytes + maker->len)
		return false;
	unwind_skip(&c, (u64)(start - maker->bytes));
	wide = unwind_number(&c, 4);
	if (wide == 0 || wide > MAX_CIE_BYTES || wide > unwind_left(&c))
		return false;
	entry = unwind_part(&c, wide);
	maker->cie_good = read_cie(entry, &maker->cie);
	return maker->cie_good;
}

static int add_fde(struct fdes *fdes, const struct fde *fde)
{
	if (fdes->nr >= UNWIND_MAX_ROWS)
		return -E2BIG;
	if (fdes->nr == fdes->cap) {
		size_t cap = fdes->cap ? fdes->cap * 2 : 1024;
		struct fde *list = realloc(fdes->list, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		fdes->list = list;
		fdes->cap = cap;
	}
	fdes->list[fdes->nr++] = *fde;
	return 0;
}

static int read_fde(struct maker *maker, struct unwind_cursor c, struct fdes *fdes)
{
	const u8 *at = c.p;
	u64 back = unwind_number(&c, 4), range;
	struct fde fde = { .cie = at - back };

	if (!back)
		return 0; /* a CIE */
	if (back > (u64)(at - maker->bytes) || !use_cie(maker, fde.cie)) {
		maker->out->nr_bad++;
		return 0;
	}
	fde.pc = unwind_pointer(&c, maker->cie.fde_encoding, 0);
	range = unwind_pointer(&c, maker->cie.fde_encoding & UNWIND_PE_FORMAT, 0);
	fde.end = fde.pc + range;
	if (maker->cie.augmented)
		unwind_skip(&c, unwind_uleb(&c));
	if (c.bad || fde.end < fde.pc) {
		maker->out->nr_bad++;
		return 0;
	}
	fde.program = c;
	return range && fde.pc ? add_fde(fdes, &fde) : 0; /* the linker left functions out */
}

static int by_pc(const void *a, const void *b)
{
	const struct fde *x = a, *y = b;

	return x->pc < y->pc ? -1 : x->pc > y->pc;
}

static int add_row(void *ctx, u64 pc, const struct sonde_unwind_row *row)
{
	return unwind_table_add(ctx, pc, row);
}

static int make_rows(struct maker *maker, const struct fdes *fdes)
{
	struct unwind_table *out = maker->out;
	const struct sonde_unwind_row odd = { .kind = SONDE_UNWIND_ODD };
	int err = 0;

	out->base = fdes->list[0].pc;
	out->end = out->base;
	for (size_t i = 0; i < fdes->nr && !err; i++) {
		struct fde fde = fdes->list[i];
		u32 before;

		if (fde.end - out->base > UNWIND_MAX_SPAN)
			return -E2BIG;
		if (fde.pc < out->end) /* two describe the same code: the first one counts */
			continue;
		out->nr_functions++;
		if (fde.pc > out->end + PADDING)
			err = unwind_table_add_gap(out, out->end);
		before = out->nr;
		if (!err && use_cie(maker, fde.cie))
			err = unwind_cfa_run(&maker->cie, fde.program, fde.pc, fde.end, add_row, out);
		if (err == -EINVAL) {
			out->nr_bad++;
			out->nr = before;
			err = unwind_table_add(out, fde.pc, &odd);
		}
		out->end = fde.end;
	}
	return err ? err : unwind_table_add_gap(out, out->end);
}

int unwind_ehframe_table(const u8 *bytes, size_t len, u64 addr, struct unwind_table *out)
{
	struct unwind_cursor all = { .p = bytes, .end = bytes + len, .addr = addr }, entry;
	struct maker maker = { .bytes = bytes, .len = len, .addr = addr, .out = out };
	struct fdes fdes = {};
	int err = 0;

	*out = (struct unwind_table){};
	while (!err && next_entry(&all, &entry))
		err = read_fde(&maker, entry, &fdes);
	if (!err && !fdes.nr)
		err = -ENOENT;
	if (!err) {
		qsort(fdes.list, fdes.nr, sizeof(*fdes.list), by_pc);
		err = make_rows(&maker, &fdes);
	}
	free(fdes.list);
	if (err)
		unwind_table_free(out);
	return err;
}
