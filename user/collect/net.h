/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * net.h - collects connections: what the kernel side keeps in its maps, and those that are open, become a snapshot.
 */
#ifndef SONDE_COLLECT_NET_H
#define SONDE_COLLECT_NET_H

#include "model/net.h"

struct sonde_host_names;
struct sonde_snapshot;

/** struct sonde_net_maps - file descriptors; what the loader counts; @hosts: names of addresses */
struct sonde_net_maps {
	int rows;
	int peers;
	int fails;
	int totals;
	int procs;
	int counters;
	int iter; /* tells of open connections; closed here. < 0: there is none */
	u64 missed; /* hooks that the kernel skipped */
	u32 has; /* SONDE_NET_HAS_* */
	struct sonde_host_names *hosts;
};

/** sonde_net_read - read all maps into a new snapshot; NULL with *@err set to -errno */
struct sonde_snapshot *sonde_net_read(const struct sonde_net_maps *maps, enum sonde_net_by by, int *err);

/** sonde_net_note - look at the processes in map @procs that are new: what they call addresses is asked for when they may be gone */
int sonde_net_note(int procs, struct sonde_host_names *hosts);

#endif /* SONDE_COLLECT_NET_H */
