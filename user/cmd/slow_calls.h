/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow_calls.h - slow system calls between the moment their events come and the moment they are printed, a line each: what
 * `sonde syscall --min` and `sonde io --min` share.
 */
#ifndef SONDE_CMD_SLOW_CALLS_H
#define SONDE_CMD_SLOW_CALLS_H

#include <stddef.h>

#include "sonde/base.h"

struct sonde_event_syscall;
struct sonde_report;

/**
 * struct sonde_slow_calls - those that wait to be printed; all zero: none are kept
 * @told: kept so far, printed or not; @dropped: came when there was no room
 */
struct sonde_slow_calls {
	struct sonde_event_syscall *call;
	size_t nr;
	u64 told;
	u64 dropped;
};

/** sonde_slow_calls_init - make room. Returns 0 or -ENOMEM */
int sonde_slow_calls_init(struct sonde_slow_calls *calls);

void sonde_slow_calls_free(struct sonde_slow_calls *calls);

/** sonde_slow_calls_event - keep the call that @event of @size bytes tells of, if it is of that kind */
void sonde_slow_calls_event(struct sonde_slow_calls *calls, const void *event, size_t size);

/**
 * sonde_slow_calls_print - print and forget those kept
 * @name: of the process of a call, "" if it is not known; with @ctx. NULL: the thread's name stands for it, as it does for ""
 *
 * Returns 0, or -errno with the error told.
 */
int sonde_slow_calls_print(struct sonde_slow_calls *calls, struct sonde_report *report, u64 mono_to_unix_ns,
			   const char *(*name)(const void *ctx, const struct sonde_event_syscall *call),
			   const void *ctx);

#endif /* SONDE_CMD_SLOW_CALLS_H */
