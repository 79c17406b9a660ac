// SPDX-License-Identifier: GPL-2.0-only
/*
 * utf8.c - foreign text on its way to a terminal or a document.
 *
 * Not wcwidth(): under sudo the locale is often "C", where every byte above 127 would be invalid.
 */
#include "base/buf.h"
#include "base/utf8.h"

struct range {
	uint32_t first, last;
};

/* East Asian Width W and F (Unicode 15, EastAsianWidth.txt), neighbours joined. */
static const struct range wide[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2329, 0x232a },	  { 0x23e9, 0x23ec },	{ 0x23f0, 0x23f0 },
	{ 0x23f3, 0x23f3 },   { 0x25fd, 0x25fe },   { 0x2614, 0x2615 },	  { 0x2648, 0x2653 },	{ 0x267f, 0x267f },
	{ 0x2693, 0x2693 },   { 0x26a1, 0x26a1 },   { 0x26aa, 0x26ab },	  { 0x26bd, 0x26be },	{ 0x26c4, 0x26c5 },
	{ 0x26ce, 0x26ce },   { 0x26d4, 0x26d4 },   { 0x26ea, 0x26ea },	  { 0x26f2, 0x26f3 },	{ 0x26f5, 0x26f5 },
	{ 0x26fa, 0x26fa },   { 0x26fd, 0x26fd },   { 0x2705, 0x2705 },	  { 0x270a, 0x270b },	{ 0x2728, 0x2728 },
	{ 0x274c, 0x274c },   { 0x274e, 0x274e },   { 0x2753, 0x2755 },	  { 0x2757, 0x2757 },	{ 0x2795, 0x2797 },
	{ 0x27b0, 0x27b0 },   { 0x27bf, 0x27bf },   { 0x2b1b, 0x2b1c },	  { 0x2b50, 0x2b50 },	{ 0x2b55, 0x2b55 },
	{ 0x2e80, 0x303e },   { 0x3041, 0x33ff },   { 0x3400, 0x4dbf },	  { 0x4e00, 0xa4cf },	{ 0xa960, 0xa97c },
	{ 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe10, 0xfe19 },	  { 0xfe30, 0xfe6f },	{ 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },   { 0x16fe0, 0x18cff }, { 0x1aff0, 0x1b2fb }, { 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf },
	{ 0x1f18e, 0x1f18e }, { 0x1f191, 0x1f19a }, { 0x1f200, 0x1f320 }, { 0x1f32d, 0x1f335 }, { 0x1f337, 0x1f37c },
	{ 0x1f37e, 0x1f393 }, { 0x1f3a0, 0x1f3ca }, { 0x1f3cf, 0x1f3d3 }, { 0x1f3e0, 0x1f3f0 }, { 0x1f3f4, 0x1f3f4 },
	{ 0x1f3f8, 0x1f43e }, { 0x1f440, 0x1f440 }, { 0x1f442, 0x1f4fc }, { 0x1f4ff, 0x1f53d }, { 0x1f54b, 0x1f54e },
	{ 0x1f550, 0x1f567 }, { 0x1f57a, 0x1f57a }, { 0x1f595, 0x1f596 }, { 0x1f5a4, 0x1f5a4 }, { 0x1f5fb, 0x1f64f },
	{ 0x1f680, 0x1f6c5 }, { 0x1f6cc, 0x1f6cc }, { 0x1f6d0, 0x1f6d2 }, { 0x1f6d5, 0x1f6d7 }, { 0x1f6dc, 0x1f6df },
	{ 0x1f6eb, 0x1f6ec }, { 0x1f6f4, 0x1f6fc }, { 0x1f7e0, 0x1f7eb }, { 0x1f7f0, 0x1f7f0 }, { 0x1f90c, 0x1f93a },
	{ 0x1f93c, 0x1f945 }, { 0x1f947, 0x1f9ff }, { 0x1fa70, 0x1faff }, { 0x20000, 0x2fffd }, { 0x30000, 0x3fffd },
};

/* Marks that join the character before them; the scripts in everyday use. */
static const struct range zero[] = {
	{ 0x00ad, 0x00ad }, { 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x05bf, 0x05bf },
	{ 0x05c1, 0x05c2 }, { 0x05c4, 0x05c5 }, { 0x0610, 0x061a }, { 0x064b, 0x065f }, { 0x0670, 0x0670 },
	{ 0x06d6, 0x06dc }, { 0x06df, 0x06e4 }, { 0x06e7, 0x06e8 }, { 0x06ea, 0x06ed }, { 0x0900, 0x0902 },
	{ 0x093c, 0x093c }, { 0x0941, 0x0948 }, { 0x094d, 0x094d }, { 0x0e31, 0x0e31 }, { 0x0e34, 0x0e3a },
	{ 0x0e47, 0x0e4e }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200d }, { 0x20d0, 0x20f0 },
	{ 0x3099, 0x309a }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0100, 0xe01ef },
};

static bool within(const struct range *ranges, size_t nr, uint32_t c)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c < ranges[mid].first)
			high = mid;
		else if (c > ranges[mid].last)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

uint32_t sonde_utf8_next(const char *s, size_t len, size_t *bytes)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
	uint32_t c = p[0];
	size_t more;

	*bytes = 1;
	if (c < 0x80)
		return c;
	if (c < 0xc2 || c > 0xf4)
		return SONDE_UTF8_BAD;
	if (c < 0xe0) {
		more = 1;
		c &= 0x1f;
	} else if (c < 0xf0) {
		more = 2;
		if (c == 0xe0)
			low = 0xa0; /* overlong */
		if (c == 0xed)
			high = 0x9f; /* surrogates */
		c &= 0x0f;
	} else {
		more = 3;
		if (c == 0xf0)
			low = 0x90;
		if (c == 0xf4)
			high = 0x8f; /* above U+10FFFF */
		c &= 0x07;
	}
	for (size_t i = 1; i <= more; i++) {
		if (i >= len || p[i] < low || p[i] > high)
			return SONDE_UTF8_BAD;
		c = c << 6 | (p[i] & 0x3f);
		*bytes = i + 1;
		low = 0x80;
		high = 0xbf;
	}
	return c;
}

void sonde_utf8_add(struct sonde_buf *buf, uint32_t c)
{
	char s[4];
	size_t len = 1;

	if (c < 0x80) {
		s[0] = (char)c;
	} else if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		len = 2;
	} else if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		len = 3;
	} else {
		s[0] = (char)(0xf0 | c >> 18);
		s[1] = (char)(0x80 | (c >> 12 & 0x3f));
		s[2] = (char)(0x80 | (c >> 6 & 0x3f));
		s[3] = (char)(0x80 | (c & 0x3f));
		len = 4;
	}
	sonde_buf_add(buf, s, len);
}

unsigned int sonde_utf8_width(uint32_t c)
{
	if (c < 0x300)
		return c == 0xad ? 0 : 1;
	if (within(zero, sizeof(zero) / sizeof(zero[0]), c))
		return 0;
	return within(wide, sizeof(wide) / sizeof(wide[0]), c) ? 2 : 1;
}

bool sonde_utf8_unsafe(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return true;
	return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

/* What is shown in the place of @c. */
static uint32_t clean(uint32_t c)
{
	if (c == '\n' || c == '\t' || c == '\r')
		return ' ';
	return sonde_utf8_unsafe(c) ? SONDE_UTF8_BAD : c;
}

void sonde_utf8_clean(struct sonde_buf *buf, const char *s, size_t len)
{
	size_t bytes;

	for (size_t at = 0; at < len; at += bytes)
		sonde_utf8_add(buf, clean(sonde_utf8_next(s + at, len - at, &bytes)));
}

unsigned int sonde_utf8_columns(const char *s, size_t len)
{
	unsigned int columns = 0;
	size_t bytes;

	for (size_t at = 0; at < len; at += bytes)
		columns += sonde_utf8_width(clean(sonde_utf8_next(s + at, len - at, &bytes)));
	return columns;
}

unsigned int sonde_utf8_fit(struct sonde_buf *buf, const char *s, size_t len, unsigned int columns)
{
	unsigned int used = 0, dots, width;
	size_t bytes;
	uint32_t c;

	if (sonde_utf8_columns(s, len) <= columns) {
		sonde_utf8_clean(buf, s, len);
		return sonde_utf8_columns(s, len);
	}
	dots = columns < 3 ? columns : 3;
	for (size_t at = 0; at < len; at += bytes) {
		c = clean(sonde_utf8_next(s + at, len - at, &bytes));
		width = sonde_utf8_width(c);
		if (used + width > columns - dots)
			break;
		sonde_utf8_add(buf, c);
		used += width;
	}
	sonde_buf_fill(buf, '.', dots);
	return used + dots;
}

unsigned int sonde_utf8_tail(struct sonde_buf *buf, const char *s, size_t len, unsigned int columns)
{
	unsigned int left = sonde_utf8_columns(s, len), dots = columns < 3 ? columns : 3;
	size_t at = 0, bytes;

	if (left <= columns)
		return sonde_utf8_fit(buf, s, len, columns);
	while (at < len && left > columns - dots) {
		left -= sonde_utf8_width(clean(sonde_utf8_next(s + at, len - at, &bytes)));
		at += bytes;
	}
	sonde_buf_fill(buf, '.', dots);
	sonde_utf8_clean(buf, s + at, len - at);
	return dots + left;
}
