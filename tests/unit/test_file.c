// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_file.c - replacing a file: what is written, with which mode, and what others left in a directory for all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "unit.h"

#define OTHER 65533

static char dir[] = "/tmp/sonde-file.XXXXXX";

static const char *in(const char *name)
{
	static char path[4][256];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void holds(const char *path, const char *text)
{
	char got[64] = "";
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, text);
}

static void make(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "old", 3), 3);
	close(fd);
	assert_int_equal(chmod(path, mode), 0);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}

static void test_new_and_existing(void **state)
{
	mode_t old = umask(0);
	int fd;

	assert_int_equal(sonde_file_replace(in("new"), "text", 4), 0);
	holds(in("new"), "text");
	assert_int_equal(mode_of(in("new")), S_IFREG | 0600);
	/* Who had it open keeps what was there. */
	make(in("existing"), 0644);
	fd = open(in("existing"), O_RDWR);
	assert_int_equal(sonde_file_replace(in("existing"), "text", 4), 0);
	holds(in("existing"), "text");
	assert_int_equal(mode_of(in("existing")), S_IFREG | 0600);
	assert_int_equal(pwrite(fd, "evil", 4, 0), 4);
	close(fd);
	holds(in("existing"), "text");
	umask(old);
}

static void test_links(void **state)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY);

	make(in("target"), 0600);
	assert_int_equal(symlinkat("target", at, "relative"), 0);
	assert_int_equal(symlinkat(in("relative"), at, "absolute"), 0);
	assert_int_equal(sonde_file_replace(in("absolute"), "text", 4), 0);
	holds(in("target"), "text");
	assert_true(S_ISLNK(mode_of(in("absolute"))) && S_ISLNK(mode_of(in("relative"))));
	/* To nothing yet: that is made. */
	assert_int_equal(symlinkat("made", at, "dangling"), 0);
	assert_int_equal(sonde_file_replace(in("dangling"), "text", 4), 0);
	holds(in("made"), "text");
	assert_int_equal(symlinkat("loop", at, "loop"), 0);
	assert_int_equal(sonde_file_replace(in("loop"), "text", 4), -ELOOP);
	assert_int_equal(sonde_file_replace(dir, "text", 4), -EISDIR);
	assert_int_equal(sonde_file_replace(in("nowhere/file"), "text", 4), -ENOENT);
	close(at);
}

static void test_special(void **state)
{
	char got[8] = "";
	int fd;

	assert_int_equal(mkfifo(in("pipe"), 0600), 0);
	fd = open(in("pipe"), O_RDONLY | O_NONBLOCK);
	assert_int_equal(sonde_file_replace(in("pipe"), "text", 4), 0);
	assert_int_equal(read(fd, got, sizeof(got)), 4);
	assert_string_equal(got, "text");
	close(fd);
	assert_int_equal(sonde_file_replace("/dev/null", "text", 4), 0);
	assert_true(S_ISCHR(mode_of("/dev/null")));
}

/* As in /tmp: everybody may make names, nobody may remove another's. */
static void test_left_by_others(void **state)
{
	const char *path;
	char got;
	int fd;

	if (geteuid()) {
		print_message("needs root\n");
		skip();
	}
	assert_int_equal(mkdir(in("shared"), 0777), 0);
	assert_int_equal(chmod(in("shared"), 01777), 0);
	make(in("victim"), 0600);
	path = in("shared/link");
	assert_int_equal(symlink("../victim", path), 0);
	assert_int_equal(sonde_file_replace(path, "text", 4), 0); /* our own */
	make(in("victim"), 0600);
	assert_int_equal(lchown(path, OTHER, OTHER), 0);
	assert_int_equal(sonde_file_replace(path, "text", 4), -EACCES);
	assert_false(sonde_file_may_replace(path));
	holds(in("victim"), "old");
	/* Nor behind a link of ours. */
	assert_int_equal(symlink("shared/link", in("indirect")), 0);
	assert_int_equal(sonde_file_replace(in("indirect"), "text", 4), -EACCES);
	holds(in("victim"), "old");

	path = in("shared/pipe");
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(chown(path, OTHER, OTHER), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(sonde_file_replace(path, "text", 4), -EACCES);
	assert_int_equal(read(fd, &got, 1), 0);
	close(fd);

	path = in("shared/file");
	make(path, 0666);
	assert_int_equal(chown(path, OTHER, OTHER), 0);
	assert_true(sonde_file_may_replace(path));
	assert_int_equal(sonde_file_replace(path, "text", 4), 0);
	holds(path, "text");
	assert_int_equal(mode_of(path), S_IFREG | 0600);

	/* The owner of the directory may leave a link there. */
	assert_int_equal(chown(in("shared"), OTHER, OTHER), 0);
	assert_int_equal(sonde_file_replace(in("shared/link"), "text", 4), 0);
	holds(in("victim"), "text");
}

static int set_up(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "shared/link", "shared/pipe", "shared/file", "shared",   "indirect", "victim", "new",
					     "existing",    "target",	   "relative",	  "absolute", "dangling", "made",   "loop",
					     "pipe",	    "" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(in(names[i]));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_and_existing),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_left_by_others),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
