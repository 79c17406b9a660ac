// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_findings.c - rows of findings, callers, open scopes and stacks are read from real maps, all of them and once. Needs root.
 */
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "../unit/finding_fixture.h"

#define NR_ROWS 1000 /* more than one batch */

static int maps_failed;

static int make_map(enum bpf_map_type type, size_t key, size_t value, u32 entries)
{
	int fd = bpf_map_create(type, "test_findings", (u32)key, (u32)value, entries, NULL);

	if (fd < 0)
		maps_failed = fd;
	return fd;
}

static void set(int fd, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
}

/* As the loader hands them out. */
static struct sonde_db_maps make_maps(void)
{
	return (struct sonde_db_maps){
		.queries = make_map(BPF_MAP_TYPE_HASH, sizeof(struct sonde_query_key), sizeof(struct sonde_query_stat),
				    64),
		.peers = make_map(BPF_MAP_TYPE_HASH, sizeof(u64), sizeof(struct sonde_peer), 64),
		.procs = make_map(BPF_MAP_TYPE_HASH, sizeof(struct sonde_proc), sizeof(struct sonde_proc_info), 64),
		.counters = make_map(BPF_MAP_TYPE_ARRAY, sizeof(u32), SONDE_COUNTER_ROOM * sizeof(u64), 1),
		.seen = make_map(BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(u32), sizeof(u64), 1),
		.findings = make_map(BPF_MAP_TYPE_HASH, sizeof(struct sonde_finding_key),
				     sizeof(struct sonde_finding_stat), 4096),
		.callers = make_map(BPF_MAP_TYPE_HASH, sizeof(struct sonde_caller_key),
				    sizeof(struct sonde_caller_stat), 4096),
		.scopes = make_map(BPF_MAP_TYPE_LRU_HASH, sizeof(u64), sizeof(struct sonde_scope), 64),
		.stacks = make_map(BPF_MAP_TYPE_HASH, sizeof(u32), 127 * sizeof(u64), 64),
	};
}

static void close_maps(const struct sonde_db_maps *maps)
{
	const int fds[] = { maps->queries,  maps->peers,   maps->procs,	 maps->counters, maps->seen,
			    maps->findings, maps->callers, maps->scopes, maps->stacks };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}

static unsigned int resolved;

static void resolve(void *ctx, u32 pid, const u64 *ips, size_t nr, struct sonde_db_site *of)
{
	static const char *const site[] = { "list_orders shop.c:142" };

	(void)ctx;
	assert_int_equal(pid, PID);
	assert_int_equal(nr, 3);
	assert_int_equal(ips[2], 0x3000);
	resolved++;
	of->frame = site;
	of->nr = 1;
}

static void fill(const struct sonde_db_maps *maps)
{
	static struct sonde_scope scope;
	struct sonde_proc proc = { PID, 3 };
	struct sonde_proc_info info = { .comm = "gunicorn" };
	struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 10, 50);
	u64 ips[127] = { 0x1000, 0x2000, 0x3000 }, key = 1;
	struct timespec now;
	u32 stack = 7;

	set(maps->procs, &proc, &info);
	set(maps->stacks, &stack, ips);
	made.stat.stack = 7;
	made.stat.same_stack = 10;
	for (u64 i = 0; i < NR_ROWS; i++) {
		struct sonde_caller_key caller = {
			.id = i + 1, .name = PAGE, .proc = proc, .scope = SONDE_SCOPE_REQUEST
		};
		struct sonde_caller_stat count = { .scopes = 10, .calls = 500 };

		made.key.id = 1000 + i;
		set(maps->findings, &made.key, &made.stat);
		set(maps->callers, &caller, &count);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	scope = (struct sonde_scope){ .name = PAGE,
				      .begin_ns = (u64)now.tv_sec * 1000000000,
				      .epoch = 1,
				      .hot = 1,
				      .proc = proc,
				      .kind = SONDE_SCOPE_REQUEST,
				      .flags = SONDE_SCOPE_OPEN };
	scope.slot[0] =
		(struct sonde_scope_slot){ .id = 1000, .peer = SHOP, .epoch = 1, .count = 50, .bits = 49, .stack = -1 };
	scope.slot[0].verb = SONDE_SQL_SELECT;
	scope.slot[0].proto = SONDE_PROTO_POSTGRESQL;
	scope.slot[0].parent = SONDE_SLOT_NONE;
	set(maps->scopes, &key, &scope);
	scope.flags = 0; /* ended, about to be used again */
	key = 2;
	set(maps->scopes, &key, &scope);
}

static void test_read(void **state)
{
	struct sonde_db_maps maps = make_maps();
	struct sonde_db *db;
	struct sonde_snapshot *snap;

	if (maps_failed) {
		close_maps(&maps);
		print_message("maps cannot be made here\n");
		skip();
	}
	fill(&maps);
	db = fixture_findings();
	sonde_db_sites(db, resolve, NULL, NULL);
	for (u32 round = 0; round < 3; round++)
		assert_int_equal(sonde_db_read(db, &maps), 0);
	assert_int_equal(resolved, 1);
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->nr_findings, NR_ROWS);
	assert_int_equal(snap->nr_callers, NR_ROWS);
	for (size_t i = 0; i < snap->nr_findings; i++) {
		const struct sonde_finding *f = snap->findings[i];

		assert_int_equal(f->scopes, f->query_id == 1000 ? 11 : 10);
		assert_string_equal(f->process, "gunicorn");
		assert_int_equal(f->nr_site, 1);
		assert_true(f->scope_ns < 3600ULL * 1000000000);
	}
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	close_maps(&maps);
	(void)state;
}

/* A loader that has no such maps says so with what is no descriptor. */
static void test_without(void **state)
{
	struct sonde_db_maps maps = make_maps(), none = maps;
	struct sonde_db *db;
	struct sonde_snapshot *snap;

	if (maps_failed) {
		close_maps(&maps);
		print_message("maps cannot be made here\n");
		skip();
	}
	none.findings = none.callers = none.scopes = none.stacks = -22;
	db = fixture_findings();
	assert_int_equal(sonde_db_read(db, &none), 0);
	snap = sonde_db_snapshot(db);
	assert_int_equal(snap->nr_findings, 0);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	close_maps(&maps);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
