/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * space.h - the address space of a process: its executable mappings and its perf map. Only for user/sym.
 */
#ifndef SONDE_SYM_SPACE_H
#define SONDE_SYM_SPACE_H

#include <sys/types.h>

#include "sonde/base.h"

struct sym_space;

/**
 * struct sym_mapping - executable memory
 * @offset: into the file
 * @dev, @inode: as /proc writes them, 0: no file
 * @path: as /proc writes it, "" if it has none; without " (deleted)". In a space, as the process sees it
 */
struct sym_mapping {
	u64 start, end;
	u64 offset;
	u64 dev, inode;
	bool deleted;
	const char *path;
};

/** sym_space_new - what process @pid has mapped now; NULL: it is gone, or no memory */
struct sym_space *sym_space_new(pid_t pid);

void sym_space_free(struct sym_space *space);

pid_t sym_space_pid(const struct sym_space *space);

/**
 * sym_space_check - whether the process is still the one that was read
 *
 * 1: it is. 0: it is gone, what is known stays good. -1: another one has its number, or it executes another program.
 */
int sym_space_check(const struct sym_space *space);

/** sym_space_refresh - read the mappings anew; false if the process is gone or they were read just now: they stay as they were */
bool sym_space_refresh(struct sym_space *space);

/** sym_space_refresh_now - the same, also if they were read just now */
bool sym_space_refresh_now(struct sym_space *space);

/** sym_space_find - the mapping at @addr, NULL: none. Valid until the next refresh */
const struct sym_mapping *sym_space_find(const struct sym_space *space, u64 addr);

/** sym_space_mapping - mapping number @i, NULL behind the last */
const struct sym_mapping *sym_space_mapping(const struct sym_space *space, size_t i);

/** sym_space_open - open the file behind @mapping, also if it was deleted or lies in a container; descriptor or -errno */
int sym_space_open(const struct sym_space *space, const struct sym_mapping *mapping);

/** sym_space_is_java - whether the process is a Java virtual machine */
bool sym_space_is_java(const struct sym_space *space);

/** sym_space_read_jit - read what was added to the process's perf map, if it has one */
void sym_space_read_jit(struct sym_space *space);

/** sym_space_jit - the name in the perf map for the code at @addr, NULL: none. Valid until the next read */
const char *sym_space_jit(struct sym_space *space, u64 addr);

/** sym_maps_parse - read a line of /proc/PID/maps (changed in place); false if it is no executable memory */
bool sym_maps_parse(char *line, struct sym_mapping *mapping);

#endif /* SONDE_SYM_SPACE_H */
