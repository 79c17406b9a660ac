// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_wrap.c - lines that are too long for a terminal.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "out/out.h"
#include "out/text.h"

/* How many bytes of @s, to a blank or the end, fit into @columns; one word at least. */
static size_t fitting(const char *s, unsigned int columns)
{
	size_t fit = 0, at = 0;

	do {
		at += strspn(s + at, " ");
		at += strcspn(s + at, " ");
		if (fit && sonde_utf8_columns(s, at) > columns)
			break;
		fit = at;
	} while (s[at]);
	return fit;
}

void sonde_text_wrap(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *text, unsigned int hang,
		     unsigned int most)
{
	unsigned int columns = opts->width;
	size_t len;

	for (unsigned int nr = 1;; nr++) {
		len = nr == most ? strlen(text) : fitting(text, columns);
		sonde_utf8_fit(buf, text, len, columns);
		sonde_buf_str(buf, "\n");
		text += len;
		text += strspn(text, " ");
		if (!*text)
			return;
		sonde_buf_fill(buf, ' ', hang);
		columns = opts->width > hang + 1 ? opts->width - hang : 1;
	}
}

void sonde_text_more(struct sonde_buf *buf, size_t left_out, size_t all)
{
	sonde_buf_str(buf, "... and ");
	sonde_str_many(buf, left_out, "more row");
	sonde_buf_printf(buf, ": --top %zu\n", all);
}
