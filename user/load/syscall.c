// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall.c - the source of system calls: the tracepoints at the beginning and the end of each, and an iterator over those under
 *	       way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "base/exit.h"
#include "load/source.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define DEFAULT_ROWS 16384

struct syscalls {
	struct bpf_link *iter; /* over calls under way */
	struct bpf_link *hook[2]; /* of a source that stands by; the skeleton's otherwise */
};

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct sonde_bpf *skel = ctx->skel;
	u32 rows = ctx->opts->max_queries ? ctx->opts->max_queries : DEFAULT_ROWS;

	if (!ctx->opts->syscalls)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -EINVAL, "no system call is asked for");
	ctx->state = calloc(1, sizeof(struct syscalls));
	if (!ctx->state)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	memcpy((void *)&skel->rodata->syscall_conf, ctx->opts->syscalls, sizeof(skel->rodata->syscall_conf));
	bpf_program__set_autoload(skel->progs.syscall_enter, true);
	bpf_program__set_autoload(skel->progs.syscall_exit, true);
	bpf_program__set_autoload(skel->progs.syscall_iter, true);
	bpf_program__set_autoattach(skel->progs.syscall_iter, false);
	bpf_program__set_autoattach(skel->progs.syscall_enter, !ctx->standby);
	bpf_program__set_autoattach(skel->progs.syscall_exit, !ctx->standby);
	bpf_map__set_max_entries(skel->maps.syscall_rows, rows);
	bpf_map__set_max_entries(skel->maps.syscall_errors, rows);
	return 0;
}

/* The iterator outlives the detaching: what is under way at the end is read after it. */
static void attach(struct sonde_load_ctx *ctx)
{
	((struct syscalls *)ctx->state)->iter = bpf_program__attach_iter(ctx->skel->progs.syscall_iter, NULL);
}

static void detach(struct syscalls *st)
{
	for (size_t i = 0; i < sizeof(st->hook) / sizeof(st->hook[0]); i++) {
		bpf_link__destroy(st->hook[i]);
		st->hook[i] = NULL;
	}
}

/* What is under way when it begins has no beginning, and is not counted. */
static int turn(struct sonde_load_ctx *ctx, bool on)
{
	const struct bpf_program *prog[] = { ctx->skel->progs.syscall_exit, ctx->skel->progs.syscall_enter };
	struct syscalls *st = ctx->state;
	int err;

	if (on == !!st->hook[0])
		return 0;
	for (size_t i = 0; on && i < sizeof(prog) / sizeof(prog[0]); i++) {
		st->hook[i] = bpf_program__attach(prog[i]);
		if (st->hook[i])
			continue;
		err = -errno;
		detach(st);
		return err;
	}
	if (on)
		ctx->skel->bss->syscall_since = sonde_clock_ns();
	else
		detach(st);
	return 0;
}

static void stop(struct sonde_load_ctx *ctx)
{
	detach(ctx->state);
}

static int iterate(const struct sonde_load_ctx *ctx)
{
	const struct syscalls *st = ctx->state;
	int fd = st->iter ? bpf_iter_create(bpf_link__fd(st->iter)) : -EOPNOTSUPP;

	return fd < 0 ? -errno : fd;
}

static void free_state(struct sonde_load_ctx *ctx)
{
	struct syscalls *st = ctx->state;

	if (!st)
		return;
	detach(st);
	bpf_link__destroy(st->iter);
	free(st);
}

const struct sonde_load_source sonde_load_syscalls = {
	.name = "system calls",
	.maps = "syscall_",
	.configure = configure,
	.attach = attach,
	.turn = turn,
	.iterate = iterate,
	.stop = stop,
	.free = free_state,
};
