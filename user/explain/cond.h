/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cond.h - the conditions of a plan, as servers print them, taken apart into what an index can serve.
 */
#ifndef SONDE_EXPLAIN_COND_H
#define SONDE_EXPLAIN_COND_H

#include <stdbool.h>
#include <stddef.h>

#define SONDE_COND_MAX_TERMS 32

enum sonde_cond_kind {
	SONDE_COND_EQUAL, /* column = value, IN (...), IS NULL */
	SONDE_COND_RANGE, /* <, >, BETWEEN */
	SONDE_COND_PREFIX, /* LIKE 'x%' */
	SONDE_COND_CONTAINS, /* LIKE '%x', ILIKE, a regular expression */
	SONDE_COND_JOIN, /* column = column of another table */
	SONDE_COND_EXPRESSION, /* compares what a function makes of a column */
	SONDE_COND_EITHER, /* ... OR ... */
	SONDE_COND_OTHER, /* nothing that an index serves: <>, NOT, IS NOT NULL, subqueries, constants */
};

/**
 * struct sonde_cond_column - a column in a condition
 * @table: alias in front of it, without quotes; NULL: none is printed
 * @name: without quotes
 * @spelled: as printed, in quotes if it needs them
 * @cast: PostgreSQL: type it is read as, or NULL
 */
struct sonde_cond_column {
	char *table;
	char *name;
	char *spelled;
	char *cast;
};

/** struct sonde_cond_term - one part of a condition; all of them hold */
struct sonde_cond_term {
	enum sonde_cond_kind kind;
	struct sonde_cond_column column; /* EQUAL to JOIN */
	struct sonde_cond_column other; /* JOIN */
	char *text; /* as printed */
};

/** struct sonde_cond - a condition; zeroed memory is an empty one */
struct sonde_cond {
	struct sonde_cond_term terms[SONDE_COND_MAX_TERMS];
	size_t nr;
};

/**
 * sonde_cond_add - add the terms of @text
 *
 * What cannot be understood becomes OTHER; terms beyond SONDE_COND_MAX_TERMS are left out. Returns 0 or -ENOMEM.
 */
int sonde_cond_add(struct sonde_cond *cond, const char *text, bool mysql);

/** sonde_cond_column_of - read "o.created_at DESC" or a column alone; false: it is no column, or no memory */
bool sonde_cond_column_of(struct sonde_cond_column *out, const char *text, bool mysql, bool *descending);

void sonde_cond_column_free(struct sonde_cond_column *column);
void sonde_cond_free(struct sonde_cond *cond);

#endif /* SONDE_EXPLAIN_COND_H */
