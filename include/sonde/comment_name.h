/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * comment_name.h - the name of a request, put together from what its comment says (comment_core.h).
 *
 * A route that is a path and no pattern yet has its ids folded by the rules of http_path.h. There the path lies in a
 * window, here it has been decoded, so it is taken byte by byte: what is written of a segment, or of a part of one, is
 * taken back at its end if it turns out to be an id.
 */
#ifndef SONDE_COMMENT_NAME_H
#define SONDE_COMMENT_NAME_H

#include "comment_core.h"
#include "http_path.h"

/* Byte @i of the name's raw form: the first field, `#` and the second. 256: there is no such byte. */
SONDE_INLINE u32 sonde_comment_raw(const struct sonde_comment *s, u32 i)
{
	u32 first = s->first & (SONDE_COMMENT_FIELDS - 1), second = s->second & (SONDE_COMMENT_FIELDS - 1);
	u32 len = s->field_len[first], at;

	if (i < len) {
		at = first * SONDE_COMMENT_NAME + i;
		return s->field[at & (sizeof(s->field) - 1)];
	}
	if (s->second == SONDE_COMMENT_OTHER)
		return 256;
	if (i == len)
		return '#';
	i -= len + 1;
	if (i >= s->field_len[second])
		return 256;
	at = second * SONDE_COMMENT_NAME + i;
	return s->field[at & (sizeof(s->field) - 1)];
}

/**
 * sonde_comment_end - all bytes are read: what the name is made of
 *
 * An id that is cut is none: it would be another one.
 */
SONDE_INLINE void sonde_comment_end(struct sonde_comment *s)
{
	const u8 *len = s->field_len;

	if (s->mode == SONDE_COMMENT_IN_VALUE)
		SONDE_COMMENT_CLOSE(s, !s->cut && !s->quote);
	s->first = SONDE_COMMENT_OTHER;
	s->second = SONDE_COMMENT_OTHER;
	if (len[SONDE_COMMENT_ROUTE]) {
		s->first = SONDE_COMMENT_ROUTE;
	} else if (len[SONDE_COMMENT_CONTROLLER]) {
		s->first = SONDE_COMMENT_CONTROLLER;
		if (len[SONDE_COMMENT_ACTION])
			s->second = SONDE_COMMENT_ACTION;
	} else if (len[SONDE_COMMENT_JOB]) {
		s->first = SONDE_COMMENT_JOB;
	} else if (len[SONDE_COMMENT_ACTION]) {
		s->first = SONDE_COMMENT_ACTION;
	}
	s->fold = s->first != SONDE_COMMENT_OTHER && sonde_comment_raw(s, 0) == '/' && !(s->patterns >> s->first & 1);
	s->at = 0;
	s->segment = 0;
	s->part = 0;
	s->nr_parts = 0;
	s->segment_made = 0;
	s->part_made = 0;
}

/* What one byte adds to what a piece is made of. */
SONDE_INLINE u64 sonde_comment_made_of(u32 c)
{
	u32 hex = sonde_comment_hex(c);

	return 1 + ((u64)(hex < 10) << 8) + ((u64)(hex - 10 < 6) << 16) + ((u64)(c == '-') << 24) +
	       ((u64)(c == '.') << 32) + ((u64)(c == '_') << 40);
}

/* The segment, or the part of one, that begins at @at in the name is an id. */
SONDE_INLINE void sonde_comment_replace(struct sonde_comment *s, u32 at)
{
	s->name.len = at;
	sonde_http_id(&s->name);
}

/* A part ends in front of byte @c, behind which stands @next. */
SONDE_INLINE void sonde_comment_part(struct sonde_comment *s, u32 c, u32 next)
{
	if (s->nr_parts < SONDE_HTTP_PARTS && s->part_made &&
	    sonde_http_part_folds(s->part_made, !s->nr_parts, c | (next & 0xff) << 8))
		sonde_comment_replace(s, s->part);
	s->nr_parts++;
	s->part_made = 0;
}

/* A byte of a path; false behind its end. */
SONDE_INLINE bool sonde_comment_path(struct sonde_comment *s, u32 c)
{
	bool over = c == 256 || c == '?' || c == '#' || c == ' ';

	if (over || c == '/') {
		u64 made = s->segment_made;

		sonde_comment_part(s, 0, 0);
		if (SONDE_PIECE_DIGITS(made) && sonde_http_segment_folds(made))
			sonde_comment_replace(s, s->segment);
		if (over)
			return false;
		sonde_label_byte(&s->name, c);
		s->segment = s->name.len;
		s->part = s->name.len;
		s->segment_made = 0;
		s->nr_parts = 0;
		return true;
	}
	s->segment_made += sonde_comment_made_of(c);
	if (c == '.' || c == '-' || c == '_') {
		sonde_comment_part(s, c, sonde_comment_raw(s, s->at));
		sonde_label_byte(&s->name, c);
		s->part = s->name.len;
		return true;
	}
	s->part_made += sonde_comment_made_of(c);
	sonde_label_byte(&s->name, c);
	return true;
}

#define SONDE_COMMENT_NAME_STEPS (2 * SONDE_COMMENT_NAME + 2) /* calls of sonde_comment_name() that suffice */

/** sonde_comment_name - the next byte of the name; false behind its end */
SONDE_INLINE bool sonde_comment_name(struct sonde_comment *s)
{
	u32 c;

	if (s->first == SONDE_COMMENT_OTHER)
		return false;
	c = sonde_comment_raw(s, s->at);
	s->at++;
	if (s->fold)
		return sonde_comment_path(s, c);
	if (c == 256)
		return false;
	sonde_label_byte(&s->name, c);
	return true;
}

/** sonde_comment_finish - the name is put together: @s->request and @s->name are valid from here on */
SONDE_INLINE void sonde_comment_finish(struct sonde_comment *s)
{
	u32 used = 0;

	if (s->first != SONDE_COMMENT_OTHER)
		used |= 1u << s->first;
	if (s->second != SONDE_COMMENT_OTHER)
		used |= 1u << s->second;
	if (s->name.len > SONDE_COMMENT_NAME) {
		s->name.len = SONDE_COMMENT_NAME;
		s->name.cut = 1;
	}
	if (s->field_cut & used)
		s->name.cut = 1;
}

#ifndef __bpf__
/** sonde_comment_parse - all of it, outside of the kernel: the comment of @len bytes at @pos in the window */
static inline void sonde_comment_parse(struct sonde_comment *s, const struct sonde_win *w, u32 pos, u32 len)
{
	sonde_comment_begin(s, w, pos, len);
	while (sonde_comment_byte(s, w))
		;
	sonde_comment_end(s);
	while (sonde_comment_name(s))
		;
	sonde_comment_finish(s);
}
#endif

#endif /* SONDE_COMMENT_NAME_H */
