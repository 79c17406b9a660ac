// SPDX-License-Identifier: GPL-2.0-only
/*
 * binary.c - the binaries whose rows are in the kernel's table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "sym/space.h"
#include "unwind/binary.h"

#define MAX_BINARIES 4096
#define KEY_VDSO 1

static void forget(struct unwind_binaries *all, struct unwind_binary **at)
{
	struct unwind_binary *binary = *at;

	*at = binary->next;
	if (binary->nr)
		unwind_range_give(&all->ranges, binary->first);
	all->nr--;
	free(binary);
}

/* The binary that nobody has mapped and that was used longest ago makes room; false: there is none. */
static bool forget_one(struct unwind_binaries *all)
{
	struct unwind_binary **oldest = NULL;

	for (struct unwind_binary **at = &all->list; *at; at = &(*at)->next)
		if (!(*at)->refs)
			oldest = at;
	if (oldest)
		forget(all, oldest);
	return oldest != NULL;
}

static struct unwind_binary *find(struct unwind_binaries *all, u64 key)
{
	for (struct unwind_binary **at = &all->list; *at; at = &(*at)->next) {
		struct unwind_binary *binary = *at;

		if (binary->key != key)
			continue;
		*at = binary->next;
		binary->next = all->list;
		all->list = binary;
		return binary;
	}
	return NULL;
}

/* @image's table goes to the kernel; what is not needed of it is freed. */
static struct unwind_binary *add(struct unwind_binaries *all, u64 key, struct unwind_image *image)
{
	struct unwind_table *table = &image->table;
	struct unwind_binary *binary = calloc(1, sizeof(*binary));
	bool room;

	if (!binary)
		goto out;
	while (all->nr >= MAX_BINARIES && forget_one(all))
		;
	do {
		room = !table->nr || unwind_range_take(&all->ranges, table->nr, &binary->first);
	} while (!room && forget_one(all));
	if (!room)
		all->full++;
	else if (table->nr) {
		memcpy(&all->rows[binary->first], table->row, table->nr * sizeof(*table->row));
		binary->nr = table->nr;
		binary->base = table->base;
		binary->end = table->end;
	}
	binary->key = key;
	binary->image = *image;
	binary->image.table = (struct unwind_table){};
	binary->next = all->list;
	all->list = binary;
	all->nr++;
out:
	unwind_image_free(image);
	return binary;
}

struct unwind_binary *unwind_binary_file(struct unwind_binaries *all, int fd)
{
	struct unwind_binary *binary;
	struct unwind_image image;
	struct stat st;
	u64 key;
	int err;

	if (fstat(fd, &st))
		return NULL;
	/* Inodes are used again, and files are written to. */
	key = sonde_mix64(st.st_dev ^ sonde_mix64(st.st_ino));
	key = sonde_mix64(key ^ (u64)st.st_size ^
			  sonde_mix64((u64)st.st_mtim.tv_sec * 1000000000 + (u64)st.st_mtim.tv_nsec));
	binary = find(all, key);
	if (!binary) {
		err = unwind_image_read(fd, &image);
		if (err && err != -ENOENT && err != -ENOEXEC)
			sonde_debug("unwinding: a binary (inode %llu) has no usable .eh_frame: %s",
				    (unsigned long long)st.st_ino, strerror(-err));
		binary = add(all, key, &image);
	}
	if (binary)
		binary->refs++;
	return binary;
}

struct unwind_binary *unwind_binary_vdso(struct unwind_binaries *all)
{
	struct unwind_binary *binary = find(all, KEY_VDSO);
	u64 start = getauxval(AT_SYSINFO_EHDR);
	const struct sym_mapping *m;
	struct sym_space *self;
	struct unwind_image image;

	if (!binary && start) {
		/* Of every process the same: ours. */
		self = sym_space_new(getpid());
		m = self ? sym_space_find(self, start) : NULL;
		if (m) {
			unwind_image_memory((const void *)start, m->end - start, &image);
			binary = add(all, KEY_VDSO, &image);
		}
		sym_space_free(self);
	}
	if (binary)
		binary->refs++;
	return binary;
}

void unwind_binary_put(struct unwind_binary *binary)
{
	if (binary)
		binary->refs--;
}

void unwind_binaries_free(struct unwind_binaries *all)
{
	while (all->list)
		forget(all, &all->list);
	unwind_ranges_free(&all->ranges);
}
