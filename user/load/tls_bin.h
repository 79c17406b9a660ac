/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_bin.h - looks into a file for a TLS library and decides where to probe it. Needs no privilege and no kernel.
 */
#ifndef SONDE_LOAD_TLS_BIN_H
#define SONDE_LOAD_TLS_BIN_H

#include "load/tls.h"

/**
 * tls_bin_openssl, tls_bin_gnutls - find the library's functions in a file
 *
 * Return 1 and fill @bin (all but path) if it is there, 0 if it is not. @bin->err is set if none of its functions that move
 * data can be probed.
 */
int tls_bin_openssl(struct sonde_elf *elf, struct sonde_tls_bin *bin);
int tls_bin_gnutls(struct sonde_elf *elf, struct sonde_tls_bin *bin);

/** tls_bin_go - the same of Go's crypto/tls; @fd: the file behind @elf */
int tls_bin_go(struct sonde_elf *elf, int fd, struct sonde_tls_bin *bin);

#endif /* SONDE_LOAD_TLS_BIN_H */
