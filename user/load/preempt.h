/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * preempt.h - whether this kernel lets programs be preempted (bpf/turn.bpf.h says what follows).
 */
#ifndef SONDE_LOAD_PREEMPT_H
#define SONDE_LOAD_PREEMPT_H

#include <stdbool.h>

/**
 * sonde_tracepoints_preempt - find out by running a program on a tracepoint, once
 *
 * Where the preemption count is out of reach (no CONFIG_KALLSYMS_ALL) the kernel's version decides.
 */
bool sonde_tracepoints_preempt(void);

/**
 * sonde_functions_preempt - whether programs on functions (fentry, fexit) are, from the kernel's model of preemption
 *
 * True when that cannot be told.
 */
bool sonde_functions_preempt(void);

#endif /* SONDE_LOAD_PREEMPT_H */
