// SPDX-License-Identifier: GPL-2.0-only
/*
 * settle.c - counts what is outstanding on what still lives: sockets by an iterator, the rest in its maps.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "load/settle.h"
#include "sonde/config.h"
#include "sonde/sqlite.h"
#include "sonde/tls_probe.h"
#include "sonde.skel.h"

int sonde_settle_prepare(struct sonde_bpf *skel)
{
	struct bpf_link *link;
	int fd;

	if (!bpf_program__autoload(skel->progs.count_open))
		return -EOPNOTSUPP;
	link = bpf_program__attach_iter(skel->progs.count_open, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	bpf_link__destroy(link); /* the iterator holds the program */
	return fd;
}

/* Runs the iterator over all open files of all processes. */
static bool walk_sockets(struct sonde_bpf *skel, int iter)
{
	char buf[64];
	ssize_t n;

	skel->bss->nr_open = 0;
	do {
		n = read(iter, buf, sizeof(buf));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return !n && skel->bss->self_met;
}

static u64 open_under_tls(struct sonde_bpf *skel)
{
	struct sonde_tls_head *head = malloc(bpf_map__value_size(skel->maps.tls_conns));
	int map = bpf_map__fd(skel->maps.tls_conns);
	struct sonde_tls_key key;
	void *from = NULL;
	u64 open = 0;

	while (head && !bpf_map_get_next_key(map, from, &key)) {
		from = &key;
		if (!bpf_map_lookup_elem(map, &key, head))
			open += head->outstanding;
	}
	free(head);
	return open;
}

static u64 open_in_sqlite(struct sonde_bpf *skel)
{
	int map = bpf_map__fd(skel->maps.sq_stmts);
	struct sonde_sqlite_stmt stmt;
	struct sonde_sqlite_key key;
	void *from = NULL;
	u64 open = 0;

	while (!bpf_map_get_next_key(map, from, &key)) {
		from = &key;
		if (!bpf_map_lookup_elem(map, &key, &stmt) && stmt.state & SONDE_SQLITE_RUNNING)
			open++;
	}
	return open;
}

bool sonde_settle_open(struct sonde_bpf *skel, int iter, u64 *open)
{
	if (iter < 0 || !walk_sockets(skel, iter))
		return false;
	*open = skel->bss->nr_open + open_under_tls(skel) + open_in_sqlite(skel);
	return true;
}
