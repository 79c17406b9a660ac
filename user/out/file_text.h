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

#endif /* SONDE_OUT_FILE_TEXT_H */
