/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file_text.h - what a file descriptor stands for, in words.
 */
#ifndef SONDE_OUT_FILE_TEXT_H
#define SONDE_OUT_FILE_TEXT_H

#include "sonde/file.h"

struct sonde_buf;

/** sonde_file_text - "/var/log/syslog", ".../a/b" when its beginning is not known, "10.0.0.1:40100->10.0.0.2:5432", "unix:/run/x" */
void sonde_file_text(struct sonde_buf *buf, const struct sonde_file *file);

/** sonde_address_text - append "127.0.0.1:80" or "[::1]:80"; without a port (0) the address alone */
void sonde_address_text(struct sonde_buf *buf, u16 family, const u8 addr[16], u16 port);

#endif /* SONDE_OUT_FILE_TEXT_H */
