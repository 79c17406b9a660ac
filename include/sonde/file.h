/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file.h - what a file descriptor stands for, as the kernel side tells it: a path, or a socket's addresses.
 */
#ifndef SONDE_FILE_H
#define SONDE_FILE_H

#include "base.h"

/* What kind of file: SONDE_FILE_KIND(symbol, "name"). Reading from those that begin a wait comes behind REGULAR, DIRECTORY, BLOCK. */
#define SONDE_FILE_KINDS(_)                                                                                            \
	_(NONE, "")                                                                                                    \
	_(REGULAR, "file")                                                                                             \
	_(DIRECTORY, "dir")                                                                                            \
	_(BLOCK, "blockdev")                                                                                           \
	_(SOCKET, "socket")                                                                                            \
	_(PIPE, "pipe")                                                                                                \
	_(CHAR, "chardev")                                                                                             \
	_(OTHER, "anon")

enum sonde_file_kind {
#define SONDE_FILE_KIND(symbol, name) SONDE_FILE_##symbol,
	SONDE_FILE_KINDS(SONDE_FILE_KIND)
#undef SONDE_FILE_KIND
		SONDE_FILE_KIND_MAX,
};

#define SONDE_PATH_BYTES 256u
#define SONDE_PATH_PARTS 12u /* components of a path that are read, from its end */

/**
 * struct sonde_file - a file
 * @kind: enum sonde_file_kind
 * @parts: how many components stand in @path, the last of the path first, each with its NUL; 0: @path is one string
 * @cut: there are more
 * @family: a socket's (AF_INET, AF_INET6, AF_UNIX; 0: another)
 * @local_port, @remote_port: host byte order; @local, @remote: network byte order, IPv4 in the first four bytes
 * @path: of a file; of a unix socket the listening end's ("@": abstract)
 */
struct sonde_file {
	u8 kind;
	u8 parts;
	u8 cut;
	u8 pad;
	u16 family;
	u16 local_port;
	u16 remote_port;
	u16 pad2[3];
	u8 local[16];
	u8 remote[16];
	char path[SONDE_PATH_BYTES];
};

_Static_assert(sizeof(struct sonde_file) == 16 + 32 + SONDE_PATH_BYTES, "no holes");

#endif /* SONDE_FILE_H */
