/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite_statement.h - statements of a connection, each prepared once and executed again and again.
 *
 * With $SHOP_TRACE the library's own trace writes the text of each execution into that file. Errors end the program.
 */
#ifndef NPLUS1_SQLITE_STATEMENT_H
#define NPLUS1_SQLITE_STATEMENT_H

#include <sqlite3.h>

/** statement - that of @sql (a literal), ready to be executed with up to two numbers; the connection keeps it */
sqlite3_stmt *statement(void *db, const char *sql, long first, long second);

/** next_row - whether there is another row; at the end the statement can be executed again */
int next_row(sqlite3_stmt *stmt);

/** text_of - a field of the row */
const char *text_of(sqlite3_stmt *stmt, int column);

/** execute - goes through all rows. Returns their number */
int execute(sqlite3_stmt *stmt);

/** change - executes what writes */
void change(void *db, const char *sql, long first, long second);

/** lock_writes, unlock_writes - one thread writes at a time, so that nobody waits inside the library; change() does it itself */
void lock_writes(void);
void unlock_writes(void);

#endif /* NPLUS1_SQLITE_STATEMENT_H */
