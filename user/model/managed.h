/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * managed.h - which runtime manages a process's heap, told by the files that its stacks are in.
 */
#ifndef SONDE_MODEL_MANAGED_H
#define SONDE_MODEL_MANAGED_H

#include "sonde/base.h"

struct sonde_profile;

/** struct sonde_managed - a runtime (managed.def); @hidden "": nothing is */
struct sonde_managed {
	const char *files;
	const char *name;
	const char *hidden;
};

/** sonde_managed_of - the runtime of process @pid, by its stacks in @profile; NULL: none that is known */
const struct sonde_managed *sonde_managed_of(const struct sonde_profile *profile, u32 pid);

#endif /* SONDE_MODEL_MANAGED_H */
