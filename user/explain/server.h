/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * server.h - what sonde_explain_run() asks of a database server, whichever it is.
 */
#ifndef SONDE_EXPLAIN_SERVER_H
#define SONDE_EXPLAIN_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "explain/explain.h"

struct sonde_buf;
struct sonde_facts;
struct sonde_node;
struct sonde_table_refs;

/* Seconds to wait for a connection; and beyond the server's own time limit, before it counts as gone. */
#define SONDE_SERVER_CONNECT_S 10
#define SONDE_SERVER_GRACE_MS 5000u

struct sonde_server;

/**
 * struct sonde_server_ops - one kind of server; each function returns 0 or an error of sonde_explain_run() with
 *	server->error set
 * @begin: open the read-only transaction with its time limit
 * @explain: the plan as JSON in @raw, to be freed; @analyze: run it, *@analyzed says whether it was
 * @facts: what is known about the tables of the plan; an error only says that nothing is
 * @end: roll back and forget what the session holds
 * @quote: append a value as a literal
 * @can_generic: plans without values of parameters are possible
 */
struct sonde_server_ops {
	bool mysql;
	int (*begin)(struct sonde_server *server);
	int (*explain)(struct sonde_server *server, const char *sql, bool analyze, bool generic, char **raw,
		       bool *analyzed);
	int (*facts)(struct sonde_server *server, const struct sonde_node *root, const struct sonde_table_refs *refs,
		     struct sonde_facts *facts);
	int (*end)(struct sonde_server *server);
	int (*quote)(void *server, struct sonde_buf *out, const char *value);
	bool (*can_generic)(const struct sonde_server *server);
	void (*close)(struct sonde_server *server);
};

/** struct sonde_server - what all kinds have in common; @scan_flags: SONDE_SCAN_* of its strings */
struct sonde_server {
	const struct sonde_server_ops *ops;
	unsigned int scan_flags;
	unsigned int timeout_ms;
	bool is_gone;
	char error[SONDE_EXPLAIN_ERROR_BYTES];
};

/* Open a connection; errors are those of sonde_explain_open(). */
int sonde_server_open_postgresql(struct sonde_server **out, const char *dsn, unsigned int timeout_ms, char *err,
				 size_t err_size);
int sonde_server_open_mysql(struct sonde_server **out, const char *dsn, unsigned int timeout_ms, char *err,
			    size_t err_size);

/** sonde_server_say - set an error text, one line of it */
void sonde_server_say(char *err, size_t err_size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** struct sonde_library_function - a function and where in the table of pointers it goes */
struct sonde_library_function {
	const char *name;
	size_t offset;
};

/**
 * sonde_library_load - load the first library of @names (NULL ends it) and find @functions (a NULL name ends it)
 * @table: structure of function pointers that the offsets belong to
 * @package: Debian's package, for the error
 *
 * The library stays loaded. Returns 0 or -ELIBACC.
 */
int sonde_library_load(void *table, const struct sonde_library_function *functions, const char *const *names,
		       const char *package, char *err, size_t err_size);

#endif /* SONDE_EXPLAIN_SERVER_H */
