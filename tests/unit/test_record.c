// SPDX-License-Identifier: GPL-2.0-only
/* test_record.c - recordings: what goes in comes out; a report from one is that of the run; damage is told, whatever it is. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "model/alloc.h"
#include "model/breakdown.h"
#include "model/finding.h"
#include "model/gc.h"
#include "model/gc_judge.h"
#include "model/leak_find.h"
#include "model/memory.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/out.h"
#include "record/alloc.h"
#include "record/record.h"

struct thing {
	u64 big;
	u32 middle;
	u8 small;
	double real;
	const char *text;
};

static const struct sonde_record_column columns[] = {
	{ "big", SONDE_RECORD_U64, offsetof(struct thing, big), false },
	{ "middle", SONDE_RECORD_U32, offsetof(struct thing, middle), false },
	{ "small", SONDE_RECORD_U8, offsetof(struct thing, small), false },
	{ "real", SONDE_RECORD_DOUBLE, offsetof(struct thing, real), false },
	{ "text", SONDE_RECORD_TEXT, offsetof(struct thing, text), false },
	{},
};
static const struct sonde_record_table things = { "things", sizeof(struct thing), columns, false };
static const struct sonde_record_table no_things = { "nothing", sizeof(struct thing), columns, false };
static const struct sonde_record_table large = { "things", 1 << 20, columns, false };

static char path[64];

static int new_path(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/sonde-record-XXXXXX");
	fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	(void)state;
	return fd < 0;
}

static int old_path(void **state)
{
	(void)state;
	return unlink(path);
}

static int take(void *ctx, const void *row)
{
	const struct thing *thing = row;
	u32 *nr = ctx;

	if (!*nr) {
		assert_true(thing->big == UINT64_MAX);
		assert_int_equal(thing->middle, 4000000000u);
		assert_int_equal(thing->small, 200);
		assert_true(thing->real == 0.1);
		assert_string_equal(thing->text, "a \"b\" 'c'");
	} else {
		assert_null(thing->text);
	}
	return ++*nr == 3 ? -EDOM : 0;
}

static void rows(void **state)
{
	struct thing one = { UINT64_MAX, 4000000000u, 200, 0.1, "a \"b\" 'c'" }, two = {};
	struct sonde_record *record = sonde_record_new();
	struct sonde_buf why = {};
	u32 nr = 0;

	assert_false(sonde_record_is(path)); /* empty */
	assert_false(sonde_record_is("/nowhere/at/all"));
	assert_int_equal(sonde_record_put(record, &things, &one), -ENOENT);
	assert_int_equal(sonde_record_create(record, &things), 0);
	assert_int_equal(sonde_record_create(record, &things), -ENOENT);
	assert_int_equal(sonde_record_put(record, &things, &one), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sonde_record_put(record, &things, &two), 0);
	assert_int_equal(sonde_record_write(record, "/nowhere/at/all"), -ENOENT);
	sonde_record_free(record);
	record = sonde_record_new();
	sonde_record_create(record, &things);
	sonde_record_put(record, &things, &one);
	for (int i = 0; i < 3; i++)
		sonde_record_put(record, &things, &two);
	assert_int_equal(sonde_record_write(record, path), 0);
	sonde_record_free(record);
	assert_true(sonde_record_is(path));
	record = sonde_record_open(path, &why);
	assert_non_null(record);
	assert_int_equal(sonde_record_each(record, &things, &nr, take), -EDOM);
	assert_int_equal(nr, 3);
	assert_int_equal(sonde_record_each(record, &no_things, &nr, take), -ENOENT);
	assert_int_equal(sonde_record_each(record, &large, &nr, take), -E2BIG);
	assert_true(sonde_record_put(record, &things, &one) != 0); /* it is read only */
	sonde_record_free(record);
	assert_null(sonde_record_open("/nowhere/at/all", &why));
	assert_non_null(strstr(why.s, "unable to open"));
	sonde_buf_free(&why);
	sonde_record_free(NULL);
	(void)state;
}

static struct sonde_gc *gc;

/* Java, which stood still a third of the time, and two that did not collect. */
static const struct sonde_gc *collections(void)
{
	struct sonde_proc java = { 20, 7 }, seen = { 21, 0 }, unseen = { 22, 0 };
	struct sonde_gc_process *process;
	struct sonde_gc_pool_row *pool;
	struct sonde_gc_row *row;

	sonde_gc_free(gc);
	gc = sonde_gc_new();
	for (u32 kind = SONDE_GC_KIND_YOUNG; kind <= SONDE_GC_KIND_FULL; kind++) {
		row = sonde_gc_row(gc);
		row->proc = java;
		row->tid = 25;
		row->kind = kind;
		strcpy(row->stat.comm, "VM Thread");
		row->stat.sized = 30;
		row->stat.before = 900 << 20;
		row->stat.after = (800 + kind) << 20;
		row->stat.committed = row->stat.peak = 1000 << 20;
		row->stat.freed = 3000ULL << 20;
		row->stat.first_ns = 5000;
		row->stat.last_ns = 9000;
		row->stat.pause.min_ns = 111111112;
		row->stat.pause.max_ns = 140111111;
		for (u32 i = 0; i < 30; i++) {
			row->stat.pause.sum_ns += 111111111 + 1000000 * i;
			row->stat.pause.bucket[sonde_hist_bucket(111111111 + 1000000 * i)]++;
		}
	}
	process = sonde_gc_process(gc, &java);
	strcpy(process->process, "java");
	strcpy(process->how, "USDT");
	process->runtime = SONDE_GC_JAVA;
	process->begin_ns = 1000;
	process = sonde_gc_process(gc, &seen);
	strcpy(process->process, "node");
	strcpy(process->how, "functions");
	process->runtime = SONDE_GC_V8;
	process = sonde_gc_process(gc, &unseen);
	strcpy(process->process, "python3");
	process->sight = SONDE_GC_NO_PROBES;
	pool = sonde_gc_pool_row(gc);
	pool->pid = 20;
	strcpy(pool->name, "Tenured Gen");
	pool->pool = (struct sonde_gc_pool){ 30, 900 << 20, 800 << 20, 1000 << 20, 1000 << 20, 900 << 20, 1 };
	sonde_gc_sum(gc, 2000, 20000002000);
	return gc;
}

/* A run with a bit of everything. Its profile is the caller's. */
static struct sonde_snapshot *run(struct sonde_profile **out)
{
	static const char *const functions[] = { "leak_here", "serve", "main" };
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);
	struct sonde_profile *profile = sonde_profile_new("alloc_space", "bytes");
	struct sonde_query_key key = {
		.id = 77, .proc = { 10, 1 }, .proto = SONDE_PROTO_HTTP, .role = SONDE_ROLE_SERVER
	};
	struct sonde_memory memory = { 3, 3072, 3000, 9 };
	struct sonde_breakdown *endpoint;
	struct sonde_alloc_total *total;
	struct sonde_finding *finding;
	struct sonde_alloc_row *row;
	u32 frame[3];
	size_t index;

	sonde_strings_put(strings);
	for (u32 i = 0; i < 3; i++)
		frame[i] = (u32)sonde_profile_frame(profile, &(struct sonde_frame){ .function = functions[i],
										    .module = "/bin/app",
										    .file = i ? "" : "app.c",
										    .line = i ? 0 : 12 });
	for (u32 i = 0; i < 2; i++) {
		struct sonde_stack stack = {
			.pid = 10, .nr = 3 - i, .process = "app", .complete = true, .frame = frame + i
		};

		assert_int_equal(sonde_profile_put(profile, &stack, &index), 0);
	}
	strcpy(snapshot->host.name, "elsewhere");
	snapshot->view = SONDE_VIEW_ALLOC;
	snapshot->start_unix_ns = 1700000000000000000;
	snapshot->mono_to_unix_ns = 1600000000000000000;
	snapshot->duration_ns = 20000000000;
	snapshot->final = snapshot->judged = true;
	snapshot->counter[SONDE_CNT_SEEN] = snapshot->counter[SONDE_CNT_ATTRIBUTED] = 7;
	snapshot->counter[SONDE_CNT_READ_FAULT] = 2;
	snapshot->profile = profile;
	snapshot->alloc = sonde_alloc_new();
	snapshot->alloc->value = SONDE_ALLOC_SPACE;
	snapshot->alloc->rate = 4096;
	snapshot->alloc->finer = true;
	snapshot->alloc->window_ns = 1000000000;
	snapshot->alloc->nr_windows = 20;
	for (s64 i = -1; i < 2; i++) {
		row = sonde_alloc_row(snapshot->alloc);
		row->stack = i;
		row->pid = 10;
		row->process = "app";
		row->stat = (struct sonde_alloc_stat){ .samples = 5,
						       .alloc_objects = 9216,
						       .alloc_bytes = 9000,
						       .alloc_var = 123,
						       .size = { [10] = 9216 },
						       .life = { [3] = 512 } };
		row->live_bytes = 4500;
		row->leak = (struct sonde_leak){ .verdict = i ? SONDE_VERDICT_CHURN : SONDE_VERDICT_LEAK,
						 .slope = 1.5,
						 .samples = 3 };
	}
	total = sonde_alloc_total(snapshot->alloc, &key.proc);
	total->process = "app";
	total->stat = row->stat;
	total->peak_bytes = 5000;
	total->peak_ns = 5;
	finding = sonde_snapshot_finding(snapshot);
	finding->kind = SONDE_FINDING_LEAK;
	finding->confidence = SONDE_CONFIDENCE_MEDIUM;
	finding->scope = SONDE_SCOPE_PROCESS;
	finding->share = -1;
	finding->id = finding->block = 99;
	finding->pid = 10;
	finding->process = finding->scope_name = "app";
	finding->query = "leak_here";
	finding->suggestion = "free it";
	finding->site = calloc(2, sizeof(*finding->site));
	finding->site[0] = "leak_here app.c:12";
	finding->site[1] = "serve";
	finding->nr_site = 2;
	finding->leak = calloc(1, sizeof(*finding->leak));
	finding->leak->leak = snapshot->alloc->row[1].leak;
	finding->leak->stat.alloc_bytes = 9000;
	finding->leak->nr_paths = 2;
	finding->leak->nr = 2;
	finding->leak->time_ns[1] = 7;
	finding->leak->live_bytes[1] = 4500;
	snapshot->breakdowns = sonde_breakdowns_new();
	endpoint = sonde_breakdowns_row(snapshot->breakdowns, &key);
	endpoint->text = "GET /orders";
	endpoint->process = "app";
	endpoint->stat.count = 3;
	endpoint->stat.undivided[SONDE_UNDIVIDED_MOVED] = 1;
	endpoint->stat.memory = memory;
	assert_int_equal(sonde_memory_site(endpoint, 1, &memory), 0);
	snapshot->gc = collections();
	assert_int_equal(sonde_gc_judge(snapshot), 0);
	assert_int_equal(snapshot->nr_findings, 2);
	sonde_alloc_sort(snapshot->alloc);
	*out = profile;
	return snapshot;
}

static void render(const struct sonde_snapshot *snapshot, const struct sonde_out *out, struct sonde_buf *buf)
{
	struct sonde_out_opts opts = { .command = "alloc", .width = 160 };

	out->render(snapshot, &opts, buf);
}

static void same(void **state)
{
	static u64 times[] = { 5, 7 };
	struct sonde_leak_series series = {
		.stack = 0, .pid = 10, .nr = 2, .time_ns = times, .live_bytes = { 1, 2 }, .alloc_bytes = { 3, 4 }
	};
	struct sonde_profile *profile;
	struct sonde_snapshot *snapshot = run(&profile);
	struct sonde_recorded recorded;
	struct sonde_buf why = {};
	sqlite3_stmt *sums;
	sqlite3 *db;

	snapshot->alloc->series = &series;
	snapshot->alloc->nr_series = 1;
	assert_int_equal(sonde_record_alloc(snapshot, path), 0);
	assert_int_equal(sonde_record_alloc_read(path, &recorded, &why), 0);
	recorded.snapshot->alloc->value = SONDE_ALLOC_SPACE;
	sonde_alloc_sort(recorded.snapshot->alloc);
	for (u32 i = 0; i < SONDE_OUT_MAX; i++) {
		struct sonde_buf before = {}, after = {};

		render(snapshot, sonde_outs[i], &before);
		render(recorded.snapshot, sonde_outs[i], &after);
		assert_string_equal(after.s, before.s);
		assert_non_null(strstr(before.s, "GET")); /* of the endpoint: there is something to compare */
		assert_non_null(strstr(before.s, "VM Thread"));
		sonde_buf_free(&before);
		sonde_buf_free(&after);
	}
	sonde_recorded_free(&recorded);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(
				 db,
				 "select sum(live_bytes), sum(alloc_bytes), max(unix_ns) from reading where stack = 1",
				 -1, &sums, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(sums), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(sums, 0), 3);
	assert_int_equal(sqlite3_column_int64(sums, 1), 7);
	assert_int_equal(sqlite3_column_int64(sums, 2), 1600000000000000007);
	sqlite3_finalize(sums);
	sqlite3_close(db);
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	(void)state;
}

static void refused(const char *change)
{
	struct sonde_recorded recorded;
	struct sonde_buf why = {};
	struct sonde_profile *profile;
	struct sonde_snapshot *snapshot = run(&profile);
	sqlite3 *db;

	assert_int_equal(sonde_record_alloc(snapshot, path), 0);
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, change, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	if (!sonde_record_alloc_read(path, &recorded, &why))
		fail_msg("taken: %s", change);
	assert_null(recorded.snapshot);
	assert_non_null(strstr(why.s, "no recording"));
	sonde_buf_free(&why);
}

/* What does not fit together, and what is of something else. */
static void misfits(void **state)
{
	static const char *const changes[] = {
		"update recording set schema = 'x'",
		"update recording set schema = null",
		"update recording set command = 'cpu'",
		"update recording set start_unix_ns = 0",
		"update recording set by_endpoint = 0",
		"delete from recording",
		"drop table coverage",
		"alter table allocation drop column alloc_bytes",
		"update stack_frame set function = 99",
		"update stack_frame set function = 0",
		"update stack_frame set stack = 99",
		"update stack set kernel_frames = 4",
		"with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) insert into "
		"stack_frame select 1, 1 from n",
		"update allocation set stack = 99",
		"update allocation set verdict = 77",
		"update finding set verdict = 77",
		"update stack set end = 99",
		"update stack set end = -1",
		"update stack set pid = 5000000000",
		"update function set kind = 9",
		"update endpoint set protocol = 256",
		"update allocation set slope = 9e999",
		"update allocation set old_freed_share = 1e300",
		"update finding set slope_low = -9e999",
		"update finding set slope_high = 'steep'",
		"update allocation set samples = 'many'",
		"update allocation set samples = 9e999",
		"update allocation set samples = x'01'",
		"update function set function = x'01'",
		"insert into recording select * from recording",
		"update gc set kind = 'x'",
		"update gc set runtime = 'Go'", /* has no such kind */
		"update gc set kind = null",
		"update gc_process set runtime = 'x'",
		"update gc_process set sight = 99",
		"update gc_pause set bucket = 218",
		"update gc_pause set gc = 3",
		"alter table gc_pool drop column max_bytes",
		"alter table coverage rename to c; create view coverage as select rowid, name, value from c",
		"drop table coverage; create view coverage as with recursive n(i) as (select 1 union all select i + 1 from n) "
		"select i as rowid, 'x' as name, i as value from n",
		"update histogram set bucket = 40",
		"update histogram set kind = 'x'",
		"update histogram set \"of\" = 'x'",
		"update histogram set \"of\" = null",
		"update histogram set row = 0",
		"update finding set confidence = 9",
		"update finding_site set finding = 2",
		"update finding_reading set finding = 2",
		"with recursive n(i) as (select 1 union all select i + 1 from n where i < 50) insert into "
		"finding_reading select 1, 1, 1 from n",
		"insert into endpoint select * from endpoint",
		"update endpoint_site set endpoint = 3",
		"update endpoint_site set stack = 99",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		refused(changes[i]);
	(void)state;
}

/* What a recording holds whose columns were fewer. */
static void older(void **state)
{
	struct sonde_profile *profile;
	struct sonde_snapshot *snapshot = run(&profile);
	struct sonde_recorded recorded;
	struct sonde_buf why = {};
	sqlite3 *db;

	assert_int_equal(sonde_record_alloc(snapshot, path), 0);
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "alter table recording drop column sampling_finer; alter table recording drop column mode;"
				      "alter table recording drop column gc_from_ns; alter table recording drop column gc_to_ns;"
				      "drop table gc; drop table gc_pause; drop table gc_process; drop table gc_pool",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(sonde_record_alloc_read(path, &recorded, &why), 0);
	assert_int_equal(recorded.snapshot->alloc->rate, 4096);
	assert_false(recorded.snapshot->alloc->finer);
	assert_null(recorded.snapshot->gc);
	assert_int_equal(recorded.snapshot->nr_findings, 1);
	sonde_recorded_free(&recorded);
	(void)state;
}

static int count_row(void *ctx, const void *row)
{
	(void)row;
	++*(u64 *)ctx;
	return 0;
}

/* All pages below the inner page @page become @child. Returns how many there are. */
static u32 lead_to(u8 page[4096], u8 child)
{
	u32 cells = (u32)page[3] << 8 | page[4];

	for (u32 i = 0; i <= cells; i++) {
		u8 *to = i < cells ? page + ((u32)page[12 + 2 * i] << 8 | page[13 + 2 * i]) : page + 8;

		memset(to, 0, 3);
		to[3] = child;
	}
	return cells;
}

/* A small file whose table has rows by the million: pages that stand in for many. */
static void more_than_it_holds(void **state)
{
	struct thing thing = { 1, 2, 3, 4, "a text of some length, so that there are pages enough to have one above them" };
	struct sonde_record *record = sonde_record_new();
	struct sonde_buf why = {};
	static u8 page[4096];
	u64 nr = 0;
	off_t size;
	int fd;

	sonde_record_create(record, &things);
	for (u32 i = 0; i < 4000; i++)
		assert_int_equal(sonde_record_put(record, &things, &thing), 0);
	assert_int_equal(sonde_record_write(record, path), 0);
	sonde_record_free(record);
	fd = open(path, O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	assert_int_equal(pread(fd, page, sizeof(page), 4096), sizeof(page)); /* page 2: the table's first, an inner one */
	assert_int_equal(page[0], 5);
	for (u8 at = 2; at < 5; at++) {
		assert_true(lead_to(page, at + 1) > 50);
		assert_int_equal(pwrite(fd, page, sizeof(page), 4096 * (at - 1)), sizeof(page));
	}
	close(fd);
	record = sonde_record_open(path, &why);
	assert_non_null(record);
	assert_int_equal(sonde_record_each(record, &things, &nr, count_row), -EBADMSG);
	assert_int_equal(nr, size); /* no more rows than bytes */
	sonde_record_free(record);
	(void)state;
}

/* Bytes that were hit: it is read, or refused in words. */
static void damage(void **state)
{
	struct sonde_profile *profile;
	struct sonde_snapshot *snapshot = run(&profile);
	static u8 good[1 << 18], bad[1 << 18];
	u64 random = 1;
	ssize_t len;
	int fd;

	assert_int_equal(sonde_record_alloc(snapshot, path), 0);
	sonde_snapshot_free(snapshot);
	sonde_profile_free(profile);
	fd = open(path, O_RDWR);
	len = read(fd, good, sizeof(good));
	assert_true(len > 8192);
	for (int i = 0; i < 400; i++) {
		struct sonde_recorded recorded;
		struct sonde_buf why = {};

		memcpy(bad, good, (size_t)len);
		for (u32 k = 0; k <= (u32)i % 8; k++) {
			random = sonde_mix64(random + 1);
			bad[random % (u64)len] = (u8)(random >> 48);
		}
		assert_int_equal(pwrite(fd, bad, (size_t)len, 0), len);
		if (sonde_record_alloc_read(path, &recorded, &why)) {
			assert_true(why.len > 5);
		} else {
			struct sonde_buf text = {};

			render(recorded.snapshot, sonde_outs[0], &text);
			render(recorded.snapshot, sonde_outs[1], &text);
			sonde_buf_free(&text);
			sonde_recorded_free(&recorded);
		}
		sonde_buf_free(&why);
	}
	close(fd);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows, new_path, old_path),
		cmocka_unit_test_setup_teardown(same, new_path, old_path),
		cmocka_unit_test_setup_teardown(misfits, new_path, old_path),
		cmocka_unit_test_setup_teardown(older, new_path, old_path),
		cmocka_unit_test_setup_teardown(more_than_it_holds, new_path, old_path),
		cmocka_unit_test_setup_teardown(damage, new_path, old_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
