// SPDX-License-Identifier: GPL-2.0-only
/*
 * cells.c - lines of harmless text of a known width, with styles.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "top/screen.h"

void sonde_top_screen_free(struct sonde_top_screen *screen)
{
	for (size_t i = 0; i < screen->nr; i++)
		sonde_buf_free(&screen->line[i].text);
	free(screen->line);
	screen->line = NULL;
	screen->nr = screen->room = 0;
}

void sonde_top_new_line(struct sonde_top_screen *screen)
{
	size_t room = screen->room ? screen->room * 2 : 32;
	struct sonde_top_line *more;

	if (screen->nr == screen->room) {
		more = realloc(screen->line, room * sizeof(*more));
		if (!more) {
			screen->failed = true;
			return;
		}
		screen->line = more;
		screen->room = room;
	}
	memset(&screen->line[screen->nr++], 0, sizeof(*screen->line));
}

static void mark(struct sonde_top_line *line, enum sonde_top_style style)
{
	enum sonde_top_style now = line->nr ? line->mark[line->nr - 1].style : SONDE_TOP_PLAIN;

	if (now == style || line->nr == SONDE_TOP_MARKS)
		return;
	line->mark[line->nr].at = line->text.len;
	line->mark[line->nr++].style = style;
}

/* What a terminal without UTF-8 shows of @text: harmless already, so that each character takes a column or two. */
static void add_ascii(struct sonde_buf *to, const char *text, size_t len)
{
	size_t bytes;

	for (size_t at = 0; at < len; at += bytes) {
		uint32_t c = sonde_utf8_next(text + at, len - at, &bytes);
		char ascii = c < 0x7f ? (char)c : '?';

		sonde_buf_fill(to, ascii, c < 0x7f ? 1 : sonde_utf8_width(c));
	}
}

void sonde_top_put(struct sonde_top_screen *screen, enum sonde_top_style style, unsigned int width, bool right, const char *text)
{
	struct sonde_top_line *line = screen->nr ? &screen->line[screen->nr - 1] : NULL;
	unsigned int room, columns;
	struct sonde_buf clean = {};

	if (!line || line->columns >= screen->width)
		return;
	room = screen->width - line->columns;
	if (width && width < room)
		room = width;
	columns = sonde_utf8_fit(&clean, text, strlen(text), room);
	if (columns > room || clean.failed) {
		screen->failed |= clean.failed;
		sonde_buf_free(&clean);
		return;
	}
	mark(line, style);
	if (width && right)
		sonde_buf_fill(&line->text, ' ', room - columns);
	if (clean.s && screen->utf8)
		sonde_buf_add(&line->text, clean.s, clean.len);
	else if (clean.s)
		add_ascii(&line->text, clean.s, clean.len);
	if (width && !right)
		sonde_buf_fill(&line->text, ' ', room - columns);
	line->columns += width ? room : columns;
	screen->failed |= line->text.failed;
	sonde_buf_free(&clean);
}

void sonde_top_say(struct sonde_top_screen *screen, enum sonde_top_style style, const char *fmt, ...)
{
	struct sonde_buf text = {};
	va_list ap;

	va_start(ap, fmt);
	sonde_buf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (text.s && !text.failed)
		sonde_top_put(screen, style, 0, false, text.s);
	screen->failed |= text.failed;
	sonde_buf_free(&text);
}

void sonde_top_style_line(struct sonde_top_screen *screen, enum sonde_top_style style)
{
	struct sonde_top_line *line = screen->nr ? &screen->line[screen->nr - 1] : NULL;

	if (!line)
		return;
	if (line->columns < screen->width)
		sonde_buf_fill(&line->text, ' ', screen->width - line->columns);
	line->columns = screen->width;
	line->nr = 1;
	line->mark[0].at = 0;
	line->mark[0].style = style;
}

void sonde_top_wrap(struct sonde_top_screen *screen, enum sonde_top_style style, unsigned int indent, unsigned int max,
		    const char *label, const char *text)
{
	unsigned int width = screen->width > indent + 8 ? screen->width - indent : 8;
	struct sonde_buf piece = {};

	while (*text && max--) {
		size_t len = strlen(text), cut = 0, fits = 0;

		/* As many words as fit; of a word that does not fit by itself, as much of it. */
		if (max && sonde_utf8_columns(text, len) > width) {
			for (size_t at = 0, bytes; at < len; at += bytes) {
				sonde_utf8_next(text + at, len - at, &bytes);
				if (sonde_utf8_columns(text, at + bytes) > width)
					break;
				fits = at + bytes;
				if (text[at] == ' ')
					cut = at;
			}
			len = cut ? cut : fits ? fits : len;
		}
		sonde_buf_cut(&piece, 0);
		sonde_buf_add(&piece, text, len);
		sonde_top_new_line(screen);
		if (indent)
			sonde_top_put(screen, SONDE_TOP_BOLD, indent, false, label ? label : "");
		label = NULL;
		if (piece.s && !piece.failed)
			sonde_top_put(screen, style, 0, false, piece.s);
		text += len;
		text += strspn(text, " ");
	}
	screen->failed |= piece.failed;
	sonde_buf_free(&piece);
}

static void share(char out[32], double ns, bool totals, u64 window_ns)
{
	double per_cent = window_ns ? ns * 100 / (double)window_ns : 0;

	if (totals)
		sonde_str_ns(out, (u64)ns);
	else
		sonde_str_rate(out, per_cent);
}

void sonde_top_cell(char out[32], const struct sonde_top_row *row, const struct sonde_top_column *column, bool totals,
		    u64 window_ns)
{
	double value = sonde_top_number(row, column->value), a_second = window_ns ? value * 1e9 / (double)window_ns : 0;

	if (value <= 0) {
		snprintf(out, 32, "-");
		return;
	}
	switch (column->form) {
	case SONDE_TOP_FORM_SHARE:
		share(out, value, totals, window_ns);
		break;
	case SONDE_TOP_FORM_RATE:
	case SONDE_TOP_FORM_BAD_RATE:
		if (totals)
			sonde_str_count(out, (u64)value);
		else
			sonde_str_rate(out, a_second);
		break;
	case SONDE_TOP_FORM_BYTES:
		sonde_str_count(out, (u64)(totals ? value : a_second));
		break;
	case SONDE_TOP_FORM_DURATION:
		sonde_str_ns(out, (u64)value);
		break;
	case SONDE_TOP_FORM_MEAN:
		sonde_str_rate(out, value);
		break;
	default:
		sonde_str_count(out, (u64)value);
	}
}
