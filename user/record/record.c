// SPDX-License-Identifier: GPL-2.0-only
/*
 * record.c - recordings: rows of structures in SQLite files.
 */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "record/record.h"

#define MAGIC "SQLite format 3"
#define MAX_ROW 2048
#define MAX_VALUE (16 << 20) /* bytes of a text */

/* @put: the statement that appends to @table; @size: of the file that is read, bytes */
struct sonde_record {
	sqlite3 *db;
	u64 size;
	sqlite3_stmt *put;
	const struct sonde_record_table *table;
};

static int error_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_ERROR: /* no such table or column: the statements are our own */
		return -ENOENT;
	}
	return -EBADMSG;
}

bool sonde_record_is(const char *file)
{
	FILE *from = fopen(file, "re");
	char head[sizeof(MAGIC)];
	bool is;

	if (!from)
		return false;
	is = fread(head, 1, sizeof(head), from) == sizeof(head) && !memcmp(head, MAGIC, sizeof(head));
	fclose(from);
	return is;
}

struct sonde_record *sonde_record_new(void)
{
	struct sonde_record *record = calloc(1, sizeof(*record));

	if (record && !sqlite3_open_v2(":memory:", &record->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) &&
	    !sqlite3_exec(record->db, "begin", NULL, NULL, NULL))
		return record;
	sonde_record_free(record);
	return NULL;
}

/*
 * Nothing that the file's own schema might call is to be executed; nor are views, whose rows may never end, nor what makes values of any size
 * out of nothing.
 */
static int distrust(sqlite3 *db)
{
	int err = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

#ifdef SQLITE_DBCONFIG_ENABLE_VIEW /* 3.31 */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
#endif
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, MAX_VALUE);
	return err ? err : sqlite3_exec(db, "pragma trusted_schema = off; pragma query_only = on; pragma schema_version", NULL, NULL, NULL);
}

struct sonde_record *sonde_record_open(const char *file, struct sonde_buf *why)
{
	struct sonde_record *record = calloc(1, sizeof(*record));
	struct stat st;

	if (!record) {
		sonde_buf_str(why, strerror(ENOMEM));
		return NULL;
	}
	if (!stat(file, &st))
		record->size = (u64)st.st_size;
	if (!sqlite3_open_v2(file, &record->db, SQLITE_OPEN_READONLY, NULL) && !distrust(record->db))
		return record;
	sonde_buf_str(why, record->db ? sqlite3_errmsg(record->db) : strerror(ENOMEM));
	sonde_record_free(record);
	return NULL;
}

void sonde_record_free(struct sonde_record *record)
{
	if (!record)
		return;
	sqlite3_finalize(record->put);
	sqlite3_close(record->db);
	free(record);
}

static const char *const sql_types[] = {
	[SONDE_RECORD_U64] = "integer", [SONDE_RECORD_U32] = "integer", [SONDE_RECORD_U8] = "integer",
	[SONDE_RECORD_DOUBLE] = "real", [SONDE_RECORD_TEXT] = "text",
};

/* Whether there is no such table, or (@column) it has no such column; a view is none. */
static bool lacks(const struct sonde_record *record, const struct sonde_record_table *table, const char *column)
{
	return sqlite3_table_column_metadata(record->db, "main", table->name, column, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK;
}

/* "[a], [b]", or with their types. In double quotes a name that there is none of would be taken for a text. */
static void list(const struct sonde_record *record, struct sonde_buf *sql, const struct sonde_record_table *table, bool typed)
{
	for (const struct sonde_record_column *c = table->columns; c->name; c++) {
		sonde_buf_str(sql, c == table->columns ? "" : ", ");
		if (!typed && c->newer && lacks(record, table, c->name))
			sonde_buf_str(sql, "null");
		else
			sonde_buf_printf(sql, "[%s]%s%s", c->name, typed ? " " : "", typed ? sql_types[c->type] : "");
	}
}

static int prepare(struct sonde_record *record, struct sonde_buf *sql, sqlite3_stmt **statement)
{
	int err = sql->failed ? -ENOMEM
			      : error_of(sqlite3_prepare_v2(record->db, sql->s, (int)sql->len, statement, NULL));

	sonde_buf_free(sql);
	return err;
}

int sonde_record_create(struct sonde_record *record, const struct sonde_record_table *table)
{
	struct sonde_buf sql = {};
	sqlite3_stmt *statement = NULL;
	int err;

	sonde_buf_printf(&sql, "create table %s(", table->name);
	list(record, &sql, table, true);
	sonde_buf_str(&sql, ")");
	err = prepare(record, &sql, &statement);
	if (!err)
		err = error_of(sqlite3_step(statement));
	sqlite3_finalize(statement);
	return err;
}

static int bind(sqlite3_stmt *statement, int at, enum sonde_record_type type, const void *from)
{
	const char *text;
	double number;
	u64 value = 0;

	switch (type) {
	case SONDE_RECORD_TEXT:
		memcpy(&text, from, sizeof(text));
		return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC); /* NULL: null */
	case SONDE_RECORD_DOUBLE:
		memcpy(&number, from, sizeof(number));
		return sqlite3_bind_double(statement, at, number);
	case SONDE_RECORD_U64:
		memcpy(&value, from, sizeof(u64));
		break;
	case SONDE_RECORD_U32:
		value = *(const u32 *)from;
		break;
	case SONDE_RECORD_U8:
		value = *(const u8 *)from;
		break;
	}
	return sqlite3_bind_int64(statement, at, (sqlite3_int64)value);
}

static int prepare_put(struct sonde_record *record, const struct sonde_record_table *table)
{
	struct sonde_buf sql = {};

	sqlite3_finalize(record->put);
	record->put = NULL;
	record->table = table;
	sonde_buf_printf(&sql, "insert into %s values (", table->name);
	for (const struct sonde_record_column *c = table->columns; c->name; c++)
		sonde_buf_str(&sql, c == table->columns ? "?" : ", ?");
	sonde_buf_str(&sql, ")");
	return prepare(record, &sql, &record->put);
}

int sonde_record_put(struct sonde_record *record, const struct sonde_record_table *table, const void *row)
{
	int err = record->put && record->table == table ? 0 : prepare_put(record, table), at = 0;

	for (const struct sonde_record_column *c = table->columns; c->name && !err; c++)
		err = error_of(bind(record->put, ++at, c->type, (const char *)row + c->offset));
	if (!err)
		err = error_of(sqlite3_step(record->put));
	sqlite3_reset(record->put);
	return err;
}

/* Whether a column holds what a member of @type can: in a file that anybody made it may be anything. Nothing there stands for 0. */
static bool fits(sqlite3_stmt *statement, int at, enum sonde_record_type type)
{
	sqlite3_int64 value = 0;
	int is = sqlite3_column_type(statement, at);

	if (is == SQLITE_NULL)
		return true;
	if (type == SONDE_RECORD_TEXT)
		return is == SQLITE_TEXT;
	if (type == SONDE_RECORD_DOUBLE)
		return (is == SQLITE_FLOAT || is == SQLITE_INTEGER) &&
		       fabs(sqlite3_column_double(statement, at)) <= SONDE_RECORD_DOUBLE_MAX; /* 9e999 is infinite */
	if (is != SQLITE_INTEGER)
		return false;
	value = sqlite3_column_int64(statement, at);
	return type == SONDE_RECORD_U64 || (value >= 0 && value <= (type == SONDE_RECORD_U32 ? UINT32_MAX : UINT8_MAX));
}

static void take_column(sqlite3_stmt *statement, int at, enum sonde_record_type type, void *to)
{
	const char *text;
	double number;
	u64 value = 0;

	if (type == SONDE_RECORD_TEXT) {
		text = (const char *)sqlite3_column_text(statement, at);
		memcpy(to, &text, sizeof(text));
		return;
	}
	if (type == SONDE_RECORD_DOUBLE) {
		number = sqlite3_column_double(statement, at);
		memcpy(to, &number, sizeof(number));
		return;
	}
	value = (u64)sqlite3_column_int64(statement, at);
	if (type == SONDE_RECORD_U64)
		memcpy(to, &value, sizeof(value));
	else if (type == SONDE_RECORD_U32)
		*(u32 *)to = (u32)value;
	else
		*(u8 *)to = (u8)value;
}

int sonde_record_each(struct sonde_record *record, const struct sonde_record_table *table, void *ctx,
		      int (*take)(void *ctx, const void *row))
{
	struct sonde_buf sql = {};
	sqlite3_stmt *statement = NULL;
	_Alignas(16) char row[MAX_ROW];
	int err, step = SQLITE_DONE;
	u64 nr = 0;

	if (table->size > sizeof(row))
		return -E2BIG;
	if (table->newer && lacks(record, table, NULL))
		return 0;
	sonde_buf_str(&sql, "select ");
	list(record, &sql, table, false);
	sonde_buf_printf(&sql, " from %s order by rowid", table->name);
	err = prepare(record, &sql, &statement);
	while (!err && (step = sqlite3_step(statement)) == SQLITE_ROW) {
		int at = 0;

		err = nr++ < record->size ? 0 : -EBADMSG; /* each takes some bytes of the file, or its pages go round in a circle */
		memset(row, 0, table->size);
		for (const struct sonde_record_column *c = table->columns; c->name && !err; c++, at++) {
			if (fits(statement, at, c->type))
				take_column(statement, at, c->type, row + c->offset);
			else
				err = -EPROTO;
		}
		if (!err)
			err = take(ctx, row);
	}
	if (!err && step != SQLITE_DONE)
		err = error_of(step);
	sqlite3_finalize(statement);
	return err;
}

int sonde_record_write(struct sonde_record *record, const char *file)
{
	unsigned char *bytes;
	sqlite3_int64 len;
	int err;

	sqlite3_finalize(record->put);
	record->put = NULL;
	err = error_of(sqlite3_exec(record->db, "commit", NULL, NULL, NULL));
	if (err)
		return err;
	bytes = sqlite3_serialize(record->db, "main", &len, 0);
	if (!bytes)
		return -ENOMEM;
	err = sonde_file_replace(file, (const char *)bytes, (size_t)len);
	sqlite3_free(bytes);
	return err;
}
