/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * comment_mutate.h - SQL comments out of a seed: mutated cases, and pieces that mean something put together.
 */
#ifndef SONDE_TEST_COMMENT_MUTATE_H
#define SONDE_TEST_COMMENT_MUTATE_H

#include <string.h>

#include "sonde/base.h"
#include "../unit/comment_cases.h"

#define COMMENT_MUTATE_MAX 700u /* longest comment made here, bytes: longer than what is looked at */

static inline u32 comment_random(u64 *state, u32 below)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return below ? (u32)(sonde_mix64(*state) >> 32) % below : 0;
}

static inline const char *comment_piece(u64 *r)
{
	static const char *const pieces[] = {
		"/*",	       "*/",
		"--",	       "'",
		"\"",	       "`",
		"\\'",	       "\\",
		"=",	       ":",
		",",	       ";",
		" ",	       "\n",
		"%",	       "%%",
		"%2F",	       "%3a",
		"%2",	       "%2%",
		"/",	       "{",
		"}",	       "[",
		"]",	       "<",
		">",	       "&",
		"route=",      "route='",
		".",	       "-",
		"_",	       "controller",
		"action:",     "job='",
		"/12",	       "/:id",
		"?",	       "#",
		"request_id=", "1",
		"00-",	       "42.json",
		"trace_id:",   "traceparent='",
		"\x80",	       "x",
		CASE_TRACE,    "none",
		"/a/b-12345",  CASE_LONG,
	};

	return pieces[comment_random(r, sizeof(pieces) / sizeof(pieces[0]))];
}

/* Puts @len bytes in at @at of the @n that are there, if there is room; the new length. */
static inline u32 comment_insert(u8 *out, u32 n, u32 at, const void *bytes, u32 len)
{
	u8 copy[COMMENT_MUTATE_MAX];

	if (n + len > COMMENT_MUTATE_MAX)
		return n;
	memcpy(copy, bytes, len);
	memmove(out + at + len, out + at, n - at);
	memcpy(out + at, copy, len);
	return n + len;
}

/* Writes a comment to @out[COMMENT_MUTATE_MAX] and returns its length. */
static inline u32 comment_mutate(u64 *r, u8 *out)
{
	const char *text = comment_cases[comment_random(r, NR_COMMENT_CASES)].text;
	u32 n = 0, rounds, cut, at;

	if (!comment_random(r, 6)) { /* nothing but pieces */
		for (rounds = comment_random(r, 60); rounds; rounds--) {
			const char *piece = comment_piece(r);

			n = comment_insert(out, n, n, piece, strlen(piece));
		}
		return n;
	}
	n = comment_insert(out, 0, 0, text, strlen(text));
	for (rounds = comment_random(r, 5); rounds && n; rounds--) {
		const char *piece = comment_piece(r);

		at = comment_random(r, n);
		switch (comment_random(r, 4)) {
		case 0:
			out[at] = comment_random(r, 256);
			break;
		case 1:
			cut = comment_random(r, n - at < 8 ? n - at : 8);
			memmove(out + at, out + at + cut, n - at - cut);
			n -= cut;
			break;
		case 2:
			n = comment_insert(out, n, at, piece, strlen(piece));
			break;
		default: /* a piece of the comment once more */
			n = comment_insert(out, n, at, out + at, comment_random(r, n - at));
			break;
		}
	}
	return n;
}

#endif /* SONDE_TEST_COMMENT_MUTATE_H */
