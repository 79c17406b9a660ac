/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * name.h - the short name of a statement: verb and tables, OpenTelemetry's db.query.summary.
 */
#ifndef SONDE_MODEL_NAME_H
#define SONDE_MODEL_NAME_H

#include <stddef.h>

#define SONDE_NAME_MAX 96 /* room for a short name and its NUL */

/**
 * sonde_name - short name of the normalised statement @text
 *
 * "SELECT orders customers", "INSERT archive SELECT orders", "BEGIN", "SELECT now()". Tables stand in the order of
 * their appearance, each once; names of common table expressions are left out; what does not fit ends in "...".
 * Empty for a text without a word. Returns the length.
 */
size_t sonde_name(const char *text, size_t len, char out[SONDE_NAME_MAX]);

/**
 * sonde_name_label - short name of a statement that is not SQL but a label (sonde/label.h)
 *
 * What stands before the shape of its arguments: "find orders" of "find orders {customer_id: ?}". Returns the length.
 */
size_t sonde_name_label(const char *text, size_t len, char out[SONDE_NAME_MAX]);

#endif /* SONDE_MODEL_NAME_H */
