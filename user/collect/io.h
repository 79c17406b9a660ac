/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io.h - collects file and device input and output: what the kernel side keeps in its maps becomes a snapshot.
 */
#ifndef SONDE_COLLECT_IO_H
#define SONDE_COLLECT_IO_H

#include "model/io.h"

struct sonde_snapshot;

/** struct sonde_io_maps - file descriptors */
struct sonde_io_maps {
	int rows;
	int files;
	int disks;
	int procs;
	int counters;
	u64 missed; /* hooks that the kernel skipped */
	u64 dropped; /* slow calls that came and were not kept */
};

/**
 * sonde_io_read - read all maps into a new snapshot
 * @by, @min_ns, @told: of struct sonde_io
 *
 * Returns NULL with *@err set to -errno.
 */
struct sonde_snapshot *sonde_io_read(const struct sonde_io_maps *maps, enum sonde_io_by by, u64 min_ns, u64 told,
				     int *err);

#endif /* SONDE_COLLECT_IO_H */
