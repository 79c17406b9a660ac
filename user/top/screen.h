/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * screen.h - the screen of `sonde top` as lines of harmless text with styles; whoever draws it knows nothing else.
 */
#ifndef SONDE_TOP_SCREEN_H
#define SONDE_TOP_SCREEN_H

#include "top/top.h"

enum sonde_top_style {
	SONDE_TOP_PLAIN,
	SONDE_TOP_BOLD,
	SONDE_TOP_DIM,
	SONDE_TOP_HEAD, /* titles of columns */
	SONDE_TOP_SORTED, /* of the one that rows are sorted by */
	SONDE_TOP_SELECTED, /* the row that the cursor is on */
	SONDE_TOP_BAD,
	SONDE_TOP_WARN,
	SONDE_TOP_STYLES,
};

#define SONDE_TOP_MARKS 40

/**
 * struct sonde_top_line - a line
 * @columns: how wide it is by now, never more than the screen
 * @mark: from byte @at on the style is @style; @nr of them, in order
 */
struct sonde_top_line {
	struct sonde_buf text;
	unsigned int columns;
	size_t nr;
	struct {
		size_t at;
		enum sonde_top_style style;
	} mark[SONDE_TOP_MARKS];
};

/** struct sonde_top_screen - @nr lines, all @width wide at most; zeroed memory with a width is an empty one */
struct sonde_top_screen {
	struct sonde_top_line *line;
	size_t nr;
	size_t room;
	unsigned int width;
	bool utf8;
	bool failed; /* out of memory: what is there is not all */
};

void sonde_top_screen_free(struct sonde_top_screen *screen);

/** sonde_top_new_line - begin another line */
void sonde_top_new_line(struct sonde_top_screen *screen);

/**
 * sonde_top_put - append @text to the last line, made harmless and cut to what there is room for
 * @width: columns to fill; 0: as many as it takes
 * @right: aligned to the right
 */
void sonde_top_put(struct sonde_top_screen *screen, enum sonde_top_style style, unsigned int width, bool right, const char *text);

/** sonde_top_say - the same, as printf() */
void sonde_top_say(struct sonde_top_screen *screen, enum sonde_top_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** sonde_top_style_line - the whole last line in @style, to the right edge */
void sonde_top_style_line(struct sonde_top_screen *screen, enum sonde_top_style style);

/**
 * sonde_top_wrap - append @text in as many lines as it takes, at most @max, each behind @indent columns
 * @label: stands in those of the first line (NULL: nothing does)
 */
void sonde_top_wrap(struct sonde_top_screen *screen, enum sonde_top_style style, unsigned int indent, unsigned int max,
		    const char *label, const char *text);

/** sonde_top_draw - the whole screen: at most @state->height lines. Scrolls @state's cursor and text into it; 0 or -ENOMEM */
int sonde_top_draw(struct sonde_top_screen *screen, struct sonde_top_state *state, const struct sonde_top_view *view);

/* Parts; only for user/top. Lines of what a row is about, of the help. */
void sonde_top_detail(struct sonde_top_screen *text, const struct sonde_top_state *state, const struct sonde_top_view *view);
void sonde_top_help(struct sonde_top_screen *text);
void sonde_top_header(struct sonde_top_screen *screen, const struct sonde_top_state *state, const struct sonde_top_view *view);
void sonde_top_keys(struct sonde_top_screen *screen, const struct sonde_top_state *state);
/* A value as it stands in a column; "-" for nothing. */
void sonde_top_cell(char out[32], const struct sonde_top_row *row, const struct sonde_top_column *column, bool totals,
		    u64 window_ns);

#endif /* SONDE_TOP_SCREEN_H */
