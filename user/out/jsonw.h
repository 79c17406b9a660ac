/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * jsonw.h - writes JSON: commas, escapes and nesting are its business.
 */
#ifndef SONDE_OUT_JSONW_H
#define SONDE_OUT_JSONW_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_buf;

/** struct sonde_json - where and how deep; { .buf = buf } begins a document */
struct sonde_json {
	struct sonde_buf *buf;
	bool more; /* a value stands before the next one */
};

/* A key is NULL inside an array and for the document itself. */
void sonde_json_open(struct sonde_json *json, const char *key, char bracket);
void sonde_json_close(struct sonde_json *json, char bracket);
void sonde_json_u64(struct sonde_json *json, const char *key, u64 value);
void sonde_json_s64(struct sonde_json *json, const char *key, s64 value);
void sonde_json_double(struct sonde_json *json, const char *key, double value); /* finite; six digits */
void sonde_json_bool(struct sonde_json *json, const char *key, bool value);
/** sonde_json_str - a string of foreign bytes: what is not UTF-8 becomes U+FFFD, what is not printable an escape */
void sonde_json_str(struct sonde_json *json, const char *key, const char *s, size_t len);
void sonde_json_cstr(struct sonde_json *json, const char *key, const char *s);

#endif /* SONDE_OUT_JSONW_H */
