// SPDX-License-Identifier: GPL-2.0-only
/*
 * strings.c - strings that are stored once.
 *
 * Not locked: a collector and its snapshots live on one thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "model/strings.h"
#include "sonde/base.h"

struct string {
	size_t len;
	char s[];
};

struct sonde_strings {
	unsigned int refs;
	struct sonde_table table;
};

struct sonde_strings *sonde_strings_new(void)
{
	struct sonde_strings *pool = calloc(1, sizeof(*pool));

	if (pool)
		pool->refs = 1;
	return pool;
}

struct sonde_strings *sonde_strings_get(struct sonde_strings *pool)
{
	pool->refs++;
	return pool;
}

void sonde_strings_put(struct sonde_strings *pool)
{
	if (!pool || --pool->refs)
		return;
	sonde_table_free(&pool->table, free);
	free(pool);
}

const char *sonde_strings_add(struct sonde_strings *pool, const char *s, size_t len)
{
	u64 hash = SONDE_FNV_BASIS;
	struct string *found;

	for (size_t i = 0; i < len; i++)
		hash = sonde_fnv_byte(hash, (u8)s[i]);
	/* Two strings of one hash: the later one takes the next key. */
	for (;; hash++) {
		found = sonde_table_get(&pool->table, hash);
		if (!found)
			break;
		if (found->len == len && !memcmp(found->s, s, len))
			return found->s;
	}
	found = malloc(sizeof(*found) + len + 1);
	if (!found)
		return NULL;
	found->len = len;
	if (len)
		memcpy(found->s, s, len);
	found->s[len] = '\0';
	if (sonde_table_put(&pool->table, hash, found)) {
		free(found);
		return NULL;
	}
	return found->s;
}
