// SPDX-License-Identifier: GPL-2.0-only
/*
 * io.c - reads, writes and syncs of files, and requests to devices, as a report shows them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "model/hist.h"
#include "model/io.h"

static const char *const ops[SONDE_IO_OPS] = { "", "read", "write", "sync", "discard" };

static const struct {
	const char *call;
	u32 op;
} calls[] = {
	{ "read", SONDE_IO_READ },	{ "pread64", SONDE_IO_READ },	      { "readv", SONDE_IO_READ },
	{ "preadv", SONDE_IO_READ },	{ "preadv2", SONDE_IO_READ },	      { "write", SONDE_IO_WRITE },
	{ "pwrite64", SONDE_IO_WRITE }, { "writev", SONDE_IO_WRITE },	      { "pwritev", SONDE_IO_WRITE },
	{ "pwritev2", SONDE_IO_WRITE }, { "fsync", SONDE_IO_SYNC },	      { "fdatasync", SONDE_IO_SYNC },
	{ "syncfs", SONDE_IO_SYNC },	{ "sync_file_range", SONDE_IO_SYNC },
};

const char *sonde_io_op_name(u32 op)
{
	return op < SONDE_IO_OPS ? ops[op] : "";
}

u32 sonde_io_op_of(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].call, name))
			return calls[i].op;
	return SONDE_IO_NONE;
}

struct sonde_io *sonde_io_new(void)
{
	return calloc(1, sizeof(struct sonde_io));
}

void sonde_io_free(struct sonde_io *io)
{
	if (!io)
		return;
	for (size_t i = 0; i < io->nr; i++)
		free(io->row[i]);
	free(io->row);
	free(io->disk);
	free(io);
}

struct sonde_io_row *sonde_io_row(struct sonde_io *io)
{
	size_t room = io->room ? io->room * 2 : 64;
	struct sonde_io_row *row, **more;

	if (io->nr == io->room) {
		more = realloc(io->row, room * sizeof(*more));
		if (!more)
			return NULL;
		io->row = more;
		io->room = room;
	}
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->process = row->device = "";
	row->nr_procs = row->nr_files = 1;
	io->row[io->nr++] = row;
	return row;
}

struct sonde_io_disk *sonde_io_disk(struct sonde_io *io)
{
	struct sonde_io_disk *more = realloc(io->disk, (io->nr_disks + 1) * sizeof(*more));

	if (!more)
		return NULL;
	io->disk = more;
	more[io->nr_disks] = (struct sonde_io_disk){ .name = "" };
	return &more[io->nr_disks++];
}

static int by_time(const void *pa, const void *pb)
{
	const struct sonde_io_row *a = *(struct sonde_io_row *const *)pa, *b = *(struct sonde_io_row *const *)pb;
	int order = sonde_compare(b->stat.hist.sum_ns, a->stat.hist.sum_ns);

	return order ? order : memcmp(&a->key, &b->key, sizeof(a->key));
}

static int disk_by_time(const void *pa, const void *pb)
{
	const struct sonde_io_disk *a = pa, *b = pb;
	int order = sonde_compare(b->stat.hist.sum_ns, a->stat.hist.sum_ns);

	return order ? order : sonde_compare(a->op, b->op);
}

void sonde_io_sort(struct sonde_io *io)
{
	if (io->nr)
		qsort(io->row, io->nr, sizeof(*io->row), by_time);
	if (io->nr_disks)
		qsort(io->disk, io->nr_disks, sizeof(*io->disk), disk_by_time);
}

static bool same_file(const struct sonde_io_row *a, const struct sonde_io_row *b)
{
	return !memcmp(&a->key.file, &b->key.file, sizeof(a->key.file));
}

static bool same(const struct sonde_io_row *a, const struct sonde_io_row *b, enum sonde_io_by by)
{
	if (a->key.op != b->key.op)
		return false;
	if (by == SONDE_IO_BY_DEVICE)
		return a->key.file.dev == b->key.file.dev;
	return !strcmp(a->process, b->process) && (by == SONDE_IO_BY_PROCESS || same_file(a, b));
}

static void merge(struct sonde_io_row *to, const struct sonde_io_row *more)
{
	if (strcmp(to->process, more->process))
		to->process = ""; /* several */
	if (strcmp(to->device, more->device))
		to->device = "";
	to->nr_procs += to->key.proc.tgid != more->key.proc.tgid;
	to->nr_files += !same_file(to, more);
	to->stat.count += more->stat.count;
	to->stat.errors += more->stat.errors;
	to->stat.bytes += more->stat.bytes;
	to->stat.device += more->stat.device;
	to->stat.device_bytes += more->stat.device_bytes;
	sonde_hist_merge(&to->stat.hist, &more->stat.hist);
}

struct sonde_io *sonde_io_group(const struct sonde_io *io)
{
	struct sonde_io *group = sonde_io_new();
	struct sonde_io_row *row;

	if (!group)
		return NULL;
	group->by = io->by;
	for (size_t i = 0; i < io->nr; i++) {
		row = NULL;
		for (size_t j = 0; j < group->nr && !row; j++)
			if (same(group->row[j], io->row[i], io->by))
				row = group->row[j];
		if (row) {
			merge(row, io->row[i]);
			continue;
		}
		row = sonde_io_row(group);
		if (!row) {
			sonde_io_free(group);
			return NULL;
		}
		*row = *io->row[i];
	}
	for (size_t i = 0; i < group->nr; i++)
		sonde_hist_tidy(&group->row[i]->stat.hist);
	sonde_io_sort(group);
	return group;
}
