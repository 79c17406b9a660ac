// SPDX-License-Identifier: GPL-2.0-only
/* test_usage.c - what the scheduler counts of processes: texts of /proc, sums, rows by name. */
#include "unit.h"

#include "model/usage.h"

static void schedstat(void **state)
{
	struct sonde_usage_thread t = {};

	assert_true(sonde_usage_schedstat(&t, "8993636 30361865 5\n"));
	assert_int_equal(t.cpu_ns, 8993636);
	assert_int_equal(t.queued_ns, 30361865);
	assert_false(sonde_usage_schedstat(&t, "0 0 0\n")); /* not counted by this kernel */
	assert_false(sonde_usage_schedstat(&t, ""));
	assert_false(sonde_usage_schedstat(&t, "x"));
	(void)state;
}

static void status(void **state)
{
	struct sonde_usage_thread t = {};

	assert_int_equal(sonde_usage_status(&t, "Name:\tvoluntary_ctxt_switches: 9\nCpus_allowed:\tff\n"
						"Cpus_allowed_list:\t0-3,8,10-11\nMems_allowed_list:\t0\n"
						"voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n"),
			 7);
	assert_int_equal(t.voluntary, 150);
	assert_int_equal(t.involuntary, 545);
	assert_int_equal(sonde_usage_status(&t, "Cpus_allowed_list:\t5\n"), 1);
	assert_int_equal(t.voluntary, 0);
	assert_int_equal(sonde_usage_status(&t, ""), 0);
	assert_int_equal(sonde_usage_status(&t, "Cpus_allowed_list:\t3-1\n"), 0);
	assert_int_equal(sonde_usage_status(&t, "Cpus_allowed_list:\t0-99999999999999999999,1\n"), 0);
	(void)state;
}

static void since(void **state)
{
	struct sonde_usage_thread sum = {}, before = { 100, 10, 5, 1 }, now = { 150, 10, 7, 1 }, again = { 30, 2, 1, 0 };

	sonde_usage_since(&sum, &before, &now);
	assert_int_equal(sum.cpu_ns, 50);
	assert_int_equal(sum.queued_ns, 0);
	assert_int_equal(sum.voluntary, 2);
	assert_int_equal(sum.involuntary, 0);
	sonde_usage_since(&sum, &now, &again); /* another thread */
	assert_int_equal(sum.cpu_ns, 80);
	assert_int_equal(sum.queued_ns, 2);
	(void)state;
}

static void groups(void **state)
{
	static const struct sonde_usage_proc procs[] = {
		{ .pid = 3, .nr_procs = 1, .nr_threads = 1, .nr_cpus = 2, .limit_milli = 500, .process = "w", .wall_ns = 1000, .sum = { 500, 500, 1, 2 } },
		{ .pid = 1, .nr_procs = 1, .nr_threads = 4, .nr_cpus = 4, .process = "db", .wall_ns = 1000, .sum = { 600, 0, 9, 0 } },
		{ .pid = 2, .nr_procs = 1, .nr_threads = 2, .nr_cpus = 1, .limit_milli = 700, .process = "w", .wall_ns = 800, .ended = true, .sum = { 700, 100, 3, 4 } },
	};
	struct sonde_usage *usage = sonde_usage_new(), *group;

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(sonde_usage_add(usage, &procs[i]), 0);
	group = sonde_usage_group(usage);
	assert_int_equal(group->nr, 2);
	assert_string_equal(group->proc[0].process, "w");
	assert_int_equal(group->proc[0].pid, 2);
	assert_int_equal(group->proc[0].nr_procs, 2);
	assert_int_equal(group->proc[0].nr_threads, 3);
	assert_int_equal(group->proc[0].nr_cpus, 2);
	assert_int_equal(group->proc[0].limit_milli, 700);
	assert_false(group->proc[0].ended);
	assert_int_equal(group->proc[0].wall_ns, 1000);
	assert_int_equal(group->proc[0].sum.voluntary, 4);
	assert_true(sonde_usage_used(&group->proc[0]) == 1.2);
	assert_true(sonde_usage_waiting(&group->proc[0]) == 0.6);
	assert_true(sonde_usage_saturation(&group->proc[0]) == 600.0 / 1800);
	assert_string_equal(group->proc[1].process, "db");
	assert_true(sonde_usage_saturation(&group->proc[1]) == 0);
	sonde_usage_free(group);
	sonde_usage_sort(usage);
	assert_int_equal(usage->proc[0].pid, 2);
	assert_int_equal(usage->proc[2].pid, 3);
	usage->nr = 0;
	group = sonde_usage_group(usage);
	assert_int_equal(group->nr, 0);
	sonde_usage_free(group);
	sonde_usage_free(usage);
	sonde_usage_free(NULL);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedstat),
		cmocka_unit_test(status),
		cmocka_unit_test(since),
		cmocka_unit_test(groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
