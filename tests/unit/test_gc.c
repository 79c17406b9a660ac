// SPDX-License-Identifier: GPL-2.0-only
/* test_gc.c - garbage collections: what Java's names mean, sums and shares, findings, printing; what can be probed in files. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "load/elf.h"
#include "load/gc_bin.h"
#include "model/finding.h"
#include "model/gc.h"
#include "model/gc_judge.h"
#include "model/growth.h"
#include "model/hist.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/gc.h"
#include "out/out.h"

#define MIB (1ULL << 20)
#define MS 1000000ULL
#define SECOND 1000000000ULL

static u64 word_of(const char *name)
{
	char padded[8] = "";
	u64 word;

	memcpy(padded, name, strlen(name) < sizeof(padded) ? strlen(name) : sizeof(padded));
	memcpy(&word, padded, sizeof(word));
	return word;
}

static void names(void **state)
{
	static const struct {
		const char *name;
		bool heap;
	} pools[] = {
		{ "G1 Eden Space", true },    { "G1 Old Gen", true },	  { "PS Survivor Space", true }, { "Tenured Gen", true },
		{ "Eden Space", true },	      { "ZHeap", true },	  { "Shenandoah", true },	 { "Epsilon Heap", true },
		{ "Metaspace", false },	      { "CodeCache", false },	  { "CodeHeap 'non-nmethods'", false },
		{ "Compressed Class Space", false },
	};
	static const struct {
		const char *name;
		u32 kind; /* of a pause that is not called full */
	} managers[] = {
		{ "Copy", SONDE_GC_KIND_YOUNG },
		{ "PS Scavenge", SONDE_GC_KIND_YOUNG },
		{ "G1 Young Generation", SONDE_GC_KIND_YOUNG },
		{ "MarkSweepCompact", SONDE_GC_KIND_FULL },
		{ "PS MarkSweep", SONDE_GC_KIND_FULL },
		{ "G1 Old Generation", SONDE_GC_KIND_FULL },
		{ "G1 Concurrent GC", SONDE_GC_KIND_CONCURRENT },
		{ "ZGC Major Pauses", SONDE_GC_KIND_CONCURRENT },
		{ "Shenandoah Pauses", SONDE_GC_KIND_CONCURRENT },
	};

	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
		assert_int_equal(sonde_gc_is_heap(word_of(pools[i].name)), pools[i].heap);
	for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++) {
		u32 manager = sonde_gc_manager(word_of(managers[i].name));

		assert_int_equal(sonde_gc_java_kind(false, manager), managers[i].kind);
		assert_int_equal(sonde_gc_java_kind(true, manager), SONDE_GC_KIND_FULL);
	}
	assert_int_equal(sonde_gc_java_kind(false, SONDE_GC_MANAGER_NONE), SONDE_GC_KIND_CONCURRENT);
	assert_string_equal(sonde_gc_runtime_name(SONDE_GC_GO), "Go");
	assert_string_equal(sonde_gc_runtime_name(SONDE_GC_RUNTIMES), "");
	assert_string_equal(sonde_gc_kind_name(SONDE_GC_KIND_SCAVENGE), "scavenge");
	assert_string_equal(sonde_gc_kind_name(SONDE_GC_KINDS), "");
	assert_int_equal(sonde_gc_kind_runtime(SONDE_GC_KIND_FULL), SONDE_GC_JAVA);
	assert_int_equal(sonde_gc_kind_runtime(SONDE_GC_KINDS), SONDE_GC_RUNTIMES);
	(void)state;
}

static struct sonde_gc_row *row(struct sonde_gc *gc, u32 pid, u32 tid, enum sonde_gc_kind kind, u32 count, u64 each_ns)
{
	struct sonde_gc_row *r = sonde_gc_row(gc);

	r->proc.tgid = pid;
	r->tid = tid;
	r->kind = kind;
	for (u32 i = 0; i < count; i++)
		sonde_hist_add(&r->stat.pause, each_ns);
	r->stat.first_ns = 11 * SECOND;
	r->stat.last_ns = 12 * SECOND;
	memcpy(r->stat.comm, "worker", 7);
	return r;
}

static struct sonde_gc_process *process(struct sonde_gc *gc, u32 pid, const char *name, u32 runtime)
{
	struct sonde_proc proc = { .tgid = pid };
	struct sonde_gc_process *p = sonde_gc_process(gc, &proc);

	snprintf(p->process, sizeof(p->process), "%s", name);
	snprintf(p->how, sizeof(p->how), "%s", "symbols");
	p->runtime = runtime;
	return p;
}

static void size(struct sonde_gc_row *r, u64 last_ns, u64 before, u64 after)
{
	r->stat.last_ns = last_ns;
	r->stat.before = before;
	r->stat.after = after;
	r->stat.peak = before > after ? before : after;
	if (before && after) {
		r->stat.sized = 1;
		r->stat.freed = before - after;
	}
}

/* A run from 10 to 20 s: python, java, node with two threads, go, one that collects nothing, one that is not seen. */
static struct sonde_gc *filled(void)
{
	struct sonde_gc *gc = sonde_gc_new();
	struct sonde_gc_pool_row *pool;
	struct sonde_gc_row *r;

	process(gc, 1, "python3", SONDE_GC_PYTHON)->begin_ns = 5 * SECOND;
	r = row(gc, 1, 1, SONDE_GC_KIND_GEN2, 20, 100 * MS);
	r->stat.collected = 50;
	row(gc, 1, 1, SONDE_GC_KIND_GEN0, 100, 1 * MS)->stat.collected = 7;

	process(gc, 2, "java", SONDE_GC_JAVA)->begin_ns = 15 * SECOND; /* half of the run */
	r = row(gc, 2, 22, SONDE_GC_KIND_YOUNG, 10, 20 * MS);
	size(r, 18 * SECOND, 90 * MIB, 30 * MIB);
	r->stat.committed = 128 * MIB;
	size(row(gc, 2, 22, SONDE_GC_KIND_FULL, 2, 200 * MS), 17 * SECOND, 100 * MIB, 20 * MIB);
	row(gc, 2, 22, SONDE_GC_KIND_CONCURRENT, 1, 1 * MS);
	pool = sonde_gc_pool_row(gc);
	pool->pid = 2;
	snprintf(pool->name, sizeof(pool->name), "G1 Old Gen");
	pool->pool = (struct sonde_gc_pool){ .collections = 12, .before = 80 * MIB, .after = 30 * MIB, .committed = 128 * MIB,
					     .max = 256 * MIB, .peak = 90 * MIB, .heap = 1 };
	pool = sonde_gc_pool_row(gc);
	pool->pid = 2;
	snprintf(pool->name, sizeof(pool->name), "Metaspace");
	pool->pool = (struct sonde_gc_pool){ .collections = 12, .before = 20 * MIB, .after = 20 * MIB, .committed = 24 * MIB, .max = ~0ULL };
	pool = sonde_gc_pool_row(gc);
	pool->pid = 2;
	snprintf(pool->name, sizeof(pool->name), "CodeCache");
	pool->pool = (struct sonde_gc_pool){ .collections = 12, .before = MIB, .after = MIB, .committed = MIB, .max = 48 * MIB };

	process(gc, 3, "node", SONDE_GC_V8)->end_ns = 14 * SECOND; /* 4 s of it */
	size(row(gc, 3, 31, SONDE_GC_KIND_SCAVENGE, 100, 5 * MS), 13 * SECOND, 40 * MIB, 10 * MIB);
	size(row(gc, 3, 32, SONDE_GC_KIND_SCAVENGE, 10, 6 * MS), 12 * SECOND, 5 * MIB, 2 * MIB);
	row(gc, 3, 31, SONDE_GC_KIND_MARK_COMPACT, 1, 10 * MS);

	process(gc, 4, "server", SONDE_GC_GO);
	size(row(gc, 4, 0, SONDE_GC_KIND_SWEEP_TERM, 3, 40000), 13 * SECOND, 64 * MIB, 0);
	size(row(gc, 4, 0, SONDE_GC_KIND_MARK_TERM, 3, 60000), 14 * SECOND, 0, 30 * MIB);
	row(gc, 4, 0, SONDE_GC_KIND_STOP, 1, 9000);

	process(gc, 5, "idle", SONDE_GC_PYTHON);
	process(gc, 6, "old", SONDE_GC_GO)->sight = SONDE_GC_NO_PROBES;
	row(gc, 77, 77, SONDE_GC_KIND_GEN0, 1, MS); /* of no process: there was no room for it */
	sonde_gc_sum(gc, 10 * SECOND, 20 * SECOND);
	return gc;
}

static void sums(void **state)
{
	struct sonde_gc *gc = filled();
	struct sonde_gc_process *p;

	assert_int_equal(gc->process[0]->proc.tgid, 1); /* greatest first */
	p = sonde_gc_find(gc, 1);
	assert_int_equal(p->pauses, 120);
	assert_int_equal(p->collections, 120);
	assert_int_equal(p->collected, 57);
	assert_int_equal(p->span_ns, 10 * SECOND);
	assert_int_equal(p->stopped_ns, 2100 * MS);
	assert_true(fabs(sonde_gc_share(p) - 0.21) < 1e-9);
	assert_false(p->sized);
	p = sonde_gc_find(gc, 2);
	assert_int_equal(p->pauses, 13);
	assert_int_equal(p->collections, 12); /* a phase of a concurrent one is none */
	assert_int_equal(p->span_ns, 5 * SECOND);
	assert_int_equal(p->stopped_ns, 601 * MS);
	assert_int_equal(p->before, 90 * MIB); /* the last one's, not the longest one's */
	assert_int_equal(p->after, 30 * MIB);
	assert_int_equal(p->committed, 128 * MIB);
	assert_int_equal(p->peak, 100 * MIB);
	assert_int_equal(p->freed, 140 * MIB);
	assert_int_equal(sonde_hist_count(&p->pause), 13);
	p = sonde_gc_find(gc, 3);
	assert_int_equal(p->span_ns, 4 * SECOND);
	assert_int_equal(p->pause_ns, 570 * MS);
	assert_int_equal(p->stopped_ns, 510 * MS); /* of one thread */
	assert_int_equal(p->after, 10 * MIB);
	p = sonde_gc_find(gc, 4);
	assert_int_equal(p->collections, 3);
	assert_int_equal(p->before, 64 * MIB);
	assert_int_equal(p->after, 30 * MIB);
	assert_null(sonde_gc_find(gc, 78));
	assert_true(sonde_gc_share(sonde_gc_find(gc, 5)) == 0);
	assert_null(sonde_gc_unseen(sonde_gc_find(gc, 5)));
	p = sonde_gc_find(gc, 6);
	assert_non_null(strstr(sonde_gc_unseen(p), "before 1.18"));
	p->runtime = SONDE_GC_V8;
	assert_non_null(strstr(sonde_gc_unseen(p), "symbols"));
	p->sight = SONDE_GC_NO_KERNEL;
	assert_non_null(strstr(sonde_gc_unseen(p), "5.15"));
	p->sight = SONDE_GC_FAILED;
	assert_non_null(strstr(sonde_gc_unseen(p), "refused"));
	sonde_gc_clear(gc);
	assert_int_equal(gc->nr + gc->nr_pools + gc->nr_processes, 0);
	sonde_gc_free(gc);
	sonde_gc_free(NULL);
	(void)state;
}

static const struct sonde_finding *finding_of(const struct sonde_snapshot *snapshot, u32 pid)
{
	for (size_t i = 0; i < snapshot->nr_findings; i++)
		if (snapshot->findings[i]->pid == pid)
			return snapshot->findings[i];
	return NULL;
}

static struct sonde_snapshot *judged(const struct sonde_gc *gc)
{
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snapshot = sonde_snapshot_new(strings);

	sonde_strings_put(strings);
	snapshot->gc = gc;
	assert_int_equal(sonde_gc_judge(snapshot), 0);
	snapshot->judged = true;
	return snapshot;
}

static void findings(void **state)
{
	struct sonde_gc *gc = filled();
	struct sonde_snapshot *snapshot = judged(gc);
	const struct sonde_finding *f = finding_of(snapshot, 1);
	u64 id;

	assert_int_equal(snapshot->nr_findings, 3); /* neither Go's nor those without a pause */
	assert_int_equal(f->kind, SONDE_FINDING_GC_TIME);
	assert_int_equal(f->confidence, SONDE_CONFIDENCE_HIGH);
	assert_int_equal(f->waste_ns, 2100 * MS);
	assert_int_equal(f->first_seen_ns, 11 * SECOND);
	assert_non_null(strstr(f->query, "21.0% of the time"));
	assert_non_null(strstr(f->suggestion, "generation 2"));
	id = f->id;
	f = finding_of(snapshot, 2);
	assert_int_equal(f->confidence, SONDE_CONFIDENCE_MEDIUM);
	assert_int_equal(f->last_seen_ns, 18 * SECOND);
	assert_true(f->id != id);
	assert_non_null(strstr(f->suggestion, "a larger heap"));
	assert_non_null(strstr(finding_of(snapshot, 3)->suggestion, "max-semi-space"));
	sonde_snapshot_free(snapshot);

	/* The same with other causes, and with too few pauses. */
	for (size_t i = 0; i < gc->nr; i++)
		if (gc->row[i].kind == SONDE_GC_KIND_SCAVENGE)
			gc->row[i].kind = SONDE_GC_KIND_MARK_COMPACT;
		else if (gc->row[i].kind == SONDE_GC_KIND_GEN2)
			gc->row[i].kind = SONDE_GC_KIND_GEN1;
	sonde_gc_find(gc, 2)->after = 250 * MIB;
	sonde_gc_find(gc, 4)->stopped_ns = 9 * SECOND;
	snapshot = judged(gc);
	assert_int_equal(finding_of(snapshot, 1)->id, id);
	assert_non_null(strstr(finding_of(snapshot, 1)->suggestion, "set_threshold"));
	assert_non_null(strstr(finding_of(snapshot, 2)->suggestion, "250MiB of at most 256MiB"));
	assert_non_null(strstr(finding_of(snapshot, 3)->suggestion, "heapsnapshot"));
	assert_non_null(strstr(finding_of(snapshot, 4)->suggestion, "GOGC"));
	sonde_snapshot_free(snapshot);
	for (size_t i = 0; i < gc->nr_processes; i++)
		gc->process[i]->pauses = SONDE_GC_PAUSES - 1;
	snapshot = judged(gc);
	assert_int_equal(snapshot->nr_findings, 0);
	sonde_snapshot_free(snapshot);
	sonde_gc_free(gc);
	(void)state;
}

static void prints(void **state)
{
	struct sonde_profile *profile = sonde_profile_new("grown_space", "bytes");
	struct sonde_growth *growth = sonde_growth_new();
	struct sonde_gc *gc = filled();
	struct sonde_snapshot *snapshot = judged(gc);
	struct sonde_out_opts opts = { .command = "alloc", .width = 220 };
	struct sonde_buf buf = {};

	snapshot->view = SONDE_VIEW_GROWTH;
	snapshot->profile = profile;
	snapshot->growth = growth;
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "garbage collection: 251 pauses of 4 processes, 3.27s, 200ms at most\n"));
	assert_non_null(strstr(buf.s, "generation 2       python3[1]"));
	assert_non_null(strstr(buf.s, "scavenge           node[3] thread worker[31]"));
	assert_non_null(strstr(buf.s, "mark termination   server[4]\n"));
	assert_non_null(strstr(buf.s, "Metaspace (no heap)"));
	assert_null(strstr(buf.s, "CodeCache")); /* little, and no heap */
	assert_non_null(strstr(buf.s, "pauses of python3[1]:"));
	assert_non_null(strstr(buf.s, "GC  python3[1]   21.0% of its time: 2.10s of 10.0s   confidence high"));
	assert_non_null(strstr(buf.s, "idle[5] runs CPython: no garbage collection (by symbols)"));
	assert_non_null(strstr(buf.s, "old[6] runs Go: its garbage collections are not seen: it was built by a Go before 1.18"));
	sonde_buf_cut(&buf, 0);
	opts.top = 2;
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "... and 10 kinds of pauses more: --top 12"));
	sonde_buf_cut(&buf, 0);
	opts = (struct sonde_out_opts){ .command = "alloc", .width = 80, .height = 40 };
	assert_int_equal(sonde_gc_lines(snapshot), 7);
	sonde_outs[SONDE_OUT_text]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "garbage collection: "));
	assert_null(strstr(buf.s, "old[6]"));
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snapshot, &opts, &buf);
	assert_non_null(strstr(buf.s, "\"garbage_collection\":{\"processes\":[{\"pid\":1,\"process\":\"python3\",\"runtime\":\"CPython\","
				      "\"seen\":true,\"by\":\"symbols\",\"pauses\":120,\"collections\":120,\"watched_ns\":10000000000,"
				      "\"stopped_ns\":2100000000,"));
	assert_non_null(strstr(buf.s, "\"heap\":{\"before_bytes\":94371840,\"after_bytes\":31457280,\"committed_bytes\":134217728,"
				      "\"peak_bytes\":104857600}"));
	assert_non_null(strstr(buf.s, "{\"name\":\"G1 Old Gen\",\"heap\":true,\"collections\":12,\"before_bytes\":83886080,"));
	assert_non_null(strstr(buf.s, "\"peak_bytes\":94371840,\"max_bytes\":268435456}"));
	assert_non_null(strstr(buf.s, "\"runtime\":\"Go\",\"seen\":false,\"invisible\":\"it was built"));
	assert_non_null(strstr(buf.s, "\"kind\":\"gc_time\",\"confidence\":\"high\""));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snapshot);
	sonde_gc_free(gc);
	sonde_growth_free(growth);
	sonde_profile_free(profile);
	(void)state;
}

/* Nothing to tell, and one process. */
static void little(void **state)
{
	struct sonde_gc *gc = sonde_gc_new();
	struct sonde_snapshot *snapshot = judged(NULL);
	struct sonde_out_opts opts = { .command = "alloc", .width = 100 };
	struct sonde_buf buf = {};

	sonde_gc_text(&buf, &opts, snapshot);
	assert_int_equal(sonde_gc_lines(snapshot), 0);
	snapshot->gc = gc;
	sonde_gc_text(&buf, &opts, snapshot);
	assert_int_equal(buf.len, 0);
	process(gc, 9, "one", SONDE_GC_GO);
	row(gc, 9, 0, SONDE_GC_KIND_STOP, 1, 1000000);
	sonde_gc_sum(gc, 0, 10 * SECOND);
	sonde_gc_text(&buf, &opts, snapshot);
	assert_non_null(strstr(buf.s, "garbage collection: 1 pause of 1 process, 1.00ms (0.01% of its time), 1.00ms at most"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snapshot);
	sonde_gc_free(gc);
	(void)state;
}

/* ---- files ---- */

static int specs;

static int add_spec(void *ctx, const struct sonde_gc_spec *spec)
{
	(void)ctx;
	(void)spec;
	return specs < 0 ? specs : specs++;
}

static bool look(const char *path, const char *called, struct gc_bin *bin)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct sonde_elf *elf;
	bool found;

	if (fd < 0)
		return false;
	assert_int_equal(sonde_elf_open(fd, &elf), 0);
	found = gc_bin_find(elf, fd, called, add_spec, NULL, bin);
	sonde_elf_close(elf);
	close(fd);
	return found;
}

static void files(void **state)
{
	static const struct {
		const char *called;
		u32 runtime;
	} empty[] = {
		{ "/usr/bin/node", SONDE_GC_V8 },	    { "/usr/lib/libnode.so.108", SONDE_GC_V8 },
		{ "/opt/bin/python3.9", SONDE_GC_PYTHON },  { "libpython3.9.so.1.0", SONDE_GC_PYTHON },
		{ "/opt/jdk/lib/server/libjvm.so", SONDE_GC_JAVA },
	};
	struct gc_bin bin;

	/* This program has nothing of the kind, whatever it is called. */
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		assert_true(look("/proc/self/exe", empty[i].called, &bin));
		assert_int_equal(bin.runtime, empty[i].runtime);
		assert_int_equal(bin.sight, SONDE_GC_NO_PROBES);
		assert_string_equal(bin.how, "");
		assert_int_equal(bin.hit.nr + bin.ret.nr + bin.pool.nr, 0);
	}
	assert_false(look("/proc/self/exe", "/usr/bin/nodejs-helper", &bin));
	assert_false(look("/proc/self/exe", "/usr/bin/noded", &bin));
	assert_false(look("/proc/self/exe", "/usr/local/bin/node_exporter", &bin));
	(void)state;
}

/* This machine's own, where it has them. */
static void machine(void **state)
{
	static const char *const paths[] = { "/usr/bin/python3", "/usr/bin/node" };
	bool any = false;
	struct gc_bin bin;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!look(paths[i], paths[i], &bin) || bin.sight != SONDE_GC_SEEN)
			continue;
		any = true;
		assert_true(bin.how[0]);
		assert_true(bin.hit.nr >= 2);
		for (size_t k = 0; k < bin.hit.nr; k++)
			assert_true((bin.hit.spot[k].cookie & 0xff) < SONDE_GC_ATS && bin.hit.spot[k].offset);
		specs = -ENOSPC; /* no room to say what its probes are */
		assert_true(look(paths[i], paths[i], &bin));
		assert_int_equal(bin.sight, SONDE_GC_NO_PROBES);
		specs = 0;
	}
	if (!any) {
		print_message("neither /usr/bin/python3 nor /usr/bin/node can be probed here\n");
		skip();
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),  cmocka_unit_test(sums),  cmocka_unit_test(findings), cmocka_unit_test(prints),
		cmocka_unit_test(little), cmocka_unit_test(files), cmocka_unit_test(machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
