/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * record.h - recordings: ordinary SQLite files. Here is how rows of structures get into one and out again; what stands in which table
 * is the business of who records.
 *
 * A recording is made in memory and written as a whole (base/file.h): none is ever half there, and writing it takes no system call that
 * a report does not take. A file that is read may be anybody's: what it holds is checked by who reads it.
 */
#ifndef SONDE_RECORD_RECORD_H
#define SONDE_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_buf;
struct sonde_record;

/** enum sonde_record_type - of a member and its column */
enum sonde_record_type {
	SONDE_RECORD_U64, /* as SQLite's signed integer of the same bits */
	SONDE_RECORD_U32,
	SONDE_RECORD_U8,
	SONDE_RECORD_DOUBLE,
	SONDE_RECORD_TEXT, /* const char *, NULL: none */
};

#define SONDE_RECORD_DOUBLE_MAX 1e18 /* largest amount of a SONDE_RECORD_DOUBLE that is read: it fits into an integer */

/** struct sonde_record_column - a column, and the member at @offset that it is of; @newer: recordings without it are read, too, as if it were 0 */
struct sonde_record_column {
	const char *name;
	enum sonde_record_type type;
	size_t offset;
	bool newer;
};

/**
 * struct sonde_record_table - a table whose rows are structures of @size bytes
 * @columns: end with a NULL name; there are 64 at most
 * @newer: recordings without it are read, too, as if it had no rows
 */
struct sonde_record_table {
	const char *name;
	size_t size;
	const struct sonde_record_column *columns;
	bool newer;
};

/** sonde_record_is - whether @file begins as a recording does; false, too, if it cannot be read */
bool sonde_record_is(const char *file);

/** sonde_record_new - an empty one; NULL: out of memory */
struct sonde_record *sonde_record_new(void);

/** sonde_record_open - @file, to be read; NULL: it cannot be, @why says in words that follow its name */
struct sonde_record *sonde_record_open(const char *file, struct sonde_buf *why);

/** sonde_record_free - (NULL is fine) */
void sonde_record_free(struct sonde_record *record);

/** sonde_record_create - make @table. Returns 0 or -errno */
int sonde_record_create(struct sonde_record *record, const struct sonde_record_table *table);

/** sonde_record_put - append @row to @table, which was created. Returns 0 or -errno */
int sonde_record_put(struct sonde_record *record, const struct sonde_record_table *table, const void *row);

/**
 * sonde_record_each - call @take for each row of @table in the order they were put
 *
 * The structure is zeroed but for its columns; its texts live during the call. Returns 0, the first error of @take, or -errno: -ENOENT where
 * there is no such table, or one of its columns is missing; -EPROTO where a value is none of its column's type: text for a number, one out of
 * its range, one beyond SONDE_RECORD_DOUBLE_MAX; -EBADMSG where the file is damaged.
 */
int sonde_record_each(struct sonde_record *record, const struct sonde_record_table *table, void *ctx,
		      int (*take)(void *ctx, const void *row));

/** sonde_record_write - write what was put into @file, which is replaced as a whole. Returns 0 or -errno */
int sonde_record_write(struct sonde_record *record, const char *file);

#endif /* SONDE_RECORD_RECORD_H */
