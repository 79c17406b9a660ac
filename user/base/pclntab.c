// SPDX-License-Identifier: GPL-2.0-only
/*
 * pclntab.c - reads the header of Go's table of functions.
 */
#include "base/bytes.h"
#include "base/pclntab.h"

#define MAX_FUNCTIONS 8000000

bool sonde_pclntab_read(struct sonde_pclntab *t, const u8 *bytes, u64 size, u64 text)
{
	u32 at = 32;

	*t = (struct sonde_pclntab){ .bytes = bytes, .size = size, .half = 4, .flags_at = 33 };
	if (size < 72 || bytes[4] || bytes[5] || bytes[7] != 8)
		return false;
	switch (sonde_load32(bytes)) {
	case 0xfffffffa: /* 1.16 */
		t->half = 8;
		at = 24;
		break;
	case 0xfffffff0: /* 1.18 */
		break;
	case 0xfffffff1: /* 1.20 */
		t->flags_at = 37;
		break;
	default:
		return false;
	}
	t->said = t->half == 4 && sonde_load64(bytes + 24);
	if (t->half == 4)
		t->text = t->said ? sonde_load64(bytes + 24) : text;
	t->nr = sonde_load64(bytes + 8);
	t->names = sonde_load64(bytes + at);
	t->units = sonde_load64(bytes + at + 8);
	t->tables = sonde_load64(bytes + at + 24);
	t->functions = sonde_load64(bytes + at + 32);
	return t->nr && t->nr <= MAX_FUNCTIONS && t->functions < size && (t->nr * 2 + 1) * t->half <= size - t->functions;
}

static const u8 *entry(const struct sonde_pclntab *t, u64 i)
{
	return t->bytes + t->functions + i * 2 * t->half;
}

u64 sonde_pclntab_place(const struct sonde_pclntab *t, u64 i)
{
	return t->half == 8 ? sonde_load64(entry(t, i)) : t->text + sonde_load32(entry(t, i));
}

const u8 *sonde_pclntab_description(const struct sonde_pclntab *t, u64 i, u64 bytes)
{
	u64 at = t->half == 8 ? sonde_load64(entry(t, i) + 8) : sonde_load32(entry(t, i) + 4), left = t->size - t->functions;

	return at <= left && left - at >= t->half + bytes ? t->bytes + t->functions + at + t->half : NULL;
}
