/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table.h - a hash table from 64-bit keys to pointers.
 */
#ifndef SONDE_BASE_TABLE_H
#define SONDE_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct sonde_table_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

/** struct sonde_table - zeroed memory is an empty table */
struct sonde_table {
	struct sonde_table_slot *slots;
	size_t nr;
	size_t size; /* power of two, or 0 */
};

/** sonde_table_get - the value of @key, or NULL */
void *sonde_table_get(const struct sonde_table *table, uint64_t key);

/** sonde_table_put - set the value of @key (@value != NULL); 0 or -ENOMEM */
int sonde_table_put(struct sonde_table *table, uint64_t key, void *value);

/** sonde_table_free - free the table, and each value with @free_value unless that is NULL */
void sonde_table_free(struct sonde_table *table, void (*free_value)(void *));

#endif /* SONDE_BASE_TABLE_H */
