// SPDX-License-Identifier: GPL-2.0-only
/* test_alloc_exact.c - where allocators are probed, and what is printed of a run that watches every call. */
#include "unit.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "load/alloc_bin.h"
#include "load/elf.h"
#include "load/maps.h"
#include "model/alloc.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/alloc.h"
#include "out/out.h"
#include "sonde/alloc.h"

struct found {
	u64 addr;
	u64 offset; /* of the function in its file */
	int fd;
	char path[512];
};

static int on_mapping(void *ctx, pid_t pid, const struct sonde_mapping *m)
{
	struct found *found = ctx;

	if (found->addr < m->start || found->addr >= m->end)
		return 0;
	found->offset = found->addr - m->start + m->offset;
	found->fd = sonde_maps_open(pid, m);
	snprintf(found->path, sizeof(found->path), "%s", m->path);
	return 1;
}

static bool has(const struct sonde_uprobe_spot *spot, size_t nr, u64 offset, u64 call)
{
	for (size_t i = 0; i < nr; i++)
		if (spot[i].offset >= offset && spot[i].offset < offset + 32 && (spot[i].cookie & SONDE_ALLOC_CALL) == call)
			return true;
	return false;
}

static u64 offset_of(void *function)
{
	struct found found = { .addr = (uintptr_t)function, .fd = -1 };

	assert_int_equal(sonde_maps_each(getpid(), on_mapping, &found), 1);
	close(found.fd);
	return found.offset;
}

/* The C library's, by the addresses that this program has of them. */
static void library(void **state)
{
	struct found found = { .addr = (uintptr_t)malloc, .fd = -1 };
	struct sonde_elf *elf;
	struct alloc_bin *b;

	if (sonde_maps_each(getpid(), on_mapping, &found) != 1 || !strstr(found.path, "libc")) {
		print_message("this build brings a malloc() of its own, for its instruments\n");
		skip();
	}
	assert_true(found.fd >= 0);
	assert_int_equal(sonde_elf_open(found.fd, &elf), 0);
	b = alloc_bin_find(elf, found.fd, found.path);
	assert_non_null(b);
	assert_true(b->nr_calls >= 7 && b->nr_frees >= 1);
	assert_true(has(b->call, b->nr_calls, found.offset, SONDE_ALLOC_CALL_SIZE));
	assert_true(has(b->call, b->nr_calls, offset_of(calloc), SONDE_ALLOC_CALL_ARRAY));
	assert_true(has(b->call, b->nr_calls, offset_of(realloc), SONDE_ALLOC_CALL_REALLOC));
	assert_true(has(b->call, b->nr_calls, offset_of(reallocarray), SONDE_ALLOC_CALL_REARRAY));
	assert_true(has(b->call, b->nr_calls, offset_of(posix_memalign), SONDE_ALLOC_CALL_POSIX));
	assert_true(has(b->call, b->nr_calls, offset_of(memalign), SONDE_ALLOC_CALL_ALIGNED));
	assert_true(has(b->free, b->nr_frees, offset_of(free), SONDE_ALLOC_CALL_FREE));
	for (size_t i = 0; i < b->nr_calls; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(b->call[i].offset != b->call[k].offset);
	alloc_bin_free(b);
	assert_null(alloc_bin_find(elf, found.fd, "/opt/libsonde-alloc.so")); /* passes on, whatever is in it */
	sonde_elf_close(elf);
	close(found.fd);
	(void)state;
}

/* This program has none: what it calls is not what it has. */
static void none(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct sonde_elf *elf;

	assert_true(fd >= 0);
	assert_int_equal(sonde_elf_open(fd, &elf), 0);
	assert_null(alloc_bin_find(elf, fd, "/proc/self/exe"));
	sonde_elf_close(elf);
	close(fd);
	(void)state;
}

static void prints(void **state)
{
	struct sonde_profile *profile = sonde_profile_new("alloc_space", "bytes");
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);
	struct sonde_out_opts opts = { .command = "alloc", .width = 200 };
	struct sonde_buf buf = {};

	sonde_strings_put(strings);
	snapshot->view = SONDE_VIEW_ALLOC;
	snapshot->profile = profile;
	snapshot->duration_ns = 1000000000;
	snapshot->mono_to_unix_ns = 1000;
	snapshot->alloc = sonde_alloc_new();
	snapshot->alloc->exact = (struct sonde_alloc_exact){
		.on = 1, .budget_ppm = 30000, .predicted_ppm = 6543, .cost_ppm = 7000, .calls = 12345, .frees = 12000,
	};
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "every call counted: 12,345 that allocate, 12,000 that free; cost 0.70% of one CPU, predicted "
				      "0.65%, budget 3%"));
	assert_non_null(strstr(buf.s, "Nothing was allocated."));
	assert_null(strstr(buf.s, "partial"));
	sonde_buf_cut(&buf, 0);
	snapshot->alloc->exact.stopped_ns = 234;
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "partial: stopped above the budget; every call"));
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\"exact\":{\"state\":\"partial\",\"until_unix_ns\":1234,\"budget_cpu_percent\":3"));
	assert_non_null(strstr(buf.s, "\"calls\":12345,\"frees\":12000}"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(library),
		cmocka_unit_test(none),
		cmocka_unit_test(prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
