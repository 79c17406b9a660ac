// SPDX-License-Identifier: GPL-2.0-only
/*
 * params.c - lists of literals.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "proto/params.h"

void sonde_params_free(struct sonde_params *params)
{
	sonde_buf_free(&params->text);
	params->nr = 0;
}

const char *sonde_params_get(const struct sonde_params *params, size_t i, size_t *len)
{
	size_t begin;

	if (i >= params->nr || !params->text.s)
		return NULL;
	begin = i ? params->end[i - 1] : 0;
	*len = params->end[i] - begin;
	return params->text.s + begin;
}

int sonde_params_end(struct sonde_params *params)
{
	if (params->text.failed)
		return -ENOMEM;
	if (params->nr == SONDE_PARAMS_MAX)
		return -E2BIG;
	params->end[params->nr++] = params->text.len;
	return 0;
}

void sonde_params_quote(struct sonde_buf *buf, const char *s, size_t len, bool backslash)
{
	sonde_buf_add(buf, "'", 1);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\'' || (backslash && s[i] == '\\'))
			sonde_buf_add(buf, &s[i], 1);
		sonde_buf_add(buf, &s[i], 1);
	}
	sonde_buf_add(buf, "'", 1);
}

bool sonde_params_is_text(const u8 *s, size_t len)
{
	size_t bytes;

	for (size_t at = 0; at < len; at += bytes) {
		u32 c = sonde_utf8_next((const char *)s + at, len - at, &bytes);

		if (c == SONDE_UTF8_BAD || c == 0x7f || (c < ' ' && c != '\n' && c != '\t' && c != '\r'))
			return false;
	}
	return true;
}

void sonde_params_double(struct sonde_buf *buf, double value, bool single)
{
	size_t begin = buf->len;

	if (!isfinite(value)) {
		sonde_buf_str(buf, isnan(value) ? "'NaN'" : value > 0 ? "'Infinity'" : "'-Infinity'");
		return;
	}
	for (int digits = single ? 6 : 15; digits <= 17; digits++) {
		sonde_buf_cut(buf, begin);
		sonde_buf_printf(buf, "%.*g", digits, value);
		if (buf->failed)
			return;
		if (single ? strtof(buf->s + begin, NULL) == (float)value : strtod(buf->s + begin, NULL) == value)
			return;
	}
}
