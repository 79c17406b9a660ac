// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.c - collects connections.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "collect/counters.h"
#include "collect/hosts.h"
#include "collect/map_each.h"
#include "collect/net.h"
#include "model/snapshot.h"
#include "model/strings.h"

/* One reading. */
struct reading {
	const struct sonde_net_maps *maps;
	struct sonde_strings *strings;
	struct sonde_net *net;
};

static void forget_rows(void *ctx)
{
	struct sonde_net *net = ((struct reading *)ctx)->net;

	while (net->nr)
		free(net->row[--net->nr]);
}

/* What the row's process calls the remote end. */
static const char *name_of(const struct reading *reading, const struct sonde_net_row *row)
{
	const u8 *addr = row->key.role == SONDE_ROLE_CLIENT ? row->peer.addr : row->peer.other;
	const char *name = "";

	if (row->key.role != SONDE_NET_LISTENER && reading->maps->hosts)
		name = sonde_host_name(reading->maps->hosts, &row->key.proc, row->peer.family, addr);
	return sonde_strings_add(reading->strings, name, strlen(name));
}

static int take_row(void *ctx, const void *key, const void *value)
{
	struct reading *reading = ctx;
	char comm[SONDE_COMM_BYTES + 1] = "";
	struct sonde_proc_info info;
	struct sonde_net_stat stat;
	struct sonde_net_row *row;

	memcpy(&stat, value, sizeof(stat));
	if (!stat.attempts && !stat.opens && !stat.existed && !stat.accepts)
		return 0; /* just made */
	row = sonde_net_row(reading->net);
	if (!row)
		return -ENOMEM;
	memcpy(&row->key, key, sizeof(row->key));
	row->stat = stat;
	if (bpf_map_lookup_elem(reading->maps->peers, &row->key.peer, &row->peer))
		memset(&row->peer, 0, sizeof(row->peer));
	row->peer.path[sizeof(row->peer.path) - 1] = '\0';
	if (!bpf_map_lookup_elem(reading->maps->procs, &row->key.proc, &info))
		memcpy(comm, info.comm, sizeof(info.comm));
	row->process = sonde_strings_add(reading->strings, comm, strlen(comm));
	row->name = name_of(reading, row);
	return row->process && row->name ? 0 : -ENOMEM;
}

static int note(void *ctx, const void *key, const void *value)
{
	struct sonde_proc proc;

	(void)value;
	memcpy(&proc, key, sizeof(proc));
	sonde_host_names_note(ctx, &proc);
	return 0;
}

int sonde_net_note(int procs, struct sonde_host_names *hosts)
{
	return sonde_map_each(procs, sizeof(struct sonde_proc), sizeof(struct sonde_proc_info), hosts, NULL, note);
}

static int take_fail(void *ctx, const void *key, const void *value)
{
	struct reading *reading = ctx;
	struct sonde_net_fail fail;
	struct sonde_net_row *row;
	u64 count;

	memcpy(&fail, key, sizeof(fail));
	memcpy(&count, value, sizeof(count));
	row = sonde_net_find(reading->net, &fail.row);
	if (row)
		sonde_net_fail(row, fail.error, count);
	return 0;
}

/* What the iterator returns are whole structures, but a read need not end with one. */
static int read_open(struct reading *reading, int iter)
{
	struct sonde_net_conn conns[16];
	struct sonde_net_row *row;
	size_t have = 0, nr;
	ssize_t got;

	while ((got = read(iter, (char *)conns + have, sizeof(conns) - have)) != 0) {
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		have += (size_t)got;
		nr = have / sizeof(conns[0]);
		for (size_t i = 0; i < nr; i++) {
			row = sonde_net_find(reading->net, &conns[i].key);
			if (row)
				sonde_net_live(row, &conns[i]);
		}
		have -= nr * sizeof(conns[0]);
		memmove(conns, conns + nr, have);
	}
	return 0;
}

static u64 clock_ns(clockid_t clock, bool resolution)
{
	struct timespec ts = {};

	if (resolution)
		clock_getres(clock, &ts);
	else
		clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static void count_all(const struct reading *reading, u64 counter[SONDE_CNT_MAX])
{
	u64 events = 0, lost = counter[SONDE_CNT_LOST_NET_ROWS] + counter[SONDE_CNT_LOST_NET_MEMORY];

	for (size_t i = 0; i < reading->net->nr; i++) {
		const struct sonde_net_stat *stat = &reading->net->row[i]->stat;

		events += stat->attempts + stat->accepts + stat->sends + stat->receives;
	}
	counter[SONDE_CNT_EVENTS_MISSED] = reading->maps->missed;
	counter[SONDE_CNT_ATTRIBUTED] = counter[SONDE_CNT_TIMED] = events;
	counter[SONDE_CNT_SEEN] = events + lost;
}

static int read_all(struct reading *reading, struct sonde_snapshot *snapshot)
{
	const struct sonde_net_maps *maps = reading->maps;
	u32 zero = 0;
	u64 now;
	int err;

	err = sonde_map_each(maps->rows, sizeof(struct sonde_net_key), sizeof(struct sonde_net_stat), reading,
			     forget_rows, take_row);
	if (!err)
		err = sonde_map_each(maps->fails, sizeof(struct sonde_net_fail), sizeof(u64), reading, NULL, take_fail);
	if (!err && maps->iter >= 0)
		err = read_open(reading, maps->iter);
	if (!err && bpf_map_lookup_elem(maps->totals, &zero, &reading->net->totals))
		err = -errno;
	if (!err)
		err = sonde_counters_read(maps->counters, -1, snapshot->counter);
	if (err)
		return err;
	now = clock_ns(CLOCK_MONOTONIC, false);
	for (size_t i = 0; i < reading->net->nr; i++)
		sonde_net_settle(reading->net->row[i], now);
	/* The coarse clocks move with the kernel's tick. */
	reading->net->jiffy_ns = clock_ns(CLOCK_MONOTONIC_COARSE, true);
	count_all(reading, snapshot->counter);
	sonde_net_sort(reading->net);
	return 0;
}

struct sonde_snapshot *sonde_net_read(const struct sonde_net_maps *maps, enum sonde_net_by by, int *err)
{
	struct reading reading = { .maps = maps, .strings = sonde_strings_new() };
	struct sonde_snapshot *snapshot = reading.strings ? sonde_snapshot_new(reading.strings) : NULL;

	*err = -ENOMEM;
	if (snapshot)
		snapshot->net = reading.net = sonde_net_new();
	sonde_strings_put(reading.strings); /* the snapshot has a reference */
	if (reading.net) {
		snapshot->view = SONDE_VIEW_NET;
		reading.net->by = by;
		reading.net->has = maps->has;
		*err = read_all(&reading, snapshot);
	}
	if (maps->iter >= 0)
		close(maps->iter);
	if (!*err)
		return snapshot;
	sonde_snapshot_free(snapshot);
	return NULL;
}
