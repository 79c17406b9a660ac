// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_maps.c - lines of /proc/PID/maps, own mappings, the database file of a process, SQLite's result codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"
#include "load/maps.h"
#include "load/sqlite_file.h"
#include "sonde/sqlite.h"

static bool parse(const char *text, struct sonde_mapping *m)
{
	static char line[512];

	snprintf(line, sizeof(line), "%s", text);
	return sonde_maps_parse(line, m);
}

static void test_lines(void **state)
{
	struct sonde_mapping m;

	assert_true(parse("7f0010000000-7f0010002000 r-xp 00001000 fe:01 4711                       /usr/lib/a b.so\n",
			  &m));
	assert_true(m.start == 0x7f0010000000 && m.end == 0x7f0010002000 && m.offset == 0x1000);
	assert_true(m.inode == 4711 && m.dev == (0xfeULL << 20 | 1));
	assert_string_equal(m.path, "/usr/lib/a b.so");
	assert_false(m.deleted);
	assert_true(parse("1000-2000 r-xp 00000000 00:2b 5 /tmp/app (deleted)\n", &m));
	assert_true(m.deleted);
	assert_string_equal(m.path, "/tmp/app");
	assert_true(parse("1000-2000 --xp 00000000 00:2b 5 / (deleted)", &m));
}

static void test_lines_of_no_interest(void **state)
{
	struct sonde_mapping m;

	assert_false(parse("1000-2000 r--p 00000000 fe:01 4711 /usr/lib/a.so\n", &m));
	assert_false(parse("1000-2000 r-xp 00000000 00:00 0 [vdso]\n", &m));
	assert_false(parse("1000-2000 r-xp 00000000 00:00 0\n", &m));
	assert_false(parse("1000-2000 r-xp 00000000 00:0e 99 anon_inode:[perf_event]\n", &m));
	assert_false(parse("1000-2000 r-xp 00000000 fe:01 4711", &m));
	assert_false(parse("", &m));
	assert_false(parse("rubbish", &m));
}

static int find_self(void *ctx, pid_t pid, const struct sonde_mapping *m)
{
	char own[PATH_MAX] = "";
	struct stat a, b;
	int fd;

	if (readlink("/proc/self/exe", own, sizeof(own) - 1) < 0 || strcmp(own, m->path))
		return 0;
	fd = sonde_maps_open(pid, m);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(stat(own, &b), 0); /* under an emulator that link leads to it, not to what it runs */
	assert_true(a.st_ino == b.st_ino);
	close(fd);
	return 42;
}

static int is_self(void *ctx, pid_t pid)
{
	return pid == getpid() ? 7 : 0;
}

static void test_own_process(void **state)
{
	assert_int_equal(sonde_maps_each(getpid(), find_self, NULL), 42);
	assert_true(sonde_maps_each(INT_MAX, find_self, NULL) < 0);
	assert_int_equal(sonde_processes_each(is_self, NULL), 7);
	assert_true(sonde_process_start(getpid()) > 0);
	assert_true(sonde_process_start(INT_MAX) == 0);
}

static int make_file(char *path, const char *head)
{
	char bytes[64] = "";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	snprintf(bytes, sizeof(bytes), "%s", head);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	return fd;
}

static void test_database_file(void **state)
{
	char one[] = "/tmp/sonde-test-XXXXXX", two[] = "/tmp/sonde-test-XXXXXX", other[] = "/tmp/sonde-test-XXXXXX";
	char path[PATH_MAX], cut[8];
	int fd1, fd2, again, fd3;

	fd3 = make_file(other, "SQLite format 4");
	assert_false(sqlite_file_find(getpid(), path, sizeof(path)));
	fd1 = make_file(one, "SQLite format 3");
	again = dup(fd1);
	assert_true(sqlite_file_find(getpid(), path, sizeof(path)));
	assert_string_equal(path, one);
	assert_true(sqlite_file_find(getpid(), cut, sizeof(cut)));
	assert_int_equal(strlen(cut), sizeof(cut) - 1);
	fd2 = make_file(two, "SQLite format 3");
	assert_false(sqlite_file_find(getpid(), path, sizeof(path)));
	close(fd1);
	close(again);
	assert_true(sqlite_file_find(getpid(), path, sizeof(path)));
	assert_string_equal(path, two);
	close(fd2);
	close(fd3);
	unlink(one);
	unlink(two);
	unlink(other);
	assert_false(sqlite_file_find(INT_MAX, path, sizeof(path)));
}

static void test_result_codes(void **state)
{
	u64 packed;

	packed = sonde_sqlite_state(2067); /* SQLITE_CONSTRAINT_UNIQUE */
	assert_memory_equal(&packed, "19\0\0\0\0\0", 8);
	packed = sonde_sqlite_state(5);
	assert_memory_equal(&packed, "5\0\0\0\0\0\0", 8);
	packed = sonde_sqlite_state(101);
	assert_memory_equal(&packed, "101\0\0\0\0", 8);
	assert_int_equal(sonde_sqlite_error_class(2067), SONDE_ERR_CONSTRAINT);
	assert_int_equal(sonde_sqlite_error_class(517), SONDE_ERR_ROLLBACK); /* SQLITE_BUSY_SNAPSHOT */
	assert_int_equal(sonde_sqlite_error_class(9), SONDE_ERR_CANCEL);
	assert_int_equal(sonde_sqlite_error_class(13), SONDE_ERR_RESOURCE);
	assert_int_equal(sonde_sqlite_error_class(1), SONDE_ERR_OTHER);
	for (u32 rc = 0; rc < 4096; rc++)
		assert_true(sonde_sqlite_error_class(rc) < SONDE_ERR_CLASSES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	     cmocka_unit_test(test_lines_of_no_interest),
		cmocka_unit_test(test_own_process),  cmocka_unit_test(test_database_file),
		cmocka_unit_test(test_result_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
