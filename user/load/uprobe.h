/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uprobe.h - attaching programs to instructions of a file: many at once where the kernel can, else one by one.
 */
#ifndef SONDE_LOAD_UPROBE_H
#define SONDE_LOAD_UPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sonde/base.h"

struct bpf_program;

/* Attach types of programs, newer than the oldest headers that sonde is built with. */
#define SONDE_UPROBE_PERF 0 /* one perf event each */
#define SONDE_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI, Linux 6.6 */
#define SONDE_UPROBE_SESSION 57 /* BPF_TRACE_UPROBE_SESSION, Linux 6.13: one program for entry and return */

/** struct sonde_uprobe_caps - what the kernel offers */
struct sonde_uprobe_caps {
	bool multi;
	bool session;
	bool cookies; /* bpf_get_attach_cookie(), Linux 5.15 */
	bool process; /* a link can be limited to one process; multi links before 6.10 took a thread for it */
};

/**
 * sonde_uprobe_caps - find out by trying, once
 *
 * The environment variable SONDE_UPROBES (session, multi, perf) leaves out what comes before the one it names.
 */
const struct sonde_uprobe_caps *sonde_uprobe_caps(void);

/** sonde_uprobe_may_attach - whether the calling thread's privileges suffice to attach a program loaded with attach type @type */
bool sonde_uprobe_may_attach(int prog_fd, int type);

/**
 * sonde_uprobe_event_allowed - whether the calling thread's privileges suffice for uprobes that are perf events
 *
 * Kernels mended against CVE-2025-38466 (from 6.16 on, and stable ones since July 2025) ask for CAP_SYS_ADMIN, others for CAP_PERFMON:
 * perf_uprobe_event_init().
 */
bool sonde_uprobe_event_allowed(void);

/**
 * struct sonde_uprobe_spot - an instruction
 * @offset: its place in the file
 * @cookie: what bpf_get_attach_cookie() returns there
 * @semaphore: place of a counter (u16) that is raised in each process while the probe is in it; 0: none
 */
struct sonde_uprobe_spot {
	u64 offset;
	u64 cookie;
	u64 semaphore;
};

struct sonde_uprobe;

/**
 * sonde_uprobe_attach - attach a loaded program to instructions of a file
 * @list: attached probes, the new ones are put in front
 * @type: the attach type the program was loaded with, SONDE_UPROBE_*
 * @fd: the file
 * @ret: probe the return of the function (with SONDE_UPROBE_SESSION both ends are, @ret is ignored)
 * @pid: only this process, 0: all
 *
 * Returns 0 or -errno; on an error nothing is attached.
 */
int sonde_uprobe_attach(struct sonde_uprobe **list, struct bpf_program *prog, int type, int fd,
			const struct sonde_uprobe_spot *spot, size_t nr, bool ret, pid_t pid);

/**
 * sonde_uprobe_free - detach all of @list
 *
 * Detaching a link waits some 50 ms for the kernel's grace periods, so all are detached at the same time.
 */
void sonde_uprobe_free(struct sonde_uprobe *list);

/** sonde_uprobe_move - append all of @from to @to */
void sonde_uprobe_move(struct sonde_uprobe **to, struct sonde_uprobe **from);

/** struct sonde_uprobe_file - a file that is probed: its name, a descriptor of its own, the probes in it */
struct sonde_uprobe_file {
	char *path;
	int fd;
	struct sonde_uprobe *probes;
};

/** sonde_uprobe_file_open - keep the file behind @fd; both arguments stay the caller's. False: out of memory, or of descriptors */
bool sonde_uprobe_file_open(struct sonde_uprobe_file *file, const char *path, int fd);

/** sonde_uprobe_file_close - of one that sonde_uprobe_file_open() kept, with its probes */
void sonde_uprobe_file_close(struct sonde_uprobe_file *file);

#endif /* SONDE_LOAD_UPROBE_H */
