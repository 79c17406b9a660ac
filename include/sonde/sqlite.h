/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite.h - what the SQLite probes and their loader agree on: probe cookies, live statements, result codes.
 */
#ifndef SONDE_SQLITE_H
#define SONDE_SQLITE_H

#include "base.h"
#include "key.h"

/* Result codes of SQLite (https://sqlite.org/rescode.html): the primary code is the low byte. */
#define SONDE_SQLITE_ROW 100
#define SONDE_SQLITE_DONE 101

/*
 * The cookie of a probe carries what was learned about the binary it sits in: bits 0-15 the offset of the statement's
 * text in struct Vdbe, 16-31 the offset of its connection, 48-63 that of the byte in struct sqlite3 which is 0 inside of a
 * transaction, the flags below, and what a bind function binds.
 */
#define SONDE_SQLITE_COOKIE_TEXT (1ULL << 32) /* bits 0-15 are valid */
#define SONDE_SQLITE_COOKIE_DB (1ULL << 33) /* bits 16-31 are valid */
#define SONDE_SQLITE_COOKIE_TXN (1ULL << 34) /* bits 48-63 are valid */
#define SONDE_SQLITE_COOKIE_KIND_SHIFT 40
#define SONDE_SQLITE_COOKIE_TXN_SHIFT 48

/* What the probed function takes, for the programs that serve several functions. */
enum sonde_sqlite_kind {
	SONDE_SQLITE_BIND_NULL = 0, /* (stmt, index, ...): the value is not looked at */
	SONDE_SQLITE_BIND_INT, /* (stmt, index, value): 32 bits */
	SONDE_SQLITE_BIND_INT64, /* (stmt, index, value) */
	SONDE_SQLITE_BIND_BYTES, /* (stmt, index, pointer, length), length < 0: up to the NUL */
	SONDE_SQLITE_PREPARE, /* (db, text, length, &stmt, &tail) */
	SONDE_SQLITE_PREPARE_V3, /* (db, text, length, flags, &stmt, &tail) */
};

SONDE_INLINE u32 sonde_sqlite_cookie_text(u64 cookie)
{
	return cookie & 0xffff;
}

SONDE_INLINE u32 sonde_sqlite_cookie_db(u64 cookie)
{
	return cookie >> 16 & 0xffff;
}

SONDE_INLINE u32 sonde_sqlite_cookie_kind(u64 cookie)
{
	return cookie >> SONDE_SQLITE_COOKIE_KIND_SHIFT & 0xff;
}

/** struct sonde_sqlite_key - one sqlite3_stmt, or one connection (@ptr 0: whatever connection the process opens) */
struct sonde_sqlite_key {
	u64 ptr;
	u32 tgid;
	u32 pad;
};

/* States of a statement. */
#define SONDE_SQLITE_RUNNING 1u /* an execution has begun and is not complete */
#define SONDE_SQLITE_STEPPING 2u /* a thread is inside sqlite3_step() */
#define SONDE_SQLITE_TEXT_SENT 4u /* user space has the text of row.id */
#define SONDE_SQLITE_BOUND 8u /* @params belongs to the execution that comes */
#define SONDE_SQLITE_PREPARED 16u /* @raw comes from sqlite3_prepare(): do not look for it in the statement */

/**
 * struct sonde_sqlite_stmt - a statement that was stepped, and its execution in progress
 * @row: key of the report's row
 * @db: the connection
 * @text: where its text stands in the process's memory (0: not known)
 * @raw: hash of the text as it was written (0: not known)
 * @literals: hash of the literals in the text
 * @params: hash of the bound parameters
 * @step_ns: when the step in progress began
 * @sum_ns: duration of the steps so far
 * @first_ns: duration of the first step
 * @rows: rows returned so far
 * @scope, @epoch, @slot, @scope_kind: where the execution in progress is counted (sonde/scope.h)
 * @verb: enum sonde_sql_verb
 */
struct sonde_sqlite_stmt {
	struct sonde_query_key row;
	u64 db;
	u64 text;
	u64 raw;
	u64 literals;
	u64 params;
	u64 step_ns;
	u64 sum_ns;
	u64 first_ns;
	u64 rows;
	u32 state;
	u32 epoch;
	u64 scope;
	u8 slot;
	u8 scope_kind;
	u8 verb;
	u8 pad[5];
};

/** sonde_sqlite_error_class - the class of result code @rc (primary or extended) */
SONDE_INLINE u32 sonde_sqlite_error_class(u32 rc)
{
	switch (rc & 0xff) {
	case 3: /* PERM */
	case 8: /* READONLY */
	case 23: /* AUTH */
		return SONDE_ERR_SYNTAX; /* class 42 is also missing privilege */
	case 4: /* ABORT */
	case 5: /* BUSY */
	case 6: /* LOCKED */
	case 17: /* SCHEMA */
		return SONDE_ERR_ROLLBACK;
	case 7: /* NOMEM */
	case 13: /* FULL */
		return SONDE_ERR_RESOURCE;
	case 9: /* INTERRUPT */
		return SONDE_ERR_CANCEL;
	case 14: /* CANTOPEN */
	case 26: /* NOTADB */
		return SONDE_ERR_CONNECTION;
	case 18: /* TOOBIG */
	case 20: /* MISMATCH */
	case 25: /* RANGE */
		return SONDE_ERR_DATA;
	case 19: /* CONSTRAINT */
		return SONDE_ERR_CONSTRAINT;
	default:
		return SONDE_ERR_OTHER;
	}
}

/** sonde_sqlite_state - primary result code as decimal digits, packed like an SQLSTATE: "19", first digit lowest */
SONDE_INLINE u64 sonde_sqlite_state(u32 rc)
{
	u32 hundreds, tens, ones;

	rc &= 0xff;
	hundreds = '0' + rc / 100;
	tens = '0' + rc / 10 % 10;
	ones = '0' + rc % 10;
	if (rc >= 100)
		return hundreds | tens << 8 | ones << 16;
	if (rc >= 10)
		return tens | ones << 8;
	return ones;
}

_Static_assert(sizeof(struct sonde_sqlite_key) == 16, "no holes");
_Static_assert(sizeof(struct sonde_sqlite_stmt) == 128, "no holes");

#endif /* SONDE_SQLITE_H */
