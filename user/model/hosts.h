/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hosts.h - names of addresses as a hosts(5) file has them. Pure: takes its text.
 */
#ifndef SONDE_MODEL_HOSTS_H
#define SONDE_MODEL_HOSTS_H

#include <stddef.h>

#include "sonde/base.h"

struct sonde_hosts;

/** sonde_hosts_parse - the names in @len bytes at @text, which need not be sane; NULL when out of memory */
struct sonde_hosts *sonde_hosts_parse(const char *text, size_t len);

/** sonde_hosts_free - (NULL is fine) */
void sonde_hosts_free(struct sonde_hosts *hosts);

/**
 * sonde_hosts_find - the name of an address (@family: enum sonde_family), "" if there is none
 *
 * The first one of the file. Those of 127.0.0.1 and ::1, and "localhost" and the like, which tell nothing, are left out. IPv4 addresses in IPv6 ones are those
 * themselves. Foreign bytes; valid as long as @hosts.
 */
const char *sonde_hosts_find(const struct sonde_hosts *hosts, u32 family, const u8 addr[16]);

#endif /* SONDE_MODEL_HOSTS_H */
