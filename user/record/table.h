/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table.h - how tables of recordings are written down. Only for user/record.
 */
#ifndef SONDE_RECORD_TABLE_H
#define SONDE_RECORD_TABLE_H

#include "record/record.h"

/* A column @name that is @member of struct @of; _NEWER: recordings from before there was one are read as well. */
#define SONDE_COLUMN(name, type, of, member) { name, SONDE_RECORD_##type, offsetof(struct of, member), false }
#define SONDE_COLUMN_NEWER(name, type, of, member) { name, SONDE_RECORD_##type, offsetof(struct of, member), true }

/* Table @text, whose rows are struct @of: sonde_table_@symbol. */
#define SONDE_TABLE_IF(symbol, text, of, list, is_newer)                                                               \
	const struct sonde_record_table sonde_table_##symbol = { text, sizeof(struct of), list, is_newer };            \
	_Static_assert(sizeof(list) / sizeof(list[0]) <= 65, "columns")
#define SONDE_TABLE(symbol, text, of, list) SONDE_TABLE_IF(symbol, text, of, list, false)
#define SONDE_TABLE_NEWER(symbol, text, of, list) SONDE_TABLE_IF(symbol, text, of, list, true)

#endif /* SONDE_RECORD_TABLE_H */
