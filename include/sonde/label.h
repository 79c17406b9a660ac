/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * label.h - a statement's normalised text that a parser puts together itself: "GET user:?", "GET /orders/{id}".
 *
 * Protocols without SQL have no normaliser to run: their parsers write verb and pattern into the label, byte by byte or
 * word by word, and the id is made of it exactly as of an SQL statement's text.
 */
#ifndef SONDE_LABEL_H
#define SONDE_LABEL_H

#include "base.h"

#define SONDE_LABEL_BYTES 256u /* longest label; power of two */

/**
 * struct sonde_label - text being written
 * @len: bytes so far; may not pass SONDE_LABEL_BYTES
 * @cut: 1: something did not fit; the id never equals that of a whole text
 * @b: the bytes; those behind @len are zero up to the next multiple of 8 once sonde_label_id() has run
 */
struct sonde_label {
	u32 len;
	u32 cut;
	u8 b[SONDE_LABEL_BYTES + 8]; /* the slack takes word-wise stores */
};

SONDE_INLINE void sonde_label_begin(struct sonde_label *l)
{
	l->len = 0;
	l->cut = 0;
}

SONDE_INLINE void sonde_label_byte(struct sonde_label *l, u32 c)
{
	u32 at = l->len;

	if (at >= SONDE_LABEL_BYTES) {
		l->cut = 1;
		return;
	}
	l->b[at & (SONDE_LABEL_BYTES - 1)] = c;
	l->len = at + 1;
}

/** sonde_label_word - append the lowest @n (at most 8) bytes of @word, first byte lowest */
SONDE_INLINE void sonde_label_word(struct sonde_label *l, u64 word, u32 n)
{
	u32 at = l->len;

	if (at + n > SONDE_LABEL_BYTES) {
		l->cut = 1;
		return;
	}
	__builtin_memcpy(&l->b[at & (SONDE_LABEL_BYTES - 1)], &word, sizeof(word));
	l->len = at + n;
}

/** sonde_label_number - append @n in decimal */
SONDE_INLINE void sonde_label_number(struct sonde_label *l, u32 n)
{
	u64 digits = 0;
	u32 nr = 0;

	for (u32 i = 0; i < 10; i++) {
		if (nr == 8) { /* a word holds eight: the two leading ones of a long number go first */
			u32 rest = n;

			if (rest >= 10)
				sonde_label_byte(l, '0' + rest / 10);
			sonde_label_byte(l, '0' + rest % 10);
			break;
		}
		digits = digits << 8 | ('0' + n % 10);
		nr++;
		n /= 10;
		if (!n)
			break;
	}
	sonde_label_word(l, digits, nr);
}

/**
 * sonde_label_id - id of the finished label, never 0: the same as sonde_sql gives the same text
 *
 * Source: sql_core.h, sonde_sql_hash() and sonde_sql_seal().
 */
SONDE_INLINE u64 sonde_label_id(struct sonde_label *l)
{
	u64 h = SONDE_FNV_BASIS, zero = 0;
	u32 len = l->len;

	if (len <= SONDE_LABEL_BYTES)
		__builtin_memcpy(&l->b[len], &zero, sizeof(zero));
	for (u32 i = 0; i < SONDE_LABEL_BYTES / 8; i++) {
		u64 w;

		if (8 * i >= len)
			break;
		__builtin_memcpy(&w, &l->b[8 * i], sizeof(w));
		h = (h ^ w) * SONDE_FNV_PRIME;
		h ^= h >> 32;
	}
	h = sonde_mix64(h ^ (u64)len << 1 ^ (l->cut & 1));
	return h ? h : 1;
}

#endif /* SONDE_LABEL_H */
