// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_exact.c - the source of every allocation: probes on the allocators of running processes, as long as that is cheap enough.
 *
 * Before anything is attached for good the rate of calls is measured, and too dear a run is refused. All probes are in before the
 * first call counts, so nothing is seen to be allocated whose free was missed.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "load/alloc_bin.h"
#include "load/alloc_govern.h"
#include "load/bins.h"
#include "load/source.h"
#include "load/tables.h"
#include "sonde/config.h"
#include "sonde/event.h"
#include "sonde.skel.h"

#define MAX_BINARIES 64
#define MAX_TARGETS 512
#define MAX_OBJECTS (1u << 20)
#define SWEEP_NS 500000000ULL /* from an exec to when objects of the program before are forgotten */
#define RESCAN_NS 500000000ULL
#define MAX_DEAD 65536 /* objects of programs that are gone forgotten in one go */

/* An allocator in a process. */
struct target {
	const struct alloc_bin *bin;
	pid_t pid;
	bool refused; /* the kernel does not probe it */
	struct sonde_uprobe *probes;
};

struct exact {
	struct sonde_bpf *skel;
	struct sonde_tables *tables;
	struct sonde_bins *bins;
	struct alloc_bin *bin[MAX_BINARIES];
	size_t nr_bins;
	struct target target[MAX_TARGETS];
	size_t nr_targets;
	struct alloc_governor governor;
	bool tracing;
	u64 rescan_ns, sweep_ns;
};

/* ---- probes ---- */

static int put_in(struct exact *e, struct target *t)
{
	int err;

	if (t->refused)
		return -ENODEV;
	err = t->probes ? 0 : alloc_bin_attach(e->skel, t->bin, t->pid, &t->probes);
	t->refused = err != 0;
	if (err && err != -ESRCH)
		sonde_warn("%s cannot be probed in process %d: %s", t->bin->path, t->pid, strerror(-err));
	return err;
}

/* For the governor, and for good. An error if no process can be probed. */
static int put(void *ctx, bool in)
{
	struct sonde_uprobe *all = NULL;
	struct exact *e = ctx;
	int err = 0, any = 0;

	for (size_t i = 0; i < e->nr_targets; i++) {
		int one = in ? put_in(e, &e->target[i]) : 0;

		any += !one;
		err = one ? one : err;
		if (!in)
			sonde_uprobe_move(&all, &e->target[i].probes);
	}
	sonde_uprobe_free(all);
	return any ? 0 : err;
}

static void *examine(void *ctx, struct sonde_elf *elf, int fd, const char *path)
{
	struct exact *e = ctx;
	struct alloc_bin *b;

	if (e->nr_bins == MAX_BINARIES)
		return NULL;
	b = alloc_bin_find(elf, fd, path);
	if (!b)
		return NULL;
	if (b->news)
		sonde_warn("C++'s operator new of %s is not watched: it takes Linux 6.13 or later", b->path);
	e->bin[e->nr_bins++] = b;
	return b;
}

static void meet(void *ctx, void *bin, pid_t pid)
{
	struct exact *e = ctx;
	struct target *t = &e->target[e->nr_targets];

	if (e->nr_targets == MAX_TARGETS) {
		sonde_warn("an allocator of process %d is not watched: too many of them", pid);
		return;
	}
	*t = (struct target){ .bin = bin, .pid = pid };
	e->nr_targets++;
	if (e->tracing)
		(void)put_in(e, t); /* it was told */
}

/* ---- the source ---- */

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	const struct sonde_load_opts *opts = ctx->opts;
	struct sonde_bpf *skel = ctx->skel;
	u32 objects = opts->exact->max_objects;
	struct exact *e;

	e = calloc(1, sizeof(*e));
	if (!e)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	ctx->state = e;
	e->skel = skel;
	e->governor.skel = skel;
	e->governor.state = (struct sonde_alloc_exact){ .on = 1, .budget_ppm = opts->exact->budget_ppm };
	if (opts->max_queries)
		bpf_map__set_max_entries(skel->maps.alloc_sites, opts->max_queries);
	bpf_map__set_max_entries(skel->maps.alloc_live, objects ? objects : MAX_OBJECTS);
	bpf_map__set_autocreate(skel->maps.alloc_specs, false);
	bpf_map__set_autocreate(skel->maps.alloc_names, false);
	bpf_map__set_autocreate(skel->maps.seen, true);
	bpf_map__set_autocreate(skel->maps.uw_samples, true);
	alloc_bin_prepare(skel);
	sonde_tables_prepare(skel, 0);
	return 0;
}

static int find(struct exact *e, const struct sonde_load_opts *opts)
{
	static const struct sonde_bins_ops ops = { .examine = examine, .meet = meet };
	struct sonde_bins_opts which = { .pids = opts->pids, .nr_pids = opts->nr_pids, .filter_map = -1 };

	e->bins = sonde_bins_new(&which);
	if (!e->bins || sonde_bins_add(e->bins, &ops, e))
		return -ENOMEM;
	(void)sonde_bins_scan(e->bins); /* tried again */
	return 0;
}

/* Whether it may be done, which is to be known before it is. */
static int loaded(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct exact *e = ctx->state;
	struct alloc_governor *g = &e->governor;
	char text[160];
	int ret;

	e->tables = sonde_tables_new(ctx->skel);
	if (!e->tables || find(e, ctx->opts))
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	if (!e->nr_targets)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOENT,
				       "no malloc is found in %s: a program that is linked statically needs its symbols (.symtab)",
				       ctx->opts->nr_pids == 1 ? "this process" : "these processes");
	sonde_tables_fill(e->tables, ctx->opts, false);
	alloc_governor_calibrate(g);
	ret = alloc_governor_measure(g, put, e, text, sizeof(text));
	if (ret)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, ret, "cannot attach: %s", strerror(-ret));
	if (g->state.predicted_ppm > g->state.budget_ppm)
		return sonde_load_fail(err, SONDE_EXIT_GATE, -EBUSY,
				       "%s: refused, nothing stays attached. Raise --budget; or sample: start the program with "
				       "`sonde alloc -- PROGRAM`; or leave --exact away: what makes it grow can be told at any rate",
				       text);
	sonde_note("%s", text);
	return 0;
}

/* Programs do nothing before sonde is active. */
static void attach(struct sonde_load_ctx *ctx)
{
	struct exact *e = ctx->state;

	e->tracing = true;
	(void)put(e, true); /* it was told */
	ctx->skel->bss->alloc_phase = SONDE_ALLOC_TRACE;
	alloc_governor_begin(&e->governor, sonde_clock_ns());
}

static bool event(struct sonde_load_ctx *ctx, const struct sonde_event *event, size_t size)
{
	struct exact *e = ctx->state;

	sonde_tables_event(e->tables, event, size);
	return false; /* that a process has mapped something is news for who names its functions, too */
}

static int wait_ms(const struct sonde_load_ctx *ctx, int timeout_ms)
{
	return sonde_tables_wait_ms(((const struct exact *)ctx->state)->tables, timeout_ms);
}

/* How many programs the process had executed before the one it runs; UINT32_MAX: it is not known. */
static u32 epoch_of(const struct exact *e, u32 tgid)
{
	int map = bpf_map__fd(e->skel->maps.alloc_procs);
	struct sonde_alloc_proc proc;
	struct sonde_proc key, *from = NULL;
	u32 epoch = UINT32_MAX;

	while (!bpf_map_get_next_key(map, from, &key)) {
		from = &key;
		if (key.tgid == tgid && !bpf_map_lookup_elem(map, &key, &proc))
			epoch = proc.epoch;
	}
	return epoch;
}

/* Objects of a program that its process has left are freed by nobody. */
static void sweep(struct exact *e)
{
	struct sonde_alloc_object *dead = malloc(MAX_DEAD * sizeof(*dead)), key;
	int map = bpf_map__fd(e->skel->maps.alloc_live);
	u32 tgid = 0, epoch = UINT32_MAX;
	void *from = NULL;
	size_t nr = 0;

	while (dead && nr < MAX_DEAD && !bpf_map_get_next_key(map, from, &key)) {
		dead[nr] = key; /* the walk goes on from a copy: an entry met stays until it is over */
		from = &dead[nr];
		if (key.tgid != tgid) {
			tgid = key.tgid;
			epoch = epoch_of(e, tgid);
		}
		if (epoch != UINT32_MAX && key.epoch < epoch)
			nr++;
	}
	for (size_t i = 0; i < nr; i++)
		bpf_map_delete_elem(map, &dead[i]);
	e->sweep_ns = nr == MAX_DEAD ? 1 : 0; /* more of them at the next occasion */
	free(dead);
}

/* No call is counted from here on. */
static void end(struct exact *e)
{
	e->tracing = false;
	e->skel->bss->alloc_phase = SONDE_ALLOC_OFF;
	(void)put(e, false);
}

static void work(struct sonde_load_ctx *ctx, bool exec_seen)
{
	struct exact *e = ctx->state;
	bool hurry = sonde_tables_work(e->tables, exec_seen);
	u64 now = sonde_clock_ns();

	if (exec_seen)
		e->sweep_ns = now + SWEEP_NS;
	if (e->tracing && (hurry || now >= e->rescan_ns)) {
		e->rescan_ns = now + RESCAN_NS;
		(void)sonde_bins_scan(e->bins);
	}
	if (e->sweep_ns && now >= e->sweep_ns)
		sweep(e);
	if (e->tracing && alloc_governor_watch(&e->governor, now))
		end(e);
}

static bool looks(const struct sonde_load_ctx *ctx)
{
	return ((const struct exact *)ctx->state)->tables != NULL;
}

static void exact(const struct sonde_load_ctx *ctx, struct sonde_alloc_exact *out)
{
	*out = ((const struct exact *)ctx->state)->governor.state;
}

static void stop(struct sonde_load_ctx *ctx)
{
	struct exact *e = ctx->state;

	if (e->tracing)
		alloc_governor_end(&e->governor, sonde_clock_ns());
	end(e);
}

static void free_state(struct sonde_load_ctx *ctx)
{
	struct exact *e = ctx->state;

	if (!e)
		return;
	(void)put(e, false);
	for (size_t i = 0; i < e->nr_bins; i++)
		alloc_bin_free(e->bin[i]);
	sonde_bins_free(e->bins);
	sonde_tables_free(e->tables);
	free(e);
}

const struct sonde_load_source sonde_load_alloc_exact = {
	.name = "allocations",
	.maps = "alloc_",
	.configure = configure,
	.loaded = loaded,
	.attach = attach,
	.event = event,
	.wait_ms = wait_ms,
	.work = work,
	.looks = looks,
	.exact = exact,
	.round = sonde_tables_round,
	.stop = stop,
	.free = free_state,
};
