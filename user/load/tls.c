// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls.c - probes the TLS libraries that the traced processes use.
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

#include "load/tls.h"
#include "load/tls_attach.h"
#include "load/tls_bin.h"
#include "sonde/tls_probe.h"

#define MAX_BINARIES 128

struct sonde_tls {
	struct sonde_bpf *skel;
	struct sonde_tls_opts opts;
	struct tls_binary *bins[MAX_BINARIES];
	size_t nr_bins;
	u64 abandoned;
	bool unswept; /* objects of dead processes are left */
};

/* Take a binary over: attach it, or remember why not. */
static void *keep(struct sonde_tls *t, struct tls_binary *b, int fd, const char *path)
{
	b->pub.path = strdup(path);
	b->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (!b->pub.path || b->fd < 0) {
		if (b->fd >= 0)
			close(b->fd);
		free(b->pub.path);
		free(b);
		return NULL;
	}
	b->number = t->nr_bins + 1;
	if (!b->pub.err && !t->opts.nr_pids) {
		b->pub.err = tls_binary_attach(t->skel, b, 0);
		if (b->pub.err)
			snprintf(b->pub.reason, sizeof(b->pub.reason), "cannot be probed: %s", strerror(-b->pub.err));
	}
	t->bins[t->nr_bins++] = b;
	return b;
}

static void *examine(void *ctx, struct sonde_elf *elf, int fd, const char *path,
		     int (*look)(struct sonde_elf *elf, struct sonde_tls_bin *bin))
{
	struct sonde_tls *t = ctx;
	struct tls_binary *b;

	if (t->nr_bins == MAX_BINARIES)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->fd = -1;
	if (look(elf, &b->pub) <= 0) {
		free(b);
		return NULL;
	}
	return keep(t, b, fd, path);
}

static void *examine_openssl(void *ctx, struct sonde_elf *elf, int fd, const char *path)
{
	return examine(ctx, elf, fd, path, tls_bin_openssl);
}

static void *examine_gnutls(void *ctx, struct sonde_elf *elf, int fd, const char *path)
{
	return examine(ctx, elf, fd, path, tls_bin_gnutls);
}

static void *examine_go(void *ctx, struct sonde_elf *elf, int fd, const char *path)
{
	struct sonde_tls *t = ctx;
	struct tls_binary *b;

	if (t->nr_bins == MAX_BINARIES)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->fd = -1;
	if (tls_bin_go(elf, fd, &b->pub) <= 0) {
		free(b);
		return NULL;
	}
	sonde_elf_build_id(elf, b->pub.build_id);
	return keep(t, b, fd, path);
}

static void meet(void *ctx, void *bin, pid_t pid)
{
	struct sonde_tls *t = ctx;
	struct tls_binary *b = bin;
	int err;

	if (b->pub.err || !t->opts.nr_pids)
		return;
	err = tls_binary_attach(t->skel, b, pid);
	if (err && err != -ESRCH)
		snprintf(b->pub.reason, sizeof(b->pub.reason), "process %d: %s", pid, strerror(-err));
}

static void meet_go(void *ctx, void *bin, pid_t pid)
{
	struct sonde_tls *t = ctx;
	struct tls_binary *b = bin;

	meet(ctx, bin, pid);
	if (!b->pub.err)
		tls_binary_runs(t->skel, b, pid);
}

/* Objects of processes that are gone. */
static bool swept(void *ctx, bool gone)
{
	struct sonde_tls *t = ctx;
	int map = bpf_map__fd(t->skel->maps.tls_conns);
	u32 size = bpf_map__value_size(t->skel->maps.tls_conns);
	struct sonde_tls_key key, next, dead[256];
	struct sonde_tls_head *head;
	void *from = NULL;
	size_t nr = 0;

	if (!gone && !t->unswept)
		return false;
	head = malloc(size);
	if (!head)
		return false;
	/* Deleted behind the walk: it goes on from a key that must be there. What does not fit waits for the next time. */
	while (nr < sizeof(dead) / sizeof(*dead) && !bpf_map_get_next_key(map, from, &next)) {
		key = next;
		from = &key;
		if (kill(key.tgid, 0) && errno == ESRCH)
			dead[nr++] = key;
	}
	for (size_t i = 0; i < nr; i++) {
		if (!bpf_map_lookup_elem(map, &dead[i], head))
			t->abandoned += head->outstanding;
		bpf_map_delete_elem(map, &dead[i]);
	}
	t->unswept = nr == sizeof(dead) / sizeof(*dead);
	free(head);
	return t->unswept;
}

/* And node, which has OpenSSL inside. */
static const char *const openssl_places[] = {
	"/lib/libssl.so.*",
	"/lib/*/libssl.so.*",
	"/lib64/libssl.so.*",
	"/usr/lib/libssl.so.*",
	"/usr/lib/*/libssl.so.*",
	"/usr/lib64/libssl.so.*",
	"/usr/local/lib*/libssl.so.*",
	"/usr/bin/node",
	"/usr/local/bin/node",
	NULL,
};

static const char *const gnutls_places[] = {
	"/lib/libgnutls.so.*",
	"/lib/*/libgnutls.so.*",
	"/lib64/libgnutls.so.*",
	"/usr/lib/libgnutls.so.*",
	"/usr/lib/*/libgnutls.so.*",
	"/usr/lib64/libgnutls.so.*",
	"/usr/local/lib*/libgnutls.so.*",
	NULL,
};

static const struct sonde_bins_ops openssl_ops = {
	.places = openssl_places, .examine = examine_openssl, .meet = meet, .swept = swept
};

static const struct sonde_bins_ops gnutls_ops = { .places = gnutls_places, .examine = examine_gnutls, .meet = meet };

static const struct sonde_bins_ops go_ops = { .examine = examine_go, .meet = meet_go };

int sonde_tls_attach(struct sonde_tls **tls, struct sonde_bpf *skel, const struct sonde_tls_opts *opts,
		     struct sonde_bins *bins)
{
	struct sonde_tls *t;
	int err;

	if (skel->rodata->tls_guard == SONDE_TLS_OFF)
		return -EOPNOTSUPP;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->skel = skel;
	t->opts = *opts;
	err = sonde_bins_add(bins, &openssl_ops, t);
	if (!err)
		err = sonde_bins_add(bins, &gnutls_ops, t);
	if (!err)
		err = sonde_bins_add(bins, &go_ops, t);
	if (err) {
		free(t);
		return err;
	}
	*tls = t;
	return 0;
}

u64 sonde_tls_abandoned(const struct sonde_tls *t)
{
	return t->abandoned;
}

const struct sonde_tls_bin *sonde_tls_bin(const struct sonde_tls *t, size_t i)
{
	return i < t->nr_bins ? &t->bins[i]->pub : NULL;
}

void sonde_tls_free(struct sonde_tls *t)
{
	struct sonde_uprobe *probes = NULL;

	if (!t)
		return;
	for (size_t i = 0; i < t->nr_bins; i++)
		sonde_uprobe_move(&probes, &t->bins[i]->probes);
	sonde_uprobe_free(probes);
	for (size_t i = 0; i < t->nr_bins; i++) {
		close(t->bins[i]->fd);
		free(t->bins[i]->pub.path);
		free(t->bins[i]);
	}
	free(t);
}
