/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bins.h - finds the libraries of the kinds that are probed: in running processes, in new ones, and ahead of time.
 */
#ifndef SONDE_LOAD_BINS_H
#define SONDE_LOAD_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sonde/base.h"

struct sonde_bins;
struct sonde_elf;

/**
 * struct sonde_bins_opts - which processes are looked at
 * @pids, @nr_pids: only these (0: others, too)
 * @filter_map: file descriptor of a map whose keys are the processes to look at (-1: all of the machine); it may grow
 * @ahead: look for libraries that no process has mapped yet, too
 * @program: binary that is going to be started (NULL: none)
 */
struct sonde_bins_opts {
	const pid_t *pids;
	size_t nr_pids;
	int filter_map;
	bool ahead;
	const char *program;
};

/**
 * struct sonde_bins_ops - a kind of library
 * @places: where the dynamic loader would find it: file name patterns, NULL at the end
 * @examine: look into a file that was not seen before; what is returned stands for it from now on, NULL: not of this kind.
 *           Its owner keeps the file open (a descriptor of its own)
 * @meet: process @pid has mapped what @examine returned; called once for each process
 * @swept: a scan is over; @gone: processes have ended since the last one; returns whether it wants to be called again at
 *         once to do the rest (may be NULL)
 */
struct sonde_bins_ops {
	const char *const *places;
	void *(*examine)(void *ctx, struct sonde_elf *elf, int fd, const char *path);
	void (*meet)(void *ctx, void *bin, pid_t pid);
	bool (*swept)(void *ctx, bool gone);
};

/** sonde_bins_new - @opts is copied, its pointers must stay valid; NULL: no memory */
struct sonde_bins *sonde_bins_new(const struct sonde_bins_opts *opts);

/** sonde_bins_add - look for this kind, too; before the first scan. Returns 0 or -ENOSPC */
int sonde_bins_add(struct sonde_bins *bins, const struct sonde_bins_ops *ops, void *ctx);

/** sonde_bins_ahead - look at the libraries of this system and at the program that is going to be started, if so opted */
void sonde_bins_ahead(struct sonde_bins *bins);

/**
 * sonde_bins_scan - look for what processes have mapped since the last scan, forget the processes that are gone
 *
 * Looks closer only at new processes and at those whose memory has changed its size. Returns 0 or -errno.
 */
int sonde_bins_scan(struct sonde_bins *bins);

/** sonde_bins_settle - forget all processes that are gone, also those no scan has met: the run is over */
void sonde_bins_settle(struct sonde_bins *bins);

/** sonde_bins_refused - times that the mappings of a process could not be looked at for want of privilege */
size_t sonde_bins_refused(const struct sonde_bins *b);

void sonde_bins_free(struct sonde_bins *bins);

#endif /* SONDE_LOAD_BINS_H */
