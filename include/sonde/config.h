/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.h - what the loader tells the BPF programs before they are loaded (read-only data there).
 */
#ifndef SONDE_CONFIG_H
#define SONDE_CONFIG_H

#include "base.h"
#include "key.h"

/**
 * struct sonde_config - constants of one run
 * @roles: bits of enum sonde_role that are reported, for each protocol; 0: the protocol is not looked for
 * @filter_pids: only processes in map `pids`
 * @filter_comm: only threads whose process leader's comm is @comm
 * @filter_cgroup: only tasks below the cgroup in map `cgroups`
 * @follow_children: children of a process in map `pids` join it
 * @self: process id of sonde, never traced (0: none)
 */
struct sonde_config {
	u8 roles[SONDE_PROTO_MAX];
	u8 filter_pids;
	u8 filter_comm;
	u8 filter_cgroup;
	u8 follow_children;
	u32 self;
	char comm[16];
};

#endif /* SONDE_CONFIG_H */
