/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io.h - reads, writes and syncs of files, and requests to block devices, as the kernel side counts them: layout of the maps of
 *	  `sonde io`. Slow calls are told as struct sonde_event_syscall.
 */
#ifndef SONDE_IO_H
#define SONDE_IO_H

#include "file.h"
#include "hist.h"
#include "key.h"

enum sonde_io_op {
	SONDE_IO_NONE = 0,
	SONDE_IO_READ,
	SONDE_IO_WRITE,
	SONDE_IO_SYNC, /* of a device: flush */
	SONDE_IO_DISCARD, /* of a device only */
	SONDE_IO_OPS,
};

/** struct sonde_io_id - a file: its file system's device (the kernel's dev_t) and its inode */
struct sonde_io_id {
	u64 inode;
	u32 dev;
	u32 pad;
};

/** struct sonde_io_key - a row: what a process does with a file */
struct sonde_io_key {
	struct sonde_proc proc;
	struct sonde_io_id file;
	u32 op; /* enum sonde_io_op */
	u32 pad;
};

/**
 * struct sonde_io_stat - its numbers; counters only grow
 * @bytes: read or written, by result
 * @device: calls for which the thread had to read from a device, @device_bytes: how much; what the page cache held is the rest
 */
struct sonde_io_stat {
	u64 count;
	u64 errors;
	u64 bytes;
	u64 device;
	u64 device_bytes;
	struct sonde_hist hist;
};

/** struct sonde_io_call - a call under way, for each thread */
struct sonde_io_call {
	u64 start_ns; /* 0: none */
	struct sonde_io_key key;
	u64 read_bytes; /* of the thread, from devices, when it began */
	u64 arg[6];
	u32 nr;
	u32 pad;
};

/** struct sonde_io_disk_key - a row of the devices' table */
struct sonde_io_disk_key {
	u32 dev; /* major << 20 | minor */
	u32 op;
};

/**
 * struct sonde_io_disk_stat - requests to a device
 * @hist: from the driver's receipt of a request to its completion
 */
struct sonde_io_disk_stat {
	u64 count;
	u64 errors;
	u64 bytes;
	struct sonde_hist hist;
};

/** struct sonde_io_request - one that the device has */
struct sonde_io_request {
	u64 start_ns;
	u64 bytes;
	struct sonde_io_disk_key key;
};

_Static_assert(sizeof(struct sonde_io_key) == 32, "no holes");
_Static_assert(sizeof(struct sonde_io_call) == 8 + 32 + 8 + 48 + 8, "no holes");

#endif /* SONDE_IO_H */
