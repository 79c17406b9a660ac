/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gc_judge.h - findings: processes whose garbage collections take much of their time.
 */
#ifndef SONDE_MODEL_GC_JUDGE_H
#define SONDE_MODEL_GC_JUDGE_H

struct sonde_snapshot;

#define SONDE_GC_SHARE 0.10 /* of its time that a process stands still, from which on it is a finding */
#define SONDE_GC_PAUSES 5u /* at least */
#define SONDE_GC_SPAN_NS 1000000000ULL /* that it was watched, at least */

/**
 * sonde_gc_judge - append findings to those of @snapshot, by its @gc (NULL: none), greatest sum of pauses first
 *
 * Strings live in the snapshot's pool. Returns 0 or -ENOMEM.
 */
int sonde_gc_judge(struct sonde_snapshot *snapshot);

#endif /* SONDE_MODEL_GC_JUDGE_H */
