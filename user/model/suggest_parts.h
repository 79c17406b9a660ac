/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suggest_parts.h - what the parts of model/suggest*.c share; only for them.
 */
#ifndef SONDE_MODEL_SUGGEST_PARTS_H
#define SONDE_MODEL_SUGGEST_PARTS_H

#include "base/buf.h"
#include "model/finding.h"
#include "model/sql_shape.h"

#define SONDE_SUGGEST_LIST 56u /* columns of a list that are worth spelling out */

/** sonde_suggest_span - append @span, or "..." if it is longer than SONDE_SUGGEST_LIST */
void sonde_suggest_span(struct sonde_buf *out, struct sonde_span span);

/**
 * sonde_suggest_varying - number of the condition of @shape whose parameter is likely another one in every call
 *
 * A key before anything else, that of @parent's table (may be NULL) before other keys. Returns -1 if there is no condition.
 */
int sonde_suggest_varying(const struct sonde_sql_shape *shape, const struct sonde_sql_shape *parent);

/** sonde_suggest_where - append the WHERE clause with condition @varying turned into a list: " where a = ? and b in (...)" */
void sonde_suggest_where(struct sonde_buf *out, const struct sonde_sql_shape *shape, int varying);

/** sonde_suggest_names - whether a column named @stem + "_id" refers to @table: "customer" to "customers", "shop_customer" */
bool sonde_suggest_names(struct sonde_span stem, struct sonde_span table);

/** sonde_suggest_stem - the "customer" of "customer_id", "customerId"; len 0: no such column */
struct sonde_span sonde_suggest_stem(struct sonde_span column);

/** sonde_suggest_read - for an SQL N+1; sonde_suggest_write - for a loop of writes; sonde_suggest_label - without SQL */
void sonde_suggest_read(const struct sonde_finding *finding, struct sonde_buf *out);
void sonde_suggest_write(const struct sonde_finding *finding, struct sonde_buf *out);
void sonde_suggest_label(const struct sonde_finding *finding, struct sonde_buf *out);

#endif /* SONDE_MODEL_SUGGEST_PARTS_H */
