// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan.c - SQL text as a list of tokens.
 *
 * What begins or ends a string or a comment decides about everything behind it, so these follow the servers' own
 * lexers: PostgreSQL nests comments and ends a line comment at CR too, MySQL wants a blank behind `--`.
 */
#include "explain/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OP_CHARS "+-*/<>=~!@#%^&|`?"

struct scanner {
	struct sonde_scan *out;
	const char *s; /* what comes next */
	size_t cap;
	bool escapes; /* the last token is a string with backslash escapes, which strings behind it continue */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool begins_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool in_word(char c)
{
	return begins_word(c) || is_digit(c) || c == '$';
}

static bool is_mysql(const struct scanner *scanner)
{
	return scanner->out->flags & SONDE_SCAN_MYSQL;
}

static int fail(struct scanner *scanner, const char *why)
{
	scanner->out->error = why;
	return -EINVAL;
}

static int add(struct scanner *scanner, enum sonde_scan_kind kind, const char *start)
{
	struct sonde_scan *out = scanner->out;

	if (out->nr == scanner->cap) {
		size_t cap = scanner->cap ? scanner->cap * 2 : 64;
		struct sonde_scan_token *tokens = realloc(out->tokens, cap * sizeof(*tokens));

		if (!tokens)
			return -ENOMEM;
		out->tokens = tokens;
		scanner->cap = cap;
	}
	out->tokens[out->nr++] = (struct sonde_scan_token){ kind, start, (size_t)(scanner->s - start) };
	return 0;
}

/* Behind the slash and star of a comment. */
static int skip_block_comment(struct scanner *scanner)
{
	const char *s = scanner->s + 2;
	unsigned int depth = 1;

	/* MySQL runs what stands in these. */
	if (is_mysql(scanner) && (*s == '!' || ((*s == 'M' || *s == 'm') && s[1] == '!')))
		return fail(scanner, "a comment in it is executed (/*! */)");
	while (depth) {
		if (!*s)
			return fail(scanner, "a comment in it does not end");
		if (s[0] == '*' && s[1] == '/') {
			depth--;
			s += 2;
		} else if (!is_mysql(scanner) && s[0] == '/' && s[1] == '*') {
			depth++;
			s += 2;
		} else {
			s++;
		}
	}
	scanner->s = s;
	return 0;
}

static bool at_line_comment(const struct scanner *scanner)
{
	const char *s = scanner->s;

	if (!is_mysql(scanner))
		return s[0] == '-' && s[1] == '-';
	return *s == '#' || (s[0] == '-' && s[1] == '-' && (unsigned char)s[2] <= ' ');
}

/* Blanks and comments. */
static int skip(struct scanner *scanner)
{
	for (;;) {
		scanner->s += strspn(scanner->s, " \t\r\n\f\v");
		if (scanner->s[0] == '/' && scanner->s[1] == '*') {
			int err = skip_block_comment(scanner);

			if (err)
				return err;
		} else if (at_line_comment(scanner)) {
			scanner->s += strcspn(scanner->s, is_mysql(scanner) ? "\n" : "\r\n");
		} else {
			return 0;
		}
	}
}

/* Something in quotes that begins at @start; scanner->s stands on the quote. */
static int scan_quoted(struct scanner *scanner, const char *start, enum sonde_scan_kind kind, bool backslash)
{
	const char quote = *scanner->s;
	const char *s = scanner->s + 1;

	for (;; s++) {
		if (!*s)
			return fail(scanner, "a string in it does not end");
		if (*s == '\\' && backslash) {
			if (!s[1])
				return fail(scanner, "a string in it does not end");
			s++;
		} else if (*s == quote) {
			if (s[1] != quote)
				break;
			s++;
		}
	}
	scanner->s = s + 1;
	scanner->escapes = backslash;
	return add(scanner, kind, start);
}

/* $tag$ ... $tag$; 1: it is none. */
static int scan_dollar(struct scanner *scanner)
{
	const char *start = scanner->s, *tag_end = start + 1, *s;
	size_t tag_len;

	if (begins_word(*tag_end))
		while (in_word(*tag_end) && *tag_end != '$')
			tag_end++;
	if (*tag_end != '$')
		return 1;
	tag_len = (size_t)(tag_end - start) + 1;
	for (s = tag_end + 1; (s = strchr(s, '$')); s++) {
		if (strncmp(s, start, tag_len) == 0) {
			scanner->s = s + tag_len;
			return add(scanner, SONDE_SCAN_STRING, start);
		}
	}
	return fail(scanner, "a string in it does not end");
}

static int scan_number(struct scanner *scanner)
{
	const char *start = scanner->s;
	const char *s = start;

	/* A word right behind the digits is a token of its own: `1into` is what some servers read as `1 into`. */
	while (is_digit(*s))
		s++;
	if (*s == '.')
		for (s++; is_digit(*s);)
			s++;
	if ((*s == 'e' || *s == 'E') && (is_digit(s[1]) || ((s[1] == '-' || s[1] == '+') && is_digit(s[2]))))
		for (s += 2; is_digit(*s);)
			s++;
	scanner->s = s;
	return add(scanner, SONDE_SCAN_NUMBER, start);
}

static int scan_word(struct scanner *scanner)
{
	const char *start = scanner->s;
	bool postgresql = !is_mysql(scanner);
	size_t len;

	while (in_word(*scanner->s))
		scanner->s++;
	len = (size_t)(scanner->s - start);
	if (postgresql && *scanner->s == '\'' && len == 1 && strchr("eEbBxXnN", *start)) {
		bool backslash = *start == 'e' || *start == 'E' || (scanner->out->flags & SONDE_SCAN_BACKSLASH);

		return scan_quoted(scanner, start, SONDE_SCAN_STRING, backslash);
	}
	if (postgresql && len == 1 && (*start == 'u' || *start == 'U') && scanner->s[0] == '&' &&
	    (scanner->s[1] == '\'' || scanner->s[1] == '"')) {
		scanner->s++;
		return scan_quoted(scanner, start, *scanner->s == '"' ? SONDE_SCAN_NAME : SONDE_SCAN_STRING,
				   scanner->out->flags & SONDE_SCAN_BACKSLASH && *scanner->s == '\'');
	}
	return add(scanner, SONDE_SCAN_WORD, start);
}

/* Like PostgreSQL's: the longest run, without a sign at its end that belongs to what follows. */
static int scan_operator(struct scanner *scanner)
{
	const char *start = scanner->s, *op_chars = is_mysql(scanner) ? "+-*/<>=~!@%^&|:" : OP_CHARS;
	const char *s = start;

	while (*s && strchr(op_chars, *s) && !(s > start && s[0] == '/' && s[1] == '*')) {
		scanner->s = s;
		if (s > start && at_line_comment(scanner))
			break;
		s++;
	}
	while (s > start + 1 && (s[-1] == '+' || s[-1] == '-'))
		s--;
	scanner->s = s;
	return add(scanner, SONDE_SCAN_OP, start);
}

static int scan_token(struct scanner *scanner)
{
	const char *start = scanner->s;
	const bool mysql = is_mysql(scanner), continues = scanner->escapes;
	const bool backslash = (scanner->out->flags & SONDE_SCAN_BACKSLASH) || continues;
	const char c = *start;

	scanner->escapes = false;

	if (c == '\'')
		return scan_quoted(scanner, start, SONDE_SCAN_STRING, backslash);
	if (c == '"') {
		bool name = !mysql || (scanner->out->flags & SONDE_SCAN_ANSI_QUOTES);

		return scan_quoted(scanner, start, name ? SONDE_SCAN_NAME : SONDE_SCAN_STRING, !name && backslash);
	}
	if (c == '`' && mysql)
		return scan_quoted(scanner, start, SONDE_SCAN_NAME, false);
	if (c == '$' && !mysql) {
		int err;

		if (is_digit(start[1])) {
			for (scanner->s++; is_digit(*scanner->s);)
				scanner->s++;
			return add(scanner, SONDE_SCAN_PARAM, start);
		}
		err = scan_dollar(scanner);
		return err == 1 ? fail(scanner, "there is a $ in it that begins nothing") : err;
	}
	if (is_digit(c) || (c == '.' && is_digit(start[1])))
		return scan_number(scanner);
	if (begins_word(c) || (c == '$' && mysql))
		return scan_word(scanner);
	scanner->s++;
	if (c == '?' && mysql)
		return add(scanner, SONDE_SCAN_PARAM, start);
	if (strchr("()[],;.{}", c) || (c == ':' && !mysql))
		return add(scanner, SONDE_SCAN_PUNCT, start);
	scanner->s--;
	if (strchr(mysql ? "+-*/<>=~!@%^&|:" : OP_CHARS, c))
		return scan_operator(scanner);
	return fail(scanner, "there is a sign in it that SQL does not have");
}

int sonde_scan_text(struct sonde_scan *scan, const char *text, unsigned int flags)
{
	struct scanner scanner = { .out = scan, .s = text };
	int err;

	*scan = (struct sonde_scan){ .flags = flags };
	if (strnlen(text, SONDE_SCAN_MAX_BYTES + 1) > SONDE_SCAN_MAX_BYTES)
		return fail(&scanner, "it is too long");
	while (!(err = skip(&scanner)) && *scanner.s) {
		err = scan_token(&scanner);
		if (err)
			break;
	}
	return err;
}

void sonde_scan_free(struct sonde_scan *scan)
{
	free(scan->tokens);
	scan->tokens = NULL;
	scan->nr = 0;
}

bool sonde_scan_is(const struct sonde_scan *scan, size_t i, const char *word)
{
	const struct sonde_scan_token *token;

	if (i >= scan->nr)
		return false;
	token = &scan->tokens[i];
	return token->kind != SONDE_SCAN_NAME && token->kind != SONDE_SCAN_STRING && token->len == strlen(word) &&
	       strncasecmp(token->start, word, token->len) == 0;
}

bool sonde_scan_is_name(const struct sonde_scan *scan, size_t i)
{
	return i < scan->nr && (scan->tokens[i].kind == SONDE_SCAN_WORD || scan->tokens[i].kind == SONDE_SCAN_NAME);
}

char *sonde_scan_name(const struct sonde_scan *scan, const struct sonde_scan_token *token)
{
	const bool quoted = token->kind == SONDE_SCAN_NAME;
	char *name = malloc(token->len + 1);
	size_t i, nr = 0;

	if (!name)
		return NULL;
	for (i = quoted; i < token->len - quoted; i++) {
		char c = token->start[i];

		if (!quoted && !(scan->flags & SONDE_SCAN_MYSQL) && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		name[nr++] = c;
		if (quoted && c == token->start[0])
			i++; /* a doubled quote */
	}
	name[nr] = '\0';
	return name;
}
