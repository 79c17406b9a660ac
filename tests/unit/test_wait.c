// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_wait.c - why a thread leaves its processor: what decides in which order, and what system calls say.
 */
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "model/wait.h"
#include "unit.h"

static struct sonde_wait_config conf;

/* A thread that blocks in system call @nr. */
static u32 in_call(long nr, u32 kind, bool iowait, bool nothing)
{
	struct sonde_wait_facts f = {
		.state = SONDE_TASK_INTERRUPTIBLE,
		.in_call = 1,
		.iowait = iowait,
		.class = conf.class[nr],
		.kind = (u8)kind,
		.nothing = nothing,
	};

	return sonde_wait_reason(&f);
}

static void test_calls(void **state)
{
	static const struct {
		long nr;
		u32 kind;
		bool nothing;
		u32 want;
	} cases[] = {
		{ SYS_futex, 0, false, SONDE_WAIT_LOCK },
		{ SYS_clock_nanosleep, 0, false, SONDE_WAIT_SLEEP },
		{ SYS_nanosleep, 0, false, SONDE_WAIT_SLEEP },
		{ SYS_fsync, 0, false, SONDE_WAIT_DISK },
		{ SYS_openat, 0, false, SONDE_WAIT_FILE },
		{ SYS_recvfrom, 0, false, SONDE_WAIT_NETWORK },
		{ SYS_accept4, 0, false, SONDE_WAIT_NETWORK },
		{ SYS_epoll_pwait, 0, false, SONDE_WAIT_NETWORK },
		{ SYS_read, SONDE_FILE_REGULAR, false, SONDE_WAIT_FILE },
		{ SYS_read, SONDE_FILE_SOCKET, false, SONDE_WAIT_NETWORK },
		{ SYS_read, SONDE_FILE_PIPE, false, SONDE_WAIT_PIPE },
		{ SYS_read, SONDE_FILE_BLOCK, false, SONDE_WAIT_DISK },
		{ SYS_read, SONDE_FILE_CHAR, false, SONDE_WAIT_OTHER },
		{ SYS_write, SONDE_FILE_PIPE, false, SONDE_WAIT_PIPE },
		{ SYS_read, 0, false, SONDE_WAIT_OTHER },
		{ SYS_ppoll, SONDE_FILE_SOCKET, false, SONDE_WAIT_NETWORK },
		{ SYS_ppoll, SONDE_FILE_PIPE, false, SONDE_WAIT_PIPE },
		{ SYS_ppoll, 0, false, SONDE_WAIT_NETWORK },
		{ SYS_ppoll, 0, true, SONDE_WAIT_SLEEP },
		{ SYS_pselect6, 0, false, SONDE_WAIT_NETWORK },
		{ SYS_pselect6, 0, true, SONDE_WAIT_SLEEP },
		{ SYS_wait4, 0, false, SONDE_WAIT_CHILD },
		{ SYS_rt_sigsuspend, 0, false, SONDE_WAIT_OTHER },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(in_call(cases[i].nr, cases[i].kind, false, cases[i].nothing), cases[i].want);
	/* The kernel says it waits for a device: whatever the call. */
	assert_int_equal(in_call(SYS_read, SONDE_FILE_REGULAR, true, false), SONDE_WAIT_DISK);
	assert_int_equal(in_call(SYS_openat, 0, true, false), SONDE_WAIT_DISK);
	assert_int_equal(in_call(SYS_getpid, 0, true, false), SONDE_WAIT_DISK);
}

static void test_order(void **state)
{
	struct sonde_wait_facts f = { .state = SONDE_TASK_UNINTERRUPTIBLE };

	assert_int_equal(sonde_wait_reason(&f), SONDE_WAIT_FAULT);
	f.iowait = 1;
	assert_int_equal(sonde_wait_reason(&f), SONDE_WAIT_FAULT);
	f.in_call = 1;
	f.class = conf.class[SYS_futex];
	f.iowait = 0;
	assert_int_equal(sonde_wait_reason(&f), SONDE_WAIT_LOCK);
	f.state = SONDE_TASK_STOPPED;
	assert_int_equal(sonde_wait_reason(&f), SONDE_WAIT_STOPPED);
	f.state = SONDE_TASK_TRACED;
	assert_int_equal(sonde_wait_reason(&f), SONDE_WAIT_STOPPED);
	/* About to block, and preempted before it could: it is still to be run. */
	f.state = SONDE_TASK_INTERRUPTIBLE;
	f.preempted = 1;
	assert_int_equal(sonde_wait_reason(&f), SONDE_WAIT_RUNNABLE);
	f.preempted = 0;
	f.state = 0;
	assert_int_equal(sonde_wait_reason(&f), SONDE_WAIT_RUNNABLE);
}

static void test_names(void **state)
{
	for (u32 i = 0; i < SONDE_WAITS; i++) {
		assert_true(sonde_wait_name(i)[0] && sonde_wait_text(i)[0]);
		for (u32 j = 0; j < i; j++)
			assert_string_not_equal(sonde_wait_name(i), sonde_wait_name(j));
	}
	assert_string_equal(sonde_wait_name(SONDE_WAIT_LOCK), "lock");
	assert_string_equal(sonde_wait_name(SONDE_WAITS), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_names),
	};

	sonde_wait_fill(&conf);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
