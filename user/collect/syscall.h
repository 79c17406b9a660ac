/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * syscall.h - collects system calls: what the kernel side keeps in its maps becomes a snapshot.
 *
 * syscall.c takes structures and is pure, syscall_read.c reads the maps.
 */
#ifndef SONDE_COLLECT_SYSCALL_H
#define SONDE_COLLECT_SYSCALL_H

#include "model/syscall.h"

struct sonde_sysc;
struct sonde_snapshot;

struct sonde_sysc *sonde_sysc_new(void);
void sonde_sysc_free(struct sonde_sysc *sysc);

/** sonde_sysc_by - what rows will stand for; @min_ns: see struct sonde_syscalls */
void sonde_sysc_by(struct sonde_sysc *sysc, enum sonde_syscall_by by, u64 min_ns);

/** sonde_sysc_begin - forget the rows of the last reading */
void sonde_sysc_begin(struct sonde_sysc *sysc);

/** sonde_sysc_row, _error - take a row of map `syscall_rows`, `syscall_errors`. Returns 0 or -ENOMEM */
int sonde_sysc_row(struct sonde_sysc *sysc, const struct sonde_syscall_key *key, const struct sonde_syscall_stat *stat);
int sonde_sysc_error(struct sonde_sysc *sysc, const struct sonde_syscall_errno *key, u64 count);

/** sonde_sysc_now - take a call under way; @now_ns: CLOCK_MONOTONIC. Returns 0 or -ENOMEM */
int sonde_sysc_now(struct sonde_sysc *sysc, const struct sonde_syscall_call *call, u64 now_ns);

/** sonde_sysc_proc, _thread - take the name of a process, of a thread; @cgroup: path, "" when not known. Returns 0 or -ENOMEM */
int sonde_sysc_proc(struct sonde_sysc *sysc, const struct sonde_proc *proc, const char *comm, const char *cgroup);
int sonde_sysc_thread(struct sonde_sysc *sysc, u32 tid, const char *comm);

/** sonde_sysc_process - name of a process, "" when not known; valid as long as @sysc */
const char *sonde_sysc_process(const struct sonde_sysc *sysc, const struct sonde_proc *proc);

/** sonde_sysc_missing - call the functions for each process and thread of a row or call that was not handed in since begin */
int sonde_sysc_missing(struct sonde_sysc *sysc, void *ctx,
		       int (*proc)(struct sonde_sysc *sysc, void *ctx, const struct sonde_proc *proc),
		       int (*thread)(struct sonde_sysc *sysc, void *ctx, u32 pid, u32 tid));

/** sonde_sysc_counters - take the counters, summed over CPUs */
void sonde_sysc_counters(struct sonde_sysc *sysc, const u64 counter[SONDE_CNT_MAX]);

/** sonde_sysc_told - take how many slow calls have been told of */
void sonde_sysc_told(struct sonde_sysc *sysc, u64 told);

/**
 * sonde_syscall_event - look at an event of the ring: @size bytes, which need not be well-formed
 *
 * Returns true for a slow call, which is copied to @out; what is bad or something else is left out.
 */
bool sonde_syscall_event(const void *event, size_t size, struct sonde_event_syscall *out);

/** sonde_sysc_snapshot - what was taken since sonde_sysc_begin(), or NULL when out of memory. The caller frees it */
struct sonde_snapshot *sonde_sysc_snapshot(struct sonde_sysc *sysc);

/**
 * struct sonde_sysc_maps - file descriptors
 * @iter: of an iterator over calls under way, closed by the reader; < 0: none
 * @missed: hooks that the kernel skipped; @told, @dropped: slow calls that came and were kept, or not
 */
struct sonde_sysc_maps {
	int rows;
	int errors;
	int procs;
	int counters;
	int iter;
	u64 missed;
	u64 told;
	u64 dropped;
};

/** sonde_sysc_read - read everything. Returns 0 or -errno */
int sonde_sysc_read(struct sonde_sysc *sysc, const struct sonde_sysc_maps *maps);

#endif /* SONDE_COLLECT_SYSCALL_H */
