// SPDX-License-Identifier: GPL-2.0-only
/*
 * example.c - from bytes on the wire to a statement.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "proto/example.h"
#include "proto/params.h"
#include "sonde/event.h"

/* A text and the dialect it is read in. */
struct text {
	const char *s;
	size_t len;
	bool numbered; /* PostgreSQL; else MySQL */
};

static char at(const struct text *t, size_t i)
{
	return i < t->len ? t->s[i] : '\0';
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Behind the quote that ends what the one at @i began. */
static size_t skip_quoted(const struct text *t, size_t i, bool backslash)
{
	char quote = at(t, i++);

	while (i < t->len) {
		char c = t->s[i++];

		if (c == '\\' && backslash)
			i++;
		else if (c == quote)
			return i; /* a doubled one begins another string right away */
	}
	return t->len;
}

static size_t skip_line(const struct text *t, size_t i)
{
	while (i < t->len && t->s[i] != '\n')
		i++;
	return i;
}

/* Comments nest in PostgreSQL. */
static size_t skip_comment(const struct text *t, size_t i)
{
	size_t depth = 0;

	while (i < t->len) {
		if (at(t, i) == '/' && at(t, i + 1) == '*') {
			depth = t->numbered ? depth + 1 : 1;
			i += 2;
		} else if (at(t, i) == '*' && at(t, i + 1) == '/') {
			i += 2;
			if (!--depth)
				return i;
		} else {
			i++;
		}
	}
	return t->len;
}

/* $tag$ ... $tag$; @i itself if none begins there. */
static size_t skip_dollar(const struct text *t, size_t i)
{
	size_t tag = i + 1, len;

	if (isdigit((unsigned char)at(t, tag)))
		return i;
	while (is_word(at(t, tag)))
		tag++;
	if (at(t, tag) != '$')
		return i;
	len = tag + 1 - i;
	for (size_t p = tag + 1; p + len <= t->len; p++)
		if (!memcmp(t->s + p, t->s + i, len))
			return p + len;
	return t->len;
}

/* Behind the string, name or comment that begins at @i; @i itself if none does. */
static size_t skip_opaque(const struct text *t, size_t i)
{
	char c = at(t, i);
	bool escapes;

	if (c == '\'') {
		escapes = i && (at(t, i - 1) == 'e' || at(t, i - 1) == 'E') && !(i > 1 && is_word(at(t, i - 2)));
		return skip_quoted(t, i, !t->numbered || escapes);
	}
	if (c == '"')
		return skip_quoted(t, i, !t->numbered);
	if (c == '`' && !t->numbered)
		return skip_quoted(t, i, false);
	if (c == '#' && !t->numbered)
		return skip_line(t, i);
	if (c == '-' && at(t, i + 1) == '-')
		return skip_line(t, i);
	if (c == '/' && at(t, i + 1) == '*')
		return skip_comment(t, i);
	if (c == '$' && t->numbered && !(i && is_word(at(t, i - 1))))
		return skip_dollar(t, i);
	return i;
}

/*
 * The next placeholder at or behind *@i: its number from 0 on, *@i its place and *@end what follows it. SIZE_MAX: there is
 * none.
 */
static size_t next_placeholder(const struct text *t, size_t *i, size_t *end, size_t nr)
{
	while (*i < t->len) {
		size_t behind = skip_opaque(t, *i), number = 0;

		if (behind > *i) {
			*i = behind;
			continue;
		}
		if (!t->numbered && t->s[*i] == '?') {
			*end = *i + 1;
			return nr;
		}
		if (t->numbered && t->s[*i] == '$' && isdigit((unsigned char)at(t, *i + 1)) &&
		    !(*i && is_word(t->s[*i - 1]))) {
			for (*end = *i + 1; isdigit((unsigned char)at(t, *end)); ++*end)
				if (number < SONDE_PARAMS_MAX * 10)
					number = number * 10 + (size_t)(t->s[*end] - '0');
			return number ? number - 1 : SONDE_PARAMS_MAX;
		}
		++*i;
	}
	return SIZE_MAX;
}

size_t sonde_example_placeholders(const char *text, size_t len)
{
	struct text t = { .s = text, .len = len };
	size_t nr = 0, i = 0, end;

	while (next_placeholder(&t, &i, &end, nr) != SIZE_MAX) {
		i = end;
		nr++;
	}
	return nr;
}

bool sonde_example_fill(const char *text, size_t len, bool numbered, const struct sonde_params *params,
			struct sonde_buf *out)
{
	struct text t = { .s = text, .len = len, .numbered = numbered };
	size_t i = 0, done = 0, end, which, nr = 0, literal_len;
	const char *literal;
	bool all = true;

	while ((which = next_placeholder(&t, &i, &end, nr)) != SIZE_MAX) {
		literal = sonde_params_get(params, which, &literal_len);
		if (literal) {
			sonde_buf_add(out, text + done, i - done);
			/* "- $1" with a negative number must not become a comment. */
			if (i && text[i - 1] == '-' && literal[0] == '-')
				sonde_buf_add(out, " ", 1);
			sonde_buf_add(out, literal, literal_len);
			done = end;
		} else {
			all = false;
		}
		i = end;
		nr++;
	}
	sonde_buf_add(out, text + done, len - done);
	return all && (numbered || nr == params->nr);
}

static void list_params(const struct sonde_params *params, bool numbered, struct sonde_buf *out)
{
	for (size_t i = 0; i < params->nr; i++) {
		const char *literal;
		size_t len;

		literal = sonde_params_get(params, i, &len);
		sonde_buf_printf(out, "%s%c%zu = ", i ? ", " : " -- ", numbered ? '$' : '?', i + 1);
		if (literal)
			sonde_buf_add(out, literal, len);
	}
}

/* White space and semicolons around a statement are no part of it. */
static void trim(const char **s, size_t *len)
{
	while (*len && (isspace((unsigned char)**s) || **s == ';')) {
		++*s;
		--*len;
	}
	while (*len && (isspace((unsigned char)(*s)[*len - 1]) || (*s)[*len - 1] == ';' || !(*s)[*len - 1]))
		--*len;
}

/* What a message with parameters stands for. */
struct bound {
	const u8 *message;
	size_t len;
	const char *own; /* the statement's text as it was prepared; NULL: not known */
	size_t own_len;
	const u8 *types; /* PostgreSQL: what follows it */
	size_t types_len;
	bool numbered;
};

/* Takes the prepared statement's text off the front of @bytes. */
static bool take_text(const u8 *bytes, size_t len, struct bound *b)
{
	const char *nul;
	size_t text;

	if (len < 4)
		return false;
	text = bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
	if (text > len - 4)
		return false;
	b->own = (const char *)bytes + 4;
	b->own_len = text;
	b->message = bytes + 4 + text;
	b->len = len - 4 - text;
	nul = b->numbered ? memchr(b->own, 0, text) : NULL;
	if (nul) {
		b->own_len = (size_t)(nul - b->own);
		b->types = (const u8 *)nul + 1;
		b->types_len = text - b->own_len - 1;
	}
	trim(&b->own, &b->own_len);
	return true;
}

static bool add_bound(const struct bound *b, const char *text, size_t text_len, struct sonde_buf *out)
{
	struct sonde_params *params = calloc(1, sizeof(*params));
	bool whole = false;
	int err;

	if (!params) {
		out->failed = true;
		return false;
	}
	if (b->numbered)
		err = sonde_params_postgresql(b->message, b->len, b->types, b->types_len, params);
	else
		err = sonde_params_mysql(b->message, b->len,
					 b->own ? sonde_example_placeholders(b->own, b->own_len) : SIZE_MAX, params);
	if (b->own) {
		whole = sonde_example_fill(b->own, b->own_len, b->numbered, params, out) && !err;
	} else {
		sonde_buf_add(out, text ? text : "", text ? text_len : 0);
		list_params(params, b->numbered, out);
		whole = text && !err && !params->nr && !memchr(text, '?', text_len);
	}
	if (err)
		sonde_buf_str(out, err == -ENODATA
					   ? " -- parameters not shown: their types came with an earlier execution"
					   : " -- more parameters could not be read");
	sonde_params_free(params);
	free(params);
	return whole;
}

bool sonde_example(u32 proto, u32 flags, const u8 *bytes, size_t len, const char *text, size_t text_len,
		   struct sonde_buf *out)
{
	struct bound b = { .message = bytes, .len = len, .numbered = proto == SONDE_PROTO_POSTGRESQL };
	const char *s = (const char *)bytes;

	if (!(flags & SONDE_SLOW_BIND)) {
		trim(&s, &len);
		sonde_buf_add(out, s, len);
		if (flags & SONDE_SLOW_CUT)
			sonde_buf_str(out, " ...");
		return len && !(flags & SONDE_SLOW_CUT);
	}
	if (flags & SONDE_SLOW_PREPARED && !take_text(bytes, len, &b))
		return false;
	return add_bound(&b, text, text_len, out) && !(flags & SONDE_SLOW_CUT);
}
