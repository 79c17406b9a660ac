// SPDX-License-Identifier: GPL-2.0-only
/*
 * log.c - messages for the user.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/utf8.h"
#include "sonde/base.h"

#define MAX_HELD_BYTES 65536 /* messages kept back; a run that says more than this repeats itself */

static bool verbose;
static bool holding;
static struct sonde_buf held;

/*
 * Lines end where the message says so, not where something quoted in it has a newline: that would forge another message. So the
 * message's own are replaced by a mark that nobody can know.
 */
static const char *mark(void)
{
	static char text[20];
	u64 dice = 0;

	if (!text[0]) {
		if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != sizeof(dice))
			dice = (uintptr_t)&dice; /* where the stack is: as hard to guess */
		snprintf(text, sizeof(text), "\001%016llx\001", (unsigned long long)dice);
	}
	return text;
}

static void emit(const char *prefix, const char *fmt, va_list ap)
{
	struct sonde_buf line = {}, raw = {}, marked = {};
	size_t mark_len = strlen(mark());

	for (; *fmt; fmt++)
		sonde_buf_add(&marked, *fmt == '\n' ? mark() : fmt, *fmt == '\n' ? mark_len : 1);
	sonde_buf_str(&marked, "");
	if (!marked.failed)
		sonde_buf_vprintf(&raw, marked.s, ap);
	sonde_buf_free(&marked);
	sonde_buf_printf(&line, "sonde: %s", prefix);
	/* A message may quote file names, processes or statements: no control character of theirs reaches the terminal. */
	for (size_t at = 0; at < raw.len;) {
		const char *end = memmem(raw.s + at, raw.len - at, mark(), mark_len);
		size_t len = end ? (size_t)(end - raw.s) - at : raw.len - at;

		sonde_utf8_clean(&line, raw.s + at, len);
		sonde_buf_add(&line, "\n", 1);
		at += len + mark_len;
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
