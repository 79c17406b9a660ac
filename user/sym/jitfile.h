/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * jitfile.h - the perf map of a process, read as it grows. Only for user/sym.
 */
#ifndef SONDE_SYM_JITFILE_H
#define SONDE_SYM_JITFILE_H

#include <sys/types.h>

#include "sonde/base.h"

/** struct sym_jitfile - zeroed memory is one that was not looked for yet */
struct sym_jitfile {
	struct sym_perfmap *map; /* NULL: there is no file */
	int fd; /* valid if @map */
	u64 inode;
	u64 read; /* bytes of the file in the map */
	bool full; /* no more goes in */
	char tail[64]; /* the last bytes read, to see that the file was written anew */
	size_t tail_len;
};

/** sym_jitfile_read - find the map of process @pid (0: it is gone), and read what was added to it */
void sym_jitfile_read(struct sym_jitfile *file, pid_t pid);

/** sym_jitfile_close - forget everything; it may be used again */
void sym_jitfile_close(struct sym_jitfile *file);

#endif /* SONDE_SYM_JITFILE_H */
