// SPDX-License-Identifier: GPL-2.0-only
/* test_profile.c - stacks with weights: equal ones are one, functions and processes by what they weigh, how many are whole. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "model/profile.h"

#define FRAME(f, m) ((struct sonde_frame){ .function = (f), .module = (m), .file = "", .kind = SONDE_FRAME_USER })

/* A profile and some frames in it. */
struct fixture {
	struct sonde_profile *profile;
	u32 main, loop, leaf, kernel;
};

static u32 frame(struct sonde_profile *profile, const char *function, const char *module)
{
	int index = sonde_profile_frame(profile, &FRAME(function, module));

	assert_true(index >= 0);
	return (u32)index;
}

static struct fixture begin(void)
{
	struct fixture f = { .profile = sonde_profile_new("cpu", "nanoseconds") };

	assert_non_null(f.profile);
	f.main = frame(f.profile, "main", "/bin/app");
	f.loop = frame(f.profile, "loop", "/bin/app");
	f.leaf = frame(f.profile, "leaf", "/lib/lib.so");
	f.kernel = frame(f.profile, "do_syscall_64", "[kernel]");
	return f;
}

static void add(struct fixture *f, u32 pid, const char *process, u64 weight, u32 nr_kernel, u32 end, u32 nr,
		const u32 *frames)
{
	struct sonde_stack stack = {
		.pid = pid,
		.process = process,
		.count = 1,
		.weight = weight,
		.nr_kernel = nr_kernel,
		.end = (u8)end,
		.complete = end == SONDE_UNWIND_END_COMPLETE || end == SONDE_UNWIND_END_NO_USER,
		.nr = nr,
		.frame = frames,
	};

	assert_int_equal(sonde_profile_add(f->profile, &stack), 0);
}

static void frames(void **state)
{
	struct fixture f = begin();
	char name[12] = "main";
	struct sonde_frame other = FRAME(name, "/bin/app");

	/* By content, not by address; each part of it counts. */
	assert_int_equal(sonde_profile_frame(f.profile, &other), f.main);
	other.line = 7;
	assert_int_equal(sonde_profile_frame(f.profile, &other), 4);
	other.kind = SONDE_FRAME_INLINED;
	assert_int_equal(sonde_profile_frame(f.profile, &other), 5);
	other.file = "app.c";
	assert_int_equal(sonde_profile_frame(f.profile, &other), 6);
	other.module = NULL;
	assert_int_equal(sonde_profile_frame(f.profile, &other), 7);
	name[0] = 'x';
	assert_string_equal(f.profile->frame[f.main].function, "main");
	assert_string_equal(f.profile->frame[7].module, "");
	/* Room grows. */
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(frame(f.profile, name, "m"), 8 + i);
	}
	assert_int_equal(f.profile->nr_frames, 1008);
	sonde_profile_free(f.profile);
	sonde_profile_free(NULL);
	(void)state;
}

static void stacks(void **state)
{
	struct fixture f = begin();
	u32 one[] = { f.leaf, f.loop, f.main }, two[] = { f.loop, f.main };
	struct sonde_stack again = { .pid = 1,
				     .process = "app",
				     .count = 2,
				     .weight = 5,
				     .nr = 3,
				     .frame = one,
				     .end = SONDE_UNWIND_END_COMPLETE,
				     .complete = true };
	size_t index = 99;

	add(&f, 1, "app", 10, 0, SONDE_UNWIND_END_COMPLETE, 3, one);
	add(&f, 1, "app", 20, 0, SONDE_UNWIND_END_COMPLETE, 2, two);
	assert_int_equal(sonde_profile_put(f.profile, &again, &index), 0);
	assert_int_equal(index, 0);
	assert_int_equal(f.profile->nr_stacks, 2);
	assert_int_equal(f.profile->stack[0].count, 3);
	assert_int_equal(f.profile->stack[0].weight, 15);
	assert_int_equal(f.profile->count, 4);
	assert_int_equal(f.profile->weight, 35);
	/* Another process, another end: another stack. */
	again.pid = 2;
	assert_int_equal(sonde_profile_put(f.profile, &again, &index), 0);
	assert_int_equal(index, 2);
	again.end = SONDE_UNWIND_END_DEEP;
	again.complete = false;
	assert_int_equal(sonde_profile_put(f.profile, &again, &index), 0);
	assert_int_equal(index, 3);
	/* The frames are copies. */
	one[0] = f.main;
	assert_int_equal(f.profile->stack[0].frame[0], f.leaf);
	/* One without a frame. */
	add(&f, 3, "idle", 1, 0, SONDE_UNWIND_END_NO_SPACE, 0, NULL);
	assert_int_equal(f.profile->nr_stacks, 5);
	assert_int_equal(f.profile->nr_lost, 0);
	sonde_profile_free(f.profile);
	(void)state;
}

static void share(void **state)
{
	struct fixture f = begin();
	u32 user[] = { f.leaf, f.main }, kernel[] = { f.kernel };
	struct sonde_profile_share share;

	add(&f, 1, "app", 60, 0, SONDE_UNWIND_END_COMPLETE, 2, user);
	add(&f, 1, "app", 25, 0, SONDE_UNWIND_END_NO_ROW, 1, user);
	add(&f, 1, "app", 15, 0, SONDE_UNWIND_END_DEEP, 2, user);
	add(&f, 2, "kworker", 100, 1, SONDE_UNWIND_END_NO_USER, 1, kernel);
	sonde_profile_share(f.profile, &share);
	assert_int_equal(share.user, 100);
	assert_int_equal(share.complete, 60);
	assert_int_equal(share.end[SONDE_UNWIND_END_NO_ROW], 25);
	assert_int_equal(share.end[SONDE_UNWIND_END_DEEP], 15);
	assert_int_equal(share.end[SONDE_UNWIND_END_NO_USER], 100);
	sonde_profile_free(f.profile);
	(void)state;
}

static void functions(void **state)
{
	struct fixture f = begin();
	struct sonde_frame line = FRAME("leaf", "/lib/lib.so");
	struct sonde_profile_function *list;
	size_t nr;
	u32 other;

	list = sonde_profile_functions(f.profile, &nr); /* none has a stack yet */
	assert_non_null(list);
	assert_int_equal(list[0].total, 0);
	free(list);
	line.line = 12;
	other = (u32)sonde_profile_frame(f.profile, &line); /* the same function, elsewhere in it */
	add(&f, 1, "app", 10, 0, SONDE_UNWIND_END_COMPLETE, 3, (u32[]){ f.leaf, f.loop, f.main });
	add(&f, 1, "app", 7, 0, SONDE_UNWIND_END_COMPLETE, 3, (u32[]){ other, f.loop, f.main });
	add(&f, 1, "app", 5, 0, SONDE_UNWIND_END_COMPLETE, 4,
	    (u32[]){ f.loop, f.loop, f.loop, f.main }); /* recursion: once */
	list = sonde_profile_functions(f.profile, &nr);
	assert_int_equal(nr, 4);
	assert_string_equal(list[0].function, "leaf");
	assert_int_equal(list[0].self, 17);
	assert_int_equal(list[0].total, 17);
	assert_string_equal(list[1].function, "loop");
	assert_int_equal(list[1].self, 5);
	assert_int_equal(list[1].total, 22);
	assert_string_equal(list[2].function, "main");
	assert_int_equal(list[2].self, 0);
	assert_int_equal(list[2].total, 22);
	assert_string_equal(list[3].function, "do_syscall_64");
	free(list);
	sonde_profile_free(f.profile);
	(void)state;
}

static void processes(void **state)
{
	struct fixture f = begin();
	struct sonde_profile_process *list;
	size_t nr;

	add(&f, 11, "worker", 30, 0, SONDE_UNWIND_END_COMPLETE, 1, &f.main);
	add(&f, 12, "worker", 30, 1, SONDE_UNWIND_END_COMPLETE, 2, (u32[]){ f.kernel, f.main });
	add(&f, 12, "worker", 5, 0, SONDE_UNWIND_END_COMPLETE, 1, &f.leaf);
	add(&f, 20, "big", 66, 0, SONDE_UNWIND_END_COMPLETE, 1, &f.main);
	add(&f, 30, "b", 1, 0, SONDE_UNWIND_END_COMPLETE, 1, &f.main);
	add(&f, 31, "a", 1, 0, SONDE_UNWIND_END_COMPLETE, 1, &f.main);
	list = sonde_profile_processes(f.profile, &nr);
	assert_int_equal(nr, 4);
	assert_string_equal(list[0].process, "big");
	assert_string_equal(list[1].process, "worker");
	assert_int_equal(list[1].pid, 11);
	assert_int_equal(list[1].nr, 2);
	assert_int_equal(list[1].count, 3);
	assert_int_equal(list[1].user, 35);
	assert_int_equal(list[1].kernel, 30);
	assert_string_equal(list[2].process, "a");
	assert_string_equal(list[3].process, "b");
	free(list);
	sonde_profile_free(f.profile);
	(void)state;
}

static void ends(void **state)
{
	for (u32 end = 0; end < SONDE_UNWIND_END_MAX; end++) {
		assert_true(strlen(sonde_unwind_end_name(end)) > 0);
		assert_null(strchr(sonde_unwind_end_name(end), ' '));
		assert_non_null(strchr(sonde_unwind_end_text(end), ' '));
	}
	assert_string_equal(sonde_unwind_end_name(SONDE_UNWIND_END_COMPLETE), "complete");
	assert_string_equal(sonde_unwind_end_name(SONDE_UNWIND_END_MAX), "");
	assert_string_equal(sonde_unwind_end_text(SONDE_UNWIND_END_MAX), "");
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames),    cmocka_unit_test(stacks),	  cmocka_unit_test(share),
		cmocka_unit_test(functions), cmocka_unit_test(processes), cmocka_unit_test(ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
