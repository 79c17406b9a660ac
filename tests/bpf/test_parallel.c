// SPDX-License-Identifier: GPL-2.0-only
/* test_parallel.c - programs that threads load are those of the object; why one is refused is told. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "load/parallel.h"
#include "load/said.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define LARGE_BYTES (4096u * 8) /* of a program that a thread loads; the stand-in has 16 */

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("loading BPF programs needs root\n");
	skip();
}

/* With these two programs only: one that a thread loads, one that libbpf does. */
static struct sonde_bpf *open_two(void)
{
	struct bpf_program *prog;
	struct sonde_bpf *skel;

	sonde_said_listen();
	sonde_parallel_begin();
	skel = sonde_bpf__open();
	assert_non_null(skel);
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.tls_return || prog == skel->progs.tls_begin);
	return skel;
}

static void assert_program(const struct bpf_program *prog, bool large)
{
	struct bpf_prog_info info = {};
	u32 len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len), 0);
	assert_string_equal(info.name, bpf_program__name(prog));
	assert_int_equal(info.type, BPF_PROG_TYPE_KPROBE);
	assert_true((info.xlated_prog_len >= LARGE_BYTES) == large);
	assert_true(info.nr_map_ids > 0);
	assert_true(info.nr_func_info > 0);
	assert_true(info.nr_line_info > 0);
}

static void test_loads(void **state)
{
	struct sonde_bpf *skel;

	need_root();
	for (int round = 0; round < 2; round++) { /* an object of the same program opens again */
		skel = open_two();
		assert_int_equal(sonde_bpf__load(skel), 0);
		assert_int_equal(sonde_parallel_end(true), 0);
		assert_program(skel->progs.tls_return, true);
		assert_program(skel->progs.tls_begin, false);
		sonde_bpf__destroy(skel);
	}
	assert_string_equal(sonde_said_libbpf(), "");
}

/* Without a map that it needs. */
static void test_refused(void **state)
{
	struct sonde_bpf *skel;

	need_root();
	skel = open_two();
	bpf_map__set_autocreate(skel->maps.tls_conns, false);
	assert_int_equal(sonde_bpf__load(skel), 0);
	assert_true(sonde_parallel_end(true) < 0);
	assert_non_null(strstr(sonde_said_libbpf(), "'tls_return'"));
	assert_non_null(strstr(sonde_said_verifier(), "invalid func"));
	sonde_bpf__destroy(skel);
}

/* libbpf itself fails: what threads have loaded goes. */
static void test_given_up(void **state)
{
	struct sonde_bpf *skel;

	need_root();
	skel = open_two();
	bpf_map__set_autocreate(skel->maps.tls_threads, false); /* both need it */
	assert_true(sonde_bpf__load(skel) < 0);
	assert_int_equal(sonde_parallel_end(false), 0);
	assert_non_null(strstr(sonde_said_libbpf(), "'tls_begin'"));
	sonde_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
