/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql_mutate.h - statements out of a seed: random bytes, mutated cases, and valid ones with planted literals.
 */
#ifndef SONDE_TEST_SQL_MUTATE_H
#define SONDE_TEST_SQL_MUTATE_H

#include <stdio.h>
#include <string.h>

#include "../unit/sql_cases.h"

#define MUTATE_MAX 9000 /* longest statement made here, bytes */
#define PLANTED "zqSecret" /* begins every planted string */

struct sql_random {
	u64 state;
};

static inline u32 sql_random(struct sql_random *r, u32 below)
{
	r->state += 0x9e3779b97f4a7c15ULL;
	return below ? (u32)(sonde_mix64(r->state) >> 32) % below : 0;
}

/* A piece of SQL that means something to a lexer. */
static inline const char *sql_piece(struct sql_random *r)
{
	static const char *const pieces[] = {
		"'",	      "\"",	   "`",
		"[",	      "]",	   "(",
		")",	      ",",	   ";",
		".",	      "::",	   ":",
		"?",	      "$1",	   "$$",
		"$a$",	      "$",	   "/*",
		"*/",	      "/*!",	   "/*+",
		"--",	      "-- ",	   "#",
		"\n",	      " ",	   "\t",
		"\\",	      "''",	   "E'",
		"U&'",	      "U&\"",	   "x'",
		"_utf8'",     "1",	   "1.",
		".5",	      "1e",	   "1e-",
		"0x",	      "-",	   "+",
		"*",	      "=",	   "<>",
		"||",	      "&",	   "!",
		"@",	      "\xc3\xa4",  "\x80",
		"NULL",	      "TRUE",	   "IN",
		" IN (",      "ANY(",	   "ARRAY[",
		"VALUES",     " VALUES (", "SELECT ",
		" AS ",	      "FROM",	   "INTERVAL",
		"DATE ",      "20240131",  "a",
		"B",	      "_",	   "INSERT INTO t ",
		"SAVEPOINT ", "CREATE ",   "BEGIN",
		"END",	      "SET ",	   "= ANY(",
		"<> ALL (",   "ROW(",	   "is ",
		"not ",	      "with ",	   "varying",
	};

	return pieces[sql_random(r, sizeof(pieces) / sizeof(pieces[0]))];
}

/* Writes a statement to @out[MUTATE_MAX + 1] and returns its length. */
static inline u32 sql_mutate(struct sql_random *r, char *out)
{
	const struct sql_case *c = &sql_cases[sql_random(r, NR_SQL_CASES)];
	u32 n = 0, rounds;

	if (!sql_random(r, 8)) { /* nothing but pieces; now and then a long one */
		rounds = sql_random(r, sql_random(r, 64) ? 30 : 3000);
		while (rounds--) {
			const char *p = sql_piece(r);

			if (n + strlen(p) > MUTATE_MAX)
				break;
			n += sprintf(out + n, "%s", p);
		}
		return n;
	}
	n = snprintf(out, MUTATE_MAX, "%s", c->sql);
	for (rounds = sql_random(r, 6); rounds && n; rounds--) {
		const char *p = sql_piece(r);
		u32 at = sql_random(r, n), len = strlen(p), cut;

		switch (sql_random(r, 4)) {
		case 0:
			out[at] = sql_random(r, 256);
			break;
		case 1:
			cut = sql_random(r, n - at < 8 ? n - at : 8);
			memmove(out + at, out + at + cut, n - at - cut);
			n -= cut;
			break;
		case 2:
			if (n + len > MUTATE_MAX)
				break;
			memmove(out + at + len, out + at, n - at);
			memcpy(out + at, p, len);
			n += len;
			break;
		default: /* a piece of the statement once more */
			len = sql_random(r, n - at);
			if (n + len > MUTATE_MAX)
				break;
			memmove(out + at + len, out + at, n - at);
			n += len;
			break;
		}
	}
	return n;
}

static inline u32 sql_planted_literal(struct sql_random *r, int dialect, char *out)
{
	static const char *const forms[3][7] = {
		{ "'" PLANTED "%u'", "E'" PLANTED "\\'%u'", "$q$" PLANTED "'%u$q$", "-77%u.5e-3", "0xdead%u",
		  "'" PLANTED "''%u'::text", "%u" },
		{ "'" PLANTED "%u'", "\"" PLANTED "'%u\"", "'" PLANTED "\\'%u'", "-77%u.5e-3", "0xdead%u",
		  "_utf8'" PLANTED "%u'", "%u" },
		{ "'" PLANTED "%u'", "'" PLANTED "''%u'", "'" PLANTED "%u\\'", "-77%u.5e-3", "0xdead%u", "x'%u'",
		  "%u" },
	};

	return sprintf(out, forms[dialect][sql_random(r, 7)], 1000000 + sql_random(r, 9000000));
}

/*
 * A valid statement whose shape comes from @shape and whose literals come from @r, to @out[MUTATE_MAX + 1]. Statements
 * of one shape have one id whatever the literals are.
 */
static inline u32 sql_planted(struct sql_random shape, struct sql_random *r, int dialect, char *out)
{
	static const char *const frames[] = {
		"SELECT a, b FROM t WHERE c = % AND d > % ORDER BY a LIMIT 10",
		"SELECT a FROM t WHERE b IN (@) AND c LIKE %",
		"INSERT INTO t (a, b) VALUES (@)",
		"INSERT INTO t (a, b) VALUES (%, @), (%, @)",
		"UPDATE t SET a = %, b = f(%, c) WHERE d BETWEEN % AND %",
		"DELETE FROM t WHERE a <> % OR (b = % AND c < %)",
		"SELECT CASE WHEN a = % THEN % ELSE % END FROM t /* % */ JOIN u ON t.a = u.b",
		"SELECT f(%), g(a, %) FROM t /* c = % */ WHERE x NOT IN (@)",
		"WITH v AS (SELECT % FROM t) SELECT * FROM v WHERE a = % UNION ALL SELECT %",
		"SELECT a FROM t WHERE b IN (SELECT c FROM u WHERE d = %) HAVING count(*) > %",
	};
	const char *f = frames[sql_random(&shape, sizeof(frames) / sizeof(frames[0]))];
	u32 n = 0, skip;

	for (; *f; f++) {
		if (*f == '%') {
			n += sql_planted_literal(r, dialect, out + n);
		} else if (*f == '@') {
			for (u32 left = 1 + sql_random(r, 20); left; left--) {
				n += sql_planted_literal(r, dialect, out + n);
				if (left > 1)
					n += sprintf(out + n, ", ");
			}
		} else {
			out[n++] = *f;
			for (skip = *f == ' ' ? sql_random(r, 3) : 0; skip; skip--)
				out[n++] = " \t\n"[sql_random(r, 3)];
		}
	}
	return n;
}

#endif /* SONDE_TEST_SQL_MUTATE_H */
