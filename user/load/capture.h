/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * capture.h - the ways to see socket data (--capture): which of them this kernel allows, and their programs.
 */
#ifndef SONDE_LOAD_CAPTURE_H
#define SONDE_LOAD_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "load/load.h"

struct bpf_link;
struct bpf_program;

#define SONDE_CAPTURE_LINKS 16 /* kprobes and their returns */

/** sonde_capture_name - as --capture takes it ("" for AUTO) */
const char *sonde_capture_name(enum sonde_capture capture);

/** sonde_capture_hooks - what it hooks, for people */
const char *sonde_capture_hooks(enum sonde_capture capture);

/**
 * sonde_capture_why_not - why this kernel does not allow @capture, in words; NULL if it does
 *
 * Found out once by trying, without loading the real programs. Static storage.
 */
const char *sonde_capture_why_not(enum sonde_capture capture);

/**
 * sonde_capture_choose - the back end for a run: @wanted, or for AUTO the first that the kernel allows
 *
 * Returns 0, or -errno with @err filled (exit code 4).
 */
int sonde_capture_choose(enum sonde_capture wanted, enum sonde_capture *chosen, struct sonde_load_error *err);

/** sonde_capture_prepare - before the object is loaded: switch the back end's programs on, shrink others' maps */
void sonde_capture_prepare(struct sonde_bpf *skel, enum sonde_capture capture);

/**
 * sonde_capture_attach - before the skeleton attaches its programs: attach the others, kprobes, and let programs find each other
 * @link: set to the links, NULL behind the last; to be destroyed by the caller, on failure too
 *
 * Returns 0 or -errno.
 */
int sonde_capture_attach(struct sonde_bpf *skel, enum sonde_capture capture, struct bpf_link *link[SONDE_CAPTURE_LINKS]);

/** sonde_capture_first - whether what the kernel skips of @prog another program makes up for */
bool sonde_capture_first(const struct sonde_bpf *skel, const struct bpf_program *prog);

#endif /* SONDE_LOAD_CAPTURE_H */
