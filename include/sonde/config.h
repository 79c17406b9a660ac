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
 * @view: enum sonde_view of the command; other protocols in @roles are watched for the sake of its statements
 * @scopes: statements are counted in scopes, inbound requests watched for that
 * @examples: statements as they stand on the wire are kept until they complete, for slow ones
 * @min_repeat: executions of one statement in one scope that make a finding
 * @large_rows, @large_bytes: of one execution that make a finding (0: never)
 * @slow_ns: duration that makes one (0: never)
 * @slow_events: and an event each
 * @self: process id of sonde, never traced (0: none)
 */
struct sonde_config {
	u8 roles[SONDE_PROTO_MAX];
	u8 filter_pids;
	u8 filter_comm;
	u8 filter_cgroup;
	u8 follow_children;
	u32 self;
	u8 scopes;
	u8 examples;
	u8 view;
	u8 slow_events;
	u32 min_repeat;
	u64 large_rows;
	u64 large_bytes;
	u64 slow_ns;
	char comm[16];
};

#define SONDE_SYSCALL_MAX 512u /* numbers from here on are counted as one (none is that high yet) */

/** struct sonde_syscall_config - constants of a run */
struct sonde_syscall_config {
	u8 what[SONDE_SYSCALL_MAX]; /* SONDE_SYSCALL_* */
	u64 min_ns; /* calls that take this long are told of (0: none) */
	u8 threads; /* a row for each thread */
	u8 pad[7];
};

/** struct sonde_io_config - constants of a run of `sonde io` */
struct sonde_io_config {
	u8 op[SONDE_SYSCALL_MAX]; /* enum sonde_io_op of each system call; argument 0 is the descriptor */
	u64 min_ns; /* calls that take this long are told of (0: none) */
};

/**
 * struct sonde_net_config - constants of a run of `sonde net`
 * @connections: a row for each connection
 * @has: SONDE_NET_HAS_*
 */
struct sonde_net_config {
	u32 connections;
	u32 has;
};

/** struct sonde_wait_config - what a system call says of why a thread waits: enum sonde_wait_class (sonde/wait.h), by number */
struct sonde_wait_config {
	u8 class[SONDE_SYSCALL_MAX];
};

/** struct sonde_off_config - constants of a run of `sonde offcpu` */
struct sonde_off_config {
	u64 min_ns; /* shorter waits have no row; they count in their thread's totals */
	u8 threads; /* a row for each thread */
	u8 pad[7];
};

/** struct sonde_growth_config - constants of a run of `sonde alloc`'s growth mode */
struct sonde_growth_config {
	u32 nr_cpus; /* possible ones */
	u32 huge; /* pages of a huge page */
};

/**
 * struct sonde_breakdown_config - constants of a run
 * @on: 0 removes all of it from the programs for sockets
 * @memory: what requests allocate or touch is told apart, not their time
 */
struct sonde_breakdown_config {
	u32 on;
	u32 memory;
};

#endif /* SONDE_CONFIG_H */
