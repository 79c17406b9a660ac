// SPDX-License-Identifier: GPL-2.0-only
/*
 * jsonw.c - writes JSON.
 */
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "out/jsonw.h"

static void string(struct sonde_buf *buf, const char *s, size_t len)
{
	size_t bytes;
	uint32_t c;

	sonde_buf_add(buf, "\"", 1);
	for (size_t at = 0; at < len; at += bytes) {
		c = sonde_utf8_next(s + at, len - at, &bytes);
		if (c == '"' || c == '\\') {
			sonde_buf_add(buf, "\\", 1);
			sonde_utf8_add(buf, c);
		} else if (c == '\n') {
			sonde_buf_add(buf, "\\n", 2);
		} else if (c == '\t') {
			sonde_buf_add(buf, "\\t", 2);
		} else if (c < 0xffff && sonde_utf8_unsafe(c)) {
			/* The standard asks for those below 0x20; the others would act on a terminal that shows the document. */
			sonde_buf_printf(buf, "\\u%04x", (unsigned int)c);
		} else {
			sonde_utf8_add(buf, c);
		}
	}
	sonde_buf_add(buf, "\"", 1);
}

static void before(struct sonde_json *json, const char *key)
{
	if (json->more)
		sonde_buf_add(json->buf, ",", 1);
	json->more = true;
	if (!key)
		return;
	string(json->buf, key, strlen(key));
	sonde_buf_add(json->buf, ":", 1);
}

void sonde_json_open(struct sonde_json *json, const char *key, char bracket)
{
	before(json, key);
	sonde_buf_add(json->buf, &bracket, 1);
	json->more = false;
}

void sonde_json_close(struct sonde_json *json, char bracket)
{
	sonde_buf_add(json->buf, &bracket, 1);
	json->more = true;
}

void sonde_json_u64(struct sonde_json *json, const char *key, u64 value)
{
	before(json, key);
	sonde_buf_printf(json->buf, "%llu", (unsigned long long)value);
}

void sonde_json_s64(struct sonde_json *json, const char *key, s64 value)
{
	before(json, key);
	sonde_buf_printf(json->buf, "%lld", (long long)value);
}

void sonde_json_double(struct sonde_json *json, const char *key, double value)
{
	before(json, key);
	sonde_buf_printf(json->buf, "%.6g", value);
}

void sonde_json_bool(struct sonde_json *json, const char *key, bool value)
{
	before(json, key);
	sonde_buf_str(json->buf, value ? "true" : "false");
}

void sonde_json_str(struct sonde_json *json, const char *key, const char *s, size_t len)
{
	before(json, key);
	string(json->buf, s, len);
}

void sonde_json_cstr(struct sonde_json *json, const char *key, const char *s)
{
	sonde_json_str(json, key, s, strlen(s));
}
