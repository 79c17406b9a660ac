/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * statement.h - whether a statement may be explained, which tables it names, and its text with values filled in.
 */
#ifndef SONDE_EXPLAIN_STATEMENT_H
#define SONDE_EXPLAIN_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

struct sonde_buf;
struct sonde_scan;

/**
 * sonde_statement_refuse - why @scan is not a single SELECT that only reads
 *
 * Returns NULL if it is one, else a phrase that follows "refused: ". That a function which it calls writes cannot be
 * seen; a read-only transaction stops that. A harmless statement in an odd form may be refused, too.
 */
const char *sonde_statement_refuse(const struct sonde_scan *scan);

/** sonde_statement_params - how many parameters the text needs */
size_t sonde_statement_params(const struct sonde_scan *scan);

/**
 * sonde_statement_fill - append the statement without its end sign and what surrounds it
 * @quote: appends a value as a literal; 0 or -errno
 * @params, @nr_params: values of the parameters; 0: they stay as they are
 *
 * Returns 0, -EINVAL (fewer values than parameters), -ENOMEM or what @quote returned.
 */
int sonde_statement_fill(struct sonde_buf *out, const struct sonde_scan *scan, const char *const *params,
			 size_t nr_params, int (*quote)(void *ctx, struct sonde_buf *out, const char *value),
			 void *ctx);

/**
 * struct sonde_table_ref - a table that a statement reads
 * @schema: in front of the name, or NULL
 * @alias: what the rest of the statement and the plan call it
 * @spelled: schema and name as the statement writes them
 */
struct sonde_table_ref {
	char *schema;
	char *name;
	char *alias;
	char *spelled;
};

/** struct sonde_table_refs - the tables behind FROM and JOIN in order of the text */
struct sonde_table_refs {
	struct sonde_table_ref *refs;
	size_t nr;
};

/** sonde_statement_is_limited - the whole statement has a LIMIT or FETCH FIRST */
bool sonde_statement_is_limited(const struct sonde_scan *scan);

/** sonde_statement_tables - find them; 0 or -ENOMEM; free with sonde_table_refs_free() whatever the result */
int sonde_statement_tables(const struct sonde_scan *scan, struct sonde_table_refs *out);

void sonde_table_refs_free(struct sonde_table_refs *refs);

#endif /* SONDE_EXPLAIN_STATEMENT_H */
