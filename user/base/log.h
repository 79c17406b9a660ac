/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log.h - messages for the user, on stderr, each a line that begins with the program's name.
 */
#ifndef SONDE_BASE_LOG_H
#define SONDE_BASE_LOG_H

#include <stdbool.h>

/** sonde_error - something failed; control characters in the text are neutralised */
void sonde_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** sonde_warn - something is not as it should be, the run goes on */
void sonde_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** sonde_note - worth knowing, nothing is wrong */
void sonde_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** sonde_debug - how it is done; only after sonde_log_verbose(true) */
void sonde_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void sonde_log_verbose(bool on);
bool sonde_log_is_verbose(void);

/**
 * sonde_log_hold - keep messages back while something is drawn on the terminal
 *
 * Messages that came meanwhile are printed by sonde_log_hold(false), so that none is overdrawn.
 */
void sonde_log_hold(bool on);

#endif /* SONDE_BASE_LOG_H */
