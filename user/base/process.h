/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * process.h - what makes a process the same one: pids are used again.
 */
#ifndef SONDE_BASE_PROCESS_H
#define SONDE_BASE_PROCESS_H

#include <sys/types.h>

#include "sonde/base.h"

/** sonde_process_start - when the process started, in clock ticks since boot (0: it is gone) */
u64 sonde_process_start(pid_t pid);

#endif /* SONDE_BASE_PROCESS_H */
