/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inspect_text.h - what a file says of itself in its strings, where its symbols are gone. Only for user/load/inspect.c.
 */
#ifndef SONDE_LOAD_INSPECT_TEXT_H
#define SONDE_LOAD_INSPECT_TEXT_H

#include <stdbool.h>

#include "sonde/base.h"

/**
 * struct inspect_text - what was found; versions are "" if not known
 * @libssl: the part of OpenSSL, or of BoringSSL (@boring), that does TLS
 */
struct inspect_text {
	bool libssl, boring, rustls, sqlite;
	char openssl[24];
	char node[24];
};

/** inspect_text_scan - search the first @max bytes of the file behind @fd; returns the bytes read */
u64 inspect_text_scan(int fd, u64 max, struct inspect_text *text);

#endif /* SONDE_LOAD_INSPECT_TEXT_H */
