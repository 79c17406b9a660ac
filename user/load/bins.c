// SPDX-License-Identifier: GPL-2.0-only
/*
 * bins.c - finds the libraries of the kinds that are probed.
 *
 * A file is looked into once, known again by device, inode and time of change. Who wants it keeps it open, so that its
 * inode number is not given to another file meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/process.h"
#include "load/bins.h"
#include "load/elf.h"
#include "load/maps.h"

#define MAX_KINDS 4
#define MAX_WANTED 256 /* files that some kind wants */

/* A file that was looked into. */
struct file {
	u64 dev;
	u64 inode;
	u64 changed_ns;
	int wanted; /* index, -1: nothing in it */
};

/* What the kinds know a file by; NULL: not theirs. */
struct wanted {
	void *bin[MAX_KINDS];
};

/* A process that was looked at. */
struct process {
	pid_t pid;
	u64 start;
	u64 pages; /* size of its memory then */
	u64 seen; /* number of the scan that met it last */
	u64 met[MAX_WANTED / 64]; /* bit per file: what is to be done for this process has been done */
};

struct kind {
	const struct sonde_bins_ops *ops;
	void *ctx;
};

struct sonde_bins {
	struct sonde_bins_opts opts;
	struct kind kind[MAX_KINDS];
	size_t nr_kinds;
	struct file *files;
	size_t nr_files, cap_files;
	struct wanted wanted[MAX_WANTED];
	size_t nr_wanted;
	struct process *procs;
	size_t nr_procs, cap_procs;
	size_t refused; /* processes whose mappings may not be read */
	u64 scan; /* number of the scan under way */
};

struct sonde_bins *sonde_bins_new(const struct sonde_bins_opts *opts)
{
	struct sonde_bins *b = calloc(1, sizeof(*b));

	if (b)
		b->opts = *opts;
	return b;
}

int sonde_bins_add(struct sonde_bins *b, const struct sonde_bins_ops *ops, void *ctx)
{
	if (b->nr_kinds == MAX_KINDS)
		return -ENOSPC;
	b->kind[b->nr_kinds++] = (struct kind){ ops, ctx };
	return 0;
}

/* Look into a file that was not seen before. Returns its index among the wanted ones, -1 if it is none. */
static int examine(struct sonde_bins *b, int fd, const char *path)
{
	struct wanted *w = &b->wanted[b->nr_wanted];
	struct sonde_elf *elf;
	bool any = false;

	if (b->nr_wanted == MAX_WANTED || sonde_elf_open(fd, &elf))
		return -1;
	for (size_t i = 0; i < b->nr_kinds; i++) {
		w->bin[i] = b->kind[i].ops->examine(b->kind[i].ctx, elf, fd, path);
		any |= w->bin[i] != NULL;
	}
	sonde_elf_close(elf);
	if (!any)
		return -1;
	return b->nr_wanted++;
}

static struct file *known_file(struct sonde_bins *b, u64 dev, u64 inode, u64 changed_ns)
{
	for (size_t i = 0; i < b->nr_files; i++)
		if (b->files[i].inode == inode && b->files[i].dev == dev && b->files[i].changed_ns == changed_ns)
			return &b->files[i];
	return NULL;
}

/* Make room for one more element of an array. */
static bool grow(void *array, size_t nr, size_t *cap, size_t size)
{
	void **p = array, *bigger;

	if (nr < *cap)
		return true;
	bigger = reallocarray(*p, *cap ? 2 * *cap : 64, size);
	if (!bigger)
		return false;
	*p = bigger;
	*cap = *cap ? 2 * *cap : 64;
	return true;
}

static u64 change_time(const struct stat *st)
{
	return st->st_ctim.tv_sec * 1000000000ULL + st->st_ctim.tv_nsec;
}

/* Index among the wanted ones of the file behind @fd, examined if it is new. */
static int wanted_of(struct sonde_bins *b, int fd, const struct stat *st, const char *path)
{
	struct file *f = known_file(b, st->st_dev, st->st_ino, change_time(st));

	if (f)
		return f->wanted;
	if (!grow(&b->files, b->nr_files, &b->cap_files, sizeof(*b->files)))
		return -1;
	f = &b->files[b->nr_files++];
	*f = (struct file){ st->st_dev, st->st_ino, change_time(st), -1 };
	f->wanted = examine(b, fd, path);
	return f->wanted;
}

struct walk {
	struct sonde_bins *b;
	struct process *p;
};

static int on_mapping(void *ctx, pid_t pid, const struct sonde_mapping *m)
{
	struct walk *walk = ctx;
	struct sonde_bins *b = walk->b;
	u64 *met = walk->p->met;
	char path[96];
	struct stat st;
	int fd, at;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	if (!stat(path, &st)) {
		struct file *f = known_file(b, st.st_dev, st.st_ino, change_time(&st));

		if (f && f->wanted < 0)
			return 0;
	}
	fd = sonde_maps_open(pid, m);
	if (fd < 0)
		return 0;
	at = fstat(fd, &st) ? -1 : wanted_of(b, fd, &st, m->path);
	close(fd);
	if (at < 0 || met[at / 64] & 1ULL << at % 64)
		return 0;
	met[at / 64] |= 1ULL << at % 64;
	for (size_t i = 0; i < b->nr_kinds; i++)
		if (b->wanted[at].bin[i])
			b->kind[i].ops->meet(b->kind[i].ctx, b->wanted[at].bin[i], pid);
	return 0;
}

/* Pages of a process's memory: changes when it maps a library. */
static u64 memory_pages(pid_t pid)
{
	unsigned long long pages = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages;
}

static int on_process(void *ctx, pid_t pid)
{
	struct sonde_bins *b = ctx;
	struct process *p = NULL;
	u64 pages, start;

	if (pid == getpid())
		return 0;
	pages = memory_pages(pid);
	if (!pages) /* gone, or a kernel thread */
		return 0;
	start = sonde_process_start(pid);
	for (size_t i = 0; i < b->nr_procs && !p; i++)
		if (b->procs[i].pid == pid)
			p = &b->procs[i];
	if (!p) {
		if (!grow(&b->procs, b->nr_procs, &b->cap_procs, sizeof(*b->procs)))
			return 0;
		p = &b->procs[b->nr_procs++];
		*p = (struct process){ .pid = pid };
	}
	if (p->start != start)
		*p = (struct process){ .pid = pid, .start = start };
	p->seen = b->scan;
	if (p->pages != pages) {
		struct walk walk = { b, p };

		p->pages = pages;
		if (sonde_maps_each(pid, on_mapping, &walk) == -EACCES)
			b->refused++;
	}
	return 0;
}

static void sweep(struct sonde_bins *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->nr_procs; i++)
		if (b->procs[i].seen == b->scan)
			b->procs[kept++] = b->procs[i];
	for (size_t i = 0; i < b->nr_kinds; i++)
		if (b->kind[i].ops->swept)
			b->kind[i].ops->swept(b->kind[i].ctx, kept != b->nr_procs);
	b->nr_procs = kept;
}

/* Processes of the filter's map, which the kernel side extends by their children. */
static void scan_filtered(struct sonde_bins *b)
{
	u32 pid, next;
	void *from = NULL;

	while (!bpf_map_get_next_key(b->opts.filter_map, from, &next)) {
		pid = next;
		from = &pid;
		on_process(b, pid);
	}
}

int sonde_bins_scan(struct sonde_bins *b)
{
	int err = 0;

	b->scan++;
	if (b->opts.nr_pids)
		for (size_t i = 0; i < b->opts.nr_pids; i++)
			on_process(b, b->opts.pids[i]);
	else if (b->opts.filter_map >= 0)
		scan_filtered(b);
	else
		err = sonde_processes_each(on_process, b);
	sweep(b);
	return err;
}

size_t sonde_bins_refused(const struct sonde_bins *b)
{
	return b->refused;
}

/* Returns whether there is such a file. */
static bool look_ahead(struct sonde_bins *b, const char *path)
{
	struct stat st;
	bool found;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	found = !fstat(fd, &st) && S_ISREG(st.st_mode);
	if (found)
		wanted_of(b, fd, &st, path);
	close(fd);
	return found;
}

/* As execvp() finds it. */
static void look_ahead_program(struct sonde_bins *b, const char *name)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(name, '/')) {
		look_ahead(b, name);
		return;
	}
	for (size_t len; dir && *dir; dir += len + (dir[len] == ':')) {
		len = strcspn(dir, ":");
		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name);
		if (!access(path, X_OK) && look_ahead(b, path))
			return;
	}
}

void sonde_bins_ahead(struct sonde_bins *b)
{
	glob_t found;

	if (!b->opts.ahead)
		return;
	for (size_t i = 0; i < b->nr_kinds; i++) {
		for (const char *const *place = b->kind[i].ops->places; place && *place; place++) {
			if (glob(*place, 0, NULL, &found))
				continue;
			for (size_t k = 0; k < found.gl_pathc; k++)
				look_ahead(b, found.gl_pathv[k]);
			globfree(&found);
		}
	}
	if (b->opts.program)
		look_ahead_program(b, b->opts.program);
}

void sonde_bins_settle(struct sonde_bins *b)
{
	for (size_t i = 0; i < b->nr_kinds; i++)
		while (b->kind[i].ops->swept && b->kind[i].ops->swept(b->kind[i].ctx, true))
			;
}

void sonde_bins_free(struct sonde_bins *b)
{
	if (!b)
		return;
	free(b->files);
	free(b->procs);
	free(b);
}
