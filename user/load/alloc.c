// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc.c - the source of sampled allocations: otel_memory's probes in the processes that carry them.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "load/alloc.h"
#include "load/bins.h"
#include "load/elf.h"
#include "load/source.h"
#include "load/tables.h"
#include "load/uprobe.h"
#include "load/usdt.h"
#include "sonde/config.h"
#include "sonde/event.h"
#include "sonde.skel.h"

#define MAX_BINARIES 64
#define RESCAN_NS 500000000ULL
#define SWEEP_NS 1000000000ULL /* between sweeps when processes have ended */
#define SWEEP_ANYWAY_NS 30000000000ULL
#define MAX_DEAD 65536 /* objects of ended processes forgotten in one sweep */

/* From PROBE_BEGIN on the preloaded library's own, whose arguments are where those of a function are. */
enum probe { PROBE_ALLOC, PROBE_FREE, PROBE_BEGIN, PROBE_PYTHON, PROBE_NAME, PROBE_READY, PROBES };

static const struct {
	const char *provider;
	const char *name;
	u32 nr_args;
} probes[PROBES] = {
	[PROBE_ALLOC] = { "otel_memory", "alloc", 3 }, [PROBE_FREE] = { "otel_memory", "free", 1 },
	[PROBE_BEGIN] = { "sonde_alloc", "begin", 0 }, [PROBE_PYTHON] = { "sonde_alloc", "python", 1 },
	[PROBE_NAME] = { "sonde_alloc", "name", 2 },   [PROBE_READY] = { "sonde_alloc", "ready", 0 },
};

/* A file with probes. */
struct binary {
	struct sonde_uprobe_file file;
	struct sonde_uprobe_spot spot[PROBES][SONDE_USDT_MAX];
	size_t nr[PROBES];
};

struct alloc {
	struct sonde_tables *tables;
	struct sonde_bins *bins;
	struct binary *bin[MAX_BINARIES];
	size_t nr_bins;
	u32 nr_specs[PROBES];
	struct sonde_bpf *skel;
	bool one_by_one; /* probes are put into the processes asked for only */
	const char *shim[2];
	struct sonde_bins_ops ops;
	bool ended; /* a process has */
	pid_t begun; /* the program that was started, once it has mapped its libraries; 0: not yet */
	bool ready; /* it was told that these are known */
	u64 rescan_ns, sweep_ns;
};

/* ---- probes ---- */

static int attach_probe(struct alloc *a, struct binary *b, enum probe which, pid_t pid)
{
	struct bpf_program *const program[PROBES] = {
		[PROBE_ALLOC] = a->skel->progs.alloc_alloc, [PROBE_FREE] = a->skel->progs.alloc_free,
		[PROBE_BEGIN] = a->skel->progs.alloc_begin, [PROBE_PYTHON] = a->skel->progs.alloc_python,
		[PROBE_NAME] = a->skel->progs.alloc_name,   [PROBE_READY] = a->skel->progs.alloc_begin, /* never hit */
	};
	int type = sonde_uprobe_caps()->multi ? SONDE_UPROBE_MULTI : SONDE_UPROBE_PERF;

	if (!b->nr[which])
		return 0;
	return sonde_uprobe_attach(&b->file.probes, program[which], type, b->file.fd, b->spot[which], b->nr[which], false,
				   pid);
}

/* Frees before allocations, and names before what has them: none of an allocation that is seen is missed. */
static int attach_binary(struct alloc *a, struct binary *b, pid_t pid)
{
	static const enum probe order[] = { PROBE_BEGIN, PROBE_FREE, PROBE_NAME, PROBE_PYTHON, PROBE_ALLOC };
	int err = 0;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !err; i++)
		err = attach_probe(a, b, order[i], pid);
	if (err && err != -ESRCH)
		sonde_warn("probes of %s cannot be attached: %s", b->file.path, strerror(-err));
	return err;
}

/* Tells the programs where the arguments of @place are; its cookie, or -errno. */
static int add_spec(struct alloc *a, enum probe which, const struct sonde_usdt *place)
{
	u32 cookie = a->nr_specs[which], index = 2 * cookie + which;

	if (place->nr_args < probes[which].nr_args)
		return -EINVAL;
	if (which >= PROBE_BEGIN)
		return 0;
	if (cookie >= (sonde_uprobe_caps()->cookies ? SONDE_ALLOC_SPECS : 1))
		return -ENOSPC;
	if (bpf_map_update_elem(bpf_map__fd(a->skel->maps.alloc_specs), &index, &place->spec, BPF_ANY))
		return -errno;
	a->nr_specs[which]++;
	return (int)cookie;
}

static void find_places(struct alloc *a, struct sonde_elf *elf, int fd, struct binary *b)
{
	struct sonde_usdt *place = calloc(SONDE_USDT_MAX, sizeof(*place));

	for (enum probe which = 0; place && which < PROBES; which++) {
		size_t nr = sonde_usdt_find(elf, fd, probes[which].provider, probes[which].name, place);

		for (size_t i = 0; i < nr; i++) {
			int cookie = add_spec(a, which, &place[i]);

			if (cookie < 0)
				continue;
			b->spot[which][b->nr[which]++] = (struct sonde_uprobe_spot){
				.offset = place[i].offset,
				.semaphore = place[i].semaphore,
				.cookie = (u64)cookie,
			};
		}
	}
	free(place);
}

static void *examine(void *ctx, struct sonde_elf *elf, int fd, const char *path)
{
	struct alloc *a = ctx;
	struct binary *b;

	if (a->nr_bins == MAX_BINARIES)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	find_places(a, elf, fd, b);
	if (!b->nr[PROBE_ALLOC] || !sonde_uprobe_file_open(&b->file, path, fd)) {
		free(b);
		return NULL;
	}
	sonde_debug("probes of otel_memory:alloc in %s: %zu, semaphore %s", path, b->nr[PROBE_ALLOC],
		    b->spot[PROBE_ALLOC][0].semaphore ? "yes" : "no");
	a->bin[a->nr_bins++] = b;
	if (!a->one_by_one)
		(void)attach_binary(a, b, 0); /* it was told */
	return b;
}

static void meet(void *ctx, void *bin, pid_t pid)
{
	struct alloc *a = ctx;

	if (a->one_by_one)
		(void)attach_binary(a, bin, pid);
}

/* ---- whether there is anything to attach to ---- */

static void *look(void *ctx, struct sonde_elf *elf, int fd, const char *path)
{
	struct sonde_usdt *place = calloc(SONDE_USDT_MAX, sizeof(*place));
	bool *found = ctx;

	(void)path;
	*found |= place && sonde_usdt_find(elf, fd, probes[PROBE_ALLOC].provider, probes[PROBE_ALLOC].name, place) > 0;
	free(place);
	return NULL;
}

static bool are_there(const pid_t *pids, size_t nr_pids)
{
	static const struct sonde_bins_ops ops = { .examine = look };
	struct sonde_bins_opts which = { .pids = pids, .nr_pids = nr_pids, .filter_map = -1 };
	struct sonde_bins *bins = sonde_bins_new(&which);
	bool found = false;

	if (bins && !sonde_bins_add(bins, &ops, &found))
		(void)sonde_bins_scan(bins);
	sonde_bins_free(bins);
	return found;
}

bool sonde_alloc_carried(const pid_t *pids, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!are_there(&pids[i], 1))
			return false;
	return nr > 0;
}

/* ---- the source ---- */

static void load_programs(struct sonde_bpf *skel)
{
	struct bpf_program *const probed[] = { skel->progs.alloc_alloc, skel->progs.alloc_free, skel->progs.alloc_begin,
					       skel->progs.alloc_python, skel->progs.alloc_name };

	for (size_t i = 0; i < sizeof(probed) / sizeof(probed[0]); i++) {
		bpf_program__set_autoload(probed[i], true);
		if (sonde_uprobe_caps()->multi)
			bpf_program__set_expected_attach_type(probed[i], SONDE_UPROBE_MULTI);
	}
	bpf_program__set_autoload(skel->progs.alloc_exec, true);
}

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct sonde_bpf *skel = ctx->skel;
	struct alloc *a;

	if (!ctx->opts->program && !are_there(ctx->opts->pids, ctx->opts->nr_pids))
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOENT,
				       "%s carries otel_memory probes, which tell of allocations: start the program "
				       "with `sonde alloc -- PROGRAM`, or with LD_PRELOAD=%s",
				       ctx->opts->nr_pids ? "no process of these" : "no process",
				       ctx->opts->shim ? ctx->opts->shim : "libsonde-alloc.so");
	a = calloc(1, sizeof(*a));
	if (!a)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	ctx->state = a;
	a->skel = skel;
	if (ctx->opts->max_queries)
		bpf_map__set_max_entries(skel->maps.alloc_sites, ctx->opts->max_queries);
	bpf_map__set_autocreate(skel->maps.alloc_threads, false); /* of the run that watches every call */
	bpf_map__set_autocreate(skel->maps.alloc_gauge, false);
	bpf_map__set_autocreate(skel->maps.alloc_stacks, false);
	bpf_map__set_autocreate(skel->maps.alloc_words, false);
	bpf_map__set_autocreate(skel->maps.seen, true);
	bpf_map__set_autocreate(skel->maps.uw_samples, true);
	load_programs(skel);
	skel->rodata->alloc_cookies = sonde_uprobe_caps()->cookies;
	sonde_tables_prepare(skel, 0);
	return 0;
}

static int loaded(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct alloc *a = ctx->state;

	a->tables = sonde_tables_new(ctx->skel);
	if (a->tables)
		return 0;
	return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
}

static void attach(struct sonde_load_ctx *ctx)
{
	const struct sonde_load_opts *opts = ctx->opts;
	struct alloc *a = ctx->state;
	struct sonde_bins_opts bins = {
		.pids = opts->pids,
		.nr_pids = opts->nr_pids,
		.filter_map = opts->nr_pids || opts->follow_children ? bpf_map__fd(ctx->skel->maps.pids) : -1,
		.ahead = opts->program != NULL,
		.program = opts->program,
	};

	a->one_by_one = opts->nr_pids && !opts->follow_children && sonde_uprobe_caps()->process;
	if (!a->one_by_one)
		bins.nr_pids = 0;
	a->shim[0] = opts->shim;
	a->ops = (struct sonde_bins_ops){ .places = a->shim, .examine = examine, .meet = meet };
	sonde_tables_fill(a->tables, opts, true);
	a->bins = sonde_bins_new(&bins);
	if (!a->bins || sonde_bins_add(a->bins, &a->ops, a)) {
		sonde_warn("no probes: out of memory");
		return;
	}
	sonde_bins_ahead(a->bins);
	(void)sonde_bins_scan(a->bins); /* tried again */
}

static bool event(struct sonde_load_ctx *ctx, const struct sonde_event *event, size_t size)
{
	struct alloc *a = ctx->state;

	a->ended |= event->type == SONDE_EVENT_EXIT;
	if (event->type == SONDE_EVENT_SPACE && size >= sizeof(struct sonde_event_proc) && !a->begun) {
		const struct sonde_event_proc *proc = (const struct sonde_event_proc *)event;

		a->begun = proc->begun ? (pid_t)proc->tgid : 0;
	}
	sonde_tables_event(a->tables, event, size);
	return false; /* that a process has mapped something is news for who names its functions, too */
}

static int wait_ms(const struct sonde_load_ctx *ctx, int timeout_ms)
{
	return sonde_tables_wait_ms(((const struct alloc *)ctx->state)->tables, timeout_ms);
}

/* Forgets objects of processes that have ended: nobody frees them any more. */
static void sweep(struct alloc *a)
{
	struct sonde_alloc_object *dead = malloc(MAX_DEAD * sizeof(*dead)), key;
	int map = bpf_map__fd(a->skel->maps.alloc_live);
	void *from = NULL;
	size_t nr = 0;

	while (dead && nr < MAX_DEAD && !bpf_map_get_next_key(map, from, &key)) {
		dead[nr] = key; /* the walk goes on from a copy: an entry met stays until it is over */
		from = &dead[nr];
		if (kill((pid_t)key.tgid, 0) && errno == ESRCH)
			nr++;
	}
	for (size_t i = 0; i < nr; i++)
		bpf_map_delete_elem(map, &dead[i]);
	free(dead);
}

/*
 * The program that was started waits until what it has mapped is known: after the events that say so have been read. Without, what of
 * it ends soon has stacks that are cut and functions without names.
 */
static void tell_ready(struct alloc *a)
{
	pid_t pid = sonde_uprobe_caps()->process ? a->begun : 0;

	a->ready = true;
	for (size_t i = 0; i < a->nr_bins; i++)
		(void)attach_probe(a, a->bin[i], PROBE_READY, pid); /* it does not wait for ever */
}

static void work(struct sonde_load_ctx *ctx, bool exec_seen)
{
	struct alloc *a = ctx->state;
	u64 now = sonde_clock_ns();

	(void)sonde_tables_work(a->tables, exec_seen);
	if (a->begun && !a->ready)
		tell_ready(a);
	if (now >= a->rescan_ns && a->bins) {
		a->rescan_ns = now + RESCAN_NS;
		(void)sonde_bins_scan(a->bins);
	}
	if (now - a->sweep_ns >= (a->ended ? SWEEP_NS : SWEEP_ANYWAY_NS)) {
		a->ended = false;
		a->sweep_ns = now;
		sweep(a);
	}
}

static bool looks(const struct sonde_load_ctx *ctx)
{
	return ((const struct alloc *)ctx->state)->tables != NULL;
}

static void stop(struct sonde_load_ctx *ctx)
{
	struct sonde_uprobe *all = NULL;
	struct alloc *a = ctx->state;

	for (size_t i = 0; i < a->nr_bins; i++)
		sonde_uprobe_move(&all, &a->bin[i]->file.probes);
	sonde_uprobe_free(all);
}

static void free_state(struct sonde_load_ctx *ctx)
{
	struct alloc *a = ctx->state;

	if (!a)
		return;
	stop(ctx);
	for (size_t i = 0; i < a->nr_bins; i++) {
		sonde_uprobe_file_close(&a->bin[i]->file);
		free(a->bin[i]);
	}
	sonde_bins_free(a->bins);
	sonde_tables_free(a->tables);
	free(a);
}

const struct sonde_load_source sonde_load_alloc = {
	.name = "allocations",
	.maps = "alloc_",
	.configure = configure,
	.loaded = loaded,
	.attach = attach,
	.event = event,
	.wait_ms = wait_ms,
	.work = work,
	.looks = looks,
	.round = sonde_tables_round,
	.stop = stop,
	.free = free_state,
};
