/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * callsite.h - the programs that take whole stacks for call sites of findings (bpf/site.bpf.c): which are needed, and behind which others.
 */
#ifndef SONDE_LOAD_CALLSITE_H
#define SONDE_LOAD_CALLSITE_H

#include <stdbool.h>

#include "load/load.h"

/**
 * sonde_callsite_prepare - before the object is loaded, after the programs that lead to them: switch them on behind @capture and
 *			    behind the probes of libraries
 *
 * False: there are none here, nor any use for tables (frame pointers have to do).
 */
bool sonde_callsite_prepare(struct sonde_bpf *skel, enum sonde_capture capture);

/** sonde_callsite_connect - before anything is attached: let the programs on the hooks find those that are on; 0 or -errno */
int sonde_callsite_connect(struct sonde_bpf *skel);

#endif /* SONDE_LOAD_CALLSITE_H */
