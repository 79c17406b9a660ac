/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine.h - reads what /proc says of the machine and its processes.
 */
#ifndef SONDE_COLLECT_MACHINE_H
#define SONDE_COLLECT_MACHINE_H

#include "model/machine.h"

/**
 * sonde_machine_read - a reading of now, or NULL when out of memory; free it with sonde_machine_free()
 * @before: the reading before, or NULL: what has used no processor since is not looked at again in detail
 *
 * What cannot be read, a process that has ended meanwhile for one, is left out.
 */
struct sonde_machine *sonde_machine_read(const struct sonde_machine *before);

#endif /* SONDE_COLLECT_MACHINE_H */
