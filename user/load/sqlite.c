// SPDX-License-Identifier: GPL-2.0-only
/*
 * sqlite.c - finds the SQLite libraries that the traced processes use, and probes them.
 *
 * A file is looked into once, known again by device, inode and time of change. What is probed stays open, so that its
 * inode number is not given to another file meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sonde/config.h"
#include "sonde.skel.h"

#include "load/maps.h"
#include "load/sqlite_attach.h"
#include "load/sqlite_file.h"
#include "sonde/key.h"
#include "sonde/sqlite.h"

/* A file that was looked into. */
struct file {
	u64 dev;
	u64 inode;
	u64 changed_ns;
	int bin; /* -1: no SQLite in it */
};

/* A process that was looked at. */
struct process {
	pid_t pid;
	u64 start;
	u64 pages; /* size of its memory then */
	u64 seen; /* number of the scan that met it last */
	u64 probed; /* bit per binary: what is to be done for this process has been done */
};

#define MAX_BINARIES 64

struct sonde_sqlite {
	struct sonde_bpf *skel;
	struct sonde_sqlite_opts opts;
	struct file *files;
	size_t nr_files, cap_files;
	struct sqlite_binary *bins[MAX_BINARIES];
	size_t nr_bins;
	struct process *procs;
	size_t nr_procs, cap_procs;
	u64 scan; /* number of the scan under way */
	int fresh; /* binaries newly probed in it */
	u64 abandoned;
	bool unswept; /* statements of dead processes are left */
};

/* Look into a file that was not seen before. Returns its number among the binaries, -1 if it is none of interest. */
static int examine(struct sonde_sqlite *s, int fd, const char *path)
{
	struct sqlite_binary *b;
	u64 common;
	int ret;

	if (s->nr_bins == MAX_BINARIES)
		return -1;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -1;
	ret = sqlite_bin_examine(fd, s->opts.binds, &b->pub, &b->plan);
	if (ret <= 0)
		goto free;
	b->pub.path = strdup(path);
	b->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (!b->pub.path || b->fd < 0)
		goto free;
	if (!b->plan.nr[HOOK_STEP])
		b->pub.err = b->pub.site[0].err;
	else if (!s->opts.nr_pids)
		b->pub.err = sqlite_binary_attach(s->skel, b, 0);
	if (b->pub.err)
		snprintf(b->pub.reason, sizeof(b->pub.reason), "sqlite3_step cannot be probed: %s",
			 strerror(-b->pub.err));
	else
		s->fresh++;
	s->bins[s->nr_bins++] = b;
	common = b->plan.cookie;
	for (size_t i = 0; i < s->nr_bins; i++)
		if (s->bins[i]->plan.cookie != common)
			common = 0;
	s->skel->bss->sq_default_cookie = common;
	return s->nr_bins - 1;
free:
	free(b->pub.path);
	free(b);
	return -1;
}

static struct file *known_file(struct sonde_sqlite *s, u64 dev, u64 inode, u64 changed_ns)
{
	for (size_t i = 0; i < s->nr_files; i++)
		if (s->files[i].inode == inode && s->files[i].dev == dev && s->files[i].changed_ns == changed_ns)
			return &s->files[i];
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

/* Number among the binaries of the file behind @fd, examined if it is new. */
static int binary_of(struct sonde_sqlite *s, int fd, const struct stat *st, const char *path)
{
	struct file *f = known_file(s, st->st_dev, st->st_ino, change_time(st));

	if (f)
		return f->bin;
	if (!grow(&s->files, s->nr_files, &s->cap_files, sizeof(*s->files)))
		return -1;
	f = &s->files[s->nr_files++];
	*f = (struct file){ st->st_dev, st->st_ino, change_time(st), -1 };
	f->bin = examine(s, fd, path);
	return f->bin;
}

struct walk {
	struct sonde_sqlite *s;
	struct process *p;
};

static int on_mapping(void *ctx, pid_t pid, const struct sonde_mapping *m)
{
	struct walk *w = ctx;
	struct sonde_sqlite *s = w->s;
	char path[96];
	struct stat st;
	int fd, bin;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	if (!stat(path, &st)) {
		struct file *f = known_file(s, st.st_dev, st.st_ino, change_time(&st));

		if (f && f->bin < 0)
			return 0;
	}
	fd = sonde_maps_open(pid, m);
	if (fd < 0)
		return 0;
	bin = fstat(fd, &st) ? -1 : binary_of(s, fd, &st, m->path);
	close(fd);
	if (bin < 0 || s->bins[bin]->pub.err || w->p->probed & 1ULL << bin)
		return 0;
	w->p->probed |= 1ULL << bin;
	if (s->opts.nr_pids) {
		int err = sqlite_binary_attach(s->skel, s->bins[bin], pid);

		if (err && err != -ESRCH)
			snprintf(s->bins[bin]->pub.reason, sizeof(s->bins[bin]->pub.reason), "process %d: %s", pid,
				 strerror(-err));
	}
	if (!sonde_uprobe_caps()->cookies)
		bpf_map_update_elem(bpf_map__fd(s->skel->maps.sq_tgids), &pid, &s->bins[bin]->plan.cookie, BPF_ANY);
	sqlite_file_preset(pid, bpf_map__fd(s->skel->maps.peers), bpf_map__fd(s->skel->maps.sq_dbs));
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
	struct sonde_sqlite *s = ctx;
	struct process *p = NULL;
	u64 pages, start;

	if (pid == getpid())
		return 0;
	pages = memory_pages(pid);
	if (!pages) /* gone, or a kernel thread */
		return 0;
	start = sonde_process_start(pid);
	for (size_t i = 0; i < s->nr_procs && !p; i++)
		if (s->procs[i].pid == pid)
			p = &s->procs[i];
	if (!p) {
		if (!grow(&s->procs, s->nr_procs, &s->cap_procs, sizeof(*s->procs)))
			return 0;
		p = &s->procs[s->nr_procs++];
		*p = (struct process){ .pid = pid };
	}
	if (p->start != start)
		*p = (struct process){ .pid = pid, .start = start };
	p->seen = s->scan;
	if (p->pages != pages) {
		struct walk walk = { s, p };

		p->pages = pages;
		sonde_maps_each(pid, on_mapping, &walk);
	}
	return 0;
}

/* Statements of processes that are gone. */
static void sweep_statements(struct sonde_sqlite *s)
{
	int map = bpf_map__fd(s->skel->maps.sq_stmts);
	struct sonde_sqlite_key key, next, dead[256];
	struct sonde_sqlite_stmt stmt;
	void *from = NULL;
	size_t nr = 0;

	/* Deleted behind the walk: it goes on from a key that must be there. What does not fit waits for the next time. */
	while (nr < sizeof(dead) / sizeof(*dead) && !bpf_map_get_next_key(map, from, &next)) {
		key = next;
		from = &key;
		if (kill(key.tgid, 0) && errno == ESRCH)
			dead[nr++] = key;
	}
	for (size_t i = 0; i < nr; i++) {
		if (!bpf_map_lookup_elem(map, &dead[i], &stmt) && stmt.state & SONDE_SQLITE_RUNNING)
			s->abandoned++;
		bpf_map_delete_elem(map, &dead[i]);
	}
	s->unswept = nr == sizeof(dead) / sizeof(*dead);
}

static void sweep(struct sonde_sqlite *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nr_procs; i++)
		if (s->procs[i].seen == s->scan)
			s->procs[kept++] = s->procs[i];
	if (kept != s->nr_procs || s->unswept)
		sweep_statements(s);
	s->nr_procs = kept;
}

/* Processes of the filter's map, which the kernel side extends by their children. */
static void scan_filtered(struct sonde_sqlite *s)
{
	int map = bpf_map__fd(s->skel->maps.pids);
	u32 pid, next;
	void *from = NULL;

	while (!bpf_map_get_next_key(map, from, &next)) {
		pid = next;
		from = &pid;
		on_process(s, pid);
	}
}

int sonde_sqlite_rescan(struct sonde_sqlite *s)
{
	int err = 0;

	s->scan++;
	s->fresh = 0;
	if (s->opts.nr_pids)
		for (size_t i = 0; i < s->opts.nr_pids; i++)
			on_process(s, s->opts.pids[i]);
	else if (s->opts.only_filtered)
		scan_filtered(s);
	else
		err = sonde_processes_each(on_process, s);
	sweep(s);
	return err ?: s->fresh;
}

/* Returns whether there is such a file. */
static bool look_ahead(struct sonde_sqlite *s, const char *path)
{
	struct stat st;
	bool found;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	found = !fstat(fd, &st) && S_ISREG(st.st_mode);
	if (found)
		binary_of(s, fd, &st, path);
	close(fd);
	return found;
}

/* As execvp() finds it. */
static void look_ahead_program(struct sonde_sqlite *s, const char *name)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(name, '/')) {
		look_ahead(s, name);
		return;
	}
	for (size_t len; dir && *dir; dir += len + (dir[len] == ':')) {
		len = strcspn(dir, ":");
		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name);
		if (!access(path, X_OK) && look_ahead(s, path))
			return;
	}
}

/* Where the dynamic loader would find SQLite. */
static void look_ahead_all(struct sonde_sqlite *s)
{
	static const char *const places[] = {
		"/lib/libsqlite3.so*",		 "/lib/*/libsqlite3.so*",	    "/lib64/libsqlite3.so*",
		"/usr/lib/libsqlite3.so*",	 "/usr/lib/*/libsqlite3.so*",	    "/usr/lib64/libsqlite3.so*",
		"/usr/local/lib/libsqlite3.so*", "/usr/local/lib/*/libsqlite3.so*",
	};
	glob_t found;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (glob(places[i], 0, NULL, &found))
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			look_ahead(s, found.gl_pathv[k]);
		globfree(&found);
	}
	if (s->opts.program)
		look_ahead_program(s, s->opts.program);
}

int sonde_sqlite_attach(struct sonde_sqlite **sqlite, struct sonde_bpf *skel, const struct sonde_sqlite_opts *opts)
{
	struct sonde_sqlite *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->skel = skel;
	s->opts = *opts;
	sqlite_calibrate(skel);
	/* Processes to come are not known by number: the programs filter. */
	if (opts->ahead || !sonde_uprobe_caps()->process)
		s->opts.nr_pids = 0;
	if (opts->ahead)
		look_ahead_all(s);
	err = sonde_sqlite_rescan(s);
	if (err < 0) {
		sonde_sqlite_free(s);
		return err;
	}
	*sqlite = s;
	return 0;
}

u64 sonde_sqlite_abandoned(const struct sonde_sqlite *s)
{
	return s->abandoned;
}

const struct sonde_sqlite_bin *sonde_sqlite_bin(const struct sonde_sqlite *s, size_t i)
{
	return i < s->nr_bins ? &s->bins[i]->pub : NULL;
}

void sonde_sqlite_free(struct sonde_sqlite *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nr_bins; i++) {
		sonde_uprobe_free(s->bins[i]->probes);
		close(s->bins[i]->fd);
		free(s->bins[i]->pub.path);
		free(s->bins[i]);
	}
	free(s->files);
	free(s->procs);
	free(s);
}
