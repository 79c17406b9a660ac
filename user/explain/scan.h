/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scan.h - SQL text as a list of tokens, exact enough to decide whether a text may be sent to a server.
 *
 * The normaliser of include/sonde/sql.h forgives everything, as something that only watches must. This one refuses
 * what it does not understand.
 */
#ifndef SONDE_EXPLAIN_SCAN_H
#define SONDE_EXPLAIN_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* How a server reads strings, beside its dialect. */
#define SONDE_SCAN_MYSQL 1u /* MariaDB, MySQL; else PostgreSQL */
#define SONDE_SCAN_BACKSLASH 2u /* a backslash escapes in plain strings */
#define SONDE_SCAN_ANSI_QUOTES 4u /* MySQL: double quotes are names */

/* Longest text that is looked at, bytes. */
#define SONDE_SCAN_MAX_BYTES (1u << 20)

enum sonde_scan_kind {
	SONDE_SCAN_WORD, /* a keyword or a name */
	SONDE_SCAN_NAME, /* a name in quotes */
	SONDE_SCAN_STRING,
	SONDE_SCAN_NUMBER,
	SONDE_SCAN_PARAM, /* $1; ? in MySQL */
	SONDE_SCAN_OP, /* one operator */
	SONDE_SCAN_PUNCT, /* one of ( ) [ ] , ; . : */
};

/** struct sonde_scan_token - @len bytes of text from @start on */
struct sonde_scan_token {
	enum sonde_scan_kind kind;
	const char *start;
	size_t len;
};

/** struct sonde_scan - the tokens of a text, which must outlive them; comments are left out */
struct sonde_scan {
	struct sonde_scan_token *tokens;
	size_t nr;
	unsigned int flags;
	const char *error; /* why the text cannot be read, or NULL */
};

/**
 * sonde_scan_text - split @text
 * @flags: SONDE_SCAN_*
 *
 * Returns 0; -EINVAL with scan->error set; -ENOMEM. Free with sonde_scan_free() whatever the result.
 */
int sonde_scan_text(struct sonde_scan *scan, const char *text, unsigned int flags);

void sonde_scan_free(struct sonde_scan *scan);

/** sonde_scan_is - token @i exists and is the bare word or the sign @word; letters' case does not matter */
bool sonde_scan_is(const struct sonde_scan *scan, size_t i, const char *word);

/** sonde_scan_is_name - token @i exists and can be a name: a word, or a name in quotes */
bool sonde_scan_is_name(const struct sonde_scan *scan, size_t i);

/** sonde_scan_name - the name that @token spells, without its quotes and folded as the server does; NULL: no memory */
char *sonde_scan_name(const struct sonde_scan *scan, const struct sonde_scan_token *token);

#endif /* SONDE_EXPLAIN_SCAN_H */
