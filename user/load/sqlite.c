// SPDX-License-Identifier: GPL-2.0-only
/*
 * sqlite.c - probes the SQLite libraries that the traced processes use.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sonde/config.h"
#include "sonde.skel.h"

#include "load/sqlite_attach.h"
#include "load/sqlite_file.h"
#include "sonde/key.h"
#include "sonde/sqlite.h"

#define MAX_BINARIES 64

struct sonde_sqlite {
	struct sonde_bpf *skel;
	struct sonde_sqlite_opts opts;
	struct sqlite_binary *bins[MAX_BINARIES];
	size_t nr_bins;
	u64 abandoned;
	bool unswept; /* statements of dead processes are left */
};

/* Look into a file that was not seen before. */
static void *examine(void *ctx, struct sonde_elf *elf, int fd, const char *path)
{
	struct sonde_sqlite *s = ctx;
	struct sqlite_binary *b;
	u64 common;
	int ret;

	if (s->nr_bins == MAX_BINARIES)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	ret = sqlite_bin_examine(elf, s->opts.binds, &b->pub, &b->plan);
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
	s->bins[s->nr_bins++] = b;
	common = b->plan.cookie;
	for (size_t i = 0; i < s->nr_bins; i++)
		if (s->bins[i]->plan.cookie != common)
			common = 0;
	s->skel->bss->sq_default_cookie = common;
	return b;
free:
	free(b->pub.path);
	free(b);
	return NULL;
}

static void meet(void *ctx, void *bin, pid_t pid)
{
	struct sonde_sqlite *s = ctx;
	struct sqlite_binary *b = bin;

	if (b->pub.err)
		return;
	if (s->opts.nr_pids) {
		int err = sqlite_binary_attach(s->skel, b, pid);

		if (err && err != -ESRCH)
			snprintf(b->pub.reason, sizeof(b->pub.reason), "process %d: %s", pid, strerror(-err));
	}
	if (!sonde_uprobe_caps()->cookies)
		bpf_map_update_elem(bpf_map__fd(s->skel->maps.sq_tgids), &pid, &b->plan.cookie, BPF_ANY);
	sqlite_file_preset(pid, bpf_map__fd(s->skel->maps.peers), bpf_map__fd(s->skel->maps.sq_dbs));
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

static bool swept(void *ctx, bool gone)
{
	struct sonde_sqlite *s = ctx;

	if (gone || s->unswept)
		sweep_statements(s);
	return s->unswept;
}

static const char *const places[] = {
	"/lib/libsqlite3.so*",		 "/lib/*/libsqlite3.so*",	    "/lib64/libsqlite3.so*",
	"/usr/lib/libsqlite3.so*",	 "/usr/lib/*/libsqlite3.so*",	    "/usr/lib64/libsqlite3.so*",
	"/usr/local/lib/libsqlite3.so*", "/usr/local/lib/*/libsqlite3.so*", NULL,
};

static const struct sonde_bins_ops ops = { .places = places, .examine = examine, .meet = meet, .swept = swept };

int sonde_sqlite_attach(struct sonde_sqlite **sqlite, struct sonde_bpf *skel, const struct sonde_sqlite_opts *opts,
			struct sonde_bins *bins)
{
	struct sonde_sqlite *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->skel = skel;
	s->opts = *opts;
	err = sonde_bins_add(bins, &ops, s);
	if (err) {
		free(s);
		return err;
	}
	sqlite_calibrate(skel);
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
	struct sonde_uprobe *probes = NULL;

	if (!s)
		return;
	for (size_t i = 0; i < s->nr_bins; i++)
		sonde_uprobe_move(&probes, &s->bins[i]->probes);
	sonde_uprobe_free(probes);
	for (size_t i = 0; i < s->nr_bins; i++) {
		close(s->bins[i]->fd);
		free(s->bins[i]->pub.path);
		free(s->bins[i]);
	}
	free(s);
}
