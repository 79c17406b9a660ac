/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * live.h - a report that is drawn over and over on a terminal's other screen.
 */
#ifndef SONDE_OUT_LIVE_H
#define SONDE_OUT_LIVE_H

#include <stddef.h>

/**
 * sonde_live_start - switch terminal @fd to its other screen
 *
 * Whatever ends the program gives the terminal back: exit(), and signals that nobody handles.
 */
void sonde_live_start(int fd);

struct termios;

/**
 * sonde_live_guard - the same for a terminal that somebody else draws on: nothing is written now
 * @sequence, @len: what is written in the end; stays where it is
 * @before: modes that are set again then
 */
void sonde_live_guard(int fd, const char *sequence, size_t len, const struct termios *before);

/** sonde_live_unguard - the terminal has been given back */
void sonde_live_unguard(void);

/** sonde_live_draw - replace what is shown by @text, as much as fits; 0 or -errno */
int sonde_live_draw(const char *text, size_t len);

/** sonde_live_stop - give the terminal back (nothing happens if it was not taken) */
void sonde_live_stop(void);

/** sonde_live_size - the size of terminal @fd; leaves what it does not know */
void sonde_live_size(int fd, unsigned int *width, unsigned int *height);

#endif /* SONDE_OUT_LIVE_H */
