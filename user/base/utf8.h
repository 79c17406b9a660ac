/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * utf8.h - foreign text on its way to a terminal or a document: decode, measure, make harmless.
 */
#ifndef SONDE_BASE_UTF8_H
#define SONDE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sonde_buf;

#define SONDE_UTF8_BAD 0xfffdu /* U+FFFD stands for what is not UTF-8 */

/**
 * sonde_utf8_next - decode the character at @s (@len > 0 bytes)
 * @bytes: how many bytes it takes (at least 1)
 *
 * Returns the code point. What is not well-formed UTF-8 (overlong, surrogate, too big, cut) is SONDE_UTF8_BAD and
 * takes the bytes that could have begun a character (Unicode: "maximal subpart").
 */
uint32_t sonde_utf8_next(const char *s, size_t len, size_t *bytes);

/** sonde_utf8_add - append code point @c */
void sonde_utf8_add(struct sonde_buf *buf, uint32_t c);

/** sonde_utf8_width - columns that code point @c takes on a terminal: 0, 1 or 2 */
unsigned int sonde_utf8_width(uint32_t c);

/** sonde_utf8_unsafe - whether @c could act on a terminal (control, bidirectional override, line separator) */
bool sonde_utf8_unsafe(uint32_t c);

/** sonde_utf8_clean - append @s with blanks for white space and U+FFFD for every other unsafe or invalid character */
void sonde_utf8_clean(struct sonde_buf *buf, const char *s, size_t len);

/**
 * sonde_utf8_fit - like sonde_utf8_clean(), but at most @columns wide
 *
 * A longer text is cut and ends with "...". Returns the columns used.
 */
unsigned int sonde_utf8_fit(struct sonde_buf *buf, const char *s, size_t len, unsigned int columns);

/** sonde_utf8_tail - the same, but a longer text begins with "..." and keeps its end */
unsigned int sonde_utf8_tail(struct sonde_buf *buf, const char *s, size_t len, unsigned int columns);

/** sonde_utf8_columns - columns that sonde_utf8_clean() of @s takes */
unsigned int sonde_utf8_columns(const char *s, size_t len);

#endif /* SONDE_BASE_UTF8_H */
