/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hosts.h - names of addresses as processes themselves have them: /etc/hosts below their root.
 */
#ifndef SONDE_COLLECT_HOSTS_H
#define SONDE_COLLECT_HOSTS_H

#include "sonde/key.h"

struct sonde_host_names;

/** sonde_host_names_new - NULL when out of memory */
struct sonde_host_names *sonde_host_names_new(void);

/** sonde_host_names_free - (NULL is fine) */
void sonde_host_names_free(struct sonde_host_names *names);

/** sonde_host_names_note - read the file of @proc now, unless it is known: the process may be gone when it is asked for */
void sonde_host_names_note(struct sonde_host_names *names, const struct sonde_proc *proc);

/** sonde_host_name - what @proc calls an address (@family: enum sonde_family), "" if it has no name; foreign bytes, valid as long as @names */
const char *sonde_host_name(struct sonde_host_names *names, const struct sonde_proc *proc, u32 family, const u8 addr[16]);

#endif /* SONDE_COLLECT_HOSTS_H */
