// SPDX-License-Identifier: GPL-2.0-only
/* test_growth.c - growth: whose stack is taken, sizes over time, names of mappings, printing. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "collect/areas.h"
#include "model/growth.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/growth.h"
#include "out/out.h"

static u32 draw(u64 *seed)
{
	*seed = sonde_mix64(*seed + 1);
	return (u32)(*seed >> 32);
}

/* A change at @now_ns: what its stack stands for, 0: it is not taken. */
static u64 change(struct sonde_growth_meter *m, u64 pages, u64 now_ns, u64 *seed)
{
	return sonde_growth_due(m, pages) ? sonde_growth_take(m, pages, now_ns, draw(seed)) : 0;
}

/* Few changes are all taken, each for what it is. */
static void exact_when_few(void **state)
{
	struct sonde_growth_meter m = {};
	u64 seed = 1, now = 1000000000;

	for (int i = 0; i < 1000; i++) {
		u64 pages = 1 + draw(&seed) % 3;

		now += 10 * SONDE_GROWTH_BETWEEN_NS;
		assert_int_equal(change(&m, pages, now, &seed), pages);
	}
	(void)state;
}

/*
 * Many changes: fewer stacks, whose weights add up, and each of several that take turns, however they do, gets its share. A huge one
 * is always taken.
 */
static void shares_when_many(void **state)
{
	static const u64 sizes[] = { 1, 31, 3, 16, 1, 512 };
	enum { KINDS = sizeof(sizes) / sizeof(sizes[0]), TURNS = 400000 };
	u64 weight[KINDS] = {}, seed = 7, now = 1, sum = 0, taken = 0, huge = 0;
	struct sonde_growth_meter m = {};

	for (int i = 0; i < TURNS; i++)
		for (int k = 0; k < KINDS; k++) {
			u64 got = change(&m, sizes[k], now += 1000, &seed);

			weight[k] += got;
			sum += got;
			taken += got && k != KINDS - 1;
			huge += got && k == KINDS - 1;
		}
	assert_int_equal(huge, TURNS);
	assert_int_equal(weight[KINDS - 1], 512ULL * TURNS);
	assert_true(taken < TURNS); /* 52 pages a turn, a stack for 64 */
	assert_true(fabs((double)sum / (564.0 * TURNS) - 1) < 0.001);
	for (int k = 0; k < KINDS; k++)
		assert_true(fabs((double)weight[k] / ((double)sizes[k] * TURNS) - 1) < 0.05);
	(void)state;
}

/* The rate follows what it costs. */
static void adapts(void **state)
{
	struct sonde_growth_meter m = {};
	u64 seed = 3, now = 1;

	for (int i = 0; i < 10000; i++)
		change(&m, 1, now += 500, &seed);
	assert_int_equal(m.rate, SONDE_GROWTH_RATE_MAX);
	for (int i = 0; i < 10000; i++)
		change(&m, 1, now += 100000, &seed);
	assert_in_range(m.rate, 1, 4);
	(void)state;
}

static void over_time(void **state)
{
	const struct sonde_proc proc = { .tgid = 7, .start = 1 };
	struct sonde_growth *growth = sonde_growth_new();
	struct sonde_growth_process *p = sonde_growth_process(growth, &proc);
	struct sonde_growth_memory memory = { .rss = 1000 };

	assert_true(sonde_growth_slope(p, 5) == 0);
	assert_int_equal(sonde_growth_note(p, 1000000000, &memory), 0);
	assert_int_equal(sonde_growth_note(p, 2000000000, &memory), 0);
	assert_int_equal(p->nr_points, 1); /* nothing new */
	assert_true(sonde_growth_slope(p, 2000000000) == 0);
	/* 50 bytes each tenth of a second. */
	for (u64 i = 0; i < 10000; i++) {
		memory.rss = 1000 + i * 50;
		assert_int_equal(sonde_growth_note(p, 1000000000 + i * 100000000, &memory), 0);
		assert_true(p->nr_points <= SONDE_GROWTH_POINTS);
	}
	assert_true(p->nr_points > SONDE_GROWTH_POINTS / 3);
	assert_int_equal(p->point[0].time_ns, 1000000000);
	assert_int_equal(p->point[p->nr_points - 1].memory.rss, memory.rss);
	for (size_t i = 1; i < p->nr_points; i++)
		assert_true(p->point[i].time_ns > p->point[i - 1].time_ns);
	assert_true(fabs(sonde_growth_slope(p, 1000000000 + 9999 * 100000000ULL) / 500 - 1) < 0.02);
	assert_int_equal(p->peak, memory.rss);
	memory.rss = 10;
	assert_int_equal(sonde_growth_note(p, 2000000000000, &memory), 0);
	assert_int_equal(p->now.rss, 10);
	assert_int_equal(p->peak, 1000 + 9999 * 50);
	sonde_growth_free(growth);
	(void)state;
}

static void areas(void **state)
{
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_areas list = {};
	struct sonde_area area;

	assert_true(sonde_areas_line("55d0c2a00000-55d0c2b21000 rw-p 00000000 00:00 0                          [heap]\n", strings, &area));
	assert_string_equal(area.name, "[heap]");
	assert_true(area.start == 0x55d0c2a00000 && area.end == 0x55d0c2b21000);
	assert_true(sonde_areas_line("7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n", strings, &area));
	assert_string_equal(area.name, "[anon]");
	assert_true(sonde_areas_line("7f00-7f01 rw-p 00000000 fe:01 12   /var/lib/a b.db (deleted)\n", strings, &area));
	assert_string_equal(area.name, "/var/lib/a b.db (deleted)");
	assert_true(sonde_areas_line("ff-100 rw-p 00000000 00:00 0 [anon:jit]", strings, &area));
	assert_string_equal(area.name, "[anon:jit]");
	assert_false(sonde_areas_line("7f01-7f01 rw-p 00000000 00:00 0 \n", strings, &area));
	assert_false(sonde_areas_line("Rss:  12 kB\n", strings, &area));
	assert_null(sonde_areas_find(&list, 0x1000));
	sonde_areas_read(&list, getpid(), strings);
	/* valgrind makes the program's stack itself: the kernel's is valgrind's. */
	assert_string_equal(sonde_areas_find(&list, (u64)(uintptr_t)__builtin_frame_address(0)),
			    unit_under_valgrind() ? "[anon]" : "[stack]");
	assert_null(sonde_areas_find(&list, 0x10));
	assert_null(sonde_areas_find(&list, UINT64_MAX));
	sonde_areas_free(&list);
	sonde_strings_put(strings);
	assert_true(sonde_areas_huge(getpid()) >= 0);
	assert_true(sonde_areas_huge(0) < 0);
	(void)state;
}

static void stack_of(struct sonde_profile *profile, const char *function)
{
	const struct sonde_frame frame[] = { { .function = "malloc", .module = "/lib/libc.so.6", .file = "" },
					     { .function = function, .module = "/bin/app", .file = "/src/app.c", .line = 7 },
					     { .function = "main", .module = "/bin/app", .file = "" } };
	struct sonde_stack stack = { .pid = 10, .process = "app", .nr = 3 };
	u32 index[3];

	for (int i = 0; i < 3; i++)
		index[i] = (u32)sonde_profile_frame(profile, &frame[i]);
	stack.frame = index;
	assert_int_equal(sonde_profile_add(profile, &stack), 0);
}

static void row(struct sonde_growth *growth, s64 stack, u64 grown, u64 returned)
{
	struct sonde_growth_row *r = sonde_growth_row(growth);
	const struct sonde_growth_stat stat = {
		.samples = 2,
		.grown = { [SONDE_GROWTH_ANON] = grown, [SONDE_GROWTH_SWAP] = 999 },
		.returned = { [SONDE_GROWTH_FILE] = returned },
		.faults = grown / 4096,
		.mapped = grown,
		.calls = { [SONDE_GROWTH_MMAP] = 3 },
	};

	r->stack = stack;
	r->pid = 10;
	r->process = "app";
	r->mapping = "[heap]";
	sonde_growth_add(r, &stat);
}

/* To be freed with its growth. */
static struct sonde_snapshot *filled(struct sonde_profile *profile, struct sonde_growth *growth)
{
	const struct sonde_proc proc = { .tgid = 10, .start = 1 }, other = { .tgid = 11, .start = 1 };
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);
	struct sonde_growth_process *p = sonde_growth_process(growth, &other);

	sonde_strings_put(strings);
	p->process = "idle";
	p = sonde_growth_process(growth, &proc);
	p->process = "app";
	p->start.rss = 1 << 20;
	p->now.rss = p->peak = 5 << 20;
	p->grown = 6 << 20;
	p->returned = 2 << 20;
	p->end_ns = 7;
	p->slope = -1024;
	p->calls[SONDE_GROWTH_BRK] = 4;
	sonde_growth_mapping(p, "[heap]")->grown = 4096;
	sonde_growth_mapping(p, "[anon]")->grown = 8192;
	assert_int_equal(sonde_growth_mapping(p, "[heap]")->grown, 4096);
	stack_of(profile, "load");
	stack_of(profile, "store");
	row(growth, 1, 8192, 4096);
	row(growth, 0, 1 << 20, 0);
	row(growth, -1, 4096, 0);
	sonde_growth_sort(growth);
	snapshot->view = SONDE_VIEW_GROWTH;
	snapshot->duration_ns = 2000000000;
	snapshot->profile = profile;
	snapshot->growth = growth;
	return snapshot;
}

static void sums(void **state)
{
	struct sonde_profile *profile = sonde_profile_new("grown_space", "bytes");
	struct sonde_growth *growth = sonde_growth_new();
	struct sonde_snapshot *snapshot = filled(profile, growth);
	u64 *values;

	assert_int_equal(growth->row[0].grown, 1 << 20); /* what was swapped is none */
	assert_int_equal(growth->row[1].returned, 4096);
	assert_string_equal(growth->process[0]->process, "app");
	assert_string_equal(growth->process[0]->mapping[0].name, "[anon]");
	sonde_growth_weigh(growth, profile);
	assert_int_equal(profile->stack[0].weight, 1 << 20);
	assert_int_equal(profile->stack[1].count, 2);
	assert_int_equal(profile->weight, (1 << 20) + 8192);
	values = sonde_growth_values(growth, profile);
	assert_int_equal(values[0], 1 << 20);
	assert_int_equal(values[SONDE_GROWTH_VALUES + 1], 4096);
	assert_int_equal(values[SONDE_GROWTH_VALUES + 2], 8192);
	assert_int_equal(values[SONDE_GROWTH_VALUES + 3], 2);
	free(values);
	sonde_snapshot_free(snapshot);
	sonde_growth_free(growth);
	sonde_profile_free(profile);
	(void)state;
}

static void prints(void **state)
{
	struct sonde_profile *profile = sonde_profile_new("grown_space", "bytes");
	struct sonde_growth *growth = sonde_growth_new();
	struct sonde_snapshot *snapshot = filled(profile, growth);
	struct sonde_out_opts opts = { .command = "alloc", .width = 200 };
	struct sonde_buf buf = {};

	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "sonde alloc: growth of 2 processes in 2.00s: +4.00MiB (6.00MiB came, 2.00MiB went)"));
	assert_non_null(strstr(buf.s, "where memory was touched first"));
	assert_non_null(strstr(buf.s, "app[10] (ended)"));
	assert_null(strstr(buf.s, "idle"));
	assert_non_null(strstr(buf.s, "load (app.c:7) < main"));
	assert_non_null(strstr(buf.s, "[unknown]"));
	assert_non_null(strstr(buf.s, "mappings that grew:"));
	assert_null(strstr(buf.s, "leak"));
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\"growth\":[{\"pid\":10,\"process\":\"app\",\"function\":\"load\",\"file\":\"/src/app.c\",\"line\":7,"
				      "\"site\":[\"malloc\",\"load\",\"main\"],\"mapping\":\"[heap]\",\"samples\":2,"
				      "\"grown_bytes\":1048576"));
	assert_non_null(strstr(buf.s, "\"calls\":{\"brk\":4},\"mappings\":[{\"name\":\"[anon]\",\"grown_bytes\":8192"));
	assert_non_null(strstr(buf.s, "\"slope_bytes_per_s\":-1024"));
	sonde_buf_cut(&buf, 0);
	sonde_growth_pprof(snapshot, &buf);
	assert_false(buf.failed);
	assert_memory_equal(buf.s, "\x1f\x8b", 2);
	sonde_buf_free(&buf);
	sonde_snapshot_free(snapshot);
	sonde_growth_free(growth);
	sonde_profile_free(profile);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_when_few), cmocka_unit_test(shares_when_many), cmocka_unit_test(adapts),
		cmocka_unit_test(over_time),	  cmocka_unit_test(areas),	      cmocka_unit_test(sums),
		cmocka_unit_test(prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
