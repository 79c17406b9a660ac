// SPDX-License-Identifier: GPL-2.0-only
/*
 * log.c - messages for the user.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/utf8.h"

#define MAX_HELD_BYTES 65536 /* messages kept back; a run that says more than this repeats itself */

static bool verbose;
static bool holding;
static struct sonde_buf held;

static void emit(const char *prefix, const char *fmt, va_list ap)
{
	struct sonde_buf line = {}, raw = {};

	sonde_buf_vprintf(&raw, fmt, ap);
	sonde_buf_printf(&line, "sonde: %s", prefix);
	/* A message may quote file names, processes or statements: no control character of theirs reaches the terminal. */
	for (size_t at = 0; at < raw.len;) {
		size_t end = at;

		while (end < raw.len && raw.s[end] != '\n')
			end++;
		sonde_utf8_clean(&line, raw.s + at, end - at);
		sonde_buf_add(&line, "\n", 1);
		at = end + 1;
	}
	if (holding && held.len + line.len <= MAX_HELD_BYTES)
		sonde_buf_add(&held, line.s, line.len);
	else if (!holding)
		(void)sonde_file_write_all(STDERR_FILENO, line.s, line.len);
	sonde_buf_free(&line);
	sonde_buf_free(&raw);
}

void sonde_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("", fmt, ap);
	va_end(ap);
}

void sonde_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("warning: ", fmt, ap);
	va_end(ap);
}

void sonde_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("", fmt, ap);
	va_end(ap);
}

void sonde_debug(const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	va_start(ap, fmt);
	emit("debug: ", fmt, ap);
	va_end(ap);
}

void sonde_log_verbose(bool on)
{
	verbose = on;
}

bool sonde_log_is_verbose(void)
{
	return verbose;
}

void sonde_log_hold(bool on)
{
	holding = on;
	if (on || !held.len)
		return;
	(void)sonde_file_write_all(STDERR_FILENO, held.s, held.len);
	sonde_buf_free(&held);
}
