// SPDX-License-Identifier: GPL-2.0-only
/*
 * cursor.c - reads DWARF's numbers out of memory that may end anywhere.
 */
#include "unwind/cursor.h"

void unwind_skip(struct unwind_cursor *c, u64 len)
{
	if (len > unwind_left(c)) {
		c->bad = true;
		len = unwind_left(c);
	}
	c->p += len;
	c->addr += len;
}

struct unwind_cursor unwind_part(struct unwind_cursor *c, u64 len)
{
	struct unwind_cursor part = *c;

	unwind_skip(c, len);
	part.end = c->p;
	return part;
}

u64 unwind_number(struct unwind_cursor *c, unsigned int bytes)
{
	u64 value = 0;

	if (bytes > unwind_left(c)) {
		unwind_skip(c, bytes);
		return 0;
	}
	for (unsigned int i = 0; i < bytes; i++)
		value |= (u64)c->p[i] << 8 * i;
	unwind_skip(c, bytes);
	return value;
}

/* LEB128 (DWARF 5, 7.6): its bits, how many there are in @bits, and whether the last byte says that the number is negative. */
static u64 leb(struct unwind_cursor *c, unsigned int *bits, bool *negative)
{
	u64 value = 0, byte;

	*bits = 0;
	do {
		byte = unwind_number(c, 1);
		if (*bits < 64)
			value |= (byte & 0x7f) << *bits;
		*bits += 7;
	} while (byte & 0x80);
	*negative = byte & 0x40;
	return value;
}

u64 unwind_uleb(struct unwind_cursor *c)
{
	unsigned int bits;
	bool negative;

	return leb(c, &bits, &negative);
}

s64 unwind_sleb(struct unwind_cursor *c)
{
	unsigned int bits;
	bool negative;
	u64 value = leb(c, &bits, &negative);

	return (s64)(negative && bits < 64 ? value | ~0ULL << bits : value);
}

u64 unwind_pointer(struct unwind_cursor *c, u8 encoding, u64 data)
{
	u64 at = c->addr, value;

	switch (encoding & UNWIND_PE_FORMAT) {
	case 0x00:
	case 0x04:
	case 0x0c:
		value = unwind_number(c, 8);
		break;
	case 0x01:
		value = unwind_uleb(c);
		break;
	case 0x02:
		value = unwind_number(c, 2);
		break;
	case 0x03:
		value = unwind_number(c, 4);
		break;
	case 0x09:
		value = (u64)unwind_sleb(c);
		break;
	case 0x0a:
		value = (u64)(s64)(int16_t)unwind_number(c, 2);
		break;
	case 0x0b:
		value = (u64)(s64)(s32)unwind_number(c, 4);
		break;
	default:
		c->bad = true;
		return 0;
	}
	switch (encoding & UNWIND_PE_APPLICATION) {
	case 0:
		return value;
	case UNWIND_PE_PCREL:
		return at + value;
	case UNWIND_PE_DATAREL:
		return data + value;
	default:
		c->bad = true;
		return 0;
	}
}
