/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sym_target.h - compiling and running sym_target.c, and what it says of its own stack.
 */
#ifndef TESTS_SYM_TARGET_H
#define TESTS_SYM_TARGET_H

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sym/sym.h"
#include "unit.h"

#define TARGET_MAX 32

/** struct target - a running sym_target: @ip its stack, @function and @line the calls in it, innermost first */
struct target {
	pid_t pid;
	int in;
	u64 ip[TARGET_MAX];
	size_t nr_ip;
	char function[TARGET_MAX][64];
	int line[TARGET_MAX];
	size_t nr_calls;
};

static char target_dir[PATH_MAX / 4];

/* Runs a shell command in the directory of the test; 0 if it succeeds. */
static inline int target_shell(const char *format, ...)
{
	char command[4 * PATH_MAX];
	va_list ap;
	int len = snprintf(command, sizeof(command), "cd %s && ", target_dir);

	va_start(ap, format);
	vsnprintf(command + len, sizeof(command) - len, format, ap);
	va_end(ap);
	return system(command);
}

static inline int target_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(target_dir, sizeof(target_dir), "%.900s/sym.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(target_dir) ? 0 : -1;
}

static inline int target_teardown(void **state)
{
	return target_shell("rm -rf %s", target_dir);
}

/* Compiles sym_target.c with @compiler (and options) as @name; false if it cannot. */
static inline bool target_build(const char *name, const char *compiler)
{
	char source[PATH_MAX];

	return realpath("tests/unit/sym_target.c", source) &&
	       !target_shell("%s -g -fno-omit-frame-pointer -o %s %s 2>%s.log", compiler, name, source, name);
}

static inline void target_read(struct target *t, FILE *from)
{
	char line[256];
	unsigned long ip;

	while (fgets(line, sizeof(line), from) && strcmp(line, "ready\n")) {
		if (sscanf(line, "ip %lx", &ip) == 1 && t->nr_ip < TARGET_MAX)
			t->ip[t->nr_ip++] = ip;
		else if (t->nr_calls < TARGET_MAX &&
			 sscanf(line, "want %63s %d", t->function[t->nr_calls], &t->line[t->nr_calls]) == 2)
			t->nr_calls++;
	}
}

/* Starts @path in a new namespace (@flags of clone()), once @enter has made @root the root directory. */
static inline void target_start_in(struct target *t, const char *path, unsigned long flags,
				   bool (*enter)(const char *root), const char *root)
{
	int in[2], out[2];
	FILE *from;

	memset(t, 0, sizeof(*t));
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	t->pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	assert_true(t->pid >= 0);
	if (!t->pid) {
		if (enter && !enter(root))
			_exit(126);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(path, path, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	t->in = in[1];
	from = fdopen(out[0], "r");
	assert_non_null(from);
	target_read(t, from);
	fclose(from);
	assert_true(t->nr_ip > 3 && t->nr_calls == 6);
}

static inline void target_start(struct target *t, const char *path)
{
	target_start_in(t, path, 0, NULL, NULL);
}

static inline void target_stop(struct target *t)
{
	int status;

	close(t->in);
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	assert_true(WIFEXITED(status));
}

/* The part of a function's name behind namespaces. */
static inline const char *target_last(const char *name)
{
	const char *colon = name ? strrchr(name, ':') : NULL;

	return colon ? colon + 1 : name ? name : "(null)";
}

#endif /* TESTS_SYM_TARGET_H */
