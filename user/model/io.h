/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io.h - reads, writes and syncs of files, and requests to devices, as a report shows them.
 */
#ifndef SONDE_MODEL_IO_H
#define SONDE_MODEL_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/io.h"

/* What the rows of a report for people stand for (--by). */
enum sonde_io_by {
	SONDE_IO_BY_FILE = 0, /* what processes of one name do with a file */
	SONDE_IO_BY_PROCESS, /* what processes of one name do with all files */
	SONDE_IO_BY_DEVICE, /* what is done with all files of a file system */
};

/**
 * struct sonde_io_row - one operation of one process on one file
 * @path: as the kernel side told it; kind NONE: not known
 * @device: of the file's system: name, or "major:minor" where it has no block device
 * @nr_procs, @nr_files: how many the row stands for
 */
struct sonde_io_row {
	const char *process;
	const char *device;
	struct sonde_file path;
	struct sonde_io_key key;
	u32 nr_procs;
	u32 nr_files;
	struct sonde_io_stat stat;
};

/** struct sonde_io_disk - requests of one kind to a block device, whoever caused them */
struct sonde_io_disk {
	const char *name;
	u32 op;
	struct sonde_io_disk_stat stat;
};

struct sonde_io {
	enum sonde_io_by by;
	struct sonde_io_row **row; /* greatest total time first */
	size_t nr;
	size_t room;
	struct sonde_io_disk *disk;
	size_t nr_disks;
	u64 min_ns; /* from when on a call was told of (0: not asked for) */
	u64 told;
};

struct sonde_io *sonde_io_new(void);
void sonde_io_free(struct sonde_io *io);

/** sonde_io_row - append a zeroed row; NULL when out of memory */
struct sonde_io_row *sonde_io_row(struct sonde_io *io);

/** sonde_io_disk - the same for a device */
struct sonde_io_disk *sonde_io_disk(struct sonde_io *io);

/** sonde_io_sort - rows and devices by total time */
void sonde_io_sort(struct sonde_io *io);

/** sonde_io_group - a new list with rows merged as @io->by says, without devices; NULL when out of memory */
struct sonde_io *sonde_io_group(const struct sonde_io *io);

/** sonde_io_op_name - "read", as JSON has it */
const char *sonde_io_op_name(u32 op);

/** sonde_io_op_of - enum sonde_io_op of a system call's name, SONDE_IO_NONE for others */
u32 sonde_io_op_of(const char *name);

#endif /* SONDE_MODEL_IO_H */
