// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall_read.c - collects system calls: reads the maps and the iterator.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "collect/counters.h"
#include "collect/map_each.h"
#include "collect/names.h"
#include "collect/syscall.h"

static void forget_rows(void *sysc)
{
	sonde_sysc_begin(sysc);
}

static int take_row(void *sysc, const void *key, const void *stat)
{
	return sonde_sysc_row(sysc, key, stat);
}

static int take_error(void *sysc, const void *key, const void *count)
{
	u64 n;

	memcpy(&n, count, sizeof(n));
	return sonde_sysc_error(sysc, key, n);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

/* What the iterator returns are whole structures, but a read need not end with one. */
static int read_now(struct sonde_sysc *sysc, int iter)
{
	struct sonde_syscall_call calls[32];
	size_t have = 0, nr;
	u64 now = now_ns();
	ssize_t got;
	int err = 0;

	while (!err && (got = read(iter, (char *)calls + have, sizeof(calls) - have)) != 0) {
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		have += (size_t)got;
		nr = have / sizeof(calls[0]);
		for (size_t i = 0; i < nr && !err; i++)
			err = sonde_sysc_now(sysc, &calls[i], now);
		have -= nr * sizeof(calls[0]);
		memmove(calls, calls + nr, have);
	}
	return err;
}

static int read_proc(struct sonde_sysc *sysc, void *ctx, const struct sonde_proc *proc)
{
	const struct sonde_sysc_maps *maps = ctx;
	char path[SONDE_CGROUP_BYTES] = "", comm[SONDE_COMM_BYTES + 1] = "";
	struct sonde_proc_info info;

	if (!bpf_map_lookup_elem(maps->procs, proc, &info)) {
		memcpy(comm, info.comm, sizeof(info.comm));
		sonde_name_cgroup(info.cgroup, path);
	} else {
		sonde_name_thread(proc->tgid, proc->tgid, comm);
	}
	return sonde_sysc_proc(sysc, proc, comm, path);
}

static int read_thread(struct sonde_sysc *sysc, void *ctx, u32 pid, u32 tid)
{
	char comm[SONDE_COMM_BYTES];

	(void)ctx;
	sonde_name_thread(pid, tid, comm);
	return comm[0] ? sonde_sysc_thread(sysc, tid, comm) : 0;
}

/* Calls under way come last: one that begins meanwhile is not in the rows. */
int sonde_sysc_read(struct sonde_sysc *sysc, const struct sonde_sysc_maps *maps)
{
	u64 counter[SONDE_CNT_MAX];
	int err;

	err = sonde_map_each(maps->rows, sizeof(struct sonde_syscall_key), sizeof(struct sonde_syscall_stat), sysc,
			     forget_rows, take_row);
	if (!err)
		err = sonde_map_each(maps->errors, sizeof(struct sonde_syscall_errno), sizeof(u64), sysc, NULL,
				     take_error);
	if (maps->iter >= 0) {
		if (!err)
			err = read_now(sysc, maps->iter);
		close(maps->iter);
	}
	if (!err)
		err = sonde_counters_read(maps->counters, -1, counter);
	if (err)
		return err;
	counter[SONDE_CNT_EVENTS_MISSED] = maps->missed;
	counter[SONDE_CNT_SLOW_DROPPED] += maps->dropped;
	sonde_sysc_counters(sysc, counter);
	sonde_sysc_told(sysc, maps->told);
	return sonde_sysc_missing(sysc, (void *)maps, read_proc, read_thread);
}
