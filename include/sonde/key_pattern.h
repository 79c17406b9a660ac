/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * key_pattern.h - the pattern of a key: "user:17:cart" becomes "user:?:cart", so that a loop over keys is one statement.
 *
 * A key is cut at everything that is neither letter nor digit. What stands between two cuts, a segment, is kept if it is
 * word-like and becomes `?` if it looks like an id:
 *
 *	only digits                                       user:17          user:?
 *	letters, then digits: the digits alone            user17           user?         (v1 to v99 are kept: versions)
 *	letters behind digits                             s:3f9a           s:?
 *	8 or more hexadecimal digits, one of them 0 to 9  c:deadbeef0      c:?
 *	16 or more characters, one of them a digit
 *	16 or more letters, a quarter of them or more upper and a quarter or more lower case; more than 32 letters
 *	a byte that is not printable ASCII (of UTF-8, too)
 *
 * `-`, `_` and `.` cut weakly: ids on both sides become one (dates, addresses, UUIDs), and a run of 16 or more characters
 * between stronger cuts is one `?` if a segment in it has letters behind digits (UUIDs, base64url). Other cuts stay as
 * they are. Of a key longer than SONDE_KEY_BYTES only whole segments within the first SONDE_KEY_BYTES count; `*` stands
 * for the rest.
 *
 * Eight bytes a step, by arithmetic on whole words: in the kernel a step is a subprogram, and the verifier walks it once.
 */
#ifndef SONDE_KEY_PATTERN_H
#define SONDE_KEY_PATTERN_H

#include "words.h"

#define SONDE_KEY_BYTES 64u /* bytes of a key that are looked at */
#define SONDE_KEY_STEPS 24u /* a step ends at a cut: keys that consist of cuts take more, and end in `*` */

/* sonde_key.seg, sonde_key.group: what has been seen */
#define SONDE_KEY_DIGIT 1u
#define SONDE_KEY_MIXED 2u /* a letter behind a digit */
#define SONDE_KEY_NOT_HEX 4u
#define SONDE_KEY_BINARY 8u
#define SONDE_KEY_GONE 16u /* the segment before the last cut is `?`, and the cut was a weak one */

/**
 * struct sonde_key - a key being read
 * @pos, @left: next byte in the window, bytes not yet looked at
 * @seg, @seg_at, @seg_len: open segment: SONDE_KEY_*, where it begins in the label, its length
 * @lead: letters of it before its first digit
 * @upper: letters of it in upper case
 * @group, @group_at, @group_len: the same of the run between strong cuts
 * @gone: SONDE_KEY_GONE or 0
 * @cut: 1: there is more of the key than is looked at
 */
struct sonde_key {
	u32 pos, left;
	u32 seg, seg_at, seg_len, lead, upper;
	u32 group, group_at, group_len;
	u32 gone, cut;
};

/** sonde_key_begin - begin to append the pattern of the key at @pos in the window, @len bytes long, to @l */
SONDE_INLINE void sonde_key_begin(struct sonde_key *k, const struct sonde_label *l, u32 pos, u32 len)
{
	__builtin_memset(k, 0, sizeof(*k));
	k->pos = pos;
	k->left = len < SONDE_KEY_BYTES ? len : SONDE_KEY_BYTES;
	k->cut = len > SONDE_KEY_BYTES;
	k->seg_at = l->len;
	k->group_at = l->len;
}

/* Whether the segment as a whole looks like an id. */
SONDE_INLINE bool sonde_key_is_id(const struct sonde_key *k)
{
	if (k->seg & SONDE_KEY_BINARY)
		return true;
	if (!(k->seg & SONDE_KEY_DIGIT))
		return k->seg_len > 32 ||
		       (k->seg_len >= 16 && k->upper * 4 >= k->seg_len && (k->seg_len - k->upper) * 4 >= k->seg_len);
	return k->seg & SONDE_KEY_MIXED || !k->lead || k->seg_len >= 16 ||
	       (k->seg_len >= 8 && !(k->seg & SONDE_KEY_NOT_HEX));
}

/* The segment is at its end: what becomes of it. */
SONDE_INLINE void sonde_key_segment(struct sonde_key *k, struct sonde_label *l)
{
	u32 first, digits = k->seg_len - k->lead;

	if (!k->seg_len) {
		k->gone = 0;
		return;
	}
	if (sonde_key_is_id(k)) {
		l->len = k->seg_at;
		if (k->gone) /* one id with the segment before it: the cut between them goes, too */
			l->len = k->seg_at - 1;
		else
			sonde_label_byte(l, '?');
		k->gone = SONDE_KEY_GONE;
		return;
	}
	k->gone = 0;
	if (!(k->seg & SONDE_KEY_DIGIT))
		return;
	first = l->b[k->seg_at & (SONDE_LABEL_BYTES - 1)] | 0x20;
	if (first == 'v' && k->lead == 1 && digits <= 2)
		return;
	l->len = k->seg_at + k->lead;
	sonde_label_byte(l, '?');
}

/* The run between strong cuts is at its end. */
SONDE_INLINE void sonde_key_group(struct sonde_key *k, struct sonde_label *l)
{
	if (!(k->group & SONDE_KEY_MIXED) || k->group_len < 16)
		return;
	l->len = k->group_at;
	sonde_label_byte(l, '?');
}

/* The @n bytes of @word go on with the segment. */
SONDE_INLINE void sonde_key_word(struct sonde_key *k, struct sonde_label *l, u64 word, u32 n)
{
	u64 digits, letters, first;

	word = sonde_bytes_low(word, n);
	digits = SONDE_BYTES_WITHIN(word, '0', '9');
	letters = SONDE_BYTES_WITHIN(word | 0x20 * SONDE_ONES, 'a', 'z') & ~(word & SONDE_HIGHS);
	sonde_label_word(l, word, n);
	if (SONDE_BYTES_COUNT(digits | letters) != n)
		k->seg |= SONDE_KEY_BINARY;
	if (letters & ~SONDE_BYTES_WITHIN(word | 0x20 * SONDE_ONES, 'a', 'f'))
		k->seg |= SONDE_KEY_NOT_HEX;
	k->upper += SONDE_BYTES_COUNT(SONDE_BYTES_WITHIN(word, 'A', 'Z'));
	first = k->seg & SONDE_KEY_DIGIT ? 1 : digits & -digits; /* letters above this bit are behind a digit */
	if (first && letters & -first)
		k->seg |= SONDE_KEY_MIXED;
	if (!(k->seg & SONDE_KEY_DIGIT))
		k->lead += digits ? sonde_bytes_before(digits) : n;
	if (digits)
		k->seg |= SONDE_KEY_DIGIT;
	k->seg_len += n;
	k->group_len += n;
	k->group |= k->seg;
}

/**
 * sonde_key_step - look at the next piece of the key, at most eight bytes and no further than behind a cut
 *
 * Returns 0 to go on, 1 at the end of the key.
 */
SONDE_INLINE int sonde_key_step(const struct sonde_win *w, struct sonde_key *k, struct sonde_label *l)
{
	u64 word = sonde_win_u64(w, k->pos), cuts;
	u32 have = k->left < 8 ? k->left : 8, n, c;

	/* Printable ASCII that is no letter or digit; behind the end of the key everything is. */
	cuts = SONDE_BYTES_WITHIN(word, ' ', '/') | SONDE_BYTES_WITHIN(word, ':', '@') |
	       SONDE_BYTES_WITHIN(word, '[', '`') | SONDE_BYTES_WITHIN(word, '{', '~');
	n = sonde_bytes_before(cuts);
	n = n < have ? n : have;
	if (n)
		sonde_key_word(k, l, word, n);
	k->pos += n;
	k->left -= n;
	if (k->left && n == 8)
		return 0;
	if (!k->left) { /* the end */
		if (k->cut && k->seg_len) /* of the open segment the rest is not known: nothing is said about it */
			l->len = k->seg_at;
		else
			sonde_key_segment(k, l);
		sonde_key_group(k, l);
		if (k->cut)
			sonde_label_byte(l, '*');
		return 1;
	}
	c = sonde_win_u8(w, k->pos);
	k->pos++;
	k->left--;
	sonde_key_segment(k, l);
	if (c == '-' || c == '_' || c == '.') {
		k->group_len++;
		sonde_label_byte(l, c);
	} else {
		sonde_key_group(k, l);
		sonde_label_byte(l, c);
		k->gone = 0;
		k->group = 0;
		k->group_len = 0;
		k->group_at = l->len;
	}
	k->seg = 0;
	k->seg_len = 0;
	k->lead = 0;
	k->upper = 0;
	k->seg_at = l->len;
	return 0;
}

/* The kernel side replaces this by a subprogram of its own. */
#ifndef SONDE_KEY_STEP
#define SONDE_KEY_STEP(w, k, l) sonde_key_step(w, k, l)
#endif

/** sonde_key_pattern - append the pattern of the key at @pos in the window, @len bytes long, to @l */
SONDE_INLINE void sonde_key_pattern(const struct sonde_win *w, u32 pos, u32 len, struct sonde_label *l)
{
	struct sonde_key k;

	sonde_key_begin(&k, l, pos, len);
	for (u32 i = 0; i < SONDE_KEY_STEPS; i++)
		if (SONDE_KEY_STEP(w, &k, l))
			return;
	l->len = k.seg_at;
	sonde_label_byte(l, '*');
}

#endif /* SONDE_KEY_PATTERN_H */
