/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite_file.h - the database file of connections that were opened before the probes. Only for user/load/sqlite.c.
 */
#ifndef SONDE_LOAD_SQLITE_FILE_H
#define SONDE_LOAD_SQLITE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * sqlite_file_find - the one SQLite database that process @pid has open
 *
 * Returns false if there is none, or more than one. @path may be cut.
 */
bool sqlite_file_find(pid_t pid, char *path, size_t size);

/** sqlite_file_preset - make it the file of all connections of @pid whose opening was not seen */
void sqlite_file_preset(pid_t pid, int peers_fd, int dbs_fd);

#endif /* SONDE_LOAD_SQLITE_FILE_H */
