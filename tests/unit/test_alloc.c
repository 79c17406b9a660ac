// SPDX-License-Identifier: GPL-2.0-only
/* test_alloc.c - allocations: the sampler's arithmetic, probes' arguments, sums by call site, printing. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "../../shim/sample.h"
#include "base/buf.h"
#include "base/str.h"
#include "load/elf.h"
#include "load/usdt.h"
#include "model/alloc.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/alloc.h"
#include "out/out.h"

static void arithmetic(void **state)
{
	for (double x = 1e-16; x <= 1; x *= 1.37) {
		assert_true(fabs(shim_ln(x) - log(x)) <= 1e-12 * (1 + fabs(log(x))));
		assert_true(fabs(shim_hit(x) + expm1(-x)) <= 1e-12 * -expm1(-x));
	}
	for (double x = 1; x < 800; x *= 1.07)
		assert_true(fabs(shim_hit(x) + expm1(-x)) <= 1e-12);
	assert_true(shim_ln(1) == 0);
	assert_int_equal(shim_distance(UINT64_MAX, 1000), 0);
	assert_true(shim_distance(0, 1000) > 30000); /* the longest */
	(void)state;
}

/* The mean of weights is the size, whatever the size; the mean of distances is the interval. */
static void unbiased(void **state)
{
	static const u64 sizes[] = { 1, 16, 1000, 4096, 100000, 5000000 };
	const u64 rate = 4096, draws = 400000;
	u64 random = 1, sum = 0;

	for (u64 i = 0; i < draws; i++)
		sum += (u64)shim_distance(random = shim_mix(random + 1), rate);
	assert_true(fabs((double)sum / (double)draws / (double)rate - 1) < 5 / sqrt((double)draws));
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		double p = shim_hit((double)sizes[s] / (double)rate), weight = (double)shim_weight(sizes[s], rate);

		/* Rounded to a byte. */
		assert_true(fabs(p * weight - (double)sizes[s]) <= 0.5 * p + 1e-9 * (double)sizes[s]);
	}
	(void)state;
}

static void adapts(void **state)
{
	const struct shim_rate asked = { 1000, 1000 }, finer = { 16000, 1000 };
	const u64 second = 1000000000;

	assert_int_equal(shim_adapt(1000, &asked, SHIM_MOST + 1, second / 10, 0), 2000);
	assert_int_equal(shim_adapt(2000, &asked, SHIM_FEW - 1, second, 0), 1000);
	assert_int_equal(shim_adapt(1500, &asked, 0, second, 0), 1000);
	assert_int_equal(shim_adapt(1000, &asked, 1, second, 0), 1000); /* no fewer than that */
	assert_int_equal(shim_adapt(4000, &asked, (SHIM_FEW + SHIM_MOST) / 2, second, 0), 4000);
	assert_true(shim_adapt(SHIM_RATE_MAX, &asked, SHIM_MOST + 1, 1, 0) == SHIM_RATE_MAX);
	assert_int_equal(shim_most(1000, &asked), SHIM_MOST);
	/* Where there are few samples: as many as make SHIM_FINE of them, in one step; back in two. */
	assert_int_equal(shim_adapt(16000, &finer, SHIM_FINE / 4, second, 0), 4000);
	assert_int_equal(shim_adapt(16000, &finer, SHIM_FINE / 4, 4 * second, 0), 1000);
	assert_int_equal(shim_adapt(16000, &finer, 1, 100 * second, 0), 1000);
	assert_int_equal(shim_adapt(16000, &finer, SHIM_FINE_LOW, second, 0), 16000);
	assert_int_equal(shim_adapt(16000, &finer, 0, second, SHIM_WATCHED), 16000);
	assert_int_equal(shim_adapt(1000, &finer, SHIM_FINE, second, SHIM_WATCHED), 16000);
	assert_int_equal(shim_most(1000, &finer), SHIM_FINE_MOST);
	assert_int_equal(shim_adapt(1000, &finer, SHIM_FINE_MOST, second / 2, 0), 1000);
	assert_int_equal(shim_adapt(1000, &finer, SHIM_FINE_MOST + 1, second / 2, 0), 4000);
	assert_int_equal(shim_adapt(4000, &finer, SHIM_FINE_MOST + 1, second / 2, 0), 16000);
	assert_int_equal(shim_adapt(16000, &finer, SHIM_FINE_MOST + 1, second / 2, 0), 16000);
	assert_int_equal(shim_adapt(16000, &finer, SHIM_MOST + 1, second / 2, 0), 32000);
	(void)state;
}

static void arguments(void **state)
{
	struct sonde_alloc_spec spec;

#if defined(__x86_64__)
	assert_int_equal(sonde_usdt_args("8@%rdi -4@8(%rsp) 8@$-5", &spec), 3);
	assert_int_equal(spec.arg[0].kind, SONDE_ALLOC_ARG_REG);
	assert_int_equal(spec.arg[0].reg, 14 * 8);
	assert_int_equal(spec.arg[1].kind, SONDE_ALLOC_ARG_MEMORY);
	assert_int_equal(spec.arg[1].reg, 19 * 8);
	assert_int_equal(spec.arg[1].value, 8);
	assert_int_equal(spec.arg[1].size, 4);
	assert_int_equal(spec.arg[1].is_signed, 1);
	assert_int_equal(spec.arg[2].kind, SONDE_ALLOC_ARG_CONST);
	assert_int_equal(spec.arg[2].value, -5);
	assert_int_equal(sonde_usdt_args("4@%eax 1@%r9b 2@-16(%rbp) 8@%rdx", &spec), 4);
	assert_int_equal(spec.arg[1].reg, 8 * 8);
	assert_int_equal(spec.arg[2].value, -16);
	assert_int_equal(sonde_usdt_args("8@(%rax,%rdx)", &spec), -EINVAL);
	assert_int_equal(sonde_usdt_args("8@foo(%rip)", &spec), -EINVAL);
	assert_int_equal(sonde_usdt_args("8@%xmm0", &spec), -EINVAL);
#elif defined(__aarch64__)
	assert_int_equal(sonde_usdt_args("8@x0 -4@[sp, 16] 8@5", &spec), 3);
	assert_int_equal(spec.arg[1].value, 16);
	assert_int_equal(spec.arg[1].reg, 31 * 8);
#endif
	assert_int_equal(sonde_usdt_args("", &spec), 0);
	assert_int_equal(sonde_usdt_args("3@%rdi", &spec), -EINVAL);
	assert_int_equal(sonde_usdt_args("8@", &spec), -EINVAL);
	assert_int_equal(sonde_usdt_args("nonsense", &spec), -EINVAL);
	(void)state;
}

/* The library's own probes. */
static void finds(void **state)
{
	static const char *const own[] = { "begin", "ready", "python", "name" };
	const char *out = getenv("O") ?: "build";
	struct sonde_usdt place[SONDE_USDT_MAX];
	struct sonde_elf *elf;
	char path[512];
	u16 semaphore = 1;
	int fd;

	snprintf(path, sizeof(path), "%s/libsonde-alloc.so", out);
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		print_message("needs %s\n", path);
		skip();
	}
	assert_int_equal(sonde_elf_open(fd, &elf), 0);
	assert_int_equal(sonde_usdt_find(elf, fd, "otel_memory", "alloc", place), 1);
	assert_int_equal(place[0].nr_args, 3);
	assert_true(place[0].offset && place[0].semaphore);
	assert_int_equal(pread(fd, &semaphore, sizeof(semaphore), (off_t)place[0].semaphore), 2);
	assert_int_equal(semaphore, 0);
	assert_int_equal(sonde_usdt_find(elf, fd, "otel_memory", "free", place), 1);
	assert_int_equal(place[0].nr_args, 1);
	assert_int_equal(sonde_usdt_find(elf, fd, "otel_memory", "none", place), 0);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		assert_int_equal(sonde_usdt_find(elf, fd, "sonde_alloc", own[i], place), 1);
		assert_true(place[0].offset && place[0].semaphore);
	}
	sonde_elf_close(elf);
	close(fd);
	(void)state;
}

static void numbers(void **state)
{
	u64 hist[4] = { 0, 100, 0, 100 };
	char t[SONDE_STR_SHORT];

	assert_int_equal(sonde_alloc_log2(0, 39), 0);
	assert_int_equal(sonde_alloc_log2(1, 39), 0);
	assert_int_equal(sonde_alloc_log2(1ULL << 33, 39), 33);
	assert_int_equal(sonde_alloc_log2(UINT64_MAX, 39), 39);
	assert_int_equal(sonde_alloc_objects(16, 524296), 33554944ULL);
	assert_int_equal(sonde_alloc_objects(0, 5), SONDE_ALLOC_OBJECT);
	assert_int_equal(sonde_alloc_var(100, 100), 0);
	/* One sample at R = 512 KiB of a small object: the standard error is its weight. */
	assert_true(fabs((double)sonde_alloc_error(sonde_alloc_var(16, 524296)) / 524288 - 1) < 0.01);
	assert_true(fabs(sonde_alloc_quantile(hist, 4, 0.25) - sqrt(8)) < 1e-9); /* the middle of [2, 4) */
	assert_true(sonde_alloc_quantile(hist, 4, 0.9) == 8); /* the last has no end */
	hist[1] = hist[3] = 0;
	assert_true(sonde_alloc_quantile(hist, 4, 0.5) == 0);
	assert_string_equal(sonde_str_bytes(t, 999), "999B");
	assert_string_equal(sonde_str_bytes(t, 1536), "1.50KiB");
	assert_string_equal(sonde_str_bytes(t, 5ULL << 30), "5.00GiB");
	assert_string_equal(sonde_str_bytes(t, (1ULL << 20) - 1), "1.00MiB");
	(void)state;
}

static u32 frame(struct sonde_profile *profile, const char *function, const char *module, const char *file)
{
	struct sonde_frame f = { .function = function, .module = module, .file = file, .line = 7 };

	return (u32)sonde_profile_frame(profile, &f);
}

static struct sonde_alloc_row *row(struct sonde_alloc *alloc, s64 stack, u64 bytes, u64 objects, u64 freed)
{
	struct sonde_alloc_row *r = sonde_alloc_row(alloc);

	r->stack = stack;
	r->pid = 10;
	r->process = "app";
	r->stat.samples = 3;
	r->stat.alloc_bytes = bytes;
	r->stat.alloc_objects = objects * SONDE_ALLOC_OBJECT;
	r->stat.freed_bytes = freed;
	r->stat.freed_objects = bytes ? freed * objects / bytes * SONDE_ALLOC_OBJECT : 0;
	r->stat.size[4] = objects * SONDE_ALLOC_OBJECT;
	sonde_alloc_live(&r->stat, &r->live_bytes, &r->live_objects);
	return r;
}

/* Two stacks, and a row whose stack is not known. */
static struct sonde_snapshot *filled(struct sonde_profile *profile)
{
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);
	struct sonde_proc proc = { 10, 1 };
	struct sonde_alloc_total *total;
	u32 frames[3];
	struct sonde_stack stack = { .pid = 10, .process = "app", .nr = 3, .frame = frames, .count = 1, .weight = 1 };

	sonde_strings_put(strings);
	frames[0] = frame(profile, "strdup", "/usr/lib/libc.so.6", "");
	frames[1] = frame(profile, "load", "/bin/app", "/src/load.c");
	frames[2] = frame(profile, "main", "/bin/app", "/src/main.c");
	assert_int_equal(sonde_profile_add(profile, &stack), 0);
	assert_int_equal(sonde_alloc_site(profile, &profile->stack[0]), 1);
	stack.nr = 1;
	assert_int_equal(sonde_profile_add(profile, &stack), 0);
	assert_int_equal(sonde_alloc_site(profile, &profile->stack[1]), 0); /* nothing but the C library */
	snapshot->view = SONDE_VIEW_ALLOC;
	snapshot->profile = profile;
	snapshot->duration_ns = 2000000000;
	snapshot->alloc = sonde_alloc_new();
	snapshot->alloc->value = SONDE_ALLOC_SPACE;
	snapshot->alloc->rate = 1024;
	row(snapshot->alloc, 1, 1000, 10, 1000);
	row(snapshot->alloc, 0, 8192, 4, 2048);
	row(snapshot->alloc, -1, 50, 1, 100); /* read while it changed */
	total = sonde_alloc_total(snapshot->alloc, &proc);
	total->process = "app";
	total->peak_bytes = 9000;
	total->live_bytes = 6144;
	assert_ptr_equal(sonde_alloc_total(snapshot->alloc, &proc), total);
	sonde_alloc_sort(snapshot->alloc);
	return snapshot;
}

static void sums(void **state)
{
	struct sonde_profile *profile = sonde_profile_new("alloc_space", "bytes");
	struct sonde_snapshot *snapshot = filled(profile);
	struct sonde_alloc *alloc = snapshot->alloc;
	u64 *values;

	assert_int_equal(alloc->row[0].stat.alloc_bytes, 8192);
	assert_int_equal(alloc->row[0].live_bytes, 6144);
	assert_int_equal(alloc->row[2].live_bytes, 0);
	sonde_alloc_weigh(alloc, profile);
	assert_int_equal(profile->stack[0].weight, 8192);
	assert_int_equal(profile->stack[1].weight, 1000);
	assert_int_equal(profile->weight, 9192);
	values = sonde_alloc_values(alloc, profile);
	assert_int_equal(values[SONDE_ALLOC_OBJECTS], 4);
	assert_int_equal(values[SONDE_ALLOC_VALUES + SONDE_ALLOC_SPACE], 1000);
	assert_int_equal(values[SONDE_INUSE_OBJECTS], 3);
	assert_int_equal(values[SONDE_INUSE_SPACE], 6144);
	alloc->value = SONDE_ALLOC_OBJECTS;
	sonde_alloc_sort(alloc);
	assert_int_equal(alloc->row[0].stat.alloc_bytes, 1000);
	free(values);
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	(void)state;
}

static void sampler_frames(void **state)
{
	struct sonde_frame f = { .function = "sample", .module = "/opt/libsonde-alloc.so", .file = "" };

	assert_true(sonde_alloc_is_sampler(&f));
	f.module = "/bin/app";
	assert_false(sonde_alloc_is_sampler(&f));
	f.file = "/build/shim/alloc.c"; /* linked in */
	assert_true(sonde_alloc_is_sampler(&f));
	f.file = "/build/shim/python.c";
	assert_true(sonde_alloc_is_sampler(&f));
	f.file = "/build/shim/pythons.c";
	assert_false(sonde_alloc_is_sampler(&f));
	(void)state;
}

static void prints(void **state)
{
	struct sonde_profile *profile = sonde_profile_new("alloc_space", "bytes");
	struct sonde_snapshot *snapshot = filled(profile);
	struct sonde_out_opts opts = { .command = "alloc", .width = 160 };
	struct sonde_buf buf = {};

	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "sonde alloc: 9.03KiB in 15 objects in 2.00s, 4.51KiB/s; 6.00KiB live, 8.79KiB at most"));
	assert_non_null(strstr(buf.s, ", one in 1.00KiB or more; standard error"));
	assert_non_null(strstr(buf.s, "load (load.c:7) < main"));
	assert_non_null(strstr(buf.s, "[unknown]"));
	assert_non_null(strstr(buf.s, "objects by size:\n       16B.. 100.0%"));
	snapshot->alloc->finer = true;
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, ", one in 1.00KiB or more, in less where there are few; standard error"));
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\"allocations\":[{\"pid\":10,\"process\":\"app\",\"function\":\"load\",\"file\":\"/src/load.c\","
				      "\"line\":7,\"site\":[\"strdup\",\"load\",\"main\"],\"samples\":3,\"alloc_bytes\":8192"));
	sonde_buf_cut(&buf, 0);
	sonde_alloc_pprof(snapshot, &buf);
	assert_false(buf.failed);
	assert_memory_equal(buf.s, "\x1f\x8b", 2);
	sonde_buf_free(&buf);
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic), cmocka_unit_test(unbiased),  cmocka_unit_test(adapts),
		cmocka_unit_test(arguments),  cmocka_unit_test(finds),	   cmocka_unit_test(numbers),
		cmocka_unit_test(sums),	      cmocka_unit_test(sampler_frames), cmocka_unit_test(prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
