/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql_shape.h - the parts of a normalised statement that a suggestion is made of: tables, clauses, conditions.
 *
 * No parser of SQL: a scan over the outermost level. What it does not understand it leaves empty.
 */
#ifndef SONDE_MODEL_SQL_SHAPE_H
#define SONDE_MODEL_SQL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

/** struct sonde_span - a piece of the statement's text; len 0: it is not there */
struct sonde_span {
	const char *s;
	size_t len;
};

enum sonde_clause {
	SONDE_CLAUSE_VERB, /* from the first word to the next clause: "select a, b", "update t", "insert into t(a, b)" */
	SONDE_CLAUSE_FROM,
	SONDE_CLAUSE_SET,
	SONDE_CLAUSE_VALUES,
	SONDE_CLAUSE_WHERE,
	SONDE_CLAUSE_GROUP,
	SONDE_CLAUSE_HAVING,
	SONDE_CLAUSE_ORDER,
	SONDE_CLAUSE_LIMIT, /* LIMIT, OFFSET, FETCH */
	SONDE_CLAUSE_LOCK, /* FOR UPDATE */
	SONDE_CLAUSE_CONFLICT, /* ON CONFLICT, ON DUPLICATE KEY */
	SONDE_CLAUSE_RETURNING,
	SONDE_CLAUSES,
};

#define SONDE_SHAPE_CONDITIONS 8u
#define SONDE_SHAPE_TABLES 8u

/**
 * struct sonde_sql_shape - what was found; spans point into the text given
 * @verb: first word: "select", "insert", ...
 * @clause: each with its keyword, up to the next
 * @list: what a SELECT returns, without DISTINCT
 * @table: names in FROM, JOIN, INTO and UPDATE, as written, @alias the name they go by (the same without one)
 * @condition: columns compared as "column = ?" in WHERE, joined by AND; @at the whole comparison
 * @aggregate: @list is one call of count, sum, min, max, avg
 * @simple: one SELECT, INSERT, UPDATE or DELETE without WITH, UNION and a top-level OR
 */
struct sonde_sql_shape {
	struct sonde_span text;
	struct sonde_span verb;
	struct sonde_span clause[SONDE_CLAUSES];
	struct sonde_span list;
	struct sonde_span table[SONDE_SHAPE_TABLES];
	struct sonde_span alias[SONDE_SHAPE_TABLES];
	size_t nr_tables;
	struct {
		struct sonde_span column;
		struct sonde_span at;
	} condition[SONDE_SHAPE_CONDITIONS];
	size_t nr_conditions;
	bool aggregate;
	bool simple;
};

/** sonde_sql_shape - take the statement @text of @len bytes apart */
void sonde_sql_shape(const char *text, size_t len, struct sonde_sql_shape *shape);

/** sonde_sql_tables - names of all tables that @text reads or writes, on any level; returns their number, at most @max */
size_t sonde_sql_tables(const char *text, size_t len, struct sonde_span *table, size_t max);

/** sonde_span_is - whether @span reads @word, whatever the case */
bool sonde_span_is(struct sonde_span span, const char *word);

/** sonde_span_last - the last part of a qualified name, without quotes: "id" of "t.id", "Order" of `"Order"` */
struct sonde_span sonde_span_last(struct sonde_span name);

/** sonde_span_tail - the same with its quotes */
struct sonde_span sonde_span_tail(struct sonde_span name);

/** sonde_span_word - whether name @word stands in @text as a word, also quoted or qualified */
bool sonde_span_word(struct sonde_span text, struct sonde_span word);

#endif /* SONDE_MODEL_SQL_SHAPE_H */
