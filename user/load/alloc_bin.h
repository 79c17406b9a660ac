/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alloc_bin.h - the functions of an allocator in a file, and the probes on them. Only for user/load.
 */
#ifndef SONDE_LOAD_ALLOC_BIN_H
#define SONDE_LOAD_ALLOC_BIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "load/load.h"
#include "load/uprobe.h"

#define ALLOC_BIN_CALLS 48
#define ALLOC_BIN_FREES 32

struct sonde_elf;

/**
 * struct alloc_bin - a file with an allocator
 * @call: functions that allocate, probed at both ends; @free: functions that free
 * @news: C++'s operator new is a function of its own here, and is not among @call
 */
struct alloc_bin {
	char *path;
	int fd;
	struct sonde_uprobe_spot call[ALLOC_BIN_CALLS];
	struct sonde_uprobe_spot free[ALLOC_BIN_FREES];
	size_t nr_calls, nr_frees;
	bool news;
};

/** alloc_bin_prepare - before loading: the programs for what the kernel offers */
void alloc_bin_prepare(struct sonde_bpf *skel);

/** alloc_bin_how - "session", "multi", "perf event" */
const char *alloc_bin_how(void);

/** alloc_bin_find - the allocator in the file behind @fd, which is duplicated; NULL: there is none, or no memory */
struct alloc_bin *alloc_bin_find(struct sonde_elf *elf, int fd, const char *path);

void alloc_bin_free(struct alloc_bin *b);

/** alloc_bin_attach - probe all of @b in process @pid; 0, or -errno with nothing attached */
int alloc_bin_attach(struct sonde_bpf *skel, const struct alloc_bin *b, pid_t pid, struct sonde_uprobe **probes);

#endif /* SONDE_LOAD_ALLOC_BIN_H */
