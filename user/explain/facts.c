// SPDX-License-Identifier: GPL-2.0-only
/*
 * facts.c - what is known about the tables of a plan.
 */
#include "explain/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One more element, zeroed, at the end of an array of @nr; NULL: no memory, and the array is as it was. */
static void *grow(void **array, size_t nr, size_t size)
{
	char *grown = realloc(*array, (nr + 1) * size);

	if (!grown)
		return NULL;
	*array = grown;
	return memset(grown + nr * size, 0, size);
}

int sonde_facts_add_table(struct sonde_facts *facts, const char *key, const char *spelled, double rows,
			  bool partitioned)
{
	struct sonde_fact_table *table = grow((void **)&facts->tables, facts->nr, sizeof(*table));

	if (!table)
		return -ENOMEM;
	facts->nr++;
	table->key = strdup(key);
	table->spelled = strdup(spelled);
	table->rows = rows;
	table->partitioned = partitioned;
	return table->key && table->spelled ? 0 : -ENOMEM;
}

int sonde_facts_add_column(struct sonde_facts *facts, const char *name, const char *type)
{
	struct sonde_fact_table *table = &facts->tables[facts->nr - 1];
	struct sonde_fact_column *column = grow((void **)&table->columns, table->nr_columns, sizeof(*column));

	if (!column)
		return -ENOMEM;
	table->nr_columns++;
	column->name = strdup(name);
	column->type = strdup(type);
	return column->name && column->type ? 0 : -ENOMEM;
}

int sonde_facts_add_index(struct sonde_facts *facts, const char *name)
{
	struct sonde_fact_table *table = &facts->tables[facts->nr - 1];
	struct sonde_fact_index *index = grow((void **)&table->indexes, table->nr_indexes, sizeof(*index));

	if (!index)
		return -ENOMEM;
	table->nr_indexes++;
	index->name = strdup(name);
	return index->name ? 0 : -ENOMEM;
}

int sonde_facts_add_index_column(struct sonde_facts *facts, const char *name)
{
	struct sonde_fact_table *table = &facts->tables[facts->nr - 1];
	struct sonde_fact_index *index = &table->indexes[table->nr_indexes - 1];
	char **column = grow((void **)&index->columns, index->nr_columns, sizeof(*column));

	if (!column)
		return -ENOMEM;
	index->nr_columns++;
	*column = strdup(name);
	return *column ? 0 : -ENOMEM;
}

const struct sonde_fact_table *sonde_facts_table(const struct sonde_facts *facts, const char *key)
{
	size_t i;

	for (i = 0; facts && key && i < facts->nr; i++)
		if (strcmp(facts->tables[i].key, key) == 0)
			return &facts->tables[i];
	return NULL;
}

static void free_table(struct sonde_fact_table *table)
{
	size_t i, k;

	for (i = 0; i < table->nr_columns; i++) {
		free(table->columns[i].name);
		free(table->columns[i].type);
	}
	for (i = 0; i < table->nr_indexes; i++) {
		for (k = 0; k < table->indexes[i].nr_columns; k++)
			free(table->indexes[i].columns[k]);
		free(table->indexes[i].columns);
		free(table->indexes[i].name);
	}
	free(table->columns);
	free(table->indexes);
	free(table->key);
	free(table->spelled);
}

void sonde_facts_free(struct sonde_facts *facts)
{
	size_t i;

	for (i = 0; i < facts->nr; i++)
		free_table(&facts->tables[i]);
	free(facts->tables);
	*facts = (struct sonde_facts){ NULL };
}
