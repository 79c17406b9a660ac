/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_attach.h - attaching the TLS programs to one binary. Only for user/load/tls.c.
 */
#ifndef SONDE_LOAD_TLS_ATTACH_H
#define SONDE_LOAD_TLS_ATTACH_H

#include <sys/types.h>

#include "load/tls.h"
#include "load/uprobe.h"

/** struct tls_binary - a binary with a TLS library in it, open as @fd, and what is attached to it */
struct tls_binary {
	struct sonde_tls_bin pub;
	int fd;
	u32 number; /* of a Go program: its key in bd_parks, from 1 on */
	struct sonde_uprobe *probes;
};

/**
 * tls_binary_attach - attach all its sites, for one process or (@pid 0) for all
 *
 * Sites that cannot be probed are marked. Returns 0, or -errno if one that moves data is among them.
 */
int tls_binary_attach(struct sonde_bpf *skel, struct tls_binary *b, pid_t pid);

/**
 * tls_binary_runs - process @pid, whose program @b is, runs already
 *
 * Threads of Go programs whose scheduler is probed are known from now on, not from when they change goroutines for the first time.
 */
void tls_binary_runs(struct sonde_bpf *skel, const struct tls_binary *b, pid_t pid);

#endif /* SONDE_LOAD_TLS_ATTACH_H */
