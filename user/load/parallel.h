/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parallel.h - has the kernel verify several programs at a time.
 */
#ifndef SONDE_LOAD_PARALLEL_H
#define SONDE_LOAD_PARALLEL_H

#include <stdbool.h>

/*
 * Most of the time that sonde takes to start the verifier walks two programs, that for sockets and that for TLS. libbpf loads one
 * program after the other. So large programs at probes are each loaded by a thread of their own, while libbpf loads the others.
 */

/**
 * sonde_parallel_begin - from now on do so, in every object that is opened; sonde_parallel_end() must follow each load of one that can
 * have such programs. Where it cannot be done (no thread, no memory) libbpf loads the program itself.
 */
void sonde_parallel_begin(void);

/**
 * sonde_parallel_end - wait for the threads; call it right after bpf_object__load(), whether that failed or not
 * @keep: it did not: give the programs to the object
 *
 * Returns 0, or the -errno of a program that the kernel refused: why is said as if libbpf had loaded it (said.h).
 */
int sonde_parallel_end(bool keep);

#endif /* SONDE_LOAD_PARALLEL_H */
