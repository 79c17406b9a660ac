// SPDX-License-Identifier: GPL-2.0-only
/*
 * map_each.c - walks through a BPF hash map.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "collect/map_each.h"
#include "sonde/base.h"

#define BATCH 64u /* entries read by one system call */
#define KEY_BYTES 64u

/* What a read leaves when the kernel has no batch operations for the map (before Linux 5.6) or refuses them. */
static bool no_batch(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP || err == -524 /* ENOTSUPP, the kernel's own */ || err == -EPERM;
}

static int in_batches(int fd, size_t key_bytes, size_t value_bytes, void *ctx,
		      int (*fn)(void *ctx, const void *key, const void *value))
{
	u32 size = BATCH, count, place[KEY_BYTES / sizeof(u32)] = {}; /* where to go on: as large as a key at most */
	char *keys, *values;
	bool first = true;
	int err = 0, ret;

again:
	keys = malloc(size * key_bytes);
	values = malloc(size * value_bytes);
	while (keys && values) {
		count = size;
		ret = bpf_map_lookup_batch(fd, first ? NULL : place, place, keys, values, &count, NULL);
		if (ret == -ENOSPC && size < 65536) {
			/* One bucket of the hash table holds more than fits: the place did not move. */
			free(keys);
			free(values);
			size *= 4;
			goto again;
		}
		if (ret && ret != -ENOENT) {
			err = ret;
			break;
		}
		for (u32 i = 0; i < count && !err; i++)
			err = fn(ctx, keys + i * key_bytes, values + i * value_bytes);
		if (ret || err)
			break; /* -ENOENT: that was the end */
		first = false;
	}
	if (!keys || !values)
		err = -ENOMEM;
	free(keys);
	free(values);
	return err;
}

static int one_by_one(int fd, size_t key_bytes, size_t value_bytes, void *ctx,
		      int (*fn)(void *ctx, const void *key, const void *value))
{
	u64 key[KEY_BYTES / sizeof(u64)], previous[KEY_BYTES / sizeof(u64)];
	void *value = malloc(value_bytes);
	bool first = true;
	int err = 0;

	if (!value)
		return -ENOMEM;
	while (!err && !bpf_map_get_next_key(fd, first ? NULL : previous, key)) {
		first = false;
		memcpy(previous, key, key_bytes);
		if (!bpf_map_lookup_elem(fd, key, value))
			err = fn(ctx, key, value);
	}
	free(value);
	return err;
}

int sonde_map_each(int fd, size_t key_bytes, size_t value_bytes, void *ctx, void (*begin)(void *ctx),
		   int (*fn)(void *ctx, const void *key, const void *value))
{
	int err;

	if (key_bytes > KEY_BYTES)
		return -E2BIG;
	if (begin)
		begin(ctx);
	err = in_batches(fd, key_bytes, value_bytes, ctx, fn);
	if (!no_batch(err))
		return err;
	if (begin)
		begin(ctx);
	return one_by_one(fd, key_bytes, value_bytes, ctx, fn);
}
