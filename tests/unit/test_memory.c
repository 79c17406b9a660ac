// SPDX-License-Identifier: GPL-2.0-only
/* test_memory.c - what inbound requests allocate or touch: sums, places, grouping, printing. */
#include "unit.h"

#include <time.h>

#include "base/buf.h"
#include "model/alloc.h"
#include "model/growth.h"
#include "model/memory.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/memory.h"
#include "out/out.h"

static s64 put(struct sonde_profile *profile, const char *const *function, u32 nr)
{
	u32 frame[8];
	struct sonde_stack stack = { .pid = 10, .nr = nr, .process = "app", .complete = true, .frame = frame };
	size_t index;

	for (u32 i = 0; i < nr; i++)
		frame[i] = (u32)sonde_profile_frame(
			profile, &(struct sonde_frame){ .function = function[i], .module = "app", .file = "" });
	assert_int_equal(sonde_profile_put(profile, &stack, &index), 0);
	return (s64)index;
}

/* Three ways to build() by load(), one of them from elsewhere; one to grow(). */
static struct sonde_profile *profile_new(s64 stack[4])
{
	static const char *const ways[4][5] = { { "xmalloc", "build", "load", "serve", "main" },
						{ "build", "load", "serve", "start", NULL },
						{ "xcalloc", "build", "other", "serve", NULL },
						{ "grow", "serve", NULL, NULL, NULL } };
	static const u32 nr[4] = { 5, 4, 4, 2 };
	struct sonde_profile *profile = sonde_profile_new("alloc_space", "bytes");

	for (u32 i = 0; i < 4; i++)
		stack[i] = put(profile, ways[i], nr[i]);
	return profile;
}

static struct sonde_breakdown *row(struct sonde_breakdowns *list, u64 id, u32 pid, u64 count, u64 bytes, u64 samples)
{
	struct sonde_query_key key = {
		.id = id, .proc = { pid, 1 }, .proto = SONDE_PROTO_HTTP, .role = SONDE_ROLE_SERVER
	};
	struct sonde_breakdown *to = sonde_breakdowns_row(list, &key);

	to->text = id == 1 ? "GET /orders" : id == 2 ? "POST /orders" : NULL;
	to->process = "app";
	to->server = "127.0.0.1:80";
	to->stat.count = count;
	to->stat.memory = (struct sonde_memory){ .samples = samples,
						 .objects = bytes / 16 * SONDE_ALLOC_OBJECT / 64,
						 .bytes = bytes };
	return to;
}

static void whole(void **state)
{
	struct sonde_breakdown_stat stat = { .count = 9, .undivided = { 1, 2, 3 } };

	assert_int_equal(sonde_memory_whole(&stat), 3);
	stat.count = 5; /* read while it changed */
	assert_int_equal(sonde_memory_whole(&stat), 0);
	(void)state;
}

static void places(void **state)
{
	struct sonde_breakdowns *list = sonde_breakdowns_new();
	struct sonde_breakdown *to = row(list, 1, 10, 2, 1000, 5);
	struct sonde_memory memory = { .samples = 1, .objects = 1024, .bytes = 100, .var = 8 };
	struct sonde_memory_site *site;
	struct sonde_profile *profile;
	s64 stack[4];
	size_t nr;

	profile = profile_new(stack);
	for (u32 i = 0; i < 4; i++)
		for (u32 k = 0; k <= i; k++)
			assert_int_equal(sonde_memory_site(to, stack[i], &memory), 0);
	assert_int_equal(sonde_memory_site(to, -1, &memory), 0);
	assert_int_equal(to->nr_sites, 5);
	site = sonde_memory_places(to, profile, &nr);
	assert_int_equal(nr, 4); /* build < load < serve is one, whatever is behind */
	assert_int_equal(site[0].stack, stack[3]);
	assert_int_equal(site[0].memory.bytes, 1000 * 400 / 1100 + 1); /* some are of requests under way; rounded */
	assert_int_equal(site[1].memory.samples, 3);
	assert_int_equal(site[3].stack, -1);
	free(site);
	to->stat.memory.bytes = 5000; /* sites that found no room: others are not made larger for them */
	site = sonde_memory_places(to, profile, &nr);
	assert_int_equal(site[0].memory.bytes, 400);
	assert_int_equal(site[0].memory.var, 32);
	free(site);
	sonde_breakdowns_free(list);
	sonde_profile_free(profile);
	(void)state;
}

/* A call site is found at once, however many there are: one by one these would be 4 * 10^10 comparisons. */
static void many(void **state)
{
	enum { NR = 300000 };
	struct sonde_breakdowns *list = sonde_breakdowns_new();
	struct sonde_breakdown *to = row(list, 1, 10, 2, 1000, 5);
	struct sonde_memory memory = { .samples = 1, .bytes = 1 };
	clock_t begun = clock();

	for (s64 i = 0; i < 3 * NR; i++) {
		memory.bytes = (u64)(i % NR) + 1;
		assert_int_equal(sonde_memory_site(to, i % NR - 1, &memory), 0);
		if (i == 2 * NR)
			sonde_memory_sort(list); /* in another order they are found as well */
	}
	assert_true(clock() - begun < 5 * CLOCKS_PER_SEC);
	assert_int_equal(to->nr_sites, NR);
	for (size_t i = 0; i < NR; i++) {
		assert_int_equal(to->site[i].memory.samples, 3);
		assert_int_equal(to->site[i].memory.bytes, 3 * (to->site[i].stack + 2));
	}
	sonde_memory_forget(to);
	assert_int_equal(sonde_memory_site(to, 5, &memory), 0);
	assert_int_equal(to->nr_sites, 1);
	sonde_breakdowns_free(list);
	(void)state;
}

static void sorts_and_groups(void **state)
{
	struct sonde_breakdowns *list = sonde_breakdowns_new(), *group;
	struct sonde_memory memory = { .samples = 1, .bytes = 100 };

	row(list, 1, 10, 2, 1000, 5);
	row(list, 2, 10, 3, 1500, 5);
	row(list, 3, 10, 9, 0, 0);
	row(list, 4, 10, 10, 0, 0);
	assert_int_equal(sonde_memory_site(row(list, 1, 11, 2, 1000, 5), 7, &memory), 0);
	assert_int_equal(sonde_memory_site(list->row[0], 7, &memory), 0);
	assert_int_equal(sonde_memory_site(list->row[0], 8, &list->row[0]->stat.memory), 0);
	sonde_memory_sort(list);
	assert_int_equal(list->row[0]->key.id, 2);
	assert_int_equal(list->row[3]->key.id, 4); /* none: by requests */
	assert_int_equal(list->row[1]->site[0].stack, 8);
	group = sonde_breakdowns_group(list);
	sonde_memory_sort(group);
	assert_int_equal(group->row[0]->key.id, 1);
	assert_int_equal(group->row[0]->stat.memory.bytes, 2000);
	assert_int_equal(group->row[0]->nr_sites, 2);
	assert_int_equal(group->row[0]->site[1].memory.samples, 2);
	sonde_breakdowns_free(group);
	sonde_breakdowns_free(list);
	(void)state;
}

enum mode { SAMPLED, EXACT, GROWTH };

static u32 height; /* of the screen; 0: there is none */
static u64 samples = 6; /* of a call site, of which the first endpoint has two; the second one has half of that */

/* The report of three endpoints; @nr: of them, those there are. */
static void print(const struct sonde_out *out, enum mode mode, size_t nr, u32 top, struct sonde_buf *buf)
{
	struct sonde_out_opts opts = { .command = "alloc", .width = 140, .top = top, .height = height };
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);
	struct sonde_memory half = { .samples = samples, .objects = 1024ULL * 60, .bytes = 2 << 20, .var = 1 << 20 };
	struct sonde_growth *growth = sonde_growth_new();
	struct sonde_breakdowns *list = sonde_breakdowns_new();
	struct sonde_breakdown *to;
	struct sonde_profile *profile;
	s64 stack[4];

	sonde_strings_put(strings);
	profile = profile_new(stack);
	snapshot->view = mode == GROWTH ? SONDE_VIEW_GROWTH : SONDE_VIEW_ALLOC;
	snapshot->duration_ns = 1000000000;
	snapshot->profile = profile;
	snapshot->breakdowns = list;
	if (mode == GROWTH) {
		struct sonde_growth_process *process = sonde_growth_process(growth, &(struct sonde_proc){ 10, 1 });

		process->process = "app";
		process->grown = 8 << 20;
		snapshot->growth = growth;
	} else {
		struct sonde_alloc_row *site;

		snapshot->alloc = sonde_alloc_new();
		snapshot->alloc->exact.on = mode == EXACT;
		site = sonde_alloc_row(snapshot->alloc);
		site->process = "app";
		site->stat.alloc_bytes = 8 << 20;
		site->stat.samples = 20;
	}
	if (nr) {
		to = row(list, 1, 10, 5, 4 << 20, 2 * samples);
		to->stat.undivided[SONDE_UNDIVIDED_SHARED] = 1;
		to->stat.memory.var = 1 << 20;
		sonde_memory_site(to, stack[0], &half);
		sonde_memory_site(to, stack[3], &half);
		row(list, 2, 10, 2, 1 << 20, samples / 2);
		row(list, 3, 10, 1, 0, 0)->stat.undivided[SONDE_UNDIVIDED_GOROUTINE] = 1;
	}
	out->render(snapshot, &opts, buf);
	sonde_snapshot_free(snapshot);
	sonde_growth_free(growth);
	sonde_profile_free(profile);
}

static void text(void **state)
{
	struct sonde_buf buf = {};

	print(&sonde_out_text, SAMPLED, 3, 0, &buf);
	assert_non_null(strstr(
		buf.s, "share  bytes/request   +-  objects/request  requests  samples  allocated  who      endpoint"));
	assert_non_null(strstr(buf.s, "50.0%        1.00MiB   6%  "));
	assert_non_null(strstr(buf.s, "  app[10]  GET /orders"));
	assert_non_null(strstr(buf.s, "    grow < serve"));
	assert_non_null(strstr(buf.s, "    build < load < serve"));
	assert_non_null(strstr(buf.s, "12.5%        512KiB?   0%  "));
	assert_non_null(strstr(buf.s, "(its path was not seen)"));
	assert_non_null(strstr(buf.s, "(outside of these requests)\n"));
	assert_non_null(strstr(buf.s, "37.5%  "));
	assert_non_null(strstr(buf.s, "  3.00MiB  "));
	assert_non_null(strstr(buf.s, "\n?: from fewer than 12 samples\n"));
	assert_non_null(strstr(
		buf.s, "\n1 request shared their thread with other requests (an event loop): not counted here\n"));
	assert_non_null(strstr(buf.s, "\n1 request were handled by goroutines: not counted here\n"));
	sonde_buf_cut(&buf, 0);
	print(&sonde_out_text, SAMPLED, 3, 1, &buf);
	assert_non_null(strstr(buf.s, "\n... and 2 endpoints more: --top 3\n"));
	assert_non_null(strstr(buf.s, "37.5% ")); /* outside of all, not of those shown */
	sonde_buf_cut(&buf, 0);
	print(&sonde_out_text, EXACT, 3, 0, &buf);
	assert_null(strstr(buf.s, "+-"));
	assert_null(strstr(buf.s, "?:"));
	assert_null(strstr(buf.s, "samples  allocated"));
	sonde_buf_cut(&buf, 0);
	print(&sonde_out_text, GROWTH, 3, 0, &buf);
	assert_non_null(strstr(buf.s, "share  touched/request  "));
	assert_non_null(strstr(buf.s, "50.0%          1.00MiB  "));
	sonde_buf_cut(&buf, 0);
	print(&sonde_out_text, SAMPLED, 0, 0, &buf);
	assert_non_null(
		strstr(buf.s, "No inbound request has been answered: there is nothing to tell apart by endpoint.\n"));
	sonde_buf_free(&buf);
	(void)state;
}

/* The mark is explained where it stands, and nowhere else. */
static void unsure(void **state)
{
	struct sonde_buf buf = {};

	print(&sonde_out_text, SAMPLED, 3, 2, &buf);
	assert_non_null(strstr(buf.s, "B? "));
	assert_non_null(strstr(buf.s, "\n?: from fewer than 12 samples\n"));
	sonde_buf_cut(&buf, 0);
	samples = 24;
	print(&sonde_out_text, SAMPLED, 3, 2, &buf);
	assert_non_null(strstr(buf.s, "GET /orders"));
	assert_non_null(strstr(buf.s, "POST /orders"));
	assert_null(strstr(buf.s, "?"));
	sonde_buf_cut(&buf, 0);
	samples = 18; /* an endpoint without call sites */
	print(&sonde_out_text, SAMPLED, 3, 2, &buf);
	assert_non_null(strstr(buf.s, "512KiB? "));
	assert_non_null(strstr(buf.s, "\n?: from fewer than 12 samples\n"));
	samples = 6;
	sonde_buf_free(&buf);
	(void)state;
}

/* A screen has room for one at least, and for no more than fit, however few call sites there are. */
static void screens(void **state)
{
	struct sonde_out_opts opts = { .top = 3 };
	struct sonde_buf buf = {};

	assert_int_equal(sonde_memory_rows(&opts, 0), 1);
	assert_int_equal(sonde_memory_rows(&opts, 1), 1);
	assert_int_equal(sonde_memory_rows(&opts, 5), 2);
	assert_int_equal(sonde_memory_rows(&opts, 50), 3);
	for (enum mode mode = SAMPLED; mode <= GROWTH; mode++) {
		height = 5;
		print(&sonde_out_text, mode, 3, 0, &buf);
		assert_non_null(strstr(buf.s, "\n... and 1 endpoints more: --top 3\n"));
		sonde_buf_cut(&buf, 0);
		height = 100; /* of one call site: it does not limit endpoints */
		print(&sonde_out_text, mode, 3, 0, &buf);
		assert_non_null(strstr(buf.s, "(its path was not seen)"));
		assert_null(strstr(buf.s, "endpoints more"));
		sonde_buf_cut(&buf, 0);
	}
	height = 0;
	sonde_buf_free(&buf);
	(void)state;
}

static void json(void **state)
{
	struct sonde_buf buf = {};

	print(&sonde_out_json, SAMPLED, 3, 0, &buf);
	assert_non_null(strstr(
		buf.s, "\"endpoints\":[{\"id\":\"0000000000000001\",\"role\":\"server\",\"method\":\"GET\",\"path\":\"/"
		       "orders\","
		       "\"protocol\":\"http\",\"pid\":10,\"process\":\"app\",\"server\":\"127.0.0.1:80\",\"count\":5,"
		       "\"allocations\":{\"requests\":4,\"samples\":12,\"alloc_bytes\":4194304,\"alloc_bytes_error\":"
		       "262144,"));
	assert_non_null(strstr(buf.s, "\"bytes_per_request\":1.04858e+06,\"bytes_per_request_error\":65536,"));
	assert_non_null(strstr(buf.s, "\"share\":0.5,\"sites\":[{\"function\":\"build\","));
	assert_non_null(strstr(buf.s, "\"undivided\":{\"shared_thread\":1}"));
	assert_non_null(strstr(buf.s, "\"text_known\":false"));
	sonde_buf_cut(&buf, 0);
	print(&sonde_out_json, GROWTH, 3, 2, &buf);
	assert_non_null(strstr(
		buf.s, "\"growth\":{\"requests\":4,\"touches\":12,\"grown_bytes\":4194304,\"bytes_per_request\":"));
	assert_non_null(strstr(buf.s, "\"endpoints_left_out\":1"));
	assert_null(strstr(buf.s, "objects_per_request"));
	sonde_buf_free(&buf);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole), cmocka_unit_test(places), cmocka_unit_test(many), cmocka_unit_test(sorts_and_groups),
		cmocka_unit_test(text),	 cmocka_unit_test(unsure), cmocka_unit_test(screens),
		cmocka_unit_test(json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
