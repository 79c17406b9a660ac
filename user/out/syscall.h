/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * syscall.h - prints system calls.
 */
#ifndef SONDE_OUT_SYSCALL_H
#define SONDE_OUT_SYSCALL_H

#include <stdbool.h>

#include "sonde/syscall.h"

struct sonde_buf;
struct sonde_out_opts;
struct sonde_json;
struct sonde_snapshot;

/** struct sonde_syscall_line - what sonde_syscall_line() needs beside the event */
struct sonde_syscall_line {
	const char *process;
	u64 mono_to_unix_ns;
};

/** sonde_syscall_line - one slow call (struct sonde_event_syscall) with its arguments; @ctx: struct sonde_syscall_line */
void sonde_syscall_line(const void *event, const void *ctx, bool people, const struct sonde_out_opts *opts,
			struct sonde_buf *buf);

/** sonde_syscall_call_text - "openat(AT_FDCWD, "/etc/passwd", 0x80000)"; @file may be NULL */
void sonde_syscall_call_text(struct sonde_buf *buf, u32 nr, const u64 arg[6], const struct sonde_file *file);

/** sonde_syscalls_json - the document's members */
void sonde_syscalls_json(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			 const struct sonde_out_opts *opts);

#endif /* SONDE_OUT_SYSCALL_H */
