// SPDX-License-Identifier: GPL-2.0-only
/*
 * access.c - whether a statement reads or writes data.
 */
#include <string.h>
#include <strings.h>

#include "model/access.h"
#include "model/snapshot.h"
#include "model/sql_shape.h"
#include "sonde/key.h"
#include "sonde/sql.h"

struct command {
	u32 proto;
	const char *name;
	enum sonde_access access;
	const char *many;
};

static const struct command commands[] = {
#define SONDE_ACCESS_REDIS(name, access, many) { SONDE_PROTO_REDIS, name, SONDE_ACCESS_##access, many },
#define SONDE_ACCESS_MEMCACHED(name, access, many) { SONDE_PROTO_MEMCACHED, name, SONDE_ACCESS_##access, many },
#define SONDE_ACCESS_MONGODB(name, access, many) { SONDE_PROTO_MONGODB, name, SONDE_ACCESS_##access, many },
#include "access.def"
#undef SONDE_ACCESS_REDIS
#undef SONDE_ACCESS_MEMCACHED
#undef SONDE_ACCESS_MONGODB
};

static const struct command *find(u32 proto, const char *text)
{
	size_t len = strcspn(text, " ");

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].proto == proto && strlen(commands[i].name) == len &&
		    !strncasecmp(commands[i].name, text, len))
			return &commands[i];
	return NULL;
}

enum sonde_access sonde_access(u32 proto, u32 verb, const char *text)
{
	const struct command *command;

	if (sonde_proto_sql(proto)) {
		switch (verb) {
		case SONDE_SQL_SELECT:
			return SONDE_ACCESS_READ;
		case SONDE_SQL_INSERT:
		case SONDE_SQL_UPDATE:
		case SONDE_SQL_DELETE:
			return SONDE_ACCESS_WRITE;
		case SONDE_SQL_DML: /* CALL, DO, EXECUTE do what nobody knows */
			return text && !strncmp(text, "merge", 5) ? SONDE_ACCESS_WRITE : SONDE_ACCESS_NONE;
		}
		return SONDE_ACCESS_NONE;
	}
	command = text ? find(proto, text) : NULL;
	return command ? command->access : SONDE_ACCESS_NONE;
}

const char *sonde_access_many(u32 proto, const char *text)
{
	const struct command *command = text ? find(proto, text) : NULL;

	return command ? command->many : "";
}

static bool begins(struct sonde_span span, const char *with)
{
	return span.len >= strlen(with) && !strncasecmp(span.s, with, strlen(with));
}

static bool is_catalog(u32 proto, struct sonde_span table)
{
	bool mysql = proto == SONDE_PROTO_MYSQL || proto == SONDE_PROTO_MARIADB;

	if (begins(table, "information_schema."))
		return true;
	if (mysql)
		return begins(table, "mysql.") || begins(table, "performance_schema.") || begins(table, "sys.");
	if (proto == SONDE_PROTO_SQLITE)
		return begins(sonde_span_last(table), "sqlite_") || begins(table, "pragma_");
	return begins(table, "pg_"); /* names of the system's, as PostgreSQL reserves them: pg_catalog., pg_class */
}

bool sonde_access_catalog(u32 proto, const char *text)
{
	struct sonde_span table[SONDE_SHAPE_TABLES];
	size_t nr;

	if (!sonde_proto_sql(proto))
		return false;
	nr = sonde_sql_tables(text, strlen(text), table, SONDE_SHAPE_TABLES);
	for (size_t i = 0; i < nr; i++)
		if (is_catalog(proto, table[i]))
			return true;
	return false;
}

bool sonde_access_data(u32 proto, const char *text)
{
	struct sonde_sql_shape shape;
	struct sonde_span table;
	size_t len = strlen(text);

	if (!sonde_proto_sql(proto) || strncmp(text, "select", 6) || sonde_sql_tables(text, len, &table, 1))
		return true;
	sonde_sql_shape(text, len, &shape);
	return shape.clause[SONDE_CLAUSE_FROM].len; /* a function's rows */
}
