// SPDX-License-Identifier: GPL-2.0-only
/* test_comment.c - comments say the same in the kernel as outside, whatever they are. Needs root. */
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

#include "../fuzz/comment_mutate.h"
#include "sonde/config.h"
#include "sonde.skel.h"
#include "sonde/comment_name.h"

#define NR_MUTATED 20000
#define INSNS_MAX 50000 /* every program that reads comments takes so many more */
#define STALE 0xa5 /* fills what the kernel is to overwrite */

struct test_comment_args {
	u32 pos, len, repeat, pad;
};

static struct sonde_bpf *skel;
static int prog_fd, nr_cpus;
static u8 *windows, *results;
static const size_t result_bytes = (sizeof(struct sonde_comment) + 7) & ~7u;
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
		bpf_program__set_autoload(p, p == skel->progs.test_comment);
	bpf_program__set_log_level(skel->progs.test_comment, 4);
	bpf_program__set_log_buf(skel->progs.test_comment, verifier_log, sizeof(verifier_log));
	if (sonde_bpf__load(skel)) {
		print_message("the verifier says: %s\n", verifier_log);
		return -1;
	}
	prog_fd = bpf_program__fd(skel->progs.test_comment);
	nr_cpus = libbpf_num_possible_cpus();
	windows = calloc(nr_cpus, sizeof(struct sonde_win));
	results = calloc(nr_cpus, result_bytes);
	return windows && results ? 0 : -1;
}

static int teardown(void **state)
{
	free(windows);
	free(results);
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

/* Runs the kernel's reader @repeat times on @text at @pos; returns nanoseconds of all. */
static u64 run(const void *text, u32 len, u32 pos, u32 repeat)
{
	struct test_comment_args args = { pos, len, repeat, 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args, .ctx_size_in = sizeof(args));
	struct timespec t0, t1;
	u32 slot = 0;

	for (int i = 0; i < nr_cpus; i++)
		memcpy(windows + i * sizeof(struct sonde_win) + pos, text, len);
	memset(results, STALE, nr_cpus * result_bytes);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.win), &slot, windows, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.comment), &slot, results, BPF_ANY), 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_int_equal((int)opts.retval, 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.comment), &slot, results), 0);
	return (t1.tv_sec - t0.tv_sec) * 1000000000ULL + t1.tv_nsec - t0.tv_nsec;
}

/* That of the processor which it ran on: the others' are still stale. */
static const struct sonde_comment *result(void)
{
	for (int i = 0; i < nr_cpus; i++) {
		const struct sonde_comment *s = (void *)(results + i * result_bytes);

		if (s->name.len <= SONDE_LABEL_BYTES)
			return s;
	}
	fail_msg("no result on any CPU");
	return NULL;
}

/* One comment both ways. @pos: where it lies in the window. */
static bool check(const void *text, u32 len, u32 pos)
{
	static struct sonde_win win;
	static struct sonde_comment native;
	const struct sonde_comment *kernel;

	run(text, len, pos, 1);
	kernel = result();
	memset(&native, 0x5a, sizeof(native));
	memcpy(win.b + pos, text, len);
	sonde_comment_parse(&native, &win, pos, len);
	if (native.request != kernel->request || native.name.len != kernel->name.len ||
	    native.name.cut != kernel->name.cut || memcmp(native.name.b, kernel->name.b, native.name.len))
		fail_msg("[%.*s]\n  native %llx [%.*s]\n  kernel %llx [%.*s]", (int)len, (const char *)text,
			 (unsigned long long)native.request, (int)native.name.len, native.name.b,
			 (unsigned long long)kernel->request, (int)kernel->name.len, kernel->name.b);
	return native.request && native.name.len;
}

static void test_cases(void **state)
{
	need_root();
	for (size_t i = 0; i < NR_COMMENT_CASES; i++) {
		u32 len = strlen(comment_cases[i].text);

		check(comment_cases[i].text, len, 0);
		check(comment_cases[i].text, len, i % 100);
		check(comment_cases[i].text, len, SONDE_WIN_BYTES - len);
	}
}

static void test_mutated(void **state)
{
	static u8 text[COMMENT_MUTATE_MAX];
	u64 random = 20240131;
	u32 both = 0;

	need_root();
	for (int i = 0; i < NR_MUTATED; i++) {
		u32 len = comment_mutate(&random, text);

		both += check(text, len, comment_random(&random, SONDE_WIN_BYTES - COMMENT_MUTATE_MAX));
	}
	print_message("%d comments alike, %u with a name and an id\n", NR_MUTATED, both);
	assert_true(both > NR_MUTATED / 20);
}

static void test_bad_ranges(void **state)
{
	struct test_comment_args args[] = { { 0, SONDE_WIN_BYTES + 1, 1, 0 },
					    { SONDE_WIN_BYTES + 1, 0, 1, 0 },
					    { 8000, 193, 1, 0 },
					    { ~0u, 1, 1, 0 },
					    { 1, ~0u, 1, 0 } };

	need_root();
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args[i], .ctx_size_in = sizeof(args[i]));

		assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
		assert_int_equal((int)opts.retval, -1);
	}
}

/* What it costs, for people; the verifier's share is a limit. */
static void test_cost(void **state)
{
	static const char rails[] = "/*application:Shop,controller:orders,action:index*/";
	const char *full = comment_cases[0].text;
	u64 best_rails = ~0ULL, best_full = ~0ULL, ns;
	const char *processed;
	unsigned long insns;

	need_root();
	for (int i = 0; i < 20; i++) {
		ns = run(rails, sizeof(rails) - 1, 5, 1000) / 1000;
		best_rails = ns < best_rails ? ns : best_rails;
		ns = run(full, strlen(full), 5, 1000) / 1000;
		best_full = ns < best_full ? ns : best_full;
	}
	processed = strstr(verifier_log, "processed ");
	assert_non_null(processed);
	insns = strtoul(processed + strlen("processed "), NULL, 10);
	print_message("%zu bytes: %llu ns; %zu bytes: %llu ns; verifier: %lu instructions\n", sizeof(rails) - 1,
		      (unsigned long long)best_rails, strlen(full), (unsigned long long)best_full, insns);
	assert_true(insns < INSNS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_mutated),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
