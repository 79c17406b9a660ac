// SPDX-License-Identifier: GPL-2.0-only
/*
 * screen.c - the lists: the overview, in which pages share the screen, or one page by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "model/finding.h"
#include "model/snapshot.h"
#include "model/syscall.h"
#include "top/screen.h"

#define GUTTER 2u /* the page's key, the cursor */
#define NAME_BELOW 48u /* columns: a statement's short name says more than so much of its text */
#define TINY 8u /* lines: a screen with less shows one page */
#define LEAST 8u /* columns of the one that takes what is left */
#define MOST_NAME 44u /* of it where it is a name, with numbers behind that belong to it */

/* Columns that are shown, and how wide the one is that takes what is left. */
struct layout {
	const struct sonde_top_column *column[SONDE_TOP_COLUMNS_MAX];
	size_t nr;
	unsigned int flexible;
};

static void lay_out(struct layout *layout, enum sonde_top_page page, unsigned int width)
{
	const struct sonde_top_column *column[SONDE_TOP_COLUMNS_MAX];
	size_t nr = sonde_top_columns(page, column);
	unsigned int used = GUTTER;

	*layout = (struct layout){};
	for (size_t i = 0; i < nr; i++) {
		if (column[i]->from > width)
			continue;
		layout->column[layout->nr++] = column[i];
		used += column[i]->width + 1u;
	}
	used -= layout->nr > 0;
	layout->flexible = width > used + LEAST ? width - used : LEAST;
	if (page == SONDE_TOP_PROCESSES && layout->flexible > MOST_NAME)
		layout->flexible = MOST_NAME;
}

static bool is_right(const struct sonde_top_column *column)
{
	return column->form != SONDE_TOP_FORM_TEXT;
}

static void put_head(struct sonde_top_screen *screen, const struct layout *layout, const struct sonde_top_state *state,
		     enum sonde_top_page page, const struct sonde_top_list *list)
{
	bool focused = state->page == page;
	char title[48];

	sonde_top_new_line(screen);
	sonde_top_say(screen, SONDE_TOP_HEAD, "%u ", (unsigned int)page + 1);
	for (size_t i = 0; i < layout->nr; i++) {
		const struct sonde_top_column *column = layout->column[i];
		bool sorted = state->sort[page] == column->value;

		snprintf(title, sizeof(title), "%s", column->title[state->totals]);
		if (!column->width && list->hidden)
			snprintf(title, sizeof(title), "%s (%zu of %zu)", column->title[state->totals], list->nr,
				 list->nr + list->hidden);
		else if (!column->width && list->nr)
			snprintf(title, sizeof(title), "%s (%zu)", column->title[state->totals], list->nr);
		if (i)
			sonde_top_put(screen, SONDE_TOP_HEAD, 1, false, " ");
		sonde_top_put(screen, sorted && focused ? SONDE_TOP_SORTED : SONDE_TOP_HEAD,
			      column->width ? column->width : layout->flexible, is_right(column), title);
	}
}

/* The short name of statement @id, or NULL. */
static const char *name_of(const struct sonde_top_view *view, u64 id)
{
	const struct sonde_snapshot *rows = view->now->rows;

	for (size_t i = 0; rows && i < rows->nr_queries; i++)
		if (rows->queries[i]->id == id)
			return rows->queries[i]->name;
	return NULL;
}

static void text_of(char *out, size_t size, const struct sonde_top_view *view, enum sonde_top_page page,
		    const struct sonde_top_row *row, const struct sonde_top_column *column, unsigned int width)
{
	const char *text = sonde_top_text(row, column->value), *name = NULL;

	if (column->value == SONDE_TOP_PROCESS && row->nr_procs > 1) {
		snprintf(out, size, "%s x%u", text, row->nr_procs);
		return;
	}
	if (column->value == SONDE_TOP_PROCESS && page == SONDE_TOP_PROCESSES) {
		snprintf(out, size, "%s[%u]", text, row->pid);
		if (sonde_utf8_columns(out, strlen(out)) > width)
			snprintf(out, size, "%s", text);
		return;
	}
	if (column->value == SONDE_TOP_WHAT && width < NAME_BELOW) {
		if (page == SONDE_TOP_QUERIES)
			name = row->query->name;
		if (page == SONDE_TOP_FINDINGS)
			name = name_of(view, row->finding->query_id);
	}
	if (page == SONDE_TOP_SYSCALLS && column->value == SONDE_TOP_WHAT && row->call->on[0])
		snprintf(out, size, "%s (%s)", text, row->call->on);
	else
		snprintf(out, size, "%s", name && *name ? name : text);
}

static void put_row(struct sonde_top_screen *screen, const struct layout *layout, const struct sonde_top_state *state,
		    const struct sonde_top_view *view, enum sonde_top_page page, size_t number)
{
	const struct sonde_top_row *row = &view->list[page].row[number];
	bool here = state->page == page && state->at[page] == number;
	char text[512], cell[32];

	sonde_top_new_line(screen);
	sonde_top_put(screen, SONDE_TOP_PLAIN, GUTTER, false, here ? ">" : " ");
	for (size_t i = 0; i < layout->nr; i++) {
		const struct sonde_top_column *column = layout->column[i];
		unsigned int width = column->width ? column->width : layout->flexible;
		enum sonde_top_style style = SONDE_TOP_PLAIN;

		if (i)
			sonde_top_put(screen, SONDE_TOP_PLAIN, 1, false, " ");
		if (!is_right(column)) {
			text_of(text, sizeof(text), view, page, row, column, width);
			sonde_top_put(screen, style, width, false, text);
			continue;
		}
		sonde_top_cell(cell, row, column, state->totals, view->sums.window_ns);
		if (column->form == SONDE_TOP_FORM_BAD_RATE && sonde_top_number(row, column->value) > 0)
			style = SONDE_TOP_BAD;
		else if (cell[0] == '-')
			style = SONDE_TOP_DIM;
		sonde_top_put(screen, style, width, true, cell);
	}
	if (here)
		sonde_top_style_line(screen, SONDE_TOP_SELECTED);
}

/* What an empty page says. */
static const char *why_empty(const struct sonde_top_state *state, enum sonde_top_page page, const struct sonde_top_list *list)
{
	if (list->hidden)
		return "nothing passes the filter (Esc: all)";
	if (page == SONDE_TOP_SYSCALLS && state->calls == SONDE_TOP_CALLS_FAILED)
		return "system calls cannot be counted: start with --syscalls to see why";
	return sonde_top_pages[page].empty;
}

/* A page in @lines lines, its titles among them. */
static void put_page(struct sonde_top_screen *screen, const struct sonde_top_state *state, const struct sonde_top_view *view,
		     enum sonde_top_page page, size_t lines)
{
	const struct sonde_top_list *list = &view->list[page];
	size_t room = lines > 1 ? lines - 1 : 0, first = 0;
	struct layout layout;

	lay_out(&layout, page, screen->width);
	put_head(screen, &layout, state, page, list);
	if (!list->nr && room) {
		sonde_top_new_line(screen);
		sonde_top_say(screen, SONDE_TOP_DIM, "  %s", why_empty(state, page, list));
		return;
	}
	if (room && state->at[page] >= room)
		first = state->at[page] - room + 1;
	for (size_t i = first; i < list->nr && i < first + room; i++)
		put_row(screen, &layout, state, view, page, i);
}

/* How many of @room lines each page of the overview gets: none more than it needs, all as many as the others if they can. */
static void divide(size_t lines[SONDE_TOP_PAGES], const struct sonde_top_view *view, size_t room)
{
	size_t need[SONDE_TOP_PAGES] = {};
	bool more = true;

	memset(lines, 0, SONDE_TOP_PAGES * sizeof(*lines));
	for (size_t page = 0; page < SONDE_TOP_PAGES; page++)
		if (sonde_top_pages[page].overview)
			need[page] = 1 + (view->list[page].nr ? view->list[page].nr : 1);
	while (room && more) {
		more = false;
		for (size_t page = 0; page < SONDE_TOP_PAGES && room; page++) {
			if (lines[page] >= need[page])
				continue;
			lines[page]++;
			room--;
			more = true;
		}
	}
}

static void put_lists(struct sonde_top_screen *screen, const struct sonde_top_state *state, const struct sonde_top_view *view,
		      size_t room)
{
	size_t lines[SONDE_TOP_PAGES];

	if (state->zoom || state->height < TINY || !sonde_top_pages[state->page].overview) {
		put_page(screen, state, view, state->page, room);
		return;
	}
	divide(lines, view, room);
	for (size_t page = 0; page < SONDE_TOP_PAGES; page++)
		if (lines[page])
			put_page(screen, state, view, (enum sonde_top_page)page, lines[page]);
}

/* The part of @text that fits. */
static void put_text(struct sonde_top_screen *screen, struct sonde_top_state *state, struct sonde_top_screen *text, size_t room)
{
	size_t most = text->nr > room ? text->nr - room : 0;

	if (state->scroll > most)
		state->scroll = most;
	screen->failed |= text->failed;
	for (size_t i = state->scroll; i < text->nr && i < state->scroll + room; i++) {
		sonde_top_new_line(screen);
		if (screen->failed)
			break;
		screen->line[screen->nr - 1] = text->line[i];
		text->line[i].text = (struct sonde_buf){};
	}
	sonde_top_screen_free(text);
}

int sonde_top_draw(struct sonde_top_screen *screen, struct sonde_top_state *state, const struct sonde_top_view *view)
{
	struct sonde_top_screen text = { .width = state->width, .utf8 = state->utf8 };
	size_t keys = state->height > 2, room;

	*screen = text;
	if (!state->width || !state->height)
		return 0;
	sonde_top_header(screen, state, view);
	if (screen->nr + keys >= state->height)
		room = 0;
	else
		room = state->height - screen->nr - keys;
	switch (state->focus) {
	case SONDE_TOP_DETAIL:
		sonde_top_detail(&text, state, view);
		put_text(screen, state, &text, room);
		break;
	case SONDE_TOP_HELP:
		sonde_top_help(&text);
		put_text(screen, state, &text, room);
		break;
	default:
		if (room)
			put_lists(screen, state, view, room);
	}
	while (keys && screen->nr + 1 < state->height && !screen->failed)
		sonde_top_new_line(screen);
	if (keys)
		sonde_top_keys(screen, state);
	return screen->failed ? -ENOMEM : 0;
}
