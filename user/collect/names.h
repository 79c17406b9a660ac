/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * names.h - names that the system knows: of processes, threads, control groups.
 */
#ifndef SONDE_COLLECT_NAMES_H
#define SONDE_COLLECT_NAMES_H

#include <stddef.h>

#include "sonde/key.h"

#define SONDE_CGROUP_BYTES 256u

/** sonde_name_thread - the name of thread @tid of process @pid, "" if it is gone */
void sonde_name_thread(u32 pid, u32 tid, char comm[SONDE_COMM_BYTES]);

/** sonde_name_cgroup - the path of a cgroup v2 below its mount ("/" for the root), "id N" if it is gone */
void sonde_name_cgroup(u64 id, char path[SONDE_CGROUP_BYTES]);

#endif /* SONDE_COLLECT_NAMES_H */
