// SPDX-License-Identifier: GPL-2.0-only
/*
 * key.c - what keys do.
 */
#include <string.h>

#include "base/utf8.h"
#include "top/top.h"

void sonde_top_begin(struct sonde_top_state *state)
{
	*state = (struct sonde_top_state){ .width = 80, .height = 24, .interval_ns = 2000000000 };
	for (size_t i = 0; i < SONDE_TOP_PAGES; i++)
		state->sort[i] = SONDE_TOP_TIME;
	state->sort[SONDE_TOP_FINDINGS] = SONDE_TOP_WASTE;
}

/* The next page that is on the screen, @step forwards or back. */
static void turn_page(struct sonde_top_state *state, int step)
{
	size_t page = state->page;

	do
		page = (page + SONDE_TOP_PAGES + (size_t)step) % SONDE_TOP_PAGES;
	while (!state->zoom && !sonde_top_pages[page].overview);
	state->page = (enum sonde_top_page)page;
}

static void go_to(struct sonde_top_state *state, enum sonde_top_page page)
{
	state->page = page;
	state->zoom = true;
}

static void move(struct sonde_top_state *state, const struct sonde_top_view *view, long rows)
{
	const struct sonde_top_list *list = &view->list[state->page];
	long to = (long)state->at[state->page] + rows;

	if (!list->nr)
		return;
	if (to < 0)
		to = 0;
	if (to > (long)list->nr - 1)
		to = (long)list->nr - 1;
	state->at[state->page] = (size_t)to;
	state->cursor[state->page] = list->row[to].key;
}

/* The column beside the one that the page is sorted by. */
static void sort_beside(struct sonde_top_state *state, int step)
{
	const struct sonde_top_column *column[SONDE_TOP_COLUMNS_MAX];
	size_t nr = sonde_top_columns(state->page, column), at = 0;

	if (!nr)
		return;
	while (at < nr && column[at]->value != state->sort[state->page])
		at++;
	do
		at = (at + nr + (size_t)step) % nr;
	while (column[at]->from > state->width);
	state->sort[state->page] = column[at]->value;
	state->ascending[state->page] = false;
}

static void open_row(struct sonde_top_state *state, const struct sonde_top_view *view)
{
	const struct sonde_top_list *list = &view->list[state->page];
	const struct sonde_top_row *row;

	if (!list->nr || state->page == SONDE_TOP_SYSCALLS)
		return;
	row = &list->row[state->at[state->page]];
	if (state->page != SONDE_TOP_PROCESSES) {
		state->focus = SONDE_TOP_DETAIL;
		state->detail = row->key;
		state->detail_page = state->page;
		state->cursor[state->page] = row->key;
		state->scroll = 0;
		return;
	}
	state->inside = row->key;
	state->inside_pid = row->pid;
	strncpy(state->inside_name, row->process, sizeof(state->inside_name) - 1);
	state->cursor[SONDE_TOP_PROCESSES] = row->key;
	state->page = SONDE_TOP_QUERIES;
}

/* One step back: out of the filter, the page, the process. */
static void back(struct sonde_top_state *state)
{
	if (state->filter[0]) {
		state->filter[0] = '\0';
	} else if (state->inside) {
		state->inside = 0;
		memset(state->inside_name, 0, sizeof(state->inside_name));
		state->page = SONDE_TOP_PROCESSES;
	} else if (state->zoom) {
		state->zoom = false;
		if (!sonde_top_pages[state->page].overview)
			state->page = SONDE_TOP_PROCESSES;
	}
}

/* A key while the filter is typed: what is shown follows each of them. */
static void edit(struct sonde_top_state *state, u32 key)
{
	size_t len = strlen(state->filter);
	struct sonde_buf more = {};

	switch (key) {
	case SONDE_TOP_KEY_ESCAPE:
		state->filter[0] = '\0';
		state->edit = false;
		return;
	case SONDE_TOP_KEY_ENTER:
		state->edit = false;
		return;
	case SONDE_TOP_KEY_BACKSPACE:
		while (len && ((u8)state->filter[--len] & 0xc0) == 0x80)
			;
		state->filter[len] = '\0';
		return;
	case 'U' - '@': /* Ctrl-U */
		state->filter[0] = '\0';
		return;
	default:
		break;
	}
	if (key < ' ' || key >= SONDE_TOP_KEY_UP || sonde_utf8_unsafe(key))
		return;
	sonde_utf8_add(&more, key);
	if (!more.failed && len + more.len < sizeof(state->filter))
		memcpy(state->filter + len, more.s, more.len + 1);
	sonde_buf_free(&more);
}

/* Keys of texts that scroll: a row's detail, the help. */
static void press_text(struct sonde_top_state *state, u32 key)
{
	size_t page = state->height > 4 ? state->height - 3 : 1;

	switch (key) {
	case SONDE_TOP_KEY_UP:
	case 'k':
		state->scroll -= state->scroll > 0;
		break;
	case SONDE_TOP_KEY_DOWN:
	case 'j':
		state->scroll++; /* as far as there are lines: screen.c sees to it */
		break;
	case SONDE_TOP_KEY_PAGE_UP:
		state->scroll -= state->scroll < page ? state->scroll : page;
		break;
	case SONDE_TOP_KEY_PAGE_DOWN:
		state->scroll += page;
		break;
	case SONDE_TOP_KEY_HOME:
		state->scroll = 0;
		break;
	case SONDE_TOP_KEY_ESCAPE:
	case SONDE_TOP_KEY_ENTER:
	case SONDE_TOP_KEY_BACKSPACE:
	case SONDE_TOP_KEY_LEFT:
	case '?':
		state->focus = SONDE_TOP_LISTS;
		state->scroll = 0;
		break;
	default:
		break;
	}
}

static void press_list(struct sonde_top_state *state, const struct sonde_top_view *view, u32 key)
{
	long page = state->height > 6 ? (long)state->height - 5 : 1;

	switch (key) {
	case SONDE_TOP_KEY_UP:
	case 'k':
		move(state, view, -1);
		break;
	case SONDE_TOP_KEY_DOWN:
	case 'j':
		move(state, view, 1);
		break;
	case SONDE_TOP_KEY_PAGE_UP:
		move(state, view, -page);
		break;
	case SONDE_TOP_KEY_PAGE_DOWN:
		move(state, view, page);
		break;
	case SONDE_TOP_KEY_HOME:
		move(state, view, -(1L << 30));
		break;
	case SONDE_TOP_KEY_END:
		move(state, view, 1L << 30);
		break;
	case SONDE_TOP_KEY_TAB:
		turn_page(state, 1);
		break;
	case SONDE_TOP_KEY_BACK_TAB:
		turn_page(state, -1);
		break;
	case SONDE_TOP_KEY_ENTER:
	case SONDE_TOP_KEY_RIGHT:
		open_row(state, view);
		break;
	case SONDE_TOP_KEY_ESCAPE:
	case SONDE_TOP_KEY_LEFT:
	case SONDE_TOP_KEY_BACKSPACE:
		back(state);
		break;
	case '>':
	case 's':
		sort_beside(state, 1);
		break;
	case '<':
	case 'S':
		sort_beside(state, -1);
		break;
	case 'r':
		state->ascending[state->page] = !state->ascending[state->page];
		break;
	case '/':
		state->edit = true;
		break;
	case 'z':
		state->zoom = !state->zoom || !sonde_top_pages[state->page].overview;
		break;
	case 'g':
		state->by_pid = !state->by_pid;
		memset(state->cursor, 0, sizeof(state->cursor));
		break;
	case '0':
		state->zoom = false;
		if (!sonde_top_pages[state->page].overview)
			state->page = SONDE_TOP_PROCESSES;
		break;
	default:
		if (key > '0' && key <= '0' + SONDE_TOP_PAGES)
			go_to(state, (enum sonde_top_page)(key - '1'));
	}
}

bool sonde_top_press(struct sonde_top_state *state, const struct sonde_top_view *view, u32 key)
{
	if (state->edit) {
		edit(state, key);
		return true;
	}
	switch (key) {
	case 'q':
		return false;
	case '?':
	case 'h':
		state->focus = state->focus == SONDE_TOP_HELP ? SONDE_TOP_LISTS : SONDE_TOP_HELP;
		state->scroll = 0;
		return true;
	case ' ':
		state->frozen = !state->frozen;
		return true;
	case 't':
		state->totals = !state->totals;
		return true;
	default:
		break;
	}
	if (state->focus == SONDE_TOP_LISTS)
		press_list(state, view, key);
	else
		press_text(state, key);
	return true;
}
