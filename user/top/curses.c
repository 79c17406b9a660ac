// SPDX-License-Identifier: GPL-2.0-only
/*
 * curses.c - puts screens on the terminal, and hands out keys.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>
/* Terminfo's names for them would be everybody's. */
#undef columns
#undef lines

#include "out/live.h"
#include "top/curses.h"

#define ESCAPE_MS 25 /* what follows an ESC this late is another key */

static SCREEN *terminal;
static chtype styles[SONDE_TOP_STYLES];

const char *sonde_curses_check(void)
{
	static char said[256];
	const char *term = getenv("TERM");
	int found;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return "no terminal: sonde top draws on one and takes keys from it; for a report without one: sonde db -i 2";
	if (!term || !*term)
		return "TERM is not set: sonde top does not know how to draw on this terminal; set it (TERM=xterm), or: sonde db -i 2";
	/* This says no more than whether it is known: newterm() sets it up anew. */
	if (setupterm(NULL, STDOUT_FILENO, &found) == OK && cursor_address && clear_screen)
		return NULL;
	snprintf(said, sizeof(said), "the terminal '%.60s' (TERM) is %s; set TERM to one that is known, or: sonde db -i 2", term,
		 found == 1 ? "one whose cursor cannot be moved" : "not known here");
	return said;
}

static void put_byte(char **at, const char *end, const char *text)
{
	for (; text && *text && *at < end; text++) {
		/* "$<5>": a pause for terminals of long ago. */
		if (text[0] == '$' && text[1] == '<' && strchr(text, '>'))
			text = strchr(text, '>');
		else
			*(*at)++ = *text;
	}
}

/* What gives the terminal back when this program no longer can. */
static void guard(void)
{
	static char leave[256];
	struct termios modes;
	char *at = leave, *end = leave + sizeof(leave);

	if (tcgetattr(STDIN_FILENO, &modes))
		return;
	put_byte(&at, end, exit_attribute_mode);
	put_byte(&at, end, keypad_local);
	put_byte(&at, end, cursor_normal);
	put_byte(&at, end, exit_ca_mode);
	sonde_live_guard(STDOUT_FILENO, leave, (size_t)(at - leave), &modes);
}

static void choose_styles(void)
{
	const char *no_color = getenv("NO_COLOR");
	bool color = (!no_color || !*no_color) && has_colors() && start_color() == OK;

	styles[SONDE_TOP_BOLD] = A_BOLD;
	styles[SONDE_TOP_DIM] = A_DIM;
	styles[SONDE_TOP_HEAD] = A_UNDERLINE;
	styles[SONDE_TOP_SORTED] = A_UNDERLINE | A_BOLD;
	styles[SONDE_TOP_SELECTED] = A_REVERSE;
	styles[SONDE_TOP_BAD] = A_BOLD;
	styles[SONDE_TOP_WARN] = A_BOLD;
	if (!color)
		return;
	use_default_colors();
	init_pair(1, COLOR_RED, -1);
	init_pair(2, COLOR_YELLOW, -1);
	init_pair(3, COLOR_CYAN, -1);
	styles[SONDE_TOP_BAD] = A_BOLD | COLOR_PAIR(1);
	styles[SONDE_TOP_WARN] = A_BOLD | COLOR_PAIR(2);
	styles[SONDE_TOP_HEAD] = A_UNDERLINE | COLOR_PAIR(3);
	styles[SONDE_TOP_SORTED] = A_UNDERLINE | A_BOLD | COLOR_PAIR(3);
}

int sonde_curses_start(void)
{
	setlocale(LC_CTYPE, "");
	guard();
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal) {
		sonde_live_stop();
		return -EIO;
	}
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	choose_styles();
	return 0;
}

void sonde_curses_stop(void)
{
	if (!terminal)
		return;
	endwin();
	sonde_live_unguard();
	delscreen(terminal);
	terminal = NULL;
}

void sonde_curses_pause(void)
{
	endwin();
	sonde_live_unguard();
}

void sonde_curses_resume(void)
{
	guard();
	def_shell_mode();
	reset_prog_mode();
}

void sonde_curses_size(unsigned int *width, unsigned int *height)
{
	unsigned int columns = (unsigned int)COLS, lines = (unsigned int)LINES;

	sonde_live_size(STDOUT_FILENO, &columns, &lines);
	if ((int)columns != COLS || (int)lines != LINES)
		resizeterm((int)lines, (int)columns);
	*width = columns;
	*height = lines;
}

static void draw_line(int y, const struct sonde_top_line *line)
{
	size_t from = 0;

	move(y, 0);
	for (size_t i = 0; i <= line->nr; i++) {
		size_t to = i < line->nr ? line->mark[i].at : line->text.len;

		attrset((attr_t)styles[i ? line->mark[i - 1].style : SONDE_TOP_PLAIN]);
		if (to > from)
			addnstr(line->text.s + from, (int)(to - from));
		from = to;
	}
	attrset(A_NORMAL);
}

void sonde_curses_draw(const struct sonde_top_screen *screen, bool anew)
{
	erase();
	if (anew)
		redrawwin(stdscr); /* not clear(): where the terminal keeps what is cleared, it would come back later */
	for (size_t i = 0; i < screen->nr && i < (size_t)LINES; i++)
		draw_line((int)i, &screen->line[i]);
	refresh();
}

u32 sonde_curses_key(void)
{
	static const struct {
		wint_t code;
		u32 key;
	} keys[] = {
		{ KEY_UP, SONDE_TOP_KEY_UP },	      { KEY_DOWN, SONDE_TOP_KEY_DOWN },	    { KEY_LEFT, SONDE_TOP_KEY_LEFT },
		{ KEY_RIGHT, SONDE_TOP_KEY_RIGHT },   { KEY_PPAGE, SONDE_TOP_KEY_PAGE_UP }, { KEY_NPAGE, SONDE_TOP_KEY_PAGE_DOWN },
		{ KEY_HOME, SONDE_TOP_KEY_HOME },     { KEY_END, SONDE_TOP_KEY_END },	    { KEY_ENTER, SONDE_TOP_KEY_ENTER },
		{ KEY_BTAB, SONDE_TOP_KEY_BACK_TAB }, { KEY_BACKSPACE, SONDE_TOP_KEY_BACKSPACE },
	};
	wint_t c;

	while (true) {
		int kind = get_wch(&c);

		if (kind == ERR)
			return 0;
		if (kind == KEY_CODE_YES) {
			for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
				if (keys[i].code == c)
					return keys[i].key;
			continue;
		}
		switch (c) {
		case 0:
			continue;
		case '\r':
		case '\n':
			return SONDE_TOP_KEY_ENTER;
		case '\t':
			return SONDE_TOP_KEY_TAB;
		case 27:
			return SONDE_TOP_KEY_ESCAPE;
		case 8:
		case 127:
			return SONDE_TOP_KEY_BACKSPACE;
		default:
			return c < SONDE_TOP_KEY_UP ? (u32)c : 0xfffd;
		}
	}
}
