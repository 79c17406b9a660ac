// SPDX-License-Identifier: GPL-2.0-only
/*
 * live.c - a report that is drawn over and over on a terminal's other screen.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "out/live.h"

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* other screen, no cursor, no wrapping at the right edge */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static volatile sig_atomic_t live_fd = -1;

/* How the terminal is given back; as long as live_fd is one this does not change. */
static const char *leave_with = LEAVE;
static size_t leave_len = sizeof(LEAVE) - 1;
static struct termios modes;
static bool has_modes;

/* Signals that end a program when it has gone wrong. */
static const int fatal[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGQUIT, SIGALRM };

static void leave(void)
{
	int fd = live_fd;

	if (fd < 0)
		return;
	live_fd = -1;
	/* Also from a signal handler, where nothing can be done about a failure. */
	if (write(fd, leave_with, leave_len) < 0)
		return;
	if (has_modes)
		tcsetattr(fd, TCSANOW, &modes);
}

static void on_fatal(int sig)
{
	leave();
	raise(sig); /* the handler is gone: SA_RESETHAND */
}

static void prepare(void)
{
	static bool prepared;
	struct sigaction action = { .sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND | SA_NODEFER };

	if (prepared)
		return;
	prepared = true;
	atexit(leave);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &action, NULL);
}

void sonde_live_guard(int fd, const char *sequence, size_t len, const struct termios *before)
{
	prepare();
	leave_with = sequence;
	leave_len = len;
	modes = *before;
	has_modes = true;
	live_fd = fd;
}

void sonde_live_unguard(void)
{
	live_fd = -1;
}

void sonde_live_start(int fd)
{
	prepare();
	live_fd = fd;
	(void)sonde_file_write_all(fd, ENTER, sizeof(ENTER) - 1);
}

int sonde_live_draw(const char *text, size_t len)
{
	struct sonde_buf frame = {};
	int err;

	if (live_fd < 0)
		return -EBADF;
	/*
	 * One write, no clearing of the whole first: that would flicker. Each line is cleared before it is written: behind
	 * one that reaches the right edge the cursor still stands on its last character.
	 */
	sonde_buf_str(&frame, "\033[H");
	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t line = end ? (size_t)(end - text) - at : len - at;

		sonde_buf_str(&frame, "\033[K");
		sonde_buf_add(&frame, text + at, line);
		at += line;
		if (end) {
			sonde_buf_str(&frame, "\r\n");
			at++;
		}
	}
	sonde_buf_str(&frame, "\033[J");
	err = frame.failed ? -ENOMEM : sonde_file_write_all(live_fd, frame.s, frame.len);
	sonde_buf_free(&frame);
	return err;
}

void sonde_live_stop(void)
{
	leave();
}

void sonde_live_size(int fd, unsigned int *width, unsigned int *height)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size))
		return;
	if (size.ws_col)
		*width = size.ws_col;
	if (size.ws_row)
		*height = size.ws_row;
}
