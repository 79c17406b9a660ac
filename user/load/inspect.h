/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inspect.h - what can be seen of one process: its libraries as the loader would find and probe them, and what hides it.
 *
 * Nothing is attached. What is said of a library comes from the functions that decide where to probe it.
 */
#ifndef SONDE_LOAD_INSPECT_H
#define SONDE_LOAD_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "load/elf.h"
#include "load/site.h"
#include "sonde/base.h"

enum sonde_inspect_kind {
	SONDE_INSPECT_CLIENT, /* client library of a database: its protocol is read from the sockets */
	SONDE_INSPECT_EMBEDDED, /* SQLite: read by probes */
	SONDE_INSPECT_TLS, /* read by probes, unless @err */
	SONDE_INSPECT_RUNTIME, /* what executes the program: node, Java, Go, Python */
};

/** struct sonde_inspect_site - a probed function. @cost_ns: of a call, expected; @points: instructions probed */
struct sonde_inspect_site {
	char function[64];
	int err; /* -errno: cannot be probed */
	u32 points;
	u32 cost_ns;
	struct sonde_site site;
};

#define SONDE_INSPECT_MAX_SITES 32

/**
 * struct sonde_inspect_item - something found in a file that the process executes
 * @name: "OpenSSL"; static storage
 * @path: as the process sees it
 * @err: not read, or not at all possible; @reason says why. @reason without @err is a remark
 * @program: it is the program itself, not a library
 * @symbols: the file has a full symbol table
 */
struct sonde_inspect_item {
	enum sonde_inspect_kind kind;
	const char *name;
	char version[48];
	char *path;
	char build_id[SONDE_ELF_BUILD_ID_SIZE];
	bool program;
	bool deleted;
	bool symbols;
	int err;
	char reason[160];
	size_t nr_sites;
	struct sonde_inspect_site *site;
};

/**
 * struct sonde_inspect - a process
 * @exe: its program, "" for a thread of the kernel
 * @inner_pid: its number in its own pid namespace
 * @compat: a 32-bit program
 * @rings: io_uring instances it has open
 * @sockets: sockets it has open
 * @unread: files that could not be opened
 */
struct sonde_inspect {
	pid_t pid;
	char comm[32];
	char *exe;
	bool exe_deleted;
	bool compat;
	bool other_mnt, other_pid, other_net;
	pid_t inner_pid;
	u32 rings;
	u32 sockets;
	u32 unread;
	size_t nr_items;
	struct sonde_inspect_item *item;
};

/**
 * sonde_inspect - look at process @pid
 *
 * Returns 0, -ESRCH if there is none, -EACCES if it may not be looked at, or another -errno. Free what it fills in any case.
 */
int sonde_inspect(pid_t pid, struct sonde_inspect *in);

void sonde_inspect_free(struct sonde_inspect *in);

/** sonde_inspect_kind_name - "client", "embedded", "tls", "runtime" */
const char *sonde_inspect_kind_name(enum sonde_inspect_kind kind);

#endif /* SONDE_LOAD_INSPECT_H */
