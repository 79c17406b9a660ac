// SPDX-License-Identifier: GPL-2.0-only
/*
 * io.c - collects file and device input and output.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "collect/counters.h"
#include "collect/io.h"
#include "collect/map_each.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "model/strings.h"

/* One reading. */
struct reading {
	const struct sonde_io_maps *maps;
	struct sonde_strings *strings;
	struct sonde_io *io;
};

/* The name of a block device, "major:minor" for what is none. */
static const char *device_name(struct reading *reading, u32 dev)
{
	char path[64], target[256], number[32];
	const char *name = number;
	ssize_t len;

	snprintf(number, sizeof(number), "%u:%u", dev >> 20, dev & 0xfffff);
	snprintf(path, sizeof(path), "/sys/dev/block/%s", number);
	len = readlink(path, target, sizeof(target) - 1);
	if (len > 0) {
		target[len] = '\0';
		name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	}
	return sonde_strings_add(reading->strings, name, strlen(name));
}

static void forget_rows(void *ctx)
{
	struct reading *reading = ctx;

	while (reading->io->nr)
		free(reading->io->row[--reading->io->nr]);
}

static void forget_disks(void *ctx)
{
	((struct reading *)ctx)->io->nr_disks = 0;
}

static int take_row(void *ctx, const void *key, const void *value)
{
	const struct sonde_io_stat *stat = value;
	struct reading *reading = ctx;
	char comm[SONDE_COMM_BYTES + 1] = "";
	struct sonde_proc_info info;
	struct sonde_io_row *row;

	if (!stat->count)
		return 0; /* just made */
	row = sonde_io_row(reading->io);
	if (!row)
		return -ENOMEM;
	memcpy(&row->key, key, sizeof(row->key));
	row->stat = *stat;
	sonde_hist_tidy(&row->stat.hist);
	if (bpf_map_lookup_elem(reading->maps->files, &row->key.file, &row->path))
		memset(&row->path, 0, sizeof(row->path));
	row->path.path[sizeof(row->path.path) - 1] = '\0';
	if (!bpf_map_lookup_elem(reading->maps->procs, &row->key.proc, &info))
		memcpy(comm, info.comm, sizeof(info.comm));
	row->process = sonde_strings_add(reading->strings, comm, strlen(comm));
	row->device = device_name(reading, row->key.file.dev);
	return row->process && row->device ? 0 : -ENOMEM;
}

static int take_disk(void *ctx, const void *key, const void *value)
{
	struct reading *reading = ctx;
	struct sonde_io_disk_key id;
	struct sonde_io_disk *disk;

	memcpy(&id, key, sizeof(id));
	disk = sonde_io_disk(reading->io);
	if (!disk)
		return -ENOMEM;
	memcpy(&disk->stat, value, sizeof(disk->stat));
	sonde_hist_tidy(&disk->stat.hist);
	disk->op = id.op;
	disk->name = device_name(reading, id.dev);
	return disk->name ? 0 : -ENOMEM;
}

static int read_all(struct reading *reading, struct sonde_snapshot *snapshot)
{
	const struct sonde_io_maps *maps = reading->maps;
	u64 calls = 0, lost;
	int err;

	err = sonde_map_each(maps->rows, sizeof(struct sonde_io_key), sizeof(struct sonde_io_stat), reading,
			     forget_rows, take_row);
	if (!err)
		err = sonde_map_each(maps->disks, sizeof(struct sonde_io_disk_key), sizeof(struct sonde_io_disk_stat),
				     reading, forget_disks, take_disk);
	if (!err)
		err = sonde_counters_read(maps->counters, -1, snapshot->counter);
	for (size_t i = 0; i < reading->io->nr; i++)
		calls += reading->io->row[i]->stat.count;
	snapshot->counter[SONDE_CNT_EVENTS_MISSED] = maps->missed;
	snapshot->counter[SONDE_CNT_SLOW_DROPPED] += maps->dropped;
	lost = snapshot->counter[SONDE_CNT_LOST_IO_ROWS];
	snapshot->counter[SONDE_CNT_ATTRIBUTED] = calls;
	snapshot->counter[SONDE_CNT_TIMED] = calls + lost;
	snapshot->counter[SONDE_CNT_SEEN] = calls + lost + snapshot->counter[SONDE_CNT_LOST_SYSCALL_MEMORY];
	sonde_io_sort(reading->io);
	return err;
}

struct sonde_snapshot *sonde_io_read(const struct sonde_io_maps *maps, enum sonde_io_by by, u64 min_ns, u64 told,
				     int *err)
{
	struct reading reading = { .maps = maps, .strings = sonde_strings_new() };
	struct sonde_snapshot *snapshot = reading.strings ? sonde_snapshot_new(reading.strings) : NULL;

	*err = -ENOMEM;
	if (snapshot)
		snapshot->io = reading.io = sonde_io_new();
	sonde_strings_put(reading.strings); /* the snapshot has a reference */
	if (reading.io) {
		snapshot->view = SONDE_VIEW_IO;
		reading.io->by = by;
		reading.io->min_ns = min_ns;
		reading.io->told = told;
		*err = read_all(&reading, snapshot);
	}
	if (!*err)
		return snapshot;
	sonde_snapshot_free(snapshot);
	return NULL;
}
