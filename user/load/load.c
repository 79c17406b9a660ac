// SPDX-License-Identifier: GPL-2.0-only
/*
 * load.c - configures, loads and attaches the BPF programs that one run needs; nothing is pinned.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/log.h"
#include "load/load.h"
#include "load/parallel.h"
#include "load/probe.h"
#include "load/said.h"
#include "load/source.h"
#include "load/uprobe.h"
#include "sonde/config.h"
#include "sonde/event.h"
#include "sonde/key.h"
#include "sonde.skel.h"

/* Maps that every source may use; so are .rodata, .bss and .data.counters. */
static const char *const common_maps[] = { "procs", "events", "pids", "cgroups", "rejects" };

static const struct sonde_load_source *const sources[SONDE_VIEWS] = {
#define SONDE_LOAD_SOURCE(view, symbol) [SONDE_VIEW_##view] = &sonde_load_##symbol,
#include "load/source.def"
#undef SONDE_LOAD_SOURCE
};

/* A source of this run, and what it works with. */
struct part {
	const struct sonde_load_source *source;
	struct sonde_load_ctx ctx;
};

/* The first part is that of the view, the others run beside it. */
struct sonde_load {
	struct sonde_bpf *skel;
	struct part part[SONDE_VIEWS];
	size_t nr;
	struct ring_buffer *ring;
	enum sonde_view view;
	sonde_event_fn fn; /* of the poll in progress */
	void *fn_ctx;
	bool exec_seen;
};

int sonde_load_fail(struct sonde_load_error *err, int exit_code, int ret, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	err->exit_code = exit_code;
	return ret < 0 ? ret : -EINVAL;
}

/* What all sources have in common: filters, every program off but those that keep the filters right. */
static void configure(struct sonde_bpf *skel, const struct sonde_load_opts *opts)
{
	struct sonde_config *conf = (struct sonde_config *)&skel->rodata->conf;
	bool pids = opts->nr_pids || opts->follow_children;
	struct bpf_program *prog;

	conf->filter_pids = pids;
	conf->follow_children = opts->follow_children;
	conf->self = getpid();
	if (opts->comm) {
		conf->filter_comm = 1;
		strncpy(conf->comm, opts->comm, sizeof(conf->comm) - 1);
	}
	conf->filter_cgroup = opts->cgroup != NULL;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, false);
	bpf_program__set_autoload(skel->progs.process_exec, pids || opts->comm);
	bpf_program__set_autoload(skel->progs.process_exit, pids || opts->comm);
	bpf_program__set_autoload(skel->progs.process_fork, opts->follow_children);
}

static bool begins(const char *name, const char *with)
{
	return with && !strncmp(name, with, strlen(with));
}

static bool is_common(const char *name)
{
	bool common = name[0] == '.' || strchr(name, '.'); /* .rodata and .bss, which carry the object's name */

	for (size_t i = 0; i < sizeof(common_maps) / sizeof(common_maps[0]); i++)
		common |= !strcmp(name, common_maps[i]);
	return common;
}

static bool wants_map(const struct sonde_load_source *source, const char *name)
{
	bool wanted = !source->maps || is_common(name) || begins(name, source->maps);

	for (size_t i = 0; i < SONDE_VIEWS && !source->maps; i++)
		wanted &= !sources[i] || !begins(name, sources[i]->maps);
	return wanted;
}

/* Maps of other sources are not made. */
static void choose_maps(const struct sonde_load *load)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, load->skel->obj) {
		bool wanted = false;

		for (size_t i = 0; i < load->nr; i++)
			wanted |= wants_map(load->part[i].source, bpf_map__name(map));
		if (!wanted)
			bpf_map__set_autocreate(map, false);
	}
}

static void add_part(struct sonde_load *load, const struct sonde_load_opts *opts, size_t view)
{
	const struct sonde_load_source *source = view == SONDE_VIEW_ALLOC && opts->exact ? &sonde_load_alloc_exact : sources[view];

	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source == source)
			return;
	load->part[load->nr++] = (struct part){
		.source = source,
		.ctx = { .skel = load->skel, .opts = opts, .standby = opts->standby >> view & 1 },
	};
}

/* The source of the view first: what only one of them can tell is asked of it. */
static void choose_parts(struct sonde_load *load, const struct sonde_load_opts *opts)
{
	add_part(load, opts, opts->view);
	for (size_t i = 0; i < SONDE_VIEWS; i++)
		if ((opts->with | opts->standby) >> i & 1)
			add_part(load, opts, i);
}

/* The filters that live in maps. */
static int fill_filters(struct sonde_load *load, const struct sonde_load_opts *opts, struct sonde_load_error *err)
{
	u32 zero = 0;
	int fd, ret;

	for (size_t i = 0; i < opts->nr_pids; i++) {
		ret = sonde_load_add_pid(load, opts->pids[i]);
		if (ret)
			return sonde_load_fail(err, SONDE_EXIT_FAILURE, ret, "cannot add process %d to the filter: %s",
					       opts->pids[i], strerror(-ret));
	}
	if (!opts->cgroup)
		return 0;
	fd = open(opts->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -errno, "cannot open cgroup %s: %s", opts->cgroup,
				       strerror(errno));
	ret = bpf_map_update_elem(bpf_map__fd(load->skel->maps.cgroups), &zero, &fd, BPF_ANY);
	close(fd);
	if (ret)
		return sonde_load_fail(
			err, SONDE_EXIT_FAILURE, ret,
			"%s is not a cgroup v2 directory (a directory below the cgroup2 mount is needed)",
			opts->cgroup);
	return 0;
}

static int on_ring(void *ctx, void *data, size_t size)
{
	const struct sonde_event *event = data;
	struct sonde_load *load = ctx;

	if (size < sizeof(*event))
		return 0;
	if (event->type == SONDE_EVENT_EXEC)
		load->exec_seen = true;
	for (size_t i = 0; i < load->nr; i++) {
		struct part *part = &load->part[i];

		if (part->source->event && part->source->event(&part->ctx, event, size))
			return 0;
	}
	if (load->fn)
		load->fn(load->fn_ctx, data, size);
	return 0;
}

/* Loads the object; a refusal is put in words the user can act on. */
static int load_object(struct sonde_load *load, struct sonde_load_error *err)
{
	int ret = sonde_bpf__load(load->skel), of_threads = sonde_parallel_end(!ret);

	if (!ret)
		ret = of_threads;
	if (!ret) {
		for (size_t i = 0; i < load->nr && !ret; i++)
			if (load->part[i].source->loaded)
				ret = load->part[i].source->loaded(&load->part[i].ctx, err);
		return ret;
	}
	if (ret == -EPERM) /* the verifier's own refusals are EACCES, EINVAL or E2BIG */
		return sonde_probe_refused(err, ret);
	if (ret == -ENOMEM)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, ret, "no memory for the BPF maps: lower --max-queries");
	return sonde_load_fail(err, SONDE_EXIT_KERNEL, ret,
			       "the kernel did not accept a BPF program: %s: %s; see `sonde doctor`",
			       sonde_said_libbpf()[0] ? sonde_said_libbpf() : strerror(-ret), sonde_said_verifier());
}

int sonde_load_new(struct sonde_load **out, const struct sonde_load_opts *opts, struct sonde_load_error *err)
{
	struct sonde_load *load;
	int ret;

	*out = NULL;
	sonde_said_listen();
	ret = sonde_probe_base(err);
	if (ret)
		return ret;
	load = calloc(1, sizeof(*load));
	if (!load)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	load->view = opts->view;
	sonde_parallel_begin();
	load->skel = sonde_bpf__open();
	if (!load->skel) {
		int why = errno;

		/* libbpf says what it could not make, not that it lacked memory for it. */
		ret = sonde_load_fail(err, SONDE_EXIT_FAILURE, -why, "cannot open the built-in BPF object: %s%s",
				      why == ENOMEM ? "out of memory: " : "", sonde_said_libbpf());
		goto err_free;
	}
	configure(load->skel, opts);
	choose_parts(load, opts);
	choose_maps(load);
	for (size_t i = 0; i < load->nr; i++) {
		ret = load->part[i].source->configure(&load->part[i].ctx, err);
		if (ret)
			goto err_free;
	}
	ret = load_object(load, err);
	if (ret)
		goto err_free;
	ret = fill_filters(load, opts, err);
	if (ret)
		goto err_free;
	load->ring = ring_buffer__new(bpf_map__fd(load->skel->maps.events), on_ring, load, NULL);
	if (!load->ring) {
		ret = sonde_load_fail(err, SONDE_EXIT_FAILURE, -errno, "cannot map the ring buffer: %s",
				      strerror(errno));
		goto err_free;
	}
	ret = sonde_bpf__attach(load->skel);
	if (ret) {
		sonde_load_fail(err, SONDE_EXIT_KERNEL, ret, "cannot attach: %s (%s); see `sonde doctor`",
				strerror(-ret), sonde_said_libbpf());
		goto err_free;
	}
	for (size_t i = 0; i < load->nr; i++) {
		struct part *part = &load->part[i];

		if (part->source->attach)
			part->source->attach(&part->ctx);
		part->ctx.opts = NULL;
	}
	load->skel->bss->active = 1;
	*out = load;
	return 0;

err_free:
	if (err->exit_code == SONDE_EXIT_KERNEL && sonde_probe_no_memory())
		ret = sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory: no room for the kernel's type information");
	sonde_load_free(load);
	return ret;
}

/* A skip that one source makes up for is none. */
static bool misses(const struct sonde_load *load, const struct bpf_program *prog)
{
	for (size_t i = 0; i < load->nr; i++) {
		const struct part *part = &load->part[i];

		if (part->source->misses && !part->source->misses(&part->ctx, prog))
			return false;
	}
	return true;
}

u64 sonde_load_missed(const struct sonde_load *load)
{
	struct bpf_program *prog;
	u64 missed = 0;

	bpf_object__for_each_program(prog, load->skel->obj) {
		struct bpf_prog_info info = {};
		u32 len = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (!misses(load, prog))
			continue;
		if (fd >= 0 && bpf_program__autoload(prog) && !bpf_obj_get_info_by_fd(fd, &info, &len))
			missed += info.recursion_misses;
	}
	return missed;
}

u64 sonde_load_abandoned(const struct sonde_load *load)
{
	u64 n = 0;

	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->abandoned)
			n += load->part[i].source->abandoned(&load->part[i].ctx);
	return n;
}

bool sonde_load_open(const struct sonde_load *load, u64 *open)
{
	const struct part *part = &load->part[0];

	return part->source->open && part->source->open(&part->ctx, open);
}

void sonde_load_stop(struct sonde_load *load)
{
	load->skel->bss->active = 0;
	sonde_bpf__detach(load->skel);
	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->stop)
			load->part[i].source->stop(&load->part[i].ctx);
}

bool sonde_load_stopped(const struct sonde_load *load)
{
	return !load->skel->bss->active;
}

void sonde_load_free(struct sonde_load *load)
{
	if (!load)
		return;
	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->free)
			load->part[i].source->free(&load->part[i].ctx);
	ring_buffer__free(load->ring);
	sonde_bpf__destroy(load->skel);
	free(load);
}

bool sonde_load_looks(const struct sonde_load *load)
{
	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->looks && load->part[i].source->looks(&load->part[i].ctx))
			return true;
	return false;
}

bool sonde_load_works(const struct sonde_load *load)
{
	struct bpf_program *prog;
	u32 key;

	if (bpf_map_get_next_key(bpf_map__fd(load->skel->maps.pids), NULL, &key) && errno == EPERM)
		return false;
	bpf_object__for_each_program(prog, load->skel->obj) {
		int type = bpf_program__expected_attach_type(prog);

		if (bpf_program__fd(prog) < 0 || bpf_program__type(prog) != BPF_PROG_TYPE_KPROBE)
			continue;
		if (sonde_load_looks(load) && !sonde_uprobe_may_attach(bpf_program__fd(prog), type))
			return false;
	}
	return true;
}

enum sonde_capture sonde_load_capture(const struct sonde_load *load)
{
	return load->part[0].ctx.capture;
}

enum sonde_view sonde_load_view(const struct sonde_load *load)
{
	return load->view;
}

int sonde_load_map(const struct sonde_load *load, enum sonde_map map)
{
	switch (map) {
#define SONDE_MAP(symbol, name)                                                                                        \
	case SONDE_MAP_##symbol:                                                                                       \
		return bpf_map__fd(load->skel->maps.name);
#include "load/map.def"
#undef SONDE_MAP
	default:
		return -EINVAL;
	}
}

u32 sonde_load_round(struct sonde_load *load)
{
	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->round)
			return load->part[i].source->round(&load->part[i].ctx);
	return 0;
}

u32 sonde_load_has(const struct sonde_load *load)
{
	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->has)
			return load->part[i].source->has(&load->part[i].ctx);
	return 0;
}

bool sonde_load_exact(const struct sonde_load *load, struct sonde_alloc_exact *out)
{
	for (size_t i = 0; i < load->nr; i++) {
		if (!load->part[i].source->exact)
			continue;
		load->part[i].source->exact(&load->part[i].ctx, out);
		return true;
	}
	return false;
}

int sonde_load_iterate(const struct sonde_load *load)
{
	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->iterate)
			return load->part[i].source->iterate(&load->part[i].ctx);
	return -EOPNOTSUPP;
}

int sonde_load_turn(struct sonde_load *load, enum sonde_view view, bool on)
{
	for (size_t i = 0; i < load->nr; i++) {
		struct part *part = &load->part[i];

		if (part->source == sources[view] && part->ctx.standby && part->source->turn)
			return part->source->turn(&part->ctx, on);
	}
	return -EOPNOTSUPP;
}

int sonde_load_ready(const struct sonde_load *load, int *timeout_ms)
{
	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->wait_ms)
			*timeout_ms = load->part[i].source->wait_ms(&load->part[i].ctx, *timeout_ms);
	return ring_buffer__epoll_fd(load->ring);
}

int sonde_load_add_pid(struct sonde_load *load, pid_t pid)
{
	u32 key = pid, value = 1;
	int ret = bpf_map_update_elem(bpf_map__fd(load->skel->maps.pids), &key, &value, BPF_ANY);

	return ret < 0 ? -errno : 0;
}

int sonde_load_poll(struct sonde_load *load, int timeout_ms, sonde_event_fn fn, void *ctx)
{
	int ret;

	load->fn = fn;
	load->fn_ctx = ctx;
	(void)sonde_load_ready(load, &timeout_ms);
	ret = ring_buffer__poll(load->ring, timeout_ms);
	for (size_t i = 0; i < load->nr; i++)
		if (load->part[i].source->work)
			load->part[i].source->work(&load->part[i].ctx, load->exec_seen);
	load->exec_seen = false;
	return ret;
}

int sonde_load_drain(struct sonde_load *load, sonde_event_fn fn, void *ctx)
{
	load->fn = fn;
	load->fn_ctx = ctx;
	return ring_buffer__consume(load->ring);
}
