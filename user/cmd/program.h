/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * program.h - the program that is started to be traced, and the processes that are traced already.
 */
#ifndef SONDE_CMD_PROGRAM_H
#define SONDE_CMD_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * struct sonde_program - a child process that waits before its exec until it is traced
 * @pid: 0: there is none
 * @status: of waitpid(), once @ended
 */
struct sonde_program {
	pid_t pid;
	const char *name;
	int go; /* pipe that the child waits on */
	int failed; /* pipe that brings the errno of its exec */
	bool ended;
	int status;
};

/**
 * sonde_program_fork - make the child that will become @argv; 0 or -errno
 * @env: what its environment gets, "NAME=VALUE", NULL at the end (NULL: nothing)
 */
int sonde_program_fork(struct sonde_program *program, char **argv, char *const *env);

/** sonde_program_exec - let it go; 0, or the -errno that its exec failed with */
int sonde_program_exec(struct sonde_program *program);

/** sonde_program_ended - look whether it has ended; /proc has it until it is reaped */
bool sonde_program_ended(struct sonde_program *program);

/** sonde_program_reap - let go of it if it has ended */
void sonde_program_reap(const struct sonde_program *program);

/** sonde_program_tell - one line on stderr if it ended otherwise than with exit code 0, or still runs */
void sonde_program_tell(const struct sonde_program *program);

/** sonde_program_abandon - end a child that has not been let go */
void sonde_program_abandon(struct sonde_program *program);

/** struct sonde_watch - processes whose end is waited for */
struct sonde_watch {
	const pid_t *pid;
	int *fd; /* pidfd; -1: none, -2: ended */
	size_t nr;
};

/** sonde_watch_open - check that all of @pids exist (says which does not) and watch them; 0 or -errno */
int sonde_watch_open(struct sonde_watch *watch, const pid_t *pids, size_t nr);

/** sonde_watch_all_ended - whether there was something to watch and nothing of it is left; notes each end */
bool sonde_watch_all_ended(struct sonde_watch *watch);

void sonde_watch_close(struct sonde_watch *watch);

#endif /* SONDE_CMD_PROGRAM_H */
