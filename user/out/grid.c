// SPDX-License-Identifier: GPL-2.0-only
/*
 * grid.c - a table for people.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "out/grid.h"
#include "out/out.h"

#define MAX_COLUMNS 32
#define MIN_LAST 22 /* columns of the screen that the last column should have; others go for it */
#define LEAST 8 /* that it has in any case */

void sonde_grid_cell(struct sonde_grid *grid, const char *fmt, ...)
{
	size_t room = grid->room ? grid->room * 2 : 128;
	struct sonde_buf raw = {}, clean = {};
	char **more;
	va_list ap;

	va_start(ap, fmt);
	sonde_buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	sonde_utf8_clean(&clean, raw.s ? raw.s : "", raw.len);
	if (grid->nr == grid->room) {
		more = realloc(grid->cell, room * sizeof(*more));
		if (more) {
			grid->cell = more;
			grid->room = room;
		}
	}
	if (raw.failed || clean.failed || grid->nr == grid->room) {
		grid->failed = true;
		sonde_buf_free(&clean);
	} else {
		grid->cell[grid->nr++] = clean.s; /* NULL when empty */
	}
	sonde_buf_free(&raw);
}

struct layout {
	unsigned int width[MAX_COLUMNS];
	bool shown[MAX_COLUMNS];
	size_t nr;
};

static unsigned int columns_of(const char *s)
{
	return s ? sonde_utf8_columns(s, strlen(s)) : 0;
}

static void measure(const struct sonde_grid *grid, struct layout *layout)
{
	while (layout->nr < MAX_COLUMNS && grid->columns[layout->nr].title)
		layout->nr++;
	for (size_t i = 0; layout->nr && i < grid->nr; i++) {
		unsigned int width = columns_of(grid->cell[i]);
		size_t column = i % layout->nr;

		layout->shown[column] |= width > 0;
		if (width > layout->width[column])
			layout->width[column] = width;
	}
	for (size_t c = 0; c < layout->nr; c++)
		if (columns_of(grid->columns[c].title) > layout->width[c])
			layout->width[c] = columns_of(grid->columns[c].title);
	layout->shown[layout->nr - 1] = true;
}

static void choose(const struct sonde_grid *grid, struct layout *layout, unsigned int room)
{
	size_t last = layout->nr - 1;

	while (true) {
		unsigned int used = layout->width[last] < MIN_LAST ? layout->width[last] : MIN_LAST;
		size_t worst = last;

		for (size_t c = 0; c < last; c++) {
			if (!layout->shown[c])
				continue;
			used += layout->width[c] + 2;
			if (grid->columns[c].drop &&
			    (worst == last || grid->columns[c].drop > grid->columns[worst].drop))
				worst = c;
		}
		if (used <= room || worst == last) {
			used -= layout->width[last] < MIN_LAST ? layout->width[last] : MIN_LAST;
			layout->width[last] = room > used + LEAST ? room - used : LEAST;
			return;
		}
		layout->shown[worst] = false;
	}
}

static void line(const struct sonde_grid *grid, const struct layout *layout, const struct sonde_out_opts *opts,
		 size_t row, bool title, struct sonde_buf *buf)
{
	bool any = false;

	for (size_t c = 0; c < layout->nr; c++) {
		const struct sonde_grid_column *column = &grid->columns[c];
		const char *s = title ? column->title : grid->cell[row * layout->nr + c];
		unsigned int width = columns_of(s), blanks = layout->width[c] > width ? layout->width[c] - width : 0;
		bool styled = column->style != SONDE_STYLE_NONE && s && !title;

		if (!layout->shown[c])
			continue;
		if (any)
			sonde_buf_str(buf, "  ");
		any = true;
		if (!column->left)
			sonde_buf_fill(buf, ' ', blanks);
		if (styled)
			sonde_text_style(buf, opts, column->style);
		if (s && column->tail)
			sonde_utf8_tail(buf, s, strlen(s), layout->width[c]);
		else if (s)
			sonde_utf8_fit(buf, s, strlen(s), layout->width[c]);
		if (styled)
			sonde_text_style(buf, opts, SONDE_STYLE_NONE);
		if (column->left && c + 1 < layout->nr)
			sonde_buf_fill(buf, ' ', blanks);
	}
}

void sonde_grid_print(struct sonde_grid *grid, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	struct layout layout = {};

	measure(grid, &layout);
	choose(grid, &layout, opts->width);
	if (grid->nr && !grid->failed) {
		sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
		line(grid, &layout, opts, 0, true, buf);
		sonde_text_style(buf, opts, SONDE_STYLE_NONE);
		sonde_buf_add(buf, "\n", 1);
	}
	for (size_t row = 0; row < grid->nr / layout.nr && !grid->failed; row++) {
		line(grid, &layout, opts, row, false, buf);
		sonde_buf_add(buf, "\n", 1);
	}
	for (size_t i = 0; i < grid->nr; i++)
		free(grid->cell[i]);
	free(grid->cell);
	buf->failed |= grid->failed;
	*grid = (struct sonde_grid){ .columns = grid->columns };
}
