/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * params.h - parameters of a prepared statement's execution, read from the message that carried them, as SQL literals.
 *
 * The messages come from the wire: every length in them is checked against the bytes that are there.
 */
#ifndef SONDE_PROTO_PARAMS_H
#define SONDE_PROTO_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "sonde/base.h"

#define SONDE_PARAMS_MAX 1024u /* more cannot stand in a message of the size that is kept */

/**
 * struct sonde_params - literals one after the other: number i ends at @end[i] in @text
 *
 * Zeroed memory is an empty list; freed with sonde_params_free().
 */
struct sonde_params {
	struct sonde_buf text;
	size_t end[SONDE_PARAMS_MAX];
	size_t nr;
};

void sonde_params_free(struct sonde_params *params);

/** sonde_params_get - literal @i (from 0) of @params; *@len is set. NULL: there are fewer */
const char *sonde_params_get(const struct sonde_params *params, size_t i, size_t *len);

/** sonde_params_end - what was appended to @params->text is one literal. 0, or -E2BIG when there are too many */
int sonde_params_end(struct sonde_params *params);

/** sonde_params_quote - append @len bytes as a string literal; @backslash: it is an escape character there (MySQL) */
void sonde_params_quote(struct sonde_buf *buf, const char *s, size_t len, bool backslash);

/** sonde_params_is_text - whether bytes read as text: valid UTF-8 without control characters but white space */
bool sonde_params_is_text(const u8 *s, size_t len);

/** sonde_params_double - append @value with as many digits as tell it from its neighbours; @single: it is a float */
void sonde_params_double(struct sonde_buf *buf, double value, bool single);

/**
 * sonde_params_postgresql - parameters of the Bind message @m (@len bytes from its type byte on)
 * @types, @types_len: what follows the text in the Parse message: number of types (16 bits) and their OIDs; NULL: not known
 *
 * A binary value whose type is not known is told by its length and looks: the best guess. Returns 0, -EINVAL when the message
 * is none or cut (what was read up to there is in @params), -E2BIG or -ENOMEM.
 */
int sonde_params_postgresql(const u8 *m, size_t len, const u8 *types, size_t types_len, struct sonde_params *params);

/**
 * sonde_params_mysql - parameters of the COM_STMT_EXECUTE packet @m (@len bytes, header included)
 * @nr: how many the statement has; SIZE_MAX: not known, then the one number that fits the packet to its last byte
 *
 * Returns 0, -ENODATA when the packet leaves out the types (sent with an earlier execution), or as above; then @params is empty.
 */
int sonde_params_mysql(const u8 *m, size_t len, size_t nr, struct sonde_params *params);

#endif /* SONDE_PROTO_PARAMS_H */
