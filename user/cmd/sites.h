/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sites.h - call sites for findings: stacks that the kernel took become functions and lines of the application.
 */
#ifndef SONDE_CMD_SITES_H
#define SONDE_CMD_SITES_H

#include <stddef.h>
#include <sys/types.h>

struct sonde_db;

/** sonde_sites_use - let @db resolve stacks; without memory findings have no call sites */
void sonde_sites_use(struct sonde_db *db);

/** sonde_sites_note - process @pid is traced: what it has mapped is remembered, as it may be gone when a stack is looked at */
void sonde_sites_note(struct sonde_db *db, pid_t pid);

#endif /* SONDE_CMD_SITES_H */
