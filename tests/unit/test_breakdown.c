// SPDX-License-Identifier: GPL-2.0-only
/* test_breakdown.c - what the time of requests went into: parts, grouping, printing. */
#include "unit.h"

#include "base/buf.h"
#include "model/breakdown.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/out.h"

static void row(struct sonde_breakdowns *list, u64 id, u32 pid, u64 count, u64 extra_ns)
{
	struct sonde_query_key key = { .id = id, .proc = { pid, 1 }, .proto = SONDE_PROTO_HTTP, .role = SONDE_ROLE_SERVER };
	struct sonde_dep query = { .id = 5, .text = "select ? from t", .kind = SONDE_DEP_DATABASE, .proto = SONDE_PROTO_POSTGRESQL };
	struct sonde_dep other = { .kind = SONDE_DEP_DATABASE, .proto = SONDE_PROTO_POSTGRESQL, .stat = { 1, 9, 1000000 } };
	struct sonde_dep http = { .id = 6, .kind = SONDE_DEP_HTTP, .proto = SONDE_PROTO_HTTP };
	struct sonde_breakdown *to = sonde_breakdowns_row(list, &key);
	struct sonde_breakdown_stat *stat = &to->stat;

	assert_ptr_equal(sonde_breakdowns_row(list, &key), to);
	to->text = "GET /orders";
	to->process = "app";
	stat->count = count;
	stat->cpu_ns = count * 1000000;
	stat->dep_ns[SONDE_DEP_DATABASE] = count * 50000000 + 1000000;
	stat->dep_ns[SONDE_DEP_HTTP] = count * 20000000;
	stat->dep_ns[SONDE_DEP_SOCKET] = count * 3000000;
	stat->wait_ns[SONDE_WAIT_DISK] = count * 4000000;
	stat->wait_ns[SONDE_WAIT_FILE] = count * 1000000;
	stat->wait_ns[SONDE_WAIT_LOCK] = count * 2000000;
	stat->wait_ns[SONDE_WAIT_SLEEP] = count * 6000000;
	stat->wait_ns[SONDE_WAIT_PIPE] = count * 7000000;
	stat->wait_ns[SONDE_WAIT_RUNNABLE] = count * 500000;
	stat->channel_ns = count * 9000000;
	stat->total_ns = count * 103500000 + 1000000 + extra_ns;
	stat->loop_ns = count * 8000000;
	stat->total_ns += stat->loop_ns;
	stat->loops = count;
	stat->loops_ns = stat->total_ns;
	stat->unsure = count - 1;
	stat->undivided[SONDE_UNDIVIDED_SHARED] = extra_ns ? 1 : 0;
	stat->undivided_ns[SONDE_UNDIVIDED_SHARED] = extra_ns;
	query.stat = (struct sonde_dep_stat){ count, count * 12, count * 50000000 };
	http.stat = (struct sonde_dep_stat){ count, count, count * 20000000 };
	assert_int_equal(sonde_breakdown_dep(to, &query), 0);
	assert_int_equal(sonde_breakdown_dep(to, &other), 0);
	assert_int_equal(sonde_breakdown_dep(to, &http), 0);
}

static void parts(void **state)
{
	struct sonde_breakdowns *list = sonde_breakdowns_new();
	u64 part[SONDE_PARTS], sum = 0;

	row(list, 1, 10, 2, 5);
	assert_int_equal(sonde_breakdown_parts(&list->row[0]->stat, part), 224000005);
	for (u32 i = 0; i < SONDE_PARTS; i++)
		sum += part[i];
	assert_int_equal(sum, 224000005);
	assert_int_equal(part[SONDE_PART_DATABASE], 101000000);
	assert_int_equal(part[SONDE_PART_FILE], 10000000);
	assert_int_equal(part[SONDE_PART_OTHER], 14000000);
	assert_int_equal(part[SONDE_PART_CHANNEL], 18000000);
	assert_int_equal(part[SONDE_PART_LOOP], 16000000);
	assert_int_equal(part[SONDE_PART_UNEXPLAINED], 5);
	/* Read while a request was being added: never less than nothing. */
	list->row[0]->stat.total_ns = 7;
	assert_int_equal(sonde_breakdown_parts(&list->row[0]->stat, part), 224000000);
	assert_int_equal(part[SONDE_PART_UNEXPLAINED], 0);
	assert_string_equal(sonde_part_name(SONDE_PART_QUEUE), "run_queue");
	assert_string_equal(sonde_part_name(99), "");
	assert_string_equal(sonde_part_people(99), "");
	assert_string_equal(sonde_undivided_name(99), "");
	assert_string_equal(sonde_undivided_text(99), "");
	sonde_breakdowns_free(list);
	sonde_breakdowns_free(NULL);
	(void)state;
}

static void groups(void **state)
{
	struct sonde_breakdowns *list = sonde_breakdowns_new(), *group;

	row(list, 1, 10, 2, 0);
	row(list, 1, 11, 3, 0);
	row(list, 2, 11, 9, 0);
	sonde_breakdowns_sort(list);
	assert_int_equal(list->row[0]->key.id, 2);
	group = sonde_breakdowns_group(list);
	assert_int_equal(group->nr, 2);
	assert_int_equal(group->row[1]->stat.count, 5);
	assert_int_equal(group->row[1]->nr_procs, 2);
	assert_int_equal(group->row[1]->stat.loop_ns, 40000000);
	assert_int_equal(group->row[1]->stat.loops, 5);
	assert_int_equal(group->row[1]->stat.unsure, 3);
	assert_int_equal(group->row[1]->nr_deps, 3);
	assert_int_equal(group->row[1]->dep[0].id, 5);
	assert_int_equal(group->row[1]->dep[0].stat.calls, 60);
	sonde_breakdowns_free(group);
	sonde_breakdowns_clear(list);
	assert_int_equal(list->nr, 0);
	sonde_breakdowns_free(list);
	(void)state;
}

/* The report of one endpoint of 3 requests to two processes. */
static void print(const struct sonde_out *out, struct sonde_buf *buf)
{
	struct sonde_out_opts opts = { .command = "http", .width = 100 };
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);

	sonde_strings_put(strings);
	snapshot->view = SONDE_VIEW_HTTP;
	snapshot->duration_ns = 1000000000;
	snapshot->breakdowns = sonde_breakdowns_new();
	row(snapshot->breakdowns, 1, 10, 1, 0);
	row(snapshot->breakdowns, 1, 11, 2, 8000000);
	for (u32 i = 0; i < 2; i++) {
		struct sonde_query *query = sonde_snapshot_endpoint(snapshot);

		query->id = 1;
		query->pid = 10 + i;
		query->proto = SONDE_PROTO_HTTP;
		query->role = SONDE_ROLE_SERVER;
		query->text = query->name = "GET /orders";
		query->text_len = strlen(query->text);
		query->process = "app";
		query->count = 1 + i;
		sonde_hist_add(&query->done, 94500000);
	}
	out->render(snapshot, &opts, buf);
	sonde_snapshot_free(snapshot);
}

static void text(void **state)
{
	struct sonde_buf buf = {};

	print(&sonde_out_text, &buf);
	assert_non_null(strstr(buf.s, "GET /orders  3 requests to app, 2 processes\n"));
	assert_non_null(strstr(buf.s, "%        12.0x      select ? from t\n"));
	assert_non_null(strstr(buf.s, "      others\n"));
	assert_non_null(strstr(buf.s, "id 0000000000000006\n"));
	assert_non_null(strstr(buf.s, "  outbound HTTP\n"));
	assert_non_null(strstr(buf.s, "pipe: the other end of a pipe\n"));
	assert_non_null(strstr(buf.s, "1 of them, 8.00ms, came behind others on their connections"));
	assert_non_null(strstr(buf.s, "%               waiting for the loop\n"));
	assert_non_null(strstr(buf.s, "3 of them, 344ms, shared their thread with others (an event loop): divided by"));
	assert_non_null(strstr(buf.s, "1 of these while requests waited for timers"));
	assert_non_null(strstr(buf.s, "100%               the whole request\n"));
	sonde_buf_free(&buf);
	(void)state;
}

static void json(void **state)
{
	struct sonde_buf buf = {};

	print(&sonde_out_json, &buf);
	assert_non_null(strstr(buf.s, "\"breakdown\":{\"count\":1,\"total_ns\":112500000,\"database_ns\":51000000,\"http_ns\":20000000,"
				      "\"sockets_ns\":3000000,\"file_ns\":5000000,\"lock_ns\":2000000,\"channel_ns\":9000000,\"sleep_ns\":6000000,"
				      "\"other_wait_ns\":7000000,\"cpu_ns\":1000000,\"loop_wait_ns\":8000000,\"run_queue_ns\":500000,\"unexplained_ns\":0,"));
	assert_non_null(strstr(buf.s, "{\"id\":\"0000000000000005\",\"db_system\":\"postgresql\",\"text\":\"select ? from t\",\"count\":12,"
				      "\"requests\":1,\"per_request\":12,\"wait_ns\":50000000}"));
	assert_non_null(strstr(buf.s, "\"undivided\":{\"shared_thread\":{\"count\":1,\"total_ns\":8000000}}"));
	assert_non_null(strstr(buf.s, "\"event_loop\":{\"count\":1,\"total_ns\":112500000,\"unsure\":0}"));
	assert_non_null(strstr(buf.s, "\"others\":true"));
	sonde_buf_free(&buf);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(groups),
		cmocka_unit_test(text),
		cmocka_unit_test(json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
