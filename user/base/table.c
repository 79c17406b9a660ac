// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - a hash table from 64-bit keys to pointers: open addressing, linear probing, never more than 3/4 full.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/table.h"
#include "sonde/base.h"

static struct sonde_table_slot *find(const struct sonde_table *table, uint64_t key)
{
	size_t i = sonde_mix64(key) & (table->size - 1);

	while (table->slots[i].value && table->slots[i].key != key)
		i = (i + 1) & (table->size - 1);
	return &table->slots[i];
}

void *sonde_table_get(const struct sonde_table *table, uint64_t key)
{
	return table->size ? find(table, key)->value : NULL;
}

static int grow(struct sonde_table *table)
{
	struct sonde_table bigger = { .nr = table->nr, .size = table->size ? table->size * 2 : 64 };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->size; i++)
		if (table->slots[i].value)
			*find(&bigger, table->slots[i].key) = table->slots[i];
	free(table->slots);
	*table = bigger;
	return 0;
}

int sonde_table_put(struct sonde_table *table, uint64_t key, void *value)
{
	struct sonde_table_slot *slot;

	if (4 * (table->nr + 1) > 3 * table->size && grow(table))
		return -ENOMEM;
	slot = find(table, key);
	if (!slot->value)
		table->nr++;
	slot->key = key;
	slot->value = value;
	return 0;
}

void sonde_table_free(struct sonde_table *table, void (*free_value)(void *))
{
	for (size_t i = 0; free_value && i < table->size; i++)
		if (table->slots[i].value)
			free_value(table->slots[i].value);
	free(table->slots);
	*table = (struct sonde_table){};
}
