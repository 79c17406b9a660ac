/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * settle.h - what is really outstanding when a run has ended.
 */
#ifndef SONDE_LOAD_SETTLE_H
#define SONDE_LOAD_SETTLE_H

#include "sonde/base.h"

struct sonde_bpf;

/**
 * sonde_settle_prepare - make the iterator ahead, while sonde has what that takes
 *
 * Returns its file descriptor, the caller's to close, or -errno: sockets cannot be walked through.
 */
int sonde_settle_prepare(struct sonde_bpf *skel);

/**
 * sonde_settle_open - statements outstanding on sockets that live, and in plaintext under TLS and in SQLite
 *
 * @iter: from sonde_settle_prepare(); works once
 *
 * For a run on the socket layer's tracepoints whose programs are detached and whose dead processes have been swept away.
 * Returns false if it cannot be told.
 */
bool sonde_settle_open(struct sonde_bpf *skel, int iter, u64 *open);

#endif /* SONDE_LOAD_SETTLE_H */
