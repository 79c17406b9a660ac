// SPDX-License-Identifier: GPL-2.0-only
/* test_sql.c - the SQL normaliser gives the same result in the kernel as outside, byte for byte. Needs root. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "../fuzz/sql_mutate.h"
#include "sonde/config.h"
#include "sonde.skel.h"
#include "sonde/proto.h"
#include "sonde/sql_core.h"

#define NR_MUTATED 10000
#define INSNS_MAX 500000 /* half of what the verifier allows */

struct test_sql_args {
	u32 pos, len, flags, repeat;
	u32 tail_pos, tail_len;
};

static struct sonde_bpf *skel;
static int prog_fd, nr_cpus;
static u8 *windows, *states;
static char verifier_log[1 << 16];

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

static int setup(void **state)
{
	struct bpf_program *p;

	if (geteuid() != 0)
		return 0;
	libbpf_set_print(quiet);
	skel = sonde_bpf__open();
	if (!skel)
		return -1;
	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, p == skel->progs.test_sql);
	bpf_program__set_log_level(skel->progs.test_sql, 4);
	bpf_program__set_log_buf(skel->progs.test_sql, verifier_log, sizeof(verifier_log));
	if (sonde_bpf__load(skel)) {
		print_message("the verifier says: %s\n", verifier_log);
		return -1;
	}
	prog_fd = bpf_program__fd(skel->progs.test_sql);
	nr_cpus = libbpf_num_possible_cpus();
	windows = calloc(nr_cpus, sizeof(struct sonde_win));
	states = calloc(nr_cpus, (sizeof(struct sonde_sql) + 7) & ~7u);
	return windows && states ? 0 : -1;
}

static int teardown(void **state)
{
	free(windows);
	free(states);
	sonde_bpf__destroy(skel);
	return 0;
}

static void need_root(void)
{
	if (!skel) {
		print_message("not root\n");
		skip();
	}
}

/* Runs the kernel's normaliser @repeat times; returns nanoseconds of all. */
static u64 run(const char *sql, u32 len, u32 pos, u32 flags, u32 repeat)
{
	struct test_sql_args args = { pos, len, flags, repeat, 0, 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args, .ctx_size_in = sizeof(args));
	struct timespec t0, t1;
	u32 slot = 0;

	for (int i = 0; i < nr_cpus; i++)
		memcpy(windows + i * sizeof(struct sonde_win) + pos, sql, len);
	memset(states, 0, nr_cpus * ((sizeof(struct sonde_sql) + 7) & ~7u));
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.win), &slot, windows, BPF_ANY), 0);
	/* Nothing may depend on what an earlier statement left, but the result is found by its id. */
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.sql), &slot, states, BPF_ANY), 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_int_equal((int)opts.retval, 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.sql), &slot, states), 0);
	return (t1.tv_sec - t0.tv_sec) * 1000000000ULL + t1.tv_nsec - t0.tv_nsec;
}

static const struct sonde_sql *result(void)
{
	for (int i = 0; i < nr_cpus; i++) {
		const struct sonde_sql *s = (void *)(states + i * ((sizeof(struct sonde_sql) + 7) & ~7u));

		if (s->id)
			return s;
	}
	fail_msg("no result on any CPU");
	return NULL;
}

/* One statement both ways. @pos: where it lies in the window. */
static void check(const char *sql, u32 len, u32 pos, u32 flags)
{
	static struct sonde_sql native;
	const struct sonde_sql *kernel;

	if (len > SONDE_WIN_BYTES - pos)
		len = SONDE_WIN_BYTES - pos;
	run(sql, len, pos, flags, 1);
	kernel = result();
	memset(&native, 0xa5, sizeof(native));
	sonde_sql_normalise(&native, (const u8 *)sql, len, flags);
	if (native.id == kernel->id && native.literals == kernel->literals && native.text_len == kernel->text_len &&
	    !memcmp(native.text, kernel->text, native.text_len) && native.flags == kernel->flags &&
	    native.end + pos == kernel->end && native.verb == kernel->verb && native.done == kernel->done &&
	    native.com_len == kernel->com_len && (!native.com_len || native.com_pos + pos == kernel->com_pos))
		return;
	fail_msg("flags %u [%.*s]\n  native [%.*s]\n  kernel [%.*s]", flags, (int)len, sql, (int)native.text_len,
		 (const char *)native.text, (int)kernel->text_len, (const char *)kernel->text);
}

static void test_cases(void **state)
{
	need_root();
	for (size_t i = 0; i < NR_SQL_CASES; i++) {
		check(sql_cases[i].sql, strlen(sql_cases[i].sql), i % 100, sql_cases[i].dialect);
		check(sql_cases[i].sql, strlen(sql_cases[i].sql), 0, sql_cases[i].dialect | SONDE_SQL_CUT);
	}
}

static void test_mutated(void **state)
{
	static char sql[MUTATE_MAX + 1];
	struct sql_random r = { 20240131 };

	need_root();
	for (int i = 0; i < NR_MUTATED; i++) {
		u32 n = i % 4 ? sql_mutate(&r, sql) : sql_planted(r, &r, i / 4 % 3, sql);

		check(sql, n, sql_random(&r, 200), sql_random(&r, 3) | (sql_random(&r, 16) ? 0 : SONDE_SQL_CUT));
	}
}

static void test_corpus(void **state)
{
	static const char dir[] = "tests/fuzz/corpus/sql";
	static char data[SONDE_WIN_BYTES + 1];
	struct dirent *entry;
	char path[512];
	int nr = 0;
	DIR *d;

	need_root();
	d = opendir(dir);
	if (!d) {
		print_message("no %s here\n", dir);
		skip();
	}
	while ((entry = readdir(d))) {
		FILE *f;
		size_t n;

		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] == '.' || !(f = fopen(path, "rb")))
			continue;
		n = fread(data, 1, sizeof(data), f);
		fclose(f);
		if (n)
			check(data + 1, n - 1, 0, (u8)data[0] % 3 | (data[0] & 0x80 ? SONDE_SQL_CUT : 0));
		nr++;
	}
	closedir(d);
	assert_true(nr > 0);
}

static void test_bad_ranges(void **state)
{
	struct test_sql_args args[] = { { 0, SONDE_WIN_BYTES + 1, 0, 1 },
					{ SONDE_WIN_BYTES + 1, 0, 0, 1 },
					{ 8000, 193, 0, 1 } };

	need_root();
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args[i], .ctx_size_in = sizeof(args[i]));

		assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
		assert_int_equal((int)opts.retval, -1);
	}
}

static void test_tail(void **state)
{
	static const char *const tails[] = { "x /*a='b'*/",	     "x /*a='b'*/ ;\n", "x /*a*/", "/*a=b*/ x",
					     "/*a=b*/ x /* c:d */ ", "a=b */",		"/*a=b",   "x /*a=b /*c=d*/" };

	need_root();
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct test_sql_args args = { 0, 0, 0, 1, 700, strlen(tails[i]) };
		LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args, .ctx_size_in = sizeof(args));
		static struct sonde_sql native;
		u32 slot = 0, want;

		run(tails[i], strlen(tails[i]), 700, 0, 1); /* fills the window */
		assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.sql), &slot, states), 0);
		sonde_sql_normalise(&native, (const u8 *)"", 0, 0);
		want = sonde_sql_tail(&native, (const u8 *)tails[i], strlen(tails[i]));
		assert_int_equal(opts.retval, want);
		if (want) {
			assert_int_equal(result()->com_pos, native.com_pos + 700);
			assert_int_equal(result()->com_len, native.com_len);
		}
	}
}

/* What it costs, for people; the verifier's share is a limit. */
static void test_cost(void **state)
{
	static const char typical[] = "SELECT a, b FROM users WHERE id = 42 AND name = 'Joe' LIMIT 10";
	static char longest[4097];
	const char *processed;
	u64 best = ~0ULL, best_long = ~0ULL, ns;
	unsigned long insns;
	size_t n = 0;

	need_root();
	while (n < 4000)
		n += sprintf(longest + n, "%s, f(b.c) ", n ? "a = 'hello'" : "SELECT a");
	for (int i = 0; i < 50; i++) {
		ns = run(typical, sizeof(typical) - 1, 5, SONDE_SQL_MYSQL, 1000) / 1000;
		best = ns < best ? ns : best;
		ns = run(longest, n, 5, SONDE_SQL_MYSQL, 20) / 20;
		best_long = ns < best_long ? ns : best_long;
	}
	processed = strstr(verifier_log, "processed ");
	assert_non_null(processed);
	insns = strtoul(processed + strlen("processed "), NULL, 10);
	print_message("%zu bytes: %llu ns; %zu bytes: %llu ns; verifier: %lu instructions\n", sizeof(typical) - 1,
		      (unsigned long long)best, n, (unsigned long long)best_long, insns);
	assert_true(insns < INSNS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),	   cmocka_unit_test(test_mutated), cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_bad_ranges), cmocka_unit_test(test_tail),	   cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
