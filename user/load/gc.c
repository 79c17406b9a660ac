// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc.c - the source of garbage collections, beside those of allocations and growth: probes of the runtimes that processes have mapped.
 *
 * A run never fails for want of it: what is not seen is said of the process.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/list.h"
#include "base/log.h"
#include "load/bins.h"
#include "load/elf.h"
#include "load/gc_bin.h"
#include "load/source.h"
#include "load/uprobe.h"
#include "sonde/config.h"
#include "sonde/gc.h"
#include "sonde.skel.h"

#define RESCAN_NS 500000000ULL
#define RESCAN_ALL_NS 5000000000ULL /* of all processes of the machine */
#define HURRY_MS 20 /* after a program was executed, for HURRY_NS: it maps its runtime soon */
#define HURRY_NS 1000000000ULL

struct binary {
	struct gc_bin bin;
	struct sonde_uprobe_file file;
};

struct gc {
	struct sonde_bpf *skel;
	struct sonde_bins *bins;
	struct binary **bin;
	size_t nr_bins, room;
	struct sonde_gc_spec spec[SONDE_GC_SPECS]; /* those of map gc_specs */
	u32 nr_specs;
	bool no_room; /* for all of the file that is looked at */
	bool said_no_room;
	bool able; /* the kernel tells probes apart */
	bool one_by_one; /* probes are put into the processes asked for only */
	bool all; /* processes of the machine */
	bool tells; /* of processes, what is seen of them */
	char comm[SONDE_COMM_BYTES]; /* only of processes of this name; "": of all */
	u64 rescan_ns, hurry_ns;
};

static int probe_type(void)
{
	return sonde_uprobe_caps()->multi ? SONDE_UPROBE_MULTI : SONDE_UPROBE_PERF;
}

/* Ends first: what is seen to begin is seen to end. */
static int attach_binary(struct gc *gc, struct binary *b, pid_t pid)
{
	const struct gc_bin *bin = &b->bin;
	struct sonde_uprobe *fresh = NULL;
	int type = probe_type(), err = 0;

	if (bin->ret.nr)
		err = sonde_uprobe_attach(&fresh, gc->skel->progs.gc_hit, type, b->file.fd, bin->ret.spot, bin->ret.nr, true, pid);
	if (!err && bin->hit.nr)
		err = sonde_uprobe_attach(&fresh, gc->skel->progs.gc_hit, type, b->file.fd, bin->hit.spot, bin->hit.nr, false, pid);
	if (!err && bin->pool.nr)
		err = sonde_uprobe_attach(&fresh, gc->skel->progs.gc_pool, type, b->file.fd, bin->pool.spot, bin->pool.nr, false, pid);
	if (err) {
		sonde_debug("probes of the garbage collector in %s cannot be attached: %s", b->file.path, strerror(-err));
		sonde_uprobe_free(fresh);
		return err;
	}
	sonde_uprobe_move(&b->file.probes, &fresh);
	return 0;
}

/* Most are the same: of functions nothing has to be known, and builds differ little in where arguments are. */
static int add_spec(void *ctx, const struct sonde_gc_spec *spec)
{
	struct gc *gc = ctx;
	u32 index;

	for (index = 0; index < gc->nr_specs; index++)
		if (!memcmp(&gc->spec[index], spec, sizeof(*spec)))
			return (int)index;
	if (index == SONDE_GC_SPECS) {
		gc->no_room = true;
		return -ENOSPC;
	}
	if (bpf_map_update_elem(bpf_map__fd(gc->skel->maps.gc_specs), &index, spec, BPF_ANY))
		return -errno;
	gc->spec[index] = *spec;
	gc->nr_specs++;
	return (int)index;
}

/* A probe that there was no room for is no probe that the file does not have. */
static void tell_no_room(struct gc *gc, struct gc_bin *bin)
{
	if (!gc->said_no_room)
		sonde_warn("garbage collections of some processes are not seen: there are too many different builds of runtimes");
	gc->said_no_room = true;
	bin->sight = SONDE_GC_NO_ROOM;
	bin->how = "";
	bin->hit.nr = bin->ret.nr = bin->pool.nr = 0;
}

static void *examine(void *ctx, struct sonde_elf *elf, int fd, const char *path)
{
	struct gc *gc = ctx;
	struct binary *b = calloc(1, sizeof(*b)), **place;

	gc->no_room = false;
	place = sonde_list_append((void **)&gc->bin, gc->nr_bins, &gc->room, sizeof(struct binary *));
	if (!b || !place || !gc_bin_find(elf, fd, path, add_spec, gc, &b->bin) || !sonde_uprobe_file_open(&b->file, path, fd)) {
		free(b);
		return NULL;
	}
	if (gc->no_room)
		tell_no_room(gc, &b->bin);
	if (b->bin.sight == SONDE_GC_SEEN && !gc->able)
		b->bin.sight = SONDE_GC_NO_KERNEL;
	*place = b;
	gc->nr_bins++;
	if (b->bin.sight == SONDE_GC_SEEN && !gc->one_by_one && attach_binary(gc, b, 0))
		b->bin.sight = SONDE_GC_FAILED;
	sonde_debug("garbage collector in %s: %s", path, b->bin.sight == SONDE_GC_SEEN ? b->bin.how : "not seen");
	return b;
}

static void name_of(pid_t pid, char comm[SONDE_COMM_BYTES])
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file && fgets(comm, SONDE_COMM_BYTES, file))
		comm[strcspn(comm, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* A program that only maps its runtime's library is met before that: what is seen of one of both counts. */
static void meet(void *ctx, void *bin, pid_t pid)
{
	struct sonde_gc_met met = {}, before = {};
	struct binary *b = bin;
	struct gc *gc = ctx;
	int map = bpf_map__fd(gc->skel->maps.gc_met), err = 0;
	u32 key = (u32)pid;

	if (b->bin.sight == SONDE_GC_SEEN && gc->one_by_one)
		err = attach_binary(gc, b, pid);
	met.runtime = b->bin.runtime;
	met.sight = err ? SONDE_GC_FAILED : b->bin.sight;
	snprintf(met.how, sizeof(met.how), "%s", b->bin.how);
	name_of(pid, met.comm);
	if (!gc->tells || err == -ESRCH || (gc->comm[0] && strncmp(gc->comm, met.comm, sizeof(gc->comm) - 1)))
		return;
	if (met.sight == SONDE_GC_SEEN || bpf_map_lookup_elem(map, &key, &before) || before.sight != SONDE_GC_SEEN)
		(void)bpf_map_update_elem(map, &key, &met, BPF_ANY); /* it is only told less of */
}

/* Of a program that is going to be started only itself is looked at ahead: libraries are probed within HURRY_MS after they are mapped. */
static const struct sonde_bins_ops ops = { .examine = examine, .meet = meet };

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct sonde_bpf *skel = ctx->skel;
	struct gc *gc = calloc(1, sizeof(*gc));

	if (!gc)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	ctx->state = gc;
	gc->skel = skel;
	gc->able = sonde_uprobe_caps()->cookies;
	bpf_program__set_autoload(skel->progs.gc_exit, gc->able);
	bpf_program__set_autoload(skel->progs.gc_hit, gc->able);
	bpf_program__set_autoload(skel->progs.gc_pool, gc->able);
	if (gc->able && probe_type() == SONDE_UPROBE_MULTI) {
		bpf_program__set_expected_attach_type(skel->progs.gc_hit, SONDE_UPROBE_MULTI);
		bpf_program__set_expected_attach_type(skel->progs.gc_pool, SONDE_UPROBE_MULTI);
	}
	return 0;
}

static void attach(struct sonde_load_ctx *ctx)
{
	const struct sonde_load_opts *opts = ctx->opts;
	struct gc *gc = ctx->state;
	struct sonde_bins_opts which = {
		.pids = opts->pids,
		.nr_pids = opts->nr_pids,
		.filter_map = opts->nr_pids || opts->follow_children ? bpf_map__fd(ctx->skel->maps.pids) : -1,
		.ahead = opts->program != NULL,
		.program = opts->program,
	};

	gc->one_by_one = opts->nr_pids && !opts->follow_children && sonde_uprobe_caps()->process;
	gc->all = which.filter_map < 0;
	gc->tells = !opts->cgroup; /* whether a process is in it only the kernel side knows */
	if (opts->comm)
		snprintf(gc->comm, sizeof(gc->comm), "%s", opts->comm);
	if (!gc->one_by_one)
		which.nr_pids = 0;
	gc->bins = sonde_bins_new(&which);
	if (!gc->bins || sonde_bins_add(gc->bins, &ops, gc)) {
		sonde_warn("garbage collections are not seen: out of memory");
		return;
	}
	sonde_bins_ahead(gc->bins);
	(void)sonde_bins_scan(gc->bins); /* tried again */
	gc->rescan_ns = sonde_clock_ns() + (gc->all ? RESCAN_ALL_NS : RESCAN_NS);
}

static int wait_ms(const struct sonde_load_ctx *ctx, int timeout_ms)
{
	const struct gc *gc = ctx->state;

	return gc->hurry_ns && timeout_ms > HURRY_MS ? HURRY_MS : timeout_ms;
}

static void work(struct sonde_load_ctx *ctx, bool exec_seen)
{
	struct gc *gc = ctx->state;
	u64 now = sonde_clock_ns();

	if (exec_seen)
		gc->hurry_ns = now + HURRY_NS;
	if (now >= gc->hurry_ns)
		gc->hurry_ns = 0;
	if (gc->hurry_ns && gc->rescan_ns > now + HURRY_MS * 1000000ULL)
		gc->rescan_ns = now + HURRY_MS * 1000000ULL;
	if (gc->bins && now >= gc->rescan_ns) {
		gc->rescan_ns = now + (gc->all ? RESCAN_ALL_NS : RESCAN_NS);
		(void)sonde_bins_scan(gc->bins);
	}
}

static bool looks(const struct sonde_load_ctx *ctx)
{
	const struct gc *gc = ctx->state;

	return gc->able;
}

static void stop(struct sonde_load_ctx *ctx)
{
	struct sonde_uprobe *all = NULL;
	struct gc *gc = ctx->state;

	for (size_t i = 0; i < gc->nr_bins; i++)
		sonde_uprobe_move(&all, &gc->bin[i]->file.probes);
	sonde_uprobe_free(all);
}

static void free_state(struct sonde_load_ctx *ctx)
{
	struct gc *gc = ctx->state;

	if (!gc)
		return;
	stop(ctx);
	for (size_t i = 0; i < gc->nr_bins; i++) {
		sonde_uprobe_file_close(&gc->bin[i]->file);
		free(gc->bin[i]);
	}
	sonde_bins_free(gc->bins);
	free(gc->bin);
	free(gc);
}

const struct sonde_load_source sonde_load_gc = {
	.name = "garbage collections",
	.maps = "gc_",
	.configure = configure,
	.attach = attach,
	.wait_ms = wait_ms,
	.work = work,
	.looks = looks,
	.stop = stop,
	.free = free_state,
};
