// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_offcpu.c - waits: who can have ended one, rows as --by merges them, processes by name, stacks with their reason, the reports.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/hist.h"
#include "model/offcpu.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/jsonw.h"
#include "out/out.h"
#include "out/view.h"
#include "unit.h"

#define MS 1000000ULL

static size_t main_stack, lock_stack, unlock_stack; /* index + 1 */

static size_t stack_of(struct sonde_profile *profile, u32 pid, const char *const *function, u32 nr, u32 nr_kernel)
{
	struct sonde_stack stack = { .pid = pid, .process = "shop", .nr = nr, .nr_kernel = nr_kernel, .complete = true };
	u32 frame[8];
	size_t index;

	for (u32 i = 0; i < nr; i++) {
		struct sonde_frame f = { .function = function[i], .module = "shop",
					 .kind = i < nr_kernel ? SONDE_FRAME_KERNEL : SONDE_FRAME_USER };

		frame[i] = (u32)sonde_profile_frame(profile, &f);
	}
	stack.frame = frame;
	assert_int_equal(sonde_profile_put(profile, &stack, &index), 0);
	return index + 1;
}

static struct sonde_profile *make_stacks(void)
{
	static const char *const in_main[] = { "do_nanosleep", "nanosleep", "main" };
	static const char *const in_lock[] = { "futex_wait", "take", "work", "main" };
	static const char *const in_unlock[] = { "wake_up_q", "give_back", "main" };
	struct sonde_profile *profile = sonde_profile_new("blocked", "nanoseconds");

	main_stack = stack_of(profile, 10, in_main, 3, 1);
	lock_stack = stack_of(profile, 10, in_lock, 4, 1);
	unlock_stack = stack_of(profile, 10, in_unlock, 3, 1);
	return profile;
}

static struct sonde_offcpu_row *add(struct sonde_offcpu *list, u32 pid, u32 reason, size_t stack, u64 ms, u32 times)
{
	struct sonde_offcpu_row *row = sonde_offcpu_row(list);

	row->process = "shop";
	row->key.proc.tgid = pid;
	row->key.reason = (u8)reason;
	row->stack = stack;
	row->stat.count = times;
	for (u32 i = 0; i < times; i++)
		sonde_hist_add(&row->stat.hist, ms * MS);
	return row;
}

static void add_waker(struct sonde_offcpu_row *row, u64 futex)
{
	row->key.object = futex;
	row->key.woken_by = SONDE_OFF_WAKER_THREAD;
	row->key.waker.tgid = 10;
	row->waker = "shop";
	row->waker_stack = unlock_stack;
	row->stat.waker_tid = 12;
	memcpy(row->stat.waker_comm, "holder", 7);
}

static void add_holder(struct sonde_offcpu_row *row, size_t stack)
{
	row->key.held = 1;
	row->key.holder_stack = stack ? 7 : 0;
	row->holder_stack = stack;
	row->stat.holder_tid = 13;
	memcpy(row->stat.holder_comm, "keeper", 7);
}

static void add_proc(struct sonde_offcpu *list, u32 pid, u64 on_ms, u64 queued_ms)
{
	struct sonde_proc id = { .tgid = pid };
	struct sonde_offcpu_proc *proc = sonde_offcpu_proc(list, &id);

	assert_ptr_equal(sonde_offcpu_proc(list, &id), proc);
	proc->process = "shop";
	proc->nr_threads = 2;
	proc->total.on_ns = on_ms * MS;
	proc->total.queued_ns = queued_ms * MS;
	proc->total.voluntary = 5;
	proc->total.involuntary = 3;
	sonde_hist_add(&proc->queued, queued_ms * MS);
}

static struct sonde_offcpu *make(struct sonde_profile *stacks)
{
	struct sonde_offcpu *list = sonde_offcpu_new();

	list->stacks = stacks;
	add(list, 10, SONDE_WAIT_SLEEP, main_stack, 20, 10);
	add_waker(add(list, 10, SONDE_WAIT_LOCK, lock_stack, 50, 10), 0x1000);
	add_waker(add(list, 11, SONDE_WAIT_LOCK, lock_stack, 50, 2), 0x2000);
	add(list, 10, SONDE_WAIT_LOCK, main_stack, 5, 1)->open = 1;
	add_proc(list, 10, 300, 100);
	add_proc(list, 11, 100, 300);
	sonde_offcpu_sort(list);
	return list;
}

static void test_group(void **state)
{
	static const struct {
		enum sonde_offcpu_by by;
		size_t rows;
	} cases[] = {
		{ SONDE_OFFCPU_BY_STACK, 3 },
		{ SONDE_OFFCPU_BY_REASON, 2 },
		{ SONDE_OFFCPU_BY_PROCESS, 1 },
		{ SONDE_OFFCPU_BY_THREAD, 3 },
	};
	struct sonde_profile *stacks = make_stacks();
	struct sonde_offcpu *list = make(stacks), *group;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u64 sum = 0;

		list->by = cases[i].by;
		group = sonde_offcpu_group(list);
		assert_int_equal(group->nr, cases[i].rows);
		for (size_t j = 0; j < group->nr; j++)
			sum += group->row[j]->stat.hist.sum_ns;
		assert_int_equal(sum, (10 * 20 + 12 * 50 + 5) * MS);
		assert_int_equal(group->nr_procs, 1);
		assert_int_equal(group->proc[0]->nr_procs, 2);
		assert_int_equal(group->proc[0]->total.on_ns, 400 * MS);
		assert_int_equal(group->proc[0]->total.involuntary, 6);
		assert_true(sonde_offcpu_saturation(&group->proc[0]->total) == 0.5);
		sonde_offcpu_free(group);
	}
	list->by = SONDE_OFFCPU_BY_STACK;
	group = sonde_offcpu_group(list);
	assert_int_equal(group->row[0]->key.reason, SONDE_WAIT_LOCK);
	assert_int_equal(group->row[0]->stat.count, 12);
	assert_int_equal(group->row[0]->nr_objects, 2);
	assert_int_equal(group->row[0]->nr_procs, 2);
	sonde_offcpu_free(group);
	sonde_offcpu_free(list);
	sonde_profile_free(stacks);
}

static void test_profile(void **state)
{
	struct sonde_profile *stacks = make_stacks(), *profile;
	struct sonde_offcpu *list = make(stacks);
	const struct sonde_stack *top;

	profile = sonde_offcpu_profile(list);
	assert_int_equal(profile->weight, (10 * 20 + 12 * 50 + 5) * MS);
	assert_int_equal(profile->nr_stacks, 4);
	top = &profile->stack[0];
	assert_string_equal(profile->frame[top->frame[0]].function, "[lock]");
	assert_string_equal(profile->frame[top->frame[1]].function, "futex_wait");
	assert_string_equal(profile->frame[top->frame[4]].function, "main");
	assert_int_equal(top->nr, 5);
	assert_int_equal(top->nr_kernel, 2);
	assert_int_equal(top->weight, 500 * MS);
	sonde_profile_free(profile);
	sonde_offcpu_free(list);
	sonde_profile_free(stacks);
}

static void test_reports(void **state)
{
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);
	struct sonde_out_opts opts = { .command = "offcpu", .width = 160 };
	struct sonde_profile *stacks = make_stacks();
	struct sonde_buf buf = {};
	struct sonde_json json = { .buf = &buf };

	snapshot->view = SONDE_VIEW_OFFCPU;
	snapshot->duration_ns = 1000 * MS;
	snapshot->offcpu = make(stacks);
	sonde_view_offcpu.text(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "400ms in run queues, 400ms on processors, in 1.00s"));
	assert_non_null(strstr(buf.s, "shop, 2 processes, 2 futexes"));
	assert_non_null(strstr(buf.s, "take < work < main"));
	assert_non_null(strstr(buf.s, "ended by shop[10] thread holder[12]: give_back < main"));
	assert_null(strstr(buf.s, "held by"));
	assert_non_null(strstr(buf.s, "1 still waiting"));
	assert_non_null(strstr(buf.s, "50.0%"));
	sonde_buf_cut(&buf, 0);
	sonde_json_open(&json, NULL, '{');
	sonde_view_offcpu.json(&json, snapshot, &opts);
	sonde_json_close(&json, '}');
	assert_non_null(strstr(buf.s, "\"reason\":\"lock\",\"pid\":10,\"process\":\"shop\",\"futex\":\"0x1000\",\"count\":10"));
	assert_non_null(strstr(buf.s, "\"stack\":[\"take\",\"work\",\"main\"],\"kernel_stack\":[\"futex_wait\"]"));
	assert_non_null(strstr(buf.s, "\"tid\":12,\"thread\":\"holder\",\"stack\":[\"give_back\",\"main\"]"));
	assert_non_null(strstr(buf.s, "\"on_cpu_ns\":300000000,\"run_queue_ns\":100000000"));
	assert_non_null(strstr(buf.s, "\"saturation\":0.25"));
	assert_null(strstr(buf.s, "\"holder\":{"));
	sonde_buf_cut(&buf, 0);
	add_holder(snapshot->offcpu->row[0], main_stack);
	add_holder(snapshot->offcpu->row[1], 0);
	sonde_view_offcpu.text(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "held by thread keeper[13], waiting in: nanosleep < main"));
	assert_non_null(strstr(buf.s, "held by thread keeper[13], which was not seen waiting meanwhile"));
	sonde_buf_cut(&buf, 0);
	json = (struct sonde_json){ .buf = &buf };
	sonde_json_open(&json, NULL, '{');
	sonde_view_offcpu.json(&json, snapshot, &opts);
	sonde_json_close(&json, '}');
	assert_non_null(strstr(buf.s, "\"holder\":{\"tid\":13,\"thread\":\"keeper\",\"stack\":[\"nanosleep\",\"main\"]"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snapshot);
	sonde_strings_put(strings);
	sonde_profile_free(stacks);
}

static void test_wakers(void **state)
{
	static const struct {
		struct sonde_off_current current;
		u32 reason;
		bool iowait, may;
	} cases[] = {
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_LOCK }, SONDE_WAIT_LOCK, false, true },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_OTHER }, SONDE_WAIT_LOCK, false, false },
		{ { .in_call = 0 }, SONDE_WAIT_LOCK, false, false },
		{ { .exiting = 1 }, SONDE_WAIT_LOCK, false, true },
		{ { .exiting = 1 }, SONDE_WAIT_SLEEP, false, false },
		{ { .exiting = 1 }, SONDE_WAIT_CHILD, false, true },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_FILE }, SONDE_WAIT_CHILD, false, true },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_NETWORK }, SONDE_WAIT_NETWORK, false, true },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_DESCRIPTOR, .kind = SONDE_FILE_SOCKET },
		  SONDE_WAIT_NETWORK,
		  false,
		  true },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_DESCRIPTOR, .kind = SONDE_FILE_REGULAR },
		  SONDE_WAIT_NETWORK,
		  false,
		  false },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_DESCRIPTOR, .kind = SONDE_FILE_PIPE },
		  SONDE_WAIT_PIPE,
		  false,
		  true },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_DISK }, SONDE_WAIT_DISK, false, true },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_DISK }, SONDE_WAIT_DISK, true, false },
		{ { .kthread = 1 }, SONDE_WAIT_DISK, true, true },
		{ { .kthread = 1 }, SONDE_WAIT_SLEEP, false, false },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_FILE }, SONDE_WAIT_FILE, false, true },
		{ { .in_call = 1, .class = SONDE_WAIT_CLASS_LOCK }, SONDE_WAIT_FILE, false, false },
		{ { .same = 1 }, SONDE_WAIT_FAULT, false, true },
		{ { .in_call = 1 }, SONDE_WAIT_FAULT, false, false },
		{ { .in_call = 1 }, SONDE_WAIT_OTHER, false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(sonde_off_may_wake(&cases[i].current, cases[i].reason, cases[i].iowait), cases[i].may);
}

static void test_owners(void **state)
{
	const u32 private = 128, realtime = 256;
	static const struct {
		u32 op, value, word, third, owner;
	} cases[] = {
		{ SONDE_FUTEX_WAIT, 2, 2, 77, 77 },
		{ SONDE_FUTEX_WAIT, 2, 0, 77, 0 }, /* given back */
		{ SONDE_FUTEX_WAIT_BITSET, 2, 2, 77, 77 },
		{ SONDE_FUTEX_WAIT, 0x80000000u | 77, 0x80000000u | 77, 9, 77 }, /* robust */
		{ SONDE_FUTEX_WAIT, 0x80000000u | 77, 0x80000000u | 78, 9, 0 },
		{ SONDE_FUTEX_WAIT, 0x80000010u, 0x80000010u, 9, 0 }, /* musl */
		{ SONDE_FUTEX_LOCK_PI, 0, 0x80000000u | 77, 9, 77 },
		{ SONDE_FUTEX_LOCK_PI2, 0, 0xc0000000u | 77, 9, 77 }, /* its last owner died */
		{ SONDE_FUTEX_LOCK_PI, 0, 0, 9, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(sonde_off_owned(cases[i].op | private | realtime, cases[i].value));
		assert_int_equal(sonde_off_owner(cases[i].op | private, cases[i].value, cases[i].word, cases[i].third),
				 cases[i].owner);
	}
	assert_false(sonde_off_owned(SONDE_FUTEX_WAIT, 1));
	assert_false(sonde_off_owned(SONDE_FUTEX_WAIT | private, 0));
	assert_false(sonde_off_owned(11, 2)); /* a condition */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_wakers),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
