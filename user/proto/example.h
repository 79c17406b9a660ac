/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * example.h - what stood on the wire for one execution (--examples), as a statement that a person can read and run.
 */
#ifndef SONDE_PROTO_EXAMPLE_H
#define SONDE_PROTO_EXAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_buf;
struct sonde_params;

/**
 * sonde_example - append the statement of a slow event's example
 * @proto: enum sonde_proto
 * @flags: SONDE_SLOW_* of the event
 * @bytes, @len: its example, from the wire: nothing in it is believed
 * @text, @text_len: the normalised text, for a prepared statement whose own text is not known; NULL: not known either
 *
 * Parameters take their places in the text. Where that cannot be, a comment behind it lists them: "-- $1 = 42, $2 = NULL".
 * Returns whether what was appended is the whole statement, ready to run.
 */
bool sonde_example(u32 proto, u32 flags, const u8 *bytes, size_t len, const char *text, size_t text_len,
		   struct sonde_buf *out);

/**
 * sonde_example_fill - append @text with its placeholders replaced by @params
 * @numbered: they are $1, $2, ... (PostgreSQL); else each is a question mark (MySQL)
 *
 * Returns whether there was a literal for every placeholder, and without @numbered a placeholder for every literal.
 */
bool sonde_example_fill(const char *text, size_t len, bool numbered, const struct sonde_params *params,
			struct sonde_buf *out);

/** sonde_example_placeholders - number of question marks in @text that are placeholders */
size_t sonde_example_placeholders(const char *text, size_t len);

#endif /* SONDE_PROTO_EXAMPLE_H */
