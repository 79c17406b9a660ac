/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * curses.h - puts screens on the terminal, and hands out keys; the only one that knows the terminal library.
 */
#ifndef SONDE_TOP_CURSES_H
#define SONDE_TOP_CURSES_H

#include "top/screen.h"

/**
 * sonde_curses_check - whether there is a terminal that a screen can be drawn on
 *
 * Changes nothing. Returns NULL, or what is wrong in words for the user: valid until the next call.
 */
const char *sonde_curses_check(void);

/** sonde_curses_start - take the terminal, from which sonde_curses_stop(), exit() and fatal signals give it back; 0 or -errno */
int sonde_curses_start(void);

/** sonde_curses_stop - give it back as it was; nothing happens if it was not taken */
void sonde_curses_stop(void);

/** sonde_curses_pause, sonde_curses_resume - give it back for a while, as for Ctrl-Z; the next drawing has to be anew */
void sonde_curses_pause(void);
void sonde_curses_resume(void);

/** sonde_curses_size - the size of the terminal now; call it before drawing */
void sonde_curses_size(unsigned int *width, unsigned int *height);

/** sonde_curses_draw - show @screen; what has not changed is not written. @anew: all is */
void sonde_curses_draw(const struct sonde_top_screen *screen, bool anew);

/** sonde_curses_key - the next key of enum sonde_top_key or character that has been pressed; 0: none */
u32 sonde_curses_key(void);

#endif /* SONDE_TOP_CURSES_H */
