// SPDX-License-Identifier: GPL-2.0-only
/*
 * unwind.c - keeps the kernel's tables for unwinding.
 *
 * The kernel copies the entry of a process that forks to its child, and drops those of processes that end or execute another
 * program. So a space is in use as long as an entry of the kernel's map leads to it: sweep() looks.
 */
#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "sonde/unwind.h"
#include "sym/space.h"
#include "unwind/binary.h"
#include "unwind/unwind.h"

#define SWEEP_NS 2000000000ULL
#define MIN_PAUSE_NS 10000000ULL /* between two looks at a process that has changed */
#define MAX_PAUSE_NS 5000000000ULL /* and at one that never does */
#define PAUSE_SLOTS 4096
#define MAX_MAPPINGS 8192 /* of a process: the kernel's search takes 14 steps */

struct space {
	struct space *next;
	u32 first, nr;
	unsigned int unused; /* sweeps that found it so */
	size_t nr_binaries;
	struct unwind_binary *binary[];
};

/* When a process was looked at last, and how long not to look again. */
struct pause {
	pid_t pid;
	u64 at_ns, pause_ns;
};

struct sonde_unwind {
	struct sonde_unwind_maps fd;
	struct sonde_unwind_map *maps; /* the kernel's */
	struct unwind_ranges ranges; /* of them */
	struct unwind_binaries binaries;
	struct space *spaces;
	u32 nr_spaces;
	u64 spaces_full;
	u64 swept_ns;
	struct pause pause[PAUSE_SLOTS];
};

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000ULL + (u64)now.tv_nsec;
}

static void *map_array(int fd, u32 nr, size_t bytes)
{
	void *at = mmap(NULL, nr * bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

struct sonde_unwind *sonde_unwind_new(const struct sonde_unwind_maps *maps)
{
	struct sonde_unwind *unwind = calloc(1, sizeof(*unwind));

	if (!unwind)
		return NULL;
	unwind->fd = *maps;
	unwind->ranges.total = maps->nr_maps;
	unwind->binaries.ranges.total = maps->nr_rows;
	unwind->maps = map_array(maps->maps, maps->nr_maps, sizeof(*unwind->maps));
	unwind->binaries.rows = map_array(maps->rows, maps->nr_rows, sizeof(*unwind->binaries.rows));
	if (unwind->maps && unwind->binaries.rows)
		return unwind;
	sonde_unwind_free(unwind);
	return NULL;
}

static void free_space(struct sonde_unwind *unwind, struct space *space)
{
	for (size_t i = 0; i < space->nr_binaries; i++)
		unwind_binary_put(space->binary[i]);
	unwind_range_give(&unwind->ranges, space->first);
	unwind->nr_spaces--;
	free(space);
}

void sonde_unwind_free(struct sonde_unwind *unwind)
{
	if (!unwind)
		return;
	while (unwind->spaces) {
		struct space *next = unwind->spaces->next;

		free_space(unwind, unwind->spaces);
		unwind->spaces = next;
	}
	unwind_ranges_free(&unwind->ranges);
	if (unwind->maps)
		munmap(unwind->maps, unwind->fd.nr_maps * sizeof(*unwind->maps));
	if (unwind->binaries.rows)
		munmap(unwind->binaries.rows, unwind->fd.nr_rows * sizeof(*unwind->binaries.rows));
	unwind_binaries_free(&unwind->binaries);
	free(unwind);
}

static void mark(struct sonde_unwind *unwind, u32 first)
{
	for (struct space *space = unwind->spaces; space; space = space->next)
		if (space->first == first)
			space->unused = 0;
}

/* Spaces that no process has had at two looks are freed: a fork may pass by the first one. */
static void sweep(struct sonde_unwind *unwind, u64 now)
{
	struct sonde_unwind_space value;
	u32 pid, last = 0;
	bool any = false;

	unwind->swept_ns = now;
	for (struct space *space = unwind->spaces; space; space = space->next)
		space->unused++;
	while (!bpf_map_get_next_key(unwind->fd.spaces, any ? &last : NULL, &pid)) {
		any = true;
		last = pid;
		if (bpf_map_lookup_elem(unwind->fd.spaces, &pid, &value))
			continue;
		if (kill((pid_t)pid, 0) && errno == ESRCH) /* ended while it was entered */
			bpf_map_delete_elem(unwind->fd.spaces, &pid);
		else
			mark(unwind, value.first);
	}
	for (struct space **at = &unwind->spaces; *at;) {
		struct space *space = *at;

		if (space->unused < 2) {
			at = &space->next;
			continue;
		}
		*at = space->next;
		free_space(unwind, space);
	}
}

/* One process being read. */
struct reading {
	struct sonde_unwind *unwind;
	struct sym_space *from;
	struct sonde_unwind_map *map;
	size_t nr, cap;
	struct unwind_binary **binary;
	size_t nr_binaries;
};

static struct unwind_binary *binary_of(struct reading *r, const struct sym_mapping *m)
{
	struct unwind_binary *binary;
	int fd;

	if (!strcmp(m->path, "[vdso]"))
		return unwind_binary_vdso(&r->unwind->binaries);
	if (!m->inode)
		return NULL;
	fd = sym_space_open(r->from, m);
	if (fd < 0)
		return NULL;
	binary = unwind_binary_file(&r->unwind->binaries, fd);
	close(fd);
	return binary;
}

static void add_mapping(struct reading *r, const struct sym_mapping *m)
{
	struct unwind_binary *binary = binary_of(r, m);
	struct sonde_unwind_map *map = &r->map[r->nr++];
	u64 addr;

	*map = (struct sonde_unwind_map){ .start = m->start, .end = m->end };
	if (!binary)
		return;
	r->binary[r->nr_binaries++] = binary;
	if (!binary->nr || !unwind_image_addr(&binary->image, m->offset, &addr))
		return;
	map->first = binary->first;
	map->nr = binary->nr;
	map->bias = m->start - addr + binary->base;
}

/* What @r has read as a space of the kernel's. */
static struct space *make_space(struct reading *r)
{
	struct sonde_unwind *unwind = r->unwind;
	struct space *space = malloc(sizeof(*space) + r->nr_binaries * sizeof(space->binary[0]));
	u32 first;

	if (!space)
		return NULL;
	if (!unwind_range_take(&unwind->ranges, (u32)r->nr, &first)) {
		sweep(unwind, now_ns());
		sweep(unwind, now_ns());
		if (!unwind_range_take(&unwind->ranges, (u32)r->nr, &first)) {
			free(space);
			return NULL;
		}
	}
	memcpy(&unwind->maps[first], r->map, r->nr * sizeof(*r->map));
	*space = (struct space){
		.next = unwind->spaces, .first = first, .nr = (u32)r->nr, .nr_binaries = r->nr_binaries
	};
	memcpy(space->binary, r->binary, r->nr_binaries * sizeof(space->binary[0]));
	r->nr_binaries = 0;
	unwind->spaces = space;
	unwind->nr_spaces++;
	return space;
}

/* The space that the kernel has for @pid, if what was read is the same. */
static bool is_same(struct reading *r, pid_t pid)
{
	struct sonde_unwind_space value;
	u32 key = (u32)pid;

	return !bpf_map_lookup_elem(r->unwind->fd.spaces, &key, &value) && value.nr == r->nr &&
	       value.first + value.nr <= r->unwind->fd.nr_maps &&
	       !memcmp(&r->unwind->maps[value.first], r->map, r->nr * sizeof(*r->map));
}

static int enter(struct reading *r, pid_t pid)
{
	struct sonde_unwind_space value;
	struct space *space;
	u32 key = (u32)pid;

	if (is_same(r, pid))
		return -EALREADY;
	space = make_space(r);
	if (!space) {
		r->unwind->spaces_full++;
		return -ENOSPC;
	}
	value = (struct sonde_unwind_space){ space->first, space->nr };
	if (!bpf_map_update_elem(r->unwind->fd.spaces, &key, &value, BPF_ANY))
		return 0;
	r->unwind->spaces_full++;
	return -ENOSPC; /* the next sweep frees the space */
}

static int read_process(struct sonde_unwind *unwind, pid_t pid)
{
	struct reading r = { .unwind = unwind };
	const struct sym_mapping *m;
	int err = -ESRCH;

	r.from = sym_space_new(pid);
	if (!r.from)
		return -ESRCH; /* gone, or a kernel thread */
	while (r.cap < MAX_MAPPINGS && sym_space_mapping(r.from, r.cap))
		r.cap++;
	r.map = calloc(r.cap + 1, sizeof(*r.map));
	r.binary = calloc(r.cap + 1, sizeof(*r.binary));
	if (!r.map || !r.binary) {
		err = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < r.cap && (m = sym_space_mapping(r.from, i)); i++)
		add_mapping(&r, m);
	if (r.nr && sym_space_check(r.from) == 1)
		err = enter(&r, pid);
out:
	while (r.nr_binaries)
		unwind_binary_put(r.binary[--r.nr_binaries]);
	free(r.binary);
	free(r.map);
	sym_space_free(r.from);
	return err;
}

int sonde_unwind_process(struct sonde_unwind *unwind, pid_t pid)
{
	struct pause *pause = &unwind->pause[(u32)pid % PAUSE_SLOTS];
	u64 now = now_ns();
	int err;

	if (pause->pid == pid && now - pause->at_ns < pause->pause_ns) {
		struct sonde_unwind_space value;
		u32 key = (u32)pid;

		if (!bpf_map_lookup_elem(unwind->fd.spaces, &key, &value))
			return 0;
		/* It runs another program now, or nobody has its number any more. */
	}
	if (now - unwind->swept_ns >= SWEEP_NS)
		sweep(unwind, now);
	err = read_process(unwind, pid);
	if (pause->pid != pid || err != -EALREADY)
		*pause = (struct pause){ .pid = pid, .pause_ns = MIN_PAUSE_NS };
	else if (pause->pause_ns < MAX_PAUSE_NS)
		pause->pause_ns *= 2;
	pause->at_ns = now_ns();
	return err == -EALREADY ? 0 : err;
}

int sonde_unwind_now(struct sonde_unwind *unwind, pid_t pid)
{
	unwind->pause[(u32)pid % PAUSE_SLOTS].pid = 0;
	return sonde_unwind_process(unwind, pid);
}

size_t sonde_unwind_all(struct sonde_unwind *unwind, u64 budget_ns)
{
	u64 until = now_ns() + budget_ns;
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	size_t nr = 0;

	while (dir && now_ns() < until && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		nr += !sonde_unwind_process(unwind, (pid_t)strtol(entry->d_name, NULL, 10));
	}
	if (dir)
		closedir(dir);
	return nr;
}

void sonde_unwind_get_stats(const struct sonde_unwind *unwind, struct sonde_unwind_stats *out)
{
	*out = (struct sonde_unwind_stats){
		.rows = unwind->binaries.ranges.used,
		.spaces = unwind->nr_spaces,
		.binaries_full = unwind->binaries.full,
		.spaces_full = unwind->spaces_full,
	};
	for (const struct unwind_binary *b = unwind->binaries.list; b; b = b->next) {
		out->binaries++;
		out->binaries_without += !b->nr;
	}
}
