/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql.h - what the SQL normaliser takes and gives: a statement in, its fingerprint out.
 *
 * The work is done in sql_core.h, once, for kernel and user space. This header has no tables and no
 * code that costs anything, so that every part of sonde may include it.
 */
#ifndef SONDE_SQL_H
#define SONDE_SQL_H

#include "base.h"

/* Flags of a run. The low two bits are the dialect. */
enum sonde_sql_dialect {
	SONDE_SQL_POSTGRESQL = 0,
	SONDE_SQL_MYSQL = 1,
	SONDE_SQL_SQLITE = 2,
	SONDE_SQL_NONE = 3, /* no dialect: texts are not SQL, the normaliser is never run on them */
};
#define SONDE_SQL_DIALECT 3u /* mask of the dialect */
#define SONDE_SQL_CUT 4u /* the statement goes on behind the bytes that are given */

/* Bytes of one statement that are read; the rest of a longer one counts as cut. */
#define SONDE_SQL_MAX_BYTES (SONDE_WIN_BYTES - 192u) /* leaves room for message headers in the window */

/* Last bytes of a longer statement that are searched for a comment. */
#define SONDE_SQL_TAIL_BYTES 512u

/* Results in sonde_sql.flags. */
#define SONDE_SQL_PARTIAL 1u /* input or text was cut: the id never equals that of a whole statement */
#define SONDE_SQL_EMPTY 2u /* nothing but blanks and comments */

/* What a statement does, from its first keyword (behind WITH: from the main one). */
enum sonde_sql_verb {
	SONDE_SQL_OTHER = 0,
	SONDE_SQL_SELECT = 1,
	SONDE_SQL_INSERT = 2, /* REPLACE too */
	SONDE_SQL_UPDATE = 3,
	SONDE_SQL_DELETE = 4,
	SONDE_SQL_DML = 5, /* MERGE, CALL, DO, EXECUTE, LOAD, ... */
	SONDE_SQL_BEGIN = 6,
	SONDE_SQL_COMMIT = 7,
	SONDE_SQL_ROLLBACK = 8,
	SONDE_SQL_SAVEPOINT = 9, /* RELEASE too */
	SONDE_SQL_SET = 10, /* SET, RESET, USE, PRAGMA, DISCARD */
	SONDE_SQL_SHOW = 11, /* SHOW, DESCRIBE, EXPLAIN, HELP */
	SONDE_SQL_DDL = 12,
	SONDE_SQL_COPY = 13,
	SONDE_SQL_UTILITY = 14,
};

#define SONDE_SQL_DEPTH 32u /* nested brackets that are looked into; deeper ones are only counted */
#define SONDE_SQL_TEXT_MAX (SONDE_TEXT_BYTES - 64u) /* longest text, bytes */

/* An open bracket. */
struct sonde_sql_paren {
	u32 base; /* text position in front of it, or of what a collapse replaces */
	u32 inner; /* text position behind it */
	u16 nr_names, nr_selects; /* counters of the statement when it was opened */
	u8 kind, op, prev, prev_role;
	u8 columns, pad[3];
};

/**
 * struct sonde_sql - one statement being normalised, and the result.
 *
 * Results are valid after the run (sonde_sql_finish()): @id, @literals, @text_len bytes of @text (no NUL),
 * @end, @flags, @verb, @com_pos, @com_len. Positions are those of the input buffer. The rest is state of the lexer.
 */
struct sonde_sql {
	u64 id; /* of the text; the partial flag is mixed in; never 0 */
	u64 literals; /* hash over values and order of the literals */
	u32 text_len;
	u32 flags; /* SONDE_SQL_PARTIAL, SONDE_SQL_EMPTY */
	u32 end; /* input position behind the statement and its `;` */
	u32 com_pos, com_len; /* comment that carries key=value or key:value, else the last one; len 0: none */
	u8 verb; /* enum sonde_sql_verb */
	u8 com_kv; /* the comment has a `=` or a `:` */
	u8 dialect;
	u8 done; /* the statement's `;` was seen */

	/* Lexer, byte level. */
	u64 hash; /* of the open token's bytes */
	u64 gap; /* bit per state: a token starting there is set off by a blank */
	u64 dollar, dollar_body; /* hash of a dollar quote's tag; of its body so far */
	u32 pos, limit; /* next input byte; where the input ends */
	u32 trans; /* last transition: state and flags */
	u32 len, full_len; /* text written so far; its end if it is full */
	u32 tok_in; /* input position of the open token */
	u32 tok_base, tok_out; /* text position in front of its blank, and of its first byte */

	/* Token level. */
	u32 prev_base, prev_out; /* the same of the token before */
	u32 sign_out, op_base, cut; /* a pending sign; the last operator; end of the last VALUES row */
	u32 depth, nest; /* open brackets; nested comments */
	u32 scan_out, scan_run; /* of a name that is being rewritten */
	u32 seen; /* attributes of the open token's bytes */
	u16 nr_names, nr_selects;
	u8 prev, prev_role; /* kind of the last token and its keyword's role */
	u8 sign, cast, vals, any, op; /* small states, see sql_core.h */
	u8 folding, with, nosplit, hint, counted;
	u8 columns; /* between SELECT and FROM: AS names an output column */
	u8 full, pad[6];
	struct sonde_sql_paren paren[SONDE_SQL_DEPTH];

	u8 text[SONDE_TEXT_BYTES + 64]; /* the slack takes word-wise stores */
};

#endif /* SONDE_SQL_H */
