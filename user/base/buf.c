// SPDX-License-Identifier: GPL-2.0-only
/*
 * buf.c - a growing byte buffer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static bool reserve(struct sonde_buf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : 256;
	char *s;

	if (buf->failed)
		return false;
	if (more >= SIZE_MAX / 2 - buf->len) {
		buf->failed = true;
		return false;
	}
	if (buf->len + more + 1 <= buf->cap)
		return true;
	while (cap < buf->len + more + 1)
		cap *= 2;
	s = realloc(buf->s, cap);
	if (!s) {
		buf->failed = true;
		return false;
	}
	buf->s = s;
	buf->cap = cap;
	return true;
}

void sonde_buf_add(struct sonde_buf *buf, const char *bytes, size_t len)
{
	if (!reserve(buf, len))
		return;
	if (len)
		memcpy(buf->s + buf->len, bytes, len);
	buf->len += len;
	buf->s[buf->len] = '\0';
}

void sonde_buf_str(struct sonde_buf *buf, const char *str)
{
	sonde_buf_add(buf, str, strlen(str));
}

void sonde_buf_fill(struct sonde_buf *buf, char c, size_t count)
{
	if (!reserve(buf, count))
		return;
	memset(buf->s + buf->len, c, count);
	buf->len += count;
	buf->s[buf->len] = '\0';
}

void sonde_buf_vprintf(struct sonde_buf *buf, const char *fmt, va_list ap)
{
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	if (len < 0)
		buf->failed = true;
	else if (reserve(buf, (size_t)len))
		buf->len += (size_t)vsnprintf(buf->s + buf->len, (size_t)len + 1, fmt, again);
	va_end(again);
}

void sonde_buf_printf(struct sonde_buf *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sonde_buf_vprintf(buf, fmt, ap);
	va_end(ap);
}

void sonde_buf_cut(struct sonde_buf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	buf->len = len;
	buf->s[len] = '\0';
}

void sonde_buf_free(struct sonde_buf *buf)
{
	free(buf->s);
	*buf = (struct sonde_buf){};
}
