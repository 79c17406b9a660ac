/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox.h - what a tracing run gives up once everything is attached: it reads what hostile programs chose, and was started
 * with a great deal of privilege.
 */
#ifndef SONDE_CMD_SANDBOX_H
#define SONDE_CMD_SANDBOX_H

#include <stdbool.h>

struct sonde_load;

/**
 * struct sonde_sandbox - what the rest of the run still has to do
 * @file: of --output (NULL: none)
 * @program: a program was started, to which signals are passed on
 * @terminal: keys are read, and the modes of the terminal are set
 * @standby: sources that stand by are attached and detached
 * @explain: a database is connected to at the end
 */
struct sonde_sandbox {
	const char *file;
	bool program;
	bool terminal;
	bool standby;
	bool explain;
};

/**
 * sonde_sandbox_enter - keep the capabilities that new processes, their libraries and @sandbox still need, set no_new_privs, and
 * allow only the system calls of syscall.def
 *
 * Another system call is not made: it fails with EPERM and is told on stderr, each number once. What this kernel does not
 * offer is left out, with a warning.
 */
void sonde_sandbox_enter(const struct sonde_sandbox *sandbox, const struct sonde_load *load);

/** sonde_sandbox_limit - take no more memory than a tracer may, whatever hostile files make us read */
void sonde_sandbox_limit(void);

/** sonde_sandbox_traced - tracing is over: keep what the report needs */
void sonde_sandbox_traced(const struct sonde_sandbox *sandbox);

#endif /* SONDE_CMD_SANDBOX_H */
