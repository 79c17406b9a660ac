/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * root.h - opening files as a traced process would.
 */
#ifndef SONDE_SYM_ROOT_H
#define SONDE_SYM_ROOT_H

#include <sys/types.h>

/**
 * sonde_root_open - open the regular file @path for reading, below the root directory of process @pid (0: of ours)
 *
 * Links are followed as the process would follow them and never lead out of its root directory. Returns a descriptor or
 * -errno.
 */
int sonde_root_open(pid_t pid, const char *path);

#endif /* SONDE_SYM_ROOT_H */
