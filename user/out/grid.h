/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * grid.h - a table for people: columns as wide as what is in them, and as many as there is room for.
 */
#ifndef SONDE_OUT_GRID_H
#define SONDE_OUT_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "out/text.h"

struct sonde_out_opts;

/**
 * struct sonde_grid_column - a column
 * @title: NULL ends the list
 * @drop: 0: always shown; else the greatest goes first when there is not enough room
 * @left: aligned to the left; the last column takes what room is left, and is cut
 * @tail: what is too long for the column loses its beginning, not its end
 * @style: of cells that are not empty
 */
struct sonde_grid_column {
	const char *title;
	unsigned int drop;
	bool left;
	bool tail;
	enum sonde_style style;
};

/** struct sonde_grid - a table under way; { .columns = ... } is an empty one. Columns with nothing but empty cells are left out */
struct sonde_grid {
	const struct sonde_grid_column *columns;
	char **cell;
	size_t nr; /* cells */
	size_t room;
	bool failed;
};

/** sonde_grid_cell - the next cell, row by row; foreign text is made harmless */
void sonde_grid_cell(struct sonde_grid *grid, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** sonde_grid_print - append titles and rows to @buf, and free the cells */
void sonde_grid_print(struct sonde_grid *grid, const struct sonde_out_opts *opts, struct sonde_buf *buf);

#endif /* SONDE_OUT_GRID_H */
