// SPDX-License-Identifier: GPL-2.0-only
/* test_cgroup.c - control groups of both versions: mounts, paths, limits, and whole trees of files as containers have them. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/cgroup.h"
#include "model/cgroup.h"
#include "unit.h"

#define V1_LINE "33 24 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:11 - cgroup cgroup rw,cpu,cpuacct\n"
#define V2_LINE "42 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

static void mounts(void **state)
{
	struct sonde_cgroup_mount m;
	char line[2048];

	assert_true(sonde_cgroup_mount(&m, V1_LINE));
	assert_int_equal(m.version, SONDE_CGROUP_V1);
	assert_string_equal(m.root, "/");
	assert_string_equal(m.point, "/sys/fs/cgroup/cpu,cpuacct");
	assert_true(sonde_cgroup_mount(&m, V2_LINE));
	assert_int_equal(m.version, SONDE_CGROUP_V2);
	assert_true(sonde_cgroup_mount(&m, "9 8 0:2 /docker/a\\040b /mnt/c\\134d rw - cgroup none rw,cpuacct,cpu"));
	assert_string_equal(m.root, "/docker/a b");
	assert_string_equal(m.point, "/mnt/c\\d");
	assert_true(sonde_cgroup_mount(&m, "9 8 0:2 / /a\\!23\\779\\040 rw - cgroup none rw,cpu")); /* no blank or backslash is written so */
	assert_string_equal(m.point, "/a\\!23\\779 ");
	/* another controller, cpuset among them; no control groups; no line of this kind */
	assert_false(sonde_cgroup_mount(&m, "9 8 0:2 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"));
	assert_false(sonde_cgroup_mount(&m, "9 8 0:2 / /sys/fs/cgroup/acct rw - cgroup cgroup rw,cpuacct\n"));
	assert_false(sonde_cgroup_mount(&m, "9 8 0:2 / / rw - ext4 /dev/vda rw,cpu\n"));
	assert_false(sonde_cgroup_mount(&m, "9 8 0:2 / / rw\n"));
	assert_false(sonde_cgroup_mount(&m, ""));
	snprintf(line, sizeof(line), "9 8 0:2 / /%0600d rw - cgroup2 none rw\n", 0);
	assert_false(sonde_cgroup_mount(&m, line)); /* a name that finds no room is not cut */
	(void)state;
}

static void paths(void **state)
{
	static const char text[] =
		"12:cpuset:/set\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/init\n0::/user.slice/x\n";
	struct sonde_cgroup_mount all = { .root = "/" }, container = { .root = "/docker/abc" };
	const char *path;
	size_t len;

	path = sonde_cgroup_path(text, SONDE_CGROUP_V1, &len);
	assert_int_equal(len, 11);
	assert_memory_equal(path, "/docker/abc\n", 12);
	assert_ptr_equal(sonde_cgroup_below(&all, path, &len), path);
	assert_int_equal(len, 11);
	assert_ptr_equal(sonde_cgroup_below(&container, path, &len), path + 11);
	assert_int_equal(len, 0);
	path = sonde_cgroup_path(text, SONDE_CGROUP_V2, &len);
	assert_int_equal(len, 13);
	assert_memory_equal(path, "/user.slice/x\n", 14);
	assert_null(sonde_cgroup_below(&container, path, &len));
	assert_null(sonde_cgroup_path("4:cpuset:/a\n0:cpuset:/b\n", SONDE_CGROUP_V1, &len));
	assert_null(sonde_cgroup_path("4:cpuset:/a\n10::/b\n", SONDE_CGROUP_V2, &len));
	assert_null(sonde_cgroup_path("", SONDE_CGROUP_V2, &len));
	assert_null(sonde_cgroup_path("4\n4:cpu\n", SONDE_CGROUP_V1, &len));
	len = 12;
	assert_null(sonde_cgroup_below(&container, "/docker/abcd", &len)); /* another one */
	len = 5;
	assert_null(sonde_cgroup_below(&all, "/../b", &len));
	len = 1;
	assert_non_null(sonde_cgroup_below(&all, "/", &len));
	assert_int_equal(len, 0);
	(void)state;
}

static void limits(void **state)
{
	assert_int_equal(sonde_cgroup_max("max 100000\n"), 0);
	assert_int_equal(sonde_cgroup_max("50000 100000\n"), 500);
	assert_int_equal(sonde_cgroup_max("250000 100000\n"), 2500);
	assert_int_equal(sonde_cgroup_max("1 1000000\n"), 1);
	assert_int_equal(sonde_cgroup_max("50000"), 0);
	assert_int_equal(sonde_cgroup_max(""), 0);
	assert_int_equal(sonde_cgroup_max("99999999999999999999 1\n"), 0);
	assert_int_equal(sonde_cgroup_quota("-1\n", "100000\n"), 0);
	assert_int_equal(sonde_cgroup_quota("150000\n", "100000\n"), 1500);
	assert_int_equal(sonde_cgroup_quota("10000\n", "0\n"), 0);
	assert_int_equal(sonde_cgroup_quota("x", ""), 0);
	(void)state;
}

static char top[] = "/tmp/sonde-cgroup.XXXXXX";

/* Makes the file and the directories that it lies in. */
static void put(const char *path, const char *text)
{
	char file[512];
	FILE *out;

	snprintf(file, sizeof(file), "%s%s", top, path);
	for (char *at = file + sizeof(top); (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(file, 0755);
		*at = '/';
	}
	out = fopen(file, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static u32 limit_of(u32 pid)
{
	struct sonde_cgroups *cgroups = sonde_cgroups_new(top);
	u32 limit;

	assert_non_null(cgroups);
	limit = sonde_cgroups_cpu_limit(cgroups, pid);
	sonde_cgroups_free(cgroups);
	return limit;
}

static int clear_tree(void **state)
{
	char line[128];

	snprintf(line, sizeof(line), "rm -rf %s", top);
	(void)state;
	return system(line);
}

static int make_tree(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

#define V1 "/sys/fs/cgroup/cpu,cpuacct"

/* As Docker has it under version 1, where systemd keeps a version 2 beside it that limits nothing. */
static void tree_v1(void **state)
{
	put("/proc/self/mountinfo", "42 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" V1_LINE
				    "50 24 0:29 /docker/abc /mnt/same rw - cgroup cgroup rw,cpu,cpuacct\n");
	put("/proc/7/cgroup", "4:cpu,cpuacct:/docker/abc/worker\n0::/docker/abc\n");
	put(V1 "/docker/abc/cpu.cfs_quota_us", "150000\n");
	put(V1 "/docker/abc/cpu.cfs_period_us", "100000\n");
	put(V1 "/docker/abc/worker/cpu.cfs_quota_us", "-1\n");
	put(V1 "/docker/abc/worker/cpu.cfs_period_us", "100000\n");
	assert_int_equal(limit_of(7), 1500); /* of the group above */
	put(V1 "/docker/abc/worker/cpu.cfs_quota_us", "20000\n");
	assert_int_equal(limit_of(7), 200);
	put(V1 "/docker/abc/worker/cpu.cfs_quota_us", "900000\n");
	assert_int_equal(limit_of(7), 1500); /* the least of all */
	put("/proc/8/cgroup", "4:cpu,cpuacct:/\n0::/\n");
	assert_int_equal(limit_of(8), 0);
	put("/proc/9/cgroup", "");
	assert_int_equal(limit_of(9), 0);
	assert_int_equal(limit_of(10), 0); /* gone */
	(void)state;
}

/* Inside of that container, where the runtime mounts its group over the hierarchy's place. */
static void tree_inside(void **state)
{
	put("/proc/self/mountinfo",
	    "33 24 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n");
	put("/proc/7/cgroup", "4:cpu,cpuacct:/docker/abc\n");
	put(V1 "/cpu.cfs_quota_us", "50000\n");
	put(V1 "/cpu.cfs_period_us", "100000\n");
	assert_int_equal(limit_of(7), 500);
	put("/proc/7/cgroup", "4:cpu,cpuacct:/docker/other\n");
	assert_int_equal(limit_of(7), 0);
	(void)state;
}

static void tree_v2(void **state)
{
	put("/proc/self/mountinfo", V2_LINE);
	put("/proc/7/cgroup", "0::/a/b\n");
	put("/sys/fs/cgroup/a/cpu.max", "30000 100000\n");
	put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	assert_int_equal(limit_of(7), 300);
	put("/proc/8/cgroup", "0::/\n"); /* in a container with groups of its own */
	put("/sys/fs/cgroup/cpu.max", "70000 100000\n");
	assert_int_equal(limit_of(8), 700);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts),  cmocka_unit_test(paths),	  cmocka_unit_test(limits),
		cmocka_unit_test(tree_v1), cmocka_unit_test(tree_inside), cmocka_unit_test(tree_v2),
	};

	return cmocka_run_group_tests(tests, make_tree, clear_tree);
}
