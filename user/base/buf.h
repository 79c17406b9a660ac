/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * buf.h - a growing byte buffer. Everything that is printed is built in one and written at once.
 *
 * Out of memory is sticky: `failed` is set, what follows is ignored, and the one who writes the buffer checks.
 */
#ifndef SONDE_BASE_BUF_H
#define SONDE_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/** struct sonde_buf - @len bytes at @s, NUL-terminated whenever @s is not NULL; zeroed memory is an empty buffer */
struct sonde_buf {
	char *s;
	size_t len;
	size_t cap;
	bool failed;
};

void sonde_buf_add(struct sonde_buf *buf, const char *bytes, size_t len);
void sonde_buf_str(struct sonde_buf *buf, const char *str);
/** sonde_buf_fill - append @c @count times */
void sonde_buf_fill(struct sonde_buf *buf, char c, size_t count);
void sonde_buf_printf(struct sonde_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sonde_buf_vprintf(struct sonde_buf *buf, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/** sonde_buf_cut - drop everything after the first @len bytes */
void sonde_buf_cut(struct sonde_buf *buf, size_t len);
void sonde_buf_free(struct sonde_buf *buf);

#endif /* SONDE_BASE_BUF_H */
