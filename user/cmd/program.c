// SPDX-License-Identifier: GPL-2.0-only
/*
 * program.c - the program that is started to be traced, and the processes that are traced already.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/program.h"
#include "cmd/signals.h"

static void child(int go, int failed, char **argv, char *const *env)
{
	char byte;
	int err;

	sonde_signals_restore();
	/* Nothing to read: sonde gave up. */
	if (read(go, &byte, 1) != 1)
		_exit(127);
	for (; env && *env; env++)
		putenv(*env);
	execvp(argv[0], argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int sonde_program_fork(struct sonde_program *program, char **argv, char *const *env)
{
	int go[2], failed[2], err;

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failed, O_CLOEXEC)) {
		err = -errno;
		goto err_go;
	}
	program->pid = fork();
	if (program->pid < 0) {
		err = -errno;
		goto err_failed;
	}
	if (!program->pid) {
		close(go[1]);
		close(failed[0]);
		child(go[0], failed[1], argv, env);
	}
	close(go[0]);
	close(failed[1]);
	program->go = go[1];
	program->failed = failed[0];
	program->name = argv[0];
	program->ended = false;
	return 0;

err_failed:
	program->pid = 0;
	close(failed[0]);
	close(failed[1]);
err_go:
	close(go[0]);
	close(go[1]);
	return err;
}

int sonde_program_exec(struct sonde_program *program)
{
	int err = 0;
	ssize_t n;

	/* Fails only if the child is gone: seen below. */
	if (write(program->go, "g", 1) < 0)
		err = errno;
	close(program->go);
	do {
		n = read(program->failed, &err, sizeof(err)); /* the end of file is the exec */
	} while (n < 0 && errno == EINTR);
	close(program->failed);
	if (!err)
		return 0;
	waitpid(program->pid, &program->status, 0);
	program->ended = true;
	return -err;
}

bool sonde_program_ended(struct sonde_program *program)
{
	siginfo_t info = {};

	if (program->ended || !program->pid)
		return program->ended;
	if (waitid(P_PID, (id_t)program->pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid != program->pid)
		return false;
	program->status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
	program->ended = true;
	return true;
}

void sonde_program_reap(const struct sonde_program *program)
{
	if (program->ended && program->pid)
		waitpid(program->pid, NULL, WNOHANG);
}

void sonde_program_tell(const struct sonde_program *program)
{
	if (!program->pid)
		return;
	if (!program->ended)
		sonde_note("%s (process %d) still runs", program->name, program->pid);
	else if (WIFSIGNALED(program->status))
		sonde_note("%s was ended by signal %d (%s)", program->name, WTERMSIG(program->status),
			   strsignal(WTERMSIG(program->status)));
	else if (WEXITSTATUS(program->status))
		sonde_note("%s ended with exit code %d", program->name, WEXITSTATUS(program->status));
}

void sonde_program_abandon(struct sonde_program *program)
{
	if (!program->pid)
		return;
	close(program->go);
	close(program->failed);
	waitpid(program->pid, &program->status, 0);
	program->pid = 0;
}

/* The process that thread @pid belongs to, or 0. */
static pid_t process_of(pid_t pid)
{
	char path[64], line[256];
	int tgid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (!tgid && fgets(line, sizeof(line), file))
		if (!strncmp(line, "Tgid:", 5))
			tgid = (int)strtol(line + 5, NULL, 10);
	fclose(file);
	return tgid;
}

int sonde_watch_open(struct sonde_watch *watch, const pid_t *pids, size_t nr)
{
	pid_t process;

	*watch = (struct sonde_watch){ .pid = pids, .nr = nr };
	if (!nr)
		return 0;
	watch->fd = malloc(nr * sizeof(*watch->fd));
	if (!watch->fd) {
		watch->nr = 0;
		sonde_error("out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < nr; i++)
		watch->fd[i] = -1;
	for (size_t i = 0; i < nr; i++) {
		if (kill(pids[i], 0) && errno == ESRCH) {
			sonde_error("no process %d", pids[i]);
			return -ESRCH;
		}
		process = process_of(pids[i]);
		if (process && process != pids[i]) {
			sonde_error("%d is a thread of process %d: give that to -p", pids[i], process);
			return -ESRCH;
		}
		/* Before Linux 5.3 there is none; kill() tells then, too late for a pid that is used again. */
		watch->fd[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
		if (watch->fd[i] < 0)
			watch->fd[i] = -1;
	}
	return 0;
}

static bool ended(struct sonde_watch *watch, size_t i)
{
	struct pollfd pfd = { .fd = watch->fd[i], .events = POLLIN };

	if (watch->fd[i] == -2)
		return true;
	if (watch->fd[i] >= 0 ? poll(&pfd, 1, 0) <= 0 : !kill(watch->pid[i], 0) || errno != ESRCH)
		return false;
	if (watch->fd[i] >= 0)
		close(watch->fd[i]);
	watch->fd[i] = -2;
	sonde_note("process %d ended", watch->pid[i]);
	return true;
}

bool sonde_watch_all_ended(struct sonde_watch *watch)
{
	size_t nr = 0;

	for (size_t i = 0; i < watch->nr; i++)
		nr += ended(watch, i);
	return watch->nr && nr == watch->nr;
}

void sonde_watch_close(struct sonde_watch *watch)
{
	for (size_t i = 0; i < watch->nr; i++)
		if (watch->fd[i] >= 0)
			close(watch->fd[i]);
	free(watch->fd);
	*watch = (struct sonde_watch){};
}
